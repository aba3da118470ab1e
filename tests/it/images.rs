//! Stages that make data sets and features out of images, as a user runs them.

use serde_json::Value;

use crate::project::{Project, SMALL};

const PIPELINE: &str = r#"
name = "images"
seed = 7

[stage.data]
kind = "dataset"
name = "garments-small"
validation = 0.1

[stage.more]
kind = "augment"
inputs = { data = "data" }
copies = 2

[stage.split]
kind = "split"
title = "75/25"
inputs = { data = "data" }
test_size = 0.25

[stage.hog]
kind = "hog"
inputs = { data = "data" }

[stage.split_hog]
kind = "hog"
inputs = { data = "split" }
cells = [7]

[stage.on_pixels]
kind = "svm"
inputs = { data = "data" }
c = 10

[stage.on_more]
kind = "svm"
inputs = { data = "more" }
c = 10

[stage.on_hog]
kind = "svm"
inputs = { data = "hog" }
c = 10

[stage.on_split]
kind = "svm"
inputs = { data = "split_hog" }
c = 10

[stage.official]
kind = "evaluate"
inputs = { data = "data", models = ["on_pixels", "on_more", "on_hog"] }

[stage.other]
kind = "evaluate"
inputs = { data = "split", models = ["on_split"] }
"#;

fn project(text: &str) -> Project {
    let project = Project::empty();
    project.write("images.toml", text);
    project
}

fn model<'a>(results: &'a Value, id: &str) -> &'a Value {
    results["models"].as_array().unwrap().iter().find(|model| model["id"] == id).unwrap()
}

#[test]
fn features_copies_and_a_split_go_through_to_two_evaluations() {
    let project = project(PIPELINE);
    let run = project.run(&["run", "./images.toml"]).ok();
    assert!(run.stdout().contains("garments-small (SYNTHETIC), 75/25"), "{}", run.stdout());
    let results = project.results("images");
    let sizes = |dataset: &Value| {
        ["n_train", "n_validation", "n_test"].map(|key| dataset[key].as_u64().unwrap())
    };
    assert_eq!(sizes(&results["dataset"]), [1800, 200, 500]);
    let evaluations = results["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.len(), 2);
    assert_eq!(
        (&evaluations[1]["id"], &evaluations[1]["title"]),
        (&"other".into(), &"75/25".into())
    );
    let [n_train, n_validation, n_test] = sizes(&evaluations[1]["dataset"]);
    assert_eq!((n_train + n_validation, n_test), (1500, 500));
    assert_eq!(model(&results, "on_split")["evaluation"], "other");
    assert_eq!(model(&results, "on_hog")["n_features"], 1620);
    assert_eq!(model(&results, "on_hog")["input"], "hog 4+7");
    assert_eq!(model(&results, "on_hog")["family"], "classical");
    let n_support = |id: &str| model(&results, id)["details"]["n_support"].as_u64().unwrap();
    assert!(n_support("on_more") > n_support("on_pixels"), "copies were not fitted on");
    // Models are compared within an evaluation only.
    let pairs = results["comparisons"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    assert!(pairs.iter().all(|pair| pair["a"] != "on_split" && pair["b"] != "on_split"));
}

#[test]
fn a_model_of_a_split_is_not_judged_by_the_official_images() {
    let text = PIPELINE.replace("\"on_hog\"]", "\"on_hog\", \"on_split\"]");
    project(&text).run(&["run", "./images.toml"]).fails(
        1,
        &[
            "model `on_split` labelled other test images than those of `data`",
            "`evaluate` stage each",
        ],
    );
}

#[test]
fn a_network_trains_on_copies_and_keeps_its_validation_rows() {
    let text = SMALL.replace("[stage.net]", "[stage.more]\nkind = \"augment\"\ninputs = { data = \"data\" }\ncopies = 1\n\n[stage.net]")
        .replacen("inputs = { data = \"data\" }\narchitecture", "inputs = { data = \"more\" }\narchitecture", 1);
    let project = project(&text);
    project.run(&["run", "./images.toml"]).ok();
    assert!(model(&project.results("small"), "net")["accuracy"].as_f64().unwrap() > 0.2);
}

#[test]
fn any_number_of_threads_makes_equal_features_copies_and_splits() {
    let digests = |threads: &str| {
        let project = project(PIPELINE);
        project.run(&["run", "./images.toml", "--threads", threads]).ok();
        let results = project.results("images");
        let stages = results["stages"].as_array().unwrap();
        stages.iter().map(|stage| stage["digest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let one = digests("1");
    assert_eq!(one, digests("2"));
    assert_eq!(one, digests("3"));
}

#[test]
fn sizes_that_images_do_not_have_are_refused_with_both() {
    for (setting, fragments) in [
        ("hog.cells=[4, 20]", ["cells of 20 pixels", "at least 40 x 40 pixels, found 28 x 28"]),
        ("more.copies=18", ["18 copies", "make 17 different ones"]),
        ("more.shift=28", ["a shift of 28 pixels", "28 x 28 pixels"]),
        ("split.test_size=0.0001", ["a share of 0.0001 of 2000 rows", "no test image"]),
    ] {
        let run = project(PIPELINE).run(&["run", "./images.toml", "--set", setting]);
        run.fails(1, &fragments);
    }
    let run = project(PIPELINE).run(&["run", "./images.toml", "--set", "hog.cells=4"]);
    run.fails(2, &["`cells`", "a list of different whole numbers", "write `[4]`"]);
}
