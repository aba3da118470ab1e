//! Training against scikit-learn, gradients against differences, and the classifier on small data.

use linfa::ParamGuard;
use ndarray::Array2;
use serde_json::Value;

use super::network::{Buffers, Layer, Network};
use super::train::{Rows, train};
use super::{Activation, Mlp, MlpParams};
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::{Classifier, LearnError, Samples, read_classifier};
use crate::progress::{Progress, Silent};

const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Tanh, Activation::Logistic];

fn fit_weighted(
    params: MlpParams,
    features: &Features,
    labels: &Labels,
    weights: Option<&[f64]>,
) -> Mlp {
    let samples = Samples { features, labels, weights };
    params.check().unwrap().fit_model(samples, 5, &Silent).unwrap()
}

fn fit(params: MlpParams, features: &Features, labels: &Labels) -> Mlp {
    fit_weighted(params, features, labels, None)
}

/// Two classes that no line separates, and a third beside them.
fn rings(n_rows: usize) -> (Features, Labels) {
    let mut rng = Rng::new(2, &["mlp", "rings"]);
    let labels: Labels = (0..n_rows).map(|row| row % 3).collect();
    let rows: Vec<f32> = labels
        .iter()
        .flat_map(|&label| {
            let angle = rng.unit_f32() * std::f32::consts::TAU;
            let radius = [0.3, 1.5, 3.0][label] + 0.2 * rng.unit_f32();
            [radius * angle.cos(), radius * angle.sin()]
        })
        .collect();
    (Features::Floats(Array2::from_shape_vec((n_rows, 2), rows).unwrap()), labels)
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column])
}

// The fixture is made by tests/reference/mlp_fixtures.py (library version and seed inside). It is in
// double precision, this in single: 30 steps differ by 1e-4.
#[test]
fn training_from_given_weights_is_that_of_scikit_learn() {
    let text = include_str!("../../../tests/reference/mlp.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let classes: Vec<usize> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    let weights: Vec<f64> = serde_json::from_value(fixture["weights"].clone()).unwrap();
    let all: Vec<usize> = (0..classes.len()).collect();
    for case in fixture["cases"].as_array().unwrap() {
        let kind = case["features"].as_str().unwrap();
        let features = match kind {
            "bytes" => Features::Bytes(matrix(&fixture[kind]).mapv(|v| v as u8)),
            _ => Features::Floats(matrix(&fixture[kind]).mapv(|v| v as f32)),
        };
        let activation: Activation = serde_json::from_value(case["activation"].clone()).unwrap();
        let layer = |start: &Value| {
            let weights = matrix(&start[0]).mapv(|v| v as f32);
            let biases: Vec<f32> = serde_json::from_value(start[1].clone()).unwrap();
            let (fan_in, fan_out) = weights.dim();
            Layer { weights: weights.iter().copied().collect(), biases, fan_in, fan_out }
        };
        let layers = case["start"].as_array().unwrap().iter().map(layer).collect();
        let mut network = Network { layers, activation };
        let params = MlpParams::new()
            .hidden(serde_json::from_value(case["hidden"].clone()).unwrap())
            .activation(activation)
            .alpha(case["alpha"].as_f64().unwrap())
            .batch_size(10)
            .max_iter(6)
            .learning_rate(0.02)
            .n_iter_no_change(100)
            .check()
            .unwrap();
        let weights = case["weighted"].as_bool().unwrap().then_some(weights.as_slice());
        let rows = Rows { features: &features, classes: &classes, weights };
        let course = train(&params, &mut network, &rows, &all, &[], &mut None, &Silent).unwrap();
        let losses: Vec<f64> = serde_json::from_value(case["losses"].clone()).unwrap();
        for (found, expected) in course.losses.iter().zip(&losses) {
            assert!((found - expected).abs() < 1e-4, "{kind} {activation:?}: {found} {expected}");
        }
        let mut buffers = Buffers::default();
        let found = network.forward(&features, &all, &mut buffers);
        for (found, expected) in found.iter().zip(&matrix(&case["probabilities"])) {
            let difference = (f64::from(*found) - expected).abs();
            assert!(difference < 1e-4, "{kind} {activation:?}: {found} {expected}");
        }
    }
}

/// Tolerance: a difference of losses of single precision over twice the step of 1e-2.
#[test]
fn gradients_are_differences_of_the_loss() {
    let (features, labels) = rings(30);
    let classes = labels.to_vec();
    let rows: Vec<usize> = (0..30).collect();
    let weights: Vec<f32> = (0..30).map(|row| 0.5 + (row % 3) as f32).collect();
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    for activation in [Activation::Tanh, Activation::Logistic] {
        let mut rng = Rng::new(1, &["mlp", "gradients"]);
        let mut network = Network::draw(&[2, 4, 3, 3], activation, &mut rng);
        let mut buffers = Buffers::default();
        let mut gradients = network.gradients();
        let mut loss = |network: &Network, gradients: &mut [super::network::Gradient]| {
            network.forward(&features, &rows, &mut buffers);
            network.backward(&classes, &weights, &mut buffers, gradients) / total
        };
        loss(&network, &mut gradients);
        let mut unused = network.gradients();
        for (l, gradient) in gradients.iter().enumerate() {
            for (at, &expected) in gradient.weights.iter().enumerate() {
                let before = network.layers[l].weights[at];
                network.layers[l].weights[at] = before + 1e-2;
                let above = loss(&network, &mut unused);
                network.layers[l].weights[at] = before - 1e-2;
                let below = loss(&network, &mut unused);
                network.layers[l].weights[at] = before;
                let slope = (above - below) / 2e-2;
                assert!(
                    (slope - f64::from(expected)).abs() < 2e-4,
                    "{activation:?}, layer {l}: {slope} {expected}"
                );
            }
        }
    }
}

#[test]
fn what_no_line_separates_is_learned_by_every_activation() {
    let (features, labels) = rings(240);
    for activation in ACTIVATIONS {
        let params = MlpParams::new()
            .activation(activation)
            .hidden(vec![32, 16])
            .learning_rate(0.02)
            .max_iter(150)
            .batch_size(40);
        let model = fit(params, &features, &labels);
        assert_eq!(model.predict(&features, &Silent).unwrap(), labels, "{activation:?}");
        let scores = model.scores(&features, &Silent).unwrap().values;
        assert!(scores.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
    }
}

#[test]
fn early_stopping_keeps_the_epoch_that_is_best_on_the_rows_held_out() {
    let (features, labels) = rings(300);
    let params = MlpParams::new()
        .early_stopping(true)
        .validation_fraction(0.2)
        .n_iter_no_change(3)
        .learning_rate(0.05)
        .max_iter(400);
    let model = fit(params, &features, &labels);
    let report = model.report();
    assert!(report.converged && report.n_iter < 400, "{report:?}");
    assert_eq!(report.validation_accuracies.len(), report.n_iter);
    let best = report.validation_accuracies.iter().copied().fold(0.0, f64::max);
    let last = *report.validation_accuracies.last().unwrap();
    assert!(best >= last);
}

#[test]
fn rows_of_weight_zero_are_as_if_they_were_absent() {
    let (features, labels) = rings(90);
    let weights: Vec<f64> = (0..90).map(|row| f64::from(u8::from(row < 60))).collect();
    let kept: Vec<usize> = (0..60).collect();
    let few: Labels = labels.iter().copied().take(60).collect();
    let all = fit_weighted(MlpParams::new(), &features, &labels, Some(&weights));
    let some = fit(MlpParams::new(), &features.select(&kept), &few);
    assert_eq!(all.network_layers(), some.network_layers());
}

#[test]
fn threads_change_nothing() {
    let (features, labels) = rings(500);
    let fitted = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let model = fit(MlpParams::new().hidden(vec![300, 20]).max_iter(3), &features, &labels);
            let scores = model.scores(&features, &Silent).unwrap();
            (model.network_layers().to_vec(), scores)
        })
    };
    assert_eq!(fitted(1), fitted(2));
    assert_eq!(fitted(1), fitted(3));
}

#[test]
fn bytes_and_their_real_values_give_one_network() {
    let mut rng = Rng::new(7, &["mlp", "bytes"]);
    let rows = Array2::from_shape_fn((60, 5), |_| rng.below(256) as u8);
    let labels: Labels = (0..60).map(|row| row % 2 * 3).collect();
    let reals = Features::Floats(rows.mapv(|v| f32::from(v) / 255.0));
    let bytes = Features::Bytes(rows);
    let (of_bytes, of_reals) =
        (fit(MlpParams::new(), &bytes, &labels), fit(MlpParams::new(), &reals, &labels));
    assert_eq!(of_bytes.network_layers(), of_reals.network_layers());
    let scores = of_bytes.scores(&reals, &Silent).unwrap().values;
    assert_eq!(scores.ncols(), 4);
    assert!(scores.column(1).iter().all(|&p| p == 0.0));
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let (features, labels) = rings(30);
    let message = |params: MlpParams, features: &Features| {
        let samples = Samples { features, labels: &labels, weights: None };
        let fitted = params.check().and_then(|params| params.fit_model(samples, 0, &Silent));
        fitted.unwrap_err().to_string()
    };
    let params = MlpParams::new;
    assert_eq!(
        message(params().hidden(vec![]), &features),
        "`hidden` must be one or more layers of at least 1 unit, found []"
    );
    assert_eq!(
        message(params().hidden(vec![5, 0]), &features),
        "`hidden` must be one or more layers of at least 1 unit, found [5, 0]"
    );
    assert_eq!(
        message(params().learning_rate(0.0), &features),
        "`learning_rate` must be a finite number above 0, found 0"
    );
    assert_eq!(
        message(params().batch_size(0), &features),
        "`batch_size` must be at least 1, found 0"
    );
    assert_eq!(
        message(params().validation_fraction(1.0), &features),
        "`validation_fraction` must be between 0 and 1, found 1"
    );
    assert!(
        message(params().early_stopping(true).validation_fraction(0.01), &features)
            .contains("such that 2 of 30 samples or more are held out")
    );
    let huge = Features::Floats(Array2::from_elem((30, 2), 1e38));
    let error = message(params().learning_rate(1.0), &huge);
    assert!(error.starts_with("training diverged: the loss of epoch 1 is"), "{error}");
}

#[test]
fn a_stored_model_predicts_the_same_and_a_damaged_one_is_an_error() {
    let (features, labels) = rings(60);
    let model = fit(MlpParams::new().hidden(vec![5, 5]), &features, &labels);
    let stored = || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        model.to_tensors().write(&path).unwrap();
        TensorFile::read(&path).unwrap()
    };
    let read = read_classifier(stored()).unwrap();
    assert_eq!(read.scores(&features, &Silent).unwrap(), model.scores(&features, &Silent).unwrap());
    let mut narrow = stored();
    narrow.insert_f32("layers.1.weight", Array2::<f32>::zeros((4, 5)));
    let mut not_finite = stored();
    not_finite.insert_f32("layers.0.weight", Array2::from_elem((2, 5), f32::INFINITY));
    let mut no_layer = stored();
    no_layer.take_f32::<ndarray::Ix1>("layers.2.bias").unwrap();
    let mut hidden = stored();
    hidden.document["report"]["params"]["hidden"] = serde_json::json!([]);
    let mut classes = stored();
    classes.document["classes"] = serde_json::json!([0, 1]);
    for damaged in [narrow, not_finite, no_layer, hidden, classes] {
        assert!(read_classifier(damaged).is_err());
    }
}

#[test]
fn an_interrupted_fit_says_so() {
    struct Stop;
    impl Progress for Stop {
        fn update(&self, _: u64, _: u64, _: &str) {}
        fn interrupted(&self) -> bool {
            true
        }
        fn warn(&self, _: &str) {}
    }
    let (features, labels) = rings(60);
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let params = MlpParams::new().check().unwrap();
    assert!(matches!(params.fit_model(samples, 0, &Stop), Err(LearnError::Interrupted)));
}
