//! Pure functions of labels and scores.
//!
//! [`evaluate`] turns labels and predictions into counts and shares; [`ranking()`] and [`calibration()`]
//! judge the scores behind them; [`compare_paired`] says whether two models that labelled the same images differ.

mod calibration;
mod clustering;
mod curve;
mod error;
mod evaluation;
#[cfg(test)]
mod fixture;
mod interval;
mod mcnemar;
mod paired_t;
mod power_law;
mod ranking;
mod records;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

pub use calibration::{Calibration, CalibrationBin, calibration};
pub use clustering::{adjusted_rand_index, purity};
pub use curve::{Curve, MAX_POINTS};
pub use error::MetricsError;
pub use evaluation::{Averages, Evaluation, evaluate};
pub use interval::{Z_95, newcombe_paired, wilson};
pub use mcnemar::{PairedComparison, compare_paired, mcnemar_p_value};
pub use paired_t::{MeanSd, PairedT, paired_t};
pub use power_law::PowerLaw;
pub use ranking::{ClassRanking, Ranking, ranking};
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

/// One row of scores for each label, one column for each class that is a label.
fn check_scores(labels: &[usize], scores: ArrayView2<'_, f64>) -> Result<(), MetricsError> {
    let (n_images, n_classes) = scores.dim();
    if labels.len() != n_images {
        return Err(MetricsError::LengthMismatch { n_labels: labels.len(), n_predicted: n_images });
    }
    if labels.is_empty() {
        return Err(MetricsError::Empty);
    }
    match labels.iter().position(|&label| label >= n_classes) {
        Some(row) => Err(MetricsError::ClassOutOfRange { row, found: labels[row], n_classes }),
        None => Ok(()),
    }
}
