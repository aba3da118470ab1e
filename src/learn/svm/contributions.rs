//! What speaks for one class against another, support vector by support vector.
//!
//! ```text
//! decision = sum_i beta_i K(x_i, x) + b      over the support vectors of the two classes
//! ```

use ndarray::Array1;

use super::model::{Svc, pair_idx};
use super::params::{Kernel, SvcError};
use crate::data::Features;
use crate::progress::Progress;

/// The parts of the decision between two classes for one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributions {
    /// Support vector (row of [`Svc::support`]) and what it adds: positive speaks for the first class.
    /// In the order of the rows; only those that count in this pair.
    pub terms: Vec<(usize, f64)>,
    /// The constant, seen from the first class.
    pub bias: f64,
}

impl Contributions {
    /// The decision: positive means the first class.
    pub fn decision(&self) -> f64 {
        self.terms.iter().map(|(_, term)| term).sum::<f64>() + self.bias
    }
}

impl Svc {
    /// What every support vector adds to the decision between two labels for the sample at `row`; none
    /// if the labels are equal or the fit did not meet one of them.
    ///
    /// # Errors
    /// Samples of another type or number of features than those of the fit, or not finite.
    /// # Panics   if `row` is out of bounds
    /// # Cost     a kernel value for each support vector of the two classes
    pub fn contributions(
        &self,
        features: &Features,
        row: usize,
        (class, other): (usize, usize),
    ) -> Result<Option<Contributions>, SvcError> {
        self.check(features)?;
        let Some((one, two)) = self.positions(class, other) else { return Ok(None) };
        let sign = if one < two { 1.0 } else { -1.0 };
        let x = features.row_f32(row);
        let of = |&(support, coefficient): &(usize, f64)| {
            (support, sign * coefficient * self.kernel_value(&self.support.row_f32(support), &x))
        };
        let terms = self.pair_coefficients(one, two).iter().map(of).collect();
        let bias = sign * self.bias[pair_idx(self.classes.len(), one, two)];
        Ok(Some(Contributions { terms, bias }))
    }

    /// Weights of real features (a byte counts as itself / 255) of the decision between two labels,
    /// `[n_features]`, positive for the first; none unless the kernel is linear, or as
    /// [`Svc::contributions`].
    pub fn linear_weights_of(&self, class: usize, other: usize) -> Option<Array1<f64>> {
        if self.resolved.kernel != Kernel::Linear {
            return None;
        }
        let (one, two) = self.positions(class, other)?;
        let sign = if one < two { 1.0 } else { -1.0 };
        let mut weights = Array1::zeros(self.support.n_features());
        for (support, coefficient) in self.pair_coefficients(one, two) {
            let row = self.support.row_f32(support).mapv(f64::from);
            weights.scaled_add(sign * coefficient, &row);
        }
        Some(weights)
    }

    /// Mean over the other classes of the decision for `class` against each, `[n_samples]`; none if the fit
    /// did not meet the class.
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision_with`].
    pub fn mean_margins(
        &self,
        features: &Features,
        class: usize,
        progress: &dyn Progress,
    ) -> Result<Option<Vec<f64>>, SvcError> {
        let Some(one) = self.classes.iter().position(|&known| known == class) else {
            return Ok(None);
        };
        let decisions = self.pairwise_decision_with(features, progress)?;
        let n_others = (self.classes.len() - 1) as f64;
        let mean = |row: ndarray::ArrayView1<'_, f32>| {
            let of_pair = self.pairs().zip(row).map(|((first, second), &decision)| {
                let side = f64::from(i8::from(first == one) - i8::from(second == one));
                side * f64::from(decision)
            });
            of_pair.sum::<f64>() / n_others
        };
        Ok(Some(decisions.rows().into_iter().map(mean).collect()))
    }

    /// Places of two labels among the classes.
    fn positions(&self, class: usize, other: usize) -> Option<(usize, usize)> {
        let position = |label: usize| self.classes.iter().position(|&known| known == label);
        (class != other).then_some((position(class)?, position(other)?))
    }

    /// Support vectors with a coefficient in a pair of positions, and it, by row.
    fn pair_coefficients(&self, one: usize, two: usize) -> Vec<(usize, f64)> {
        let ranges: Vec<_> = self.support_ranges().collect();
        let of = |class: usize, other: usize| {
            ranges[class].clone().zip(self.coefficients(class, other).iter().copied())
        };
        let both = of(one.min(two), one.max(two)).chain(of(one.max(two), one.min(two)));
        both.filter(|&(_, coefficient)| coefficient != 0.0).collect()
    }

    /// The kernel of two rows of real features.
    fn kernel_value(&self, a: &Array1<f32>, b: &Array1<f32>) -> f64 {
        let pairs = || a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
        match self.resolved.kernel {
            Kernel::Rbf { .. } => {
                let squared = pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
                (-self.resolved.gamma * squared).exp()
            }
            _ => {
                let product = pairs().map(|(a, b)| a * b).sum();
                f64::from(self.resolved.of_product(product))
            }
        }
    }
}
