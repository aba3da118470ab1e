//! Pure functions of labels and scores.

mod records;

use serde::{Deserialize, Serialize};

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
