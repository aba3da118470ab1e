//! The architecture that a stage names: a shipped one, or the user's own file.

use serde::Deserialize;
use serde_json::Value;

use crate::nn::{Architecture, NnError};

/// The value of `architecture`. A file is read where the pipeline is checked, so that its layers
/// are parameters like others: the key of a network follows them, and a run can be run again
/// without the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ArchitectureParam {
    /// A shipped one.
    Name(String),
    /// The text of a file.
    Own { name: String, layers: String },
}

impl ArchitectureParam {
    /// Of a parameter; none if it is no architecture.
    pub fn of(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }

    /// The layers.
    pub fn read(&self) -> Result<Architecture, NnError> {
        match self {
            ArchitectureParam::Name(name) => Architecture::named(name),
            ArchitectureParam::Own { name, layers } => Architecture::parse(name, layers),
        }
    }
}

/// What is wrong with the text of an architecture file.
pub(super) fn check(name: &str, layers: &str) -> Result<(), String> {
    Architecture::parse(name, layers).map(|_| ()).map_err(|error| error.to_string())
}
