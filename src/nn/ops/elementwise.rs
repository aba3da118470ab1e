//! ReLU, addition and pooling where they do not follow a layer that takes them in.

use rayon::prelude::*;

use super::Buffers;
use crate::kernels::Cpu;
use crate::kernels::nn::elementwise;
use crate::kernels::nn::norm::Affine;
use crate::kernels::nn::pool::{self, Windows};

/// Values of one parallel task.
const N_PER_TASK: usize = 32_768;

/// `max(x, 0)`.
pub fn relu(x: &[f32], buffers: &Buffers) -> Vec<f32> {
    let (mut out, level) = (buffers.floats(x.len()), Cpu::detect());
    out.par_chunks_mut(N_PER_TASK)
        .zip(x.par_chunks(N_PER_TASK))
        .for_each(|(out, x)| elementwise::relu(level, x, out));
    out
}

/// The gradient where the ReLU's output is positive; at 0 it is 0, as in PyTorch.
pub fn relu_backward(y: &[f32], grad: &[f32], buffers: &Buffers) -> Vec<f32> {
    let (mut out, level) = (buffers.floats(y.len()), Cpu::detect());
    out.par_chunks_mut(N_PER_TASK)
        .zip(y.par_chunks(N_PER_TASK))
        .zip(grad.par_chunks(N_PER_TASK))
        .for_each(|((out, y), grad)| elementwise::relu_backward(level, y, grad, out));
    out
}

/// `a + b`, then ReLU if asked.
pub fn add(a: &[f32], b: &[f32], relu: bool, buffers: &Buffers) -> Vec<f32> {
    let (mut out, level) = (buffers.floats(a.len()), Cpu::detect());
    out.par_chunks_mut(N_PER_TASK)
        .zip(a.par_chunks(N_PER_TASK))
        .zip(b.par_chunks(N_PER_TASK))
        .for_each(|((out, a), b)| elementwise::add(level, a, b, relu, out));
    out
}

/// Adds `more` to `sum`.
pub fn add_to(more: &[f32], sum: &mut [f32]) {
    let level = Cpu::detect();
    sum.par_chunks_mut(N_PER_TASK)
        .zip(more.par_chunks(N_PER_TASK))
        .for_each(|(sum, more)| elementwise::add_rows(level, more, sum));
}

/// Maximum over windows of 2x2 at stride 2 behind a map of the rows, and the winners: the values are not
/// mapped yet.
pub fn max_pool_pending(
    rows: &[f32],
    map: Affine<'_>,
    (height, width, channels): (usize, usize, usize),
    buffers: &Buffers,
) -> (Vec<f32>, Vec<u8>) {
    let (n_in, n_out) = (height * width * channels, (height / 2) * (width / 2) * channels);
    let n = rows.len() / n_in;
    let (mut out, mut winners) = (buffers.floats(n * n_out), buffers.bytes(n * n_out));
    let shape = (height, width, channels);
    rows.par_chunks(n_in)
        .zip(out.par_chunks_mut(n_out))
        .zip(winners.par_chunks_mut(n_out))
        .for_each(|((rows, out), winners)| {
            pool::max_pool_pending(Cpu::detect(), rows, shape, map, out, winners);
        });
    (out, winners)
}

/// Maximum over any windows, and the winners.
pub fn max_windows(x: &[f32], windows: &Windows, buffers: &Buffers) -> (Vec<f32>, Vec<u8>) {
    let (n_in, n_out) = (windows.n_in(), windows.n_out());
    let n = x.len() / n_in;
    let (mut out, mut winners) = (buffers.floats(n * n_out), buffers.bytes(n * n_out));
    x.par_chunks(n_in)
        .zip(out.par_chunks_mut(n_out))
        .zip(winners.par_chunks_mut(n_out))
        .for_each(|((x, out), winners)| pool::max_windows(Cpu::detect(), x, windows, out, winners));
    (out, winners)
}

/// The gradient of [`max_windows`].
pub fn max_windows_backward(
    grad: &[f32],
    winners: &[u8],
    windows: &Windows,
    buffers: &Buffers,
) -> Vec<f32> {
    let (n_in, n_out) = (windows.n_in(), windows.n_out());
    let mut out = buffers.floats(grad.len() / n_out * n_in);
    out.par_chunks_mut(n_in).zip(grad.par_chunks(n_out)).zip(winners.par_chunks(n_out)).for_each(
        |((out, grad), winners)| {
            pool::max_windows_backward(Cpu::detect(), grad, winners, windows, out);
        },
    );
    out
}

/// Mean over any windows.
pub fn mean_windows(x: &[f32], windows: &Windows, buffers: &Buffers) -> Vec<f32> {
    let (n_in, n_out) = (windows.n_in(), windows.n_out());
    let mut out = buffers.floats(x.len() / n_in * n_out);
    x.par_chunks(n_in)
        .zip(out.par_chunks_mut(n_out))
        .for_each(|(x, out)| pool::mean_windows(Cpu::detect(), x, windows, out));
    out
}

/// The gradient of [`mean_windows`].
pub fn mean_windows_backward(grad: &[f32], windows: &Windows, buffers: &Buffers) -> Vec<f32> {
    let (n_in, n_out) = (windows.n_in(), windows.n_out());
    let mut out = buffers.floats(grad.len() / n_out * n_in);
    out.par_chunks_mut(n_in)
        .zip(grad.par_chunks(n_out))
        .for_each(|(out, grad)| pool::mean_windows_backward(Cpu::detect(), grad, windows, out));
    out
}
