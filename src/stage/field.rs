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

impl Condition {
    /// Whether the other field has one of the values.
    pub fn holds(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_one_of.contains(&text.as_str()),
            other => self.is_one_of.contains(&other.to_string().as_str()),
        }
    }
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
    /// A list of one or more whole numbers within bounds, both inclusive.
    IntegerList {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
        /// Whether no number may stand twice.
        distinct: bool,
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
    /// One of some words, or a whole number of at least `min`.
    WordOrInteger {
        /// Allowed words.
        words: &'static [&'static str],
        /// Least value.
        min: i64,
    },
    /// One of some words, or `[height, width]` of an image, both from 1 to `max`.
    WordOrSize {
        /// Allowed words.
        words: &'static [&'static str],
        /// Most pixels of a side.
        max: i64,
    },
    /// One of some words, or a list of one or more different texts.
    WordOrTexts {
        /// Allowed words.
        words: &'static [&'static str],
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of the words that the function lists (such as the shipped architectures).
    ChoiceOf(fn() -> Vec<String>),
    /// One of the words that `names` lists, or a file whose name ends in `.toml`, beside the
    /// pipeline file or else in the working directory. Its text takes the place of its name:
    /// `{ name = "…", layers = "…" }`, which is accepted too.
    NameOrFile {
        /// Allowed words.
        names: fn() -> Vec<String>,
        /// What is wrong with the text of a file, given its name without ending.
        check: fn(&str, &str) -> Result<(), String>,
    },
    /// Any text.
    Text,
    /// A table of fields that may all be left out. Each default turns its field off, so a value
    /// that equals it is the same as none.
    Table(&'static [Field]),
    /// A table that gives parameters of the learner named by the field `learner` several values:
    /// a list, or a distribution as [`Distribution`] spells them.
    ///
    /// [`Distribution`]: super::Distribution
    Grid {
        /// Where distributions are refused, for they cannot be enumerated.
        lists_only_if: Condition,
    },
    /// A table of the other parameters of the learner named by the field `learner`; those that are
    /// not given take their defaults.
    Fixed {
        /// The field that holds the grid, if parameters are searched; declared before this one.
        grid: Option<&'static str>,
        /// Learner, parameter and the JSON text of its default here, where that is another than
        /// the learner's own.
        defaults: &'static [(&'static str, &'static str, &'static str)],
    },
}

impl Field {
    /// Whether a stage with the parameters `read` so far reads this one.
    pub fn is_read(&self, read: &Map<String, Value>) -> bool {
        self.read_if.as_ref().is_none_or(|condition| {
            read.get(condition.field).is_some_and(|value| condition.holds(value))
        })
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
