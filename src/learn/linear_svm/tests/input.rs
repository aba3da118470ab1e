//! Input that cannot be fitted, predicted or read, and requests to stop.

use std::sync::atomic::{AtomicU64, Ordering};

use linfa::ParamGuard;
use ndarray::{Array1, Array2};

use super::{blobs, fit, solvers};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::linear_svm::{LinearSvc, LinearSvcParams, Loss, Solver};
use crate::learn::svm::ClassWeight;
use crate::learn::{InputError, LearnError, Samples};
use crate::progress::{Progress, Silent};

fn try_fit(
    params: LinearSvcParams,
    features: &Features,
    labels: &Labels,
    weights: Option<&[f64]>,
) -> LearnError {
    let samples = Samples { features, labels, weights };
    params.check().and_then(|params| params.fit_model(samples, 0, &Silent)).unwrap_err()
}

#[test]
fn bad_parameters_are_refused_with_their_values() {
    let params = LinearSvcParams::new;
    let class_weight = ClassWeight::PerClass(vec![(0, 1.0), (4, 0.0)]);
    let cases = [
        (params().c(0.0), "`c` must be a finite number above 0, found 0"),
        (params().tol(f64::NAN), "`tol` must be a finite number above 0, found NaN"),
        (
            params().intercept_scaling(-1.0),
            "`intercept_scaling` must be a finite number above 0, found -1",
        ),
        (
            params().class_weight(class_weight),
            "`class_weight` must be a finite number above 0 for class 4, found 0",
        ),
        (params().max_iter(0), "`max_iter` must be at least 1, found 0"),
        (
            params().loss(Loss::Hinge).solver(Solver::Newton),
            "`solver` must be `auto` or `dcd` where `loss` is `hinge`, found `newton`",
        ),
    ];
    for (params, expected) in cases {
        assert_eq!(params.check().unwrap_err().to_string(), expected);
    }
}

#[test]
fn bad_samples_are_refused_with_their_values() {
    let (features, labels) = blobs(30, 4, 3);
    let params = LinearSvcParams::new;
    let error = try_fit(params(), &features, &Labels::from_elem(30, 4), None);
    assert!(matches!(error, LearnError::Input(InputError::OneClass { n_samples: 30, class: 4 })));
    let error = try_fit(params(), &features, &Labels::zeros(3), None);
    assert!(matches!(
        error,
        LearnError::Input(InputError::LengthMismatch { n_samples: 30, what: "labels", found: 3 })
    ));
    let error = try_fit(params(), &features, &labels, Some(&[1.0; 29]));
    assert!(matches!(
        error,
        LearnError::Input(InputError::LengthMismatch { what: "weights", found: 29, .. })
    ));
    let mut weights = vec![1.0; 30];
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        weights[7] = bad;
        let error = try_fit(params(), &features, &labels, Some(&weights));
        assert!(
            matches!(error, LearnError::Input(InputError::BadWeight { row: 7, .. })),
            "{bad}: {error}"
        );
    }
    let error = try_fit(params(), &features, &labels, Some(&[0.0; 30]));
    assert!(matches!(error, LearnError::Input(InputError::NoWeight { n_samples: 30 })));
    let only_first: Vec<f64> = labels.iter().map(|&label| f64::from(label == 0)).collect();
    let error = try_fit(params(), &features, &labels, Some(&only_first));
    assert!(matches!(error, LearnError::Input(InputError::OneClass { n_samples: 10, class: 0 })));
    let Features::Floats(mut rows) = features else { unreachable!() };
    rows[[4, 2]] = f32::NAN;
    let error = try_fit(params(), &Features::Floats(rows), &labels, None);
    assert!(matches!(error, LearnError::Input(InputError::NotFinite { row: 4, column: 2, .. })));
    let empty = Features::Floats(Array2::zeros((0, 4)));
    let error = try_fit(params(), &empty, &Labels::zeros(0), None);
    assert!(matches!(error, LearnError::Input(InputError::Empty { n_samples: 0, n_features: 4 })));
    let narrow = Features::Bytes(Array2::zeros((4, 0)));
    let error = try_fit(params(), &narrow, &Labels::zeros(4), None);
    assert!(matches!(error, LearnError::Input(InputError::Empty { n_samples: 4, n_features: 0 })));
    let wide = Features::Bytes(Array2::zeros((4, 3_001)));
    let labels = Labels::from(vec![0, 1, 0, 1]);
    let error = try_fit(params().solver(Solver::Newton), &wide, &labels, None);
    let expected = "`solver` must be `auto` or `dcd` with more than 3000 features, found `newton`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn samples_without_any_difference_get_a_model() {
    let labels: Labels = (0..20).map(|i| i % 2).collect();
    for features in [
        Features::Floats(Array2::zeros((20, 7))),
        Features::Floats(Array2::from_elem((20, 7), 0.1)),
        Features::Bytes(Array2::from_elem((20, 7), 77)),
    ] {
        for params in solvers() {
            for fit_intercept in [false, true] {
                let svc = fit(&params.clone().fit_intercept(fit_intercept), &features, &labels);
                assert!(svc.report().converged, "{params:?}");
                assert_eq!(svc.predict_labels(&features).unwrap().len(), 20);
            }
        }
    }
}

/// Asks to stop at the `after`-th question.
struct Stop {
    after: u64,
    n_asked: AtomicU64,
}

impl Progress for Stop {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        self.n_asked.fetch_add(1, Ordering::Relaxed) >= self.after
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn a_request_to_stop_ends_fitting_and_predicting_wherever_it_comes() {
    let (features, labels) = blobs(600, 8, 3);
    let samples = Samples { features: &features, labels: &labels, weights: None };
    for params in solvers() {
        let params = params.check().unwrap();
        let count = Stop { after: u64::MAX, n_asked: AtomicU64::new(0) };
        let svc = params.fit_model(samples, 0, &count).unwrap();
        let n_questions = count.n_asked.into_inner();
        assert!(n_questions > 10, "only {n_questions} questions");
        for after in [0, 1, 2, 5, n_questions / 2, n_questions - 1] {
            let stop = Stop { after, n_asked: AtomicU64::new(0) };
            let found = params.fit_model(samples, 0, &stop);
            assert!(matches!(found, Err(LearnError::Interrupted)), "question {after}");
        }
        let stop = Stop { after: 0, n_asked: AtomicU64::new(0) };
        let found = svc.predict_labels_with(&features, &stop);
        assert!(matches!(found, Err(LearnError::Interrupted)));
    }
}

#[test]
fn samples_unlike_those_of_the_fit_are_refused_at_prediction() {
    let (features, labels) = blobs(60, 6, 2);
    let svc = fit(&LinearSvcParams::new(), &features, &labels);
    assert!(matches!(
        svc.predict_labels(&Features::Floats(Array2::zeros((3, 5)))),
        Err(LearnError::Input(InputError::FeatureMismatch { found: 5, expected: 6 }))
    ));
    let mut broken = Array2::zeros((3, 6));
    broken[[2, 1]] = f32::NAN;
    assert!(matches!(
        svc.decision_function(&Features::Floats(broken)),
        Err(LearnError::Input(InputError::NotFinite { row: 2, column: 1, .. }))
    ));
    let none = svc.predict_labels(&Features::Floats(Array2::zeros((0, 6)))).unwrap();
    assert!(none.is_empty());
}

#[test]
fn stored_models_whose_parts_do_not_fit_are_refused() {
    let (features, labels) = blobs(60, 6, 3);
    let svc = fit(&LinearSvcParams::new(), &features, &labels);
    let breaks: [fn(&mut TensorFile<'static>); 6] = [
        |file| file.document["classes"] = serde_json::json!([0, 1]),
        |file| file.document["classes"] = serde_json::json!([0, 2, 1]),
        |file| file.document["report"] = serde_json::json!("good"),
        |file| file.insert_f64("intercept", Array1::<f64>::zeros(4)),
        |file| file.insert_f64("intercept", Array1::from_elem(3, f64::NAN)),
        |file| drop(file.take_f64::<ndarray::Ix2>("coef")),
    ];
    for (case, break_it) in breaks.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("linear_svc.safetensors");
        svc.to_tensors().write(&path).unwrap();
        let mut file = TensorFile::read(&path).unwrap();
        break_it(&mut file);
        assert!(LinearSvc::from_tensors(file).is_err(), "case {case}");
    }
}
