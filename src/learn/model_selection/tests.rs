//! The search by a learner whose accuracy is known, and by the SVM against scikit-learn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use linfa::ParamGuard;
use ndarray::Array2;
use serde_json::{Map, Value};

use super::*;
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::svm::{Gamma, Kernel, SvcParams};
use crate::learn::{Classifier, LearnError, Learner, Samples, Scores};
use crate::progress::{Progress, Silent};

/// Labels the share `quality` of the samples of [`known`] right.
struct Known {
    quality: f32,
    /// Candidates of equal groups share work.
    group: Option<u32>,
    /// Number of training rows of each fit.
    fits: Arc<Mutex<Vec<usize>>>,
}

impl Learner for Known {
    fn fit(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        if progress.interrupted() {
            return Err(LearnError::Interrupted);
        }
        self.fits.lock().unwrap().push(samples.labels.len());
        Ok(Box::new(Fitted(self.quality)))
    }

    fn shares_work_with(&self, other: &dyn Learner) -> bool {
        let other = (other as &dyn std::any::Any).downcast_ref::<Known>();
        self.group.is_some() && other.is_some_and(|other| other.group == self.group)
    }
}

struct Fitted(f32);

impl Classifier for Fitted {
    fn predict(&self, features: &Features, _: &dyn Progress) -> Result<Labels, LearnError> {
        let Features::Floats(rows) = features else { unreachable!() };
        let label = |row: ndarray::ArrayView1<f32>| {
            let right = row[0] as usize;
            if row[1] < self.0 { right } else { right + 1 }
        };
        Ok(rows.rows().into_iter().map(label).collect())
    }

    fn scores(&self, _: &Features, _: &dyn Progress) -> Result<Scores, LearnError> {
        unreachable!("a search asks for labels only")
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        TensorFile::new(Value::Null)
    }

    fn details(&self) -> Map<String, Value> {
        Map::new()
    }

    fn warning(&self) -> Option<String> {
        (self.0 < 0.3).then(|| "poor".to_owned())
    }
}

/// Samples whose features are the label and a uniform number.
fn known(n: usize, n_classes: usize) -> (Features, Labels) {
    let mut rng = Rng::new(5, &["known"]);
    let labels: Labels = (0..n).map(|row| row % n_classes).collect();
    let rows = Array2::from_shape_fn((n, 2), |(row, column)| match column {
        0 => labels[row] as f32,
        _ => rng.unit_f32(),
    });
    (Features::Floats(rows), labels)
}

type Fits = Arc<Mutex<Vec<usize>>>;

fn candidates(qualities: &[f32], groups: &[Option<u32>]) -> (Vec<Candidate>, Fits) {
    let fits = Fits::default();
    let one = |(nth, &quality): (usize, &f32)| Candidate {
        name: format!("quality = {quality}"),
        learner: Box::new(Known {
            quality,
            group: groups.get(nth).copied().flatten(),
            fits: fits.clone(),
        }),
    };
    (qualities.iter().enumerate().map(one).collect(), fits)
}

fn run(
    candidates: &[Candidate],
    strategy: Strategy,
    data: &(Features, Labels),
    n_folds: usize,
    progress: &dyn Progress,
) -> Result<SearchOutcome, LearnError> {
    let samples = Samples { features: &data.0, labels: &data.1, weights: None };
    let folds = Folds::stratified(&data.1, n_folds, 1).unwrap();
    search(candidates, strategy, samples, &folds, 1, progress)
}

#[test]
fn the_first_of_equals_is_best_and_equals_share_a_rank() {
    let (candidates, fits) = candidates(&[0.5, 0.9, 0.2, 0.9, 0.7], &[]);
    let data = known(500, 4);
    let found = run(&candidates, Strategy::Exhaustive, &data, 5, &Silent).unwrap();
    assert_eq!(found.best, 1);
    let ranks: Vec<usize> = found.candidates.iter().map(|judged| judged.rank).collect();
    assert_eq!(ranks, [4, 1, 5, 1, 3]);
    assert_eq!(fits.lock().unwrap().as_slice(), [400; 25]);
    for (judged, quality) in found.candidates.iter().zip([0.5, 0.9, 0.2, 0.9, 0.7]) {
        let Features::Floats(rows) = &data.0 else { unreachable!() };
        let n_right = rows.column(1).iter().filter(|&&u| u < quality).count();
        assert!((judged.mean - n_right as f64 / 500.0).abs() < 1e-12);
        assert_eq!(judged.folds[0].warning.is_some(), quality < 0.3);
    }
}

#[test]
fn candidates_that_share_work_are_judged_together_and_keep_their_places() {
    let qualities = [0.5, 0.9, 0.2, 0.8, 0.7];
    let (apart, _) = candidates(&qualities, &[]);
    let (grouped, _) = candidates(&qualities, &[Some(1), Some(2), None, Some(1), Some(2)]);
    let data = known(500, 4);
    let judge = |candidates: &[Candidate]| {
        let found = run(candidates, Strategy::Exhaustive, &data, 5, &Silent).unwrap();
        found.candidates.iter().map(|judged| judged.mean).collect::<Vec<_>>()
    };
    assert_eq!(judge(&apart), judge(&grouped));
}

#[test]
fn halving_judges_the_best_share_on_more_rows() {
    let qualities: Vec<f32> = (0..9).map(|nth| 0.1 + 0.1 * ((nth * 4) % 9) as f32).collect();
    let (candidates, fits) = candidates(&qualities, &[]);
    let data = known(1000, 4);
    let found = run(&candidates, Strategy::Halving { factor: 3 }, &data, 5, &Silent).unwrap();
    let rounds: Vec<(usize, usize)> =
        found.rounds.iter().map(|round| (round.n_candidates, round.n_samples)).collect();
    assert_eq!(rounds, [(9, 111), (3, 333), (1, 999)]);
    assert_eq!(found.best, 2);
    let mut last_rounds: Vec<usize> = found.candidates.iter().map(|judged| judged.round).collect();
    last_rounds.sort_unstable();
    assert_eq!(last_rounds, [0, 0, 0, 0, 0, 0, 1, 1, 2]);
    let mut by_rank: Vec<&Judged> = found.candidates.iter().collect();
    by_rank.sort_by_key(|judged| judged.rank);
    assert!(by_rank.is_sorted_by_key(|judged| std::cmp::Reverse(judged.round)));
    let fits = fits.lock().unwrap();
    assert_eq!(fits.len(), 13 * 5);
    // A fold holds out a fifth of a round's rows, give or take one of each class.
    for (nth, &n_rows) in fits.iter().enumerate() {
        let n_samples = [111, 333, 999][if nth < 45 {
            0
        } else if nth < 60 {
            1
        } else {
            2
        }];
        assert!(n_rows.abs_diff(n_samples * 4 / 5) <= 5, "fit {nth} on {n_rows} of {n_samples}");
    }
}

/// Asks to stop after some questions; keeps the largest progress.
struct StopAfter {
    n_left: AtomicUsize,
    seen: Mutex<(u64, u64, String)>,
}

impl StopAfter {
    fn new(n_questions: usize) -> Self {
        StopAfter { n_left: AtomicUsize::new(n_questions), seen: Mutex::default() }
    }
}

impl Progress for StopAfter {
    fn update(&self, done: u64, total: u64, note: &str) {
        let mut seen = self.seen.lock().unwrap();
        assert!(done >= seen.0 && done <= total, "{done} of {total} after {}", seen.0);
        *seen = (done, total, note.to_owned());
    }

    fn interrupted(&self) -> bool {
        self.n_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err()
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn a_search_stops_when_asked() {
    let (candidates, fits) = candidates(&[0.5, 0.9, 0.7], &[]);
    let found = run(&candidates, Strategy::Exhaustive, &known(100, 2), 5, &StopAfter::new(7));
    assert!(matches!(found, Err(LearnError::Interrupted)));
    assert_eq!(fits.lock().unwrap().len(), 7);
}

#[test]
fn progress_only_grows_and_names_the_best_so_far() {
    let (candidates, _) = candidates(&[0.5, 0.9, 0.7], &[]);
    let progress = StopAfter::new(1000);
    run(&candidates, Strategy::Exhaustive, &known(1000, 2), 5, &progress).unwrap();
    let (_, _, note) = progress.seen.lock().unwrap().clone();
    assert!(note.starts_with("10 of 15 fits, best 0.9"), "{note}");
    assert!(note.ends_with("(quality = 0.9)"), "{note}");
}

fn svc(kernel: &str, c: f64, gamma: f64, tol: f64) -> Candidate {
    let kernel = match kernel {
        "linear" => Kernel::Linear,
        _ => Kernel::Rbf { gamma: Gamma::Value(gamma) },
    };
    let learner = SvcParams::new().kernel(kernel).c(c).tol(tol).check().unwrap();
    Candidate { name: format!("c = {c}"), learner: Box::new(learner) }
}

#[test]
fn a_candidate_and_a_fold_that_cannot_be_fitted_are_named() {
    let (features, _) = known(12, 2);
    let labels: Labels = (0..12usize).map(|row| row / 6).collect();
    let fold_of = (0..12).map(|row| row / 6).collect();
    let folds = Folds { fold_of, n_folds: 2 };
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let candidates = [svc("linear", 1.0, 1.0, 1e-3)];
    let learner = candidates[0].learner.as_ref();
    let error = cross_validate(learner, samples, &folds, 1, &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "fold 1 of 2: all 6 samples are of class 1, at least two classes are needed"
    );
    let error = search(&candidates, Strategy::Exhaustive, samples, &folds, 1, &Silent).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("candidate `c = 1`: "), "{text}");
    assert!(text.contains("all 6 samples are of class 1"), "{text}");
    assert!(error.hint().is_some());
}

// The fixture is made by tests/reference/cross_validation.py (library versions and seed inside).
#[test]
fn scores_ranks_and_best_are_those_of_scikit_learn_also_where_a_fold_misses_a_class() {
    let text = include_str!("../../../tests/reference/cross_validation.json");
    let case: Value = serde_json::from_str(text).unwrap();
    let list = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let rows: Vec<Vec<f64>> = case["features"].as_array().unwrap().iter().map(list).collect();
    let features =
        Features::Floats(Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| {
            rows[row][column] as f32
        }));
    let labels: Labels = list(&case["labels"]).into_iter().map(|v| v as usize).collect();
    let fold_of = list(&case["folds"]).into_iter().map(|v| v as usize).collect();
    let folds = Folds { fold_of, n_folds: 3 };
    let candidates: Vec<Candidate> = case["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| {
            let c = candidate["c"].as_f64().unwrap();
            let (gamma, tol) = (case["gamma"].as_f64().unwrap(), case["tol"].as_f64().unwrap());
            svc(candidate["kernel"].as_str().unwrap(), c, gamma, tol)
        })
        .collect();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let found = search(&candidates, Strategy::Exhaustive, samples, &folds, 1, &Silent).unwrap();
    assert_eq!(found.best as u64, case["best"].as_u64().unwrap());
    for (nth, judged) in found.candidates.iter().enumerate() {
        let scores: Vec<f64> = judged.folds.iter().map(|fold| fold.accuracy).collect();
        assert_eq!(scores, list(&case["scores"][nth]), "candidate {nth}");
        assert!((judged.mean - list(&case["mean"])[nth]).abs() < 1e-12);
        assert!((judged.std - list(&case["std"])[nth]).abs() < 1e-12);
        assert_eq!(judged.rank as f64, list(&case["rank"])[nth]);
    }
}
