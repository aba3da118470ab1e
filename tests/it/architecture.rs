//! Arrows between the rooms point down only, as ARCHITECTURE.md draws them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may use.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "engine", "bench", "config", "cache", "serve", "stage", "explain", "model", "learn",
            "report", "metrics", "data", "kernels", "nearest", "progress",
        ],
    ),
    ("engine", &["config", "cache", "stage", "data", "meter", "nearest", "progress"]),
    ("bench", &["stage", "learn", "nn", "report", "metrics", "data", "meter", "progress"]),
    ("config", &["stage", "nearest"]),
    ("cache", &["stage", "nearest", "progress"]),
    (
        "stage",
        &["explain", "model", "learn", "nn", "data", "metrics", "report", "nearest", "progress"],
    ),
    ("explain", &["model", "learn", "nn", "report", "data", "progress"]),
    ("serve", &["explain", "model", "learn", "data", "progress"]),
    ("model", &["learn", "nn", "data", "progress"]),
    ("report", &["metrics", "data", "nearest"]),
    ("learn", &["data", "kernels", "metrics", "nearest", "progress"]),
    ("nn", &["data", "kernels", "metrics", "nearest", "progress"]),
    ("data", &["kernels", "nearest", "progress"]),
    ("meter", &[]),
    ("metrics", &[]),
    ("kernels", &[]),
    ("nearest", &[]),
    ("progress", &[]),
];

/// Libraries that live in one room alone.
const HOMES: &[(&str, &[&str])] = &[
    ("candle_core", &["nn"]),
    ("linfa", &["learn", "stage"]),
    ("linfa_bayes", &["learn"]),
    ("linfa_clustering", &["learn"]),
    ("linfa_logistic", &["learn"]),
    ("linfa_nn", &["learn"]),
    ("linfa_reduction", &["learn"]),
    ("linfa_svm", &["learn"]),
    ("linfa_trees", &["learn"]),
    ("axum", &["serve"]),
    ("tokio", &["serve"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("polars", &["report", "data"]),
    ("toml", &["config", "nn"]),
    ("gemm", &["kernels"]),
    ("faer", &["learn"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with the room it is in.
fn files_by_room() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let within = path.strip_prefix(&src).unwrap().to_path_buf();
            let first = within.components().next()?.as_os_str().to_str()?;
            let room = first.strip_suffix(".rs").unwrap_or(first).to_owned();
            // Tests may reach anywhere.
            if within.ends_with("tests.rs") || within.components().any(|c| c.as_os_str() == "tests")
            {
                return None;
            }
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
            (room != "lib" && room != "main").then_some((room, within, text))
        })
        .collect()
}

/// First path segments behind `crate::` in code lines, also inside `use crate::{…}`.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let before = line[..at].chars().last();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &line[at + "crate::".len()..];
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(!rest.starts_with('{'), "write one `use crate::ROOM` a line: {line}");
            used.insert(name);
        }
    }
    used
}

#[test]
fn arrows_between_rooms_point_down() {
    let mut wrong = Vec::new();
    for (room, path, text) in files_by_room() {
        let allowed = ARROWS
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("room `{room}` is not in the map"))
            .1;
        for used in rooms_used(&text) {
            if used != room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: `{room}` may not use `{used}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (room, path, text) in files_by_room() {
        for (library, homes) in HOMES {
            let used = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//")
                    && (line.starts_with(&format!("use {library}::"))
                        || line.contains(&format!(" {library}::"))
                        || line.contains(&format!("({library}::")))
            });
            if used && !homes.contains(&room.as_str()) {
                wrong.push(format!("{}: `{library}` belongs in {homes:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_arrow_would_be_seen() {
    let used = rooms_used("use crate::cli::Args;\n// crate::engine\nlet x = crate::data::load();");
    assert_eq!(used.into_iter().collect::<Vec<_>>(), ["cli", "data"]);
}
