//! Stages of the kinds `nystroem`, `fourier` and `linear_svm`, as a user runs them.

use serde_json::Value;

use crate::project::Project;

/// Exit codes of a wrong pipeline file and of a failed run.
const USAGE: i32 = 2;
const FAILED: i32 = 1;

const PIPELINE: &str = r#"
name = "approximation"
seed = 7

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.net]
kind = "cnn"
inputs = { data = "data" }
architecture = "a3"
epochs = 1
batch_size = 64

[stage.penultimate]
kind = "features"
inputs = { network = "net", data = "data" }

[stage.landmarks]
kind = "nystroem"
inputs = { data = "data" }
n_components = 40

[stage.waves]
kind = "fourier"
inputs = { data = "penultimate" }
n_components = 40

[stage.plain]
kind = "linear_svm"
inputs = { data = "data" }

[stage.on_landmarks]
kind = "linear_svm"
inputs = { data = "landmarks" }
loss = "hinge"
multi_class = "ovo"
max_iter = 100000

[stage.on_waves]
kind = "linear_svm"
inputs = { data = "waves" }
class_weight = "balanced"

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["plain", "on_landmarks", "on_waves"] }
"#;

fn project(text: &str) -> Project {
    let project = Project::empty();
    project.write("approximation.toml", text);
    project
}

fn of_stages(results: &Value, what: &str) -> Vec<String> {
    let stages = results["stages"].as_array().unwrap().iter();
    stages.map(|stage| stage[what].as_str().unwrap().to_owned()).collect()
}

#[test]
fn linear_classifiers_tell_what_they_read_and_how_well_they_are_solved() {
    let project = project(PIPELINE);
    project.run(&["run", "./approximation.toml"]).ok();
    let results = project.results("approximation");
    let models = results["models"].as_array().unwrap();
    let of = |key: &str| -> Vec<&str> { models.iter().map(|m| m[key].as_str().unwrap()).collect() };
    assert_eq!(of("family"), ["classical", "classical", "hybrid"]);
    assert_eq!(of("input")[..2], ["pixels", "pixels, nystroem 40"]);
    assert!(of("input")[2].ends_with("penultimate, fourier 40"), "{}", of("input")[2]);
    for (model, n_problems) in models.iter().zip([10, 45, 10]) {
        let details = &model["details"];
        assert_eq!(details["converged"], true, "{details}");
        assert!(details["relative_gap"].as_f64().unwrap() < 1e-3, "{details}");
        assert_eq!(details["problems"].as_array().unwrap().len(), n_problems);
        assert!(model["accuracy"].as_f64().unwrap() > 0.3, "chance is 0.1: {model}");
    }
    project.run(&["run", "./approximation.toml"]).ok();
    let again = of_stages(&project.results("approximation"), "status");
    assert!(again[1..].iter().all(|status| status == "cached"), "{again:?}");
}

#[test]
fn threads_change_no_artifact() {
    let digests: Vec<Vec<String>> = ["1", "2", "3"]
        .into_iter()
        .map(|threads| {
            let project = project(PIPELINE);
            project.run(&["run", "./approximation.toml", "--threads", threads]).ok();
            of_stages(&project.results("approximation"), "digest")
        })
        .collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

#[test]
fn wrong_parameters_are_told_before_and_misfits_when_they_are_met() {
    let wrong = PIPELINE.replace("\"hinge\"", "\"hinged\"");
    project(&wrong)
        .run(&["run", "./approximation.toml"])
        .fails(USAGE, &["`loss` of stage `on_landmarks`", "did you mean `hinge`?"]);
    let many = PIPELINE.replacen("n_components = 40", "n_components = 20000", 1);
    project(&many).run(&["run", "./approximation.toml"]).fails(
        FAILED,
        &["stage `landmarks`", "`n_components` is 20000, there are", "ask for at most"],
    );
}
