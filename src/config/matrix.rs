//! `[matrix.NAME]`: several learners on several inputs, written once.
//!
//! ```toml
//! [matrix.methods]
//! data = { pixels = "data", CNN = "a3_penultimate" }   # or a list of stages
//!
//! [matrix.methods.stage.knn]
//! kind = "knn"
//! title = "kNN"
//!
//! [matrix.methods.stage.qda]
//! kind = "discriminant"
//! except = ["pixels"]
//! ```
//!
//! makes the stages `knn_pixels`, `knn_cnn` and `qda_cnn`, titled "kNN on pixels" and so on. Their
//! input `data` is filled in. Where an input takes a list of stages, `methods` stands for all three and
//! `knn` for the first two; `--set knn.KEY=VALUE` changes both.

use super::error::{Origin, Problems};
use super::nearest::hint;
use super::tree::{Entry, Node, Shape};

/// Names that stand for several stages, in the order of the file.
#[derive(Default)]
pub(super) struct Groups(Vec<(String, Vec<String>)>);

impl Groups {
    /// Lets a name stand for stages.
    pub(super) fn push(&mut self, name: String, stages: Vec<String>) {
        self.0.push((name, stages));
    }

    /// The stages that a name stands for.
    pub(super) fn members(&self, name: &str) -> Option<&[String]> {
        self.0.iter().find(|(group, _)| group == name).map(|(_, stages)| stages.as_slice())
    }
}

/// One input of a matrix: the end of the stage names, and the stage that fills it.
struct Column<'a> {
    tag: &'a str,
    stage: &'a Node,
}

/// Replaces the matrices of a file by the stages that they stand for.
pub(super) fn expand(root: &mut Node, problems: &mut Problems) -> Groups {
    let mut groups = Groups::default();
    let Some(matrices) = root.take("matrix") else { return groups };
    let Some(entries) = matrices.node.entries() else {
        let message = format!("`matrix` must be a table, found {}", matrices.node.describe());
        problems.add(&matrices.node.origin, message, Some("write `[matrix.NAME]`".to_owned()));
        return groups;
    };
    let mut made = Vec::new();
    for matrix in entries {
        let n_before = made.len();
        one(matrix, &mut made, &mut groups, problems);
        let all = made[n_before..].iter().map(|stage: &Entry| stage.key.clone()).collect();
        groups.0.push((matrix.key.clone(), all));
    }
    add(root, made, &matrices.key_origin, &groups, problems);
    groups
}

fn one(matrix: &Entry, made: &mut Vec<Entry>, groups: &mut Groups, problems: &mut Problems) {
    const KEYS: [&str; 2] = ["data", "stage"];
    let name = &matrix.key;
    for entry in matrix.node.entries().unwrap_or_default() {
        if !KEYS.contains(&entry.key.as_str()) {
            let message = format!("unknown key `{}` of matrix `{name}`", entry.key);
            problems.add(&entry.key_origin, message, hint(&entry.key, &KEYS));
        }
    }
    let columns = columns(matrix, problems);
    let templates = matrix.node.get("stage").and_then(|stages| stages.node.entries());
    let Some(templates) = templates.filter(|templates| !templates.is_empty()) else {
        let message = format!("matrix `{name}` has no stages");
        let hint = format!("declare one as `[matrix.{name}.stage.NAME]` with a `kind`");
        problems.add(&matrix.key_origin, message, Some(hint));
        return;
    };
    for template in templates {
        let excepted = excepted(template, &columns, problems);
        let wanted = columns.iter().filter(|column| !excepted.contains(&column.tag));
        let stages: Vec<Entry> = wanted.map(|column| stage(template, column)).collect();
        if stages.is_empty() && !columns.is_empty() {
            let message =
                format!("stage `{}` of matrix `{name}` excepts every input", template.key);
            problems.add(&template.key_origin, message, None);
        }
        groups
            .0
            .push((template.key.clone(), stages.iter().map(|stage| stage.key.clone()).collect()));
        made.extend(stages);
    }
}

/// `data = { TAG = "stage", … }` or `data = ["stage", …]`.
fn columns<'a>(matrix: &'a Entry, problems: &mut Problems) -> Vec<Column<'a>> {
    let name = &matrix.key;
    let Some(data) = matrix.node.get("data") else {
        let message = format!("matrix `{name}` has no `data`: the inputs that each stage reads");
        let hint = "write `data = { pixels = \"data\", … }`".to_owned();
        problems.add(&matrix.key_origin, message, Some(hint));
        return Vec::new();
    };
    let pairs: Vec<(&'a str, &'a Node)> = match &data.node.value {
        Shape::Table(entries) => {
            entries.iter().map(|entry| (entry.key.as_str(), &entry.node)).collect()
        }
        Shape::List(items) => items
            .iter()
            .map(|item| match &item.value {
                Shape::Text(stage) => (stage.as_str(), item),
                _ => ("", item),
            })
            .collect(),
        _ => Vec::new(),
    };
    if pairs.is_empty() {
        let message = format!(
            "`data` of matrix `{name}` must be a table or a list of stages, found {}",
            data.node.describe()
        );
        problems.add(&data.node.origin, message, None);
    }
    let mut columns: Vec<Column> = Vec::with_capacity(pairs.len());
    for (tag, stage) in pairs {
        let message = match &stage.value {
            Shape::Text(_) if columns.iter().any(|column| column.tag == tag) => {
                format!("`data` of matrix `{name}` has `{tag}` twice")
            }
            Shape::Text(_) => {
                columns.push(Column { tag, stage });
                continue;
            }
            _ => format!(
                "`data` of matrix `{name}` must name stages, found {} in it",
                stage.describe()
            ),
        };
        problems.add(&stage.origin, message, None);
    }
    columns
}

/// Inputs that a stage is not wanted on.
fn excepted<'a>(template: &'a Entry, columns: &[Column], problems: &mut Problems) -> Vec<&'a str> {
    let Some(except) = template.node.get("except") else { return Vec::new() };
    let tags: Vec<&str> = columns.iter().map(|column| column.tag).collect();
    let Shape::List(items) = &except.node.value else {
        let message = format!(
            "`except` of stage `{}` must be a list of inputs, found {}",
            template.key,
            except.node.describe()
        );
        problems.add(&except.node.origin, message, hint("", &tags));
        return Vec::new();
    };
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Shape::Text(tag) if tags.contains(&tag.as_str()) => found.push(tag.as_str()),
            _ => {
                let message = format!(
                    "`except` of stage `{}` names the unknown input {}",
                    template.key,
                    item.describe()
                );
                problems.add(&item.origin, message, hint(item.text().unwrap_or(""), &tags));
            }
        }
    }
    found
}

/// The stage of a template on one input.
fn stage(template: &Entry, column: &Column) -> Entry {
    let mut node = template.node.clone();
    node.take("except");
    let origin = column.stage.origin.clone();
    if node.get("inputs").is_none() {
        node.set("inputs", Node { value: Shape::Table(Vec::new()), origin });
    }
    if let Some(inputs) = node.get_mut("inputs") {
        inputs.set("data", column.stage.clone());
    }
    let text = |text: &str| Node {
        value: Shape::Text(text.to_owned()),
        origin: template.key_origin.clone(),
    };
    let tag = column.tag.replace('_', " ");
    let title = node.get("title").and_then(|title| title.node.text());
    let row = text(title.unwrap_or(&template.key));
    if let Some(Node { value: Shape::Text(title), .. }) = node.get_mut("title") {
        *title = format!("{title} on {tag}");
    }
    node.set("cell", text(""));
    if let Some(cell) = node.get_mut("cell") {
        cell.value = Shape::Table(Vec::new());
        cell.set("row", row);
        cell.set("column", text(&tag));
    }
    Entry {
        key: format!("{}_{}", template.key, column.tag.to_lowercase()),
        key_origin: template.key_origin.clone(),
        node,
    }
}

/// Adds the stages made to those of the file, and puts stages for names of groups.
fn add(
    root: &mut Node,
    made: Vec<Entry>,
    origin: &Origin,
    groups: &Groups,
    problems: &mut Problems,
) {
    if root.get("stage").is_none() {
        root.set("stage", Node { value: Shape::Table(Vec::new()), origin: origin.clone() });
    }
    let Some(Node { value: Shape::Table(stages), .. }) = root.get_mut("stage") else { return };
    for stage in made {
        if stages.iter().any(|other| other.key == stage.key) {
            let message = format!("a matrix makes the stage `{}`, which is there", stage.key);
            problems.add(&stage.key_origin, message, Some("rename one of them".to_owned()));
        } else {
            stages.push(stage);
        }
    }
    for (nth, (group, _)) in groups.0.iter().enumerate() {
        let is_stage = stages.iter().any(|stage| stage.key == *group);
        if is_stage || groups.0[..nth].iter().any(|(other, _)| other == group) {
            let message = format!("`{group}` names two things: stages of a matrix and another");
            problems.add(origin, message, Some("rename one of them".to_owned()));
        }
    }
    for stage in stages {
        let Some(Node { value: Shape::Table(inputs), .. }) = stage.node.get_mut("inputs") else {
            continue;
        };
        for input in inputs {
            if let Shape::List(items) = &mut input.node.value {
                *items = items.drain(..).flat_map(|item| replace(item, groups)).collect();
            }
        }
    }
}

/// The stages that an item of a list stands for.
fn replace(item: Node, groups: &Groups) -> Vec<Node> {
    match item.text().and_then(|name| groups.members(name)) {
        Some(members) => members
            .iter()
            .map(|id| Node { value: Shape::Text(id.clone()), origin: item.origin.clone() })
            .collect(),
        None => vec![item],
    }
}
