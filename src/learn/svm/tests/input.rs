//! Input that cannot be fitted, predicted or read, and requests to stop.

use std::sync::atomic::{AtomicU64, Ordering};

use linfa::ParamGuard;
use ndarray::{Array1, Array2};
use serde_json::json;

use super::{blobs, bytes_of, fit};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::svm::{Engine, Svc, SvcError, SvcParams};
use crate::learn::{InputError, ParamError};
use crate::progress::{Progress, Silent};

#[test]
fn bad_input_is_refused_with_its_values() {
    let (features, labels) = blobs(30, 4, 3);
    assert!(matches!(
        SvcParams::new().c(0.0).check(),
        Err(SvcError::Param(ParamError { name: "c", .. }))
    ));
    let params = SvcParams::new().check().unwrap();
    let same = Labels::zeros(30);
    assert!(matches!(
        params.fit_with(&features, &same, &Silent),
        Err(SvcError::Input(InputError::OneClass { .. }))
    ));
    let short = Labels::zeros(3);
    assert!(matches!(
        params.fit_with(&features, &short, &Silent),
        Err(SvcError::Input(InputError::LengthMismatch {
            n_samples: 30,
            what: "labels",
            found: 3
        }))
    ));
    let Features::Floats(mut rows) = features else { unreachable!() };
    rows[[4, 2]] = f32::NAN;
    assert!(matches!(
        params.fit_with(&Features::Floats(rows), &labels, &Silent),
        Err(SvcError::Input(InputError::NotFinite { row: 4, column: 2, .. }))
    ));
    let empty = Features::Floats(Array2::zeros((0, 4)));
    assert!(matches!(
        params.fit_with(&empty, &Labels::zeros(0), &Silent),
        Err(SvcError::Input(InputError::Empty { n_samples: 0, n_features: 4 }))
    ));
    let narrow = Features::Bytes(Array2::zeros((4, 0)));
    assert!(matches!(
        params.fit_with(&narrow, &Labels::zeros(4), &Silent),
        Err(SvcError::Input(InputError::Empty { n_samples: 4, n_features: 0 }))
    ));
}

#[test]
fn linfa_refuses_what_it_cannot_hold() {
    let features = Features::Bytes(Array2::zeros((4_001, 2)));
    let labels: Labels = (0..4_001).map(|i| i % 2).collect();
    let params = SvcParams::new().engine(Engine::Linfa).check().unwrap();
    let error = params.fit_with(&features, &labels, &Silent).err().unwrap();
    assert!(matches!(error, SvcError::TooLargeForLinfa { found: 4_001, limit: 4_000, .. }));
    assert!(error.hint().is_some());
}

/// Asks to stop at the `after`-th question.
pub(super) struct Stop {
    after: u64,
    n_asked: AtomicU64,
}

impl Stop {
    pub fn after(after: u64) -> Self {
        Stop { after, n_asked: AtomicU64::new(0) }
    }

    pub fn n_asked(&self) -> u64 {
        self.n_asked.load(Ordering::Relaxed)
    }
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
    let params = SvcParams::new().check().unwrap();
    let count = Stop::after(u64::MAX);
    let svc = params.fit_with(&features, &labels, &count).unwrap();
    let n_questions = count.n_asked();
    assert!(n_questions > 10, "only {n_questions} questions");
    for after in [0, 1, 2, 5, n_questions / 2] {
        let stop = Stop::after(after);
        let found = params.fit_with(&features, &labels, &stop);
        assert!(matches!(found, Err(SvcError::Interrupted)), "question {after}");
    }
    let stop = Stop::after(1);
    let found = svc.predict_labels_with(&features, &stop);
    assert!(matches!(found, Err(SvcError::Interrupted)));
    assert_eq!(svc.predict_labels(&features).unwrap().len(), 600);
}

#[test]
fn samples_unlike_those_of_the_fit_are_refused_at_prediction() {
    let (features, labels) = blobs(60, 6, 2);
    let svc = fit(SvcParams::new(), &features, &labels);
    assert!(matches!(
        svc.predict_labels(&Features::Floats(Array2::zeros((3, 5)))),
        Err(SvcError::Input(InputError::FeatureMismatch { found: 5, expected: 6 }))
    ));
    assert!(matches!(
        svc.predict_labels(&bytes_of(&features)),
        Err(SvcError::TypeMismatch { found: "bytes", expected: "real numbers" })
    ));
    let mut broken = Array2::zeros((3, 6));
    broken[[2, 1]] = f32::NAN;
    assert!(matches!(
        svc.decision_function(&Features::Floats(broken)),
        Err(SvcError::Input(InputError::NotFinite { row: 2, column: 1, .. }))
    ));
    let none = svc.predict_labels(&Features::Floats(Array2::zeros((0, 6)))).unwrap();
    assert!(none.is_empty());
}

/// A stored model with one change.
fn altered(svc: &Svc, change: impl FnOnce(&mut TensorFile<'static>)) -> Result<Svc, SvcError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("svc.safetensors");
    svc.to_tensors().write(&path).unwrap();
    let mut file = TensorFile::read(&path).unwrap();
    change(&mut file);
    Svc::from_tensors(file)
}

#[test]
fn stored_models_whose_parts_do_not_fit_are_refused() {
    let (features, labels) = blobs(60, 6, 3);
    let svc = fit(SvcParams::new(), &features, &labels);
    let n_support = svc.support().n_samples();
    assert!(altered(&svc, |_| ()).is_ok());
    type Change = Box<dyn FnOnce(&mut TensorFile<'static>)>;
    let changes: Vec<(&str, Change)> = vec![
        ("no document", Box::new(|file| file.document = json!(null))),
        ("no kernel", Box::new(|file| file.document["resolved"] = json!("cubic"))),
        ("gamma", Box::new(|file| file.document["resolved"]["gamma"] = json!(-1.0))),
        ("no report", Box::new(|file| file.document["report"] = json!({}))),
        ("one class", Box::new(|file| file.document["classes"] = json!([0]))),
        ("a class twice", Box::new(|file| file.document["classes"] = json!([0, 1, 1]))),
        ("a class more", Box::new(|file| file.document["classes"] = json!([0, 1, 2, 3]))),
        (
            "support vectors by class",
            Box::new(|file| file.document["n_support"] = json!([0, 0, 1])),
        ),
        (
            "an overflow",
            Box::new(|file| {
                file.document["n_support"] = json!([u64::MAX, 1, 1]);
            }),
        ),
        ("biases", Box::new(|file| file.insert_f64("bias", Array1::zeros(2)))),
        ("a NaN", Box::new(|file| file.insert_f64("bias", Array1::from_elem(3, f64::NAN)))),
        (
            "coefficients",
            Box::new(move |file| file.insert_f64("dual_coef", Array2::zeros((2, n_support + 1)))),
        ),
        ("their type", Box::new(|file| file.insert_f32("dual_coef", Array2::zeros((2, 2))))),
        ("rows", Box::new(|file| file.insert_u32("support_idx", Array1::zeros(1)))),
        ("support", Box::new(|file| file.insert_f32("support", Array2::zeros((1, 6))))),
        (
            "too wide bytes",
            Box::new(move |file| file.insert_u8("support", Array2::zeros((n_support, 33_026)))),
        ),
        (
            "support that is not finite",
            Box::new(move |file| {
                file.insert_f32("support", Array2::from_elem((n_support, 6), f32::INFINITY));
            }),
        ),
    ];
    for (what, change) in changes {
        assert!(matches!(altered(&svc, change), Err(SvcError::TensorFile(_))), "{what}");
    }
}
