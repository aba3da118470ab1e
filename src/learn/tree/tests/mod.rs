mod fitted;
pub(in crate::learn) mod fixtures;
mod input;
mod properties;

use ndarray::Array2;

use super::{DecisionTree, DecisionTreeParams, TreeRules};
use crate::data::{Features, Labels, Rng};
use crate::learn::Samples;
use crate::progress::Silent;
use linfa::ParamGuard;

/// Rows of bytes, half of them 0, in classes that overlap.
pub(in crate::learn) fn overlapping(seed: u64, n: usize, n_features: usize) -> (Features, Labels) {
    let mut rng = Rng::new(seed, &["overlapping"]);
    let labels: Labels = (0..n).map(|_| rng.below(4)).collect();
    let rows = Array2::from_shape_fn((n, n_features), |(row, f)| {
        let shift = if f % 4 == labels[row] { 30.0 } else { 0.0 };
        (rng.normal_f32() * 40.0 + shift).clamp(0.0, 255.0) as u8
    });
    (Features::Bytes(rows), labels)
}

/// The same rows as real numbers.
pub(in crate::learn) fn as_floats(features: &Features) -> Features {
    let rows = (0..features.n_samples()).flat_map(|row| features.row_f32(row).to_vec());
    let shape = (features.n_samples(), features.n_features());
    Features::Floats(Array2::from_shape_vec(shape, rows.collect()).unwrap())
}

fn fit(rules: TreeRules, samples: Samples) -> DecisionTree {
    let params = DecisionTreeParams::new().rules(rules).check().unwrap();
    params.fit_model(samples, 0, &Silent).unwrap()
}

pub(in crate::learn) fn unweighted<'a>(features: &'a Features, labels: &'a Labels) -> Samples<'a> {
    Samples { features, labels, weights: None }
}
