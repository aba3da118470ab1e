//! Whether two models differ over several seeds: means, deviations and Student's paired test.
//!
//! `t = mean(d) sqrt(n) / sd(d)` of the differences `d`, with `n - 1` degrees of freedom (Student,
//! Biometrika 6 (1908), 1-25).

use serde::{Deserialize, Serialize};

/// Mean and standard deviation of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanSd {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation, divided by `n - 1`; none of a single value.
    pub sd: Option<f64>,
}

impl MeanSd {
    /// Of at least one value; none of none.
    pub fn of(values: &[f64]) -> Option<MeanSd> {
        let n = values.len() as f64;
        let first = *values.first()?;
        // From the first value on, so that equal values have a deviation of exactly 0.
        let mean = first + values.iter().map(|value| value - first).sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Some(MeanSd { mean, sd })
    }
}

/// Student's paired test of some differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedT {
    /// Mean difference.
    pub mean: f64,
    /// 95 % interval of the mean.
    pub mean_ci95: [f64; 2],
    /// Two-sided p value. Differences that are all equal give 1 if they are 0, else 0.
    pub p_value: f64,
}

/// Tests whether differences have mean 0; none of fewer than two, or of values that are not finite.
pub fn paired_t(differences: &[f64]) -> Option<PairedT> {
    let MeanSd { mean, sd: Some(sd) } = MeanSd::of(differences)? else { return None };
    if !(mean.is_finite() && sd.is_finite()) {
        return None;
    }
    let n = differences.len() as f64;
    let error = sd / n.sqrt();
    let half = t_quantile_975(n - 1.0) * error;
    let p_value = match (error > 0.0, mean == 0.0) {
        (true, _) => two_sided(mean / error, n - 1.0),
        (false, true) => 1.0,
        (false, false) => 0.0,
    };
    Some(PairedT { mean, mean_ci95: [mean - half, mean + half], p_value })
}

/// Probability of a `t` at least this far from 0, with `df` degrees of freedom:
/// `I_x(df/2, 1/2)` at `x = df / (df + t^2)` (Abramowitz and Stegun 26.7.1).
fn two_sided(t: f64, df: f64) -> f64 {
    incomplete_beta(df / (df + t * t), df / 2.0)
}

/// The value that `t` exceeds with probability 0.025.
fn t_quantile_975(df: f64) -> f64 {
    let (mut lo, mut hi) = (0.0, 20.0);
    for _ in 0..100 {
        let middle = 0.5 * (lo + hi);
        if two_sided(middle, df) > 0.05 { lo = middle } else { hi = middle }
    }
    0.5 * (lo + hi)
}

/// The regularised incomplete beta function `I_x(a, 1/2)`, for `2 a` a whole number.
///
/// By its recurrence in `a` (Abramowitz and Stegun 26.5.16), which takes one term away for each
/// step, from `I_x(1/2, 1/2) = 2 asin(sqrt x) / pi` or `I_x(1, 1/2) = 1 - sqrt(1 - x)`. Where little
/// would be left of the start, the terms that follow are added instead.
fn incomplete_beta(x: f64, a: f64) -> f64 {
    const SLOW_FROM: f64 = 0.9;
    let is_odd = (2.0 * a) as u64 % 2 == 1;
    let root = (1.0 - x).sqrt();
    // `term` is x^k (1 - x)^(1/2) / (k B(k, 1/2)).
    let (mut k, mut found, mut term) = if is_odd {
        let pi = std::f64::consts::PI;
        (0.5, 2.0 / pi * x.sqrt().asin(), 2.0 / pi * (x * (1.0 - x)).sqrt())
    } else {
        (1.0, x / (1.0 + root), 0.5 * x * root)
    };
    while k < a {
        found -= term;
        term *= x * (k + 0.5) / (k + 1.0);
        k += 1.0;
    }
    if x < SLOW_FROM {
        found = 0.0;
        while term > 1e-18 * found {
            found += term;
            term *= x * (k + 0.5) / (k + 1.0);
            k += 1.0;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn paired_tests_match_scipy() {
        for case in fixture::load().paired_t {
            let found = paired_t(&case.differences).unwrap();
            assert_relative_eq!(found.p_value, case.p_value, max_relative = 1e-9);
            assert_relative_eq!(found.mean_ci95[0], case.interval[0], epsilon = 1e-9);
            assert_relative_eq!(found.mean_ci95[1], case.interval[1], epsilon = 1e-9);
        }
    }

    #[test]
    fn equal_differences_leave_no_doubt() {
        let of = |differences: &[f64]| paired_t(differences).unwrap();
        assert_eq!(of(&[0.0; 3]), PairedT { mean: 0.0, mean_ci95: [0.0; 2], p_value: 1.0 });
        assert_eq!(of(&[0.1; 3]), PairedT { mean: 0.1, mean_ci95: [0.1; 2], p_value: 0.0 });
    }

    #[test]
    fn fewer_than_two_values_have_no_deviation() {
        assert_eq!(MeanSd::of(&[]), None);
        assert_eq!(MeanSd::of(&[0.5]), Some(MeanSd { mean: 0.5, sd: None }));
        assert_eq!(paired_t(&[0.5]), None);
        assert_eq!(paired_t(&[0.5, f64::NAN]), None);
    }
}
