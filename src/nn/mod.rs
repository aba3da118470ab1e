//! Convolutional networks: described in TOML, trained on a CPU, read for features.
//!
//! candle holds the tensors and the custom operations; it lives in this room alone. Its own
//! convolution, pooling, random generator and optimisers are not used (`ops/tests.rs` pins why).
//!
//! ```text
//! Architecture (layers, TOML) ─▶ plan (layers fused into steps, shapes, parameters)
//! plan + weights ─▶ tape (forward, backward) ─▶ optimizer ─▶ train (epochs, checkpoints)
//!                                                         └▶ Network (scores, features, file)
//! ```

mod architecture;
mod augmentation;
mod checkpoint;
mod ensemble;
mod error;
mod network;
mod ops;
mod optimizer;
mod params;
mod plan;
mod tape;
mod train;

pub use architecture::Architecture;
pub use ensemble::{Average, Ensemble};
pub use error::NnError;
pub use network::Network;
pub use params::{Optimizer, TrainParams};
pub use train::{Trained, train};

#[cfg(test)]
mod tests;
