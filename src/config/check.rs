//! The located values against the stage kinds: header, parameters, inputs of each stage.

use serde_json::{Map, Value};

use super::error::{Origin, Problems};
use super::nearest::{hint, quoted};
use super::seeds::split_seed;
use super::tree::{Entry, Node, Shape};
use super::{Cell, DEFAULT_SEED, StageSpec, file, space, values};
use crate::stage::{Accepts, Field, InputSpec, Kind};

/// Keys of a stage that every kind has.
const STAGE_KEYS: [&str; 5] = ["kind", "title", "inputs", "reported", "cell"];

/// What stands above the stages.
pub(super) struct Header {
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) seed: u64,
}

/// A stage whose own text was checked; its links to other stages were not.
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) origin: Origin,
    pub(super) title: Option<String>,
    pub(super) reported: Option<f64>,
    pub(super) cell: Option<Cell>,
    /// `None` if unknown (reported).
    pub(super) kind: Option<&'static Kind>,
    pub(super) params: Map<String, Value>,
    pub(super) inputs: Vec<DraftInput>,
}

/// The stages that one input names.
pub(super) struct DraftInput {
    pub(super) spec: &'static InputSpec,
    pub(super) stages: Vec<(String, Origin)>,
}

impl Draft {
    /// `` stage `a1` (cnn) ``
    pub(super) fn describe(&self) -> String {
        describe(&self.id, self.kind)
    }

    /// The checked stage; `None` only if the kind is unknown.
    pub(super) fn build(self) -> Option<StageSpec> {
        let kind = self.kind?;
        let inputs = self.inputs.into_iter().map(|input| {
            (input.spec.name.to_owned(), input.stages.into_iter().map(|(id, _)| id).collect())
        });
        Some(StageSpec {
            inputs: inputs.collect(),
            stage: (kind.build)(&self.params),
            id: self.id,
            title: self.title,
            reported: self.reported,
            cell: self.cell,
            kind,
            params: self.params,
        })
    }
}

/// Copies of a stage are described alike: a mistake in them is one mistake.
fn describe(id: &str, kind: Option<&Kind>) -> String {
    let (id, _) = split_seed(id);
    match kind {
        Some(kind) => format!("stage `{id}` ({})", kind.name),
        None => format!("stage `{id}`"),
    }
}

/// Checks everything above the stages; `None` if the name is missing or wrong.
pub(super) fn header(root: &Node, problems: &mut Problems) -> Option<Header> {
    const KEYS: [&str; 7] = ["name", "title", "description", "seed", "seeds", "stage", "matrix"];
    let mut header =
        Header { name: String::new(), title: None, description: None, seed: DEFAULT_SEED };
    for entry in root.entries().unwrap_or_default() {
        match entry.key.as_str() {
            "name" => header.name = text(entry, problems).unwrap_or_default(),
            "title" => header.title = text(entry, problems),
            "description" => header.description = text(entry, problems),
            "seed" => match entry.node.value {
                Shape::Integer(seed) if u64::try_from(seed).is_ok() => header.seed = seed as u64,
                _ => {
                    let found = entry.node.describe();
                    let range = format!("a whole number from 0 to {}", u64::MAX);
                    let message = format!("`seed` must be {range}, found {found}");
                    problems.add(&entry.node.origin, message, None);
                }
            },
            "stage" => {}
            key => {
                problems.add(&entry.key_origin, format!("unknown key `{key}`"), hint(key, &KEYS));
            }
        }
    }
    match root.get("name") {
        None => {
            let hint = "write `name = \"my_pipeline\"` at the top".to_owned();
            problems.add(&Origin::File(0..0), "the pipeline has no `name`".to_owned(), Some(hint));
        }
        Some(entry) if !is_name(&header.name) => {
            if matches!(entry.node.value, Shape::Text(_)) {
                bad_name("pipeline name", &header.name, &entry.node.origin, problems);
            }
        }
        Some(_) => return Some(header),
    }
    None
}

/// Checks every stage by itself, in the order of the file.
pub(super) fn stages(
    root: &Node,
    kinds: &'static [&'static Kind],
    problems: &mut Problems,
) -> Vec<Draft> {
    let Some(table) = root.get("stage") else {
        let message = "the pipeline has no stages".to_owned();
        let hint = "declare one as `[stage.NAME]` with a `kind`".to_owned();
        problems.add(&Origin::File(0..0), message, Some(hint));
        return Vec::new();
    };
    let Some(entries) = table.node.entries() else {
        let message = format!("`stage` must be a table, found {}", table.node.describe());
        problems.add(&table.node.origin, message, Some("write `[stage.NAME]`".to_owned()));
        return Vec::new();
    };
    if entries.is_empty() {
        problems.add(&table.key_origin, "the pipeline has no stages".to_owned(), None);
    }
    entries.iter().map(|entry| stage(entry, kinds, problems)).collect()
}

fn stage(entry: &Entry, kinds: &'static [&'static Kind], problems: &mut Problems) -> Draft {
    let mut draft = Draft {
        id: entry.key.clone(),
        origin: entry.key_origin.clone(),
        title: None,
        reported: None,
        cell: None,
        kind: None,
        params: Map::new(),
        inputs: Vec::new(),
    };
    if !is_name(split_seed(&draft.id).0) {
        bad_name("stage name", &draft.id, &draft.origin, problems);
    }
    if entry.node.entries().is_none() {
        let found = entry.node.describe();
        let message = format!("stage `{}` must be a table, found {found}", draft.id);
        problems.add(&entry.node.origin, message, None);
        return draft;
    }
    draft.title = entry.node.get("title").and_then(|title| text(title, problems));
    draft.reported = entry.node.get("reported").and_then(|entry| share(entry, problems));
    draft.cell = entry.node.get("cell").and_then(|entry| cell(entry, problems));
    draft.kind = kind(&draft, &entry.node, kinds, problems);
    if let Some(kind) = draft.kind {
        draft.params = params(&draft, kind, &entry.node, problems);
        draft.inputs = inputs(&draft, kind, &entry.node, problems);
    }
    draft
}

fn kind(
    draft: &Draft,
    node: &Node,
    kinds: &'static [&'static Kind],
    problems: &mut Problems,
) -> Option<&'static Kind> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let Some(entry) = node.get("kind") else {
        let message = format!("stage `{}` has no `kind`", draft.id);
        let hint = format!("allowed: {}", quoted(names.iter().copied()));
        problems.add(&draft.origin, message, Some(hint));
        return None;
    };
    let name = text(entry, problems)?;
    let known = kinds.iter().copied().find(|kind| kind.name == name);
    if known.is_none() {
        let message = format!("unknown kind `{name}` of stage `{}`", draft.id);
        problems.add(&entry.node.origin, message, hint(&name, &names));
    }
    known
}

/// Reads the parameters in the order that the kind declares them.
fn params(
    draft: &Draft,
    kind: &'static Kind,
    node: &Node,
    problems: &mut Problems,
) -> Map<String, Value> {
    let subject = describe(&draft.id, Some(kind));
    let known: Vec<&str> = kind.fields.iter().map(|field| field.name).collect();
    for entry in node.entries().unwrap_or_default() {
        let key = entry.key.as_str();
        if !known.contains(&key) && !STAGE_KEYS.contains(&key) {
            let allowed: Vec<&str> = known.iter().chain(&STAGE_KEYS).copied().collect();
            unknown(entry, key, &subject, &allowed, problems);
        }
    }
    let mut read = Map::new();
    let mut wrong: Vec<&str> = Vec::new();
    for field in kind.fields {
        // A field whose condition hangs on a wrong value may be read or not: not missing then.
        let undecided = field.read_if.as_ref().is_some_and(|c| wrong.contains(&c.field));
        let is_read = !undecided && field.is_read(&read);
        let value = match (&field.accepts, node.get(field.name)) {
            (Accepts::Fixed { grid, defaults }, _) => {
                space::fixed(&subject, node, field, (*grid, defaults), &read, problems)
            }
            (Accepts::Grid { lists_only_if }, Some(entry)) => {
                space::grid(&subject, entry, lists_only_if, &read, problems)
            }
            (Accepts::Table(fields), Some(entry)) if entry.node.entries().is_some() => {
                table(fields, field.name, &subject, &entry.node, problems)
            }
            (Accepts::NameOrFile { check, .. }, Some(entry)) if file::is_file(&entry.node) => {
                file::read(*check, field.name, &subject, &entry.node, problems)
            }
            (_, Some(entry)) => checked(field, field.name, &subject, &entry.node, problems),
            (_, None) => {
                let default = default(field);
                if default.is_none() && is_read {
                    missing(field, field.name, &subject, &draft.origin, problems);
                }
                default
            }
        };
        match value {
            Some(value) if is_read => {
                read.insert(field.name.to_owned(), value);
            }
            Some(_) if !undecided => {}
            _ => wrong.push(field.name),
        }
    }
    read
}

/// The value of a parameter, called `path` in messages, in its one form.
pub(super) fn checked(
    field: &Field,
    path: &str,
    subject: &str,
    node: &Node,
    problems: &mut Problems,
) -> Option<Value> {
    values::check(&field.accepts, node)
        .map_err(|hint| {
            let allowed = values::allowed(&field.accepts);
            let found = node.describe();
            let message =
                format!("parameter `{path}` of {subject} must be {allowed}, found {found}");
            problems.add(&node.origin, message, hint);
        })
        .ok()
}

/// The values of a table that are not the defaults; `None` if any is wrong (reported).
pub(super) fn table(
    fields: &'static [Field],
    name: &str,
    subject: &str,
    node: &Node,
    problems: &mut Problems,
) -> Option<Value> {
    let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let mut is_right = true;
    for entry in node.entries().unwrap_or_default() {
        if !known.contains(&entry.key.as_str()) {
            unknown(entry, &format!("{name}.{}", entry.key), subject, &known, problems);
            is_right = false;
        }
    }
    let mut read = Map::new();
    for field in fields {
        let Some(entry) = node.get(field.name) else { continue };
        let path = format!("{name}.{}", field.name);
        match checked(field, &path, subject, &entry.node, problems) {
            Some(value) if Some(&value) != default(field).as_ref() => {
                read.insert(field.name.to_owned(), value);
            }
            Some(_) => {}
            None => is_right = false,
        }
    }
    is_right.then_some(Value::Object(read))
}

/// The default of a parameter in its one form.
pub(super) fn default(field: &Field) -> Option<Value> {
    field.default_value().map(|value| values::normal_form(&field.accepts, value))
}

pub(super) fn missing(
    field: &Field,
    path: &str,
    subject: &str,
    origin: &Origin,
    problems: &mut Problems,
) {
    let message = format!("{subject} has no `{path}`: {}", field.doc);
    problems.add(origin, message, Some(format!("give {}", values::allowed(&field.accepts))));
}

pub(super) fn unknown(
    entry: &Entry,
    path: &str,
    subject: &str,
    allowed: &[&str],
    problems: &mut Problems,
) {
    let message = format!("unknown parameter `{path}` of {subject}");
    problems.add(&entry.key_origin, message, hint(&entry.key, allowed));
}

fn inputs(
    draft: &Draft,
    kind: &'static Kind,
    node: &Node,
    problems: &mut Problems,
) -> Vec<DraftInput> {
    let subject = describe(&draft.id, Some(kind));
    let known: Vec<&str> = kind.inputs.iter().map(|spec| spec.name).collect();
    let table = node.get("inputs");
    let origin = table.map_or(&draft.origin, |entry| &entry.key_origin);
    let entries = match table {
        None => &[],
        Some(entry) => match entry.node.entries() {
            Some(entries) => entries,
            None => {
                let found = entry.node.describe();
                let message = format!("`inputs` of {subject} must be a table, found {found}");
                let hint = "write `inputs = { NAME = \"stage\" }`".to_owned();
                problems.add(&entry.node.origin, message, Some(hint));
                return Vec::new();
            }
        },
    };
    for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let message = format!("unknown input `{}` of {subject}", entry.key);
        let hint = hint(&entry.key, &known).or(Some("this kind has no inputs".to_owned()));
        problems.add(&entry.key_origin, message, hint);
    }
    let mut read = Vec::with_capacity(kind.inputs.len());
    for spec in kind.inputs {
        match entries.iter().find(|entry| entry.key == spec.name) {
            None if !spec.required => {}
            None => {
                let message = format!("{subject} has no input `{}`: {}", spec.name, spec.doc);
                let example = if spec.many { "[\"stage\", …]" } else { "\"stage\"" };
                let hint = format!("write `inputs = {{ {} = {example} }}`", spec.name);
                problems.add(origin, message, Some(hint));
            }
            Some(entry) => {
                let stages = input_stages(spec, entry, &subject, problems);
                read.push(DraftInput { spec, stages });
            }
        }
    }
    read
}

/// The stages that one input names, each once.
fn input_stages(
    spec: &InputSpec,
    entry: &Entry,
    subject: &str,
    problems: &mut Problems,
) -> Vec<(String, Origin)> {
    let wants = if spec.many { "a list of stage names" } else { "one stage name" };
    let mut wrong = |node: &Node, found: String, hint: Option<String>| {
        let message = format!("input `{}` of {subject} must be {wants}, found {found}", spec.name);
        problems.add(&node.origin, message, hint);
    };
    let node = &entry.node;
    let items = match (&node.value, spec.many) {
        (Shape::Text(_), false) => std::slice::from_ref(node),
        (Shape::List(items), true) if !items.is_empty() => items.as_slice(),
        (Shape::List(_), true) => {
            wrong(node, "an empty list".to_owned(), None);
            return Vec::new();
        }
        (Shape::Text(text), true) => {
            wrong(node, node.describe(), Some(format!("write `{} = [\"{text}\"]`", spec.name)));
            return Vec::new();
        }
        _ => {
            wrong(node, node.describe(), None);
            return Vec::new();
        }
    };
    let mut stages: Vec<(String, Origin)> = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Shape::Text(id) if stages.iter().any(|(named, _)| named == id) => {
                wrong(item, format!("`{id}` twice"), None);
            }
            Shape::Text(id) => stages.push((id.clone(), item.origin.clone())),
            _ => wrong(item, format!("{} in it", item.describe()), None),
        }
    }
    stages
}

fn text(entry: &Entry, problems: &mut Problems) -> Option<String> {
    match &entry.node.value {
        Shape::Text(text) => Some(text.clone()),
        _ => {
            let message = format!("`{}` must be text, found {}", entry.key, entry.node.describe());
            problems.add(&entry.node.origin, message, None);
            None
        }
    }
}

/// A published accuracy.
fn share(entry: &Entry, problems: &mut Problems) -> Option<f64> {
    let found = match entry.node.value {
        Shape::Float(found) => Some(found),
        Shape::Integer(found) => Some(found as f64),
        _ => None,
    };
    let found = found.filter(|found| (0.0..=1.0).contains(found));
    if found.is_none() {
        let message = format!(
            "`{}` must be an accuracy from 0 to 1, found {}",
            entry.key,
            entry.node.describe()
        );
        problems.add(&entry.node.origin, message, None);
    }
    found
}

fn cell(entry: &Entry, problems: &mut Problems) -> Option<Cell> {
    let text = |key: &str| entry.node.get(key)?.node.text().map(str::to_owned);
    let is_whole = entry.node.entries().is_some_and(|entries| entries.len() == 2);
    match (text("row"), text("column")) {
        (Some(row), Some(column)) if is_whole => Some(Cell { row, column }),
        _ => {
            let message = format!("`{}` must be `{{ row = \"…\", column = \"…\" }}`", entry.key);
            problems.add(&entry.node.origin, message, None);
            None
        }
    }
}

/// Names become file names and parts of arguments, so they are plain.
fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    !name.is_empty() && name.len() <= 100 && name.bytes().all(plain)
}

fn bad_name(what: &str, name: &str, origin: &Origin, problems: &mut Problems) {
    let message = format!("{what} `{name}` must be 1 to 100 of `a-z`, `0-9`, `_`, `-`");
    problems.add(origin, message, None);
}
