//! Bayes' classifier for classes that are normal distributions (Duda, Hart, Stork, "Pattern
//! Classification", 2nd edition, section 2.6).
//!
//! The discriminant function of a class `c` with mean `m`, covariance `S` and prior `P` is
//!
//! ```text
//! g(x) = -(x - m)^T S^-1 (x - m) / 2 - ln |S| / 2 + ln P
//! ```
//!
//! Case I, `S = s^2 I` for all classes: the nearest mean, corrected by priors. Case II, one `S` for
//! all: linear discriminant analysis. Case III, an `S` for each: quadratic discriminant analysis.

mod fit;
mod model;
mod params;
#[cfg(test)]
mod tests;

pub use model::Discriminant;
pub use params::{Covariance, DiscriminantParams, DiscriminantValidParams};
