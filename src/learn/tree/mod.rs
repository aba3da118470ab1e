//! Decision trees on histograms of bytes.

pub mod bins;
pub mod structure;
