//! Dropout (Srivastava et al., JMLR 15 (2014)), scaled while training.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{Buffers, matrix, values, with_values};
use crate::data::Rng;
use crate::kernels::Cpu;
use crate::kernels::nn::elementwise;

/// Values that one stream of random numbers decides.
const N_PER_STREAM: usize = 16_384;

/// The operation on `x`: a mask of 0 and `1 / (1 - rate)`.
pub struct Dropout {
    mask: Vec<f32>,
    buffers: Buffers,
}

impl Dropout {
    /// Draws a mask of `n` values; `purpose` names the layer, epoch and batch.
    pub fn new(n: usize, rate: f64, seed: u64, purpose: &str, buffers: &Buffers) -> Self {
        let mut mask = buffers.floats(n);
        // A draw below the threshold is dropped; 2^-32 of `rate` is lost.
        let threshold = (rate * 4_294_967_296.0) as u32;
        let scale = (1.0 / (1.0 - rate)) as f32;
        mask.par_chunks_mut(N_PER_STREAM).enumerate().for_each(|(part, mask)| {
            let mut rng = Rng::new(seed, &["dropout", purpose, &part.to_string()]);
            for value in mask {
                *value = if rng.next_u32() < threshold { 0.0 } else { scale };
            }
        });
        Dropout { mask, buffers: buffers.clone() }
    }

    fn apply(&self, values: &[f32]) -> Vec<f32> {
        let mut out = self.buffers.floats(values.len());
        elementwise::multiply(Cpu::detect(), values, &self.mask, &mut out);
        out
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.apply(values(x, layout)?)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, n_values) = x.dims2()?;
        Ok(Some(matrix(with_values([grad], |[grad]| self.apply(grad))?, n, n_values)?))
    }
}

impl Drop for Dropout {
    fn drop(&mut self) {
        self.buffers.keep_floats(std::mem::take(&mut self.mask));
    }
}
