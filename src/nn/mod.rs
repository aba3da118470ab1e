//! Convolutional networks: described in TOML, trained on a CPU, read for features.
//!
//! candle holds the tensors and the custom operations; it lives in this room alone. Its own
//! convolution, pooling, random generator and optimisers are not used (`ops/tests.rs` pins why).
//!
//! ```text
//! Architecture (layers, TOML) ─▶ plan (layers fused into steps, shapes, parameters)
//! plan + weights ─▶ tape (forward, backward) ─▶ gradient ─▶ optimizer (rate of `schedule`) ─▶ average
//!    all of it: train (epochs, checkpoints)
//!                                                         └▶ Network (scores, features, file)
//! ```

mod architecture;
mod average;
mod checkpoint;
mod error;
mod gradient;
mod loss;
mod network;
mod ops;
mod optimizer;
mod params;
mod plan;
mod schedule;
mod tape;
mod train;
mod transfer;

pub use architecture::Architecture;
pub use error::NnError;
pub use network::Network;
pub use params::{Freeze, Keep, Optimizer, Schedule, TrainParams};
pub use train::{Trained, fine_tune, train};

#[cfg(test)]
mod test_fixture;
#[cfg(test)]
mod tests;
