//! Epochs of training with validation, early stopping and checkpoints.
//!
//! Everything random is drawn from streams named by epoch and batch, and learning rates, kept epoch
//! and patience are functions of the history, so that a training continued from a checkpoint gives
//! the bits of one that was never interrupted.

use std::path::Path;
use std::time::Instant;

use super::architecture::Architecture;
use super::augmentation::Augmentation;
use super::backend::Backend;
use super::checkpoint::{self, Fingerprint};
use super::error::NnError;
use super::network::{Network, images};
use super::ops::{Buffers, cross_entropy};
use super::params::{Keep, Schedule, TrainParams};
use super::plan::{Fusion, Parameter, Plan};
use super::schedule::Rates;
use super::tape::{Gradients, Moment, Weights};
use super::{average, gradient, optimizer, transfer};
use crate::data::{Dataset, Rng};
use crate::metrics::EpochRecord;
use crate::progress::Progress;

/// Images of one validation chunk.
const N_IMAGES_PER_CHUNK: usize = 512;

/// A training loss of this many times that of guessing says that the training diverges.
const DIVERGED: f64 = 1000.0;

/// What training made.
#[derive(Debug)]
pub struct Trained {
    /// The network with the kept weights.
    pub network: Network,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// Epoch (from 1) whose weights were kept, see [`Keep`].
    pub best_epoch: usize,
    /// True if early stopping ended the training before the last epoch.
    pub stopped_early: bool,
}

/// Where a training stands after an epoch; a checkpoint holds all of it.
pub(super) struct Standing {
    pub weights: Weights,
    /// Moving average of the weights, if there is one.
    pub average: Option<Weights>,
    pub best_weights: Weights,
    pub optimizer: optimizer::State,
    pub history: Vec<EpochRecord>,
}

/// Trains `architecture` on the rows of `data.train` that are not held out.
///
/// Which epoch's weights are kept says [`TrainParams::keep`]; with [`TrainParams::ema_decay`] they
/// are the averaged ones, which are validated too. With `checkpoint_dir`, every epoch ends with a
/// checkpoint there, and training continues from one that fits; one that does not fit is a warning
/// and a fresh start.
///
/// # Errors
/// Parameters out of range, shapes or labels that do not fit, a loss that diverges, a checkpoint
/// that cannot be written, [`NnError::Interrupted`].
pub fn train(
    architecture: &Architecture,
    data: &Dataset,
    params: &TrainParams,
    seed: u64,
    checkpoint_dir: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained, NnError> {
    train_from(None, architecture, data, params, seed, checkpoint_dir, progress)
}

/// As [`train()`], beginning with the weights of `from` instead of random ones. The last layer
/// begins afresh if the numbers of classes differ.
///
/// # Errors
/// As there; [`NnError::OtherLayer`] if the networks differ elsewhere.
pub fn fine_tune(
    from: &Network,
    architecture: &Architecture,
    data: &Dataset,
    params: &TrainParams,
    seed: u64,
    checkpoint_dir: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained, NnError> {
    train_from(Some(from), architecture, data, params, seed, checkpoint_dir, progress)
}

fn train_from(
    from: Option<&Network>,
    architecture: &Architecture,
    data: &Dataset,
    params: &TrainParams,
    seed: u64,
    checkpoint_dir: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained, NnError> {
    let plan = check(architecture, data, params)?;
    // Before the checkpoint is read: a network that does not fit is refused either way.
    let start = start(&plan, data.n_classes(), params, seed, from)?;
    let fingerprint = checkpoint_dir
        .map(|dir| Fingerprint::new(dir, architecture, data, params, seed, from))
        .transpose()?;
    let restored =
        fingerprint.as_ref().and_then(|file| checkpoint::read(file, &plan, params, progress));
    let mut standing = restored.unwrap_or(start);
    let mut run = Run {
        plan: &plan,
        backend: Backend::new(params.engine, architecture, &plan, data.train.shape)?,
        data,
        params,
        seed,
        progress,
        fit_idx: data.fit_idx(),
        buffers: Buffers::default(),
    };
    let mut stopped_early = standing.is_stale(params);
    while standing.history.len() < params.epochs && !stopped_early {
        // A thread of the pool starts parallel loops without waking and waiting for another.
        rayon::scope(|_| run.epoch(&mut standing))?;
        if let Some(file) = &fingerprint {
            checkpoint::write(file, &plan, &standing)?;
        }
        stopped_early = standing.is_stale(params);
    }
    stopped_early &= standing.history.len() < params.epochs;
    let best_epoch = kept_epoch(params.keep, &standing.history);
    let Standing { best_weights, history, .. } = standing;
    let (shape, precision) = (data.train.shape, params.precision);
    let network = Network::new(architecture, shape, data.n_classes(), precision, best_weights)?;
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
    let mut plan = Plan::new(architecture, data.train.shape, n_classes, Fusion::On)?;
    plan.precision = params.precision;
    transfer::freeze(&mut plan, architecture.name(), &params.freeze)?;
    if n_images == 0 {
        return Err(NnError::NoImages { dataset: data.name.clone() });
    }
    if params.batch_size > n_images {
        return Err(NnError::BatchTooLarge { batch_size: params.batch_size, n_images });
    }
    let watches = match (params.schedule, params.early_stopping) {
        (Schedule::Plateau { .. }, _) => Some("schedule = \"plateau\""),
        (_, Some(_)) => Some("early_stopping"),
        _ => None,
    };
    if let Some(setting) = watches.filter(|_| data.validation_idx.is_empty()) {
        return Err(NnError::NoValidation { setting, dataset: data.name.clone() });
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
fn start(
    plan: &Plan,
    n_classes: usize,
    params: &TrainParams,
    seed: u64,
    from: Option<&Network>,
) -> Result<Standing, NnError> {
    let first = |parameter: &Parameter| parameter.initialise(seed, params.initialisation);
    let mut weights: Weights = plan.parameters.iter().map(first).collect();
    if let Some(from) = from {
        transfer::adopt(plan, n_classes, &mut weights, from)?;
    }
    Ok(Standing {
        average: params.ema_decay.map(|_| weights.clone()),
        best_weights: weights.clone(),
        weights,
        optimizer: optimizer::State::new(&plan.parameters),
        history: Vec::new(),
    })
}

impl Standing {
    /// True if the validation loss has not improved for as long as early stopping waits.
    fn is_stale(&self, params: &TrainParams) -> bool {
        let n_since_best = self.history.len() - kept_epoch(Keep::BestLoss, &self.history);
        params.early_stopping.is_some_and(|patience| n_since_best >= patience)
    }

    /// The weights that are validated and kept.
    fn judged(&self) -> &Weights {
        self.average.as_ref().unwrap_or(&self.weights)
    }
}

/// Epoch (from 1) of `history` whose weights are kept.
fn kept_epoch(keep: Keep, history: &[EpochRecord]) -> usize {
    let value = |record: &EpochRecord| match keep {
        Keep::BestLoss => record.validation_loss.map(|loss| -loss),
        Keep::BestAccuracy => record.validation_accuracy,
        Keep::Last => None,
    };
    let mut best: Option<(usize, f64)> = None;
    for record in history {
        if let Some(value) = value(record).filter(|v| best.is_none_or(|(_, best)| *v > best)) {
            best = Some((record.epoch, value));
        }
    }
    best.map_or(history.len(), |(epoch, _)| epoch)
}

/// What a batch found.
struct Losses {
    /// Sum of the losses of the images, penalties included.
    loss_sum: f64,
    /// Images labelled right before the step.
    n_right: usize,
}

/// What all epochs read.
struct Run<'a> {
    plan: &'a Plan,
    backend: Backend<'a>,
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
        let epoch = standing.history.len() + 1;
        let mut order = self.fit_idx.clone();
        Rng::new(self.seed, &["shuffle", &epoch.to_string()]).shuffle(&mut order);
        let n_batches = order.len().div_ceil(self.params.batch_size);
        let rates = Rates::new(self.params, n_batches, &standing.history);
        let (mut loss_sum, mut n_right, mut n_seen, mut learning_rate) = (0.0, 0, 0, 0.0);
        let last = standing.history.last().and_then(|record| record.validation_loss);
        for (position, rows) in order.chunks(self.params.batch_size).enumerate() {
            let batch = position + 1;
            if self.progress.interrupted() {
                return Err(NnError::Interrupted);
            }
            let done = (epoch - 1) * n_batches + batch;
            learning_rate = rates.at(done - 1);
            let moment = Moment { seed: self.seed, epoch, batch };
            let found = self.batch(standing, rows, learning_rate, moment)?;
            (loss_sum, n_right) = (loss_sum + found.loss_sum, n_right + found.n_right);
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
            self.progress.update(done as u64, (self.params.epochs * n_batches) as u64, &note);
        }
        let validation = self.validate(standing.judged())?;
        if let Some((loss, _)) = validation {
            self.check_loss("validation loss", loss, epoch, n_batches)?;
        }
        standing.history.push(EpochRecord {
            epoch,
            train_loss: loss_sum / n_seen as f64,
            train_accuracy: n_right as f64 / n_seen as f64,
            validation_loss: validation.map(|(loss, _)| loss),
            validation_accuracy: validation.map(|(_, accuracy)| accuracy),
            learning_rate,
            seconds: started.elapsed().as_secs_f64(),
        });
        if kept_epoch(self.params.keep, &standing.history) == epoch {
            standing.best_weights = standing.judged().clone();
        }
        Ok(())
    }

    /// One step.
    fn batch(
        &self,
        standing: &mut Standing,
        rows: &[usize],
        learning_rate: f64,
        moment: Moment,
    ) -> Result<Losses, NnError> {
        let params = self.params;
        let labels: Vec<usize> = rows.iter().map(|row| self.data.train.labels[*row]).collect();
        let change = Augmentation::new(&params.augment, self.data.train.shape, moment);
        let x = self.images(rows, change.as_ref())?;
        let Standing { weights, average, optimizer, .. } = standing;
        let smoothing = params.label_smoothing;
        let Gradients { mut loss_sum, n_right, mut grads, running } =
            self.backend.gradients(weights, x, &labels, smoothing, moment, &self.buffers)?;
        self.check_loss("loss", loss_sum / rows.len() as f64, moment.epoch, moment.batch)?;
        let parameters = &self.plan.parameters;
        for (parameter, grad) in parameters.iter().zip(&mut grads) {
            if !parameter.is_trained {
                self.buffers.keep_floats(std::mem::take(grad));
            }
        }
        loss_sum += rows.len() as f64 * gradient::penalise(parameters, weights, &mut grads);
        if let Some(max_norm) = params.clip_norm {
            gradient::clip(&mut grads, max_norm);
        }
        optimizer.step(params, learning_rate, parameters, weights, &grads);
        for (position, values) in running {
            weights[position] = values;
        }
        if let (Some(average), Some(decay)) = (average, params.ema_decay) {
            average::update(average, weights, decay, optimizer.n_steps);
        }
        grads.into_iter().for_each(|grad| self.buffers.keep_floats(grad));
        Ok(Losses { loss_sum, n_right })
    }

    fn images(&self, rows: &[usize], change: Option<&Augmentation>) -> Result<Vec<f32>, NnError> {
        let (train, scale) = (&self.data.train, self.plan.pixels);
        let n_pixels = train.shape.n_pixels();
        images(train.pixels.view(), rows, n_pixels, scale, change, &self.buffers)
    }

    /// Refuses a mean loss that is not finite, or beyond what a training comes back from.
    fn check_loss(
        &self,
        what: &'static str,
        loss: f64,
        epoch: usize,
        batch: usize,
    ) -> Result<(), NnError> {
        let guessing = (self.data.n_classes().max(2) as f64).ln();
        if loss.is_finite() && loss <= DIVERGED * guessing {
            return Ok(());
        }
        Err(NnError::Diverged { what, loss, epoch, batch })
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
            let scores = self.backend.scores(weights, x, rows.len(), &self.buffers)?;
            let labels: Vec<usize> = rows.iter().map(|row| train.labels[*row]).collect();
            let found = cross_entropy(&scores, &labels, 0.0);
            (loss, n_right) = (loss + found.sum, n_right + found.n_right);
            self.buffers.keep_floats(scores);
        }
        let n = rows.len() as f64;
        Ok(Some((loss / n, n_right as f64 / n)))
    }
}
