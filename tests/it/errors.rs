//! Wrong input: a clear error, a non-zero exit code, nothing half-written.

use std::path::Path;

use crate::project::{Project, SMALL};

/// The command line or the pipeline file is wrong.
const USAGE: i32 = 2;
/// The run or the data failed.
const FAILED: i32 = 1;

#[track_caller]
fn nothing_written(project: &Project) {
    assert!(!project.path("reports").exists(), "reports/ was written");
    let objects = project.path(".pipeline/v2/objects");
    let n_objects = std::fs::read_dir(objects).map_or(0, |entries| entries.count());
    assert_eq!(n_objects, 0, "artifacts were written");
}

/// Runs [`SMALL`] with one text replaced; expects every fragment in the error.
#[track_caller]
fn wrong_file(from: &str, to: &str, fragments: &[&str]) {
    assert!(SMALL.contains(from), "`{from}` is not in the pipeline");
    let project = Project::empty();
    project.write("small.toml", SMALL.replacen(from, to, 1));
    for subcommand in ["plan", "run"] {
        project.run(&[subcommand, "./small.toml"]).fails(USAGE, fragments);
    }
    nothing_written(&project);
}

#[test]
fn unknown_kind_names_the_nearest() {
    wrong_file("kind = \"svm\"", "kind = \"svn\"", &["small.toml:", "`svn`", "`svm`"]);
}

#[test]
fn unknown_parameter_names_the_nearest() {
    wrong_file("epochs = 2", "epoch = 2", &["small.toml:16", "`epoch`", "`epochs`"]);
}

#[test]
fn unknown_architecture_names_the_nearest() {
    wrong_file("\"a3\"", "\"a33\"", &["`a33`", "`a3`", "architecture"]);
}

#[test]
fn a_value_out_of_range_says_the_range() {
    wrong_file("c = 10.0", "c = -1.0", &["`c`", "-1", "above 0"]);
    wrong_file("epochs = 2", "epochs = 0", &["`epochs`", "0", "1"]);
    wrong_file("validation = 0.1", "validation = 1.5", &["`validation`", "1.5", "0.9"]);
}

#[test]
fn a_value_of_the_wrong_type_says_what_is_expected() {
    wrong_file("epochs = 2", "epochs = \"two\"", &["`epochs`", "`two`", "whole number"]);
    wrong_file("kernel = \"rbf\"", "kernel = \"rbff\"", &["`rbff`", "`rbf`", "linear"]);
}

#[test]
fn a_cycle_is_shown() {
    wrong_file("network = \"net\"", "network = \"penultimate\"", &["penultimate", "net"]);
    let project = Project::empty();
    let text = "name = \"loop\"\n\
        [stage.a]\nkind = \"features\"\ninputs = { network = \"b\", data = \"b\" }\n\
        [stage.b]\nkind = \"features\"\ninputs = { network = \"a\", data = \"a\" }\n";
    project.write("loop.toml", text);
    project.run(&["run", "./loop.toml"]).fails(USAGE, &["cycle", "a -> b -> a"]);
}

#[test]
fn an_input_of_an_unknown_stage_or_of_the_wrong_type_is_refused() {
    wrong_file(
        "data = \"penultimate\"",
        "data = \"penultimat\"",
        &["`penultimat`", "`penultimate`"],
    );
    wrong_file("network = \"net\"", "network = \"data\"", &["network", "dataset"]);
}

#[test]
fn every_mistake_is_reported_at_once() {
    let project = Project::empty();
    let text = SMALL.replace("epochs = 2", "epoch = 2").replace("c = 10.0", "c = 0.0");
    project.write("small.toml", text.replace("batch_size = 64", "batch_size = 0"));
    let run = project.run(&["run", "./small.toml", "--set", "svm.kernel=cubic"]);
    run.fails(USAGE, &["`epoch`", "`batch_size`", "`c`", "--set svm.kernel=cubic", "`cubic`"]);
    nothing_written(&project);
}

#[test]
fn text_that_is_not_toml_says_where() {
    wrong_file("[stage.data]", "[stage.data", &["small.toml:"]);
}

#[test]
fn a_wrong_set_is_refused() {
    let project = Project::small();
    for (set, fragments) in [
        ("svm", &["--set svm", "STAGE.KEY=VALUE"][..]),
        ("svn.c=1", &["`svn`", "`svm`"]),
        ("svm.cc=1", &["`cc`", "`c`"]),
        ("svm.c=many", &["`c`", "many"]),
        ("net.epochs=2.5", &["`epochs`", "2.5"]),
    ] {
        project.run(&["run", "./small.toml", "--set", set]).fails(USAGE, fragments);
    }
    nothing_written(&project);
}

#[test]
fn an_unknown_pipeline_names_the_nearest() {
    let project = Project::empty();
    project.run(&["run", "cnn_svn"]).fails(USAGE, &["`cnn_svn`", "`cnn_svm`"]);
    project.run(&["run", "./absent.toml"]).fails(USAGE, &["absent.toml"]);
}

#[test]
fn an_unknown_data_set_or_stage_to_force_is_refused() {
    let project = Project::small();
    let wrong = ["run", "./small.toml", "--dataset", "fashion-mnits"];
    project.run(&wrong).fails(USAGE, &["`fashion-mnits`", "`fashion-mnist`"]);
    project.run(&["run", "./small.toml", "--force", "nett"]).fails(USAGE, &["nett", "net"]);
    nothing_written(&project);
}

#[test]
fn a_wrong_command_line_ends_with_two_and_help_with_zero() {
    let project = Project::empty();
    assert_eq!(project.run(&["runn"]).code(), Some(USAGE));
    assert_eq!(project.run(&["run", "cnn_svm", "--threads", "0"]).code(), Some(USAGE));
    for subcommand in ["run", "plan", "list", "compare", "model", "data"] {
        let help = project.run(&[subcommand, "--help"]).ok().stdout();
        assert!(help.contains("Example"), "`{subcommand} --help` has no example:\n{help}");
    }
}

#[test]
fn a_missing_data_directory_is_an_error() {
    let project = Project::small();
    let run = project.run(&["run", "./small.toml", "--data", "nowhere"]);
    run.fails(FAILED, &["nowhere", "--data"]);
    nothing_written(&project);
}

#[test]
fn a_data_set_named_on_the_command_line_never_falls_back() {
    let project = Project::empty();
    project.write("small.toml", SMALL.replace("validation", "fallback = \"garments\"\nvalidation"));
    let run = project.run(&["run", "./small.toml", "--dataset", "fashion-mnist"]);
    run.fails(FAILED, &["train-images-idx3-ubyte.gz", "--data DIR"]);
    nothing_written(&project);
}

/// Four tiny IDX files: 20 training and 10 test images of 28x28 in two classes.
fn idx_files() -> Vec<(&'static str, Vec<u8>)> {
    let images = |n: u32| {
        let mut bytes = vec![0, 0, 8, 3];
        [n, 28, 28].iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend((0..n * 784).map(|at| (at % 251) as u8));
        bytes
    };
    let labels = |n: u32| {
        let mut bytes = vec![0, 0, 8, 1];
        bytes.extend(n.to_be_bytes());
        bytes.extend((0..n).map(|at| (at % 2) as u8));
        bytes
    };
    vec![
        ("train-images-idx3-ubyte", images(20)),
        ("train-labels-idx1-ubyte", labels(20)),
        ("t10k-images-idx3-ubyte", images(10)),
        ("t10k-labels-idx1-ubyte", labels(10)),
    ]
}

#[track_caller]
fn wrong_idx(name: &str, change: impl Fn(&mut Vec<u8>), fragments: &[&str]) {
    let project = Project::small();
    for (file, mut bytes) in idx_files() {
        if file == name {
            change(&mut bytes);
        }
        project.write(&format!("data/{file}"), bytes);
    }
    let args = ["run", "./small.toml", "--dataset", "idx", "--data", "data"];
    let run = project.run(&args).fails(FAILED, fragments);
    assert!(run.stderr().contains(name), "{}", run.stderr());
    nothing_written(&project);
}

#[test]
fn wrong_idx_files_are_refused() {
    let (images, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    wrong_idx(images, |bytes| bytes.truncate(5000), &["truncated"]);
    wrong_idx(images, |bytes| bytes.truncate(7), &["truncated"]);
    wrong_idx(images, |bytes| bytes.push(0), &["more than the 15696 bytes"]);
    wrong_idx(images, |bytes| bytes[3] = 1, &["magic"]);
    wrong_idx(images, |bytes| bytes[4] = 255, &["truncated"]);
    wrong_idx(labels, |bytes| bytes[2] = 9, &["magic"]);
    wrong_idx(
        labels,
        |bytes| {
            bytes[7] = 19;
            bytes.pop();
        },
        &["19", "20"],
    );
}

#[test]
fn a_test_label_that_training_does_not_know_is_refused() {
    wrong_idx("t10k-labels-idx1-ubyte", |bytes| bytes[9] = 7, &["label", "7"]);
}

#[test]
fn a_file_with_a_wrong_checksum_is_never_used() {
    let project = Project::small();
    for (file, bytes) in idx_files() {
        project.write(&format!("data/{file}"), bytes);
    }
    let args = ["run", "./small.toml", "--dataset", "fashion-mnist", "--data", "data"];
    project.run(&args).fails(FAILED, &["train-images-idx3-ubyte"]);
    nothing_written(&project);
}

#[test]
fn an_output_directory_that_cannot_be_written_is_an_error_before_anything_runs() {
    let project = Project::small();
    project.write("file", "not a directory");
    let run = project.run(&["run", "./small.toml", "--out", "file/reports"]);
    run.fails(FAILED, &["file/reports"]);
    nothing_written(&project);
    let run = project.run(&["run", "./small.toml", "--cache", "file/cache"]);
    run.fails(FAILED, &["file/cache"]);
    nothing_written(&project);
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_half_written() {
    let project = Project::small();
    std::fs::create_dir(project.path("full")).unwrap();
    let binary = env!("CARGO_BIN_EXE_pipeline");
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs full || exit 99; \
         {binary} run ./small.toml --cache full/cache --out full/reports; code=$?; \
         find full -type f -size +0 >found; exit $code"
    );
    let mut command = project.command(&[]);
    let environment: Vec<_> =
        command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
    command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    command.current_dir(project.path("."));
    for (key, value) in environment {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    let Ok(output) = command.output() else {
        println!("skipped: no `unshare` to make a small file system with");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(99) || stderr.contains("unshare") {
        println!("skipped: this system does not let a test mount a small file system: {stderr}");
        return;
    }
    assert_eq!(output.status.code(), Some(FAILED), "{stderr}");
    assert!(stderr.contains("error: ") && stderr.contains("space"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let found = std::fs::read_to_string(project.path("found")).unwrap();
    assert!(!found.contains("reports"), "a report was half-written:\n{found}");
    assert!(!found.contains("/tmp/"), "a temporary file was left:\n{found}");
    for line in found.lines().filter(|line| line.contains("/keys/")) {
        assert!(Path::new(line).extension().is_some_and(|ext| ext == "json"), "{line}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_or_closed_stream_is_no_panic() {
    use std::process::Stdio;
    let project = Project::small();
    project.write("empty.toml", "");
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let status = project.command(&["plan", "./empty.toml"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(USAGE));
    for args in [&["list"][..], &["data", "show", "garments-small"], &["plan", "./small.toml"]] {
        let output = project.command(args).stdout(full()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(FAILED), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_run_that_does_not_exist_is_a_wrong_command_line() {
    let project = Project::small();
    project.run(&["compare", "nothing"]).fails(USAGE, &["nothing"]);
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_gpu_is_refused_by_a_build_without_one() {
    let project = Project::small();
    project
        .run(&["run", "./small.toml", "--device", "cuda"])
        .fails(1, &["CUDA", "--features cuda"]);
    project.run(&["run", "./small.toml", "--device", "tpu"]).fails(2, &["tpu", "cuda"]);
}
