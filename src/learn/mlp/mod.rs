//! The back-propagation network: fully connected layers on any table.

mod learner;
mod model;
mod network;
mod params;
#[cfg(test)]
mod tests;
mod train;

pub use model::{Mlp, MlpReport};
pub use params::{Activation, MlpParams, MlpValidParams};
