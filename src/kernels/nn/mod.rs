//! Kernels of network layers. Images are stored height, width, channel (channel fastest).
//!
//! Each kernel has a scalar definition and is dispatched once per call on a [`Cpu`]; `ops` in `nn`
//! cuts the work into fixed chunks. Bodies that are compiled per level use no fused multiply-add, so
//! all levels give the same bits.

pub mod adam;
pub mod conv_direct;
pub mod elementwise;
pub mod im2col;
pub mod pool;

use super::cpu::{Cpu, per_level};
