//! What a search varies and what it fixes, against the fields of the learner it searches.

use serde_json::{Map, Value};

use super::check::{checked, default, missing, unknown};
use super::error::Problems;
use super::nearest::quoted;
use super::tree::{Entry, Node, Shape};
use super::values::allowed;
use crate::stage::{
    Accepts, Condition, Distribution, Field, Kind, MAX_CANDIDATES, searched_learner,
};

/// The checked grid: lists and distributions by parameter, sorted by name as scikit-learn's
/// `ParameterGrid` is; `None` if anything is wrong (reported) or the learner is unknown.
pub(super) fn grid(
    subject: &str,
    entry: &Entry,
    lists_only_if: &Condition,
    read: &Map<String, Value>,
    problems: &mut Problems,
) -> Option<Value> {
    let learner = searched_learner(read)?;
    let name = &entry.key;
    let Some(entries) = entry.node.entries().filter(|entries| !entries.is_empty()) else {
        let found = match entry.node.entries() {
            Some(_) => "an empty one".to_owned(),
            None => entry.node.describe(),
        };
        let message =
            format!("parameter `{name}` of {subject} must be a table of lists, found {found}");
        let hint = format!("write `{name} = {{ NAME = [VALUE, …] }}`");
        problems.add(&entry.node.origin, message, Some(hint));
        return None;
    };
    let lists_only = read
        .get(lists_only_if.field)
        .filter(|value| lists_only_if.holds(value))
        .map(|value| (lists_only_if.field, value.as_str().unwrap_or_default()));
    let mut space: Vec<(String, Value)> = Vec::with_capacity(entries.len());
    for searched in entries {
        let path = format!("{name}.{}", searched.key);
        let Some(field) = field_of(learner, searched, &path, subject, problems) else { continue };
        let choices = match &searched.node.value {
            Shape::List(items) if !items.is_empty() => list(field, &path, subject, items, problems),
            Shape::Table(_) => match lists_only {
                None => distribution(field, &path, subject, &searched.node, problems),
                Some((field, value)) => {
                    let message = format!(
                        "parameter `{path}` of {subject} is a distribution, which {field} \
                         `{value}` cannot enumerate"
                    );
                    let hint = format!("list its values, or write `{field} = \"random\"`");
                    problems.add(&searched.node.origin, message, Some(hint));
                    None
                }
            },
            _ => {
                let found = match searched.node.value {
                    Shape::List(_) => "an empty one".to_owned(),
                    _ => searched.node.describe(),
                };
                let message = format!(
                    "parameter `{path}` of {subject} must be a list of values, each {}, found {found}",
                    allowed(&field.accepts)
                );
                problems.add(&searched.node.origin, message, None);
                None
            }
        };
        space.extend(choices.map(|choices| (searched.key.clone(), choices)));
    }
    let n_combinations = space
        .iter()
        .map(|(_, choices)| choices.as_array().map_or(1, Vec::len))
        .fold(1usize, usize::saturating_mul);
    if n_combinations > MAX_CANDIDATES {
        let message = format!(
            "parameter `{name}` of {subject} makes {n_combinations} combinations, at most \
             {MAX_CANDIDATES} are tried"
        );
        problems.add(&entry.key_origin, message, Some("list fewer values".to_owned()));
        return None;
    }
    space.sort_by(|a, b| a.0.cmp(&b.0));
    (space.len() == entries.len()).then(|| Value::Object(space.into_iter().collect()))
}

/// The distinct values of a list; `None` if one is wrong.
fn list(
    field: &Field,
    path: &str,
    subject: &str,
    items: &[Node],
    problems: &mut Problems,
) -> Option<Value> {
    let checked: Vec<Option<Value>> = items
        .iter()
        .enumerate()
        .map(|(at, item)| checked(field, &format!("{path}[{at}]"), subject, item, problems))
        .collect();
    let mut values: Vec<Value> = Vec::with_capacity(items.len());
    for value in checked.into_iter().collect::<Option<Vec<_>>>()? {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Some(Value::Array(values))
}

/// `{ log_uniform = [LO, HI] }`
fn distribution(
    field: &Field,
    path: &str,
    subject: &str,
    node: &Node,
    problems: &mut Problems,
) -> Option<Value> {
    let mut wrong = |node: &Node, message: String, hint: Option<String>| {
        problems.add(&node.origin, format!("parameter `{path}` of {subject} {message}"), hint);
        None
    };
    let is_number = matches!(
        field.accepts,
        Accepts::Integer { .. } | Accepts::Number { .. } | Accepts::WordOrNumber { .. }
    );
    if !is_number {
        let message = format!("has no distribution, for it is {}", allowed(&field.accepts));
        return wrong(node, message, Some("list its values".to_owned()));
    }
    let names = Distribution::NAMES;
    let [entry] = node.entries().unwrap_or_default() else {
        return wrong(node, "must be one distribution".to_owned(), example(names));
    };
    if !names.contains(&entry.key.as_str()) {
        let message = format!("is of an unknown distribution `{}`", entry.key);
        return wrong(&entry.node, message, example(names));
    }
    let Shape::List(bounds) = &entry.node.value else {
        return wrong(&entry.node, "needs two bounds".to_owned(), example(names));
    };
    let [lo, hi] = bounds.as_slice() else {
        let message = format!("needs two bounds, found {}", bounds.len());
        return wrong(&entry.node, message, example(names));
    };
    let path_of = |at: usize| format!("{path}.{}[{at}]", entry.key);
    let ends =
        [(0, lo), (1, hi)].map(|(at, node)| checked(field, &path_of(at), subject, node, problems));
    let [Some(lo_value), Some(hi_value)] = ends else { return None };
    let mut wrong = |message: String| {
        problems.add(
            &entry.node.origin,
            format!("parameter `{path}` of {subject} {message}"),
            None,
        );
        None
    };
    match (lo_value.as_f64(), hi_value.as_f64()) {
        (Some(lo), Some(hi)) if lo >= hi => {
            wrong(format!("has its bounds in the wrong order: {lo} is not below {hi}"))
        }
        (Some(lo), Some(_)) if lo <= 0.0 && entry.key == Distribution::LOG_UNIFORM => {
            wrong(format!("needs bounds above 0 for `{}`, found {lo}", entry.key))
        }
        (Some(_), Some(_)) => {
            let bounds = Value::Array(vec![lo_value, hi_value]);
            Some(Value::Object([(entry.key.clone(), bounds)].into_iter().collect()))
        }
        _ => wrong("needs bounds that are numbers".to_owned()),
    }
}

fn example(names: [&str; 2]) -> Option<String> {
    Some(format!("write `{{ {} = [LO, HI] }}` or `{{ {} = [LO, HI] }}`", names[0], names[1]))
}

/// The learner's parameters that are not searched, defaults filled in, those that no candidate
/// reads removed; `None` if anything is wrong (reported) or the learner or the grid is.
pub(super) fn fixed(
    subject: &str,
    stage: &Node,
    own: &Field,
    (grid_name, defaults): (Option<&str>, &[(&str, &str, &str)]),
    read: &Map<String, Value>,
    problems: &mut Problems,
) -> Option<Value> {
    let learner = searched_learner(read)?;
    let name = own.name;
    let given = stage.get(name);
    if let Some(entry) = given.filter(|entry| entry.node.entries().is_none()) {
        checked(own, name, subject, &entry.node, problems);
        return None;
    }
    let mut is_right = true;
    for entry in given.and_then(|entry| entry.node.entries()).unwrap_or_default() {
        let path = format!("{name}.{}", entry.key);
        is_right &= field_of(learner, entry, &path, subject, problems).is_some();
    }
    let grid_entry = grid_name.and_then(|name| stage.get(name));
    let searched = |field: &Field| grid_entry.and_then(|entry| entry.node.get(field.name));
    let grid = grid_name.and_then(|name| read.get(name)?.as_object());
    let is_grid_wrong = grid_name.is_some() && grid.is_none();
    let grid_name = grid_name.unwrap_or_default();
    let mut fixed = Map::new();
    // Every value that a candidate may have, by parameter; absent if none reads it.
    let mut possible: Map<String, Value> = Map::new();
    for field in learner.fields {
        let path = format!("{name}.{}", field.name);
        // Whatever hangs on a wrong value may be read.
        let is_read = !is_right || is_grid_wrong || is_read_by_any(field, &possible);
        let value = match (searched(field), given.and_then(|entry| entry.node.get(field.name))) {
            (Some(_), Some(entry)) => {
                let message =
                    format!("parameter `{}` of {subject} is both searched and fixed", field.name);
                let hint = format!("remove `{path}` or `{grid_name}.{}`", field.name);
                problems.add(&entry.key_origin, message, Some(hint));
                None
            }
            (Some(entry), None) => {
                if !is_read {
                    unread(field, entry, grid_name, subject, problems);
                }
                let choices = grid.and_then(|grid| grid.get(field.name));
                if let Some(choices) = choices.filter(|_| is_read) {
                    possible.insert(field.name.to_owned(), choices.clone());
                }
                continue;
            }
            (None, Some(entry)) => checked(field, &path, subject, &entry.node, problems),
            (None, None) => {
                let here = defaults
                    .iter()
                    .find(|(kind, name, _)| *kind == learner.name && *name == field.name)
                    .and_then(|(.., text)| serde_json::from_str(text).ok());
                let default = here.or_else(|| default(field));
                if default.is_none() && is_read {
                    let near = grid_entry.or(given).map(|entry| &entry.key_origin);
                    if let Some(origin) = near {
                        missing(field, &path, subject, origin, problems);
                    }
                }
                default
            }
        };
        match value {
            Some(value) if is_read => {
                possible.insert(field.name.to_owned(), Value::Array(vec![value.clone()]));
                fixed.insert(field.name.to_owned(), value);
            }
            Some(_) => {}
            None => is_right = false,
        }
    }
    is_right.then_some(Value::Object(fixed))
}

/// Whether a candidate reads a field, given the values that candidates may have of the fields
/// before it.
fn is_read_by_any(field: &Field, possible: &Map<String, Value>) -> bool {
    field.read_if.as_ref().is_none_or(|condition| {
        let values = possible.get(condition.field).and_then(Value::as_array);
        values.is_some_and(|values| values.iter().any(|value| condition.holds(value)))
    })
}

fn unread(field: &Field, entry: &Entry, grid: &str, subject: &str, problems: &mut Problems) {
    let message = format!("parameter `{grid}.{}` of {subject} is read by no candidate", field.name);
    let hint = field.read_if.as_ref().map(|condition| {
        let values = quoted(condition.is_one_of.iter().copied());
        format!("it is read where `{}` is one of {values}", condition.field)
    });
    problems.add(&entry.key_origin, message, hint);
}

/// The learner's field of a key.
fn field_of(
    learner: &Kind,
    entry: &Entry,
    path: &str,
    subject: &str,
    problems: &mut Problems,
) -> Option<&'static Field> {
    let found = learner.fields.iter().find(|field| field.name == entry.key);
    if found.is_none() {
        let names: Vec<&str> = learner.fields.iter().map(|field| field.name).collect();
        unknown(entry, path, subject, &names, problems);
    }
    found
}
