//! Training as a whole: against PyTorch, interrupted and resumed, on any number of threads.

mod augmentation;
mod ensemble;
mod explain;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;

use super::params::{Optimizer, TrainParams};
use super::tape::Moment;
use super::{Architecture, Network, NnError, Trained, train};
use crate::data::{Dataset, ImageSet, ImageShape, Rng, TensorFile};
use crate::progress::{Progress, Silent};

const MOMENT: Moment = Moment { seed: 0, epoch: 1, batch: 1 };

const SMALL: &str = r#"
title = "small"
[[layer]]
kind = "conv"
filters = 16
kernel = 3
[[layer]]
kind = "relu"
[[layer]]
kind = "max_pool"
[[layer]]
kind = "conv"
filters = 6
kernel = 3
padding = "same"
[[layer]]
kind = "relu"
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = 20
[[layer]]
kind = "relu"
[[layer]]
kind = "dropout"
rate = 0.25
[[layer]]
kind = "dense"
units = "classes"
"#;

fn small() -> Architecture {
    Architecture::parse("small", SMALL).unwrap()
}

/// Three classes of 12x12 images: a bright bar in one third, under noise.
fn bars(n: usize) -> Dataset {
    let shape = ImageShape { height: 12, width: 12, channels: 1 };
    let mut rng = Rng::new(5, &["bars"]);
    let mut set = |n: usize| {
        let labels: Vec<usize> = (0..n).map(|_| rng.below(3)).collect();
        let pixels = Array2::from_shape_fn((n, 144), |(image, pixel)| {
            let is_bar = pixel / 12 / 4 == labels[image];
            let noise = rng.below(120) as u8;
            if is_bar { 100 + noise } else { noise }
        });
        ImageSet { shape, pixels, labels: labels.into() }
    };
    Dataset {
        name: "bars".into(),
        class_names: vec!["a".into(), "b".into(), "c".into()],
        train: set(n),
        validation_idx: (0..n).filter(|i| i % 5 == 0).collect(),
        test: set(60),
        synthetic: true,
        steps: Vec::new(),
    }
}

fn params() -> TrainParams {
    TrainParams { epochs: 4, batch_size: 50, learning_rate: 3e-3, ..TrainParams::default() }
}

fn weight_bytes(network: &Network) -> Vec<Vec<u8>> {
    network.to_tensors().tensors().map(|(_, tensor)| tensor.bytes().to_vec()).collect()
}

fn train_small(dir: Option<&Path>, progress: &dyn Progress) -> Result<Trained, NnError> {
    train(&small(), &bars(300), &params(), 3, dir, progress)
}

mod pytorch;
mod recipe;

#[test]
fn training_learns_and_keeps_the_epoch_with_the_best_validation_loss() {
    let data = bars(300);
    let trained = train_small(None, &Silent).unwrap();
    let losses: Vec<f64> =
        trained.history.iter().map(|record| record.validation_loss.unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses[trained.best_epoch - 1], best);
    let scores = trained.network.probabilities(data.test.pixels.view()).unwrap();
    let right = scores.rows().into_iter().zip(&data.test.labels).filter(|(row, label)| {
        assert!((row.sum() - 1.0).abs() < 1e-5);
        super::ops::argmax(row.as_slice().unwrap()) == **label
    });
    assert!(right.count() >= 55);
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| weight_bytes(&train_small(None, &Silent).unwrap().network))
    };
    let expected = on(1);
    assert!(on(2) == expected && on(3) == expected);
}

/// Interrupts after a number of questions; collects warnings.
struct Stopper {
    left: AtomicUsize,
    warnings: Mutex<Vec<String>>,
}

impl Stopper {
    fn after(n: usize) -> Self {
        Stopper { left: AtomicUsize::new(n), warnings: Mutex::default() }
    }
}

impl Progress for Stopper {
    fn update(&self, done: u64, total: u64, note: &str) {
        assert!(done <= total && note.starts_with("epoch "));
    }

    fn interrupted(&self) -> bool {
        let left = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err()
    }

    fn warn(&self, message: &str) {
        self.warnings.lock().unwrap().push(message.to_owned());
    }
}

#[test]
fn an_interrupted_training_continues_to_the_same_bits() {
    let expected = train_small(None, &Silent).unwrap();
    // Five batches and one validation chunk per epoch: stop within epochs 1, 2, 3 and 4.
    for n_questions in [2, 8, 13, 20] {
        let dir = tempfile::tempdir().unwrap();
        let stopped = train_small(Some(dir.path()), &Stopper::after(n_questions));
        assert!(matches!(stopped, Err(NnError::Interrupted)), "{n_questions}");
        let progress = Stopper::after(usize::MAX);
        let trained = train_small(Some(dir.path()), &progress).unwrap();
        assert_eq!(weight_bytes(&trained.network), weight_bytes(&expected.network));
        let losses = |trained: &Trained| -> Vec<(f64, Option<f64>)> {
            trained.history.iter().map(|r| (r.train_loss, r.validation_loss)).collect()
        };
        assert_eq!(losses(&trained), losses(&expected));
        assert_eq!(trained.best_epoch, expected.best_epoch);
        assert!(progress.warnings.lock().unwrap().is_empty());
        let n_asked = usize::MAX - progress.left.load(Ordering::SeqCst);
        let n_saved_epochs = n_questions / 6;
        assert_eq!(n_asked, (4 - n_saved_epochs) * 6, "saved epochs are not run again");
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_is_a_warning_and_a_fresh_start() {
    let expected = weight_bytes(&train_small(None, &Silent).unwrap().network);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("epoch.safetensors");
    let other = TrainParams { learning_rate: 1e-3, epochs: 1, ..params() };
    train(&small(), &bars(300), &other, 3, Some(dir.path()), &Silent).unwrap();
    let of_another = std::fs::read(&path).unwrap();
    for bytes in [&of_another[..], &of_another[..of_another.len() / 2], b"", b"not a checkpoint"] {
        std::fs::write(&path, bytes).unwrap();
        let progress = Stopper::after(usize::MAX);
        let trained = train_small(Some(dir.path()), &progress).unwrap();
        assert_eq!(weight_bytes(&trained.network), expected);
        assert_eq!(progress.warnings.lock().unwrap().len(), 1, "{} bytes", bytes.len());
    }
}

#[test]
fn early_stopping_waits_for_its_patience() {
    let params = TrainParams {
        epochs: 30,
        learning_rate: 2e-2,
        early_stopping: Some(2),
        optimizer: Optimizer::AdamW { beta1: 0.9, beta2: 0.999 },
        weight_decay: 1e-2,
        ..params()
    };
    let trained = train(&small(), &bars(300), &params, 3, None, &Silent).unwrap();
    assert!(trained.stopped_early, "{} epochs", trained.history.len());
    assert_eq!(trained.history.len(), trained.best_epoch + 2);
}

#[test]
fn momentum_descent_lowers_the_loss() {
    let optimizer = Optimizer::Sgd { momentum: 0.9, nesterov: false };
    let params =
        TrainParams { epochs: 15, optimizer, learning_rate: 0.05, weight_decay: 1e-4, ..params() };
    let history = train(&small(), &bars(300), &params, 3, None, &Silent).unwrap().history;
    assert!(history[14].train_loss < 0.5 * history[0].train_loss);
}

#[test]
fn a_stored_network_gives_the_same_bits() {
    let data = bars(60);
    let params = TrainParams { epochs: 1, batch_size: 16, ..params() };
    let network = train(&small(), &data, &params, 3, None, &Silent).unwrap().network;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("network.safetensors");
    network.to_tensors().write(&path).unwrap();
    let read = Network::from_tensors(TensorFile::read(&path).unwrap()).unwrap();
    let pixels = data.test.pixels.view();
    assert_eq!(read.logits(pixels).unwrap(), network.logits(pixels).unwrap());
    assert_eq!(read.n_parameters(), network.n_parameters());
    let mut damaged = TensorFile::read(&path).unwrap();
    damaged.insert_f32("dense_1.weight", ndarray::Array1::<f32>::zeros(7));
    assert!(Network::from_tensors(damaged).is_err());
}

#[test]
fn layer_outputs_agree_with_each_other() {
    let data = bars(60);
    let params = TrainParams { epochs: 1, batch_size: 16, ..params() };
    let network = train(&small(), &data, &params, 3, None, &Silent).unwrap().network;
    let pixels = data.test.pixels.view();
    let output = |layer: &str| network.layer_output(pixels, layer).unwrap();
    assert_eq!(output("conv_1").dim(), (60, 10 * 10 * 16));
    assert_eq!(output("last_pool"), output("max_pool_1"));
    assert_eq!(output("last_pool").dim(), (60, 5 * 5 * 16));
    assert_eq!(output("penultimate"), output("dropout_1"));
    assert_eq!(output("penultimate"), output("relu_3"));
    assert_eq!(output("dense_2"), network.logits(pixels).unwrap());
    // Read before its ReLU, the first convolution takes another path: equal but for rounding.
    let alone = output("conv_2").mapv(|v| v.max(0.0));
    assert!((alone - output("relu_2")).iter().all(|difference| difference.abs() < 1e-5));
    let error = network.layer_output(pixels, "dense_3").unwrap_err();
    assert!(error.hint().unwrap().contains("did you mean `dense_"), "{:?}", error.hint());
    let error = network.logits(Array2::zeros((2, 100)).view()).unwrap_err();
    assert_eq!(error.to_string(), "images of 100 pixels, the network reads 144");
    assert_eq!(network.logits(Array2::zeros((0, 144)).view()).unwrap().dim(), (0, 3));
}

#[test]
fn bad_parameters_and_data_are_refused_with_their_values() {
    let data = bars(60);
    let run = |params: &TrainParams, data: &Dataset| {
        train(&small(), data, params, 3, None, &Silent).unwrap_err().to_string()
    };
    let with = |change: fn(&mut TrainParams)| {
        let mut params = params();
        change(&mut params);
        run(&params, &data)
    };
    assert_eq!(with(|p| p.batch_size = 100), "`batch_size` is 100, there are 48 training images");
    assert_eq!(with(|p| p.epochs = 0), "`epochs` is 0, must be at least 1");
    for rate in ["0", "-1", "NaN", "11"] {
        let params = TrainParams { learning_rate: rate.parse().unwrap(), ..params() };
        let expected = format!("`learning_rate` is {rate}, must be above 0 and at most 10");
        assert_eq!(run(&params, &data), expected);
    }
    let mut mislabelled = bars(60);
    mislabelled.train.labels[7] = 3;
    let params = TrainParams { batch_size: 10, ..params() };
    assert_eq!(run(&params, &mislabelled), "label 3 of image 7 is not one of 3 classes");
    let mut empty = bars(60);
    empty.validation_idx = (0..60).collect();
    assert_eq!(run(&params, &empty), "data set `bars` has no training images");
}

#[test]
fn a_diverging_training_is_an_error_that_names_the_batch() {
    // Every step multiplies the weights by -9.
    let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false };
    let (learning_rate, weight_decay, epochs) = (10.0, 1.0, 50);
    let params = TrainParams { optimizer, learning_rate, weight_decay, epochs, ..params() };
    let error = train(&small(), &bars(300), &params, 3, None, &Silent).unwrap_err();
    assert!(matches!(error, NnError::Diverged { .. }), "{error}");
    assert!(error.to_string().starts_with("the loss became "), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.starts_with("lower `learning_rate`, set `clip_norm`"), "{hint}");
}
