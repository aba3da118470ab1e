//! Written files, decoded and run by a naive interpreter, against the models themselves.

mod interpreter;

use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::{Array2, ArrayD, IxDyn};
use serde_json::{Value, json};

use self::interpreter::File;
use super::write;
use crate::data::{Dataset, Features, ImageInput, ImageSet, ImageShape, Labels, Rng};
use crate::export::ExportError;
use crate::learn::kernel_map::{FourierParams, NystroemParams};
use crate::learn::reduction::{Components, FisherParams, PcaParams, RandomProjectionParams};
use crate::learn::scaling::{ScalerParams, Scaling};
use crate::learn::{Samples, Transformer};
use crate::model::{Chain, Head, Link, Model};
use crate::nn::{Architecture, Average, Ensemble, Network, TrainParams, train};
use crate::progress::Silent;
use crate::stage::LEARNERS;

const SHAPE: ImageShape = ImageShape { height: 6, width: 7, channels: 3 };

/// Classes 0, 1 and 3 of 4: a bright column each, under noise.
fn images(n: usize) -> (Array2<u8>, Labels) {
    let mut rng = Rng::new(8, &["images"]);
    let labels: Labels = (0..n).map(|row| [0, 1, 3][row % 3]).collect();
    let pixels = Array2::from_shape_fn((n, SHAPE.n_pixels()), |(row, pixel)| {
        let column = pixel / SHAPE.channels % SHAPE.width;
        let bright = if column == 2 * labels[row] { 90 } else { 0 };
        (rng.below(150) + bright) as u8
    });
    (pixels, labels)
}

fn input() -> ImageInput {
    let class_names = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    ImageInput { shape: SHAPE, class_names, steps: Vec::new() }
}

/// Asserts that the written file says of images what the model says; returns its operators in order.
#[track_caller]
fn check(model: &Model, pixels: &Array2<u8>, tolerance: f64, case: &str) -> Vec<String> {
    let written = write(model).unwrap_or_else(|error| panic!("{case}: {error}"));
    let file = File::decode(&written.bytes);
    let n = pixels.nrows();
    let ImageShape { height, width, channels } = SHAPE;
    let expected = [
        ("images".to_owned(), vec![-1, height as i64, width as i64, channels as i64]),
        ("label".to_owned(), vec![-1]),
        ("scores".to_owned(), vec![-1, 4]),
    ];
    assert_eq!(file.ports, expected, "{case}");
    let bytes = pixels.iter().map(|&v| v.into()).collect();
    let bytes = ArrayD::from_shape_vec(IxDyn(&[n, height, width, channels]), bytes).unwrap();
    let (labels, scores) = file.run(bytes);
    let (own_labels, own_scores) = model.labels_and_scores(pixels.view(), &Silent).unwrap();
    assert_eq!(own_scores.meaning, written.meaning, "{case}");
    for row in 0..n {
        assert_eq!(labels[row], own_labels[row] as f64, "{case}: label of image {row}");
        for class in 0..4 {
            let (found, own) = (scores[[row, class]], own_scores.values[[row, class]]);
            let is_close = found == own || (found - own).abs() <= tolerance;
            assert!(is_close, "{case}: image {row}, class {class}: {found}, not {own}");
        }
    }
    file.nodes.into_iter().map(|node| node.domain + &node.operator).collect()
}

fn fitted(name: &str, chosen: &Value, chain: Chain, pixels: &Array2<u8>, labels: &Labels) -> Model {
    let (kind, build) = LEARNERS.iter().find(|(kind, _)| kind.name == name).unwrap();
    let learner = build(&kind.params(chosen.as_object().unwrap())).unwrap();
    let features = chain.features(pixels.view(), &Silent).unwrap();
    let samples = Samples { features: &features, labels, weights: None };
    let classifier = learner.fit(samples, 1, &Silent).unwrap();
    Model { chain, head: Head::Classifier(Arc::from(classifier)) }
}

const CLASSIFIERS: &[(&str, &str)] = &[
    ("svm", r#"{"kernel": "rbf"}"#),
    ("svm", r#"{"kernel": "linear", "break_ties": true}"#),
    ("svm", r#"{"kernel": "poly", "degree": 2, "coef0": 1.0}"#),
    ("svm", r#"{"kernel": "sigmoid", "gamma": 0.01}"#),
    ("linear_svm", "{}"),
    ("linear_svm", r#"{"multi_class": "ovo"}"#),
    ("logistic", "{}"),
    ("perceptron", "{}"),
    ("mlp", r#"{"hidden": [9, 8], "max_iter": 3, "activation": "tanh"}"#),
    ("mlp", r#"{"hidden": [9], "max_iter": 3, "activation": "logistic"}"#),
    ("decision_tree", "{}"),
    ("random_forest", r#"{"n_estimators": 7}"#),
    ("extra_trees", r#"{"n_estimators": 5, "max_depth": 3}"#),
    ("gradient_boosting", r#"{"n_estimators": 4, "min_samples_leaf": 3}"#),
    ("adaboost", r#"{"n_estimators": 6}"#),
    ("adaboost", r#"{"n_estimators": 4, "algorithm": "SAMME.R", "params": {"max_depth": 2}}"#),
    ("knn", r#"{"n_neighbors": 4}"#),
    ("knn", r#"{"n_neighbors": 3, "weights": "distance"}"#),
    ("knn", r#"{"n_neighbors": 3, "metric": "cosine"}"#),
    ("kmeans", r#"{"n_clusters": 7}"#),
    ("gaussian_nb", "{}"),
    ("discriminant", r#"{"covariance": "shared", "shrinkage": 0.1}"#),
    ("discriminant", r#"{"covariance": "per_class", "shrinkage": 0.1}"#),
];

#[test]
fn every_classifier_of_bytes_says_the_same_with_a_class_that_it_never_met() {
    let (pixels, labels) = images(150);
    for (name, params) in CLASSIFIERS {
        let params = serde_json::from_str(params).unwrap();
        let model = fitted(name, &params, Chain::pixels(input()), &pixels, &labels);
        check(&model, &pixels, 1e-5, &format!("{name} {params}"));
    }
}

#[test]
fn every_classifier_of_floats_says_the_same_of_two_classes() {
    let (pixels, labels) = images(150);
    let labels = labels.mapv(|label| label.min(1));
    for (name, params) in CLASSIFIERS {
        let params = serde_json::from_str(params).unwrap();
        let chain = Chain::pixels(input()).then(Link::Unit);
        let model = fitted(name, &params, chain, &pixels, &labels);
        check(&model, &pixels, 2e-5, &format!("{name} {params}"));
    }
}

#[test]
fn every_map_gives_what_the_classifier_behind_it_reads() {
    let (pixels, labels) = images(150);
    let features = Features::Bytes(pixels.clone());
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let nystroem = NystroemParams::new().n_components(40).check().unwrap();
    let fourier = FourierParams::new().n_components(50).check().unwrap();
    let pca = PcaParams::new().components(Components::Count(9)).whiten(true).check().unwrap();
    let random = RandomProjectionParams::new().n_components(9).check().unwrap();
    let fisher = FisherParams::new().check().unwrap();
    let scaler = ScalerParams::new(Scaling::MinmaxSymmetric).check().unwrap();
    let maps: Vec<(&str, Box<dyn Transformer>)> = vec![
        ("nystroem", Box::new(nystroem.fit_with(&features, 1, &Silent).unwrap())),
        ("fourier", Box::new(fourier.fit_with(&features, 1).unwrap())),
        ("pca", Box::new(pca.fit_map(samples, 1, &Silent).unwrap())),
        ("random projection", Box::new(random.fit_map(samples, 1, &Silent).unwrap())),
        ("fisher", Box::new(fisher.fit_map(samples, 1, &Silent).unwrap())),
        ("scale", Box::new(scaler.fit_map(samples, 1, &Silent).unwrap())),
    ];
    for (name, map) in maps {
        let chain = Chain::pixels(input()).then(Link::Map(map));
        let model = fitted("discriminant", &json!({ "shrinkage": 0.1 }), chain, &pixels, &labels);
        check(&model, &pixels, 1e-4, name);
    }
}

/// Every kind of layer, a shortcut with a layer of its own, windows that leave a rest.
const LAYERS: &str = r#"
title = "All layers"
[[layer]]
kind = "normalize"
mean = 0.3
std = 0.4
[[layer]]
kind = "conv"
filters = 4
kernel = 2
padding = "same"
[[layer]]
kind = "batch_norm"
[[layer]]
kind = "relu"
[[layer]]
kind = "residual"
[[layer.body]]
kind = "conv"
filters = 5
kernel = 2
stride = 2
bias = false
[[layer.shortcut]]
kind = "avg_pool"
[[layer.shortcut]]
kind = "conv"
filters = 5
kernel = 1
padding = "valid"
[[layer]]
kind = "max_pool"
size = 2
stride = 1
[[layer]]
kind = "flatten"
[[layer]]
kind = "batch_norm"
[[layer]]
kind = "dense"
units = 6
[[layer]]
kind = "relu"
[[layer]]
kind = "dropout"
rate = 0.5
[[layer]]
kind = "dense"
units = "classes"
"#;

fn network(layers: &str, shape: ImageShape) -> Network {
    let (pixels, labels) = images(90);
    let pixels = pixels.slice(ndarray::s![.., ..shape.n_pixels()]).to_owned();
    let set = ImageSet { shape, pixels, labels };
    let data = Dataset {
        name: "columns".into(),
        class_names: input().class_names,
        train: set.clone(),
        test: set,
        validation_idx: Vec::new(),
        synthetic: true,
        steps: Vec::new(),
    };
    let params = TrainParams { epochs: 2, batch_size: 30, ..TrainParams::default() };
    let architecture = Architecture::parse("all", layers).unwrap();
    train(&architecture, &data, &params, 4, None, &Silent).unwrap().network
}

#[test]
fn every_layer_computes_the_same_and_becomes_the_operator_of_its_name() {
    let network = Arc::new(network(LAYERS, SHAPE));
    let (pixels, _) = images(20);
    let model = Model { chain: Chain::pixels(input()), head: Head::Network(network) };
    let operators = check(&model, &pixels, 1e-5, "network");
    let expected = [
        "Cast",
        "Div",
        "Sub",
        "Div",
        "Transpose",
        "Conv",
        "BatchNormalization",
        "Relu",
        "Conv",
        "AveragePool",
        "Conv",
        "Add",
        "MaxPool",
        "Transpose",
        "Flatten",
        "BatchNormalization",
        "Gemm",
        "Relu",
        "Gemm",
        "Softmax",
        "ArgMax",
        "Cast",
        "Identity",
        "Identity",
    ];
    assert_eq!(operators, expected);
}

#[test]
fn a_chain_is_cut_at_its_layer_in_our_order_of_values() {
    let (pixels, labels) = images(90);
    let network = Arc::new(network(
        "title = \"one\"\n[[layer]]\nkind = \"conv\"\nfilters = 4\nkernel = 3\n[[layer]]\nkind = \"relu\"\n\
         [[layer]]\nkind = \"global_avg_pool\"\n[[layer]]\nkind = \"dense\"\nunits = \"classes\"\n",
        SHAPE,
    ));
    for layer in ["conv_1", "relu_1", "global_avg_pool_1", "penultimate"] {
        let link = Link::Layer { network: Arc::clone(&network), layer: layer.to_owned() };
        let chain = Chain::pixels(input()).then(link);
        let model = fitted("linear_svm", &json!({}), chain, &pixels, &labels);
        let operators = check(&model, &pixels, 1e-4, layer);
        assert_eq!(
            operators.contains(&"AveragePool".to_owned()),
            !layer.ends_with("u_1") && layer != "conv_1"
        );
    }
}

#[test]
fn ensembles_average_probabilities_or_their_logarithms_over_both_views() {
    let layers = "title = \"one\"\n[[layer]]\nkind = \"flatten\"\n[[layer]]\nkind = \"dense\"\n\
                  units = \"classes\"\n";
    let member = network(layers, SHAPE);
    let (pixels, _) = images(20);
    for average in [Average::Arithmetic, Average::Geometric] {
        let both = Ensemble::new(vec![member.clone(), member.clone()], average, true).unwrap();
        let head = Head::Ensemble(Arc::new(both));
        let model = Model { chain: Chain::pixels(input()), head };
        let operators = check(&model, &pixels, 1e-5, &format!("{average:?}"));
        assert_eq!(operators.iter().filter(|name| *name == "Gemm").count(), 4);
    }
}

#[test]
fn trees_and_coupled_probabilities_are_operators_of_the_other_domain() {
    let (pixels, labels) = images(90);
    for (name, params, operator) in [
        ("random_forest", json!({ "n_estimators": 2 }), "ai.onnx.mlTreeEnsembleClassifier"),
        ("svm", json!({ "probability": true }), "ai.onnx.mlSVMClassifier"),
    ] {
        let model = fitted(name, &params, Chain::pixels(input()), &pixels, &labels);
        let bytes = write(&model).unwrap().bytes;
        let nodes = File::decode(&bytes).nodes;
        assert!(nodes.iter().any(|node| format!("{}{}", node.domain, node.operator) == operator));
    }
}

#[test]
fn what_has_no_operators_is_refused_by_name() {
    let (pixels, labels) = images(90);
    let boosted = json!({ "n_estimators": 2, "learner": "linear_svm" });
    for (name, params, expected) in [
        ("knn", json!({ "metric": "manhattan" }), "nearest neighbours by the Manhattan distance"),
        ("adaboost", boosted, "AdaBoost of `linear_svm`"),
    ] {
        let model = fitted(name, &params, Chain::pixels(input()), &pixels, &labels);
        let error = write(&model).err().unwrap();
        assert!(matches!(&error, ExportError::Unsupported { what } if what.contains(expected)));
        assert!(error.hint().unwrap().contains("`--format native`"));
    }
}
