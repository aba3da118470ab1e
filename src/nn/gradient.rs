//! What is done to gradients before the step: penalties are added, long ones are scaled down.

use rayon::prelude::*;

use super::optimizer::N_PER_TASK;
use super::plan::Parameter;
use super::tape::Weights;

/// Added to the norm that divides, as PyTorch does.
const EPS: f64 = 1e-6;

/// Adds the penalties of the parameters that are trained to their gradients; returns
/// `sum l1 |w| + l2 w^2`, Keras's meaning of `l1` and `l2`.
pub fn penalise(parameters: &[Parameter], weights: &Weights, grads: &mut Weights) -> f64 {
    let mut sum = 0.0;
    for ((parameter, weights), grads) in parameters.iter().zip(weights).zip(grads) {
        let (l1, l2) = (parameter.penalty.l1, parameter.penalty.l2);
        if !parameter.is_trained || (l1 == 0.0 && l2 == 0.0) {
            continue;
        }
        let chunks = weights.par_chunks(N_PER_TASK).zip(grads.par_chunks_mut(N_PER_TASK));
        let sums = chunks.map(|(weights, grads)| {
            let (mut sum1, mut sum2) = (0.0, 0.0);
            for (weight, grad) in weights.iter().zip(grads) {
                // `signum` of zero is one.
                let sign = if *weight == 0.0 { 0.0 } else { weight.signum() };
                *grad += l1 * sign + 2.0 * l2 * weight;
                sum1 += f64::from(weight.abs());
                sum2 += f64::from(*weight).powi(2);
            }
            f64::from(l1) * sum1 + f64::from(l2) * sum2
        });
        // Collected first: the order of the additions must not depend on the threads.
        sum += sums.collect::<Vec<f64>>().iter().sum::<f64>();
    }
    sum
}

/// Scales the gradients down to `max_norm` if their norm, all together, is greater; returns the
/// norm that they had.
pub fn clip(grads: &mut Weights, max_norm: f64) -> f64 {
    let squares = |chunk: &[f32]| chunk.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
    let sum_of = |grads: &Vec<f32>| {
        let sums: Vec<f64> = grads.par_chunks(N_PER_TASK).map(squares).collect();
        sums.iter().sum::<f64>()
    };
    let norm = grads.iter().map(sum_of).sum::<f64>().sqrt();
    let scale = (max_norm / (norm + EPS)) as f32;
    if scale < 1.0 {
        for grads in grads.iter_mut() {
            grads.par_chunks_mut(N_PER_TASK).for_each(|chunk| {
                chunk.iter_mut().for_each(|g| *g *= scale);
            });
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::architecture::Penalty;
    use crate::nn::plan::Start;
    use crate::nn::test_fixture::{assert_close, cosines, training_recipe};

    // The fixture is made by tests/reference/training_recipe.py (library version inside).
    #[test]
    fn gradients_are_clipped_as_pytorch_clips_them() {
        for case in training_recipe()["clipping"].as_array().unwrap() {
            let (mut grads, max_norm) = (cosines(1), case["max_norm"].as_f64().unwrap());
            let norm = clip(&mut grads, max_norm);
            assert!((norm - case["norm"].as_f64().unwrap()).abs() < 1e-6, "{norm}");
            assert_close(&grads, &case["gradients"], 1e-6, "clipped");
        }
    }

    #[test]
    fn penalties_count_for_trained_kernels_and_zero_has_no_side() {
        let parameter = |is_trained| Parameter {
            name: "dense_1.weight".into(),
            shape: vec![1, 3],
            start: Start::Constant(0.0),
            is_trained,
            penalty: Penalty { l1: 0.5, l2: 0.25 },
        };
        let weights = vec![vec![2.0, 0.0, -3.0]; 2];
        let mut grads = vec![vec![1.0; 3], Vec::new()];
        let sum = penalise(&[parameter(true), parameter(false)], &weights, &mut grads);
        assert_eq!(sum, 0.5 * 5.0 + 0.25 * 13.0);
        assert_eq!(grads[0], [1.0 + 0.5 + 1.0, 1.0, 1.0 - 0.5 - 1.5]);
    }
}
