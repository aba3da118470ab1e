//! Logistic regression: multinomial (softmax), or of two classes, with an L1, L2 or no penalty.

mod learner;
mod linfa_engine;
mod model;
mod params;
mod problem;
mod solver;
#[cfg(test)]
mod tests;

pub use model::{LogisticRegression, LogisticReport};
pub use params::{Engine, LogisticParams, LogisticValidParams, Penalty};
