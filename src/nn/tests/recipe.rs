//! Schedules, averages, freezing and transfer in a whole training.

use super::*;
use crate::metrics::EpochRecord;
use crate::nn::ops::cross_entropy;
use crate::nn::plan::{Fusion, Plan};
use crate::nn::test_fixture::{assert_close, training_recipe};
use crate::nn::{Freeze, Initialisation, Keep, Precision, Schedule, fine_tune};

fn run(params: &TrainParams, dir: Option<&Path>, progress: &dyn Progress) -> Trained {
    train(&small(), &bars(300), params, 3, dir, progress).unwrap()
}

/// Values of a layer's kernel.
fn kernel(network: &Network, layer: &str) -> Vec<u8> {
    let name = format!("{layer}.weight");
    let file = network.to_tensors();
    let (_, tensor) = file.tensors().find(|(found, _)| *found == name).unwrap();
    tensor.bytes().to_vec()
}

fn everything() -> TrainParams {
    TrainParams {
        schedule: Schedule::OneCycle { pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 },
        warmup_epochs: 1,
        label_smoothing: 0.1,
        clip_norm: Some(0.5),
        ema_decay: Some(0.95),
        keep: Keep::BestAccuracy,
        ..params()
    }
}

#[test]
fn every_recipe_continues_to_the_same_bits() {
    let plateau = TrainParams {
        schedule: Schedule::Plateau { factor: 0.3, patience: 0, min_learning_rate: 1e-4 },
        optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: true },
        learning_rate: 0.3,
        weight_decay: 1e-3,
        decay_bias_and_norm: false,
        freeze: Freeze::Layers(vec!["conv_2".into()]),
        ..params()
    };
    let adamw = TrainParams {
        optimizer: Optimizer::AdamW { beta1: 0.8, beta2: 0.99 },
        schedule: Schedule::Cosine { final_learning_rate: 1e-4 },
        weight_decay: 1e-2,
        keep: Keep::Last,
        ..params()
    };
    for params in [everything(), plateau, adamw] {
        let expected = run(&params, None, &Silent);
        // Five batches and one validation chunk per epoch: stop within epochs 2 and 4.
        for n_questions in [8, 20] {
            let dir = tempfile::tempdir().unwrap();
            let stopper = Stopper::after(n_questions);
            let stopped = train(&small(), &bars(300), &params, 3, Some(dir.path()), &stopper);
            assert!(matches!(stopped, Err(NnError::Interrupted)));
            let progress = Stopper::after(usize::MAX);
            let found = run(&params, Some(dir.path()), &progress);
            assert!(progress.warnings.lock().unwrap().is_empty(), "{params:?}");
            assert!(weight_bytes(&found.network) == weight_bytes(&expected.network), "{params:?}");
            let without_times = |trained: &Trained| {
                let mut history = trained.history.clone();
                history.iter_mut().for_each(|record| record.seconds = 0.0);
                history
            };
            assert_eq!(without_times(&found), without_times(&expected));
            assert_eq!(found.best_epoch, expected.best_epoch);
        }
    }
}

// The fixture is made by tests/reference/training_recipe.py (library version inside).
#[test]
fn smoothed_labels_give_pytorchs_loss_and_gradient() {
    let case = &training_recipe()["smoothing"];
    let (n_images, n_classes) = (5, 4);
    let score = |n: usize, k: usize| (3.0 * (0.8 * k as f64 + 1.7 * n as f64).sin()) as f32;
    let scores: Vec<f32> =
        (0..n_images).flat_map(|n| (0..n_classes).map(move |k| score(n, k))).collect();
    let labels: Vec<usize> = (0..n_images).map(|n| n % 4).collect();
    let found = cross_entropy(&scores, &labels, case["label_smoothing"].as_f64().unwrap());
    let mean = found.sum / n_images as f64;
    assert!((mean - case["loss"].as_f64().unwrap()).abs() < 1e-6, "{mean}");
    assert_close(&[found.gradient], &serde_json::json!([case["gradient"]]), 1e-7, "gradient");
}

#[test]
fn a_recipe_gives_the_same_bits_on_any_number_of_threads() {
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| weight_bytes(&run(&everything(), None, &Silent).network))
    };
    let expected = on(1);
    assert!(on(2) == expected && on(3) == expected);
}

#[test]
fn the_recorded_rate_is_the_last_one_of_its_epoch() {
    let schedule = Schedule::Step { epochs: 2, factor: 0.5 };
    let params = TrainParams { schedule, warmup_epochs: 1, ..params() };
    let rates: Vec<f64> =
        run(&params, None, &Silent).history.iter().map(|record| record.learning_rate).collect();
    assert_eq!(rates, [3e-3, 3e-3, 3e-3, 1.5e-3]);
}

#[test]
fn what_is_kept_can_be_chosen() {
    for (keep, value) in [
        (Keep::BestLoss, (|record| -record.validation_loss.unwrap()) as fn(&EpochRecord) -> f64),
        (Keep::BestAccuracy, |record| record.validation_accuracy.unwrap()),
        (Keep::Last, |record| record.epoch as f64),
    ] {
        let trained = run(&TrainParams { keep, epochs: 6, ..params() }, None, &Silent);
        let values: Vec<f64> = trained.history.iter().map(value).collect();
        let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(
            values.iter().position(|v| *v == best),
            Some(trained.best_epoch - 1),
            "{keep:?}"
        );
    }
    let mut data = bars(300);
    data.validation_idx.clear();
    assert_eq!(train(&small(), &data, &params(), 3, None, &Silent).unwrap().best_epoch, 4);
}

#[test]
fn averaged_weights_are_those_that_are_judged_and_kept() {
    let params = |ema_decay| TrainParams { ema_decay, keep: Keep::Last, ..params() };
    let (plain, averaged) =
        (run(&params(None), None, &Silent), run(&params(Some(0.9)), None, &Silent));
    let train_losses = |trained: &Trained| -> Vec<f64> {
        trained.history.iter().map(|record| record.train_loss).collect()
    };
    assert_eq!(train_losses(&plain), train_losses(&averaged), "the average is not trained");
    assert!(weight_bytes(&plain.network) != weight_bytes(&averaged.network));
    assert!(plain.history[0].validation_loss != averaged.history[0].validation_loss);
}

#[test]
fn frozen_layers_do_not_move() {
    let start = run(&TrainParams { epochs: 1, ..params() }, None, &Silent).network;
    let tuned = |freeze: Freeze| {
        let params = TrainParams { epochs: 1, freeze, weight_decay: 0.1, ..params() };
        fine_tune(&start, &small(), &bars(300), &params, 3, None, &Silent).unwrap().network
    };
    let moved = |network: &Network| -> Vec<&str> {
        let layers = ["conv_1", "conv_2", "dense_1", "dense_2"];
        let moved = |layer: &&str| kernel(network, layer) != kernel(&start, layer);
        layers.into_iter().filter(moved).collect()
    };
    assert_eq!(moved(&tuned(Freeze::AllButLast)), ["dense_2"]);
    let middle = Freeze::Layers(vec!["conv_2".into(), "dense_1".into()]);
    assert_eq!(moved(&tuned(middle)), ["conv_1", "dense_2"]);
}

#[test]
fn a_network_moves_to_data_of_other_classes() {
    let start = run(&params(), None, &Silent).network;
    let mut data = bars(300);
    data.class_names = vec!["left".into(), "other".into()];
    data.train.labels.mapv_inplace(|label| label.min(1));
    let params = TrainParams { epochs: 1, freeze: Freeze::AllButLast, ..params() };
    let tuned = fine_tune(&start, &small(), &data, &params, 3, None, &Silent).unwrap();
    assert_eq!(tuned.network.n_classes(), 2);
    let pixels = data.test.pixels.view();
    let features = |network: &Network| network.layer_output(pixels, "penultimate").unwrap();
    assert_eq!(features(&tuned.network), features(&start));
}

#[test]
fn a_network_of_another_architecture_or_shape_is_refused_by_the_layer() {
    let start = run(&TrainParams { epochs: 1, ..params() }, None, &Silent).network;
    let refused = |text: &str, data: &Dataset| {
        let architecture = Architecture::parse("other", text).unwrap();
        let tuned = fine_tune(&start, &architecture, data, &params(), 3, None, &Silent);
        tuned.unwrap_err().to_string()
    };
    let network = "in the network to start from, this one needs";
    let wider = SMALL.replace("filters = 6", "filters = 7");
    assert_eq!(
        refused(&wider, &bars(300)),
        format!("`conv_2.weight` is of shape [3, 3, 16, 6] {network} of shape [3, 3, 16, 7]")
    );
    let dense = "[[layer]]\nkind = \"dense\"\nunits = 20\n[[layer]]\nkind = \"relu\"\n";
    assert!(SMALL.contains(dense));
    assert_eq!(
        refused(&SMALL.replace(dense, &format!("{dense}{dense}")), &bars(300)),
        format!("`dense_2.weight` is of shape [20, 3] {network} of shape [20, 20]")
    );
    let mut other = bars(300);
    other.train.shape = ImageShape { height: 6, width: 24, channels: 1 };
    let found = refused(SMALL, &other);
    assert!(found.starts_with("`dense_1.weight` is of shape [150, 20]"), "{found}");
}

#[test]
fn what_cannot_be_frozen_or_watched_is_refused() {
    let refused = |change: fn(&mut TrainParams), data: &Dataset| {
        let mut params = params();
        change(&mut params);
        train(&small(), data, &params, 3, None, &Silent).unwrap_err()
    };
    let data = bars(300);
    let error = refused(|p| p.freeze = Freeze::Layers(vec!["conv_3".into()]), &data);
    assert_eq!(error.to_string(), "architecture `small` has no layer `conv_3`");
    assert!(error.hint().unwrap().contains("did you mean `conv_"), "{:?}", error.hint());
    let error = refused(
        |p| {
            p.freeze =
                Freeze::Layers(["conv_1", "conv_2", "dense_1", "dense_2"].map(Into::into).into())
        },
        &data,
    );
    assert_eq!(
        error.to_string(),
        "`freeze` is every layer, must be fewer layers than have weights"
    );
    let mut all_train = bars(300);
    all_train.validation_idx.clear();
    let error = refused(|p| p.early_stopping = Some(2), &all_train);
    assert_eq!(
        error.to_string(),
        "`early_stopping` needs validation images, data set `bars` has none"
    );
}

#[test]
fn every_range_of_a_recipe_is_checked() {
    let with = |change: fn(&mut TrainParams)| {
        let mut params = params();
        change(&mut params);
        params.check().unwrap_err().to_string()
    };
    let sgd = |momentum, nesterov| Optimizer::Sgd { momentum, nesterov };
    let one_cycle =
        |pct_start, div_factor| Schedule::OneCycle { pct_start, div_factor, final_div_factor: 1e4 };
    for (found, part) in [
        (with(|p| p.warmup_epochs = 4), "`warmup_epochs` is 4, must be below `epochs`"),
        (with(|p| p.weight_decay = -0.1), "`weight_decay` is -0.1"),
        (with(|p| p.label_smoothing = 1.0), "`label_smoothing` is 1"),
        (with(|p| p.clip_norm = Some(0.0)), "`clip_norm` is 0"),
        (with(|p| p.ema_decay = Some(1.0)), "`ema_decay` is 1"),
        (with(|p| p.early_stopping = Some(0)), "`early_stopping` is 0"),
    ] {
        assert!(found.contains(part), "{found}");
    }
    for (optimizer, schedule, part) in [
        (sgd(1.0, false), Schedule::Constant, "`momentum` is 1"),
        (sgd(0.0, true), Schedule::Constant, "above 0 with `nesterov`"),
        (Optimizer::Adam { beta1: 1.0, beta2: 0.9 }, Schedule::Constant, "`beta1` is 1"),
        (Optimizer::AdamW { beta1: 0.9, beta2: -0.1 }, Schedule::Constant, "`beta2` is -0.1"),
        (sgd(0.9, false), Schedule::Step { epochs: 0, factor: 0.1 }, "`step_epochs` is 0"),
        (sgd(0.9, false), Schedule::Step { epochs: 1, factor: 1.5 }, "`step_factor` is 1.5"),
        (
            sgd(0.9, false),
            Schedule::Cosine { final_learning_rate: 1.0 },
            "`final_learning_rate` is 1, must be at least 0 and at most `learning_rate`",
        ),
        (sgd(0.9, false), one_cycle(1.0, 25.0), "`pct_start` is 1"),
        (sgd(0.9, false), one_cycle(0.3, 0.5), "`div_factor` is 0.5"),
        (
            sgd(0.9, false),
            Schedule::Plateau { factor: 1.0, patience: 1, min_learning_rate: 0.0 },
            "`plateau_factor` is 1",
        ),
    ] {
        let params = TrainParams { optimizer, schedule, ..params() };
        let found = params.check().unwrap_err().to_string();
        assert!(found.contains(part), "{found}");
    }
}

#[test]
fn the_checkpoint_before_a_divergence_stays() {
    let dir = tempfile::tempdir().unwrap();
    // Two epochs of warm-up are harmless, the steps after them are not.
    let params = TrainParams {
        optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
        learning_rate: 10.0,
        weight_decay: 1.0,
        warmup_epochs: 39,
        epochs: 40,
        ..params()
    };
    let error = train(&small(), &bars(300), &params, 3, Some(dir.path()), &Silent).unwrap_err();
    let NnError::Diverged { epoch, .. } = error else { panic!("{error}") };
    assert!(epoch > 1, "diverged in the first epoch");
    let hint = error.hint().unwrap();
    assert!(hint.ends_with(&format!("the checkpoint of epoch {} is kept", epoch - 1)), "{hint}");
    assert!(dir.path().join("epoch.safetensors").exists());
}

/// Batch normalisation within a residual layer, and a penalty.
const NORMALISED: &str = r#"
title = "normalised"
[[layer]]
kind = "conv"
filters = 8
kernel = 3
bias = false
[[layer]]
kind = "batch_norm"
[[layer]]
kind = "relu"
[[layer]]
kind = "residual"
[[layer.body]]
kind = "conv"
filters = 8
kernel = 3
padding = "same"
[[layer.body]]
kind = "batch_norm"
[[layer]]
kind = "relu"
[[layer]]
kind = "global_avg_pool"
[[layer]]
kind = "dense"
units = "classes"
l1 = 0.01
l2 = 0.1
"#;

fn normalised() -> Architecture {
    Architecture::parse("normalised", NORMALISED).unwrap()
}

/// Names of the stored arrays that differ.
fn moved(one: &Network, other: &Network) -> Vec<String> {
    let (one, other) = (one.to_tensors(), other.to_tensors());
    let pairs = one.tensors().zip(other.tensors());
    pairs.filter(|(a, b)| a != b).map(|((name, _), _)| name.to_owned()).collect()
}

#[test]
fn frozen_normalisation_keeps_its_running_statistics() {
    let data = bars(300);
    let params = TrainParams { epochs: 2, ..params() };
    let start = train(&normalised(), &data, &params, 3, None, &Silent).unwrap().network;
    let tuned = |freeze: Freeze| {
        let params = TrainParams { freeze, ema_decay: Some(0.5), ..params.clone() };
        fine_tune(&start, &normalised(), &data, &params, 3, None, &Silent).unwrap().network
    };
    assert_eq!(moved(&start, &tuned(Freeze::AllButLast)), ["dense_1.bias", "dense_1.weight"]);
    let middle = Freeze::Layers(["conv_2", "batch_norm_1", "batch_norm_2"].map(Into::into).into());
    let expected = ["conv_1.weight", "dense_1.bias", "dense_1.weight"];
    assert_eq!(moved(&start, &tuned(middle)), expected);
}

#[test]
fn a_frozen_network_learns_what_it_will_predict_with() {
    // Nothing moves at such a rate: the training loss is that of the network as it predicts, and
    // a normalisation by the batch would give another.
    let data = bars(300);
    let start = train(&normalised(), &data, &params(), 3, None, &Silent).unwrap().network;
    let params = TrainParams {
        epochs: 1,
        learning_rate: 1e-12,
        freeze: Freeze::Layers(vec!["batch_norm_1".into(), "batch_norm_2".into()]),
        ..params()
    };
    let history =
        fine_tune(&start, &without_penalty(), &data, &params, 3, None, &Silent).unwrap().history;
    let rows: Vec<usize> = data.fit_idx();
    let pixels = data.train.pixels.select(ndarray::Axis(0), &rows);
    let scores = start.logits(pixels.view()).unwrap();
    let labels: Vec<usize> = rows.iter().map(|row| data.train.labels[*row]).collect();
    let expected = cross_entropy(scores.as_slice().unwrap(), &labels, 0.0).sum / 240.0;
    assert!((history[0].train_loss - expected).abs() < 1e-5, "{history:?}, not {expected}");
}

fn without_penalty() -> Architecture {
    let text = NORMALISED.replace("l1 = 0.01\nl2 = 0.1\n", "");
    Architecture::parse("normalised", &text).unwrap()
}

#[test]
fn penalties_are_part_of_the_training_loss_and_of_the_gradient() {
    let data = bars(300);
    let params = TrainParams { epochs: 1, learning_rate: 1e-12, ..params() };
    let loss = |architecture: &Architecture| {
        let trained = train(architecture, &data, &params, 3, None, &Silent).unwrap();
        (trained.history[0].train_loss, trained.history[0].validation_loss, trained.network)
    };
    let ((with, validation_with, network), (without, validation_without, _)) =
        (loss(&normalised()), loss(&without_penalty()));
    let file = network.to_tensors();
    let (_, kernel) = file.tensors().find(|(name, _)| *name == "dense_1.weight").unwrap();
    let weights = bytemuck::pod_collect_to_vec::<u8, f32>(kernel.bytes());
    let penalty: f64 = weights.iter().map(|w| f64::from(0.01 * w.abs() + 0.1 * w * w)).sum();
    assert!((with - without - penalty).abs() < 1e-6, "{with} {without} {penalty}");
    assert_eq!(validation_with, validation_without);
}

#[test]
fn weights_begin_as_those_of_pytorch_or_of_keras() {
    let plan = Plan::new(&small(), bars(1).train.shape, 3, Fusion::On).unwrap();
    for rule in [Initialisation::Pytorch, Initialisation::Glorot] {
        for parameter in &plan.parameters {
            let values = parameter.initialise(1, rule);
            let most = values.iter().fold(0.0f64, |most, value| most.max(f64::from(value.abs())));
            // Inputs behind an output, and outputs before an input.
            let (fan_in, fan_out) = match (parameter.name.as_str(), parameter.shape.as_slice()) {
                ("conv_1.weight" | "conv_1.bias", _) => (9.0, 144.0),
                ("conv_2.weight" | "conv_2.bias", _) => (144.0, 54.0),
                (_, [n_in, n_out]) => (*n_in as f64, *n_out as f64),
                (name, shape) => (dense_inputs(&plan, name), shape[0] as f64),
            };
            let is_kernel = parameter.name.ends_with("weight");
            let bound = match rule {
                Initialisation::Pytorch => (1.0 / fan_in).sqrt(),
                Initialisation::Glorot if is_kernel => (6.0 / (fan_in + fan_out)).sqrt(),
                Initialisation::Glorot => 0.0,
            };
            let least = if is_kernel { 0.9 * bound } else { 0.0 };
            let name = &parameter.name;
            assert!(
                (least..=bound * 1.000_001).contains(&most),
                "{name} {rule:?}: {most}, {bound}"
            );
            assert_eq!(values.iter().all(|value| *value == 0.0), bound == 0.0, "{name}");
        }
    }
}

/// Inputs of the dense layer of a bias.
fn dense_inputs(plan: &Plan, bias: &str) -> f64 {
    let kernel = bias.replace(".bias", ".weight");
    let kernel = plan.parameters.iter().find(|parameter| parameter.name == kernel).unwrap();
    kernel.shape[0] as f64
}

/// Two convolutions, the second of which has whole registers of channels.
fn wide() -> Architecture {
    let layers = r#"
        title = "wide"
        layer = [
            { kind = "conv", filters = 16, kernel = 3, padding = "same" },
            { kind = "relu" },
            { kind = "conv", filters = 16, kernel = 3, padding = "same" },
            { kind = "relu" },
            { kind = "max_pool" },
            { kind = "flatten" },
            { kind = "dense", units = "classes" },
        ]
    "#;
    Architecture::parse("wide", layers).unwrap()
}

#[test]
fn bf16_learns_on_any_number_of_threads_and_is_used_again_after_storage() {
    let data = bars(300);
    let train_at = |precision: Precision, n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let params = TrainParams { precision, ..params() };
        pool.install(|| train(&wide(), &data, &params, 3, None, &Silent).unwrap())
    };
    let (exact, trained) = (train_at(Precision::F32, 1), train_at(Precision::Bf16, 1));
    assert_ne!(weight_bytes(&trained.network), weight_bytes(&exact.network));
    for n_threads in [2, 3] {
        let other = train_at(Precision::Bf16, n_threads);
        assert_eq!(weight_bytes(&other.network), weight_bytes(&trained.network));
    }
    let last = |trained: &Trained| trained.history.last().unwrap().train_loss;
    let (loss, exact_loss) = (last(&trained), last(&exact));
    assert!((loss / exact_loss - 1.0).abs() < 0.1, "{loss} {exact_loss}");

    let pixels = data.test.pixels.view();
    let scores = trained.network.logits(pixels).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("network.safetensors");
    trained.network.to_tensors().write(&path).unwrap();
    let stored = Network::from_tensors(TensorFile::read(&path).unwrap()).unwrap();
    assert_eq!(stored.logits(pixels).unwrap(), scores);
    let kernels = trained.network.parameters().map(|(_, values)| values.to_vec()).collect();
    let shape = data.train.shape;
    let exact = Network::new(&wide(), shape, data.n_classes(), Precision::F32, kernels).unwrap();
    let exact_scores = exact.logits(pixels).unwrap();
    assert_ne!(exact_scores, scores, "the network is used as it was trained");
    let distance = (&exact_scores - &scores).mapv(|d| d * d).sum().sqrt();
    assert!(distance < 0.05 * exact_scores.mapv(|d| d * d).sum().sqrt(), "{distance}");
}
