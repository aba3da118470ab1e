//! The commands of the README, as a reader would type them, on small data.

use std::process::Stdio;

use hybrid_pipeline::config::shipped;
use hybrid_pipeline::data::{self, Sources, png_bytes};
use hybrid_pipeline::progress::Silent;

use crate::project::Project;

/// Lines of the README's blocks that begin with `pipeline `, without what explains them.
fn commands(fence: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut found, mut inside) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(opened) = line.strip_prefix("```") {
            inside = if inside.is_none() { Some(opened) } else { None };
        } else if inside == Some(fence) && line.starts_with("pipeline ") {
            // An explanation stands behind several spaces.
            let command = line.split("   ").next().unwrap();
            let words = command.split_whitespace().skip(1);
            found.push(words.map(|word| word.trim_matches('"').to_owned()).collect());
        }
    }
    found
}

/// A folder of garments, a folder a class, and one more as a photograph.
fn pictures(project: &Project) {
    let data = data::load("garments-small", None, &Sources::default(), &Silent).unwrap().dataset;
    let png = |row: usize| png_bytes(&data.train.pixels.row(row).to_vec(), data.train.shape);
    for row in 0..240 {
        let class = data.class_names[data.train.labels[row]].replace('/', " ");
        project.write(&format!("my_images/{class}/{row}.png"), png(row).unwrap());
    }
    project.write("photo.png", png(300).unwrap());
}

#[test]
fn the_walk_from_a_folder_to_a_prediction_works_as_written() {
    let project = Project::empty();
    pictures(&project);
    let commands = commands("sh");
    assert!(commands.len() >= 10, "{commands:?}");
    for command in commands {
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words[0] {
            // As written but for the number of epochs.
            "run" => {
                words.extend(["--set", "a1.epochs=2", "--set", "a3.epochs=2"]);
                project.run(&words).ok();
            }
            // It goes on until it is ended.
            "serve" => {
                words.extend(["--port", "0"]);
                let child = project.command(&words).stderr(Stdio::piped()).spawn().unwrap();
                crate::serve::until_ready(child);
            }
            _ => {
                project.run(&words).ok();
            }
        }
    }
    for made in ["card.png", "why/index.html", "similar.png", "shared/model.onnx"] {
        assert!(project.path(made).is_file(), "{made}");
    }
}

/// Shipped pipelines are planned: their training takes minutes; `run.rs` runs every kind of stage.
#[test]
fn the_other_commands_are_taken_as_written() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    project.write("mine.toml", shipped::text("cnn_svm").unwrap());
    for command in commands("") {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let planned = |rest: &[&str]| {
            let all = [&["plan"], rest, &["--dataset", "garments-small"]].concat();
            project.run(&all).ok();
        };
        match words[..] {
            ["run" | "plan", ref rest @ ..] => planned(rest),
            // Minutes, and another interpreter.
            ["bench", ..] => {}
            ["model", "export", ..] => {
                project.run(&["model", "export", "small", "--model", "svm_pixels", "a.model"]).ok();
            }
            ["compare", _, ref rest @ ..] => {
                project.run(&[&["compare", "small"], rest].concat()).ok();
            }
            ["data", "show", ref rest @ ..] => {
                project.run(&[&["data", "show", "garments-small"], rest].concat()).ok();
            }
            // Needs the network.
            ["data", ..] => {}
            _ => {
                project.run(&words).ok();
            }
        }
    }
}
