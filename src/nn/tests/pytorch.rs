//! Every kind of layer, and a step of D2, against PyTorch.
//!
//! Fixtures are made by tests/reference/nn_gradients.py and nn_d2_step.py (library version inside).

use ndarray::Array2;
use serde_json::{Value, json};

use super::MOMENT;
use crate::data::ImageShape;
use crate::nn::network::images;
use crate::nn::ops::Buffers;
use crate::nn::plan::{Fusion, Parameter, Plan, Start};
use crate::nn::tape::{self, Gradients, Weights};
use crate::nn::{Architecture, Optimizer, TrainParams, gradient, optimizer};

/// Of D2's gradients: in PyTorch, noise of 1e-6 of the largest value behind every convolution moves them
/// by 4e-5, of 3e-6 by 1e-4. Four images of 8x8, because at 1e-5 (and sooner in larger batches) a
/// rectifier or the winner of a pooling turns, which is a twentieth of a gradient.
const D2_TOLERANCE: f32 = 5e-4;

/// Largest difference allowed, relative to the largest value of a tensor.
const TOLERANCE: f32 = 1e-4;

/// A hash in `[-1, 1)`, as the scripts make it.
fn hashed(i: u32) -> f64 {
    let mut x = i;
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    f64::from(x ^ (x >> 16)) / 2_147_483_648.0 - 1.0
}

pub(super) fn pixels(n_images: usize, n_pixels: usize) -> Array2<u8> {
    Array2::from_shape_fn((n_images, n_pixels), |(image, pixel)| {
        ((hashed((image * n_pixels + pixel) as u32 + 77) + 1.0) * 128.0) as u8
    })
}

pub(super) fn weights(parameters: &[Parameter]) -> Weights {
    let of = |(position, parameter): (usize, &Parameter)| {
        let (scale, offset) = match parameter.name.split_once('.') {
            Some((layer, part)) if layer.starts_with("batch_norm") => match part {
                "weight" | "running_var" => (0.3, 1.0),
                "bias" => (0.2, 0.0),
                _ => (0.1, 0.0),
            },
            _ => match parameter.start {
                Start::Drawn { fan_in } => (1.5 / (fan_in as f64).sqrt(), 0.0),
                Start::Constant(_) => unreachable!("only batch norm starts constant"),
            },
        };
        let first = 1_000_003 * (position as u32 + 1);
        let n = parameter.n_values() as u32;
        (0..n).map(|i| (offset + scale * hashed(first.wrapping_add(i))) as f32).collect()
    };
    parameters.iter().enumerate().map(of).collect()
}

pub(super) fn architecture(layers: &Value) -> Architecture {
    let file = json!({ "title": "fixture", "layer": layers });
    Architecture::parse("fixture", &toml::to_string(&file).unwrap()).unwrap()
}

/// Compares a tensor with its summary.
fn compare(found: &[f32], summary: &Value, what: &str) {
    compare_within(TOLERANCE, found, summary, what);
}

/// Norm, and a sample relative to the largest value.
fn compare_within(tolerance: f32, found: &[f32], summary: &Value, what: &str) {
    let number = |key: &str| summary[key].as_f64().unwrap();
    let scale = (number("max") as f32).max(1e-6);
    let sample = found.iter().step_by(number("stride") as usize);
    let expected: Vec<f64> =
        summary["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(sample.len(), expected.len(), "{what}");
    for (i, (found, expected)) in sample.zip(&expected).enumerate() {
        let off = (found - *expected as f32).abs() / scale;
        assert!(off < tolerance, "{what}: value {i} of the sample is {found}, not {expected}");
    }
    let norm = found.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let off = (norm - number("norm")).abs() / number("norm").max(1e-6);
    assert!(off < f64::from(tolerance), "{what}: norm is {norm}, not {}", number("norm"));
}

/// A network at the formula's weights, and a batch for it.
struct Case {
    architecture: Architecture,
    shape: ImageShape,
    n_classes: usize,
    pixels: Array2<u8>,
    labels: Vec<usize>,
}

impl Case {
    fn new(layers: &Value, shape: ImageShape, n_images: usize, n_classes: usize) -> Self {
        Case {
            architecture: architecture(layers),
            shape,
            n_classes,
            pixels: pixels(n_images, shape.n_pixels()),
            labels: (0..n_images).map(|n| n % n_classes).collect(),
        }
    }

    fn plan(&self, fusion: Fusion) -> Plan {
        Plan::new(&self.architecture, self.shape, self.n_classes, fusion).unwrap()
    }

    fn batch(&self, plan: &Plan) -> Vec<f32> {
        let rows: Vec<usize> = (0..self.labels.len()).collect();
        let n_pixels = self.shape.n_pixels();
        images(self.pixels.view(), &rows, n_pixels, plan.pixels, None, &Buffers::default()).unwrap()
    }

    fn gradients(&self, plan: &Plan, weights: &Weights) -> Gradients {
        let x = self.batch(plan);
        tape::gradients(plan, weights, x, &self.labels, 0.0, MOMENT, &Buffers::default())
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn scores_loss_gradients_statistics_and_adam_steps_match_pytorch() {
    let text = include_str!("../../../tests/reference/nn_gradients.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let n_images = fixture["n_images"].as_u64().unwrap() as usize;
    let learning_rate = fixture["learning_rate"].as_f64().unwrap();
    for case in list(&fixture["cases"]) {
        let side = |i: usize| case["shape"][i].as_u64().unwrap() as usize;
        let shape = ImageShape { height: side(0), width: side(1), channels: side(2) };
        let name = case["name"].as_str().unwrap();
        let network = Case::new(&case["layers"], shape, n_images, 3);
        for fusion in [Fusion::Off, Fusion::On] {
            let plan = network.plan(fusion);
            let n_steps = plan.steps.len();
            let mut weights = weights(&plan.parameters);
            let names: Vec<&str> = plan.parameters.iter().map(|p| p.name.as_str()).collect();
            assert_eq!(json!(names), case["parameters"], "{name}");
            let x = network.batch(&plan);
            let scores = tape::infer(&plan, n_steps, &weights, x, n_images, &Buffers::default());
            for (found, expected) in scores.iter().zip(list(&case["scores"])) {
                let off = (f64::from(*found) - expected.as_f64().unwrap()).abs();
                assert!(off < 1e-4, "{name}, {fusion:?}: a score is {found}, not {expected}");
            }
            let mut state = optimizer::State::new(&plan.parameters);
            let params = TrainParams::default();
            for (step, loss) in list(&case["losses"]).iter().enumerate() {
                let Gradients { loss_sum, mut grads, running, .. } =
                    network.gradients(&plan, &weights);
                let (mean, expected) = (loss_sum / n_images as f64, loss.as_f64().unwrap());
                let off = (mean - expected).abs() / expected;
                assert!(off < 1e-4, "{name}, {fusion:?}: loss {step} is {mean}, not {expected}");
                for (position, values) in running {
                    weights[position] = values;
                }
                if step == 0 {
                    for (i, parameter) in plan.parameters.iter().enumerate() {
                        let what = format!("{name}, {fusion:?}: {}", parameter.name);
                        if parameter.is_trained {
                            compare(&grads[i], &case["gradients"][i], &what);
                        } else {
                            let expected = &case["statistics_after_one_pass"][i];
                            compare(&weights[i], expected, &what);
                        }
                    }
                }
                if step + 1 < list(&case["losses"]).len() {
                    gradient::penalise(&plan.parameters, &weights, &mut grads);
                    let parameters = &plan.parameters;
                    state.step(&params, learning_rate, parameters, &mut weights, &grads);
                }
            }
            let after = case["weights_after_steps"].as_array();
            for (i, expected) in after.into_iter().flatten().enumerate() {
                if plan.parameters[i].is_trained {
                    let what = format!("{name}, {fusion:?}: {} after", plan.parameters[i].name);
                    compare(&weights[i], expected, &what);
                }
            }
        }
    }
}

/// D2 without dropout at the formula's weights. Adam's first step goes by the gradient's sign, so that
/// weights agree within 1e-4 wherever the gradient is beyond its tolerance.
#[test]
fn one_training_step_of_d2_is_pytorchs() {
    let text = include_str!("../../../tests/reference/nn_d2_step.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let setting = |key: &str| fixture[key].as_f64().unwrap();
    let n_images = fixture["n_images"].as_u64().unwrap() as usize;
    let file: toml::Table = toml::from_str(include_str!("../architectures/d2.toml")).unwrap();
    let layers = file["layer"].as_array().unwrap().iter();
    let layers: Vec<&toml::Value> =
        layers.filter(|layer| layer["kind"].as_str() != Some("dropout")).collect();
    let shape = ImageShape { height: 8, width: 8, channels: 1 };
    let network = Case::new(&json!(layers), shape, n_images, 10);
    let plan = network.plan(Fusion::On);
    let mut weights = weights(&plan.parameters);
    let Gradients { loss_sum, grads, running, .. } = network.gradients(&plan, &weights);
    let mean = loss_sum / n_images as f64;
    assert!((mean - setting("loss")).abs() < 1e-4, "{mean}");
    let params = TrainParams {
        optimizer: Optimizer::AdamW { beta1: 0.9, beta2: 0.999 },
        weight_decay: setting("weight_decay"),
        ..TrainParams::default()
    };
    let mut state = optimizer::State::new(&plan.parameters);
    state.step(&params, setting("learning_rate"), &plan.parameters, &mut weights, &grads);
    for (position, values) in running {
        weights[position] = values;
    }
    for (i, parameter) in plan.parameters.iter().enumerate() {
        let (name, after) = (&parameter.name, &fixture["after"][i]);
        if !parameter.is_trained {
            compare(&weights[i], after, name);
            continue;
        }
        let gradient = &fixture["gradients"][i];
        compare_within(D2_TOLERANCE, &grads[i], gradient, name);
        let number = |value: &Value| value.as_f64().unwrap();
        let least = f64::from(D2_TOLERANCE) * number(&gradient["max"]);
        let sample = weights[i].iter().step_by(after["stride"].as_u64().unwrap() as usize);
        let expected = list(&gradient["values"]).iter().zip(list(&after["values"]));
        for (found, (gradient, expected)) in sample.zip(expected) {
            let off = (f64::from(*found) - number(expected)).abs();
            let allowed = if number(gradient).abs() > least { 1e-4 } else { 2.1e-3 };
            assert!(off < allowed, "{name}: {found} after the step, not {expected}");
        }
    }
}
