//! One problem per pair of classes, in LIBSVM's order, solved in parallel.

use super::block::stop_if;
use super::gram::{Resolved, normalised};
use super::kernel_cache::{Cost, KernelCache};
use super::linfa_engine;
use super::model::{FitReport, PairReport, Svc};
use super::params::{Engine, SvcError, SvcValidParams};
use super::probability::{self, Sigmoid};
use super::schedule;
use super::solver::{self, Pair, Solution};
use super::watch::Watch;
use super::weights::{bounds_of, check, rows_by_class};
use crate::data::{Features, Labels};
use crate::learn::Samples;
use crate::progress::{Progress, Silent};
use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;

impl Fit<Features, Labels, SvcError> for SvcValidParams {
    type Object = Svc;

    fn fit(&self, dataset: &DatasetBase<Features, Labels>) -> Result<Svc, SvcError> {
        self.fit_with(dataset.records(), dataset.targets(), &Silent)
    }
}

impl SvcValidParams {
    /// As [`SvcValidParams::fit_samples`] with weight 1 each.
    ///
    /// # Errors
    /// As there.
    pub fn fit_with(
        &self,
        features: &Features,
        labels: &Labels,
        progress: &dyn Progress,
    ) -> Result<Svc, SvcError> {
        self.fit_samples(Samples { features, labels, weights: None }, progress)
    }

    /// Fits one problem per pair of the classes that occur. The model does not depend on the number
    /// of threads or the size of the cache.
    ///
    /// The multiplier of a sample is at most `c` times its class's weight times its own, as in
    /// scikit-learn. A sample of weight 0 takes no part, except that `gamma = scale` sees all rows.
    ///
    /// # Errors
    /// Input that cannot be fitted, or [`SvcError::Interrupted`].
    pub fn fit_samples(&self, samples: Samples, progress: &dyn Progress) -> Result<Svc, SvcError> {
        let classes = check(samples)?;
        let features = normalised(samples.features);
        let features = features.as_ref();
        stop_if(progress)?;
        let bounds = bounds_of(self, samples, &classes, |_| true)?;
        let rows_of = rows_by_class(samples.labels, &classes, |row| bounds[row] > 0.0);
        let resolved = Resolved::new(self.kernel, features);
        if self.engine == Engine::Linfa {
            linfa_engine::check_size(features.n_samples())?;
        }
        stop_if(progress)?;
        let cache = KernelCache::new(resolved, features, &rows_of, self.cache_bytes(), progress)?;
        let pairs = pairs_of(&rows_of);
        let watch = Watch::new(progress, pairs.len());
        let costs = schedule::costs(features, &pairs, &rows_of, progress)?;
        let solutions = schedule::by_cost(&costs, |idx| {
            let pair = &pairs[idx];
            let bounds: Vec<f64> = pair.rows().map(|row| bounds[row]).collect();
            let solution = match self.engine {
                Engine::Native => {
                    solver::solve(&cache, pair, &bounds, self.tol, self.max_iter, &watch)?
                }
                Engine::Linfa => linfa_engine::solve(&cache, pair, &bounds, self.tol, &watch)?,
            };
            let sigmoid = match self.probability {
                true => {
                    Some(probability::fit_pair(self, &cache, pair, &bounds, &solution, &watch)?)
                }
                false => None,
            };
            watch.done();
            Ok((solution, sigmoid))
        })?;
        let (solutions, sigmoids): (Vec<Solution>, Vec<Option<Sigmoid>>) =
            solutions.into_iter().unzip();
        let cost = cache.into_cost();
        let solved: Vec<(Pair, Solution)> = pairs.into_iter().zip(solutions).collect();
        let mut svc = assemble(self, features, resolved, classes, &rows_of, &solved, cost);
        svc.sigmoids = sigmoids.into_iter().collect();
        Ok(svc)
    }
}

/// Every pair of classes in LIBSVM's order.
pub(super) fn pairs_of(rows_of: &[Vec<usize>]) -> Vec<Pair<'_>> {
    (0..rows_of.len())
        .flat_map(|first| (first + 1..rows_of.len()).map(move |second| (first, second)))
        .map(|(first, second)| Pair {
            first,
            second,
            first_rows: &rows_of[first],
            second_rows: &rows_of[second],
        })
        .collect()
}

/// Gathers the support vectors of all pairs, by class and then by position.
fn assemble(
    params: &SvcValidParams,
    features: &Features,
    resolved: Resolved,
    classes: Vec<usize>,
    rows_of: &[Vec<usize>],
    solved: &[(Pair, Solution)],
    cost: Cost,
) -> Svc {
    let n_classes = classes.len();
    let mut support_idx = Vec::new();
    let mut n_support = Vec::new();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for (class, rows) in rows_of.iter().enumerate() {
        let before = support_idx.len();
        for (within, &row) in rows.iter().enumerate() {
            let mut column = vec![0.0; n_classes - 1];
            for (pair, solution) in solved {
                if pair.first == class {
                    column[pair.second - 1] = solution.beta[within];
                } else if pair.second == class {
                    column[pair.first] = solution.beta[pair.first_rows.len() + within];
                }
            }
            if column.iter().any(|&coefficient| coefficient != 0.0) {
                support_idx.push(row);
                columns.push(column);
            }
        }
        n_support.push(support_idx.len() - before);
    }
    let dual_coef =
        Array2::from_shape_fn((n_classes - 1, columns.len()), |(other, sv)| columns[sv][other]);
    let report = FitReport {
        pairs: solved
            .iter()
            .map(|(pair, solution)| PairReport {
                classes: [classes[pair.first], classes[pair.second]],
                objective: solution.objective,
                kkt_gap: solution.gap,
                n_iterations: solution.n_iterations,
                converged: solution.converged,
            })
            .collect(),
        objective: solved.iter().map(|(_, solution)| solution.objective).sum(),
        max_kkt_gap: solved.iter().map(|(_, solution)| solution.gap).fold(0.0, f64::max),
        n_iterations: solved.iter().map(|(_, solution)| solution.n_iterations).sum(),
        kernel_evaluations: cost.kernel_evaluations,
        cache_hit_rate: cost.cache_hit_rate,
        converged: solved.iter().all(|(_, solution)| solution.converged),
        c: params.c,
        engine: params.engine,
    };
    let bias = solved.iter().map(|(_, solution)| solution.bias).collect();
    let support = features.select(&support_idx);
    let mut svc = Svc::new(resolved, classes, support, n_support, dual_coef, bias);
    svc.support_idx = support_idx;
    svc.report = Some(report);
    svc.break_ties = params.break_ties;
    svc
}
