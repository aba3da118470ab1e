//! Cross-validation of one kernel under many penalties, on shared kernel values.
//!
//! Each pair of classes is worked through on one thread, penalties ascending: first on all rows,
//! from the solution of the penalty before (all multipliers times the ratio, which scales the values
//! alike and costs nothing); then each fold from the solution on all rows, with the bounds of the
//! held-out rows 0 (alpha seeding: DeCoste and Wagstaff, KDD 2000, 345-349). So blocks of kernel
//! values are found in the cache, and a fold only has to repair what its missing rows change. Every
//! solution meets the tolerance of a cold fit. The held-out rows of a fold are predicted under all
//! penalties at once: one block of kernel values serves them all.

use std::time::Instant;

use super::block::stop_if;
use super::gram::{Resolved, normalised};
use super::kernel_cache::KernelCache;
use super::multiclass::pairs_of;
use super::params::{SvcError, SvcValidParams};
use super::path_predict::{Expansion, Predictor};
use super::schedule;
use super::solver::{self, Pair, Solution};
use super::watch::Watch;
use super::weights::{bounds_of, check, rows_by_class};
use crate::data::Labels;
use crate::learn::Samples;
use crate::learn::model_selection::Folds;
use crate::progress::Progress;

/// One fold under one penalty.
#[derive(Clone, Debug)]
pub struct PathFit {
    /// Labels of the rows that the fold holds out, in their order.
    pub predicted: Labels,
    /// Sum of the dual objectives of all pairs (minimised).
    pub objective: f64,
    /// Largest `m - M` of a pair.
    pub max_kkt_gap: f64,
    /// Steps of all pairs.
    pub n_iterations: u64,
    /// Whether every pair reached its tolerance.
    pub converged: bool,
    /// Wall time on one thread that this fit added, with its share of the fit on all rows.
    pub fit_seconds: f64,
    /// Wall time of the prediction, shared evenly by the penalties.
    pub predict_seconds: f64,
}

/// A pair solved for one fold and penalty.
struct Solved {
    expansion: Expansion,
    objective: f64,
    gap: f64,
    n_iterations: u64,
    seconds: f64,
}

/// What one fold fits on.
struct Subset {
    /// Bounds of all rows by penalty; 0 where held out.
    bounds: Vec<Vec<f64>>,
    /// Positions of the classes that are left.
    classes: Vec<usize>,
}

impl SvcValidParams {
    /// Fits every fold under every penalty and predicts its held-out rows: `[penalties, folds]`.
    ///
    /// As [`SvcValidParams::fit_samples`] on the fold's rows with each of `cs` in place of `c`, to
    /// the same tolerance, except that `gamma = scale` is resolved once, on all rows. The linfa
    /// engine and probabilities are not for here.
    ///
    /// # Errors
    /// Input that cannot be fitted, a fold that leaves one class only, or
    /// [`SvcError::Interrupted`].
    /// # Panics   if `folds` are not of as many rows as `samples`
    /// # Cost     a fit on all rows for each penalty, and about half of one for each fold
    pub fn fit_path(
        &self,
        samples: Samples,
        folds: &Folds,
        cs: &[f64],
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<PathFit>>, SvcError> {
        assert_eq!(folds.n_samples(), samples.features.n_samples(), "folds of other samples");
        let classes = check(samples)?;
        let features = normalised(samples.features);
        let features = features.as_ref();
        stop_if(progress)?;
        let mut order: Vec<usize> = (0..cs.len()).collect();
        order.sort_by(|&a, &b| cs[a].total_cmp(&cs[b]));
        let ascending: Vec<f64> = order.iter().map(|&idx| cs[idx]).collect();
        let whole = self.subset(samples, &classes, &ascending, |_| true)?;
        let n_folds = folds.n_folds();
        let subsets =
            (0..n_folds)
                .map(|fold| {
                    let keep = |row| folds.fold_of(row) != fold;
                    self.subset(samples, &classes, &ascending, keep).map_err(|error| {
                        SvcError::Fold { fold: fold + 1, n_folds, source: Box::new(error) }
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
        let takes_part = |row: usize| whole.bounds.iter().any(|bounds| bounds[row] > 0.0);
        let rows_of = rows_by_class(samples.labels, &classes, takes_part);
        let resolved = Resolved::new(self.kernel, features);
        let cache = KernelCache::new(resolved, features, &rows_of, self.cache_bytes(), progress)?;
        let pairs = pairs_of(&rows_of);
        let watch = Watch::new(progress, pairs.len() * (n_folds + 1) * cs.len());
        let costs = schedule::costs(features, &pairs, &rows_of, progress)?;
        let solved = schedule::by_cost(&costs, |idx| {
            self.solve_pair(&cache, &pairs[idx], &ascending, &whole, &subsets, &watch)
        })?;
        drop(cache);
        let mut path: Vec<Vec<PathFit>> = cs.iter().map(|_| Vec::new()).collect();
        for (fold, subset) in subsets.iter().enumerate() {
            let held_out = folds.held_out(fold);
            let of_fold: Vec<&[Option<Solved>]> =
                solved.iter().map(|pair| pair[fold].as_slice()).collect();
            let clock = Instant::now();
            let expansions: Vec<Vec<&Expansion>> = (0..cs.len())
                .map(|nth| of_fold.iter().filter_map(|pair| pair[nth].as_ref()).collect())
                .map(|solved: Vec<&Solved>| solved.iter().map(|one| &one.expansion).collect())
                .collect();
            let predictor =
                Predictor::new(resolved, features, subset.classes.len(), &expansions, progress)?;
            let predicted = predictor.predict(&held_out, self.break_ties, progress)?;
            let predict_seconds = clock.elapsed().as_secs_f64() / cs.len() as f64;
            for (nth, winners) in predicted.into_iter().enumerate() {
                let solved = || of_fold.iter().filter_map(|penalties| penalties[nth].as_ref());
                let max_kkt_gap = solved().map(|one| one.gap).fold(0.0, f64::max);
                path[order[nth]].push(PathFit {
                    predicted: winners
                        .into_iter()
                        .map(|winner| classes[subset.classes[winner]])
                        .collect(),
                    objective: solved().map(|one| one.objective).sum(),
                    max_kkt_gap,
                    n_iterations: solved().map(|one| one.n_iterations).sum(),
                    converged: max_kkt_gap <= self.tol,
                    fit_seconds: solved().map(|one| one.seconds).sum(),
                    predict_seconds,
                });
            }
        }
        Ok(path)
    }

    fn subset(
        &self,
        samples: Samples,
        classes: &[usize],
        cs: &[f64],
        keep: impl Fn(usize) -> bool,
    ) -> Result<Subset, SvcError> {
        let bounds = cs
            .iter()
            .map(|&c| bounds_of(&SvcValidParams { c, ..self.clone() }, samples, classes, &keep))
            .collect::<Result<Vec<_>, _>>()?;
        let is_left = |class: &usize| {
            samples.labels.iter().enumerate().any(|(row, label)| label == class && keep(row))
        };
        let classes = (0..classes.len()).filter(|&at| is_left(&classes[at])).collect();
        Ok(Subset { bounds, classes })
    }

    /// Solutions of one pair `[folds][penalties]`; none where a class of it is missing.
    fn solve_pair(
        &self,
        cache: &KernelCache,
        pair: &Pair,
        cs: &[f64],
        whole: &Subset,
        subsets: &[Subset],
        watch: &Watch,
    ) -> Result<Vec<Vec<Option<Solved>>>, SvcError> {
        let solve = |bounds: &[f64], start: Option<(&Solution, f64)>| match start {
            None => solver::solve(cache, pair, bounds, self.tol, self.max_iter, watch),
            Some(start) => {
                solver::solve_from(cache, pair, bounds, self.tol, self.max_iter, start, watch)
            }
        };
        let of_pair = |bounds: &[f64]| -> Vec<f64> { pair.rows().map(|row| bounds[row]).collect() };
        let mut path: Vec<Vec<Option<Solved>>> = subsets.iter().map(|_| Vec::new()).collect();
        let mut before: Option<(Solution, f64)> = None;
        for (nth, &c) in cs.iter().enumerate() {
            let clock = Instant::now();
            let start = before.as_ref().map(|(solution, c_before)| (solution, c / c_before));
            let on_all = solve(&of_pair(&whole.bounds[nth]), start)?;
            let shared_seconds = clock.elapsed().as_secs_f64() / subsets.len() as f64;
            watch.done();
            for (subset, solved) in subsets.iter().zip(&mut path) {
                let clock = Instant::now();
                let is_left = |class| subset.classes.contains(&class);
                let solution = if is_left(pair.first) && is_left(pair.second) {
                    Some(solve(&of_pair(&subset.bounds[nth]), Some((&on_all, 1.0)))?)
                } else {
                    None
                };
                solved.push(solution.map(|solution| Solved {
                    expansion: Expansion {
                        classes: [pair.first, pair.second],
                        support: solution.support(pair),
                        bias: solution.bias,
                    },
                    objective: solution.objective,
                    gap: solution.gap,
                    n_iterations: solution.n_iterations.unwrap_or(0),
                    seconds: shared_seconds + clock.elapsed().as_secs_f64(),
                }));
                watch.done();
            }
            before = Some((on_all, c));
        }
        Ok(path)
    }
}
