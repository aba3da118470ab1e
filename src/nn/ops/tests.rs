//! Gradients of every layer against finite differences; facts about candle that decided the design.

use candle_core::{Device, Tensor, Var};

use super::super::Architecture;
use super::super::plan::{Fusion, Plan, Start};
use super::super::tape::{self, Moment, Weights};
use super::*;
use crate::data::{ImageShape, Rng};

const MOMENT: Moment = Moment { seed: 1, epoch: 1, batch: 1 };
const N_IMAGES: usize = 3;
const LABELS: [usize; N_IMAGES] = [0, 2, 1];

fn draw(n: usize, purpose: &str) -> Vec<f32> {
    let mut rng = Rng::new(11, &[purpose]);
    (0..n).map(|_| rng.uniform_f32(-1.0, 1.0)).collect()
}

fn layers(text: &str) -> Architecture {
    let last = "[[layer]]\nkind = \"dense\"\nunits = \"classes\"\n";
    Architecture::parse("test", &format!("title = \"test\"\n{text}\n{last}")).unwrap()
}

fn loss(plan: &Plan, weights: &Weights, x: &[f32]) -> f64 {
    let buffers = Buffers::default();
    let found = tape::gradients(plan, weights, x.to_vec(), &LABELS, 0.1, MOMENT, &buffers);
    found.loss_sum / N_IMAGES as f64
}

/// Compares gradients of the mean loss with central differences of step 1e-3, within 6e-3 (a
/// loss in `f32` is good to a few 1e-7, over the step 1e-3; curvature and small kinks do the rest). Where the differences to both
/// sides disagree, the step crosses a kink of a ReLU or a change of maximum: such values are left
/// out, and are at most a third.
fn check(text: &str, shape: ImageShape) {
    let architecture = layers(text);
    for fusion in [Fusion::Off, Fusion::Training] {
        let plan = Plan::new(&architecture, shape, 3, fusion).unwrap();
        let weights: Weights = plan
            .parameters
            .iter()
            .map(|parameter| {
                let n = parameter.n_values();
                let (center, bound) = match parameter.start {
                    Start::Drawn { fan_in } => (0.0, 1.5 / (fan_in as f32).sqrt()),
                    Start::Constant(value) => (value, 0.5),
                };
                draw(n, &parameter.name).iter().map(|v| center + bound * v).collect()
            })
            .collect();
        let x = draw(N_IMAGES * shape.n_pixels(), "x");
        let buffers = Buffers::default();
        let found = tape::gradients(&plan, &weights, x.clone(), &LABELS, 0.1, MOMENT, &buffers);
        let at_rest = loss(&plan, &weights, &x);
        for (position, parameter) in plan.parameters.iter().enumerate() {
            let grads = &found.grads[position];
            if !parameter.is_trained {
                assert!(grads.is_empty(), "{}", parameter.name);
                continue;
            }
            assert_eq!(grads.len(), parameter.n_values(), "{}", parameter.name);
            // A sample of values of large kernels.
            let step = grads.len().div_ceil(40);
            let mut n_kinks = 0;
            let sample: Vec<usize> = (0..grads.len()).step_by(step).collect();
            for &i in &sample {
                let slope = |step: f32| {
                    let mut moved = weights.clone();
                    moved[position][i] += step;
                    (loss(&plan, &moved, &x) - at_rest) / f64::from(step)
                };
                let (left, right) = (slope(-1e-3), slope(1e-3));
                if (left - right).abs() > 1e-2 {
                    n_kinks += 1;
                    continue;
                }
                let (numeric, analytic) = ((left + right) / 2.0, f64::from(grads[i]));
                assert!(
                    (numeric - analytic).abs() < 6e-3,
                    "{text}: {fusion:?}, {} at {i}: {analytic}, not {numeric}",
                    parameter.name
                );
            }
            assert!(n_kinks * 3 <= sample.len(), "{text}: {}: {n_kinks} kinks", parameter.name);
        }
    }
}

fn layer(kind: &str, keys: &str) -> String {
    format!("[[layer]]\nkind = \"{kind}\"\n{keys}\n")
}

fn conv(filters: usize, keys: &str) -> String {
    layer("conv", &format!("filters = {filters}\nkernel = 3\n{keys}"))
}

const IMAGE: ImageShape = ImageShape { height: 7, width: 6, channels: 2 };

#[test]
fn convolution_gradients_match_finite_differences() {
    let flatten = layer("flatten", "");
    for keys in ["", "padding = \"same\"", "padding = 2\nstride = 2", "bias = false"] {
        // The second convolution passes a gradient on; both ways: patches and Winograd's points.
        for (first, second) in [(3, 5), (16, 16)] {
            let convs = conv(first, keys) + &conv(second, "padding = \"same\"");
            check(&(convs.clone() + &flatten), IMAGE);
            let relu = layer("relu", "");
            let text = conv(first, keys) + &relu + &conv(second, "padding = 1") + &relu;
            check(&(text + &layer("max_pool", "") + &flatten), IMAGE);
        }
    }
    // Gray images with pooling: the fused kernel.
    let gray = ImageShape { height: 9, width: 8, channels: 1 };
    let text = conv(16, "") + &layer("relu", "") + &layer("max_pool", "") + &flatten;
    check(&text, gray);
    let wide = layer("conv", "filters = 4\nkernel = 1\nstride = 2");
    check(&(conv(4, "") + &wide + &flatten), IMAGE);
}

#[test]
fn other_layers_match_finite_differences() {
    let start = conv(4, "padding = \"same\"");
    let flatten = layer("flatten", "");
    for middle in [
        layer("batch_norm", ""),
        layer("batch_norm", "") + &layer("relu", ""),
        layer("max_pool", "size = 3\nstride = 2"),
        layer("avg_pool", ""),
        layer("avg_pool", "size = 3\nstride = 1"),
        layer("dropout", "rate = 0.3"),
        layer("relu", "") + &layer("dropout", "rate = 0.5"),
    ] {
        check(&(start.clone() + &middle + &flatten), IMAGE);
    }
    check(&(start.clone() + &layer("global_avg_pool", "")), IMAGE);
    let dense = layer("dense", "units = 7") + &layer("batch_norm", "") + &layer("relu", "");
    check(&(start + &flatten + &dense), IMAGE);
}

#[test]
fn residual_gradients_match_finite_differences() {
    let inner = |list: &str, text: &str| text.replace("[[layer]]", &format!("[[layer.{list}]]"));
    let body = conv(4, "padding = \"same\"") + &layer("relu", "") + &conv(4, "padding = \"same\"");
    let shortcut = layer("conv", "filters = 4\nkernel = 1\nbias = false");
    let start = conv(4, "padding = \"same\"") + &layer("relu", "");
    let end = layer("relu", "") + &layer("flatten", "");
    let plain = layer("residual", "") + &inner("body", &body);
    check(&(start.clone() + &plain + &end), IMAGE);
    let both = plain + &inner("shortcut", &shortcut);
    check(&(start + &both + &layer("flatten", "")), IMAGE);
    // On the images themselves, where only one branch learns.
    let first = layer("residual", "") + &inner("body", &conv(2, "padding = \"same\""));
    check(&(first + &end), IMAGE);
}

#[test]
fn smoothing_mixes_the_label_with_all_classes() {
    let scores = [1.0, -2.0, 0.5, 3.0];
    let probabilities = {
        let mut scores = scores;
        softmax(&mut scores);
        scores.map(f64::from)
    };
    let plain = cross_entropy(&scores, &[2], 0.0);
    assert!((plain.sum + probabilities[2].ln()).abs() < 1e-6);
    let smooth = cross_entropy(&scores, &[2], 0.2);
    let mean = -probabilities.iter().map(|p| p.ln()).sum::<f64>() / 4.0;
    assert!((smooth.sum - 0.8 * plain.sum - 0.2 * mean).abs() < 1e-6);
    assert!(smooth.gradient.iter().sum::<f32>().abs() < 1e-6);
    assert_eq!((plain.n_right, cross_entropy(&scores, &[3], 0.0).n_right), (0, 1));
}

#[test]
fn dropout_keeps_its_share_and_its_mean() {
    let buffers = Buffers::default();
    let x = vec![1.0; 100_000];
    let (y, kept) = dropout::forward(&x, 0.25, 1, "test", &buffers);
    let n_dropped = kept.iter().filter(|kept| **kept == 0).count();
    // Five standard deviations of a binomial: 5 sqrt(100000 * 0.25 * 0.75) = 685.
    assert!(n_dropped.abs_diff(25_000) < 685, "{n_dropped}");
    let value = (1.0f64 / 0.75) as f32;
    assert!(y.iter().zip(&kept).all(|(v, kept)| *v == value * f32::from(*kept)));
    assert_eq!(dropout::backward(&x, &kept, 0.25, &buffers), y);
}

#[test]
fn batch_norm_gives_the_mean_and_deviation_it_was_told() {
    let buffers = Buffers::default();
    // A large mean costs no digits: values near 1000 with deviation 1.
    let rows: Vec<f32> = draw(6_000, "rows").iter().map(|v| 1000.0 + v).collect();
    let statistics = norm::Statistics::of(&rows, 2);
    let layer = norm::BatchNorm {
        weight: &[2.0, 3.0],
        bias: &[1.0, -1.0],
        eps: 1e-5,
        is_frozen: false,
        relu: false,
        buffers: &buffers,
    };
    let out = norm::Statistics::of(&layer.forward(&rows, &statistics), 2);
    for (found, expected) in out.mean.iter().zip([1.0, -1.0]) {
        assert!((found - expected).abs() < 2e-3, "{found}");
    }
    for (found, expected) in out.variance.iter().zip([4.0, 9.0]) {
        assert!((found / expected - 1.0).abs() < 1e-3, "{found}");
    }
}

#[test]
fn nothing_flows_back_through_frozen_statistics() {
    let buffers = Buffers::default();
    let (rows, grad) = (draw(40, "rows"), draw(40, "grad"));
    let statistics = norm::Statistics { mean: vec![0.1, -0.2], variance: vec![3.0, 0.5] };
    let (weight, bias, eps) = ([2.0, -3.0], [1.0, -1.0], 1.0);
    let layer = norm::BatchNorm {
        weight: &weight,
        bias: &bias,
        eps,
        is_frozen: true,
        relu: false,
        buffers: &buffers,
    };
    let slopes = layer.slopes(&rows, &statistics, &grad);
    let found = layer.backward(&rows, &grad, &slopes);
    for (i, (found, grad)) in found.iter().zip(&grad).enumerate() {
        let slope = weight[i % 2] / (statistics.variance[i % 2] + 1.0).sqrt();
        assert!((found - slope * grad).abs() < 1e-6, "{i}: {found}");
    }
}

/// Why candle's pooling is not used: if this fails, candle has mended it.
#[test]
fn candles_pooling_still_gives_a_wrong_gradient() {
    let image = Tensor::new(&[[[[1f32, 2.0], [3.0, 4.0]]]], &Device::Cpu).unwrap();
    let image = Var::from_tensor(&image).unwrap();
    let store = image.max_pool2d(2).unwrap().sum_all().unwrap().backward().unwrap();
    let grad = store.get(&image).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(grad, [0.0, 0.0, 0.0, 0.25], "1 at the maximum would be right");
}

/// Why everything random is drawn from our generator: if this fails, candle can be seeded.
#[test]
fn candles_cpu_generator_still_cannot_be_seeded() {
    assert!(Device::Cpu.set_seed(1).is_err());
}
