//! Fully connected layer with bias, and ReLU if it follows.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{Buffers, matrix, values, with_values};
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

/// The operation on `(x, weights, bias)`; weights are `[n_in, n_out]`, as Keras lays them out.
pub struct Dense {
    /// ReLU follows.
    pub relu: bool,
    /// False if nothing before this layer learns.
    pub needs_input_grad: bool,
    /// Memory for outputs and gradients.
    pub buffers: Buffers,
}

impl Dense {
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

impl CustomOp3 for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, n_in, n_out) = (x_layout.dims()[0], x_layout.dims()[1], bias_layout.dims()[0]);
        let (x, weights) = (values(x, x_layout)?, values(weights, weights_layout)?);
        let mut out = self.buffers.floats(n * n_out);
        let (x, weights) = (Mat::new(x, n, n_in), Mat::new(weights, n_in, n_out));
        let (bias, level) = (values(bias, bias_layout)?, Cpu::detect());
        if n_in > TILE_INPUTS && n <= MAX_IMAGES_BY_INPUTS {
            self.forward_by_inputs(x, weights, bias, n_in.div_ceil(TILE_INPUTS), &mut out);
        } else {
            gemm_tiled(x, weights, &mut out, TILE_IMAGES, n_out);
            elementwise::add_bias(level, &mut out, bias, self.relu);
        }
        Ok((CpuStorage::F32(out), Shape::from((n, n_out))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((n, n_in), n_out, level) = (x.dims2()?, bias.dims1()?, Cpu::detect());
        let mut grad_x = self.buffers.floats(if self.needs_input_grad { n * n_in } else { 0 });
        let mut grad_weights = self.buffers.floats(n_in * n_out);
        let mut grad_bias = vec![0.0; n_out];
        let mut grad_sums = self.buffers.floats(n * n_out);
        with_values([x, weights, y, grad], |[x, weights, y, grad]| {
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
                    if self.needs_input_grad {
                        gemm_tiled(sums, weights.t(), &mut grad_x, n, TILE_INPUTS);
                    }
                },
            );
        })?;
        self.buffers.keep_floats(grad_sums);
        let cpu = &candle_core::Device::Cpu;
        let grad_x = self.needs_input_grad.then(|| matrix(grad_x, n, n_in)).transpose()?;
        Ok((
            grad_x,
            Some(matrix(grad_weights, n_in, n_out)?),
            Some(Tensor::from_vec(grad_bias, n_out, cpu)?),
        ))
    }
}
