//! Grad-CAM against PyTorch, its gradient against finite differences, maps and filters by their sizes.
//!
//! The fixture is made by tests/reference/nn_grad_cam.py (library version inside).

use ndarray::{Array1, Array2, Axis};
use serde_json::Value;

use super::pytorch::{architecture, pixels, weights};
use super::{Architecture, small};
use crate::data::ImageShape;
use crate::nn::ops::Buffers;
use crate::nn::params::Precision;
use crate::nn::plan::{Fusion, Operation, Plan};
use crate::nn::tape::{self, Stretch};
use crate::nn::{Network, NnError, Toward, enlarged};

const RESIDUAL: &str = r#"
title = "residual"
layer = [
    { kind = "normalize", mean = 0.4, std = 0.5 },
    { kind = "conv", filters = 4, kernel = 3, padding = 1, bias = false },
    { kind = "batch_norm" },
    { kind = "relu" },
    { kind = "residual", body = [
        { kind = "conv", filters = 5, kernel = 3, stride = 2, padding = 1 },
        { kind = "batch_norm" },
        { kind = "dropout", rate = 0.5 },
    ], shortcut = [{ kind = "conv", filters = 5, kernel = 1, stride = 2 }] },
    { kind = "relu" },
    { kind = "avg_pool" },
    { kind = "flatten" },
    { kind = "dense", units = 6 },
    { kind = "batch_norm" },
    { kind = "relu" },
    { kind = "dense", units = "classes" },
]
"#;

const SHAPE: ImageShape = ImageShape { height: 9, width: 8, channels: 1 };

fn network(architecture: &Architecture, shape: ImageShape, n_classes: usize) -> Network {
    let plan = Plan::new(architecture, shape, n_classes, Fusion::On).unwrap();
    let weights = weights(&plan.parameters);
    Network::new(architecture, shape, n_classes, Precision::F32, weights).unwrap()
}

fn residual() -> Network {
    network(&Architecture::parse("residual", RESIDUAL).unwrap(), SHAPE, 3)
}

/// Scores of the network when the value `at` is replaced by `values`.
fn scores_from(network: &Network, plan: &Plan, at: usize, values: Vec<f32>) -> Vec<f64> {
    let mut rest = plan.clone();
    rest.steps.drain(..at);
    for step in &mut rest.steps {
        step.input = step.input.checked_sub(at).expect("nothing reads past the value");
        if let Operation::Add { other, .. } = &mut step.operation {
            *other = other.checked_sub(at).expect("nothing reads past the value");
        }
    }
    let (n_steps, buffers) = (rest.steps.len(), Buffers::default());
    let scores = tape::infer(&rest, n_steps, &network.weights, values, 1, &buffers);
    scores.into_iter().map(f64::from).collect()
}

#[test]
fn gradients_of_a_score_by_any_value_are_those_of_finite_differences() {
    let network = residual();
    let plan = Plan::new(&network.architecture, SHAPE, 3, Fusion::Off).unwrap();
    let image = pixels(1, SHAPE.n_pixels());
    for layer in ["relu_1", "residual_1", "avg_pool_1", "dense_1", "batch_norm_3"] {
        let at = plan.value_of(layer).unwrap();
        for class in 0..3 {
            let mut slope = vec![0.0; 3];
            slope[class] = 1.0;
            let x: Vec<f32> = image.iter().map(|&v| (f32::from(v) / 255.0 - 0.4) / 0.5).collect();
            let stretch = Stretch { from: plan.steps.len(), to: at };
            let buffers = Buffers::default();
            let (values, gradient) =
                tape::pull_back(&plan, &network.weights, (x, 1), stretch, slope, &buffers);
            assert_eq!(values.len(), gradient.len());
            let largest = gradient.iter().fold(0.0f32, |most, g| most.max(g.abs()));
            assert!(largest > 0.0, "{layer}");
            let mut n_checked = 0;
            for i in (0..values.len()).step_by(values.len() / 7 + 1) {
                let score = |step: f32| {
                    let mut moved = values.clone();
                    moved[i] += step;
                    scores_from(&network, &plan, at, moved)[class]
                };
                // Piecewise linear: where both sides agree no rectifier turns between them.
                let step = 1e-3f32;
                let (up, down) = (score(step) - score(0.0), score(0.0) - score(-step));
                if (up - down).abs() > 1e-5 {
                    continue;
                }
                n_checked += 1;
                let slope = (up + down) / (2.0 * f64::from(step));
                let off = (slope - f64::from(gradient[i])).abs();
                assert!(
                    off < 2e-3 * f64::from(largest).max(0.1),
                    "{layer}, class {class}, value {i}: {slope}, not {}",
                    gradient[i]
                );
            }
            assert!(n_checked >= 3, "{layer}, class {class}: {n_checked} values without a turn");
        }
    }
}

#[test]
fn maps_are_pytorchs() {
    let text = include_str!("../../../tests/reference/nn_grad_cam.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    for case in fixture["cases"].as_array().unwrap() {
        let side = |i: usize| case["shape"][i].as_u64().unwrap() as usize;
        let shape = ImageShape { height: side(0), width: side(1), channels: side(2) };
        let network = network(&architecture(&case["layers"]), shape, 3);
        let images = pixels(5, shape.n_pixels());
        let (name, layer) = (&case["name"], case["layer"].as_str());
        for map in case["maps"].as_array().unwrap() {
            let image = map["image"].as_u64().unwrap() as usize;
            let class = map["class"].as_u64().unwrap() as usize;
            let found = network.grad_cam(images.row(image), Toward::Class(class), layer).unwrap();
            let expected: Vec<f64> =
                map["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            assert_eq!(found.len(), expected.len(), "{name}");
            let largest = expected.iter().copied().fold(1e-3, f64::max);
            for (found, expected) in found.iter().zip(&expected) {
                let off = (f64::from(*found) - expected).abs() / largest;
                assert!(off < 1e-4, "{name}, image {image}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn a_linear_head_on_features_that_repeats_the_last_layer_gives_the_networks_own_map() {
    let network = residual();
    let (parameter, weights) =
        network.parameters().find(|(parameter, _)| parameter.name == "dense_2.weight").unwrap();
    let last = Array2::from_shape_vec((parameter.shape[0], 3), weights.to_vec()).unwrap();
    let image = pixels(1, SHAPE.n_pixels());
    for class in 0..3 {
        let weights = last.column(class).to_vec();
        let toward = Toward::Features { layer: "penultimate", weights: &weights };
        let found = network.grad_cam(image.row(0), toward, None).unwrap();
        let own = network.grad_cam(image.row(0), Toward::Class(class), None).unwrap();
        let largest = own.iter().copied().fold(0.0, f32::max);
        assert!(found.iter().zip(&own).all(|(a, b)| (a - b).abs() <= 1e-5 * largest));
    }
}

/// One filter sees bright pixels, and only the lower right corner of its map counts.
#[test]
fn where_one_corner_matters_the_map_is_largest_there() {
    let text = r#"
title = "corner"
layer = [
    { kind = "conv", filters = 2, kernel = 1, bias = false },
    { kind = "relu" },
    { kind = "flatten" },
    { kind = "dense", units = "classes", bias = false },
]
"#;
    let architecture = Architecture::parse("corner", text).unwrap();
    let shape = ImageShape { height: 8, width: 8, channels: 1 };
    let mut head = Array2::<f32>::zeros((8 * 8 * 2, 2));
    for y in 5..8 {
        for x in 5..8 {
            head[[(y * 8 + x) * 2, 1]] = 1.0;
        }
    }
    let weights = vec![vec![1.0, -1.0], head.into_raw_vec_and_offset().0];
    let network = Network::new(&architecture, shape, 2, Precision::F32, weights).unwrap();
    let image = Array1::from_shape_fn(64, |i| if i / 8 >= 5 && i % 8 >= 5 { 255u8 } else { 40 });
    let map = network.grad_cam(image.view(), Toward::Class(1), None).unwrap();
    let largest = map.iter().copied().fold(0.0, f32::max);
    assert!(largest > 0.0);
    for ((y, x), value) in map.indexed_iter() {
        assert_eq!(*value == largest, y >= 5 && x >= 5, "{y}, {x}: {value} of {largest}");
    }
    let against = network.grad_cam(image.view(), Toward::Class(0), None).unwrap();
    assert!(against.iter().all(|&value| value == 0.0), "nothing speaks for the other class");
}

#[test]
fn maps_and_filters_of_every_layer_can_be_read() {
    let network = residual();
    assert_eq!(network.convolutions(), ["conv_1", "conv_2", "conv_3"]);
    let image = pixels(1, SHAPE.n_pixels());
    let sizes = [
        ("conv_1", [9, 8, 4]),
        ("relu_1", [9, 8, 4]),
        ("batch_norm_2", [5, 4, 5]),
        ("residual_1", [5, 4, 5]),
        ("avg_pool_1", [2, 2, 5]),
    ];
    for (layer, size) in sizes {
        let maps = network.activation_maps(image.row(0), layer).unwrap();
        assert_eq!(maps.shape(), size, "{layer}");
    }
    let rectified = network.activation_maps(image.row(0), "relu_1").unwrap();
    assert!(rectified.iter().all(|&v| v >= 0.0) && rectified.iter().any(|&v| v > 0.0));
    assert_eq!(network.filters("conv_3").unwrap().shape(), [1, 1, 4, 5]);
    let error = network.filters("dense_1").unwrap_err();
    assert_eq!(error.to_string(), "layer `dense_1` of architecture `residual` is no convolution");
    let error = network.activation_maps(image.row(0), "dense_1").unwrap_err();
    let said = "layer `dense_1` of architecture `residual` gives a vector of 6 values, no image";
    assert_eq!(error.to_string(), said);
    assert!(error.hint().unwrap().contains("residual_1"));
}

#[test]
fn a_network_without_convolutions_says_so() {
    let text = "title = \"flat\"\n[[layer]]\nkind = \"flatten\"\n[[layer]]\nkind = \"dense\"\n\
                units = \"classes\"\n";
    let network = network(&Architecture::parse("flat", text).unwrap(), SHAPE, 3);
    let image = pixels(1, SHAPE.n_pixels());
    let error = network.grad_cam(image.row(0), Toward::Class(0), None).unwrap_err();
    assert!(matches!(error, NnError::NoMaps { .. }), "{error}");
}

#[test]
fn classes_weights_and_layers_that_do_not_exist_are_refused() {
    let network = network(&small(), ImageShape { height: 12, width: 12, channels: 1 }, 3);
    let image = pixels(1, 144);
    let cam =
        |toward, layer| network.grad_cam(image.row(0), toward, layer).unwrap_err().to_string();
    assert!(cam(Toward::Class(3), None).contains("`class` is 3"));
    let short = Toward::Features { layer: "penultimate", weights: &[1.0] };
    assert!(cam(short, None).contains("`weights` is 1"));
    let of_pool = Toward::Features { layer: "max_pool_1", weights: &[1.0; 5 * 5 * 16] };
    assert!(cam(of_pool, Some("conv_2")).contains("`layer` is conv_2"));
    assert!(cam(Toward::Class(0), Some("conv_7")).contains("no layer `conv_7`"));
    let short = image.select(Axis(1), &[0, 1]);
    let error = network.grad_cam(short.row(0), Toward::Class(0), None).unwrap_err();
    assert!(matches!(error, NnError::PixelCount { found: 2, .. }), "{error}");
}

#[test]
fn a_map_keeps_its_values_at_the_centres_and_is_constant_beyond_the_outermost() {
    let map = ndarray::array![[0.0f32, 1.0], [2.0, 3.0]];
    assert_eq!(enlarged(map.view(), (2, 2)), map);
    let found = enlarged(map.view(), (4, 4));
    assert_eq!(found.row(0).to_vec(), [0.0, 0.25, 0.75, 1.0]);
    assert_eq!(found.column(0).to_vec(), [0.0, 0.5, 1.5, 2.0]);
    assert_eq!(enlarged(ndarray::array![[7.0f32]].view(), (3, 2)), Array2::from_elem((3, 2), 7.0));
}
