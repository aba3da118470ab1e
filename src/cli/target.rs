//! The arguments that `run` and `plan` share: which pipeline, on which data, with which changes.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::outcome::{UsageError, say};
use crate::cache::Store;
use crate::config::{Overrides, Pipeline, shipped};
use crate::data::Sources;
use crate::data::import::recognise;
use crate::data::registry::{self, OWN};
use crate::engine::Force;
use crate::nearest::nearest;
use crate::stage::KINDS;

/// Which pipeline, data and changes.
#[derive(clap::Args)]
pub struct Target {
    /// Name of a shipped pipeline, or a pipeline file.
    #[arg(value_name = "NAME|FILE", required_unless_present = "force")]
    pipeline: Option<String>,
    /// Where the data set's files are; nothing else is tried. If none are there, your own data: a
    /// folder with a sub-folder of images per class, a CSV table, an `.npz` file.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Data set to use instead of the one the pipeline names; never falls back to another.
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Change a parameter, such as `--set svm_pixels.c=1`; may be given several times.
    #[arg(long, value_name = "STAGE.KEY=VALUE")]
    set: Vec<String>,
    /// Seed of everything random [default: the pipeline's].
    #[arg(long)]
    seed: Option<u64>,
    /// Several seeds: what is drawn at random is made once with each, and models are compared over
    /// them.
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with = "seed")]
    seeds: Vec<u64>,
    /// Threads to use; results do not depend on it [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where networks are trained; `cuda` is candle on an NVIDIA GPU, in a build with that feature.
    #[arg(long, value_enum, default_value = "cpu")]
    device: Device,
    /// Run stages again although they are cached: all, or the named ones.
    #[arg(long, value_name = "STAGE", num_args = 0..=1, default_missing_value = "", action = clap::ArgAction::Append)]
    force: Vec<String>,
    /// Where results of stages are kept.
    #[arg(long, value_name = "DIR", env = "PIPELINE_CACHE", default_value = ".pipeline")]
    cache: PathBuf,
    /// Print one JSON document to stdout, progress to stderr.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Device {
    Cpu,
    Cuda,
}

impl Device {
    /// The engine that it stands for, where the pipeline's own is not kept.
    fn engine(self) -> Option<String> {
        match self {
            Device::Cpu => None,
            Device::Cuda => Some("candle_cuda".to_owned()),
        }
    }
}

/// A checked target.
pub struct Job {
    /// The pipeline with the changes applied.
    pub pipeline: Pipeline,
    /// The cache.
    pub store: Store,
    /// Where data are looked for.
    pub sources: Sources,
    /// What to run again.
    pub force: Force,
    /// Number of threads.
    pub threads: usize,
}

impl Target {
    /// Checks everything that can be checked before anything runs, and sets the number of threads.
    pub fn resolve(&self) -> anyhow::Result<Job> {
        let (name, forced) = self.name_and_forced()?;
        let (text, file) = text(name)?;
        let mut overrides = Overrides {
            set: self.set.clone(),
            seed: self.seed,
            seeds: self.seeds.clone(),
            dataset: self.dataset.clone(),
            engine: self.device.engine(),
        };
        let pipeline = Pipeline::parse(&text, &file, KINDS, &overrides)?;
        let pipeline = match own_data(self.data.as_deref(), &overrides, &pipeline)? {
            None => pipeline,
            Some(warning) => {
                say(&format!("warning: {warning}"));
                overrides.dataset = Some(OWN.to_owned());
                Pipeline::parse(&text, &file, KINDS, &overrides)?
            }
        };
        let force = force(forced, &pipeline)?;
        let sources = sources(self.data.clone());
        let threads = set_threads(self.threads)?;
        let store = Store::open(&self.cache)?;
        Ok(Job { pipeline, store, sources, force, threads })
    }

    /// True if progress may be drawn.
    pub fn draws_progress(&self) -> bool {
        std::io::stderr().is_terminal() && (self.json || std::io::stdout().is_terminal())
    }

    /// In `run --force NAME` the word belongs to `--force` as it is read; it is the pipeline, and
    /// all of it is forced.
    fn name_and_forced(&self) -> anyhow::Result<(&str, &[String])> {
        static ALL: [String; 1] = [String::new()];
        match (self.pipeline.as_deref(), self.force.as_slice()) {
            (Some(name), forced) => Ok((name, forced)),
            (None, [name]) if !name.is_empty() => Ok((name, &ALL)),
            (None, _) => {
                let hint = "write `pipeline run NAME --force [STAGE]`".to_owned();
                Err(UsageError::new("which pipeline is not said", hint).into())
            }
        }
    }
}

/// The text of a pipeline and what to call it in messages.
fn text(name: &str) -> anyhow::Result<(String, String)> {
    let path = Path::new(name);
    let is_path = path.extension().is_some() || path.components().count() > 1;
    if is_path {
        let text = std::fs::read_to_string(path).map_err(|error| {
            UsageError::new(format!("cannot read pipeline file `{name}`: {error}"), None)
        })?;
        return Ok((text, name.to_owned()));
    }
    if let Some(text) = shipped::text(name) {
        return Ok((text.to_owned(), format!("{name}.toml (built in)")));
    }
    let names: Vec<&str> = shipped::names().collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`pipeline list` shows them: {}.", names.join(", ")),
    };
    let message = format!("there is no pipeline named `{name}`");
    Err(UsageError::new(message, format!("{hint} A file is named by its path, ./{name}.toml"))
        .into())
}

/// What `--force` asks for; an empty word means all.
fn force(words: &[String], pipeline: &Pipeline) -> anyhow::Result<Force> {
    for id in words.iter().filter(|id| !id.is_empty()) {
        if pipeline.named(id).next().is_none() {
            let ids: Vec<&str> = pipeline.stages.iter().map(|stage| stage.id.as_str()).collect();
            let message = format!("`--force {id}`: the pipeline has no stage `{id}`");
            return Err(UsageError::new(message, format!("its stages: {}", ids.join(", "))).into());
        }
    }
    Ok(if words.is_empty() {
        Force::Nothing
    } else if words.iter().any(String::is_empty) {
        Force::All
    } else {
        Force::Stages(words.to_vec())
    })
}

/// Where data sets are looked for, given `--data`.
pub fn sources(explicit: Option<PathBuf>) -> Sources {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    Sources {
        explicit,
        environment: variable("PIPELINE_DATA").map(PathBuf::from),
        downloads: Sources::user_downloads(),
        mirror: variable("PIPELINE_MIRROR").map(|url| url.to_string_lossy().into_owned()),
    }
}

/// A missing `--data` is an error even where the cache would need no data, and so is a file that is
/// no data set.
pub fn check_data(path: &Path) -> anyhow::Result<()> {
    let metadata = std::fs::metadata(path)
        .with_context(|| format!("`--data {}` cannot be read", path.display()))?;
    if metadata.is_file() {
        recognise(path)?;
    }
    Ok(())
}

/// Why `--data` is taken as the user's own data, if it is: it holds no file of the data sets that
/// the pipeline names, but another data set, and the command line names none.
fn own_data(
    path: Option<&Path>,
    overrides: &Overrides,
    pipeline: &Pipeline,
) -> anyhow::Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    check_data(path)?;
    let names: Vec<&str> = pipeline
        .stages
        .iter()
        .filter(|stage| stage.kind.name == "dataset")
        .filter_map(|stage| stage.params.get("name")?.as_str())
        .collect();
    let is_there = |name: &&str| *name == OWN || registry::holds(path, name);
    if overrides.dataset.is_some() || names.is_empty() || names.iter().any(is_there) {
        return Ok(None);
    }
    let Ok(found) = recognise(path) else { return Ok(None) };
    let (path, name) = (path.display(), names[0]);
    Ok(Some(format!(
        "`{path}` holds no files of `{name}`, but {found}: taken as your own data (`--dataset {OWN}`)"
    )))
}

/// Sets the number of threads of the process.
pub fn set_threads(wanted: Option<u16>) -> anyhow::Result<usize> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let n_threads = wanted.map_or(all, usize::from);
    rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build_global()
        .context("the threads could not be started")?;
    Ok(n_threads)
}
