//! How a cost grows: the power law through measured pairs, and what it says of sizes not measured.

/// `y = coefficient * x^exponent`, fitted by least squares on logarithms:
///
/// ```text
/// log y_i = a + b log x_i + e_i      i = 1..m
/// b = S_xy / S_xx    a = mean(log y) - b mean(log x)    s^2 = sum e_i^2 / (m - 2)
/// se(b) = s / sqrt(S_xx)
/// log y(x) in a + b log x +- t s sqrt(1 + 1/m + (log x - mean)^2 / S_xx)     t: 97.5 % of m - 2
/// ```
///
/// The interval is that of one new observation (Draper and Smith, Applied Regression Analysis, 1.4):
/// it holds if the law holds, so it is no warning of a bend beyond the measured sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerLaw {
    /// `b`
    pub exponent: f64,
    /// Standard error of `b`; absent below three pairs.
    pub exponent_se: Option<f64>,
    /// `exp(a)`: the cost at `x = 1`.
    pub coefficient: f64,
    n_pairs: usize,
    mean_log_x: f64,
    s_xx: f64,
    s: Option<f64>,
}

impl PowerLaw {
    /// The law through pairs `(x, y)`; none unless all are positive and two `x` differ.
    pub fn fit(pairs: &[(f64, f64)]) -> Option<PowerLaw> {
        let positive = |v: f64| v.is_finite() && v > 0.0;
        if pairs.is_empty() || !pairs.iter().all(|&(x, y)| positive(x) && positive(y)) {
            return None;
        }
        let m = pairs.len() as f64;
        let logs: Vec<(f64, f64)> = pairs.iter().map(|&(x, y)| (x.ln(), y.ln())).collect();
        let mean_log_x = logs.iter().map(|log| log.0).sum::<f64>() / m;
        let mean_log_y = logs.iter().map(|log| log.1).sum::<f64>() / m;
        let s_xx: f64 = logs.iter().map(|log| (log.0 - mean_log_x).powi(2)).sum();
        let s_xy: f64 = logs.iter().map(|log| (log.0 - mean_log_x) * (log.1 - mean_log_y)).sum();
        // Equal `x` leave only rounding here.
        if s_xx <= 1e-12 * (1.0 + mean_log_x * mean_log_x) {
            return None;
        }
        let exponent = s_xy / s_xx;
        let a = mean_log_y - exponent * mean_log_x;
        let rss: f64 = logs.iter().map(|log| (log.1 - a - exponent * log.0).powi(2)).sum();
        let s = (pairs.len() > 2).then(|| (rss / (m - 2.0)).sqrt());
        Some(PowerLaw {
            exponent,
            exponent_se: s.map(|s| s / s_xx.sqrt()),
            coefficient: a.exp(),
            n_pairs: pairs.len(),
            mean_log_x,
            s_xx,
            s,
        })
    }

    /// The cost at `x > 0`.
    pub fn at(&self, x: f64) -> f64 {
        self.coefficient * x.powf(self.exponent)
    }

    /// 95 % interval of one new observation at `x > 0`; absent below three pairs.
    pub fn interval_at(&self, x: f64) -> Option<[f64; 2]> {
        let distance = x.ln() - self.mean_log_x;
        let spread = 1.0 + 1.0 / self.n_pairs as f64 + distance * distance / self.s_xx;
        let half = t_975(self.n_pairs - 2)? * self.s? * spread.sqrt();
        Some([self.at(x) * (-half).exp(), self.at(x) * half.exp()])
    }
}

/// 97.5 % quantile of Student's t by degrees of freedom, from 1.
const T_975: [f64; 10] = [
    12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
    2.262_157, 2.228_139,
];

/// 97.5 % quantile of Student's t; beyond the table by Fisher and Cornish's expansion (error below
/// 1e-4).
fn t_975(n_free: usize) -> Option<f64> {
    let z = super::Z_95;
    let v = n_free as f64;
    match n_free {
        0 => None,
        _ if n_free <= T_975.len() => Some(T_975[n_free - 1]),
        _ => Some(
            z + (z.powi(3) + z) / (4.0 * v)
                + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
                + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z)
                    / (384.0 * v.powi(3)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Case {
        pairs: Vec<(f64, f64)>,
        exponent: f64,
        exponent_se: f64,
        coefficient: f64,
        at: f64,
        prediction: f64,
        interval: [f64; 2],
    }

    #[derive(Deserialize)]
    struct Fixture {
        cases: Vec<Case>,
        t_975: Vec<(usize, f64)>,
    }

    fn fixture() -> Fixture {
        serde_json::from_str(include_str!("../../tests/reference/power_law.json")).unwrap()
    }

    #[test]
    fn law_errors_and_intervals_match_numpy_and_scipy() {
        for case in fixture().cases {
            let law = PowerLaw::fit(&case.pairs).unwrap();
            assert_relative_eq!(law.exponent, case.exponent, max_relative = 1e-9);
            assert_relative_eq!(law.exponent_se.unwrap(), case.exponent_se, max_relative = 1e-6);
            assert_relative_eq!(law.coefficient, case.coefficient, max_relative = 1e-8);
            assert_relative_eq!(law.at(case.at), case.prediction, max_relative = 1e-8);
            let interval = law.interval_at(case.at).unwrap();
            assert_relative_eq!(interval[0], case.interval[0], max_relative = 1e-4);
            assert_relative_eq!(interval[1], case.interval[1], max_relative = 1e-4);
        }
    }

    #[test]
    fn quantiles_match_scipy() {
        for (n_free, expected) in fixture().t_975 {
            assert_relative_eq!(t_975(n_free).unwrap(), expected, max_relative = 1e-4);
        }
    }

    #[test]
    fn two_pairs_give_a_law_without_an_interval() {
        let law = PowerLaw::fit(&[(10.0, 1.0), (100.0, 100.0)]).unwrap();
        assert_relative_eq!(law.exponent, 2.0, max_relative = 1e-12);
        assert_relative_eq!(law.at(1000.0), 10_000.0, max_relative = 1e-9);
        assert_eq!((law.exponent_se, law.interval_at(1000.0)), (None, None));
    }

    #[test]
    fn pairs_that_determine_no_law_give_none() {
        for pairs in [
            &[][..],
            &[(10.0, 1.0)],
            &[(10.0, 1.0), (10.0, 2.0), (10.0, 3.0)],
            &[(10.0, 1.0), (20.0, 0.0)],
            &[(10.0, f64::NAN), (20.0, 1.0)],
            &[(0.0, 1.0), (20.0, 1.0)],
        ] {
            assert_eq!(PowerLaw::fit(pairs), None, "{pairs:?}");
        }
    }
}
