//! Class probabilities: a sigmoid for each pair of classes, coupled over all pairs.
//!
//! ```text
//! f        decision of the pair (i, j) on a sample that its fit has not seen
//! r_ij   = P(i | i or j, f) = 1 / (1 + exp(A f + B))
//! A, B     maximise the likelihood of targets (n_i + 1) / (n_i + 2) and 1 / (n_j + 2)
//! p        minimises sum_{i != j} (r_ji p_i - r_ij p_j)^2,  sum p = 1
//! ```
//!
//! As LIBSVM does it: decisions by 5-fold cross-validation within the pair; A and B by Newton's
//! method with backtracking (Lin, Lin, Weng, Machine Learning 68 (2007), 267-276, appendix C, after
//! Platt); p by the second method of Wu, Lin, Weng (JMLR 5 (2004), 975-1005, algorithm 2).

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::kernel_cache::KernelCache;
use super::model::Svc;
use super::params::{SvcError, SvcValidParams};
use super::solver::{self, Pair, Solution};
use super::watch::Watch;
use crate::data::{Features, Rng};
use crate::progress::{Progress, Silent};

/// Folds of the cross-validation within a pair.
const N_FOLDS: usize = 5;

/// Pairwise probabilities stay this far from 0 and 1, so that the coupling has one solution.
const MIN_PROBABILITY: f64 = 1e-7;

/// Probability of a pair's first class, given the pair: `1 / (1 + exp(a * decision + b))`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sigmoid {
    /// Slope; negative where decisions tell the classes apart.
    pub a: f64,
    /// Offset.
    pub b: f64,
}

impl Sigmoid {
    /// The most likely sigmoid of these decisions.
    ///
    /// # Shapes
    /// `decisions`, `is_first`: one entry for each sample of the pair.
    pub fn fit(decisions: &[f64], is_first: &[bool]) -> Self {
        const MAX_ITER: usize = 100;
        const MIN_STEP: f64 = 1e-10;
        const SIGMA: f64 = 1e-12;
        const EPS: f64 = 1e-5;
        let n_first = is_first.iter().filter(|&&first| first).count() as f64;
        let n_second = is_first.len() as f64 - n_first;
        let high = (n_first + 1.0) / (n_first + 2.0);
        let low = 1.0 / (n_second + 2.0);
        let target = |&first: &bool| if first { high } else { low };
        let samples = || decisions.iter().zip(is_first.iter().map(target));
        let negative_log_likelihood = |a: f64, b: f64| -> f64 {
            samples()
                .map(|(f, target)| {
                    let z = f * a + b;
                    let shift = if z >= 0.0 { target } else { target - 1.0 };
                    shift * z + (1.0 + (-z.abs()).exp()).ln()
                })
                .sum()
        };
        let (mut a, mut b) = (0.0, ((n_second + 1.0) / (n_first + 1.0)).ln());
        let mut value = negative_log_likelihood(a, b);
        for _ in 0..MAX_ITER {
            let (mut h11, mut h22, mut h21) = (SIGMA, SIGMA, 0.0);
            let (mut g1, mut g2) = (0.0, 0.0);
            for (f, target) in samples() {
                let p = Sigmoid { a, b }.probability(*f);
                let curvature = p * (1.0 - p);
                h11 += f * f * curvature;
                h22 += curvature;
                h21 += f * curvature;
                g1 += f * (target - p);
                g2 += target - p;
            }
            if g1.abs() < EPS && g2.abs() < EPS {
                break;
            }
            let determinant = h11 * h22 - h21 * h21;
            let da = -(h22 * g1 - h21 * g2) / determinant;
            let db = -(h11 * g2 - h21 * g1) / determinant;
            let slope = g1 * da + g2 * db;
            let mut step = 1.0;
            while step >= MIN_STEP {
                let (new_a, new_b) = (a + step * da, b + step * db);
                let new_value = negative_log_likelihood(new_a, new_b);
                if new_value < value + 1e-4 * step * slope {
                    (a, b, value) = (new_a, new_b, new_value);
                    break;
                }
                step /= 2.0;
            }
            // No descent is left at this precision.
            if step < MIN_STEP {
                break;
            }
        }
        Sigmoid { a, b }
    }

    /// Probability of the first class.
    pub fn probability(&self, decision: f64) -> f64 {
        let z = decision * self.a + self.b;
        if z >= 0.0 { (-z).exp() / (1.0 + (-z).exp()) } else { 1.0 / (1.0 + z.exp()) }
    }
}

/// Fits the sigmoid of one pair. A held-out fold is a bound of 0: its decisions come with the
/// solution. The folds share the kernel values of the fit on all samples and start from its
/// solution `whole`.
pub(super) fn fit_pair(
    params: &SvcValidParams,
    cache: &KernelCache,
    pair: &Pair,
    bounds: &[f64],
    whole: &Solution,
    watch: &Watch,
) -> Result<Sigmoid, SvcError> {
    let n_first = pair.first_rows.len();
    let mut order: Vec<usize> = (0..bounds.len()).collect();
    let name = format!("{}-{}", pair.first, pair.second);
    Rng::new(params.seed, &["svc", "probability", &name]).shuffle(&mut order);
    let mut decisions = vec![0.0; bounds.len()];
    for fold in 0..N_FOLDS {
        let held_out = &order[fold * order.len() / N_FOLDS..(fold + 1) * order.len() / N_FOLDS];
        let mut bounds = bounds.to_vec();
        held_out.iter().for_each(|&t| bounds[t] = 0.0);
        let (first, second) = bounds.split_at(n_first);
        let is_left = |side: &[f64]| side.iter().any(|&bound| bound > 0.0);
        match (is_left(first), is_left(second)) {
            (true, true) => {
                let (tol, max_iter) = (params.tol, params.max_iter);
                let start = (whole, 1.0);
                let solution =
                    solver::solve_from(cache, pair, &bounds, tol, max_iter, start, watch)?;
                let all: Vec<f64> = solution.decisions().collect();
                held_out.iter().for_each(|&t| decisions[t] = all[t]);
            }
            (true, false) => held_out.iter().for_each(|&t| decisions[t] = 1.0),
            (false, true) => held_out.iter().for_each(|&t| decisions[t] = -1.0),
            (false, false) => {}
        }
    }
    let is_first: Vec<bool> = (0..bounds.len()).map(|t| t < n_first).collect();
    Ok(Sigmoid::fit(&decisions, &is_first))
}

/// Probabilities of all classes from those of the pairs. `pairwise[i][j]` is the probability of `i`
/// given `i` or `j`, between 0 and 1, both exclusive.
pub fn couple(pairwise: &Array2<f64>) -> Vec<f64> {
    let n = pairwise.nrows();
    if n == 2 {
        return vec![pairwise[[0, 1]], pairwise[[1, 0]]];
    }
    let q = Array2::from_shape_fn((n, n), |(t, j)| {
        if t == j {
            (0..n).filter(|&other| other != t).map(|other| pairwise[[other, t]].powi(2)).sum()
        } else {
            -pairwise[[j, t]] * pairwise[[t, j]]
        }
    });
    let mut p = vec![1.0 / n as f64; n];
    let tolerance = 0.005 / n as f64;
    for _ in 0..n.max(100) {
        // Computed anew in every round, for accuracy.
        let mut qp: Vec<f64> =
            q.rows().into_iter().map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        if qp.iter().all(|qp| (qp - pqp).abs() < tolerance) {
            break;
        }
        for t in 0..n {
            let diff = (pqp - qp[t]) / q[[t, t]];
            p[t] += diff;
            pqp = (pqp + diff * (diff * q[[t, t]] + 2.0 * qp[t])) / (1.0 + diff) / (1.0 + diff);
            for j in 0..n {
                qp[j] = (qp[j] + diff * q[[t, j]]) / (1.0 + diff);
                p[j] /= 1.0 + diff;
            }
        }
    }
    p
}

impl Svc {
    /// The sigmoid of each pair, if the model was fitted with `probability`.
    pub fn sigmoids(&self) -> Option<&[Sigmoid]> {
        self.sigmoids.as_deref()
    }

    /// Probability of each class `[n_samples, n_classes]`, classes as [`Svc::classes`]. They come
    /// from other fits than the labels: the most probable class of a sample may be another than
    /// the predicted one.
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision`], or [`SvcError::NoProbability`].
    pub fn predict_proba(&self, features: &Features) -> Result<Array2<f64>, SvcError> {
        self.predict_proba_with(features, &Silent)
    }

    /// As [`Svc::predict_proba`], with progress in samples.
    ///
    /// # Errors
    /// As there, or [`SvcError::Interrupted`].
    pub fn predict_proba_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, SvcError> {
        let sigmoids = self.sigmoids().ok_or(SvcError::NoProbability)?;
        let decisions = self.pairwise_decision_with(features, progress)?;
        let n_classes = self.classes.len();
        let coupled: Vec<Vec<f64>> = (0..decisions.nrows())
            .into_par_iter()
            .map(|row| {
                let mut pairwise = Array2::zeros((n_classes, n_classes));
                let decided = decisions.row(row);
                for (((first, second), sigmoid), &f) in self.pairs().zip(sigmoids).zip(&decided) {
                    let p = sigmoid
                        .probability(f64::from(f))
                        .clamp(MIN_PROBABILITY, 1.0 - MIN_PROBABILITY);
                    pairwise[[first, second]] = p;
                    pairwise[[second, first]] = 1.0 - p;
                }
                couple(&pairwise)
            })
            .collect();
        Ok(Array2::from_shape_fn((coupled.len(), n_classes), |(row, class)| coupled[row][class]))
    }
}
