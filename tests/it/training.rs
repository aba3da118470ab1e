//! Training a network by the binary: transfer, records, and what is refused.

use crate::project::Project;

const USAGE: i32 = 2;
const FAILED: i32 = 1;

const NET: &str = r#"
name = "nets"
[stage.data]
kind = "dataset"
name = "garments-small"
validation = 0.1
[stage.net]
kind = "cnn"
inputs = { data = "data" }
architecture = "a3"
epochs = 2
schedule = "one_cycle"
ema_decay = 0.9
[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["net"] }
"#;

/// Another data set, and a network that begins with the weights of `net`.
const TUNED: &str = r#"
[stage.other]
kind = "dataset"
name = "idx"
[stage.tuned]
kind = "cnn"
inputs = { data = "other", init_from = "net" }
architecture = "a3"
epochs = 3
batch_size = 10
freeze = "all_but_last"
[stage.tuned_evaluation]
kind = "evaluate"
inputs = { data = "other", models = ["tuned"] }
"#;

/// A project with both, and IDX files of two classes of square images of `side` pixels: dark, bright.
fn project(side: u32, text: &str) -> Project {
    let project = Project::empty();
    project.write("nets.toml", format!("{NET}{text}"));
    for (part, n) in [("train", 40), ("t10k", 20u32)] {
        let mut images = vec![0, 0, 8, 3];
        [n, side, side].iter().for_each(|size| images.extend(size.to_be_bytes()));
        images.extend((0..n * side * side).map(|at| {
            let noise = (at * 37 % 97) as u8;
            if (at / (side * side)).is_multiple_of(2) { noise } else { 150 + noise }
        }));
        project.write(&format!("data/{part}-images-idx3-ubyte"), images);
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(n.to_be_bytes());
        labels.extend((0..n).map(|at| (at % 2) as u8));
        project.write(&format!("data/{part}-labels-idx1-ubyte"), labels);
    }
    project
}

const RUN: [&str; 4] = ["run", "./nets.toml", "--data", "data"];

#[test]
fn a_network_is_carried_over_to_other_classes_and_leaves_event_files() {
    let project = project(28, TUNED);
    project.run(&RUN).ok();
    let results = project.results("nets");
    let tuned = &results["models"][1];
    assert_eq!(tuned["id"], "tuned");
    assert_eq!(tuned["confusion"].as_array().unwrap().len(), 2);
    for (network, n_epochs) in [("net", 2), ("tuned", 3)] {
        let dir = project.path("reports/nets/latest/tensorboard").join(network);
        let files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let bytes = std::fs::read(&files[0]).unwrap();
        let n_rates = bytes.windows(13).filter(|part| *part == b"learning_rate").count();
        assert_eq!(n_rates, n_epochs, "{network}");
    }
    // The weights of `net` are part of the key of `tuned`.
    let plan =
        |set: &str| project.run(&["plan", "./nets.toml", "--data", "data", "--set", set]).ok();
    let text = plan("net.ema_decay=0.8").stdout();
    assert!(text.lines().any(|line| line.contains("tuned") && !line.contains("cached")), "{text}");
}

#[test]
fn a_network_that_does_not_fit_is_refused_by_its_layer() {
    let other = TUNED.replace("architecture = \"a3\"", "architecture = \"a1\"");
    let fragments = ["`conv_1.weight` is of shape [3, 3, 1, 32]", "of shape [4, 4, 1, 32]", "hint"];
    project(28, &other).run(&RUN).fails(FAILED, &fragments);
    // Half the side: the convolution fits, the dense layer does not.
    let fragments = ["`dense_1.weight`", "the same architecture and image shape"];
    project(14, TUNED).run(&RUN).fails(FAILED, &fragments);
}

#[test]
fn features_of_images_of_another_shape_are_refused() {
    let features = r#"
[stage.other]
kind = "dataset"
name = "idx"
[stage.penultimate]
kind = "features"
inputs = { network = "net", data = "other" }
[stage.knn]
kind = "knn"
inputs = { data = "penultimate" }
[stage.other_evaluation]
kind = "evaluate"
inputs = { data = "other", models = ["knn"] }
"#;
    project(14, features).run(&RUN).fails(
        FAILED,
        &["images of 14x14 pixels in 1 channels", "the network was trained for 28x28 pixels"],
    );
}

#[test]
fn settings_that_cannot_train_are_refused_before_training() {
    let project = project(28, "");
    for (set, code, fragments) in [
        ("learning_rate=0", USAGE, &["`learning_rate`", "above 0"][..]),
        ("learning_rate=-1", USAGE, &["`learning_rate`", "above 0"]),
        ("label_smoothing=1", USAGE, &["`label_smoothing`"]),
        ("freeze=all_but_lst", USAGE, &["`freeze`", "did you mean `all_but_last`?"]),
        ("warmup_epochs=2", FAILED, &["`warmup_epochs` is 2, must be below `epochs`"]),
        ("batch_size=65000", FAILED, &["`batch_size` is 65000", "training images", "at most"]),
    ] {
        let set = format!("net.{set}");
        project.run(&["run", "./nets.toml", "--set", &set]).fails(code, fragments);
    }
}

#[test]
fn frozen_layers_are_named_in_a_list() {
    let run = |layers: &str| {
        let text = NET.replace("epochs = 2", &format!("epochs = 1\nfreeze = {layers}"));
        let project = Project::empty();
        project.write("nets.toml", text);
        project.run(&["run", "./nets.toml"])
    };
    run("[\"conv_1\"]").ok();
    run("[\"conv_2\"]").fails(FAILED, &["has no layer `conv_2`", "did you mean `conv_1`?"]);
    run("[\"conv_1\", \"conv_1\"]").fails(USAGE, &["`freeze`", "stands twice"]);
    run("[1]").fails(USAGE, &["`freeze`", "a list of texts"]);
}
