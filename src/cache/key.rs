//! What an artifact was made from, and the key that names it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Raised whenever [`Provenance::key`] hashes something else, so that old keys are never met.
const KEY_SCHEMA: u32 = 1;

/// Everything that an artifact depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Stage kind.
    pub kind: String,
    /// Version of the kind.
    pub version: u32,
    /// Seed, if the kind is seeded.
    pub seed: Option<u64>,
    /// Parameters that the stage reads.
    pub params: Map<String, Value>,
    /// Inputs.
    pub inputs: Vec<InputProvenance>,
}

/// The artifacts of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputProvenance {
    /// Name of the input.
    pub input: String,
    /// True if the input takes a list; then the names of the stages are part of the key, for they
    /// name the parts of the artifact.
    pub many: bool,
    /// Stages in their order, with the digests of their artifacts.
    pub stages: Vec<(String, String)>,
}

impl Provenance {
    /// The key: BLAKE3 over canonical JSON, so that the order of parameters and of inputs and the
    /// names of the stages that fill single inputs do not matter.
    pub fn key(&self) -> String {
        let mut inputs: Vec<&InputProvenance> = self.inputs.iter().collect();
        inputs.sort_by(|a, b| a.input.cmp(&b.input));
        let inputs: Vec<Value> = inputs
            .into_iter()
            .map(|input| {
                let stages: Vec<Value> = input
                    .stages
                    .iter()
                    .map(
                        |(id, digest)| if input.many { json!([id, digest]) } else { json!(digest) },
                    )
                    .collect();
                json!([input.input, stages])
            })
            .collect();
        let document = json!({
            "schema": KEY_SCHEMA,
            "kind": self.kind,
            "version": self.version,
            "seed": self.seed,
            "params": self.params,
            "inputs": inputs,
        });
        let mut text = String::new();
        write_canonical(&document, &mut text);
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}

/// Compact JSON with the keys of every object sorted.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (idx, (key, value)) in entries.into_iter().enumerate() {
                if idx > 0 {
                    out.push(',');
                }
                out.push_str(&json!(key).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// Whether `text` is a digest or key: 64 lower-case hexadecimal digits. Checked before a name that
/// was read from a file becomes part of a path.
pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
