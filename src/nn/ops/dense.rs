//! Fully connected layer with bias, and ReLU if it follows.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{Buffers, matrix, values, with_values};
use crate::kernels::gemm::{Mat, gemm_tiled};
use crate::kernels::nn::{Level, elementwise};

/// Images per product of the forward pass.
const TILE_IMAGES: usize = 128;
/// Inputs per product of the backward pass.
const TILE_INPUTS: usize = 688;

/// The operation on `(x, weights, bias)`; weights are `[n_in, n_out]`, as Keras lays them out.
pub struct Dense {
    /// ReLU follows.
    pub relu: bool,
    /// False if nothing before this layer learns.
    pub needs_input_grad: bool,
    /// Memory for outputs and gradients.
    pub buffers: Buffers,
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
        gemm_tiled(x, weights, &mut out, TILE_IMAGES, n_out);
        let bias = values(bias, bias_layout)?;
        elementwise::add_bias(Level::detect(), &mut out, bias, self.relu);
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
        let ((n, n_in), n_out, level) = (x.dims2()?, bias.dims1()?, Level::detect());
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
            gemm_tiled(Mat::new(x, n, n_in).t(), sums, &mut grad_weights, TILE_INPUTS, n_out);
            if self.needs_input_grad {
                let weights = Mat::new(weights, n_in, n_out).t();
                gemm_tiled(sums, weights, &mut grad_x, n, TILE_INPUTS);
            }
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
