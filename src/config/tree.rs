//! TOML text to values that remember where they were written.

use toml::de::{DeTable, DeValue};

use super::error::{Origin, Problems};

/// A value and its place.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Shape,
    pub(super) origin: Origin,
}

/// A value as TOML knows it.
#[derive(Clone)]
pub(super) enum Shape {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// A date, or a number beyond any type of ours; as written.
    Other(String),
}

/// One `key = value`.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_origin: Origin,
    pub(super) node: Node,
}

/// Parses a whole file; mistakes of syntax are all reported, and then there is no tree.
pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let origin = Origin::File(error.span().unwrap_or(0..0));
        problems.add(&origin, format!("not valid TOML: {}", one_line(error.message())), None);
    }
    let locate = |span| Origin::File(span);
    errors.is_empty().then(|| Node {
        origin: Origin::File(0..0),
        value: Shape::Table(entries(root.get_ref(), &locate)),
    })
}

/// Parses the value of an argument: TOML if it is, else a bare word taken as text.
pub(super) fn parse_argument(text: &str, origin: &Origin) -> Result<Node, String> {
    let text = text.trim();
    match DeValue::parse(text) {
        Ok(value) => Ok(node(value.get_ref(), origin.clone(), &|_| origin.clone())),
        Err(error) if text.starts_with(['"', '\'', '[', '{']) || text.is_empty() => {
            Err(one_line(error.message()))
        }
        Err(_) => Ok(Node { value: Shape::Text(text.to_owned()), origin: origin.clone() }),
    }
}

type Locate<'a> = &'a dyn Fn(std::ops::Range<usize>) -> Origin;

fn entries(table: &DeTable, locate: Locate) -> Vec<Entry> {
    table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_origin: locate(key.span()),
            node: node(value.get_ref(), locate(value.span()), locate),
        })
        .collect()
}

fn node(value: &DeValue, origin: Origin, locate: Locate) -> Node {
    let value = match value {
        DeValue::String(text) => Shape::Text(text.to_string()),
        DeValue::Integer(integer) => {
            match i128::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => Shape::Integer(integer),
                Err(_) => Shape::Other(integer.to_string()),
            }
        }
        DeValue::Float(float) => match float.as_str().parse() {
            Ok(float) => Shape::Float(float),
            Err(_) => Shape::Other(float.to_string()),
        },
        DeValue::Boolean(boolean) => Shape::Boolean(*boolean),
        DeValue::Datetime(datetime) => Shape::Other(datetime.to_string()),
        DeValue::Array(items) => Shape::List(
            items.iter().map(|item| node(item.get_ref(), locate(item.span()), locate)).collect(),
        ),
        DeValue::Table(table) => Shape::Table(entries(table, locate)),
    };
    Node { value, origin }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

impl Node {
    /// The value in a message.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Shape::Text(text) => format!("`{text}`"),
            Shape::Integer(integer) => format!("`{integer}`"),
            Shape::Float(float) => format!("`{float:?}`"),
            Shape::Boolean(boolean) => format!("`{boolean}`"),
            Shape::List(_) => "a list".to_owned(),
            Shape::Table(_) => "a table".to_owned(),
            Shape::Other(text) => format!("`{text}`"),
        }
    }

    /// The entries, if this is a table.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Shape::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text, if this is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a key out, if this is a table that has it.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let Shape::Table(entries) = &mut self.value else { return None };
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    }

    /// The entry of a key, if this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The value of a key, to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Shape::Table(entries) => {
                entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
            }
            _ => None,
        }
    }

    /// Sets a key, if this is a table.
    pub(super) fn set(&mut self, key: &str, node: Node) {
        let Shape::Table(entries) = &mut self.value else { return };
        let entry = Entry { key: key.to_owned(), key_origin: node.origin.clone(), node };
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(old) => *old = entry,
            None => entries.push(entry),
        }
    }
}
