//! k nearest neighbours by exact search of all rows, on bytes or real features.

mod cost;
mod index;
mod learner;
mod linfa_engine;
mod model;
mod params;
#[cfg(test)]
mod tests;
mod top;

pub use model::{Knn, Neighbors};
pub use params::{Engine, KnnParams, KnnValidParams, Metric, Weights};
