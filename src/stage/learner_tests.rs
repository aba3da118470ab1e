//! What every kind that fits a classifier promises, whatever the learner.

use ndarray::{Array1, Array2, s};
use serde_json::Map;

use super::LEARNERS;
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::{Learner, Meaning, Samples, read_classifier};
use crate::progress::Silent;

/// Classes 0, 1 and 3 around a centre each; the last feature is constant.
fn rows(n: usize) -> (Array2<f32>, Labels) {
    let mut rng = Rng::new(3, &["contract"]);
    let labels: Labels = (0..n).map(|row| [0, 1, 3][row % 3]).collect();
    let rows = Array2::from_shape_fn((n, 6), |(row, column)| match column {
        5 => 0.5,
        _ => f32::from(u8::from(column == labels[row])) + 0.2 * rng.normal_f32(),
    });
    (rows, labels)
}

fn bytes(rows: &Array2<f32>) -> Features {
    Features::Bytes(rows.mapv(|v| (v * 100.0 + 60.0).clamp(0.0, 255.0) as u8))
}

/// Every learner with its defaults.
fn learners() -> impl Iterator<Item = (&'static str, Box<dyn Learner>)> {
    LEARNERS.iter().map(|(kind, build)| (kind.name, build(&kind.params(&Map::new())).unwrap()))
}

#[test]
fn a_class_that_training_lacks_is_never_predicted() {
    let (rows, labels) = rows(240);
    for features in [bytes(&rows), Features::Floats(rows)] {
        for (name, learner) in learners() {
            let samples = Samples { features: &features, labels: &labels, weights: None };
            let model = learner.fit(samples, 1, &Silent).unwrap_or_else(|e| panic!("{name}: {e}"));
            let predicted = model.predict(&features, &Silent).unwrap();
            let right = predicted.iter().zip(&labels).filter(|(one, other)| one == other).count();
            assert!(right > 160 && !predicted.iter().any(|&label| label == 2), "{name}: {right}");
            let scores = model.scores(&features, &Silent).unwrap();
            assert_eq!(scores.values.dim(), (240, 4), "{name}");
            for row in scores.values.rows() {
                match scores.meaning {
                    Meaning::Probability => {
                        assert!((row.sum() - 1.0).abs() < 1e-6 && row[2] == 0.0, "{name}: {row}");
                        assert!(row.iter().all(|&p| p >= 0.0), "{name}: {row}");
                    }
                    Meaning::Decision => assert!(row[2] == f64::NEG_INFINITY, "{name}: {row}"),
                }
            }
        }
    }
}

#[test]
fn no_rows_get_no_labels_and_rows_of_another_width_an_error() {
    let (rows, labels) = rows(120);
    let features = Features::Floats(rows.clone());
    for (name, learner) in learners() {
        let samples = Samples { features: &features, labels: &labels, weights: None };
        let model = learner.fit(samples, 1, &Silent).unwrap();
        let none = Features::Floats(rows.slice(s![0..0, ..]).to_owned());
        assert!(model.predict(&none, &Silent).unwrap().is_empty(), "{name}");
        assert_eq!(model.scores(&none, &Silent).unwrap().values.dim(), (0, 4), "{name}");
        let narrow = Features::Floats(rows.slice(s![.., ..4]).to_owned());
        let error = model.predict(&narrow, &Silent).expect_err(name);
        assert!(error.to_string().contains('4') && error.hint().is_some(), "{name}: {error}");
        assert!(model.scores(&narrow, &Silent).is_err(), "{name}");
    }
}

#[test]
fn rows_that_cannot_be_fitted_are_refused_by_every_learner() {
    let (rows, labels) = rows(60);
    let mut broken = rows.clone();
    broken[[7, 2]] = f32::NAN;
    let (whole, broken) = (Features::Floats(rows), Features::Floats(broken));
    let (short, none) = (labels.slice(s![..59]).to_owned(), Array1::default(0));
    let empty = Features::Floats(Array2::zeros((0, 6)));
    for (name, learner) in learners() {
        for (features, labels, word) in
            [(&broken, &labels, "NaN"), (&whole, &short, "59 labels"), (&empty, &none, "0 samples")]
        {
            let samples = Samples { features, labels, weights: None };
            let error = learner.fit(samples, 1, &Silent).err().expect(name);
            assert!(error.to_string().contains(word), "{name}: {error}");
        }
        let weights = [f64::NAN; 60];
        let samples = Samples { features: &whole, labels: &labels, weights: Some(&weights) };
        assert!(learner.fit(samples, 1, &Silent).is_err(), "{name}");
    }
}

#[test]
fn a_stored_model_says_the_same_as_the_fitted_one() {
    let (rows, labels) = rows(120);
    let features = bytes(&rows);
    let directory = tempfile::tempdir().unwrap();
    for (name, learner) in learners() {
        let samples = Samples { features: &features, labels: &labels, weights: None };
        let model = learner.fit(samples, 1, &Silent).unwrap();
        let path = directory.path().join(name);
        model.to_tensors().write(&path).unwrap();
        let again = read_classifier(TensorFile::read(&path).unwrap()).unwrap();
        assert_eq!(
            again.predict(&features, &Silent).unwrap(),
            model.predict(&features, &Silent).unwrap(),
            "{name}"
        );
        let scores = again.scores(&features, &Silent).unwrap();
        assert_eq!(scores, model.scores(&features, &Silent).unwrap(), "{name}");
        assert_eq!(again.details(), model.details(), "{name}");
    }
}
