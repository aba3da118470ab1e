//! k-means, and the classifier it makes: clusters named by the majority of their training rows.

mod learner;
mod linfa_engine;
mod lloyd;
mod model;
mod params;
mod seeding;
#[cfg(test)]
mod tests;

pub use model::{KMeans, KMeansReport};
pub use params::{Engine, Init, KMeansParams, KMeansValidParams};
