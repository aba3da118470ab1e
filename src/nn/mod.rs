//! Convolutional networks: described in TOML, trained on a CPU, read for features.
//!
//! The operations, forward and backward, are ours on plain memory: candle's convolution, pooling,
//! random generator and optimisers are slow, wrong or unseeded on a CPU (`ops/tests.rs` pins it).
//! `candle` runs the same architectures as a second engine, and on a GPU.
//!
//! ```text
//! Architecture (layers, TOML) ─▶ plan (layers fused into steps, shapes, parameters)
//! plan + weights ─▶ tape (forward, backward on ops) ─▶ gradient (penalties, clipping)
//!                ─▶ optimizer (at the rate of `schedule`) ─▶ average ─▶ train (epochs, checkpoints)
//!                                                         └▶ Network (scores, features, file;
//!                                                                  `explain`: maps, filters, Grad-CAM)
//! ```

mod architecture;
mod augmentation;
mod average;
mod backend;
mod candle;
mod checkpoint;
mod ensemble;
mod error;
mod explain;
mod gradient;
mod network;
mod ops;
mod optimizer;
mod params;
mod plan;
mod schedule;
mod tape;
mod train;
mod transfer;
mod view;

pub use architecture::Architecture;
pub use ensemble::{Average, Ensemble};
pub use error::NnError;
pub use explain::{Toward, enlarged};
pub use network::Network;
pub use params::{
    Engine, Freeze, Initialisation, Keep, Optimizer, Precision, Schedule, TrainParams,
};
pub use train::{Trained, fine_tune, train};
pub use view::{NetworkView, OperationView, StepView};

#[cfg(test)]
mod test_fixture;
#[cfg(test)]
mod tests;
