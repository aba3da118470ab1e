//! Gaussian naive Bayes: features of a class are independent normal variables (scikit-learn's
//! `GaussianNB`).
//!
//! `ln p(c | x) = ln P_c - sum_j [ln(2 pi v_cj) + (x_j - m_cj)^2 / v_cj] / 2` up to a constant, with
//! `v` the variance within the class plus `var_smoothing` times the largest variance of any feature.

mod fit;
mod linfa_engine;
mod model;
mod params;
#[cfg(test)]
mod tests;

pub use model::GaussianNb;
pub use params::{GaussianNbEngine, GaussianNbParams, GaussianNbValidParams};
