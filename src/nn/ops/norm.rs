//! Batch normalisation (Ioffe & Szegedy, 2015), and ReLU if it follows.
//!
//! ```text
//! y = weight (x - mean) / sqrt(variance + eps) + bias
//! running = (1 - momentum) running + momentum batch     the running variance divides by n - 1
//! ```

use std::ops::Range;

use rayon::prelude::*;

use super::Buffers;
use crate::kernels::Cpu;
use crate::kernels::nn::norm::{self, Affine, GradientMap};

/// Rows of one task, and of one partial sum in `f32`.
const N_ROWS_PER_CHUNK: usize = 512;

/// Mean and variance of every channel of a batch; the variance divides by `n`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

/// One normalisation of `[n, n_channels]` rows.
pub struct BatchNorm<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub eps: f64,
    /// Statistics do not follow the rows: nothing flows back through them.
    pub is_frozen: bool,
    pub relu: bool,
    pub buffers: &'a Buffers,
}

/// `y = scale x + shift` of every channel, and ReLU if it follows; what that is of a batch whose mean is
/// `mean`.
#[derive(Clone, Debug)]
pub struct Map {
    scale: Vec<f32>,
    shift: Vec<f32>,
    mean: Vec<f32>,
    relu: bool,
}

impl Map {
    /// As the kernels take it.
    pub fn affine(&self) -> Affine<'_> {
        Affine { scale: &self.scale, shift: &self.shift, relu: self.relu }
    }

    /// Factors and summands.
    pub fn into_parts(self) -> (Vec<f32>, Vec<f32>) {
        (self.scale, self.shift)
    }

    /// Writes the mapped rows.
    pub fn apply(&self, rows: &[f32], buffers: &Buffers) -> Vec<f32> {
        let (level, size) = (Cpu::detect(), N_ROWS_PER_CHUNK * self.scale.len());
        let mut out = buffers.floats(rows.len());
        out.par_chunks_mut(size)
            .zip(rows.par_chunks(size))
            .for_each(|(out, rows)| norm::affine(level, rows, self.affine(), out));
        out
    }

    /// By chunks, `sum(g)` and `sum(g (x - mean))` of every channel: the gradients that the ReLU lets
    /// through, and their products with rows.
    pub fn gradient_sums(&self, rows: &[f32], grad: &[f32]) -> Vec<Vec<f32>> {
        sum_chunks(rows.len(), self.mean.len(), |range, sums| {
            self.add_gradient_sums(&rows[range.clone()], &grad[range], sums);
        })
    }

    /// Adds one chunk's to `sums`.
    pub fn add_gradient_sums(&self, rows: &[f32], grad: &[f32], sums: &mut [f32]) {
        let (sums, products) = sums.split_at_mut(self.mean.len());
        let (level, map) = (Cpu::detect(), self.affine());
        norm::gradient_sums(level, rows, grad, map, &self.mean, sums, products);
    }

    /// Channels.
    pub fn n_channels(&self) -> usize {
        self.mean.len()
    }
}

/// Gradients of weight and bias, and what those of the rows follow from.
pub struct Slopes {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    mean_gradient: Vec<f32>,
    slope: Vec<f32>,
}

impl Slopes {
    /// The map of a row and the gradient of what it became to its own.
    pub fn map<'a>(&'a self, map: &'a Map) -> GradientMap<'a> {
        GradientMap {
            forward: map.affine(),
            mean: &map.mean,
            mean_gradient: &self.mean_gradient,
            slope: &self.slope,
        }
    }
}

impl Statistics {
    /// Those of a batch.
    pub fn of(rows: &[f32], n_channels: usize) -> Self {
        let level = Cpu::detect();
        let Some(shift) = rows.get(..n_channels) else { return Statistics::default() };
        let chunks = sum_chunks(rows.len(), n_channels, |range, sums| {
            let (sums, squares) = sums.split_at_mut(n_channels);
            norm::channel_sums(level, &rows[range], shift, sums, squares);
        });
        Statistics::of_chunks(&chunks, shift, rows.len() / n_channels)
    }

    /// Those of `n` rows, from `sum(x - shift)` and `sum((x - shift)^2)` of every channel, by chunks.
    pub fn of_chunks(chunks: &[Vec<f32>], shift: &[f32], n: usize) -> Self {
        let n = n as f64;
        let (mean, variance) = add_chunks(chunks, shift.len())
            .zip(shift)
            .map(|((sum, square), &shift)| {
                let mean = sum / n;
                let variance = (square / n - mean * mean).max(0.0);
                ((mean + f64::from(shift)) as f32, variance as f32)
            })
            .unzip();
        Statistics { mean, variance }
    }

    /// What running statistics become after a batch of `n` rows.
    pub fn moved(&self, running: [&[f32]; 2], momentum: f64, n: usize) -> [Vec<f32>; 2] {
        let unbiased = n as f64 / (n.max(2) - 1) as f64;
        let mix = |old: &[f32], new: &[f32], factor: f64| {
            let pairs = old.iter().zip(new);
            pairs
                .map(|(&old, &new)| {
                    let (old, new) = (f64::from(old), f64::from(new) * factor);
                    ((1.0 - momentum) * old + momentum * new) as f32
                })
                .collect()
        };
        [mix(running[0], &self.mean, 1.0), mix(running[1], &self.variance, unbiased)]
    }

    fn inverse_deviation(&self, eps: f64) -> Vec<f32> {
        self.variance.iter().map(|v| (1.0 / (f64::from(*v) + eps).sqrt()) as f32).collect()
    }
}

/// What `add` sums over chunks of rows, two for each channel.
fn sum_chunks(
    n_values: usize,
    n_channels: usize,
    add: impl Fn(Range<usize>, &mut [f32]) + Sync,
) -> Vec<Vec<f32>> {
    let size = N_ROWS_PER_CHUNK * n_channels;
    (0..n_values.div_ceil(size))
        .into_par_iter()
        .map(|i| {
            let mut sums = vec![0.0; 2 * n_channels];
            add(i * size..((i + 1) * size).min(n_values), &mut sums);
            sums
        })
        .collect()
}

/// The two sums of every channel over all chunks, in `f64` and in their order.
fn add_chunks(chunks: &[Vec<f32>], n_channels: usize) -> impl Iterator<Item = (f64, f64)> {
    (0..n_channels).map(move |channel| {
        let sum = |at: usize| chunks.iter().map(|sums| f64::from(sums[at])).sum();
        (sum(channel), sum(n_channels + channel))
    })
}

impl BatchNorm<'_> {
    /// The normalisation by given statistics.
    pub fn map(&self, statistics: &Statistics) -> Map {
        let inverse = statistics.inverse_deviation(self.eps);
        let scale: Vec<f32> = self.weight.iter().zip(&inverse).map(|(w, i)| w * i).collect();
        let shift = self.bias.iter().zip(&statistics.mean).zip(&scale);
        let shift = shift.map(|((bias, mean), scale)| bias - mean * scale).collect();
        Map { scale, shift, mean: statistics.mean.clone(), relu: self.relu }
    }

    /// Gradients given the statistics of a batch of `n` rows and the chunks of
    /// [`Map::gradient_sums`].
    pub fn slopes(&self, statistics: &Statistics, chunks: &[Vec<f32>], n: usize) -> Slopes {
        let n_channels = self.weight.len();
        let sums: Vec<(f64, f64)> = add_chunks(chunks, n_channels).collect();
        let inverse = statistics.inverse_deviation(self.eps);
        let per_channel = |value: &dyn Fn(usize) -> f64| -> Vec<f32> {
            (0..n_channels).map(|channel| value(channel) as f32).collect()
        };
        let share = if self.is_frozen { 0.0 } else { 1.0 / n as f64 };
        Slopes {
            weight: per_channel(&|i| sums[i].1 * f64::from(inverse[i])),
            bias: per_channel(&|i| sums[i].0),
            mean_gradient: per_channel(&|i| sums[i].0 * share),
            slope: per_channel(&|i| sums[i].1 * share * f64::from(inverse[i]).powi(2)),
        }
    }

    /// The gradient of the rows.
    pub fn backward(&self, rows: &[f32], grad: &[f32], map: GradientMap<'_>) -> Vec<f32> {
        let (level, size) = (Cpu::detect(), N_ROWS_PER_CHUNK * self.weight.len());
        let mut out = self.buffers.floats(rows.len());
        out.par_chunks_mut(size)
            .zip(rows.par_chunks(size))
            .zip(grad.par_chunks(size))
            .for_each(|((out, rows), grad)| norm::gradient(level, rows, grad, map, out));
        out
    }
}
