//! Cross-validation on shared kernel values against one fit after another.

use linfa::ParamGuard;

use super::blobs;
use crate::learn::model_selection::{
    Candidate, Folds, SearchOutcome, Strategy, cross_validate, search,
};
use crate::learn::svm::{ClassWeight, Engine, Gamma, Kernel, SvcParams, SvcValidParams};
use crate::learn::{LearnError, Learner, Samples};
use crate::progress::{Progress, Silent};

fn grid(gamma: Gamma) -> Vec<SvcParams> {
    let kernels = [Kernel::Linear, Kernel::Rbf { gamma }];
    let penalties = [10.0, 0.1, 1.0].into_iter();
    penalties.flat_map(|c| kernels.map(|kernel| SvcParams::new().kernel(kernel).c(c))).collect()
}

fn checked(grid: &[SvcParams]) -> Vec<SvcValidParams> {
    grid.iter().map(|params| params.check_ref().unwrap().clone()).collect()
}

/// Numbers of right labels `[candidates, folds]`, judged together and one by one.
fn both_ways(grid: &[SvcParams], samples: Samples, folds: &Folds) -> [Vec<Vec<f64>>; 2] {
    let candidates: Vec<Candidate> = checked(grid)
        .into_iter()
        .map(|params| Candidate { name: String::new(), learner: Box::new(params) })
        .collect();
    let shared = search(&candidates, Strategy::Exhaustive, samples, folds, 1, &Silent).unwrap();
    let alone = candidates.iter().map(|candidate| {
        cross_validate(candidate.learner.as_ref(), samples, folds, 1, &Silent).unwrap()
    });
    let n_right = |fold: usize, accuracy: f64| accuracy * folds.held_out(fold).len() as f64;
    let shared = shared.candidates.iter().map(|judged| {
        judged.folds.iter().enumerate().map(|(fold, one)| n_right(fold, one.accuracy)).collect()
    });
    let alone = alone.map(|folds| {
        folds.iter().enumerate().map(|(fold, one)| n_right(fold, one.accuracy)).collect()
    });
    [shared.collect(), alone.collect()]
}

#[test]
fn candidates_that_differ_in_c_alone_share_work() {
    let params = SvcParams::new().c(2.0).check().unwrap();
    let shares = |other: SvcParams| params.shares_work_with(&other.check().unwrap());
    assert!(shares(SvcParams::new().c(5.0)));
    assert!(!shares(SvcParams::new().kernel(Kernel::Linear)));
    assert!(!shares(SvcParams::new().kernel(Kernel::Rbf { gamma: Gamma::Value(0.5) })));
    assert!(!shares(SvcParams::new().class_weight(ClassWeight::Balanced)));
    assert!(!shares(SvcParams::new().tol(1e-4)));
}

#[test]
fn shared_kernel_values_give_the_scores_of_single_fits_within_one_sample() {
    let (features, labels) = blobs(600, 12, 4);
    let folds = Folds::stratified(&labels, 4, 1).unwrap();
    let weights: Vec<f64> = (0..600).map(|row| 0.5 + (row % 4) as f64).collect();
    let balanced: Vec<SvcParams> = grid(Gamma::Value(0.08))
        .into_iter()
        .map(|params| params.class_weight(ClassWeight::Balanced).tol(1e-4))
        .collect();
    for (grid, weights) in [(grid(Gamma::Scale), None), (balanced, Some(weights.as_slice()))] {
        let samples = Samples { features: &features, labels: &labels, weights };
        let [shared, alone] = both_ways(&grid, samples, &folds);
        for (nth, (shared, alone)) in shared.iter().zip(&alone).enumerate() {
            for (fold, (one, other)) in shared.iter().zip(alone).enumerate() {
                let apart = (one - other).abs();
                assert!(apart < 1.5, "candidate {nth}, fold {fold}: {one} and {other} right");
            }
        }
        let best = |scores: &[Vec<f64>]| {
            let sums: Vec<f64> = scores.iter().map(|folds| folds.iter().sum()).collect();
            let most = sums.iter().copied().fold(0.0, f64::max);
            sums.iter().position(|&sum| sum == most)
        };
        assert_eq!(best(&shared), best(&alone));
    }
}

#[test]
fn searches_are_the_same_for_any_number_of_threads() {
    let (features, labels) = blobs(400, 10, 3);
    let folds = Folds::stratified(&labels, 3, 1).unwrap();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let run = |n_threads: usize| -> Vec<Vec<f64>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| both_ways(&grid(Gamma::Scale), samples, &folds)[0].clone())
    };
    let expected = run(1);
    assert_eq!(expected, run(2));
    assert_eq!(expected, run(3));
}

#[test]
fn the_linfa_engine_is_judged_one_fit_after_another() {
    let (features, labels) = blobs(90, 6, 2);
    let folds = Folds::stratified(&labels, 3, 1).unwrap();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let grid = [0.1, 1.0].map(|c| {
        let kernel = Kernel::Rbf { gamma: Gamma::Value(0.1) };
        SvcParams::new().kernel(kernel).c(c).engine(Engine::Linfa)
    });
    let [shared, alone] = both_ways(&grid, samples, &folds);
    assert_eq!(shared, alone);
}

struct Stop;

impl Progress for Stop {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        true
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn a_shared_search_stops_when_asked_and_names_its_candidates_when_it_fails() {
    let (features, labels) = blobs(60, 6, 2);
    let folds = Folds::stratified(&labels, 3, 1).unwrap();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let candidates: Vec<Candidate> = [1.0, 2.0]
        .map(|c| Candidate {
            name: format!("c = {c}"),
            learner: Box::new(SvcParams::new().c(c).check().unwrap()),
        })
        .into();
    let judge = |samples: Samples, progress: &dyn Progress| -> Result<SearchOutcome, LearnError> {
        search(&candidates, Strategy::Exhaustive, samples, &folds, 1, progress)
    };
    assert!(matches!(judge(samples, &Stop), Err(LearnError::Interrupted)));
    let weights = vec![f64::NAN; 60];
    let error = judge(Samples { weights: Some(&weights), ..samples }, &Silent).unwrap_err();
    assert!(error.to_string().starts_with("candidate `c = 1`, `c = 2`: "), "{error}");
}
