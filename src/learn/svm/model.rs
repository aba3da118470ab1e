//! The fitted classifier: what it consists of, and what is known of its fit.

use std::sync::OnceLock;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::gram::Resolved;
use super::linear::LinearWeights;
use super::params::{Engine, Kernel};
use super::probability::Sigmoid;
use super::support::PackedSupport;
use crate::data::Features;

/// What a fit cost and how good its solution is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// One entry per pair, in LIBSVM's order.
    pub pairs: Vec<PairReport>,
    /// Sum of the dual objectives (minimised).
    pub objective: f64,
    /// Largest `m - M` of a pair, measured on the solution; 0 if it is exact.
    pub max_kkt_gap: f64,
    /// Steps of all pairs; none from the linfa engine, which does not tell them.
    pub n_iterations: Option<u64>,
    /// Kernel values computed; varies with the timing of threads, so it is not stored.
    #[serde(skip)]
    pub kernel_evaluations: u64,
    /// Fraction of block requests that were in the cache; varies likewise, not stored.
    #[serde(skip)]
    pub cache_hit_rate: f64,
    /// True if every pair reached its tolerance, as measured on the solution.
    pub converged: bool,
    /// Penalty.
    pub c: f64,
    /// Implementation that solved the pairs.
    pub engine: Engine,
}

/// Outcome of one pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairReport {
    /// The two classes.
    pub classes: [usize; 2],
    /// Dual objective.
    pub objective: f64,
    /// `m - M` at the end.
    pub kkt_gap: f64,
    /// SMO steps; none from the linfa engine.
    pub n_iterations: Option<u64>,
    /// Whether the gap reached the tolerance.
    pub converged: bool,
}

/// A fitted support vector classifier.
pub struct Svc {
    pub(super) resolved: Resolved,
    pub(super) classes: Vec<usize>,
    pub(super) support: Features,
    pub(super) n_support: Vec<usize>,
    pub(super) dual_coef: Array2<f64>,
    pub(super) bias: Vec<f64>,
    pub(super) support_idx: Vec<usize>,
    pub(super) break_ties: bool,
    pub(super) report: Option<FitReport>,
    pub(super) sigmoids: Option<Vec<Sigmoid>>,
    /// Support vectors by class, packed at the first prediction.
    pub(super) packed: OnceLock<PackedSupport>,
    /// Weight vectors of a linear kernel, summed at the first prediction.
    pub(super) weights: OnceLock<LinearWeights>,
}

impl Svc {
    /// A classifier that predicts; whatever else is known of it is set by the caller.
    pub(super) fn new(
        resolved: Resolved,
        classes: Vec<usize>,
        support: Features,
        n_support: Vec<usize>,
        dual_coef: Array2<f64>,
        bias: Vec<f64>,
    ) -> Self {
        Svc {
            resolved,
            classes,
            support,
            n_support,
            dual_coef,
            bias,
            support_idx: Vec::new(),
            break_ties: false,
            report: None,
            sigmoids: None,
            packed: OnceLock::new(),
            weights: OnceLock::new(),
        }
    }

    /// What the fit cost and how good the solution is; none if the model was read from a LIBSVM
    /// file, which does not tell.
    pub fn report(&self) -> Option<&FitReport> {
        self.report.as_ref()
    }

    /// Kernel function.
    pub fn kernel(&self) -> Kernel {
        self.resolved.kernel
    }

    /// Kernel coefficient as a number; 1 for a linear kernel.
    pub fn gamma(&self) -> f64 {
        self.resolved.gamma
    }

    /// Classes that occurred, ascending; those of a LIBSVM file in the order of the file.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Support vectors `[n_support, n_features]`, by class.
    pub fn support(&self) -> &Features {
        &self.support
    }

    /// Number of support vectors of each class.
    pub fn n_support(&self) -> &[usize] {
        &self.n_support
    }

    /// Training rows of the support vectors, by class; empty if the model was read from a LIBSVM
    /// file.
    pub fn support_idx(&self) -> &[usize] {
        &self.support_idx
    }

    /// Signed multipliers `[n_classes - 1, n_support]`, laid out as scikit-learn's `dual_coef_`.
    pub fn dual_coef(&self) -> &Array2<f64> {
        &self.dual_coef
    }

    /// Constant of each pair's decision; minus LIBSVM's `rho`.
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }

    /// Whether [`Svc::predict_labels`] breaks ties of votes by the summed decisions.
    pub fn break_ties(&self) -> bool {
        self.break_ties
    }

    /// Pairs of positions in `classes`, in LIBSVM's order: 01, 02, …, 12, ….
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        pairs(self.classes.len())
    }

    /// For each class its rows among the support vectors.
    pub(super) fn support_ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.n_support.iter().scan(0, |start, &n| {
            *start += n;
            Some(*start - n..*start)
        })
    }

    /// Coefficients of the support vectors of `class` in the pair with `other`.
    pub(super) fn coefficients(&self, class: usize, other: usize) -> &[f64] {
        let start: usize = self.n_support[..class].iter().sum();
        let line = if other > class { other - 1 } else { other };
        let line = &self.dual_coef.as_slice().expect("coefficients are row-major")
            [line * self.support.n_samples()..];
        &line[start..start + self.n_support[class]]
    }
}

/// Pairs of positions of classes, in LIBSVM's order.
pub(super) fn pairs(n_classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n_classes).flat_map(move |first| (first + 1..n_classes).map(move |second| (first, second)))
}

/// Place of the pair of two positions in `classes`.
pub(super) fn pair_idx(n_classes: usize, one: usize, other: usize) -> usize {
    let (first, second) = (one.min(other), one.max(other));
    first * (2 * n_classes - first - 1) / 2 + second - first - 1
}
