//! Implementations of one learner side by side: what a fit costs, how the cost grows, and what a
//! size will cost before it is run.
//!
//! ```text
//! for each size, for each variant:   foretell from the smaller sizes
//!     for each repeat, for each engine in turn:   fit, predict all test images
//! ```
//!
//! Engines take turns so that a slow minute of the machine hits all of them. Every size is a prefix
//! of one stratified order of the training rows, the same rows for every engine. What is compared is
//! a [`Subject`]: variants (for support vector machines, kernels) and engines that fit and predict.

mod data;
mod engine;
mod error;
mod in_process;
mod learner;
mod network;
mod python;
mod schedule;
#[cfg(test)]
mod tests;

pub use data::BenchData;
pub use engine::{BenchEngine, Failure, Run, Variant};
pub use error::BenchError;
pub use learner::{BenchLearner, Engine, FOREST, INTELEX, KNN, SCIKIT_LEARN, SVM};
pub use network::{NETWORKS, NetworkEngine, check_architecture, networks};
pub use python::{Library, Python};
pub use schedule::{Event, Findings, Options, Subject, check_sizes, run};
