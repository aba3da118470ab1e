//! Pure functions of labels and scores.
//!
//! [`evaluate`] turns labels and predictions into every figure that a report shows of one model;
//! [`compare_paired`] says whether two models that labelled the same images differ.

mod clustering;
mod error;
mod evaluation;
#[cfg(test)]
mod fixture;
mod interval;
mod mcnemar;
mod paired_t;
mod power_law;
mod records;

use serde::{Deserialize, Serialize};

pub use clustering::{adjusted_rand_index, purity};
pub use error::MetricsError;
pub use evaluation::{Averages, Evaluation, evaluate};
pub use interval::{Z_95, newcombe_paired, wilson};
pub use mcnemar::{PairedComparison, compare_paired, mcnemar_p_value};
pub use paired_t::{MeanSd, PairedT, paired_t};
pub use power_law::PowerLaw;
pub use records::{EpochRecord, LayerRow};

/// Precision, recall and F1 of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Class name.
    pub class: String,
    /// True positives over predicted positives; 0 if nothing was predicted so.
    pub precision: f64,
    /// True positives over actual positives; 0 if there are none.
    pub recall: f64,
    /// Harmonic mean of the two; 0 if both are 0.
    pub f1: f64,
    /// Test images of this class.
    pub support: u64,
}
