//! Ctrl-C and kill during training: the checkpoint is kept, the next run goes on from it, and the
//! result is the one an undisturbed run gives.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::{Project, SMALL};

fn project(n_epochs: usize) -> Project {
    let project = Project::empty();
    project.write("small.toml", SMALL.replace("epochs = 2", &format!("epochs = {n_epochs}")));
    project
}

fn start(project: &Project) -> Child {
    let mut command = project.command(&["run", "./small.toml"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The training checkpoint, once it is there.
fn wait_for_checkpoint(project: &Project) -> PathBuf {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let scratch = std::fs::read_dir(project.path(".pipeline/v2/scratch"));
        for entry in scratch.into_iter().flatten().flatten() {
            let path = entry.path().join("epoch.safetensors");
            if path.exists() {
                return path;
            }
        }
        assert!(Instant::now() < deadline, "no checkpoint was written");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn digest_of_the_network(project: &Project) -> String {
    let results = project.results("small");
    let stages = results["stages"].as_array().unwrap();
    let net = stages.iter().find(|stage| stage["id"] == "net").unwrap();
    net["digest"].as_str().unwrap().to_owned()
}

/// Interrupts training with `name`, runs again, compares with an undisturbed run.
fn interrupt_and_continue(name: &str, code: Option<i32>) {
    let n_epochs = 12;
    let undisturbed = project(n_epochs);
    undisturbed.run(&["run", "./small.toml"]).ok();

    let disturbed = project(n_epochs);
    let child = start(&disturbed);
    let checkpoint = wait_for_checkpoint(&disturbed);
    signal(&child, name);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), code, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(checkpoint.exists(), "the checkpoint is gone");
    assert!(!disturbed.path("reports/small/latest").exists(), "a report was written");

    disturbed.run(&["run", "./small.toml"]).ok();
    assert!(!checkpoint.exists(), "the checkpoint outlived its stage");
    assert_eq!(digest_of_the_network(&disturbed), digest_of_the_network(&undisturbed));
}

#[test]
#[cfg(unix)]
fn ctrl_c_keeps_the_checkpoint_and_the_next_run_continues_bit_identically() {
    interrupt_and_continue("-INT", Some(1));
}

#[test]
#[cfg(unix)]
fn kill_loses_at_most_the_running_epoch() {
    interrupt_and_continue("-KILL", None);
}
