//! Rosenblatt's perceptron: one against the rest, or all classes at once; averaged if asked.

mod learner;
mod model;
mod params;
mod solver;
#[cfg(test)]
mod tests;

pub use model::{Perceptron, PerceptronReport};
pub use params::{PerceptronParams, PerceptronValidParams, Variant};
