//! ReLU and pooling where they do not follow a layer that takes them in.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{Buffers, lock, matrix, values, with_values};
use crate::kernels::Cpu;
use crate::kernels::nn::{elementwise, pool};

/// `max(x, 0)`; the gradient at 0 is 0, as in PyTorch.
pub struct Relu {
    /// Memory for outputs and gradients.
    pub buffers: Buffers,
}

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        let mut out = self.buffers.floats(x.len());
        elementwise::relu(Cpu::detect(), x, &mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, n_values) = x.dims2()?;
        let mut out = self.buffers.floats(n * n_values);
        with_values([y, grad], |[y, grad]| {
            elementwise::relu_backward(Cpu::detect(), y, grad, &mut out);
        })?;
        Ok(Some(matrix(out, n, n_values)?))
    }
}

/// Maximum over 2x2 windows, stride 2.
pub struct MaxPool {
    shape: (usize, usize, usize),
    buffers: Buffers,
    winners: Mutex<Vec<u8>>,
}

impl MaxPool {
    /// Pools images of `shape` (height, width, channels).
    pub fn new(shape: (usize, usize, usize), buffers: &Buffers) -> Self {
        MaxPool { shape, buffers: buffers.clone(), winners: Mutex::default() }
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, n, (height, width, channels)) = (values(x, layout)?, layout.dims()[0], self.shape);
        let n_out = (height / 2) * (width / 2) * channels;
        let mut out = self.buffers.floats(n * n_out);
        let mut winners = self.buffers.bytes(n * n_out);
        x.par_chunks(height * width * channels)
            .zip(out.par_chunks_mut(n_out))
            .zip(winners.par_chunks_mut(n_out))
            .for_each(|((x, out), winners)| {
                pool::max_pool(Cpu::detect(), x, self.shape, false, out, winners);
            });
        *lock(&self.winners) = winners;
        Ok((CpuStorage::F32(out), Shape::from((n, n_out))))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let ((n, n_in), n_out) = (x.dims2()?, y.dims2()?.1);
        let mut out = self.buffers.floats(n * n_in);
        let winners = lock(&self.winners);
        with_values([grad], |[grad]| {
            out.par_chunks_mut(n_in)
                .zip(grad.par_chunks(n_out))
                .zip(winners.par_chunks(n_out))
                .for_each(|((out, grad), winners)| {
                    pool::max_pool_backward(Cpu::detect(), grad, winners, self.shape, out);
                });
        })?;
        Ok(Some(matrix(out, n, n_in)?))
    }
}

impl Drop for MaxPool {
    fn drop(&mut self) {
        self.buffers.keep_bytes(std::mem::take(&mut *lock(&self.winners)));
    }
}
