//! Cross-entropy of the softmax of scores, with its gradient.
//!
//! ```text
//! z       scores of an image            K   classes           s   label smoothing
//! log p_k = z_k - max z - log(sum_j exp(z_j - max z))
//! loss    = -(1 - s) log p_label - s / K sum_k log p_k         mean over images
//! d/dz    = (p - (1 - s) onehot(label) - s / K) / n_images
//! ```

use super::ops::{argmax, softmax};

/// What the loss found besides the gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSums {
    /// Sum of the losses of all images.
    pub loss: f64,
    /// Images whose label has the greatest score (the first of equals).
    pub n_right: usize,
}

/// Turns scores `[labels.len(), n_classes]` into the gradient of the mean loss.
pub fn cross_entropy(
    scores: &mut [f32],
    labels: &[usize],
    n_classes: usize,
    label_smoothing: f64,
) -> LossSums {
    let mut sums = LossSums::default();
    let n = labels.len() as f32;
    let spread = label_smoothing / n_classes as f64;
    for (row, &label) in scores.chunks_exact_mut(n_classes).zip(labels) {
        sums.n_right += usize::from(argmax(row) == label);
        let score = f64::from(row[label]);
        let total: f64 = row.iter().map(|score| f64::from(*score)).sum();
        let (log_sum, max) = softmax(row);
        let log_sum = log_sum + f64::from(max);
        // `0 * inf` must not hide in the usual loss.
        sums.loss += (1.0 - label_smoothing) * (log_sum - score);
        if label_smoothing > 0.0 {
            sums.loss += spread * (n_classes as f64 * log_sum - total);
        }
        row[label] -= (1.0 - label_smoothing) as f32;
        for value in row {
            *value = (*value - spread as f32) / n;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::test_fixture::{assert_close, training_recipe};

    // The fixture is made by tests/reference/training_recipe.py (library version inside).
    #[test]
    fn smoothed_labels_give_pytorchs_loss_and_gradient() {
        let case = &training_recipe()["smoothing"];
        let (n_images, n_classes) = (5, 4);
        let score = |n: usize, k: usize| (3.0 * (0.8 * k as f64 + 1.7 * n as f64).sin()) as f32;
        let mut scores: Vec<f32> =
            (0..n_images).flat_map(|n| (0..n_classes).map(move |k| score(n, k))).collect();
        let labels: Vec<usize> = (0..n_images).map(|n| n % 4).collect();
        let smoothing = case["label_smoothing"].as_f64().unwrap();
        let sums = cross_entropy(&mut scores, &labels, n_classes, smoothing);
        let mean = sums.loss / n_images as f64;
        assert!((mean - case["loss"].as_f64().unwrap()).abs() < 1e-6, "{mean}");
        let expected = serde_json::json!([case["gradient"]]);
        assert_close(&[scores], &expected, 1e-7, "gradient");
    }
}
