//! Support vector classification: exact C-SVC, one-vs-one, on bytes or real features.

mod block;
mod cost;
mod gram;
mod kernel_cache;
mod learner;
mod linfa_engine;
mod model;
mod multiclass;
mod params;
mod solver;
#[cfg(test)]
mod tests;

pub use model::{FitReport, PairReport, Svc};
pub use params::{Engine, Gamma, Kernel, SvcError, SvcParams, SvcValidParams};
