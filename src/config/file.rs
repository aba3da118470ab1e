//! Values that stand in files of their own: read and checked with the pipeline file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::Problems;
use super::tree::{Node, Shape};

/// Keys of the table that takes the place of a file.
const KEYS: [&str; 2] = ["name", "layers"];

/// Whether a value names a file or holds one's text.
pub(super) fn is_file(node: &Node) -> bool {
    match &node.value {
        Shape::Text(text) => Path::new(text).extension().is_some_and(|ending| ending == "toml"),
        Shape::Table(entries) => {
            entries.len() == KEYS.len()
                && KEYS.iter().all(|key| node.get(key).is_some_and(|of| of.node.text().is_some()))
        }
        _ => false,
    }
}

/// The table that holds the text of a file; none if it cannot be read or is wrong (reported).
pub(super) fn read(
    check: fn(&str, &str) -> Result<(), String>,
    parameter: &str,
    subject: &str,
    node: &Node,
    problems: &mut Problems,
) -> Option<Value> {
    let given = |key: &str| node.get(key).and_then(|of| of.node.text()).map(str::to_owned);
    let (shown, name, text) = match (node.text(), given("name"), given("layers")) {
        (Some(file), ..) => {
            let (path, text) = find(Path::new(file), parameter, subject, node, problems)?;
            let name = path.file_stem().map_or(file.into(), |stem| stem.to_string_lossy());
            (path.display().to_string(), name.into_owned(), text)
        }
        (None, Some(name), Some(text)) => (name.clone(), name, text),
        _ => return None,
    };
    if let Err(why) = check(&name, &text) {
        let message = format!("`{parameter}` of {subject}, `{shown}`: {}", why.trim_end());
        problems.add(&node.origin, message, None);
        return None;
    }
    Some(json!({ "name": name, "layers": text }))
}

/// A file beside the pipeline file, or else in the working directory.
fn find(
    file: &Path,
    parameter: &str,
    subject: &str,
    node: &Node,
    problems: &mut Problems,
) -> Option<(PathBuf, String)> {
    let beside = problems.directory().join(file);
    let path = if beside.is_file() { beside.clone() } else { file.to_owned() };
    match std::fs::read_to_string(&path) {
        Ok(text) => Some((path, text)),
        Err(error) => {
            let message =
                format!("`{parameter}` of {subject}: cannot read `{}`: {error}", file.display());
            let places = match beside == file {
                true => "the working directory".to_owned(),
                false => format!("`{}` and the working directory", beside.display()),
            };
            problems.add(&node.origin, message, Some(format!("looked for in {places}")));
            None
        }
    }
}
