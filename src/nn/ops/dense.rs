//! Fully connected layer with bias, and ReLU if it follows.

use rayon::prelude::*;

use super::Buffers;
use crate::kernels::Cpu;
use crate::kernels::gemm::{Mat, gemm_parts, gemm_tiled};
use crate::kernels::nn::elementwise;

/// Images per product of a forward pass over few inputs or very many images.
const TILE_IMAGES: usize = 128;
/// Inputs per product, forward and backward: eight products for the 5,408 inputs of a3.
const TILE_INPUTS: usize = 688;
/// Most images whose forward pass is cut by inputs; the partial sums of more would fill memory.
const MAX_IMAGES_BY_INPUTS: usize = 512;
/// Images whose partial sums are added by one task.
const N_IMAGES_PER_SUM: usize = 32;

/// One dense layer; weights are `[n_in, n_out]`, as Keras lays them out.
pub struct Dense<'a> {
    /// Values per image that enter.
    pub n_in: usize,
    /// Values per image that leave.
    pub n_out: usize,
    /// ReLU follows.
    pub relu: bool,
    /// Memory for outputs and gradients.
    pub buffers: &'a Buffers,
}

/// Gradients of weights and bias, and of the inputs where asked.
pub struct Gradients {
    pub inputs: Option<Vec<f32>>,
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Dense<'_> {
    /// Runs forward over `x`; an absent bias is zero.
    pub fn forward(&self, x: &[f32], weights: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let (n, level) = (x.len() / self.n_in, Cpu::detect());
        let no_bias = vec![0.0; self.n_out];
        let bias = bias.unwrap_or(&no_bias);
        let mut out = self.buffers.floats(n * self.n_out);
        let (x, weights) = (Mat::new(x, n, self.n_in), Mat::new(weights, self.n_in, self.n_out));
        if self.n_in > TILE_INPUTS && n <= MAX_IMAGES_BY_INPUTS {
            let n_parts = self.n_in.div_ceil(TILE_INPUTS);
            self.forward_by_inputs(x, weights, bias, n_parts, &mut out);
        } else {
            gemm_tiled(x, weights, &mut out, TILE_IMAGES, self.n_out);
            elementwise::add_bias(level, &mut out, bias, self.relu);
        }
        out
    }

    /// Runs backward, given what entered, what left, and the gradient of that.
    pub fn backward(
        &self,
        (x, y, grad): (&[f32], &[f32], &[f32]),
        weights: &[f32],
        needs_input_grad: bool,
    ) -> Gradients {
        let (n_in, n_out, level) = (self.n_in, self.n_out, Cpu::detect());
        let n = x.len() / n_in;
        let mut grad_x = self.buffers.floats(if needs_input_grad { n * n_in } else { 0 });
        let mut grad_weights = self.buffers.floats(n_in * n_out);
        let mut grad_bias = vec![0.0; n_out];
        let mut grad_sums = self.buffers.floats(n * n_out);
        if self.relu {
            elementwise::relu_backward(level, y, grad, &mut grad_sums);
        } else {
            grad_sums.copy_from_slice(grad);
        }
        elementwise::add_rows(level, &grad_sums, &mut grad_bias);
        let sums = Mat::new(&grad_sums, n, n_out);
        let (x, weights) = (Mat::new(x, n, n_in), Mat::new(weights, n_in, n_out));
        rayon::join(
            || gemm_tiled(x.t(), sums, &mut grad_weights, TILE_INPUTS, n_out),
            || {
                if needs_input_grad {
                    gemm_tiled(sums, weights.t(), &mut grad_x, n, TILE_INPUTS);
                }
            },
        );
        self.buffers.keep_floats(grad_sums);
        Gradients {
            inputs: needs_input_grad.then_some(grad_x),
            weights: grad_weights,
            bias: grad_bias,
        }
    }

    /// Computes `n_parts` partial sums in parallel, then adds them in order with the bias.
    fn forward_by_inputs(
        &self,
        x: Mat<'_>,
        weights: Mat<'_>,
        bias: &[f32],
        n_parts: usize,
        out: &mut [f32],
    ) {
        let (n_values, n_out, level) = (out.len(), bias.len(), Cpu::detect());
        let mut parts = self.buffers.floats(n_parts * n_values);
        gemm_parts(x, weights, &mut parts, TILE_INPUTS);
        let size = N_IMAGES_PER_SUM * n_out;
        out.par_chunks_mut(size).enumerate().for_each(|(i, out)| {
            let range = i * size..i * size + out.len();
            for (position, part) in parts.chunks_exact(n_values).enumerate() {
                match position {
                    0 => out.copy_from_slice(&part[range.clone()]),
                    _ => elementwise::add_rows(level, &part[range.clone()], out),
                }
            }
            elementwise::add_bias(level, out, bias, self.relu);
        });
        self.buffers.keep_floats(parts);
    }
}
