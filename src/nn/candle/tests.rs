//! Our kernels against candle on whole networks; why candle's own pooling, ReLU and strides are not used.

use candle_core::{Device, Tensor, Var};

use super::*;
use crate::data::Rng;
use crate::nn::Initialisation;
use crate::nn::plan::Fusion;
use crate::nn::tape;

const SHAPE: ImageShape = ImageShape { height: 28, width: 28, channels: 1 };
const N_CLASSES: usize = 10;
const MOMENT: Moment = Moment { seed: 3, epoch: 2, batch: 1 };

/// Of gradients, relative to the largest: rounding of 1e-5 turns a rectifier or the winner of a pooling
/// here and there, and each one is a hundredth of a gradient of four images (noise of that size added
/// to the convolutions of d2 moves its gradients by up to 4e-2). What is wired wrongly is off by one.
const TOLERANCE: f32 = 1e-1;

/// Largest difference, relative to the largest value.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
    found.iter().zip(expected).fold(0.0f32, |max, (a, b)| max.max((a - b).abs())) / scale
}

#[test]
fn every_shipped_network_has_candles_scores_and_gradients() {
    let labels = [3, 1, 4, 1];
    let mut rng = Rng::new(7, &["candle"]);
    let x: Vec<f32> =
        (0..labels.len() * SHAPE.n_pixels()).map(|_| rng.uniform_f32(-1.0, 1.0)).collect();
    for name in Architecture::names() {
        let architecture = Architecture::named(&name).unwrap();
        let plan = Plan::new(&architecture, SHAPE, N_CLASSES, Fusion::On).unwrap();
        let weights: Weights =
            plan.parameters.iter().map(|p| p.initialise(5, Initialisation::Pytorch)).collect();
        let buffers = Buffers::default();
        let candle = Candle::new(Engine::Candle, &architecture, &plan, SHAPE).unwrap();

        let n_steps = plan.steps.len();
        let ours = tape::infer(&plan, n_steps, &weights, x.clone(), labels.len(), &buffers);
        let off = difference(&ours, &candle.scores(&weights, &x).unwrap());
        assert!(off < 1e-4, "{name}: scores off by {off}");

        let ours = tape::gradients(&plan, &weights, x.clone(), &labels, 0.1, MOMENT, &buffers);
        let theirs = candle.gradients(&weights, &x, &labels, 0.1, MOMENT).unwrap();
        let off = (ours.loss_sum - theirs.loss_sum).abs() / theirs.loss_sum;
        assert!(off < 1e-4, "{name}: loss off by {off}");
        for (i, parameter) in plan.parameters.iter().enumerate() {
            let off = difference(&ours.grads[i], &theirs.grads[i]);
            assert!(off < TOLERANCE, "{name}: gradient of `{}` off by {off}", parameter.name);
        }
        assert_eq!(ours.running.len(), theirs.running.len(), "{name}");
        for ((at, ours), (_, theirs)) in ours.running.iter().zip(&theirs.running) {
            let off = difference(ours, theirs);
            assert!(off < 1e-4, "{name}: `{}` off by {off}", plan.parameters[*at].name);
        }
    }
}

fn gradient(x: &[f32], shape: &[usize], f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<f32>> {
    let x = Var::from_tensor(&Tensor::from_slice(x, shape, &Device::Cpu)?)?;
    let store = f(x.as_tensor())?.sum_all()?.backward()?;
    let Some(grad) = store.get(&x) else { return Ok(Vec::new()) };
    grad.flatten_all()?.to_vec1()
}

#[test]
fn relu_and_pooling_have_pytorchs_gradients_at_ties() {
    assert_eq!(gradient(&[-1.0, 0.0, 2.0], &[3], operations::relu).unwrap(), [0.0, 0.0, 1.0]);
    let pool = |x: &Tensor| operations::max_pool(x, 2, 2);
    assert_eq!(gradient(&[3.0, 5.0, 5.0, 1.0], &[1, 1, 2, 2], pool).unwrap(), [0.0, 1.0, 0.0, 0.0]);
}

/// Why pixels that a stride leaves over are cut off first: if this fails, candle has mended it.
#[test]
fn candles_convolution_still_has_no_gradient_where_strides_leave_pixels_over_unevenly() {
    let kernel = Tensor::ones((1, 1, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    let conv = |x: &Tensor| x.conv2d(&kernel, 1, 2, 1, 1);
    assert!(gradient(&[1.0; 132], &[1, 1, 11, 12], conv).is_err());
}
