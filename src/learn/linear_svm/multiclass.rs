//! Problems of two classes for many classes, solved in parallel.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::gram::Gram;
use super::model::{LinearReport, LinearSvc, ProblemReport, pairs};
use super::params::{LinearSvcValidParams, MultiClass, Solver};
use super::problem::{Problem, Solution, stop_if};
use super::{dcd, newton};
use crate::data::{Labels, Rng};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::check_samples;
use crate::learn::rows::Rows;
use crate::learn::svm::ClassWeight;
use crate::learn::{LearnError, Samples};
use crate::progress::Progress;

linfa_traits!(LinearSvcValidParams, LinearSvc);

/// One row of the coefficients: positive class against a negative one or all others, as positions in
/// the classes that occur.
type Sides = (usize, Option<usize>);

impl LinearSvcValidParams {
    /// Fits one problem per class or pair of classes. The model does not depend on the number of
    /// threads; the seed orders the samples of coordinate descent.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or [`LearnError::Interrupted`].
    ///
    /// # Cost
    /// Newton: some ten passes over the rows a problem, and the outer products of rows that become
    /// or cease to be support vectors, `n_features^2 / 2` multiplications each. Coordinate descent:
    /// as many passes as it takes, up to `max_iter`.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<LinearSvc, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let (features, labels) = (checked.features, samples.labels);
        stop_if(progress)?;
        let weights = samples.weights.map_or_else(|| vec![1.0; labels.len()], <[f64]>::to_vec);
        let counted: Vec<usize> = (0..labels.len()).filter(|&row| weights[row] > 0.0).collect();
        let present = |&class: &usize| checked.is_present[class];
        let classes: Vec<usize> = (0..checked.n_classes).filter(present).collect();
        let solver = self.solver_for(counted.len(), features.n_features())?;
        let rows = Rows::new(&features);
        let setting = Setting { params: self, rows, labels, weights, counted, classes, solver };
        let sides: Vec<Sides> = match (setting.classes.len(), self.multi_class) {
            (2, _) => vec![(1, Some(0))],
            (n, MultiClass::Ovr) => (0..n).map(|class| (class, None)).collect(),
            (n, MultiClass::Ovo) => pairs(n).map(|(first, second)| (second, Some(first))).collect(),
        };
        let shared = setting.shared_gram(&sides, progress)?;
        let n_done = AtomicU64::new(0);
        let solutions = sides
            .par_iter()
            .with_max_len(1)
            .map(|&sides| {
                let solution = setting.solve(sides, shared.as_ref(), seed, progress)?;
                let done = n_done.fetch_add(1, Ordering::Relaxed) + 1;
                let note = format!("violation {:.1e}", solution.violation);
                progress.update(done, setting.n_problems(), &note);
                Ok(solution)
            })
            .collect::<Result<Vec<_>, LearnError>>()?;
        Ok(setting.assemble(&sides, &solutions))
    }
}

/// What all problems of one fit share.
struct Setting<'a> {
    params: &'a LinearSvcValidParams,
    rows: Rows<'a>,
    labels: &'a Labels,
    weights: Vec<f64>,
    /// Rows of weight above 0.
    counted: Vec<usize>,
    classes: Vec<usize>,
    solver: Solver,
}

impl Setting<'_> {
    fn n_problems(&self) -> u64 {
        match (self.classes.len() as u64, self.params.multi_class) {
            (2, _) => 1,
            (n, MultiClass::Ovr) => n,
            (n, MultiClass::Ovo) => n * (n - 1) / 2,
        }
    }

    /// Outer products of all samples, if several problems of all samples start from them.
    fn shared_gram(
        &self,
        sides: &[Sides],
        progress: &dyn Progress,
    ) -> Result<Option<Gram>, LearnError> {
        if self.solver != Solver::Newton || sides[0].1.is_some() {
            return Ok(None);
        }
        let mut gram = Gram::new(self.rows.n_features());
        gram.add(&self.rows, &self.counted, None, 1.0, progress)?;
        Ok(Some(gram))
    }

    fn solve(
        &self,
        (positive, negative): Sides,
        shared: Option<&Gram>,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Solution, LearnError> {
        let params = self.params;
        let positive = self.classes[positive];
        let negative = negative.map(|class| self.classes[class]);
        let takes_part = |row: &usize| {
            self.labels[*row] == positive || negative.is_none_or(|n| self.labels[*row] == n)
        };
        let idx: Vec<usize> = self.counted.iter().copied().filter(takes_part).collect();
        let total = |of: &dyn Fn(usize) -> bool| -> f64 {
            let rows = self.counted.iter().filter(|&&row| of(self.labels[row]));
            rows.map(|&row| self.weights[row]).sum()
        };
        let of_class = |class: usize| match &params.class_weight {
            ClassWeight::Uniform => 1.0,
            ClassWeight::Balanced => {
                total(&|_| true) / (self.classes.len() as f64 * total(&|label| label == class))
            }
            ClassWeight::PerClass(weights) => {
                weights.iter().rfind(|(of, _)| *of == class).map_or(1.0, |&(_, weight)| weight)
            }
        };
        let (of_positive, of_negative) = (of_class(positive), negative.map_or(1.0, of_class));
        let is_positive = |row: &usize| self.labels[*row] == positive;
        let problem = Problem {
            rows: self.rows,
            y: idx.iter().map(|row| if is_positive(row) { 1.0 } else { -1.0 }).collect(),
            c: idx
                .iter()
                .map(|row| {
                    let factor = if is_positive(row) { of_positive } else { of_negative };
                    params.c * self.weights[*row] * factor
                })
                .collect(),
            idx,
            loss: params.loss,
            constant: params.constant(),
            progress,
        };
        match self.solver {
            Solver::Newton => newton::solve(&problem, shared, params.tol, params.max_iter),
            Solver::Auto | Solver::Dcd => {
                let purpose = ["linear-svm", &positive.to_string(), &format!("{negative:?}")];
                dcd::solve(&problem, params.tol, params.max_iter, Rng::new(seed, &purpose))
            }
        }
    }

    fn assemble(self, sides: &[Sides], solutions: &[Solution]) -> LinearSvc {
        let n_features = self.rows.n_features();
        let coef = Array2::from_shape_fn((sides.len(), n_features), |(row, j)| solutions[row].w[j]);
        let constant = self.params.constant();
        let intercept: Array1<f64> = solutions.iter().map(|s| constant * s.w[n_features]).collect();
        let relative = |primal: f64, dual: f64| (primal - dual) / primal.max(f64::MIN_POSITIVE);
        let problems: Vec<ProblemReport> = sides
            .iter()
            .zip(solutions)
            .map(|(&(positive, negative), solution)| ProblemReport {
                positive: self.classes[positive],
                negative: negative.map(|class| self.classes[class]),
                primal: solution.primal,
                dual: solution.dual,
                relative_gap: relative(solution.primal, solution.dual),
                violation: solution.violation,
                n_iterations: solution.n_iterations,
                n_nonzero: solution.n_nonzero,
                converged: solution.violation <= self.params.tol,
            })
            .collect();
        let primal = solutions.iter().map(|solution| solution.primal).sum();
        let dual = solutions.iter().map(|solution| solution.dual).sum();
        let report = LinearReport {
            converged: problems.iter().all(|problem| problem.converged),
            problems,
            primal,
            dual,
            relative_gap: relative(primal, dual),
            c: self.params.c,
            loss: self.params.loss,
            multi_class: self.params.multi_class,
            solver: self.solver,
        };
        LinearSvc::new(self.classes, coef, intercept, report)
    }
}
