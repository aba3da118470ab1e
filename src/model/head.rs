//! What the features mean, and the whole model.

use std::sync::Arc;

use ndarray::ArrayView2;
use serde_json::json;

use super::{Chain, ModelError};
use crate::data::{Labels, TensorFile, TensorFileError};
use crate::learn::{Classifier, Scores, read_classifier};
use crate::nn::{Ensemble, Network};
use crate::progress::Progress;

/// What a model does with the features of its chain.
#[derive(Clone)]
pub enum Head {
    /// A network's own softmax; it reads pixels.
    Network(Arc<Network>),
    /// Networks that vote; they read pixels.
    Ensemble(Arc<Ensemble>),
    /// A classical classifier.
    Classifier(Arc<dyn Classifier>),
}

/// A fitted model from image to scores; cheap to copy.
#[derive(Clone)]
pub struct Model {
    /// From pixels to features.
    pub chain: Chain,
    /// From features to scores.
    pub head: Head,
}

impl Model {
    /// A class for each of the images `[n_images, n_pixels]`.
    ///
    /// # Errors
    /// As [`Chain::features`] and of the head.
    pub fn predict(
        &self,
        pixels: ArrayView2<'_, u8>,
        progress: &dyn Progress,
    ) -> Result<Labels, ModelError> {
        match &self.head {
            Head::Classifier(classifier) => {
                Ok(classifier.predict(&self.chain.features(pixels, progress)?, progress)?)
            }
            _ => Ok(self.scores(pixels, progress)?.first_largest()),
        }
    }

    /// What it says of every class, `[n_images, n_classes]`.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn scores(
        &self,
        pixels: ArrayView2<'_, u8>,
        progress: &dyn Progress,
    ) -> Result<Scores, ModelError> {
        Ok(self.labels_and_scores(pixels, progress)?.1)
    }

    /// Both, for the price of the features once.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn labels_and_scores(
        &self,
        pixels: ArrayView2<'_, u8>,
        progress: &dyn Progress,
    ) -> Result<(Labels, Scores), ModelError> {
        let probabilities = match &self.head {
            Head::Classifier(classifier) => {
                let features = self.chain.features(pixels, progress)?;
                let labels = classifier.predict(&features, progress)?;
                let scores = classifier.scores(&features, progress)?;
                return Ok((labels, scores.for_classes(self.n_classes())));
            }
            Head::Network(network) => network.probabilities(pixels)?,
            Head::Ensemble(ensemble) => ensemble.probabilities(pixels, progress)?,
        };
        let scores = Scores::of_probabilities(&probabilities);
        Ok((scores.first_largest(), scores))
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.chain.input.class_names.len()
    }

    /// The whole model as named tensors.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({}));
        let (kind, head) = match &self.head {
            Head::Network(network) => ("network", network.to_tensors()),
            Head::Ensemble(ensemble) => ("ensemble", ensemble.to_tensors()),
            Head::Classifier(classifier) => ("classifier", classifier.to_tensors()),
        };
        let chain = self.chain.to_tensors();
        file.document = json!({
            "chain": chain.document,
            "head": { "kind": kind, "document": head.document },
        });
        file.insert_prefixed("chain", chain);
        file.insert_prefixed("head", head);
        file
    }

    /// Reads what [`Model::to_tensors`] wrote.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, TensorFileError> {
        let mut chain = file.take_prefixed("chain");
        chain.document = file.document["chain"].take();
        let mut head = file.take_prefixed("head");
        head.document = file.document["head"]["document"].take();
        let malformed = |error: String| TensorFileError::Malformed(error);
        let head = match file.document["head"]["kind"].as_str().unwrap_or_default() {
            "network" => {
                let network = Network::from_tensors(head).map_err(|e| malformed(e.to_string()))?;
                Head::Network(Arc::new(network))
            }
            "ensemble" => {
                let read = Ensemble::from_tensors(head).map_err(|e| malformed(e.to_string()))?;
                Head::Ensemble(Arc::new(read))
            }
            "classifier" => {
                let read = read_classifier(head).map_err(|e| malformed(e.to_string()))?;
                Head::Classifier(Arc::from(read))
            }
            other => return Err(malformed(format!("no head of kind `{other}`"))),
        };
        Ok(Model { chain: Chain::from_tensors(chain)?, head })
    }
}
