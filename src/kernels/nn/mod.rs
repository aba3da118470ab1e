//! Kernels of network layers. Images are stored height, width, channel (channel fastest).
//!
//! Each kernel is dispatched once per call on a [`Cpu`]; `ops` in `nn` cuts the work into fixed
//! chunks. Bodies compiled by `per_level!` use no fused multiply-add, so that all levels give the
//! same bits; those compiled by `per_lanes!` use it where the CPU has it.

pub mod adam;
pub mod conv_direct;
pub mod conv_rows;
pub mod elementwise;
pub mod im2col;
mod lanes;
pub mod norm;
pub mod pool;
mod product;
pub mod winograd;

use super::cpu::{Cpu, per_level};

/// Values that a compiled loop does at once.
const WIDE: usize = 64;

/// Rows of `n` values that are handled as one, because a loop over a shorter row is mostly rest.
fn n_joined(n: usize) -> usize {
    if n > 0 && n < WIDE && WIDE.is_multiple_of(n) { WIDE / n } else { 1 }
}
