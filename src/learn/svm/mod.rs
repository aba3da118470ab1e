//! Support vector classification: exact C-SVC, one-vs-one, on bytes or real features.

mod block;
mod contributions;
mod cost;
mod decision;
mod gradient;
pub(super) mod gram;
mod kernel_cache;
mod learner;
mod libsvm_format;
mod linear;
mod linfa_engine;
mod local;
mod model;
mod multiclass;
mod params;
mod path;
mod path_predict;
mod probability;
mod schedule;
mod solver;
mod storage;
mod support;
#[cfg(test)]
mod tests;
mod watch;
mod weights;
mod working_set;

pub use contributions::Contributions;
pub use model::{FitReport, PairReport, Svc};
pub use params::{ClassWeight, Engine, Gamma, Kernel, SvcError, SvcParams, SvcValidParams};
pub use path::PathFit;
pub use probability::{Sigmoid, couple};
