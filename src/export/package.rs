//! A model with all that others need to know of it, as the files of one directory.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ExportError, onnx};
use crate::data::{ImageInput, TensorFile, TensorFileError};
use crate::learn::Meaning;
use crate::model::Model;

/// Layout of a package.
const SCHEMA: u32 = 1;
const MANIFEST: &str = "manifest.json";
const MODEL: &str = "model.safetensors";
const ONNX: &str = "model.onnx";
const LABELS: &str = "labels.txt";

/// What is known of a model besides the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Pipeline that made it.
    pub pipeline: String,
    /// Its run.
    pub run: String,
    /// Stage that made it.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// `neural`, `classical` or `hybrid`.
    pub family: String,
    /// What it reads, such as `pixels`.
    pub input: String,
    /// Number of input features.
    pub n_features: usize,
    /// Bytes of the stored model.
    pub model_bytes: u64,
    /// What only this kind of model has.
    pub details: Map<String, Value>,
    /// Data set that it was evaluated on.
    pub dataset: String,
    /// Share of test images labelled right; none if it was not evaluated.
    pub accuracy: Option<f64>,
    /// Wilson 95 % interval of the accuracy.
    pub accuracy_ci95: Option<[f64; 2]>,
}

/// The document of a package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout; this program reads 1.
    pub schema: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// What the model is.
    pub model: Facts,
    /// How an image from anywhere becomes a row of pixels, and the class names by label.
    pub input: ImageInput,
    /// The ONNX file: operator sets, inputs, outputs; none without one.
    pub onnx: Option<Value>,
    /// All files but this one.
    pub files: Vec<PackedFile>,
}

/// One file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: usize,
    /// Its sum, hexadecimal.
    pub blake3: String,
}

/// The files of a package in memory.
pub struct Package {
    /// Names and contents.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// What the user should know of them.
    pub warning: Option<String>,
}

impl Package {
    /// The files of a model, the ONNX file if it is asked for.
    ///
    /// # Errors   as [`onnx::write`]
    /// # Cost     several times the model in memory
    pub fn new(model: &Model, facts: Facts, with_onnx: bool) -> Result<Self, ExportError> {
        let mut tensors = Vec::new();
        model.to_tensors().write_to(&mut tensors)?;
        let labels: String =
            model.chain.input.class_names.iter().map(|name| format!("{name}\n")).collect();
        let mut files = vec![(MODEL, tensors), (LABELS, labels.into_bytes())];
        let (mut document, mut warning) = (None, None);
        if with_onnx {
            let written = onnx::write(model)?;
            document = Some(describe(model, &written));
            if written.is_finer {
                warning = Some(
                    "the model's networks multiply 16-bit numbers and the ONNX file 32-bit ones: \
                     some labels may differ"
                        .to_owned(),
                );
            }
            files.push((ONNX, written.bytes));
        }
        let packed = files.iter().map(|(name, content)| PackedFile {
            name: (*name).to_owned(),
            bytes: content.len(),
            blake3: blake3::hash(content).to_hex().to_string(),
        });
        let manifest = Manifest {
            schema: SCHEMA,
            program: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            model: facts,
            input: model.chain.input.clone(),
            onnx: document,
            files: packed.collect(),
        };
        let mut text = serde_json::to_string_pretty(&manifest)
            .map_err(|error| TensorFileError::Malformed(error.to_string()))?;
        text.push('\n');
        files.push((MANIFEST, text.into_bytes()));
        Ok(Package { files, warning })
    }
}

fn describe(model: &Model, written: &onnx::OnnxFile) -> Value {
    let shape = model.chain.input.shape;
    let meaning = match written.meaning {
        Meaning::Probability => "probability",
        Meaning::Decision => "decision",
    };
    json!({
        "file": ONNX,
        "opset": { "ai.onnx": onnx::OPSET, "ai.onnx.ml": onnx::ML_OPSET },
        "inputs": [{
            "name": "images",
            "type": "uint8",
            "shape": ["n", shape.height, shape.width, shape.channels],
            "meaning": "raw bytes, height, width, channel; the graph scales them",
        }],
        "outputs": [
            { "name": "label", "type": "int64", "shape": ["n"], "meaning": "line of labels.txt, from 0" },
            { "name": "scores", "type": "float32", "shape": ["n", model.n_classes()], "meaning": meaning },
        ],
        "operators": written.operators,
    })
}

/// Whether a directory is one that was exported.
pub fn is_package(dir: &Path) -> bool {
    dir.join(MANIFEST).is_file()
}

/// Reads a package; the sum of the model's file is checked, the other files are not looked at.
///
/// # Errors
/// If the directory is no package, or its model is damaged.
pub fn read(dir: &Path) -> Result<(Manifest, Model), ExportError> {
    let path = dir.join(MANIFEST);
    let text = fs::read_to_string(&path)
        .map_err(|source| ExportError::Read { path: path.clone(), source })?;
    let bad = |problem: String| ExportError::Manifest { path: path.clone(), problem };
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    if manifest.schema != SCHEMA {
        return Err(bad(format!("schema {}, this program reads {SCHEMA}", manifest.schema)));
    }
    let packed = manifest.files.iter().find(|file| file.name == MODEL);
    let expected = packed.ok_or_else(|| bad(format!("it lists no `{MODEL}`")))?.blake3.clone();
    let path = dir.join(MODEL);
    let mut hasher = blake3::Hasher::new();
    fs::File::open(&path)
        .and_then(|file| hasher.update_reader(file).map(|_| ()))
        .map_err(|source| ExportError::Read { path: path.clone(), source })?;
    let found = hasher.finalize().to_hex().to_string();
    if found != expected {
        return Err(ExportError::Digest { path, found, expected });
    }
    let model = Model::from_tensors(TensorFile::read(&path)?)?;
    Ok((manifest, model))
}
