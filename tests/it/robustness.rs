//! Models on changed images, and models applied outside their run.

use crate::project::Project;

const TWO_MODELS: &str = r#"
name = "two"

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.svm]
kind = "linear_svm"
inputs = { data = "data" }

[stage.knn]
kind = "knn"
inputs = { data = "data" }

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["svm", "knn"] }

[stage.robustness]
kind = "robustness"
inputs = { data = "data", models = ["svm", "knn"] }
n_images = 100
"#;

#[test]
fn every_model_is_judged_under_every_change_the_same_for_any_number_of_threads() {
    let results = ["1", "2"].map(|threads| {
        let project = Project::empty();
        project.write("two.toml", TWO_MODELS);
        project.run(&["run", "./two.toml", "--threads", threads]).ok();
        project.results("two")
    });
    let [one, two] = &results;
    assert_eq!(one["robustness"], two["robustness"]);
    let record = &one["robustness"][0];
    assert_eq!(record["n_images"], 100);
    for model in record["models"].as_array().unwrap() {
        let changes = model["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 11);
        let all = changes.iter().flat_map(|change| change["accuracies"].as_array().unwrap());
        let all: Vec<f64> = all.map(|accuracy| accuracy.as_f64().unwrap()).collect();
        let mean = all.iter().sum::<f64>() / 55.0;
        let told = model["mean_corruption_accuracy"].as_f64().unwrap();
        assert!((mean - told).abs() < 1e-12, "{mean} and {told}");
        let clean = model["clean_accuracy"].as_f64().unwrap();
        assert!(told < clean, "{model}: changed images are harder");
    }
}

#[test]
fn models_of_other_test_images_are_refused() {
    let project = Project::empty();
    let other =
        "[stage.part]\nkind = \"split\"\ninputs = { data = \"data\" }\n\n[stage.robustness]";
    let text = TWO_MODELS.replace("[stage.robustness]", other);
    let (head, tail) = text.split_at(text.find("[stage.robustness]").unwrap());
    let tail = tail.replace("data = \"data\"", "data = \"part\"");
    project.write("two.toml", format!("{head}{tail}"));
    project.run(&["run", "./two.toml"]).fails(1, &["`svm`", "`part`"]);
}
