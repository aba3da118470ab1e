//! Parameters as data: one declaration serves checking, defaults, cache keys and help.

use serde_json::{Map, Value};

/// One parameter of a stage kind.
pub struct Field {
    /// Key in the pipeline file.
    pub name: &'static str,
    /// One line: meaning, unit, source.
    pub doc: &'static str,
    /// Allowed values.
    pub accepts: Accepts,
    /// JSON text of the default, or `None` if the parameter must be given.
    pub default: Option<&'static str>,
    /// Read only under this condition; otherwise it is not part of the stage's key.
    pub read_if: Option<Condition>,
}

/// A field is read only if another field of the stage has one of these values.
pub struct Condition {
    /// The other field; declared before this one.
    pub field: &'static str,
    /// Text values under which this one is read.
    pub is_one_of: &'static [&'static str],
}

/// Values that a field accepts.
pub enum Accepts {
    /// `true` or `false`.
    Boolean,
    /// A whole number within bounds, both inclusive.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A finite number between bounds.
    Number {
        /// Lower bound.
        min: f64,
        /// Upper bound, inclusive.
        max: f64,
        /// Whether `min` itself is refused.
        above_min: bool,
    },
    /// One of some words, or a number as in [`Accepts::Number`] with `min` refused.
    WordOrNumber {
        /// Allowed words.
        words: &'static [&'static str],
        /// Lower bound, exclusive.
        above: f64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of the words that the function lists (such as the shipped architectures).
    ChoiceOf(fn() -> Vec<String>),
    /// Any text.
    Text,
}

impl Field {
    /// Whether a stage with the parameters `read`, of the fields before this one, reads it.
    pub fn is_read(&self, read: &Map<String, Value>) -> bool {
        let Some(condition) = &self.read_if else { return true };
        match read.get(condition.field) {
            Some(Value::String(text)) => condition.is_one_of.contains(&text.as_str()),
            Some(other) => condition.is_one_of.contains(&other.to_string().as_str()),
            None => false,
        }
    }

    /// The default as a value.
    ///
    /// # Panics
    /// If a declaration in this crate is not JSON; a test reads every one.
    pub fn default_value(&self) -> Option<Value> {
        self.default.map(|text| {
            serde_json::from_str(text)
                .unwrap_or_else(|_| panic!("default of `{}` is not JSON", self.name))
        })
    }
}
