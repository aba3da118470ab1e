//! What stages make and read: the typed artifacts and their form on disk.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data::{Features, TensorFile, TensorFileError};

/// Type of an artifact; pipeline files are checked against it before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactType {
    /// Images and labels.
    Dataset,
    /// A trained network with its predictions.
    Network,
    /// Real-valued features of training and test images.
    Features,
    /// A fitted classical classifier with its predictions.
    Classifier,
    /// Metrics of several models.
    Evaluation,
}

/// One artifact in memory.
pub enum Artifact {
    /// Features of some images.
    Features(Features),
}

impl Artifact {
    /// The type.
    pub fn artifact_type(&self) -> ArtifactType {
        match self {
            Artifact::Features(_) => ArtifactType::Features,
        }
    }

    /// Writes the artifact as one file.
    pub fn write(&self, path: &Path) -> Result<(), TensorFileError> {
        match self {
            Artifact::Features(features) => {
                let mut file = TensorFile::new(json!({"type": "features"}));
                match features {
                    Features::Bytes(rows) => file.insert_u8("features", rows.view()),
                    Features::Floats(rows) => file.insert_f32("features", rows.view()),
                }
                file.write(path)
            }
        }
    }

    /// Reads an artifact of a known type.
    pub fn read(expected: ArtifactType, path: &Path) -> Result<Self, TensorFileError> {
        let mut file = TensorFile::read(path)?;
        match expected {
            ArtifactType::Features => {
                Ok(Artifact::Features(Features::Floats(file.take_f32("features")?)))
            }
            other => Err(TensorFileError::Malformed(format!("artifact type {other:?}"))),
        }
    }
}
