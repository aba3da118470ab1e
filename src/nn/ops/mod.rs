//! The layers, forward and backward.
//!
//! Every operation reads and writes matrices `[n_images, n_values]`; images within a row are
//! stored height, width, channel. Work is cut into chunks of fixed size, partial sums are added in
//! order: the bits never depend on the number of threads.

mod buffers;
pub mod conv;
pub mod dense;
pub mod dropout;
pub mod elementwise;
mod loss;
pub mod norm;
mod scratch;
mod value;

pub use buffers::Buffers;
#[cfg(test)]
pub use loss::argmax;
pub use loss::{cross_entropy, softmax};
pub use value::{Input, Value};

/// Saved state behind a lock; a thread that panicked while holding it broke nothing we read.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
