//! Whether probabilities mean what they say.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{MetricsError, check_scores};

/// Bins of equal width between 0 and 1.
const N_BINS: usize = 15;

/// Images whose greatest probability lies in one bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Images in the bin.
    pub n_images: u64,
    /// Mean of their greatest probability; 0 in an empty bin.
    pub confidence: f64,
    /// Share of them whose most probable class is right; 0 in an empty bin.
    pub accuracy: f64,
}

/// How far probabilities are from frequencies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// 15 bins of equal width between 0 and 1, each without its lower end.
    pub bins: Vec<CalibrationBin>,
    /// Expected calibration error: mean distance of confidence and accuracy, by images (Naeini et al.,
    /// AAAI 2015).
    pub ece: f64,
    /// Mean squared distance of the probabilities from the truth, summed over classes, `0..=2`.
    pub brier: f64,
    /// Mean of `-ln` of the probability of the true class, clipped as scikit-learn does.
    pub log_loss: f64,
}

/// Judges probabilities; none if some are no numbers.
///
/// As scikit-learn's `calibration_curve` of the greatest probability, `brier_score_loss` (not halved)
/// and `log_loss`.
/// # Shapes   `labels`: `[n_images]`; `probabilities`: `[n_images, n_classes]`, rows summing to 1
/// # Errors   if the lengths differ, are zero, or a label has no column
pub fn calibration(
    labels: &[usize],
    probabilities: ArrayView2<'_, f64>,
) -> Result<Option<Calibration>, MetricsError> {
    check_scores(labels, probabilities)?;
    if probabilities.iter().any(|p| !p.is_finite()) {
        return Ok(None);
    }
    let mut sums = [(0u64, 0.0, 0u64); N_BINS];
    let (mut squares, mut log_losses) = (0.0, 0.0);
    for (row, &label) in probabilities.rows().into_iter().zip(labels) {
        let (mut winner, mut confidence) = (0, f64::NEG_INFINITY);
        for (class, &p) in row.iter().enumerate() {
            if p > confidence {
                (winner, confidence) = (class, p);
            }
            squares += (p - f64::from(u8::from(class == label))).powi(2);
        }
        log_losses -= row[label].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
        let bin = (1..N_BINS).filter(|&edge| edge as f64 / (N_BINS as f64) < confidence).count();
        let (n_images, confidences, n_right) = &mut sums[bin];
        *n_images += 1;
        *confidences += confidence;
        *n_right += u64::from(winner == label);
    }
    let n_all = labels.len() as f64;
    let bins = sums.map(|(n_images, confidences, n_right)| {
        let n = n_images.max(1) as f64;
        CalibrationBin { n_images, confidence: confidences / n, accuracy: n_right as f64 / n }
    });
    let gap = |bin: &CalibrationBin| bin.n_images as f64 * (bin.accuracy - bin.confidence).abs();
    Ok(Some(Calibration {
        ece: bins.iter().map(gap).sum::<f64>() / n_all,
        brier: squares / n_all,
        log_loss: log_losses / n_all,
        bins: bins.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::load_scores;
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    #[test]
    fn figures_match_scikit_learn() {
        let fixture = load_scores();
        assert_eq!(fixture.n_bins, N_BINS);
        let cases =
            fixture.cases.iter().filter_map(|case| Some((case, case.calibration.as_ref()?)));
        let mut n_cases = 0;
        for (case, expected) in cases {
            let found = calibration(&case.labels, case.matrix().view()).unwrap().unwrap();
            assert_relative_eq!(found.ece, expected.ece, epsilon = 1e-12);
            assert_relative_eq!(found.brier, expected.brier, max_relative = 1e-12);
            assert_relative_eq!(found.log_loss, expected.log_loss, max_relative = 1e-12);
            let counts: Vec<u64> = found.bins.iter().map(|bin| bin.n_images).collect();
            assert_eq!(counts, expected.counts, "{}", case.name);
            let filled: Vec<_> = found.bins.iter().filter(|bin| bin.n_images > 0).collect();
            assert_eq!(filled.len(), expected.accuracy.len());
            for (nth, bin) in filled.iter().enumerate() {
                assert_relative_eq!(bin.confidence, expected.confidence[nth], epsilon = 1e-12);
                assert_relative_eq!(bin.accuracy, expected.accuracy[nth], epsilon = 1e-12);
            }
            n_cases += 1;
        }
        assert!(n_cases > 0);
    }

    #[test]
    fn certainty_that_is_right_costs_nothing_and_certainty_that_is_wrong_stays_finite() {
        let found = |labels: &[usize]| {
            calibration(labels, array![[1.0, 0.0], [0.0, 1.0]].view()).unwrap().unwrap()
        };
        let right = found(&[0, 1]);
        assert_eq!((right.ece, right.brier), (0.0, 0.0));
        assert!(right.log_loss < 1e-12);
        let wrong = found(&[1, 0]);
        assert_eq!((wrong.ece, wrong.brier), (1.0, 2.0));
        assert!(wrong.log_loss > 30.0 && wrong.log_loss.is_finite());
    }

    #[test]
    fn probabilities_that_are_no_numbers_have_no_calibration() {
        assert_eq!(calibration(&[0], array![[f64::NAN, 0.5]].view()), Ok(None));
    }
}
