//! Own data through the binary: every form that is read, end to end.

use std::path::Path;

use image::{ExtendedColorType, ImageEncoder};

use crate::project::{Project, Run};

/// Names a data set that is not there: `--data` takes its place.
pub const PIPELINE: &str = r#"
name = "own"
seed = 7

[stage.data]
kind = "dataset"
name = "fashion-mnist"
validation = 0.1

[stage.knn]
kind = "knn"
title = "Nearest neighbours"
inputs = { data = "data" }
n_neighbors = 1

[stage.svm]
kind = "svm"
title = "SVM"
inputs = { data = "data" }
c = 10.0

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["knn", "svm"] }
"#;

/// The same with a network of one epoch, its features and HOG in front of it.
const NETWORK: &str = r#"
name = "own"
seed = 7

[stage.data]
kind = "dataset"
name = "fashion-mnist"
validation = 0.1

[stage.more]
kind = "augment"
inputs = { data = "data" }
copies = 1

[stage.net]
kind = "cnn"
inputs = { data = "more" }
architecture = "a3"
epochs = 1
batch_size = 16

[stage.penultimate]
kind = "features"
inputs = { network = "net", data = "data" }
layer = "penultimate"

[stage.svm]
kind = "svm"
inputs = { data = "penultimate" }

[stage.edges]
kind = "hog"
inputs = { data = "data" }
cells = [8]

[stage.knn]
kind = "knn"
inputs = { data = "edges" }

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["net", "svm", "knn"] }
"#;

/// Pixels of image `nth` of a class: a bar whose place and colour say the class, a little noise.
pub fn pixels(class: usize, nth: usize, side: usize, channels: usize) -> Vec<u8> {
    let mut made = Vec::with_capacity(side * side * channels);
    for row in 0..side {
        for column in 0..side {
            for channel in 0..channels {
                let noise = (nth * 31 + row * 17 + column * 7 + channel * 5) % 23;
                let is_bar = if class.is_multiple_of(2) { row } else { column } * 10 / side
                    == class / 2 % 10;
                let tint = 60 + (class / 20 * 97 + channel * 61) % 150;
                made.push(if is_bar { (tint + noise) as u8 } else { noise as u8 });
            }
        }
    }
    made
}

pub fn png(pixels: &[u8], width: usize, height: usize, color: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(pixels, width as u32, height as u32, color)
        .unwrap();
    bytes
}

/// `n_each` images a class under `place/CLASS/NTH.png`.
pub fn write_classes(
    project: &Project,
    place: &str,
    classes: &[String],
    n_each: std::ops::Range<usize>,
    side: usize,
    channels: usize,
) {
    let color = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    for (class, name) in classes.iter().enumerate() {
        for nth in n_each.clone() {
            let image = png(&pixels(class, nth, side, channels), side, side, color);
            project.write(&format!("{place}/{name}/{nth:03}.png"), image);
        }
    }
}

pub fn names(n: usize) -> Vec<String> {
    (0..n).map(|class| format!("kind {class:03}")).collect()
}

/// Runs `pipeline` on `data`.
pub fn run(project: &Project, pipeline: &str, data: &str, args: &[&str]) -> Run {
    project.write("own.toml", pipeline);
    project.run(&[&["run", "./own.toml", "--data", data], args].concat())
}

/// Accuracy of each model of the newest run, and its data set.
fn accuracies(project: &Project) -> (Vec<f64>, serde_json::Value) {
    let results = project.results("own");
    let models = results["models"].as_array().unwrap();
    let accuracies = models.iter().map(|model| model["accuracy"].as_f64().unwrap()).collect();
    let report = project.path("reports/own/latest/report.html");
    assert!(std::fs::metadata(report).unwrap().len() > 1000);
    (accuracies, results["dataset"].clone())
}

#[test]
fn colour_folders_of_three_ten_and_a_hundred_classes_run() {
    for (n_classes, n_each) in [(3, 12), (10, 8), (100, 5)] {
        let project = Project::empty();
        write_classes(&project, "images", &names(n_classes), 0..n_each, 32, 3);
        let done = run(&project, PIPELINE, "images", &["--json"]).ok();
        assert!(done.stderr().contains("taken as your own data"), "{}", done.stderr());
        let (accuracies, dataset) = accuracies(&project);
        assert_eq!(dataset["name"], "images");
        assert_eq!(dataset["class_names"].as_array().unwrap().len(), n_classes, "{dataset}");
        let n_test = dataset["n_test"].as_u64().unwrap() as usize;
        assert_eq!(n_test, (n_classes * n_each) as f64 as usize / 5);
        // Bars that no noise hides: what fails here reads other images than were written.
        assert!(accuracies.iter().all(|&accuracy| accuracy > 0.9), "{n_classes}: {accuracies:?}");
    }
}

#[test]
fn a_folder_with_train_validation_and_test_keeps_its_parts() {
    let project = Project::empty();
    let classes = names(3);
    write_classes(&project, "digits/train", &classes, 0..9, 28, 1);
    write_classes(&project, "digits/val", &classes, 20..22, 28, 1);
    write_classes(&project, "digits/test", &classes, 30..34, 28, 1);
    // What systems leave behind is no class and no image.
    project.write("digits/train/.DS_Store", "");
    project.write("digits/train/kind 000/Thumbs.db", "");
    project.write("digits/train/kind 000/notes.txt", "ignored");
    project.write("digits/__MACOSX/kind 000/001.png", "ignored");
    let done = run(&project, PIPELINE, "digits", &[]).ok();
    assert!(done.stderr().contains("1 files are left out"), "{}", done.stderr());
    let (_, dataset) = accuracies(&project);
    let counts = ["n_train", "n_validation", "n_test"].map(|key| dataset[key].as_u64().unwrap());
    assert_eq!(counts, [27, 6, 12]);
    assert_eq!(dataset["shape"]["channels"], 1);
}

#[test]
fn networks_features_hog_and_augmentation_take_colour_images() {
    let project = Project::empty();
    write_classes(&project, "images", &names(3), 0..16, 32, 3);
    run(&project, NETWORK, "images", &[]).ok();
    let (_, dataset) = accuracies(&project);
    assert_eq!(dataset["shape"], serde_json::json!({"height": 32, "width": 32, "channels": 3}));
}

/// A table with a line for each image, `cells` after the label.
fn csv(header: &str, classes: &[String], lines: impl Fn(usize, usize) -> String) -> String {
    let mut table = header.to_owned();
    for nth in 0..10 {
        for (class, name) in classes.iter().enumerate() {
            table.push_str(&format!("{name},{}\n", lines(class, nth)));
        }
    }
    table
}

fn cells(pixels: &[u8]) -> String {
    pixels.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn csv_of_pixels_runs_with_and_without_names_of_columns() {
    let classes = names(4);
    let header: Vec<String> = (0..64).map(|at| format!("pixel{at}")).collect();
    let header = format!("label,{}\n", header.join(","));
    let named = csv(&header, &classes, |class, nth| cells(&pixels(class, nth, 8, 1)));
    let numbers: Vec<String> = (0..4).map(|class| (10 * class).to_string()).collect();
    let bare = csv("", &numbers, |class, nth| cells(&pixels(class, nth, 8, 1)));
    for (table, first, last) in [(named, "kind 000", "kind 003"), (bare, "0", "30")] {
        let project = Project::empty();
        project.write("table.csv", table);
        run(&project, PIPELINE, "table.csv", &[]).ok();
        let (accuracies, dataset) = accuracies(&project);
        let names = dataset["class_names"].as_array().unwrap();
        assert_eq!((&names[0], &names[3]), (&first.into(), &last.into()), "{dataset}");
        assert_eq!(dataset["n_test"], 8);
        assert!(accuracies.iter().all(|&accuracy| accuracy > 0.9), "{accuracies:?}");
    }
}

#[test]
fn csv_of_paths_reads_the_images_beside_it() {
    let project = Project::empty();
    let classes = names(3);
    write_classes(&project, "data/images", &classes, 0..10, 16, 3);
    let table = csv("species,file,site\n", &classes, |class, nth| {
        format!("images/kind {class:03}/{nth:03}.png,north")
    });
    project.write("data/labels.csv", table);
    run(&project, PIPELINE, "data/labels.csv", &["--set", "data.label=species"]).ok();
    let (_, dataset) = accuracies(&project);
    assert_eq!(dataset["class_names"][2], "kind 002");
    let wrong = run(&project, PIPELINE, "data/labels.csv", &["--set", "data.label=sort"]);
    wrong.fails(1, &["no column `sort`", "species, file, site", "hint"]);
}

#[test]
fn a_cell_that_is_no_pixel_is_named() {
    let project = Project::empty();
    let classes = names(2);
    for (bad, fragments) in [("256", ["`b`", "found 256"]), ("-1", ["`b`", "found -1"])] {
        let table = csv("label,a,b,c,d\n", &classes, |class, nth| {
            format!("1,{},3,4", if (class, nth) == (1, 2) { bad } else { "2" })
        });
        project.write("table.csv", table);
        let failed = run(&project, PIPELINE, "table.csv", &[]).fails(1, &fragments);
        assert!(failed.stderr().contains("row 6"), "{}", failed.stderr());
    }
    project.write("table.csv", csv("label,a,b,c,d,e\n", &classes, |_, _| "1,2,3,4,5".to_owned()));
    run(&project, PIPELINE, "table.csv", &[]).fails(1, &["5 pixels a row", "no square image"]);
}

/// An array file of NumPy's format.
pub fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

/// A zip archive, deflated by hand: the crate's own writer needs features that the binary does not.
pub fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (name, bytes) in members {
        let start = archive.len() as u32;
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        let packed = encoder.finish().unwrap();
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length) = (archive.len() as u32, directory.len() as u32);
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([(members.len() as u16).to_le_bytes(); 2].concat());
    archive.extend(length.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

#[test]
fn npz_and_npy_in_keras_form_run() {
    let (side, n_classes) = (12, 3);
    let part = |n_each: std::ops::Range<usize>| {
        let mut images = Vec::new();
        let mut labels = Vec::new();
        for nth in n_each {
            for class in 0..n_classes {
                images.extend(pixels(class, nth, side, 1));
                labels.push(class as u8);
            }
        }
        (images, labels)
    };
    let (train, train_labels) = part(0..10);
    let (test, test_labels) = part(20..24);
    let shares: Vec<u8> =
        test.iter().flat_map(|&value| (f32::from(value) / 255.0).to_le_bytes()).collect();
    let wide: Vec<u8> =
        test_labels.iter().flat_map(|&label| i64::from(label).to_le_bytes()).collect();
    let arrays = [
        ("x_train.npy", npy("|u1", "(30, 12, 12)", &train)),
        ("y_train.npy", npy("|u1", "(30,)", &train_labels)),
        ("x_test.npy", npy("<f4", "(12, 12, 12, 1)", &shares)),
        ("y_test.npy", npy("<i8", "(12, 1)", &wide)),
    ];
    let project = Project::empty();
    project.write("set.npz", zip(&arrays));
    run(&project, PIPELINE, "set.npz", &[]).ok();
    let (packed, dataset) = accuracies(&project);
    assert_eq!(dataset["class_names"], serde_json::json!(["0", "1", "2"]));
    assert_eq!(dataset["n_test"], 12);
    assert!(packed.iter().all(|&accuracy| accuracy > 0.9), "{packed:?}");
    for (name, bytes) in &arrays {
        project.write(&format!("arrays/{name}"), bytes);
    }
    run(&project, PIPELINE, "arrays", &[]).ok();
    assert_eq!(accuracies(&project).0, packed);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_of_pixels_runs() {
    use polars::prelude::*;

    let project = Project::empty();
    let classes = names(4);
    let rows: Vec<(usize, Vec<u8>)> =
        (0..40).map(|at| (at % 4, pixels(at % 4, at / 4, 8, 1))).collect();
    let mut columns = vec![Column::new(
        "label".into(),
        rows.iter().map(|r| classes[r.0].as_str()).collect::<Vec<_>>(),
    )];
    for at in 0..64 {
        let values: Vec<u8> = rows.iter().map(|row| row.1[at]).collect();
        columns.push(Column::new(format!("pixel{at}").into(), values));
    }
    let file = std::fs::File::create(project.path("table.parquet")).unwrap();
    ParquetWriter::new(file).finish(&mut DataFrame::new(40, columns).unwrap()).unwrap();
    run(&project, PIPELINE, "table.parquet", &[]).ok();
    assert!(accuracies(&project).0.iter().all(|&accuracy| accuracy > 0.9));
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_without_its_feature_says_so() {
    let project = Project::empty();
    project.write("table.parquet", "PAR1");
    run(&project, PIPELINE, "table.parquet", &[]).fails(1, &["Parquet", "--features parquet"]);
}

#[test]
fn stages_prepare_images_and_any_number_of_threads_gives_the_same() {
    let prepared = PIPELINE
        .replace("inputs = { data = \"data\" }", "inputs = { data = \"small\" }")
        + r#"
[stage.light]
kind = "gray"
inputs = { data = "data" }

[stage.dark]
kind = "invert"
inputs = { data = "light" }

[stage.middle]
kind = "centre"
inputs = { data = "dark" }

[stage.small]
kind = "resize"
inputs = { data = "middle" }
size = [10, 14]
"#;
    let prepared = prepared.replace("{ data = \"data\", models", "{ data = \"small\", models");
    let digests = |threads: &str| {
        let project = Project::empty();
        write_classes(&project, "images", &names(3), 0..10, 20, 3);
        run(&project, &prepared, "images", &["--threads", threads]).ok();
        let results = project.results("own");
        let shape = serde_json::json!({"height": 10, "width": 14, "channels": 1});
        assert_eq!(results["dataset"]["shape"], shape);
        let stages = results["stages"].as_array().unwrap();
        stages.iter().map(|stage| stage["digest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(digests("1"), digests("3"));
}

#[test]
fn the_card_counts_classes_sizes_faults_and_duplicates() {
    let project = Project::empty();
    let classes = names(3);
    write_classes(&project, "set/train", &classes, 0..6, 10, 1);
    write_classes(&project, "set/test", &classes, 5..8, 10, 1);
    project.write("set/train/kind 001/large.png", png(&[9; 240], 12, 20, ExtendedColorType::L8));
    project.write("set/train/kind 002/broken.png", "no image");
    let shown = project.run(&["data", "show", "set", "--json", "--out", "sheet.png"]).ok();
    let card: serde_json::Value = serde_json::from_str(&shown.stdout()).unwrap();
    assert_eq!((&card["n_train"], &card["n_test"]), (&19.into(), &9.into()), "{card}");
    assert_eq!(card["duplicates"]["test_in_train"], 3, "{card}");
    assert_eq!(card["sizes"].as_array().unwrap().len(), 2, "{card}");
    assert_eq!(card["unreadable"].as_array().unwrap().len(), 1, "{card}");
    assert_eq!(card["classes"][1]["n_train"], 7, "{card}");
    assert!(Path::new(&project.path("sheet.png")).exists());
    let text = project.run(&["data", "show", "--data", "set"]).ok().stdout();
    assert!(text.contains("broken.png") && text.contains("data.size=[10,10]"), "{text}");
    // A run warns of the duplicates too.
    let args = ["--set", "data.size=[10,10]", "--set", "data.unreadable=skip"];
    let done = run(&project, PIPELINE, "set", &args).ok();
    let warnings = done.stderr();
    assert!(warnings.contains("3 of 9 test images are training images too"), "{warnings}");
    assert!(warnings.contains("broken.png"), "{warnings}");
}
