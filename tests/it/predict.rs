//! Models of a finished run applied to files.

use hybrid_pipeline::data::{self, Dataset, Sources, png_bytes};
use hybrid_pipeline::progress::Silent;
use serde_json::Value;

use crate::project::Project;

fn garments() -> Dataset {
    data::load("garments-small", None, &Sources::default(), &Silent).unwrap().dataset
}

/// Test images `rows` as PNG files in `pictures`, named by row and class.
fn write_pictures(project: &Project, data: &Dataset, rows: impl Iterator<Item = usize>) {
    for row in rows {
        let pixels = data.test.pixels.row(row).to_vec();
        let name = format!("pictures/{row:04}-{}.png", data.test.labels[row]);
        project.write(&name, png_bytes(&pixels, data.test.shape).unwrap());
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn files_of_the_test_images_are_labelled_as_the_run_labelled_them_by_every_kind_of_model() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    let data = garments();
    write_pictures(&project, &data, 0..data.test.len());
    let printed = project.run(&["predict", "small", "pictures", "--format", "jsonl"]).ok().stdout();
    let answers = lines(&printed);
    let results = project.results("small");
    let models = results["models"].as_array().unwrap();
    assert_eq!(answers.len(), models.len() * data.test.len());
    for model in models {
        let own = answers.iter().filter(|answer| answer["model"] == model["id"]);
        let mut confusion = vec![vec![0u64; 10]; 10];
        for answer in own {
            let name = answer["image"].as_str().unwrap();
            let truth: usize = name[name.len() - 5..name.len() - 4].parse().unwrap();
            confusion[truth][answer["label"].as_u64().unwrap() as usize] += 1;
            let scores = answer["scores"].as_object().unwrap();
            assert_eq!(scores.len(), 10);
            assert_eq!(scores[answer["class"].as_str().unwrap()], answer["score"]);
        }
        assert_eq!(serde_json::json!(confusion), model["confusion"], "{}", model["id"]);
    }
}

const ONE_MODEL: &str = r#"
name = "one"

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.tree]
kind = "decision_tree"
title = "A tree"
inputs = { data = "data" }
max_depth = 8

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["tree"] }
"#;

fn one_model() -> (Project, Dataset) {
    let project = Project::empty();
    project.write("one.toml", ONE_MODEL);
    project.run(&["run", "./one.toml"]).ok();
    let data = garments();
    write_pictures(&project, &data, 0..3);
    (project, data)
}

#[test]
fn tables_and_csv_name_class_score_and_runner_up() {
    let (project, data) = one_model();
    let table = project.run(&["predict", "one", "pictures"]).ok().stdout();
    assert_eq!(table.lines().count(), 3);
    assert!(table.contains(" %  ") && table.contains(".png  "), "{table}");
    assert!(!table.contains("A tree"), "one model needs no name:\n{table}");
    let csv = project.run(&["predict", "one", "pictures", "--format", "csv"]).ok().stdout();
    let mut rows = csv.lines();
    assert_eq!(
        rows.next(),
        Some("image,model,class,score,score_is,runner_up,runner_up_score"),
        "{csv}"
    );
    let first: Vec<&str> = rows.next().unwrap().split(',').collect();
    assert_eq!((first[1], first[4]), ("tree", "probability"));
    assert!(data.class_names.iter().any(|name| name == first[2]), "{csv}");
}

#[test]
fn images_that_cannot_be_read_are_named_and_the_others_labelled() {
    let (project, _) = one_model();
    project.write("pictures/0000-broken.png", b"\x89PNG\r\n\x1a\nno more");
    let run = project.run(&["predict", "one", "pictures", "--format", "jsonl"]);
    assert_eq!(lines(&run.stdout()).len(), 3);
    run.fails(1, &["0000-broken.png", "1 of 4 images"]);
    project.run(&["predict", "one", "nowhere.png"]).fails(1, &["nowhere.png"]);
    project.write("empty/notes.txt", "no image");
    project.run(&["predict", "one", "empty"]).fails(1, &["empty", ".png"]);
    project.run(&["predict", "one", "pictures", "--model", "tre"]).fails(2, &["`tre`", "`tree`"]);
    project.run(&["predict", "none", "pictures"]).fails(2, &["`none`"]);
}

#[test]
fn an_inverted_photograph_of_another_size_is_turned_back() {
    let (project, data) = one_model();
    let inverted: Vec<u8> = data.test.pixels.row(0).iter().map(|value| 255 - value).collect();
    let shape = data.test.shape;
    // Each pixel four times, in colour: as a photograph comes.
    let (height, width) = (shape.height, shape.width);
    let photograph: Vec<u8> = (0..2 * height)
        .flat_map(|y| (0..2 * width).map(move |x| (y / 2) * width + x / 2))
        .flat_map(|at| [inverted[at]; 3])
        .collect();
    let large = data::ImageShape { height: 2 * height, width: 2 * width, channels: 3 };
    project.write("photo.png", png_bytes(&photograph, large).unwrap());
    let answer = |args: &[&str]| {
        let printed = project.run(&[&["predict", "one", "--format", "jsonl"], args].concat()).ok();
        lines(&printed.stdout()).remove(0)
    };
    let name = format!("pictures/0000-{}.png", data.test.labels[0]);
    let (plain, turned) = (answer(&[&name]), answer(&["photo.png", "--invert"]));
    assert_eq!(plain["scores"], turned["scores"]);
    answer(&["photo.png", "--invert", "--centre"]);
}
