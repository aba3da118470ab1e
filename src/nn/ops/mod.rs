//! The layers as candle custom operations, forward and backward.
//!
//! Every operation reads and writes matrices `[n_images, n_values]`; images within a row are
//! stored height, width, channel. Work is cut into chunks of fixed size, partial sums are added in
//! order: the bits never depend on the number of threads.

mod buffers;
mod conv;
mod dense;
mod dropout;
mod elementwise;
mod loss;

use candle_core::{CpuStorage, Error, Layout, Result, Tensor};

pub use buffers::Buffers;
pub use conv::Conv;
pub use dense::Dense;
pub use dropout::Dropout;
pub use elementwise::{MaxPool, Relu};
pub use loss::{CrossEntropy, argmax, softmax};

/// The values of a contiguous tensor of `f32`.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&values[from..to]),
        _ => Err(Error::Msg("a layer needs a contiguous tensor of f32".into())),
    }
}

/// Calls `read` with the values of contiguous tensors.
pub fn with_values<const N: usize, R>(
    tensors: [&Tensor; N],
    read: impl FnOnce([&[f32]; N]) -> R,
) -> Result<R> {
    let guards = tensors.map(|tensor| tensor.storage_and_layout());
    let mut slices: [&[f32]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        *slice = match &**storage {
            candle_core::Storage::Cpu(storage) => values(storage, layout)?,
            _ => return Err(Error::Msg("a layer needs a tensor on the CPU".into())),
        };
    }
    Ok(read(slices))
}

/// A tensor `[rows, cols]` that owns `values`.
pub fn matrix(values: Vec<f32>, rows: usize, cols: usize) -> Result<Tensor> {
    Tensor::from_vec(values, (rows, cols), &candle_core::Device::Cpu)
}

/// Saved state behind a lock; a thread that panicked while holding it broke nothing we read.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
