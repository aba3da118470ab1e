//! Cross-entropy of the softmax of scores, with its gradient.
//!
//! ```text
//! loss = mean over images of  log(sum_j exp(z_j - max z)) - (z_label - max z)
//! gradient = (softmax(z) - onehot(label)) / n_images
//! ```

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{lock, matrix, values, with_values};

/// What the loss found besides the mean.
#[derive(Clone, Debug, Default)]
pub struct LossSums {
    /// Sum of the losses of all images.
    pub loss: f64,
    /// Images whose label has the greatest score (the first of equals).
    pub n_right: usize,
    gradient: Vec<f32>,
}

/// The operation on scores `[n_images, n_classes]`; gives a scalar.
pub struct CrossEntropy {
    labels: Vec<usize>,
    sums: Arc<Mutex<LossSums>>,
}

impl CrossEntropy {
    /// The loss against `labels`, which the caller checked; its sums appear behind the lock.
    pub fn new(labels: Vec<usize>) -> (Self, Arc<Mutex<LossSums>>) {
        let sums = Arc::new(Mutex::default());
        (CrossEntropy { labels, sums: Arc::clone(&sums) }, sums)
    }
}

/// Turns scores into probabilities in place and returns `log(sum exp)` less the greatest score,
/// and the greatest score.
pub fn softmax(scores: &mut [f32]) -> (f64, f32) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f64;
    for score in scores.iter_mut() {
        *score = (*score - max).exp();
        sum += f64::from(*score);
    }
    for score in scores.iter_mut() {
        *score = (f64::from(*score) / sum) as f32;
    }
    (sum.ln(), max)
}

/// Position of the greatest value, the first of equals.
pub fn argmax(scores: &[f32]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = i;
        }
    }
    best
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, scores: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, n_classes) = (layout.dims()[0], layout.dims()[1]);
        let mut sums =
            LossSums { gradient: values(scores, layout)?.to_vec(), ..Default::default() };
        for (row, &label) in sums.gradient.chunks_exact_mut(n_classes).zip(&self.labels) {
            sums.n_right += usize::from(argmax(row) == label);
            let score = row[label];
            let (log_sum, max) = softmax(row);
            sums.loss += log_sum - f64::from(score - max);
            row[label] -= 1.0;
            for value in row {
                *value /= n as f32;
            }
        }
        let mean = sums.loss / n as f64;
        *lock(&self.sums) = sums;
        Ok((CpuStorage::F32(vec![mean as f32]), Shape::from(())))
    }

    fn bwd(&self, scores: &Tensor, _loss: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, n_classes) = scores.dims2()?;
        let scale = with_values([grad], |[grad]| grad[0])?;
        let gradient = lock(&self.sums).gradient.iter().map(|value| value * scale).collect();
        Ok(Some(matrix(gradient, n, n_classes)?))
    }
}
