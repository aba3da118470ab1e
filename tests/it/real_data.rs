//! On the real Fashion-MNIST, where `PIPELINE_DATA` names its directory.

use crate::project::Project;

const PIPELINE: &str = r#"
name = "real"
seed = 42

[stage.data]
kind = "dataset"
name = "fashion-mnist"
validation = 0.1

[stage.net]
kind = "cnn"
inputs = { data = "data" }
architecture = "a3"
epochs = 1

[stage.penultimate]
kind = "features"
inputs = { network = "net", data = "data" }

[stage.svm]
kind = "svm"
inputs = { data = "penultimate" }
c = 1.0

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["net", "svm"] }
"#;

#[test]
fn all_sixty_thousand_images_go_through() {
    let Some(data) = std::env::var_os("PIPELINE_DATA") else {
        println!("skipped: PIPELINE_DATA names no directory with the Fashion-MNIST files");
        return;
    };
    let project = Project::empty();
    project.write("real.toml", PIPELINE);
    let output = project.command(&["run", "./real.toml"]).env("PIPELINE_DATA", data).output();
    crate::project::Run(output.unwrap()).ok();
    let results = project.results("real");
    let dataset = &results["dataset"];
    assert_eq!(dataset["synthetic"], false);
    let sizes = ["n_train", "n_validation", "n_test"].map(|key| dataset[key].as_u64().unwrap());
    assert_eq!(sizes, [54_000, 6_000, 10_000]);
    // One epoch in PyTorch gives 0.86 to 0.88 over seeds; far below means something is broken.
    for model in results["models"].as_array().unwrap() {
        let accuracy = model["accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.84, "{} reaches {accuracy}", model["id"]);
    }
}
