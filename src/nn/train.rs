//! Epochs of training with validation, early stopping and checkpoints.
//!
//! Everything random is drawn from streams named by epoch and batch, so that a training continued
//! from a checkpoint gives the bits of one that was never interrupted.

use std::path::Path;
use std::time::Instant;

use super::architecture::Architecture;
use super::augmentation::Augmentation;
use super::checkpoint::{self, Fingerprint};
use super::error::NnError;
use super::network::{Network, images};
use super::ops::{Buffers, cross_entropy};
use super::optimizer;
use super::params::TrainParams;
use super::plan::{Fusion, Plan};
use super::tape::{self, Moment, Weights, gradients};
use crate::data::{Dataset, Rng};
use crate::metrics::EpochRecord;
use crate::progress::Progress;

/// Images of one validation chunk.
const N_IMAGES_PER_CHUNK: usize = 512;

/// What training made.
#[derive(Debug)]
pub struct Trained {
    /// The network with the kept weights.
    pub network: Network,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// Epoch (from 1) whose weights were kept: the best validation loss, or the last epoch if
    /// there are no validation images.
    pub best_epoch: usize,
    /// True if early stopping ended the training before the last epoch.
    pub stopped_early: bool,
}

/// Where a training stands after an epoch; a checkpoint holds all of it.
pub(super) struct Standing {
    pub weights: Weights,
    pub best_weights: Weights,
    pub optimizer: optimizer::State,
    pub log: Log,
}

/// The part of [`Standing`] that is not arrays.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub history: Vec<EpochRecord>,
    pub best_epoch: usize,
    pub best_loss: Option<f64>,
}

/// Trains `architecture` on the rows of `data.train` that are not held out.
///
/// The weights with the best validation loss are kept (the last ones without validation images).
/// With `checkpoint_dir`, every epoch ends with a checkpoint there, and training continues from one
/// that fits; one that does not fit is a warning and a fresh start.
///
/// # Errors
/// Parameters out of range, shapes or labels that do not fit, a loss that is not finite, a
/// checkpoint that cannot be written, [`NnError::Interrupted`].
pub fn train(
    architecture: &Architecture,
    data: &Dataset,
    params: &TrainParams,
    seed: u64,
    checkpoint_dir: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained, NnError> {
    let plan = check(architecture, data, params)?;
    let fingerprint = checkpoint_dir
        .map(|dir| Fingerprint::new(dir, architecture, data, params, seed))
        .transpose()?;
    let restored = fingerprint.as_ref().and_then(|file| checkpoint::read(file, &plan, progress));
    let mut standing = match restored {
        Some(standing) => standing,
        None => start(&plan, seed),
    };
    let mut run = Run {
        plan: &plan,
        data,
        params,
        seed,
        progress,
        fit_idx: data.fit_idx(),
        buffers: Buffers::default(),
    };
    let mut stopped_early = standing.is_stale(params);
    while standing.log.history.len() < params.epochs && !stopped_early {
        // A thread of the pool starts parallel loops without waking and waiting for another.
        rayon::scope(|_| run.epoch(&mut standing))?;
        if let Some(file) = &fingerprint {
            checkpoint::write(file, &plan, &standing)?;
        }
        stopped_early = standing.is_stale(params);
    }
    stopped_early &= standing.log.history.len() < params.epochs;
    let Standing { best_weights, log, .. } = standing;
    let network = Network::new(architecture, data.train.shape, data.n_classes(), best_weights)?;
    let Log { history, best_epoch, .. } = log;
    Ok(Trained { network, history, best_epoch, stopped_early })
}

/// Checks parameters and data against each other before anything runs.
fn check(
    architecture: &Architecture,
    data: &Dataset,
    params: &TrainParams,
) -> Result<Plan, NnError> {
    params.check()?;
    params.augment.check(data.train.shape).map_err(NnError::Augment)?;
    let (n_classes, n_images) = (data.n_classes(), data.train.len() - data.validation_idx.len());
    let plan = Plan::new(architecture, data.train.shape, n_classes, Fusion::Training)?;
    if n_images == 0 {
        return Err(NnError::NoImages { dataset: data.name.clone() });
    }
    if params.batch_size > n_images {
        return Err(NnError::BatchTooLarge { batch_size: params.batch_size, n_images });
    }
    if data.train.pixels.ncols() != data.train.shape.n_pixels() {
        return Err(NnError::PixelCount {
            found: data.train.pixels.ncols(),
            expected: data.train.shape.n_pixels(),
        });
    }
    match data.train.labels.iter().position(|label| *label >= n_classes) {
        Some(row) => Err(NnError::Label { label: data.train.labels[row], row, n_classes }),
        None => Ok(plan),
    }
}

/// The standing before the first epoch.
fn start(plan: &Plan, seed: u64) -> Standing {
    let weights: Weights =
        plan.parameters.iter().map(|parameter| parameter.initialise(seed)).collect();
    let optimizer = optimizer::State::new(plan.parameters.iter().map(|p| p.n_values()));
    Standing { best_weights: weights.clone(), weights, optimizer, log: Log::default() }
}

impl Standing {
    /// True if the validation loss has not improved for as long as early stopping waits.
    fn is_stale(&self, params: &TrainParams) -> bool {
        let n_since_best = self.log.history.len() - self.log.best_epoch;
        let has_validation = self.log.best_loss.is_some();
        has_validation && params.early_stopping.is_some_and(|patience| n_since_best >= patience)
    }
}

/// What all epochs read.
struct Run<'a> {
    plan: &'a Plan,
    data: &'a Dataset,
    params: &'a TrainParams,
    seed: u64,
    progress: &'a dyn Progress,
    fit_idx: Vec<usize>,
    buffers: Buffers,
}

impl Run<'_> {
    fn epoch(&mut self, standing: &mut Standing) -> Result<(), NnError> {
        let started = Instant::now();
        let epoch = standing.log.history.len() + 1;
        let mut order = self.fit_idx.clone();
        Rng::new(self.seed, &["shuffle", &epoch.to_string()]).shuffle(&mut order);
        let n_batches = order.len().div_ceil(self.params.batch_size);
        let (mut loss_sum, mut n_right, mut n_seen) = (0.0, 0, 0);
        let last = standing.log.history.last().and_then(|record| record.validation_loss);
        for (position, rows) in order.chunks(self.params.batch_size).enumerate() {
            let batch = position + 1;
            if self.progress.interrupted() {
                return Err(NnError::Interrupted);
            }
            let moment = Moment { seed: self.seed, epoch, batch };
            let (loss, right) = self.batch(standing, rows, moment)?;
            (loss_sum, n_right) = (loss_sum + loss, n_right + right);
            n_seen += rows.len();
            let mut note = format!(
                "epoch {epoch}/{}  loss {:.3}  acc {:.3}",
                self.params.epochs,
                loss_sum / n_seen as f64,
                n_right as f64 / n_seen as f64
            );
            if let Some(validation) = last {
                note.push_str(&format!("  val {validation:.3}"));
            }
            let done = (epoch - 1) * n_batches + batch;
            self.progress.update(done as u64, (self.params.epochs * n_batches) as u64, &note);
        }
        let validation = self.validate(&standing.weights)?;
        let is_best = match (validation, standing.log.best_loss) {
            (Some((loss, _)), Some(best)) => loss < best,
            _ => true,
        };
        if is_best {
            standing.log.best_epoch = epoch;
            standing.log.best_loss = validation.map(|(loss, _)| loss);
            standing.best_weights.clone_from(&standing.weights);
        }
        standing.log.history.push(EpochRecord {
            epoch,
            train_loss: loss_sum / n_seen as f64,
            train_accuracy: n_right as f64 / n_seen as f64,
            validation_loss: validation.map(|(loss, _)| loss),
            validation_accuracy: validation.map(|(_, accuracy)| accuracy),
            learning_rate: self.params.learning_rate,
            seconds: started.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// One step; returns the sum of the losses and the number of images labelled right before it.
    fn batch(
        &self,
        standing: &mut Standing,
        rows: &[usize],
        moment: Moment,
    ) -> Result<(f64, usize), NnError> {
        let train = &self.data.train;
        let change = Augmentation::new(&self.params.augment, train.shape, moment);
        let x = self.images(rows, change.as_ref())?;
        let labels: Vec<usize> = rows.iter().map(|row| train.labels[*row]).collect();
        let Standing { weights, optimizer, .. } = standing;
        let step = gradients(self.plan, weights, x, &labels, 0.0, moment, &self.buffers);
        let mean = step.loss_sum / rows.len() as f64;
        if !mean.is_finite() {
            let Moment { epoch, batch, .. } = moment;
            return Err(NnError::NotFinite { loss: mean, epoch, batch });
        }
        optimizer.step(self.params, weights, &step.grads);
        for (position, values) in step.running {
            weights[position] = values;
        }
        for grad in step.grads {
            self.buffers.keep_floats(grad);
        }
        Ok((step.loss_sum, step.n_right))
    }

    fn images(&self, rows: &[usize], change: Option<&Augmentation>) -> Result<Vec<f32>, NnError> {
        let (train, scale) = (&self.data.train, self.plan.pixels);
        let n_pixels = train.shape.n_pixels();
        images(train.pixels.view(), rows, n_pixels, scale, change, &self.buffers)
    }

    /// Mean loss and accuracy of the validation images; none if there are none.
    fn validate(&self, weights: &Weights) -> Result<Option<(f64, f64)>, NnError> {
        let (train, rows) = (&self.data.train, &self.data.validation_idx);
        if rows.is_empty() {
            return Ok(None);
        }
        let (mut loss, mut n_right) = (0.0, 0);
        for rows in rows.chunks(N_IMAGES_PER_CHUNK) {
            if self.progress.interrupted() {
                return Err(NnError::Interrupted);
            }
            let x = self.images(rows, None)?;
            let n_steps = self.plan.steps.len();
            let scores = tape::infer(self.plan, n_steps, weights, x, rows.len(), &self.buffers);
            let labels: Vec<usize> = rows.iter().map(|row| train.labels[*row]).collect();
            let found = cross_entropy(&scores, &labels, 0.0);
            (loss, n_right) = (loss + found.sum, n_right + found.n_right);
            self.buffers.keep_floats(scores);
        }
        let n = rows.len() as f64;
        Ok(Some((loss / n, n_right as f64 / n)))
    }
}
