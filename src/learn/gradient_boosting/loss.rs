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
