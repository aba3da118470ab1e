//! Gradients of every layer against finite differences; facts about candle that decided the design.

use candle_core::{Device, Tensor, Var};

use super::super::Architecture;
use super::super::params::{Initialisation, Precision};
use super::super::plan::{Fusion, Plan, Start};
use super::super::tape::{self, Moment, Weights};
use super::conv::{Conv, Seen, Wanted};
use super::*;
use crate::data::{ImageShape, Rng};
use crate::kernels::nn::im2col::ConvShape;

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
    for fusion in [Fusion::Off, Fusion::On] {
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
    let out = norm::Statistics::of(&layer.map(&statistics).apply(&rows, &buffers), 2);
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
    let map = layer.map(&statistics);
    let slopes = layer.slopes(&statistics, &map.gradient_sums(&rows, &grad), 20);
    let found = layer.backward(&rows, &grad, slopes.map(&map));
    for (i, (found, grad)) in found.iter().zip(&grad).enumerate() {
        let slope = weight[i % 2] / (statistics.variance[i % 2] + 1.0).sqrt();
        assert!((found - slope * grad).abs() < 1e-6, "{i}: {found}");
    }
}

/// A map with factors of both signs, of channels whose values are in `[-1, 1]`.
fn pending_map(n_channels: usize, relu: bool, buffers: &Buffers) -> norm::Map {
    let (weight, bias) = (draw(n_channels, "weight"), draw(n_channels, "bias"));
    let statistics =
        norm::Statistics { mean: draw(n_channels, "mean"), variance: vec![0.5; n_channels] };
    let (weight, bias) = (weight.as_slice(), bias.as_slice());
    norm::BatchNorm { weight, bias, eps: 1e-5, is_frozen: false, relu, buffers }.map(&statistics)
}

#[test]
fn a_convolution_of_pending_rows_gives_the_bits_of_one_of_mapped_rows() {
    let buffers = Buffers::default();
    // Winograd's filtering and patches where they lie.
    for (in_channels, kernel, stride, relu, precision) in [
        (16, 3, 1, true, Precision::F32),
        (16, 3, 1, true, Precision::Bf16),
        (32, 3, 1, false, Precision::F32),
        (3, 3, 2, true, Precision::F32),
        (16, 1, 1, true, Precision::F32),
    ] {
        let shape = ConvShape {
            height: 7,
            width: 6,
            in_channels,
            kernel,
            stride,
            pad_before: kernel / 2,
            pad_after: kernel / 2,
            out_channels: 16,
        };
        let n = 20;
        let map = pending_map(in_channels, relu, &buffers);
        let rows = draw(n * shape.n_in(), "rows");
        let mapped = map.apply(&rows, &buffers);
        let weights = draw(shape.n_patch() * shape.out_channels, "kernel");
        let grad = draw(n * shape.n_positions() * shape.out_channels, "grad");
        let conv = Conv::new(shape, (true, false), true, precision, &buffers);
        assert!(conv.applies_maps());
        let run = |x: Input<'_>| {
            let y = conv.forward(x, (&weights, None), Some(&[0.25; 16]), n);
            let seen = Seen { x, y: &y.values, winners: &[], grad: &grad, norm: None };
            let wanted = Wanted { images: true, bias: true, sums: true };
            (conv.backward(seen, &weights, wanted), y.values, y.sums)
        };
        let (found, y, sums) = run(Input { rows: &rows, map: Some(&map) });
        let (expected, expected_y, expected_sums) = run(Input { rows: &mapped, map: None });
        assert_eq!((y, sums), (expected_y, expected_sums), "{shape:?}");
        assert_eq!(found.kernel, expected.kernel, "{shape:?}");
        assert_eq!(found.images, expected.images, "{shape:?}");
        assert_eq!(found.bias, expected.bias, "{shape:?}");
        // The sums on the way, in other chunks: up to 840 products of `f32` in another order.
        assert!(expected.sums.is_empty());
        let by_chunks = map.gradient_sums(&rows, &found.images.unwrap());
        let total = |chunks: &[Vec<f32>], i: usize| -> f32 { chunks.iter().map(|c| c[i]).sum() };
        for i in 0..2 * in_channels {
            let (a, b) = (total(&found.sums, i), total(&by_chunks, i));
            assert!((a - b).abs() < 1e-3, "{shape:?} {i}: {a} {b}");
        }
    }
}

/// Pending maps, pooling behind normalisation and sums on the way against a step for every layer.
/// Tolerance: 1e-4 of the largest gradient; statistics are summed in another order.
#[test]
fn layers_computed_together_give_the_gradients_of_single_layers() {
    let (relu, norm) = (layer("relu", ""), layer("batch_norm", ""));
    let same = |filters| conv(filters, "padding = \"same\"") + &norm + &relu;
    let inner = |list: &str, text: &str| text.replace("[[layer]]", &format!("[[layer.{list}]]"));
    let (pool, flatten) = (layer("max_pool", ""), layer("flatten", ""));
    let block = layer("residual", "") + &inner("body", &(same(16) + &conv(16, "padding = 1")));
    for text in [
        same(16) + &same(16) + &flatten,
        same(16) + &pool + &same(16) + &flatten,
        same(16) + &pool + &layer("dropout", "rate = 0.3") + &same(16) + &flatten,
        same(16) + &conv(16, "stride = 2") + &flatten,
        // Readers of which one cannot apply a map.
        same(16) + &block + &relu + &flatten,
        // Two that can, and whose gradients are added.
        conv(16, "")
            + &norm
            + &layer("residual", "")
            + &inner("body", &conv(16, "padding = 1"))
            + &inner("shortcut", &conv(16, "padding = 1"))
            + &flatten,
        same(16) + &layer("max_pool", "size = 3\nstride = 1") + &flatten,
    ] {
        let architecture = layers(&text);
        let buffers = Buffers::default();
        let run = |fusion| {
            let plan = Plan::new(&architecture, IMAGE, 3, fusion).unwrap();
            let parameters = plan.parameters.iter();
            let weights = parameters.map(|p| p.initialise(5, Initialisation::Pytorch)).collect();
            let x = draw(N_IMAGES * IMAGE.n_pixels(), "x");
            tape::gradients(&plan, &weights, x, &LABELS, 0.1, MOMENT, &buffers)
        };
        let (found, expected) = (run(Fusion::On), run(Fusion::Off));
        assert!((found.loss_sum - expected.loss_sum).abs() < 1e-5, "{text}");
        let (found, expected) = (found.grads.concat(), expected.grads.concat());
        let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        assert_eq!(found.len(), expected.len(), "{text}");
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-4 * largest, "{text}: {a} {b} of {largest}");
        }
    }
}

#[test]
fn sums_taken_on_the_way_do_not_depend_on_the_number_of_threads() {
    let same = conv(16, "padding = \"same\"") + &layer("batch_norm", "") + &layer("relu", "");
    let text = same.repeat(2) + &layer("max_pool", "") + &same + &layer("flatten", "");
    let plan = Plan::new(&layers(&text), IMAGE, 3, Fusion::On).unwrap();
    let labels: Vec<usize> = (0..37).map(|i| i % 3).collect();
    let run = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let weights =
            plan.parameters.iter().map(|p| p.initialise(5, Initialisation::Pytorch)).collect();
        let x = draw(labels.len() * IMAGE.n_pixels(), "x");
        let buffers = Buffers::default();
        let gradients = || tape::gradients(&plan, &weights, x, &labels, 0.1, MOMENT, &buffers);
        pool.install(gradients).grads
    };
    let expected = run(1);
    for n_threads in [2, 3] {
        assert_eq!(run(n_threads), expected, "{n_threads} threads");
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
