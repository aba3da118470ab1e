//! The logistic loss: baseline, gradients, second derivatives.
//!
//! Of a sample of class `y` and weight `w` with raw scores `F_k`, as scikit-learn has them:
//!
//! ```text
//! many classes  p_k = exp(F_k) / sum_j exp(F_j)    loss = -w log p_y
//!               g_k = w (p_k - [y = k])            h_k = w p_k (1 - p_k)
//! two classes   p = 1 / (1 + exp(-F))              loss = w (log(1 + exp(F)) - [y = 1] F)
//!               g = w (p - [y = 1])                h = w p (1 - p)
//! ```
//!
//! Scores of many samples lie in tiles, `[tile][column][TILE]`, a column for each tree of a round.

/// Samples of a tile.
pub(super) const TILE: usize = 1024;

/// A gradient and a second derivative.
pub(super) type Grad = [f32; 2];

/// Columns of raw scores for a number of classes: two share one.
pub(super) fn n_columns(n_classes: usize) -> usize {
    if n_classes == 2 { 1 } else { n_classes }
}

/// Raw scores that give every sample the share of each class in all weight, `[n_columns]`: those of
/// many classes sum to 0.
pub(super) fn baseline(class_weights: &[f64]) -> Vec<f64> {
    let logs: Vec<f64> = class_weights.iter().map(|weight| weight.ln()).collect();
    match logs[..] {
        [first, second] => vec![second - first],
        _ => {
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            logs.iter().map(|log| log - mean).collect()
        }
    }
}

/// Probability of each class, `[n_classes]`, of raw scores.
pub(super) fn probabilities(raw: &[f64], out: &mut [f64]) {
    if let ([score], [first, second]) = (raw, &mut *out) {
        (*first, *second) = (sigmoid(-score), sigmoid(*score));
        return;
    }
    let highest = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (out, score) in out.iter_mut().zip(raw) {
        *out = (score - highest).exp();
    }
    let sum: f64 = out.iter().sum();
    for out in out {
        *out /= sum;
    }
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

/// Loss of one sample of weight 1.
pub(super) fn loss(raw: &[f64], class: usize) -> f64 {
    if let [score] = raw {
        let towards = if class == 1 { *score } else { -score };
        // log(1 + exp(-v)) without overflow.
        return (-towards.abs()).exp().ln_1p() + (-towards).max(0.0);
    }
    let highest = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = raw.iter().map(|score| (score - highest).exp()).sum();
    sum.ln() + highest - raw[class]
}

/// What a tile sums to.
#[derive(Clone, Debug, Default)]
pub(super) struct TileSums {
    /// Weighted loss.
    pub loss: f64,
    /// Absolute gradients by column.
    pub abs_g: Vec<f64>,
    /// Second derivatives by column.
    pub h: Vec<f64>,
}

/// Gradients of the samples of a tile.
///
/// # Shapes
/// `raw`, `grads`: `[n_columns, TILE]`; `classes`, `weights`: one for each sample of the tile.
pub(super) fn gradients(
    raw: &[f64],
    classes: &[u32],
    weights: Option<&[f64]>,
    grads: &mut [Grad],
) -> TileSums {
    let n = classes.len();
    let n_columns = raw.len() / TILE;
    let mut sums = TileSums { loss: 0.0, abs_g: vec![0.0; n_columns], h: vec![0.0; n_columns] };
    let weight_of = |i: usize| weights.map_or(1.0, |weights| weights[i]);
    let mut add = |column: usize, i: usize, p: f64, is_class: bool, grad: &mut Grad| {
        let g = weight_of(i) * (p - f64::from(u8::from(is_class)));
        let h = weight_of(i) * p * (1.0 - p);
        *grad = [g as f32, h as f32];
        sums.abs_g[column] += f64::from(grad[0].abs());
        sums.h[column] += f64::from(grad[1]);
    };
    if n_columns == 1 {
        for (i, &class) in classes.iter().enumerate() {
            add(0, i, sigmoid(raw[i]), class == 1, &mut grads[i]);
            sums.loss += weight_of(i) * loss(&raw[i..=i], class as usize);
        }
        return sums;
    }
    let mut highest = [f64::NEG_INFINITY; TILE];
    for scores in raw.chunks_exact(TILE) {
        for (highest, &score) in highest[..n].iter_mut().zip(scores) {
            *highest = if score > *highest { score } else { *highest };
        }
    }
    let mut exps = vec![0.0; raw.len()];
    let mut totals = [0.0; TILE];
    for (exps, scores) in exps.chunks_exact_mut(TILE).zip(raw.chunks_exact(TILE)) {
        for i in 0..n {
            exps[i] = (scores[i] - highest[i]).exp();
            totals[i] += exps[i];
        }
    }
    for (column, grads) in grads.chunks_exact_mut(TILE).enumerate() {
        for i in 0..n {
            let p = exps[column * TILE + i] / totals[i];
            add(column, i, p, classes[i] as usize == column, &mut grads[i]);
        }
    }
    for (i, &class) in classes.iter().enumerate() {
        let log_p = raw[class as usize * TILE + i] - highest[i] - totals[i].ln();
        sums.loss -= weight_of(i) * log_p;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    /// Tolerance: a central difference of step 1e-4 is off by its square, its second difference by
    /// rounding over its square; gradients are kept in single precision.
    #[test]
    fn gradients_are_the_differences_of_the_loss() {
        for n_classes in [2, 3, 10] {
            let n_columns = n_columns(n_classes);
            let mut rng = Rng::new(n_classes as u64, &["loss"]);
            let n = 37;
            let raw: Vec<f64> =
                (0..n_columns * TILE).map(|_| 2.0 * f64::from(rng.normal_f32())).collect();
            let classes: Vec<u32> = (0..n).map(|_| rng.below(n_classes) as u32).collect();
            let weights: Vec<f64> = (0..n).map(|_| f64::from(rng.unit_f32())).collect();
            let mut grads = vec![[0.0; 2]; raw.len()];
            let sums = gradients(&raw, &classes, Some(&weights), &mut grads);
            let mut total = 0.0;
            for i in 0..n {
                let scores: Vec<f64> = (0..n_columns).map(|k| raw[k * TILE + i]).collect();
                let class = classes[i] as usize;
                total += weights[i] * loss(&scores, class);
                for column in 0..n_columns {
                    let moved = |by: f64| {
                        let mut scores = scores.clone();
                        scores[column] += by;
                        weights[i] * loss(&scores, class)
                    };
                    let (before, here, after) = (moved(-1e-4), moved(0.0), moved(1e-4));
                    let [g, h] = grads[column * TILE + i].map(f64::from);
                    assert!((g - (after - before) / 2e-4).abs() < 1e-6, "{n_classes}, {i}");
                    assert!((h - (after - 2.0 * here + before) / 1e-8).abs() < 1e-5);
                }
            }
            assert!((sums.loss - total).abs() < 1e-9 * total, "{} and {total}", sums.loss);
            for (column, grads) in grads.chunks_exact(TILE).enumerate() {
                let sum = |part: usize| -> f64 {
                    grads.iter().map(|grad| f64::from(grad[part].abs())).sum()
                };
                assert!((sums.abs_g[column] - sum(0)).abs() < 1e-9);
                assert!((sums.h[column] - sum(1)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_baseline_gives_the_shares_of_the_classes() {
        for weights in [vec![1.0, 3.0], vec![2.0, 1.0, 5.0]] {
            let raw = baseline(&weights);
            let mut shares = vec![0.0; weights.len()];
            probabilities(&raw, &mut shares);
            let total: f64 = weights.iter().sum();
            for (share, weight) in shares.iter().zip(&weights) {
                assert!((share - weight / total).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn large_scores_neither_overflow_nor_lose_the_loss() {
        assert_eq!(loss(&[1000.0], 1), 0.0);
        assert_eq!(loss(&[1000.0], 0), 1000.0);
        assert_eq!(loss(&[0.0, 1000.0, 0.0], 0), 1000.0);
        let mut p = [0.0; 2];
        probabilities(&[-1000.0], &mut p);
        assert_eq!(p, [1.0, 0.0]);
    }
}
