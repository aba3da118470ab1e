//! Several seeds, an ensemble over them, and an architecture of the user's own.

use serde_json::Value;

use crate::project::Project;

const SEEDS: &str = r#"
name = "seeds"
seeds = [1, 2]

[stage.data]
kind = "dataset"
name = "garments-small"
validation = 0.1

[stage.net]
kind = "cnn"
title = "Net"
inputs = { data = "data" }
architecture = "own.toml"
epochs = 1
augment = { crop = 1, flip = 0.5 }

[stage.features]
kind = "features"
inputs = { network = "net", data = "data" }

[stage.svm]
kind = "svm"
title = "SVM on features"
inputs = { data = "features" }

[stage.knn]
kind = "knn"
title = "Neighbours"
inputs = { data = "data" }

[stage.vote]
kind = "ensemble"
title = "Vote"
inputs = { networks = ["net@*"], data = "data" }
flip_views = true

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["net", "svm", "knn", "vote"] }
"#;

const OWN: &str = r#"
title = "One small convolution"
[[layer]]
kind = "conv"
filters = 8
kernel = 3
[[layer]]
kind = "relu"
[[layer]]
kind = "max_pool"
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
"#;

fn project() -> Project {
    let project = Project::empty();
    project.write("mine/seeds.toml", SEEDS);
    project.write("mine/own.toml", OWN);
    project
}

fn ids(list: &Value) -> Vec<String> {
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(id).collect()
}

fn n_ran(results: &Value) -> usize {
    let stages = results["stages"].as_array().unwrap();
    stages.iter().filter(|stage| stage["status"] == "ran").count()
}

#[test]
fn models_are_made_with_each_seed_and_compared_over_them() {
    let project = project();
    let run = project.run(&["run", "mine/seeds.toml"]).ok();
    assert!(run.stdout().contains(" over 2 seeds"), "{}", run.stdout());
    let results = project.results("seeds");
    assert_eq!(results["seeds"], serde_json::json!([1, 2]));
    assert_eq!(ids(&results["models"]), ["net@1", "svm@1", "knn", "vote", "net@2", "svm@2"]);
    assert_eq!(ids(&results["summaries"]), ["net", "svm", "knn", "vote"]);
    let net = &results["summaries"][0];
    assert_eq!(net["models"], serde_json::json!(["net@1", "net@2"]));
    let of = |at: usize| net["accuracies"][at].as_f64().unwrap();
    let mean = net["mean_accuracy"].as_f64().unwrap();
    assert!((mean - (of(0) + of(1)) / 2.0).abs() < 1e-12, "{net}");
    let pairs = results["seed_comparisons"].as_array().unwrap();
    // Of four models; neighbours against the vote are the same with every seed.
    assert_eq!(pairs.len(), 5);
    assert_eq!(pairs.iter().filter(|pair| pair["against_own_softmax"] == true).count(), 1);
    let vote = &results["models"][3];
    assert_eq!(vote["details"]["members"], serde_json::json!(["net@1", "net@2"]));
    assert!(vote["details"]["total_fit_seconds"].as_f64().unwrap() > 0.0);

    // What does not depend on the seed is made once; one seed more makes only its own stages.
    project.run(&["run", "mine/seeds.toml", "--seeds", "1,2,3"]).ok();
    let more = project.results("seeds");
    // Network, features, machine and evaluation of seed 3, the vote, and the other evaluations of it.
    assert_eq!(n_ran(&more), 7);
    project.run(&["run", "mine/seeds.toml", "--seed", "2"]).ok();
    let one = project.results("seeds");
    assert_eq!(one.get("seeds"), None);
    assert_eq!(ids(&one["models"]), ["net", "svm", "knn", "vote"]);
}

#[test]
fn a_run_needs_neither_seeds_nor_the_architecture_file_again() {
    let project = project();
    project.run(&["run", "mine/seeds.toml"]).ok();
    let first = project.results("seeds");
    let resolved = std::fs::read_to_string(project.path("reports/seeds/latest/run.toml")).unwrap();
    project.write("again.toml", resolved);
    std::fs::remove_dir_all(project.path("mine")).unwrap();
    project.run(&["run", "./again.toml"]).ok();
    let again = project.results("seeds");
    assert_eq!(n_ran(&again), 0);
    for key in ["models", "summaries", "seed_comparisons", "seeds"] {
        assert_eq!(again[key], first[key], "{key}");
    }
}

#[test]
fn the_key_of_a_network_follows_the_text_of_its_architecture() {
    let project = project();
    let args = ["plan", "mine/seeds.toml", "--seed", "1"];
    project.run(&["run", "mine/seeds.toml", "--seed", "1"]).ok();
    project.write("mine/own.toml", OWN.replace("filters = 8", "filters = 9"));
    let plan = project.run(&args).ok().stdout();
    let net = plan.lines().find(|line| line.trim_start().starts_with("net ")).unwrap();
    assert!(net.contains("parameter `architecture` changed"), "{plan}");
}

#[test]
fn a_wrong_architecture_file_is_named_with_what_is_wrong() {
    let project = project();
    project.write("mine/own.toml", OWN.replace("filters = 8", "filters = 0"));
    project.run(&["plan", "mine/seeds.toml"]).fails(
        2,
        &["`architecture` of stage `net` (cnn), `mine/own.toml`", "filters", "mine/seeds.toml:14"],
    );
    std::fs::remove_file(project.path("mine/own.toml")).unwrap();
    project.run(&["plan", "mine/seeds.toml"]).fails(
        2,
        &["cannot read `own.toml`", "looked for in `mine/own.toml` and the working directory"],
    );
    // The working directory is the second place.
    project.write("own.toml", OWN);
    project.run(&["plan", "mine/seeds.toml"]).ok();
    project.run(&["plan", "mine/seeds.toml", "--set", "net.architecture=a33"]).fails(
        2,
        &["or the name of a file that ends in `.toml`, found `a33`", "did you mean `a3`?"],
    );
}

#[test]
fn changes_of_training_images_are_checked_with_the_file_and_shown() {
    let project = project();
    project
        .run(&["plan", "mine/seeds.toml", "--set", "net.augment.flpi=0.5"])
        .fails(2, &["unknown parameter `augment.flpi`", "did you mean `flip`?"]);
    project
        .run(&["plan", "mine/seeds.toml", "--set", "net.augment.flip=1.5"])
        .fails(2, &["`augment.flip`", "a number from 0 to 1, found `1.5`"]);
    let show = ["data", "show", "garments-small", "--augment", "crop=4,flip=0.5", "--out", "a.png"];
    project.run(&show).ok();
    let first = std::fs::read(project.path("a.png")).unwrap();
    project.run(&show).ok();
    assert_eq!(std::fs::read(project.path("a.png")).unwrap(), first);
    project.run(&[&show[..], &["--seed", "1"]].concat()).ok();
    assert_ne!(std::fs::read(project.path("a.png")).unwrap(), first);
    project
        .run(&["data", "show", "garments-small", "--augment", "crop=28"])
        .fails(1, &["a shift of 28 pixels leaves nothing"]);
    project.run(&["data", "show", "garments-small", "--augment", "crop"]).fails(2, &["KEY=VALUE"]);
}
