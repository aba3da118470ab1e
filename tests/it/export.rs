//! Models that leave the program: one directory, tables of features and predictions.

use std::path::Path;

use hybrid_pipeline::data::{garments, png_bytes};
use hybrid_pipeline::export;
use hybrid_pipeline::progress::Silent;
use serde_json::Value;

use crate::project::{Project, read_json};

const TINY: &str = r#"
name = "tiny"

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.fewer]
kind = "subset"
inputs = { data = "data" }
n_samples = 120

[stage.components]
kind = "pca"
inputs = { data = "fewer" }
n_components = 6

[stage.logistic]
kind = "logistic"
title = "Logistic, on components"
inputs = { data = "components" }

[stage.hog]
kind = "hog"
inputs = { data = "fewer" }

[stage.on_hog]
kind = "gaussian_nb"
title = "Naive Bayes on HOG"
inputs = { data = "hog" }

[stage.evaluation]
kind = "evaluate"
inputs = { data = "fewer", models = ["logistic", "on_hog"] }
"#;

fn finished() -> Project {
    let project = Project::empty();
    project.write("tiny.toml", TINY);
    project.run(&["run", "./tiny.toml"]).ok();
    project
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Header and values of a `.npy` file.
fn npy(path: &Path) -> (String, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let n_header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + n_header) % 64, 0);
    let header = String::from_utf8(bytes[10..10 + n_header].to_vec()).unwrap();
    (header, bytes[10 + n_header..].to_vec())
}

#[test]
fn a_package_says_what_it_is_and_predicts_what_the_run_predicted() {
    let project = finished();
    project.run(&["export", "tiny", "--model", "logistic"]).ok();
    let dir = project.path("logistic");
    assert_eq!(names(&dir), ["labels.txt", "manifest.json", "model.onnx", "model.safetensors"]);

    let document = read_json(&dir.join("manifest.json"));
    assert_eq!(document["schema"], 1);
    assert_eq!(document["model"]["title"], "Logistic, on components");
    let results = project.results("tiny");
    let model = &results["models"][0];
    assert_eq!(document["model"]["accuracy"], model["accuracy"]);
    assert_eq!(document["model"]["accuracy_ci95"], model["accuracy_ci95"]);
    assert_eq!(document["onnx"]["opset"]["ai.onnx"], 17);
    assert_eq!(document["onnx"]["inputs"][0]["shape"], serde_json::json!(["n", 28, 28, 1]));
    for file in document["files"].as_array().unwrap() {
        let content = std::fs::read(dir.join(file["name"].as_str().unwrap())).unwrap();
        assert_eq!(file["bytes"], content.len());
        assert_eq!(file["blake3"], blake3::hash(&content).to_hex().to_string());
    }
    let labels = std::fs::read_to_string(dir.join("labels.txt")).unwrap();
    assert_eq!(labels.lines().count(), 10);

    // The package alone gives the labels of the run's table.
    project.run(&["export", "tiny", "--model", "logistic", "--predictions", "all.csv"]).ok();
    let table = std::fs::read_to_string(project.path("all.csv")).unwrap();
    let labels: Vec<usize> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(3).unwrap().parse().unwrap())
        .collect();
    let (manifest, read) = export::read(&dir).unwrap();
    assert_eq!(manifest.model.id, "logistic");
    let images = garments::generate(2_000, 500, garments::SEED).test;
    let predicted = read.predict(images.pixels.view(), &Silent).unwrap();
    assert_eq!(predicted.to_vec(), labels);

    // So does the command that labels files.
    project.write("shoe.png", png_bytes(&images.pixels.row(0).to_vec(), images.shape).unwrap());
    let answer = |run: &str| {
        let args = ["predict", run, "shoe.png", "--format", "jsonl", "--model", "logistic"];
        project.run(&args).ok().stdout()
    };
    assert_eq!(answer("./logistic"), answer("tiny"));
    let args = ["predict", "./logistic", "shoe.png", "--model", "on_hog"];
    project.run(&args).fails(2, &["holds no model `on_hog`", "its model is `logistic`"]);
}

#[test]
fn tables_hold_a_row_an_image_of_the_split() {
    let project = finished();
    let tables = ["--features", "f.npy", "--predictions", "p.npy", "--split", "train"];
    let args = [&["export", "tiny", "--model", "logistic"][..], &tables].concat();
    project.run(&args).ok();
    assert!(!project.path("logistic").exists(), "tables alone were asked for");
    let (header, values) = npy(&project.path("f.npy"));
    assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (120, 6), }"));
    assert_eq!(values.len(), 120 * 6 * 4);
    let (header, values) = npy(&project.path("p.npy"));
    let kind = "[('truth', '<i8'), ('label', '<i8'), ('scores', '<f4', (10,))]";
    assert!(header.contains(kind) && header.contains("'shape': (120,)"), "{header}");
    assert_eq!(values.len(), 120 * (8 + 8 + 40));

    let args = ["export", "tiny", "--model", "logistic", "--features", "f.csv"];
    project.run(&args).ok();
    let text = std::fs::read_to_string(project.path("f.csv")).unwrap();
    assert!(text.starts_with("f0,f1,f2,f3,f4,f5\n"));
}

#[test]
fn what_cannot_be_exported_is_refused_and_leaves_nothing() {
    let project = finished();
    let export = |args: &[&str]| project.run(&[&["export", "tiny"], args].concat());
    let native = ["HOG cannot be written as ONNX", "--format native"];
    export(&["--model", "on_hog"]).fails(1, &native);
    assert!(!project.path("on_hog").exists());
    export(&["--model", "on_hog", "--format", "native"]).ok();
    let document = read_json(&project.path("on_hog/manifest.json"));
    assert_eq!(document["onnx"], Value::Null);
    export(&["--model", "on_hog", "--format", "native"]).fails(1, &["`on_hog` exists already"]);
    export(&["--model", "logistc"]).fails(2, &["no model `logistc`", "did you mean `logistic`?"]);
    export(&["--model", "logistic", "--features", "f.txt"]).fails(2, &["`.npy` or `.csv`"]);
}

#[test]
fn a_damaged_package_is_not_read() {
    let project = finished();
    project.run(&["export", "tiny", "--model", "logistic", "--out", "deep/er"]).ok();
    let dir = project.path("deep/er");
    let path = dir.join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = export::read(&dir).err().unwrap().to_string();
    assert!(error.contains("its manifest says"), "{error}");
    project.write("deep/er/manifest.json", "{}");
    let error = export::read(&dir).err().unwrap().to_string();
    assert!(error.contains("is no manifest of an exported model"), "{error}");
}
