//! Cross-entropy of the softmax of scores, with its gradient.
//!
//! ```text
//! target t = (1 - s) onehot(label) + s / n_classes          s: label smoothing (Szegedy et al., 2016)
//! loss = mean over images of  log(sum_j exp(z_j - max z)) - sum_j t_j (z_j - max z)
//! gradient = (softmax(z) - t) / n_images
//! ```

/// What the loss found.
#[derive(Clone, Debug, Default)]
pub struct Loss {
    /// Sum of the losses of all images.
    pub sum: f64,
    /// Images whose label has the greatest score (the first of equals).
    pub n_right: usize,
    /// Gradient of the mean loss by the scores, `[n_images, n_classes]`.
    pub gradient: Vec<f32>,
}

/// The loss of scores `[n_images, n_classes]` against `labels`, which the caller checked.
pub fn cross_entropy(scores: &[f32], labels: &[usize], smoothing: f64) -> Loss {
    let n = labels.len();
    let n_classes = scores.len() / n;
    let share = smoothing / n_classes as f64;
    let mut loss = Loss { gradient: scores.to_vec(), ..Loss::default() };
    for (row, &label) in loss.gradient.chunks_exact_mut(n_classes).zip(labels) {
        loss.n_right += usize::from(argmax(row) == label);
        let score = f64::from(row[label]);
        let total: f64 = row.iter().map(|score| f64::from(*score)).sum();
        let (log_sum, max) = softmax(row);
        let max = f64::from(max);
        let target = (1.0 - smoothing) * (score - max) + share * (total - max * n_classes as f64);
        loss.sum += log_sum - target;
        row[label] -= (1.0 - smoothing) as f32;
        for value in row {
            *value = (*value - share as f32) / n as f32;
        }
    }
    loss
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
