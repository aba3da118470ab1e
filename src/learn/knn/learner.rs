//! The classifier as one learner among others; many of them judged by one search.

use std::any::Any;
use std::time::Instant;

use super::model::winners;
use super::params::{Engine, KnnValidParams};
use crate::data::{Features, Labels, TableShape};
use crate::learn::model_selection::{FoldScore, Folds, accuracy, in_folds};
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
use crate::progress::{Part, Progress};

impl Learner for KnnValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    fn takes_weights(&self) -> bool {
        false
    }

    /// Where only the number of neighbours and what they count differ: the nearest of few are among
    /// the nearest of many.
    fn shares_work_with(&self, other: &dyn Learner) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<KnnValidParams>().is_some_and(|other| {
            self.engine == Engine::Native
                && other.engine == Engine::Native
                && self.metric == other.metric
        })
    }

    fn cross_validate(
        &self,
        learners: &[&dyn Learner],
        samples: Samples,
        folds: &Folds,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<FoldScore>>, LearnError> {
        let all: Vec<KnnValidParams> = learners
            .iter()
            .filter_map(|learner| (*learner as &dyn Any).downcast_ref().copied())
            .collect();
        let n_largest = all.iter().map(|params| params.n_neighbors).max().unwrap_or(1);
        let widest = KnnValidParams { n_neighbors: n_largest, ..*self };
        let judge = |training: Samples, held_out: &Features, labels: &Labels, part: &Part| {
            let clock = Instant::now();
            let model = widest.fit_model(training, seed, part)?;
            let fit_seconds = clock.elapsed().as_secs_f64() / all.len() as f64;
            let clock = Instant::now();
            let near = model.kneighbors(held_out, n_largest, &part.at_end())?;
            let search_seconds = clock.elapsed().as_secs_f64() / all.len() as f64;
            let score = |params: &KnnValidParams| {
                let clock = Instant::now();
                let votes = model.votes(&near, params.n_neighbors, params.weights);
                let predicted: Labels = winners(&votes).collect();
                FoldScore {
                    accuracy: accuracy(&predicted, labels),
                    fit_seconds,
                    score_seconds: search_seconds + clock.elapsed().as_secs_f64(),
                    warning: None,
                }
            };
            Ok(all.iter().map(score).collect::<Vec<_>>())
        };
        let by_fold = in_folds(samples, folds, progress, judge)?;
        let of_learner = |nth: usize| {
            by_fold.iter().map(|scores: &Vec<FoldScore>| scores[nth].clone()).collect()
        };
        Ok((0..all.len()).map(of_learner).collect())
    }

    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        self.cost(shape, n_threads)
    }
}
