//! Judges candidates by cross-validation and names the best.

use super::validation::OwnedSamples;
use super::{FoldScore, Folds, Round, SelectionError, halving_rounds};
use crate::learn::{LearnError, Learner, Samples};
use crate::progress::{Part, Progress};

/// One set of parameters.
pub struct Candidate {
    /// The parameters in words, such as `c = 10, kernel = rbf`.
    pub name: String,
    /// The learner that has them.
    pub learner: Box<dyn Learner>,
}

/// Which candidates are judged on how many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Every candidate on all rows.
    Exhaustive,
    /// Successive halving: the best `1 / factor` go on to `factor` times as many rows.
    Halving {
        /// At least 2.
        factor: usize,
    },
}

/// What was found of one candidate, in the last round that judged it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Counted from 0.
    pub round: usize,
    /// 1 for the best; equals share the better rank, and a later round ranks before an earlier.
    pub rank: usize,
    /// Mean accuracy over the folds.
    pub mean: f64,
    /// Standard deviation over the folds (divided by their number, as scikit-learn's).
    pub std: f64,
    /// Per fold.
    pub folds: Vec<FoldScore>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOutcome {
    /// In the order of the candidates.
    pub candidates: Vec<Judged>,
    /// One of all rows, or the rounds of halving.
    pub rounds: Vec<Round>,
    /// The candidate of highest mean in the last round; the first of equals.
    pub best: usize,
}

/// Judges every candidate on `folds`.
///
/// Candidates whose learners share work ([`Learner::shares_work_with`]) are judged together. The
/// same samples, folds and seed give the same accuracies for any number of threads.
///
/// # Errors
/// A candidate that cannot be fitted, too few rows to halve, or an interruption.
/// # Panics   without candidates, or if `folds` are not of as many rows as `samples`
/// # Cost     a fit for each candidate and fold, less what they share
pub fn search(
    candidates: &[Candidate],
    strategy: Strategy,
    samples: Samples,
    folds: &Folds,
    seed: u64,
    progress: &dyn Progress,
) -> Result<SearchOutcome, LearnError> {
    assert!(!candidates.is_empty(), "a search without candidates");
    let rounds = rounds(candidates.len(), strategy, samples, folds)?;
    let n_fits: usize = rounds.iter().map(|round| round.n_candidates * folds.n_folds()).sum();
    let mut judged: Vec<Option<Judged>> = candidates.iter().map(|_| None).collect();
    let mut left: Vec<usize> = (0..candidates.len()).collect();
    let mut n_done = 0;
    for (nth, round) in rounds.iter().enumerate() {
        let subset = (round.n_samples < folds.n_samples()).then(|| {
            let rows = folds.subsample(samples.labels, round.n_samples, seed);
            (OwnedSamples::select(samples, &rows), folds.select(&rows))
        });
        let (samples, folds) = match &subset {
            Some((subset, folds)) => (subset.as_samples(), folds),
            None => (samples, folds),
        };
        let mut job = Job { candidates, samples, folds, seed, progress, n_done, n_fits };
        for (idx, scores) in job.judge(&left)? {
            judged[idx] = Some(summarise(nth, scores));
        }
        n_done = job.n_done;
        if let Some(next) = rounds.get(nth + 1) {
            // Stable: the first of equals goes on.
            left.sort_by(|&a, &b| mean_of(&judged[b]).total_cmp(&mean_of(&judged[a])));
            left.truncate(next.n_candidates);
            left.sort_unstable();
        }
    }
    let mut found: Vec<Judged> = judged.into_iter().flatten().collect();
    rank(&mut found);
    let best = found.iter().position(|judged| judged.rank == 1).unwrap_or(0);
    Ok(SearchOutcome { candidates: found, rounds, best })
}

fn rounds(
    n_candidates: usize,
    strategy: Strategy,
    samples: Samples,
    folds: &Folds,
) -> Result<Vec<Round>, SelectionError> {
    let n_samples = folds.n_samples();
    match strategy {
        Strategy::Exhaustive => Ok(vec![Round { n_candidates, n_samples }]),
        Strategy::Halving { factor } => {
            let mut classes = samples.labels.to_vec();
            classes.sort_unstable();
            classes.dedup();
            halving_rounds(n_candidates, factor, n_samples, folds.n_folds(), classes.len())
        }
    }
}

/// One round.
struct Job<'a> {
    candidates: &'a [Candidate],
    samples: Samples<'a>,
    folds: &'a Folds,
    seed: u64,
    progress: &'a dyn Progress,
    /// Fits done and wanted, in all rounds.
    n_done: usize,
    n_fits: usize,
}

impl Job<'_> {
    /// The scores of each of the candidates `wanted`.
    fn judge(&mut self, wanted: &[usize]) -> Result<Vec<(usize, Vec<FoldScore>)>, LearnError> {
        let mut open = wanted.to_vec();
        let mut judged: Vec<(usize, Vec<FoldScore>)> = Vec::with_capacity(wanted.len());
        while let Some(&first) = open.first() {
            let learner = self.candidates[first].learner.as_ref();
            let (together, others): (Vec<usize>, Vec<usize>) = open.iter().partition(|&&idx| {
                idx == first || learner.shares_work_with(self.candidates[idx].learner.as_ref())
            });
            let scores = self.judge_together(&together, &judged)?;
            judged.extend(together.into_iter().zip(scores));
            open = others;
        }
        Ok(judged)
    }

    fn judge_together(
        &mut self,
        together: &[usize],
        judged: &[(usize, Vec<FoldScore>)],
    ) -> Result<Vec<Vec<FoldScore>>, LearnError> {
        let learners: Vec<&dyn Learner> =
            together.iter().map(|&idx| self.candidates[idx].learner.as_ref()).collect();
        let n_done = self.n_done + together.len() * self.folds.n_folds();
        let part =
            Part::new(self.progress, self.n_done, n_done, self.n_fits).with_note(self.note(judged));
        part.update(0, 1, "");
        let scores = learners[0]
            .cross_validate(&learners, self.samples, self.folds, self.seed, &part)
            .map_err(|error| match error {
                LearnError::Interrupted => LearnError::Interrupted,
                error => {
                    let names: Vec<&str> =
                        together.iter().map(|&idx| self.candidates[idx].name.as_str()).collect();
                    let candidate = format!("`{}`", names.join("`, `"));
                    SelectionError::Candidate { candidate, source: Box::new(error) }.into()
                }
            })?;
        assert_eq!(
            scores.len(),
            learners.len(),
            "a learner judged other candidates than it was given"
        );
        self.n_done = n_done;
        Ok(scores)
    }

    /// `12 of 30 fits, best 0.8931 (c = 10, kernel = rbf)`
    fn note(&self, judged: &[(usize, Vec<FoldScore>)]) -> String {
        let done = format!("{} of {} fits", self.n_done, self.n_fits);
        let means = judged.iter().map(|(idx, scores)| (mean(scores), *idx));
        match means.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) {
            Some((mean, idx)) => format!("{done}, best {mean:.4} ({})", self.candidates[idx].name),
            None => done,
        }
    }
}

fn mean(scores: &[FoldScore]) -> f64 {
    scores.iter().map(|fold| fold.accuracy).sum::<f64>() / scores.len() as f64
}

fn mean_of(judged: &Option<Judged>) -> f64 {
    judged.as_ref().map_or(f64::NEG_INFINITY, |judged| judged.mean)
}

fn summarise(round: usize, folds: Vec<FoldScore>) -> Judged {
    let mean = mean(&folds);
    let squares = folds.iter().map(|fold| (fold.accuracy - mean).powi(2)).sum::<f64>();
    Judged { round, rank: 0, mean, std: (squares / folds.len() as f64).sqrt(), folds }
}

/// Equals share the better rank, as in scikit-learn.
fn rank(judged: &mut [Judged]) {
    let keys: Vec<(usize, f64)> = judged.iter().map(|one| (one.round, one.mean)).collect();
    for (one, &(round, mean)) in judged.iter_mut().zip(&keys) {
        let is_better = |&&(other_round, other_mean): &&(usize, f64)| {
            other_round > round || (other_round == round && other_mean > mean)
        };
        one.rank = 1 + keys.iter().filter(is_better).count();
    }
}
