//! Dropout (Srivastava et al., JMLR 15 (2014)), scaled while training.

use rayon::prelude::*;

use super::Buffers;
use crate::data::Rng;
use crate::kernels::Cpu;
use crate::kernels::nn::elementwise;

/// Values that one stream of random numbers decides.
const N_PER_STREAM: usize = 16_384;
/// Values whose random bits are drawn at once.
const N_DRAWN: usize = 1_024;

/// What the values that are kept are multiplied by.
fn scale(rate: f64) -> f32 {
    (1.0 / (1.0 - rate)) as f32
}

/// Drops values of `x` at random; returns what is left and which values were kept (1) or not (0).
/// `purpose` names the layer, epoch and batch. A value's fate is 16 random bits: up to 2^-17 of
/// `rate` is lost in rounding.
pub fn forward(
    x: &[f32],
    rate: f64,
    seed: u64,
    purpose: &str,
    buffers: &Buffers,
) -> (Vec<f32>, Vec<u8>) {
    let (mut out, mut kept) = (buffers.floats(x.len()), buffers.bytes(x.len()));
    let threshold = (rate * 65_536.0).round() as u32;
    let (scale, level) = (scale(rate), Cpu::detect());
    out.par_chunks_mut(N_PER_STREAM)
        .zip(kept.par_chunks_mut(N_PER_STREAM))
        .zip(x.par_chunks(N_PER_STREAM))
        .enumerate()
        .for_each(|(part, ((out, kept), x))| {
            let mut rng = Rng::new(seed, &["dropout", purpose, &part.to_string()]);
            let mut bits = [0; N_DRAWN];
            let values = x.chunks(N_DRAWN).zip(out.chunks_mut(N_DRAWN));
            for ((x, out), kept) in values.zip(kept.chunks_mut(N_DRAWN)) {
                for four in bits.chunks_exact_mut(4).take(x.len().div_ceil(4)) {
                    let drawn = rng.next_u64();
                    four.copy_from_slice(&[0, 16, 32, 48].map(|shift| (drawn >> shift) as u16));
                }
                elementwise::drop_out(level, x, &bits, threshold, scale, out, kept);
            }
        });
    (out, kept)
}

/// The gradient of the values that were kept.
pub fn backward(grad: &[f32], kept: &[u8], rate: f64, buffers: &Buffers) -> Vec<f32> {
    let mut out = buffers.floats(grad.len());
    let (scale, level) = (scale(rate), Cpu::detect());
    out.par_chunks_mut(N_PER_STREAM)
        .zip(grad.par_chunks(N_PER_STREAM))
        .zip(kept.par_chunks(N_PER_STREAM))
        .for_each(|((out, grad), kept)| elementwise::keep(level, grad, kept, scale, out));
    out
}
