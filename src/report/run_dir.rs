//! Run directories: written whole or not at all, found again by name.
//!
//! ```text
//! reports/NAME/RUN/           report.html  results.json  results.csv  run.toml  page.json.gz
//!                             figures/SECTION-NUMBER.svg and .png
//!                             tensorboard/STAGE/events.out.tfevents.SECONDS.pipeline
//! reports/bench_LEARNER/RUN/  bench.html  bench.json  bench.csv
//! reports/NAME/latest         -> RUN (a symbolic link, or a text file where there are none)
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::figures::figures;
use super::{
    BenchResults, ReportError, Results, RunOutput, SCHEMA, bench_csv, bench_page, page, tables,
    tensorboard,
};

/// Name of the pointer to the newest run.
const LATEST: &str = "latest";

/// All that the page shows, so that it can be written again without the cache of the run.
const PAGE: &str = "page.json.gz";
/// Characters of it that are read at most.
const MAX_PAGE: u64 = 1 << 30;

/// Writes `report.html`, its figures, `results.json`, `results.csv`, `run.toml`, what the page is made
/// of, and an event file for every network as the new directory `dir` and points `latest` beside it there.
///
/// The files are made in a hidden sibling directory that is renamed once they are on the disk:
/// readers see a whole run or none, and a failure leaves nothing behind.
/// # Errors   if `dir` exists, or the place is read-only or full
pub fn write_run(dir: &Path, output: &RunOutput) -> Result<(), ReportError> {
    let mut json = serde_json::to_string_pretty(&output.results)?;
    json.push('\n');
    let csv = tables::csv(&[&output.results])?;
    let page_files = page_files(output);
    let stored = packed(output)?;
    let events = output.networks.iter().filter(|network| !network.history.is_empty());
    let events: Vec<(String, Vec<u8>)> = events
        .map(|network| {
            let name = tensorboard::file_name(output.started);
            let path = format!("tensorboard/{}/{name}", network.id);
            (path, tensorboard::events(network, output.started))
        })
        .collect();
    let mut files = vec![
        ("results.json", json.as_bytes()),
        ("results.csv", csv.as_bytes()),
        ("run.toml", output.run_toml.as_bytes()),
        (PAGE, stored.as_slice()),
    ];
    files.extend(page_files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    files.extend(events.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    write_whole(dir, &files)?;
    let (parent, name) = split(dir)?;
    point_latest(parent, name)
}

/// Writes the page of one run or several, its figures and `results.csv` as the new directory `dir`.
///
/// # Errors   as [`write_run`]
pub fn write_page(dir: &Path, output: &RunOutput) -> Result<(), ReportError> {
    let mut files = page_files(output);
    files.push(("results.csv".to_owned(), tables::csv(&[&output.results])?.into_bytes()));
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    write_whole(dir, &files)
}

/// Writes the page of a run and its figures into its directory again, each file at once.
///
/// # Errors   if the place is read-only or full
pub fn rewrite_page(dir: &Path, output: &RunOutput) -> Result<(), ReportError> {
    for (name, content) in page_files(output) {
        let path = dir.join(name);
        let write = || -> io::Result<()> {
            let parent = path.parent().unwrap_or(dir);
            fs::create_dir_all(parent)?;
            let mut file = tempfile::NamedTempFile::new_in(parent)?;
            file.write_all(&content)?;
            file.as_file().sync_all()?;
            readable(file.as_file())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| ReportError::Write { path: path.clone(), source })?;
    }
    Ok(())
}

/// Gives a file, which is private as a temporary one is, the usual mode.
#[cfg(unix)]
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_file: &File) -> io::Result<()> {
    Ok(())
}

/// `report.html` and its figures by path.
fn page_files(output: &RunOutput) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("report.html".to_owned(), page(output).into_bytes())];
    for figure in figures(output) {
        files.push((format!("figures/{}.svg", figure.name), figure.svg.into_bytes()));
    }
    files
}

fn packed(output: &RunOutput) -> Result<Vec<u8>, ReportError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    serde_json::to_writer(&mut encoder, output)?;
    encoder.finish().map_err(|error| ReportError::Json(serde_json::Error::io(error)))
}

/// All that the page of a run shows.
///
/// # Errors   if it is missing, damaged, or of another schema
pub fn read_output(run_dir: &Path) -> Result<RunOutput, ReportError> {
    // Another schema is told by the results, which are small.
    read_results(run_dir)?;
    let path = run_dir.join(PAGE);
    let file = File::open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ReportError::NoPage { path: path.clone() },
        _ => ReportError::Read { path: path.clone(), source },
    })?;
    let reader = io::BufReader::new(GzDecoder::new(file).take(MAX_PAGE));
    serde_json::from_reader(reader).map_err(|source| ReportError::Malformed { path, source })
}

/// As [`write_run`], `bench.html`, `bench.json` and `bench.csv` of a bench.
///
/// # Errors   as there
pub fn write_bench(dir: &Path, results: &BenchResults) -> Result<(), ReportError> {
    let json = format!("{}\n", serde_json::to_string_pretty(results)?);
    let csv = bench_csv(results)?;
    let html = bench_page(results);
    write_whole(
        dir,
        &[
            ("bench.html", html.as_bytes()),
            ("bench.json", json.as_bytes()),
            ("bench.csv", csv.as_bytes()),
        ],
    )?;
    let (parent, name) = split(dir)?;
    point_latest(parent, name)
}

/// The run that `latest` in `pipeline_dir` (`reports/NAME`) points to, if there is one.
pub fn latest_run(pipeline_dir: &Path) -> Option<PathBuf> {
    let latest = pipeline_dir.join(LATEST);
    let target = match fs::read_link(&latest) {
        Ok(target) => target,
        Err(_) => PathBuf::from(fs::read_to_string(&latest).ok()?.trim()),
    };
    let run = pipeline_dir.join(target.file_name()?);
    run.is_dir().then_some(run)
}

/// The newest run of every pipeline below `reports`, in name order; benches have no models and are
/// passed by.
///
/// # Errors   if `reports` cannot be listed
pub fn latest_runs(reports: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let runs = subdirectories(reports)?;
    let runs = runs.iter().filter_map(|pipeline| latest_run(pipeline));
    Ok(runs.filter(|run| !run.join("bench.json").is_file()).collect())
}

/// The run directory that `name` means: a directory with results, else `NAME` (its newest run) or
/// `NAME/RUN` below `reports`.
///
/// # Errors   if there is no such run; the error knows the names that exist
pub fn find_run(reports: &Path, name: &str) -> Result<PathBuf, ReportError> {
    let below = reports.join(name);
    for dir in [Path::new(name), &below] {
        if dir.join("results.json").is_file() {
            return Ok(dir.to_owned());
        }
    }
    if let Some(run) = latest_run(&below).or_else(|| latest_run(Path::new(name))) {
        return Ok(run);
    }
    let mut known = Vec::new();
    for pipeline in subdirectories(reports).unwrap_or_default() {
        let Some(pipeline_name) = file_name(&pipeline) else { continue };
        for run in subdirectories(&pipeline).unwrap_or_default() {
            if let Some(run_name) = file_name(&run).filter(|run_name| run_name != LATEST) {
                known.push(format!("{pipeline_name}/{run_name}"));
            }
        }
        known.push(pipeline_name);
    }
    Err(ReportError::RunNotFound { name: name.to_owned(), reports: reports.to_owned(), known })
}

/// Reads `results.json` of a run directory.
///
/// # Errors   if it is missing, damaged or of another schema
pub fn read_results(run_dir: &Path) -> Result<Results, ReportError> {
    let path = run_dir.join("results.json");
    let text = fs::read_to_string(&path)
        .map_err(|source| ReportError::Read { path: path.clone(), source })?;
    let malformed = |source| ReportError::Malformed { path: path.clone(), source };
    let document: serde_json::Value = serde_json::from_str(&text).map_err(malformed)?;
    match document.get("schema").and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(SCHEMA) => {
            Err(ReportError::Schema { path: path.clone(), found, expected: SCHEMA })
        }
        _ => serde_json::from_str(&text).map_err(malformed),
    }
}

/// Makes the directory `dir` with these files, which may be in directories of their own, or nothing.
///
/// # Errors   if `dir` exists, or the place is read-only or full
pub fn write_whole(
    dir: &Path,
    files: &[(impl AsRef<str>, impl AsRef<[u8]>)],
) -> Result<(), ReportError> {
    let (parent, name) = split(dir)?;
    let failed = |path: &Path, source| ReportError::Write { path: path.to_owned(), source };
    if dir.symlink_metadata().is_ok() {
        return Err(ReportError::Exists { path: dir.to_owned() });
    }
    fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;

    // The temporary directory is private (mode 0700); the one inside it gets the usual mode and
    // is what moves. Dropping `scratch` removes whatever an error left.
    let scratch = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .tempdir_in(parent)
        .map_err(|source| failed(dir, source))?;
    let staged = scratch.path().join(name);
    fs::create_dir(&staged).map_err(|source| failed(dir, source))?;
    for (file_name, content) in files {
        let (file_name, content) = (file_name.as_ref(), content.as_ref());
        let write = || -> io::Result<()> {
            let path = staged.join(file_name);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let mut file = File::create(path)?;
            file.write_all(content)?;
            file.sync_all()
        };
        write().map_err(|source| failed(&dir.join(file_name), source))?;
    }
    fs::rename(&staged, dir).map_err(|source| match source.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
            ReportError::Exists { path: dir.to_owned() }
        }
        _ => failed(dir, source),
    })
}

/// Swaps `parent/latest` to `name` in one step.
fn point_latest(parent: &Path, name: &str) -> Result<(), ReportError> {
    let latest = parent.join(LATEST);
    let failed = |source| ReportError::Write { path: latest.clone(), source };
    let scratch = tempfile::Builder::new().prefix(".latest.").tempdir_in(parent).map_err(failed)?;
    let staged = scratch.path().join(LATEST);
    symlink(name, &staged)
        .or_else(|_| fs::write(&staged, format!("{name}\n")))
        .and_then(|()| fs::rename(&staged, &latest))
        .map_err(failed)
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_target: &str, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn split(dir: &Path) -> Result<(&Path, &str), ReportError> {
    let name = dir.file_name().and_then(|name| name.to_str());
    match (dir.parent(), name) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => Ok((Path::new("."), name)),
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(ReportError::NotARunDirectory { path: dir.to_owned() }),
    }
}

/// Directories in `dir` whose names do not start with a dot, in name order.
fn subdirectories(dir: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let failed = |source| ReportError::Read { path: dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() && file_name(&path).is_some_and(|name| !name.starts_with('.')) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn entries(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn run_is_written_read_back_and_pointed_to() {
        let place = tempfile::tempdir().unwrap();
        let pipeline = place.path().join("reports/cnn_svm");
        let output = example::run_output();
        for run in ["20260102T030405Z", "20260102T030406Z"] {
            write_run(&pipeline.join(run), &output).unwrap();
            assert_eq!(latest_run(&pipeline).unwrap(), pipeline.join(run));
        }
        assert_eq!(entries(&pipeline), ["20260102T030405Z", "20260102T030406Z", "latest"]);
        let run = latest_run(&pipeline).unwrap();
        let expected = [
            "figures",
            "page.json.gz",
            "report.html",
            "results.csv",
            "results.json",
            "run.toml",
            "tensorboard",
        ];
        assert_eq!(entries(&run), expected);
        for network in &output.networks {
            let events = run.join("tensorboard").join(&network.id);
            assert_eq!(entries(&events), ["events.out.tfevents.1767323045.pipeline"]);
        }
        let read = read_results(&run).unwrap();
        assert_eq!(read.comparisons.len(), output.results.comparisons.len());
        for (found, expected) in read.models.iter().zip(&output.results.models) {
            assert_eq!(found.id, expected.id);
            assert_eq!(found.confusion, expected.confusion);
            // serde_json's default reader may be off by the last bit.
            approx::assert_relative_eq!(found.macro_f1, expected.macro_f1, epsilon = 1e-15);
        }
    }

    #[test]
    fn page_is_written_again_from_what_the_run_keeps() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("cnn_svm/r1");
        let output = example::run_output();
        write_run(&run, &output).unwrap();
        let written = fs::read(run.join("report.html")).unwrap();
        fs::write(run.join("report.html"), "spoilt").unwrap();
        let read = read_output(&run).unwrap();
        assert_eq!(read, output);
        rewrite_page(&run, &read).unwrap();
        assert!(fs::read(run.join("report.html")).unwrap() == written, "another page");
        fs::remove_file(run.join(PAGE)).unwrap();
        let error = read_output(&run).unwrap_err();
        assert!(matches!(error, ReportError::NoPage { .. }) && error.hint().is_some(), "{error}");
        fs::write(run.join(PAGE), "no gzip").unwrap();
        assert!(matches!(read_output(&run), Err(ReportError::Malformed { .. })));
    }

    #[test]
    fn finished_run_is_never_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("run");
        write_whole(&dir, &[("a", b"first")]).unwrap();
        let error = write_whole(&dir, &[("a", b"second")]).unwrap_err();
        assert!(matches!(error, ReportError::Exists { .. }), "{error}");
        assert_eq!(fs::read(dir.join("a")).unwrap(), b"first");
    }

    #[test]
    fn failure_half_way_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("run");
        let files: [(&str, &[u8]); 2] = [("a", b"fine"), ("a/is/a/file", b"fails")];
        let error = write_whole(&dir, &files).unwrap_err();
        assert!(error.to_string().contains("a/is/a/file"), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(entries(place.path()), [""; 0]);
    }

    #[test]
    fn file_in_the_way_is_an_error_with_a_hint() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("reports"), "a file").unwrap();
        let dir = place.path().join("reports/cnn_svm/run");
        let error = write_run(&dir, &example::run_output()).unwrap_err();
        assert!(matches!(error, ReportError::Write { .. }), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(entries(place.path()), ["reports"]);
    }

    #[cfg(unix)]
    #[test]
    fn read_only_directory_is_an_error_and_stays_empty() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let set_mode = |mode| {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
        };
        set_mode(0o555);
        if fs::write(place.path().join("probe"), "").is_ok() {
            eprintln!("skipped: this user may write into read-only directories");
            return;
        }
        let error = write_whole(&place.path().join("run"), &[("a", b"a")]).unwrap_err();
        set_mode(0o755);
        assert!(matches!(error, ReportError::Write { .. }), "{error}");
        assert_eq!(entries(place.path()), [""; 0]);
    }

    #[test]
    fn latest_may_be_a_text_file() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("run")).unwrap();
        fs::write(place.path().join(LATEST), "run\n").unwrap();
        assert_eq!(latest_run(place.path()).unwrap(), place.path().join("run"));
        fs::write(place.path().join(LATEST), "gone\n").unwrap();
        assert_eq!(latest_run(place.path()), None);
    }

    #[test]
    fn runs_are_found_by_pipeline_by_run_and_by_path() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("cnn_svm/r1");
        write_run(&run, &example::run_output()).unwrap();
        for name in ["cnn_svm", "cnn_svm/r1", run.to_str().unwrap()] {
            assert_eq!(find_run(place.path(), name).unwrap(), run, "{name}");
        }
        assert_eq!(latest_runs(place.path()).unwrap(), [run]);
        let error = find_run(place.path(), "cnn_smv").unwrap_err();
        assert!(error.hint().unwrap().contains("`cnn_svm`"), "{:?}", error.hint());
    }

    #[test]
    fn damaged_results_and_other_schemas_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("results.json");
        fs::write(&path, "{\"schema\": 1,").unwrap();
        assert!(matches!(read_results(place.path()), Err(ReportError::Malformed { .. })));
        fs::write(&path, "{\"schema\": 99}").unwrap();
        let error = read_results(place.path()).unwrap_err();
        assert!(matches!(error, ReportError::Schema { found: 99, .. }), "{error}");
    }
}
