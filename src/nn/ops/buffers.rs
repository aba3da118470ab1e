//! Memory of activations and gradients, kept from one batch to the next.
//!
//! A batch of 512 through a3 moves 35 MB; asking the system for it anew at every batch costs a page
//! fault per 4 KiB.

use std::sync::{Arc, Mutex};

use super::lock;

/// Vectors waiting to be used again.
#[derive(Clone, Default)]
pub struct Buffers(Arc<Shelves>);

#[derive(Default)]
struct Shelves {
    floats: Mutex<Vec<Vec<f32>>>,
    bytes: Mutex<Vec<Vec<u8>>>,
}

/// More vectors than this are given back to the system, the oldest first.
const N_KEPT: usize = 512;
/// Vectors of fewer bytes are not kept: the allocator serves them without a page fault.
const MIN_BYTES: usize = 65_536;

impl Buffers {
    /// `n` values, unspecified: the caller writes every one.
    pub fn floats(&self, n: usize) -> Vec<f32> {
        take(&self.0.floats, n)
    }

    /// `n` bytes, unspecified.
    pub fn bytes(&self, n: usize) -> Vec<u8> {
        take(&self.0.bytes, n)
    }

    /// Takes bytes back.
    pub fn keep_bytes(&self, bytes: Vec<u8>) {
        keep(&self.0.bytes, bytes);
    }

    /// Takes values back.
    pub fn keep_floats(&self, values: Vec<f32>) {
        keep(&self.0.floats, values);
    }
}

fn take<T: Clone + Default>(shelf: &Mutex<Vec<Vec<T>>>, n: usize) -> Vec<T> {
    let mut shelf = lock(shelf);
    match shelf.iter().rposition(|kept| kept.len() == n) {
        Some(i) => shelf.remove(i),
        None => vec![T::default(); n],
    }
}

fn keep<T>(shelf: &Mutex<Vec<Vec<T>>>, values: Vec<T>) {
    if size_of_val(values.as_slice()) < MIN_BYTES {
        return;
    }
    let mut shelf = lock(shelf);
    if shelf.len() == N_KEPT {
        shelf.remove(0);
    }
    shelf.push(values);
}
