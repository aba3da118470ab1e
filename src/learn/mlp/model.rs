//! The fitted network: fit, prediction, report, storage.

use linfa::ParamGuard;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::network::{Buffers, Layer, Network};
use super::params::{MlpParams, MlpValidParams};
use super::train::{Rows, train, winner};
use crate::data::{Features, Labels, Rng, TensorFile, TensorFileError};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::{check_rows, check_samples};
use crate::learn::{Classifier, LearnError, Meaning, ParamError, Samples, Scores};
use crate::progress::Progress;

/// Rows predicted between two looks at [`Progress::interrupted`].
const CHUNK: usize = 500;

/// What was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MlpReport {
    /// Parameters.
    pub params: MlpValidParams,
    /// Epochs.
    pub n_iter: usize,
    /// Whether epochs brought nothing any more before `max_iter`.
    pub converged: bool,
    /// Mean loss of each epoch, the penalty included.
    pub losses: Vec<f64>,
    /// Accuracy on the held-out samples after each epoch, with early stopping.
    pub validation_accuracies: Vec<f64>,
}

/// A fitted network.
pub struct Mlp {
    network: Network,
    /// Labels of the outputs, ascending.
    classes: Vec<usize>,
    report: MlpReport,
}

impl std::fmt::Debug for Mlp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mlp").field("report", &self.report).finish_non_exhaustive()
    }
}

impl MlpValidParams {
    /// Trains on the classes that count.
    ///
    /// # Errors
    /// Samples that cannot be fitted, too few to hold some out, a loss that is not finite, or an
    /// interruption.
    /// # Cost
    /// Three products of the batch with each layer a step: 19 GFLOP an epoch of 60,000 x 784 with 100
    /// hidden units.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Mlp, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let features = checked.features.as_ref();
        let labels: Vec<usize> =
            (0..checked.n_classes).filter(|&label| checked.is_present[label]).collect();
        let classes: Vec<usize> = samples
            .labels
            .iter()
            .map(|label| labels.binary_search(label).unwrap_or_default())
            .collect();
        let sizes: Vec<usize> = std::iter::once(features.n_features())
            .chain(self.hidden.iter().copied())
            .chain([labels.len()])
            .collect();
        let rows = Rows { features, classes: &classes, weights: samples.weights };
        let (training, held_out) = self.split(&rows, labels.len(), seed)?;
        let mut network =
            Network::draw(&sizes, self.activation, &mut Rng::new(seed, &["mlp", "weights"]));
        let mut rng = Some(Rng::new(seed, &["mlp", "shuffle"]));
        let course = train(self, &mut network, &rows, &training, &held_out, &mut rng, progress)?;
        let report = MlpReport {
            params: self.clone(),
            n_iter: course.n_iter,
            converged: course.converged,
            losses: course.losses,
            validation_accuracies: course.validation,
        };
        Ok(Mlp { network, classes: labels, report })
    }

    /// Rows that count to train on, and those held out: a share of each class.
    fn split(
        &self,
        rows: &Rows,
        n_classes: usize,
        seed: u64,
    ) -> Result<(Vec<usize>, Vec<usize>), ParamError> {
        let counts = |row: &usize| rows.weights.is_none_or(|weights| weights[*row] > 0.0);
        let all: Vec<usize> = (0..rows.classes.len()).filter(counts).collect();
        if !self.early_stopping {
            return Ok((all, Vec::new()));
        }
        let mut rng = Rng::new(seed, &["mlp", "held out"]);
        let (mut training, mut held_out) = (Vec::new(), Vec::new());
        for class in 0..n_classes {
            let mut of_class: Vec<usize> =
                all.iter().copied().filter(|&row| rows.classes[row] == class).collect();
            rng.shuffle(&mut of_class);
            let n_held = (of_class.len() as f64 * self.validation_fraction).round() as usize;
            held_out.extend_from_slice(&of_class[..n_held]);
            training.extend_from_slice(&of_class[n_held..]);
        }
        if held_out.len() < 2 || training.is_empty() {
            let expected =
                format!("such that 2 of {} samples or more are held out, and not all", all.len());
            let found = self.validation_fraction;
            return Err(ParamError::new("validation_fraction", expected, found));
        }
        training.sort_unstable();
        held_out.sort_unstable();
        Ok((training, held_out))
    }
}

impl Mlp {
    /// What was fitted.
    pub fn report(&self) -> &MlpReport {
        &self.report
    }

    #[cfg(test)]
    pub(super) fn network_layers(&self) -> &[Layer] {
        &self.network.layers
    }

    /// Calls `take` with the probabilities of each row, in the order of the classes.
    fn map_rows<T: Send>(
        &self,
        features: &Features,
        progress: &dyn Progress,
        take: impl Fn(&[f32], &mut Vec<T>) + Sync,
    ) -> Result<Vec<T>, LearnError> {
        let features = check_rows(features, self.network.n_inputs())?;
        let n_rows = features.n_samples();
        let chunk = |start: usize| -> Result<Vec<T>, LearnError> {
            if progress.interrupted() {
                return Err(LearnError::Interrupted);
            }
            let rows: Vec<usize> = (start..(start + CHUNK).min(n_rows)).collect();
            let mut buffers = Buffers::default();
            let probabilities = self.network.forward(&features, &rows, &mut buffers);
            let mut out = Vec::new();
            for row in probabilities.chunks_exact(self.classes.len()) {
                take(row, &mut out);
            }
            Ok(out)
        };
        let starts: Vec<usize> = (0..n_rows).step_by(CHUNK).collect();
        let parts: Result<Vec<Vec<T>>, LearnError> = starts.into_par_iter().map(chunk).collect();
        Ok(parts?.into_iter().flatten().collect())
    }

    /// The model of stored tensors.
    ///
    /// # Errors   if a part is missing or parts do not fit together
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let report: MlpReport = serde_json::from_value(file.document["report"].take())
            .map_err(|_| malformed("report of the network"))?;
        MlpParams::from(report.params.clone()).check()?;
        let classes: Vec<usize> = serde_json::from_value(file.document["classes"].take())
            .map_err(|_| malformed("classes of the network"))?;
        let mut layers = Vec::new();
        for nth in 0..=report.params.hidden.len() {
            let weights: Array2<f32> = file.take_f32(&format!("layers.{nth}.weight"))?;
            let biases: Array1<f32> = file.take_f32(&format!("layers.{nth}.bias"))?;
            let (fan_in, fan_out) = weights.dim();
            let weights = weights.as_standard_layout().iter().copied().collect();
            layers.push(Layer { weights, biases: biases.to_vec(), fan_in, fan_out });
        }
        let widths = || report.params.hidden.iter().copied().chain([classes.len()]);
        let fits = classes.len() >= 2
            && classes.is_sorted_by(|a, b| a < b)
            && classes.last().is_some_and(|&last| last <= 1 << 24)
            && layers.iter().all(|layer| layer.biases.len() == layer.fan_out)
            && layers.iter().zip(widths()).all(|(layer, width)| layer.fan_out == width)
            && layers.windows(2).all(|pair| pair[0].fan_out == pair[1].fan_in)
            && layers[0].fan_in > 0
            && layers.iter().all(|layer| {
                layer.weights.iter().chain(&layer.biases).all(|value| value.is_finite())
            });
        if !fits {
            return Err(malformed("parts of the network do not fit together").into());
        }
        let network = Network { layers, activation: report.params.activation };
        Ok(Mlp { network, classes, report })
    }
}

impl Classifier for Mlp {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        let labels = self.map_rows(features, progress, |probabilities, out| {
            out.push(self.classes[winner(probabilities)]);
        })?;
        Ok(labels.into())
    }

    /// Probabilities.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let values = self.map_rows(features, progress, |probabilities, out| {
            // Normalised once more: the sum of roundings of single precision is not 1.
            let sum: f64 = probabilities.iter().map(|&p| f64::from(p)).sum();
            out.extend(probabilities.iter().map(|&p| f64::from(p) / sum));
        })?;
        let shape = (features.n_samples(), self.classes.len());
        let columns = Array2::from_shape_vec(shape, values)
            .map_err(|error| TensorFileError::Malformed(error.to_string()))?;
        Ok(Scores::of_classes(&self.classes, &columns, Meaning::Probability))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let document = json!({ "type": "mlp", "classes": self.classes, "report": self.report });
        let mut file = TensorFile::new(document);
        for (nth, layer) in self.network.layers.iter().enumerate() {
            let weights =
                ndarray::ArrayView2::from_shape((layer.fan_in, layer.fan_out), &layer.weights);
            file.insert_f32(
                &format!("layers.{nth}.weight"),
                weights.expect("a layer's weights are of its shape"),
            );
            let biases = ndarray::ArrayView1::from(&layer.biases);
            file.insert_f32(&format!("layers.{nth}.bias"), biases);
        }
        file
    }

    fn details(&self) -> Map<String, Value> {
        let report = &self.report;
        let n_parameters: usize =
            self.network.layers.iter().map(|layer| layer.weights.len() + layer.biases.len()).sum();
        let mut details = json!({
            "hidden": report.params.hidden,
            "activation": report.params.activation,
            "n_parameters": n_parameters,
            "n_iter": report.n_iter,
            "converged": report.converged,
            "loss": report.losses.last(),
        });
        if let Some(best) = report.validation_accuracies.iter().copied().reduce(f64::max) {
            details["validation_accuracy"] = json!(best);
        }
        details.as_object().cloned().unwrap_or_default()
    }
}

linfa_traits!(MlpValidParams, Mlp);
