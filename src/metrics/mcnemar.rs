//! Whether two models that labelled the same images differ.
//!
//! Only the discordant images speak: those that exactly one model labels right. If the models are
//! equally good, each discordant image is a fair coin (McNemar, Psychometrika 12 (1947), 153-157).

use serde::{Deserialize, Serialize};

use super::{MetricsError, newcombe_paired};

/// Below this many discordant images the binomial tail is summed exactly; from it on, chi-square
/// with continuity correction is as good and needs no sum.
const EXACT_BELOW: u64 = 25;

/// A paired test of two models on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// Images that only the first model labels right.
    pub n_only_a: u64,
    /// Images that only the second model labels right.
    pub n_only_b: u64,
    /// Two-sided p value of McNemar's test.
    pub p_value: f64,
    /// Accuracy of the first minus accuracy of the second.
    pub difference: f64,
    /// 95 % interval of the difference ([`newcombe_paired`]).
    pub difference_ci95: [f64; 2],
}

/// Compares the predictions of two models.
///
/// # Shapes   all three: `[n_images]`
/// # Errors   if the lengths differ or are zero
pub fn compare_paired(
    labels: &[usize],
    predicted_a: &[usize],
    predicted_b: &[usize],
) -> Result<PairedComparison, MetricsError> {
    for predicted in [predicted_a, predicted_b] {
        if predicted.len() != labels.len() {
            return Err(MetricsError::LengthMismatch {
                n_labels: labels.len(),
                n_predicted: predicted.len(),
            });
        }
    }
    if labels.is_empty() {
        return Err(MetricsError::Empty);
    }
    let [mut n_both, mut n_only_a, mut n_only_b, mut n_neither] = [0u64; 4];
    for ((label, a), b) in labels.iter().zip(predicted_a).zip(predicted_b) {
        match (a == label, b == label) {
            (true, true) => n_both += 1,
            (true, false) => n_only_a += 1,
            (false, true) => n_only_b += 1,
            (false, false) => n_neither += 1,
        }
    }
    Ok(PairedComparison {
        n_only_a,
        n_only_b,
        p_value: mcnemar_p_value(n_only_a, n_only_b),
        difference: (n_only_a as f64 - n_only_b as f64) / labels.len() as f64,
        difference_ci95: newcombe_paired(n_both, n_only_a, n_only_b, n_neither),
    })
}

/// Two-sided p value of McNemar's test from the two counts of discordant images.
///
/// Fewer than 25 of them: twice the smaller tail of the binomial with share 1/2, at most 1, exact.
/// Else chi-square with one degree of freedom of `(|a - b| - 1)^2 / (a + b)`.
pub fn mcnemar_p_value(n_only_a: u64, n_only_b: u64) -> f64 {
    let n_discordant = n_only_a + n_only_b;
    if n_discordant < EXACT_BELOW {
        let mut coefficient = 1u64;
        let mut tail = 0u64;
        for k in 0..=n_only_a.min(n_only_b) {
            tail += coefficient;
            coefficient = coefficient * (n_discordant - k) / (k + 1);
        }
        return (2.0 * tail as f64 / (1u64 << n_discordant) as f64).min(1.0);
    }
    let excess = (n_only_a.abs_diff(n_only_b) as f64 - 1.0).max(0.0);
    let chi_square = excess * excess / n_discordant as f64;
    erfc((chi_square / 2.0).sqrt())
}

/// Complementary error function for `x >= 0`, relative error below 1e-12.
///
/// Near zero by the Taylor series of erf, beyond 2 by the continued fraction
/// `exp(-x^2) / (x + (1/2)/(x + 1/(x + (3/2)/(x + …)))) / sqrt(pi)` (Abramowitz and Stegun 7.1.5,
/// 7.1.14), evaluated from its tail: tiny p values keep their digits.
fn erfc(x: f64) -> f64 {
    const N_FRACTIONS: u32 = 200;
    let root_pi = std::f64::consts::PI.sqrt();
    if x < 2.0 {
        let mut term = x;
        let mut sum = x;
        let mut k = 0.0;
        while term.abs() > 1e-18 * sum.abs() {
            k += 1.0;
            term *= -x * x / k;
            sum += term / (2.0 * k + 1.0);
        }
        return 1.0 - 2.0 / root_pi * sum;
    }
    let denominator = (1..=N_FRACTIONS).rev().fold(x, |tail, k| x + f64::from(k) / 2.0 / tail);
    (-x * x).exp() / (denominator * root_pi)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn p_values_match_scipy() {
        for case in fixture::load().mcnemar {
            let found = mcnemar_p_value(case.n_only_a, case.n_only_b);
            assert_relative_eq!(found, case.p_value, max_relative = 1e-10);
        }
    }

    #[test]
    fn erfc_matches_scipy() {
        for [x, expected] in fixture::load().erfc {
            assert_relative_eq!(erfc(x), expected, max_relative = 1e-12);
        }
    }

    #[test]
    fn p_value_is_symmetric_and_falls_with_the_imbalance() {
        for n_discordant in [1u64, 24, 25, 26, 1000] {
            let mut last = 1.0;
            for n_only_a in (0..=n_discordant / 2).rev() {
                let p_value = mcnemar_p_value(n_only_a, n_discordant - n_only_a);
                assert_eq!(p_value, mcnemar_p_value(n_discordant - n_only_a, n_only_a));
                assert!(p_value <= last, "{n_only_a} of {n_discordant}");
                last = p_value;
            }
        }
    }

    #[test]
    fn equal_models_do_not_differ() {
        let found = compare_paired(&[0, 1, 2], &[0, 1, 1], &[0, 1, 0]).unwrap();
        assert_eq!((found.n_only_a, found.n_only_b), (0, 0));
        assert_eq!((found.p_value, found.difference), (1.0, 0.0));
    }

    #[test]
    fn swapping_the_models_mirrors_the_comparison() {
        let labels = [0, 1, 0, 1, 0, 1];
        let [a, b] = [[0, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1]];
        let forward = compare_paired(&labels, &a, &b).unwrap();
        let backward = compare_paired(&labels, &b, &a).unwrap();
        assert_eq!(forward.n_only_a, backward.n_only_b);
        assert_eq!(forward.p_value, backward.p_value);
        assert_eq!(forward.difference, -backward.difference);
    }

    #[test]
    fn mismatched_and_empty_inputs_are_refused() {
        assert!(compare_paired(&[0], &[0], &[]).is_err());
        assert_eq!(compare_paired(&[], &[], &[]), Err(MetricsError::Empty));
    }
}
