//! Both maps as maps among others, and their storage.

use ndarray::{Array1, Array2};
use serde_json::{Map, Value, json};

use super::nystroem::square;
use super::{Fourier, Nystroem};
use crate::data::{Features, TensorFile, TensorFileError};
use crate::learn::svm::gram::Resolved;
use crate::learn::{LearnError, Transformer};
use crate::progress::Progress;

fn malformed(what: &str) -> TensorFileError {
    TensorFileError::Malformed(format!("{what} of the map"))
}

impl Nystroem {
    /// The map that `to_tensors` stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub(in crate::learn) fn from_tensors(
        mut file: TensorFile<'static>,
    ) -> Result<Self, LearnError> {
        let resolved: Resolved = serde_json::from_value(file.document["kernel"].take())
            .map_err(|_| malformed("kernel"))?;
        let rank = file.document["rank"].as_u64().ok_or_else(|| malformed("rank"))? as usize;
        let landmark_idx: Array1<u32> = file.take_u32("landmark_idx")?;
        let landmarks: Array2<f32> = file.take_f32("landmarks")?;
        let normalization: Array2<f32> = file.take_f32("normalization")?;
        let n = landmarks.nrows();
        if n == 0 || landmark_idx.len() != n || normalization.dim() != (n, n) {
            return Err(malformed("landmarks").into());
        }
        let squares = landmarks.rows().into_iter().map(square).collect();
        let landmark_idx = landmark_idx.iter().map(|&row| row as usize).collect();
        Ok(Nystroem { resolved, landmark_idx, landmarks, squares, normalization, rank })
    }
}

impl Transformer for Nystroem {
    fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError> {
        Ok(Features::Floats(self.transform_with(features, progress)?))
    }

    fn label(&self) -> String {
        format!("nystroem {}", self.landmarks.nrows())
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "nystroem",
            "kernel": self.resolved,
            "rank": self.rank,
        }));
        let landmark_idx: Array1<u32> = self.landmark_idx.iter().map(|&row| row as u32).collect();
        file.insert_u32("landmark_idx", landmark_idx);
        file.insert_f32("landmarks", self.landmarks.view());
        file.insert_f32("normalization", self.normalization.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        Map::from_iter([
            ("kernel".to_owned(), json!(self.resolved)),
            ("rank".to_owned(), json!(self.rank)),
        ])
    }
}

impl Fourier {
    /// The map that `to_tensors` stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub(in crate::learn) fn from_tensors(
        mut file: TensorFile<'static>,
    ) -> Result<Self, LearnError> {
        let gamma = file.document["gamma"].as_f64().ok_or_else(|| malformed("gamma"))?;
        let weights: Array2<f32> = file.take_f32("weights")?;
        let offsets: Array1<f32> = file.take_f32("offsets")?;
        if weights.is_empty() || weights.ncols() != offsets.len() {
            return Err(malformed("weights").into());
        }
        Ok(Fourier { weights, offsets, gamma })
    }
}

impl Transformer for Fourier {
    fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError> {
        Ok(Features::Floats(self.transform_with(features, progress)?))
    }

    fn label(&self) -> String {
        format!("fourier {}", self.offsets.len())
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({ "type": "fourier", "gamma": self.gamma }));
        file.insert_f32("weights", self.weights.view());
        file.insert_f32("offsets", self.offsets.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        Map::from_iter([("gamma".to_owned(), json!(self.gamma))])
    }
}
