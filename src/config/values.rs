//! One value against what its field accepts.

use serde_json::{Number, Value};

use super::nearest::quoted;
use super::tree::{Node, Shape};
use crate::nearest::nearest;
use crate::stage::Accepts;

/// What a field accepts, in words: `a whole number from 1 to 1000`.
pub fn allowed(accepts: &Accepts) -> String {
    match accepts {
        Accepts::Boolean => "`true` or `false`".to_owned(),
        Accepts::Integer { min, max: i64::MAX } => format!("a whole number, at least {min}"),
        Accepts::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Accepts::IntegerList { min, max, distinct } => {
            let different = if *distinct { "different " } else { "" };
            format!("a list of {different}whole numbers from {min} to {max}")
        }
        Accepts::Number { min, max, above_min } => number_range(*min, *max, *above_min),
        Accepts::WordOrNumber { words, above } => {
            format!("{} or {}", one_of(words), number_range(*above, f64::INFINITY, true))
        }
        Accepts::WordOrInteger { words, min } => {
            format!("{} or a whole number, at least {min}", one_of(words))
        }
        Accepts::WordOrSize { words, max } => {
            let word =
                if words.is_empty() { String::new() } else { format!("{} or ", one_of(words)) };
            format!("{word}`[height, width]`, whole numbers from 1 to {max}")
        }
        Accepts::WordOrTexts { words } => format!("{} or a list of texts", one_of(words)),
        Accepts::Choice(words) => one_of(words),
        Accepts::ChoiceOf(words) => {
            let words = words();
            one_of(&words.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Accepts::NameOrFile { names, .. } => {
            let names = names();
            let names = one_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
            format!("{names} or the name of a file that ends in `.toml`")
        }
        Accepts::Text => "text".to_owned(),
        Accepts::Table(fields) => {
            let names = quoted(fields.iter().map(|field| field.name));
            format!("a table of any of {names}")
        }
        Accepts::Grid { .. } => "a table of lists, such as `{ c = [0.1, 1, 10] }`".to_owned(),
        Accepts::Fixed { .. } => "a table of parameters, such as `{ tol = 0.01 }`".to_owned(),
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [word] => format!("`{word}`"),
        words => format!("one of {}", quoted(words.iter().copied())),
    }
}

fn number_range(min: f64, max: f64, above_min: bool) -> String {
    // Bounds of the magnitude of `f64::MAX` stand for none.
    let bounded = |bound: f64| bound.abs() < f64::MAX;
    match (bounded(min), bounded(max), above_min) {
        (false, false, _) => "a finite number".to_owned(),
        (false, true, _) => format!("a number, at most {max}"),
        (true, false, true) => format!("a number above {min}"),
        (true, false, false) => format!("a number, at least {min}"),
        (true, true, true) => format!("a number above {min}, at most {max}"),
        (true, true, false) => format!("a number from {min} to {max}"),
    }
}

/// The checked value in its one form (`10` and `10.0` are the same number).
///
/// # Errors
/// The nearest allowed word, if there is one.
pub(super) fn check(accepts: &Accepts, node: &Node) -> Result<Value, Option<String>> {
    let word_among = |words: &[&str]| match &node.value {
        Shape::Text(text) if words.contains(&text.as_str()) => Ok(Value::String(text.clone())),
        Shape::Text(text) => {
            Err(nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?")))
        }
        _ => Err(None),
    };
    match accepts {
        Accepts::Boolean => match node.value {
            Shape::Boolean(boolean) => Ok(Value::Bool(boolean)),
            _ => Err(None),
        },
        Accepts::Integer { min, max } => match node.value {
            Shape::Integer(_) => integer(node, *min, *max).map(Value::from).ok_or(None),
            Shape::Float(float) if float.fract() == 0.0 && float.abs() < 1e15 => {
                Err(Some(format!("write `{float}`")))
            }
            _ => Err(None),
        },
        Accepts::IntegerList { min, max, distinct } => match &node.value {
            Shape::List(items) => {
                integers(items, *min, *max, *distinct).map(Value::from).map_err(Some)
            }
            Shape::Integer(integer) => Err(Some(format!("write `[{integer}]`"))),
            _ => Err(None),
        },
        Accepts::Number { min, max, above_min } => number(node)
            .filter(|value| if *above_min { value > min } else { value >= min })
            .filter(|value| value <= max)
            .and_then(as_json)
            .ok_or(None),
        Accepts::WordOrNumber { words, above } => match number(node) {
            Some(value) if value > *above => as_json(value).ok_or(None),
            _ => word_among(words),
        },
        Accepts::WordOrInteger { words, min } => match integer(node, *min, i64::MAX) {
            Some(value) => Ok(Value::from(value)),
            None => word_among(words),
        },
        Accepts::WordOrSize { words, max } => match &node.value {
            Shape::List(items) if items.len() == 2 => {
                integers(items, 1, *max, false).map(Value::from).map_err(Some)
            }
            Shape::List(items) => Err(Some(format!("the list holds {} items", items.len()))),
            Shape::Integer(side) => Err(Some(format!("write `[{side}, {side}]`"))),
            _ => word_among(words),
        },
        Accepts::WordOrTexts { words } => match &node.value {
            Shape::List(items) => texts(items).map(Value::from).map_err(Some),
            _ => word_among(words),
        },
        Accepts::Choice(words) => word_among(words),
        Accepts::ChoiceOf(words) => {
            let words = words();
            word_among(&words.iter().map(String::as_str).collect::<Vec<_>>())
        }
        // A file was read before, in `file`.
        Accepts::NameOrFile { names, .. } => {
            let names = names();
            word_among(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Accepts::Text => match &node.value {
            Shape::Text(text) => Ok(Value::String(text.clone())),
            _ => Err(None),
        },
        // Checked against the fields inside: in `check`, and a learner's in `space`.
        Accepts::Table(_) | Accepts::Grid { .. } | Accepts::Fixed { .. } => Err(None),
    }
}

/// A declared default in the form that [`check`] gives to the same value in a file: `2` and `2.0`
/// must not make two keys.
pub(super) fn normal_form(accepts: &Accepts, value: Value) -> Value {
    match (accepts, value.as_f64()) {
        (Accepts::Number { .. } | Accepts::WordOrNumber { .. }, Some(number)) => {
            as_json(number).unwrap_or(value)
        }
        _ => value,
    }
}

fn integer(node: &Node, min: i64, max: i64) -> Option<i64> {
    let Shape::Integer(integer) = node.value else { return None };
    i64::try_from(integer).ok().filter(|integer| (min..=max).contains(integer))
}

/// The list, or which of its items is wrong.
fn integers(items: &[Node], min: i64, max: i64, distinct: bool) -> Result<Vec<i64>, String> {
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        match integer(item, min, max) {
            Some(value) if distinct && list.contains(&value) => {
                return Err(format!("`{value}` stands twice"));
            }
            Some(value) => list.push(value),
            None => return Err(format!("the list holds {}", item.describe())),
        }
    }
    if list.is_empty() { Err("the list is empty".to_owned()) } else { Ok(list) }
}

/// The list, or which of its items is wrong.
fn texts(items: &[Node]) -> Result<Vec<String>, String> {
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Shape::Text(text) if list.contains(text) => {
                return Err(format!("`{text}` stands twice"));
            }
            Shape::Text(text) => list.push(text.clone()),
            _ => return Err(format!("the list holds {}", item.describe())),
        }
    }
    if list.is_empty() { Err("the list is empty".to_owned()) } else { Ok(list) }
}

fn number(node: &Node) -> Option<f64> {
    let value = match node.value {
        Shape::Integer(integer) => integer as f64,
        Shape::Float(float) => float,
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// As a JSON number; adding zero turns `-0.0` into `0.0`, so that equal numbers have equal keys.
fn as_json(value: f64) -> Option<Value> {
    Number::from_f64(value + 0.0).map(Value::Number)
}
