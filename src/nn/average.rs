//! Exponential moving average of the weights.
//!
//! ```text
//! average = weights                                after the first step
//! d       = min(decay, (1 + n) / (10 + n))         n steps averaged before
//! average = average + (1 - d) (weights - average)  after every other
//! ```
//!
//! The warm-up of `d` lets the average forget the first weights; it is TensorFlow's, the rest is
//! PyTorch's `AveragedModel` with its buffers.

use rayon::prelude::*;

use super::optimizer::N_PER_TASK;
use super::tape::Weights;

/// Takes the weights after step `n_steps` (from 1) into `average`.
pub fn update(average: &mut Weights, weights: &Weights, decay: f64, n_steps: u64) {
    let n = n_steps.saturating_sub(1) as f64;
    let decay = if n == 0.0 { 0.0 } else { decay.min((1.0 + n) / (10.0 + n)) };
    let share = (1.0 - decay) as f32;
    for (average, weights) in average.iter_mut().zip(weights) {
        let chunks = average.par_chunks_mut(N_PER_TASK).zip(weights.par_chunks(N_PER_TASK));
        chunks.for_each(|(average, weights)| {
            for (average, weight) in average.iter_mut().zip(weights) {
                *average += share * (weight - *average);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::test_fixture::{assert_close, cosines, sines, training_recipe};

    // The fixture is made by tests/reference/training_recipe.py (library version inside).
    #[test]
    fn the_average_is_pytorchs() {
        let fixture = training_recipe();
        let rate = fixture["learning_rate"].as_f64().unwrap() as f32;
        for case in fixture["average"].as_array().unwrap() {
            let (mut weights, decay) = (sines(), case["decay"].as_f64().unwrap());
            let mut average = weights.clone();
            for step in 1..=30 {
                for (weights, gradient) in weights.iter_mut().zip(cosines(step)) {
                    weights.iter_mut().zip(gradient).for_each(|(w, g)| *w -= rate * g);
                }
                update(&mut average, &weights, decay, step);
            }
            assert_close(&average, &case["weights"], 1e-5, "average");
        }
    }
}
