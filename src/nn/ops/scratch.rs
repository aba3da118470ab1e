//! Memory of one thread for what a block of images passes through.

use std::cell::Cell;

thread_local! {
    pub static PATCHES: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    pub static SUMS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Calls `work` with `n` unspecified values of this thread's scratch memory.
pub fn with_scratch(
    scratch: &'static std::thread::LocalKey<Cell<Vec<f32>>>,
    n: usize,
    work: impl FnOnce(&mut [f32]),
) {
    let mut values = scratch.take();
    if values.len() < n {
        values.resize(n, 0.0);
    }
    work(&mut values[..n]);
    scratch.set(values);
}
