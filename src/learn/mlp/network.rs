//! Layers, forward and backward.
//!
//! ```text
//! a_0 = x;  z_l = a_{l-1} W_l + b_l;  a_l = f(z_l);  p = softmax(z_L)
//! loss = sum_i w_i (-log p_i,y(i)) / sum_i w_i  +  alpha / 2 sum_l |W_l|^2 / sum_i w_i
//! delta_L = w (p - onehot(y)) / sum w;  delta_{l-1} = f'(z_{l-1}) . (delta_l W_l^T)
//! ```
//!
//! Products of single precision are cut into tiles of a fixed size: the same bits for any number of
//! threads.

use crate::data::{Features, Rng};
use crate::kernels::Cpu;
use crate::kernels::gemm::{Mat, gemm_tiled};
use crate::kernels::nn::elementwise::{add_bias, add_rows, relu_backward, scale_pixels};

use super::params::Activation;

/// Tile of a product, rows and columns.
const TILE: (usize, usize) = (100, 128);

/// A fully connected layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    /// `[fan_in, fan_out]`
    pub weights: Vec<f32>,
    /// `[fan_out]`
    pub biases: Vec<f32>,
    pub fan_in: usize,
    pub fan_out: usize,
}

/// Layers with one activation between them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    pub layers: Vec<Layer>,
    pub activation: Activation,
}

/// What one batch went through; kept from batch to batch.
#[derive(Default)]
pub(super) struct Buffers {
    /// `a_0 … a_L`, of the last the probabilities, `[n_rows, width]`.
    activations: Vec<Vec<f32>>,
    delta: Vec<f32>,
    upper: Vec<f32>,
}

/// Gradients of a layer.
#[derive(Clone)]
pub(super) struct Gradient {
    pub weights: Vec<f32>,
    pub biases: Vec<f32>,
}

impl Network {
    /// Weights and biases uniform within a bound (Glorot and Bengio, AISTATS 2010, 249-256), as
    /// scikit-learn.
    pub fn draw(sizes: &[usize], activation: Activation, rng: &mut Rng) -> Self {
        let factor = if activation == Activation::Logistic { 2.0 } else { 6.0 };
        let layer = |pair: &[usize]| {
            let (fan_in, fan_out) = (pair[0], pair[1]);
            let bound = (factor / (fan_in + fan_out) as f64).sqrt() as f32;
            let mut draw = |n: usize| (0..n).map(|_| rng.uniform_f32(-bound, bound)).collect();
            let (weights, biases) = (draw(fan_in * fan_out), draw(fan_out));
            Layer { weights, biases, fan_in, fan_out }
        };
        Network { layers: sizes.windows(2).map(layer).collect(), activation }
    }

    pub fn n_inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.fan_in)
    }

    pub fn n_classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.fan_out)
    }

    pub fn gradients(&self) -> Vec<Gradient> {
        let zeros = |layer: &Layer| Gradient {
            weights: vec![0.0; layer.weights.len()],
            biases: vec![0.0; layer.biases.len()],
        };
        self.layers.iter().map(zeros).collect()
    }

    /// Probabilities of some rows, `[n_rows, n_classes]`.
    pub fn forward<'a>(
        &self,
        features: &Features,
        rows: &[usize],
        buffers: &'a mut Buffers,
    ) -> &'a [f32] {
        let activations = &mut buffers.activations;
        activations.resize_with(self.layers.len() + 1, Vec::new);
        gather(features, rows, &mut activations[0]);
        for (l, layer) in self.layers.iter().enumerate() {
            let is_last = l + 1 == self.layers.len();
            let (before, after) = activations.split_at_mut(l + 1);
            let out = &mut after[0];
            out.resize(rows.len() * layer.fan_out, 0.0);
            let input = Mat::new(&before[l], rows.len(), layer.fan_in);
            let weights = Mat::new(&layer.weights, layer.fan_in, layer.fan_out);
            gemm_tiled(input, weights, out, TILE.0, TILE.1);
            let is_relu = !is_last && self.activation == Activation::Relu;
            add_bias(Cpu::detect(), out, &layer.biases, is_relu);
            match self.activation {
                _ if is_last => out.chunks_exact_mut(layer.fan_out).for_each(softmax),
                Activation::Relu => {}
                Activation::Tanh => out.iter_mut().for_each(|z| *z = z.tanh()),
                Activation::Logistic => out.iter_mut().for_each(|z| *z = 1.0 / (1.0 + (-*z).exp())),
            }
        }
        &activations[self.layers.len()]
    }

    /// Writes the gradients of the mean loss of the rows that [`Network::forward`] just saw, without
    /// the penalty; returns the sum of their weighted losses.
    pub fn backward(
        &self,
        classes: &[usize],
        weights: &[f32],
        buffers: &mut Buffers,
        gradients: &mut [Gradient],
    ) -> f64 {
        let Buffers { activations, delta, upper } = buffers;
        let n_rows = classes.len();
        let n_classes = self.n_classes();
        let total: f32 = weights.iter().sum();
        let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
        upper.clear();
        upper.extend_from_slice(&activations[self.layers.len()]);
        let mut loss = 0.0;
        for ((delta, &class), &weight) in
            upper.chunks_exact_mut(n_classes).zip(classes).zip(weights)
        {
            // A probability of 0 is what rounding made of one below 1e-38; what is not a number stays.
            let own = delta[class];
            let own = if own < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { own };
            loss -= f64::from(weight) * f64::from(own).ln();
            delta[class] -= 1.0;
            delta.iter_mut().for_each(|value| *value *= weight * scale);
        }
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let input = &activations[l];
            let of_upper = Mat::new(upper, n_rows, layer.fan_out);
            let gradient = &mut gradients[l];
            let transposed = Mat::new(input, n_rows, layer.fan_in).t();
            gemm_tiled(transposed, of_upper, &mut gradient.weights, TILE.0, TILE.1);
            gradient.biases.fill(0.0);
            add_rows(Cpu::detect(), upper, &mut gradient.biases);
            if l == 0 {
                break;
            }
            delta.resize(n_rows * layer.fan_in, 0.0);
            let weights = Mat::new(&layer.weights, layer.fan_in, layer.fan_out).t();
            gemm_tiled(of_upper, weights, delta, TILE.0, TILE.1);
            upper.resize(delta.len(), 0.0);
            let pairs = delta.iter().zip(input).zip(upper.iter_mut());
            match self.activation {
                Activation::Relu => relu_backward(Cpu::detect(), input, delta, upper),
                Activation::Tanh => pairs.for_each(|((d, a), out)| *out = d * (1.0 - a * a)),
                Activation::Logistic => pairs.for_each(|((d, a), out)| *out = d * a * (1.0 - a)),
            }
        }
        loss
    }

    /// Half the sum of the squared weights.
    pub fn half_squares(&self) -> f64 {
        let of_layer = |layer: &Layer| -> f64 {
            layer.weights.iter().map(|&w| f64::from(w) * f64::from(w)).sum()
        };
        0.5 * self.layers.iter().map(of_layer).sum::<f64>()
    }
}

/// Rows as real numbers, one after another.
fn gather(features: &Features, rows: &[usize], out: &mut Vec<f32>) {
    let n = features.n_features();
    out.resize(rows.len() * n, 0.0);
    for (&row, out) in rows.iter().zip(out.chunks_exact_mut(n)) {
        match features {
            Features::Bytes(all) => {
                let all = all.as_slice().expect("features are row-major");
                scale_pixels(Cpu::detect(), &all[row * n..][..n], 0.0, 1.0, out);
            }
            Features::Floats(all) => {
                let all = all.as_slice().expect("features are row-major");
                out.copy_from_slice(&all[row * n..][..n]);
            }
        }
    }
}

fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f32;
    for score in scores.iter_mut() {
        *score = (*score - largest).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}
