//! Epochs of Adam over shuffled batches, and when they end.

use super::network::{Buffers, Network};
use super::params::MlpValidParams;
use crate::data::{Features, Rng};
use crate::kernels::Cpu;
use crate::kernels::nn::adam::{AdamStep, adam};
use crate::learn::LearnError;
use crate::progress::Progress;

/// Adam's constants (Kingma and Ba, 2015).
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;
/// Held-out rows predicted at a time.
const BATCH: usize = 500;

/// Rows of a fit.
pub(super) struct Rows<'a> {
    pub features: &'a Features,
    /// Position of each row's class.
    pub classes: &'a [usize],
    pub weights: Option<&'a [f64]>,
}

/// How training went.
pub(super) struct Course {
    pub n_iter: usize,
    /// Whether it ended before `max_iter`.
    pub converged: bool,
    /// Mean loss of each epoch, the penalty included.
    pub losses: Vec<f64>,
    /// Accuracy on the held-out rows after each epoch, if there are any.
    pub validation: Vec<f64>,
}

impl Rows<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }
}

/// Adam's moments of one array.
struct Moments {
    m: Vec<f32>,
    v: Vec<f32>,
}

impl Moments {
    fn new(n: usize) -> Self {
        Moments { m: vec![0.0; n], v: vec![0.0; n] }
    }
}

/// Trains on the rows `training`; with rows `held_out`, keeps the epoch that is best on them.
///
/// # Errors   if the loss is not finite, or the user asks to stop
pub(super) fn train(
    params: &MlpValidParams,
    network: &mut Network,
    rows: &Rows,
    training: &[usize],
    held_out: &[usize],
    rng: &mut Option<Rng>,
    progress: &dyn Progress,
) -> Result<Course, LearnError> {
    let mut course =
        Course { n_iter: 0, converged: false, losses: Vec::new(), validation: Vec::new() };
    let mut moments: Vec<(Moments, Moments)> = network
        .layers
        .iter()
        .map(|layer| (Moments::new(layer.weights.len()), Moments::new(layer.biases.len())))
        .collect();
    let mut gradients = network.gradients();
    let mut buffers = Buffers::default();
    let mut order = training.to_vec();
    let (mut best_loss, mut best_accuracy, mut n_idle) = (f64::INFINITY, f64::NEG_INFINITY, 0);
    let mut best: Option<Network> = None;
    let mut n_steps = 0;
    while course.n_iter < params.max_iter && !course.converged {
        if let Some(rng) = rng {
            rng.shuffle(&mut order);
        }
        let mut loss = 0.0;
        for batch in order.chunks(params.batch_size) {
            if progress.interrupted() {
                return Err(LearnError::Interrupted);
            }
            let classes: Vec<usize> = batch.iter().map(|&row| rows.classes[row]).collect();
            let weights: Vec<f32> = batch.iter().map(|&row| rows.weight(row) as f32).collect();
            let total: f64 = batch.iter().map(|&row| rows.weight(row)).sum();
            if total <= 0.0 {
                continue;
            }
            network.forward(rows.features, batch, &mut buffers);
            let penalty = params.alpha * network.half_squares();
            let of_batch = network.backward(&classes, &weights, &mut buffers, &mut gradients);
            loss += (of_batch + penalty) / total * batch.len() as f64;
            n_steps += 1;
            let decay = |beta: f64| 1.0 - beta.powi(n_steps);
            let root_correction2 = decay(BETA2).sqrt();
            let step = AdamStep {
                share1: 1.0 - BETA1 as f32,
                beta2: BETA2 as f32,
                share2: 1.0 - BETA2 as f32,
                // scikit-learn adds it before the second moment's correction.
                eps: (EPS / root_correction2) as f32,
                step_size: (params.learning_rate / decay(BETA1)) as f32,
                root_correction2: root_correction2 as f32,
                l2: (params.alpha / total) as f32,
                shrink: 1.0,
            };
            let unpenalised = AdamStep { l2: 0.0, ..step };
            for ((layer, gradient), (weights, biases)) in
                network.layers.iter_mut().zip(&gradients).zip(&mut moments)
            {
                let cpu = Cpu::detect();
                let Moments { m, v } = weights;
                adam(cpu, step, &mut layer.weights, &gradient.weights, m, v);
                let Moments { m, v } = biases;
                adam(cpu, unpenalised, &mut layer.biases, &gradient.biases, m, v);
            }
        }
        course.n_iter += 1;
        let loss = loss / order.len() as f64;
        course.losses.push(loss);
        if !loss.is_finite() {
            return Err(LearnError::Diverged { epoch: course.n_iter, loss });
        }
        let is_idle = if held_out.is_empty() {
            let is_idle = loss > best_loss - params.tol;
            best_loss = best_loss.min(loss);
            is_idle
        } else {
            let accuracy = accuracy(network, rows, held_out, &mut buffers);
            course.validation.push(accuracy);
            let is_idle = accuracy < best_accuracy + params.tol;
            if accuracy > best_accuracy {
                best_accuracy = accuracy;
                best = Some(network.clone());
            }
            is_idle
        };
        n_idle = if is_idle { n_idle + 1 } else { 0 };
        course.converged = n_idle > params.n_iter_no_change;
        let note = format!("loss {loss:.4}");
        progress.update(course.n_iter as u64, params.max_iter as u64, &note);
    }
    if let Some(best) = best {
        *network = best;
    }
    Ok(course)
}

/// Weighted share of rows labelled right.
fn accuracy(network: &Network, rows: &Rows, which: &[usize], buffers: &mut Buffers) -> f64 {
    let (mut right, mut total) = (0.0, 0.0);
    for batch in which.chunks(BATCH) {
        let probabilities = network.forward(rows.features, batch, buffers);
        for (&row, probabilities) in
            batch.iter().zip(probabilities.chunks_exact(network.n_classes()))
        {
            total += rows.weight(row);
            if winner(probabilities) == rows.classes[row] {
                right += rows.weight(row);
            }
        }
    }
    right / total
}

/// Position of the largest probability, the first of equals.
pub(super) fn winner(probabilities: &[f32]) -> usize {
    let best = probabilities.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.map_or(0, |(class, _)| class)
}
