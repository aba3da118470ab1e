//! Covariances with shrinkage, and the maps under which they become the identity.

use ndarray::{Array2, s};

use super::linalg::{cholesky, invert_lower, symmetric_eigen};
use super::moments::{Grouped, Moments, fourth_powers, is_constant, overall_mean};
use super::{LearnError, ParamError};
use crate::progress::Progress;

/// Standard deviation, of features scaled to 1, below which a direction counts as having none:
/// scikit-learn's `tol` of `LinearDiscriminantAnalysis`.
pub(super) const RANK_TOL: f64 = 1e-4;

/// How far a covariance `S` of `p` features is drawn towards `trace(S) / p` times the identity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shrinkage {
    /// Not at all.
    None,
    /// This share, 0 to 1.
    Share(f64),
    /// The share of least expected squared error (Ledoit, Wolf, "A well-conditioned estimator for
    /// large-dimensional covariance matrices", Journal of Multivariate Analysis 88 (2004), 365-411),
    /// from the rows about the means of their classes.
    Auto,
}

impl Shrinkage {
    pub(super) fn check(self) -> Result<(), ParamError> {
        match self {
            Shrinkage::Share(share) if !(0.0..=1.0).contains(&share) => {
                Err(ParamError::new("shrinkage", "between 0 and 1", share))
            }
            _ => Ok(()),
        }
    }

    /// The share for these rows.
    pub(super) fn share(
        self,
        rows: Grouped,
        moments: &Moments,
        progress: &dyn Progress,
    ) -> Result<f64, LearnError> {
        match self {
            Shrinkage::None => Ok(0.0),
            Shrinkage::Share(share) => Ok(share),
            Shrinkage::Auto => ledoit_wolf(rows, moments, progress),
        }
    }
}

/// Ledoit and Wolf's share. Weights count as parts of one sample: only their ratios matter.
fn ledoit_wolf(
    rows: Grouped,
    moments: &Moments,
    progress: &dyn Progress,
) -> Result<f64, LearnError> {
    let p = moments.scatter.nrows() as f64;
    let weight = moments.weight();
    let square: f64 = moments.counts.iter().map(|count| count.square).sum();
    let n = weight * weight / square;
    let mu = moments.scatter.diag().sum() / weight / p;
    let norm = moments.scatter.iter().map(|v| v * v).sum::<f64>() / (weight * weight);
    let fourth = fourth_powers(rows, &moments.means, progress)? / weight;
    let distance = (norm - p * mu * mu) / p;
    let noise = ((fourth - norm) / (p * n)).min(distance);
    Ok(if noise > 0.0 { noise / distance } else { 0.0 })
}

/// Draws a covariance towards a multiple of the identity.
pub(super) fn shrink(covariance: &mut Array2<f64>, share: f64) {
    let mean_variance = covariance.diag().mean().unwrap_or(0.0);
    if share > 0.0 {
        *covariance *= 1.0 - share;
        covariance.diag_mut().mapv_inplace(|v| v + share * mean_variance);
    }
}

/// Standard deviation of each feature; 0 where nothing but rounding varies.
pub(super) fn deviations(covariance: &Array2<f64>, moments: &Moments) -> Vec<f64> {
    let means = overall_mean(&moments.counts, &moments.means);
    let variances = covariance.diag();
    let of = |(&variance, &mean): (&f64, &f64)| {
        if is_constant(mean, variance) { 0.0 } else { variance.max(0.0).sqrt() }
    };
    variances.iter().zip(&means).map(of).collect()
}

/// What becomes of directions in which there is no variance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Singular {
    /// They are left out.
    Drop,
    /// They get the deviation [`RANK_TOL`].
    Floor,
}

/// A map under which a covariance becomes the identity.
pub(super) struct Whitening {
    /// `W` with `W^T S W = I`, `[n_features, n_directions]`.
    pub matrix: Array2<f64>,
    /// Logarithm of the determinant of `S` in the directions kept, features counted in units of
    /// `scales`.
    pub log_det: f64,
    /// Directions with variance.
    pub rank: usize,
}

impl Whitening {
    /// Of features in units of `scales`; one with scale 0 is left out.
    ///
    /// # Errors
    /// [`LearnError::Linalg`], or an interruption.
    ///
    /// # Cost
    /// `n_features^3 / 2` multiplications if no direction lacks variance, else `9 n_features^3`.
    pub fn new(
        covariance: &Array2<f64>,
        scales: &[f64],
        singular: Singular,
        progress: &dyn Progress,
    ) -> Result<Self, LearnError> {
        let kept: Vec<usize> = (0..scales.len()).filter(|&j| scales[j] > 0.0).collect();
        let n = kept.len();
        let scaled = Array2::from_shape_fn((n, n), |(a, b)| {
            let (j, k) = (kept[a], kept[b]);
            covariance[[j, k]] / scales[j] / scales[k]
        });
        let (within, log_det, rank) = whiten_scaled(scaled, singular, progress)?;
        let mut matrix = Array2::zeros((scales.len(), within.ncols()));
        for (&j, row) in kept.iter().zip(within.rows()) {
            matrix.row_mut(j).assign(&(&row / scales[j]));
        }
        Ok(Whitening { matrix, log_det, rank })
    }
}

fn whiten_scaled(
    scaled: Array2<f64>,
    singular: Singular,
    progress: &dyn Progress,
) -> Result<(Array2<f64>, f64, usize), LearnError> {
    let n = scaled.nrows();
    let least = RANK_TOL * RANK_TOL;
    // `S - least I` has a Cholesky factor just if every direction has more variance than that.
    let mut lowered = scaled.clone();
    lowered.diag_mut().mapv_inplace(|v| v - least);
    if cholesky(&lowered).is_some()
        && let Some(l) = cholesky(&scaled)
    {
        let log_det = l.diag().iter().map(|v| 2.0 * v.ln()).sum();
        let matrix = invert_lower(&l).t().as_standard_layout().into_owned();
        return Ok((matrix, log_det, n));
    }
    let eigen = symmetric_eigen(scaled, progress)?;
    let first = eigen.values.partition_point(|&value| value <= least);
    let from = if singular == Singular::Drop { first } else { 0 };
    let values: Vec<f64> = eigen.values[from..].iter().map(|value| value.max(least)).collect();
    let mut matrix = eigen.vectors.slice(s![.., from..]).to_owned();
    for (mut direction, value) in matrix.columns_mut().into_iter().zip(&values) {
        direction /= value.sqrt();
    }
    Ok((matrix, values.iter().map(|value| value.ln()).sum(), n - first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;
    use crate::learn::linalg::product;
    use crate::progress::Silent;

    /// Covariance of `rank` directions among `n` features of very different size.
    fn covariance(n: usize, rank: usize) -> Array2<f64> {
        let mut rng = Rng::new(3, &["whitening"]);
        let factor = Array2::from_shape_fn((n, rank), |(i, _)| {
            f64::from(rng.normal_f32()) * 10f64.powi(i as i32 % 5)
        });
        factor.dot(&factor.t())
    }

    fn scales(covariance: &Array2<f64>) -> Vec<f64> {
        covariance.diag().mapv(f64::sqrt).to_vec()
    }

    #[test]
    fn a_whitened_covariance_is_the_identity() {
        for rank in [12, 7] {
            let covariance = covariance(12, rank);
            let found =
                Whitening::new(&covariance, &scales(&covariance), Singular::Drop, &Silent).unwrap();
            assert_eq!((found.rank, found.matrix.dim()), (rank, (12, rank)));
            let turned = found.matrix.t().as_standard_layout().into_owned();
            let identity = product(&product(&turned, &covariance), &found.matrix);
            for ((i, j), &value) in identity.indexed_iter() {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 1e-6, "{i} {j}: {value}");
            }
        }
    }

    #[test]
    fn directions_without_variance_get_the_least_one() {
        let covariance = covariance(6, 4);
        let found =
            Whitening::new(&covariance, &scales(&covariance), Singular::Floor, &Silent).unwrap();
        assert_eq!((found.rank, found.matrix.ncols()), (4, 6));
        assert!(found.matrix.iter().all(|v| v.is_finite()) && found.log_det.is_finite());
    }

    #[test]
    fn a_constant_feature_is_left_out() {
        let mut covariance = covariance(5, 5);
        covariance.row_mut(2).fill(0.0);
        covariance.column_mut(2).fill(0.0);
        let found =
            Whitening::new(&covariance, &scales(&covariance), Singular::Drop, &Silent).unwrap();
        assert_eq!((found.rank, found.matrix.dim()), (4, (5, 4)));
        assert!(found.matrix.row(2).iter().all(|&v| v == 0.0));
    }

    #[test]
    fn a_share_outside_0_to_1_is_refused() {
        for share in [-0.1, 1.1, f64::NAN] {
            let error = Shrinkage::Share(share).check().unwrap_err();
            assert!(error.to_string().starts_with("`shrinkage` must be between 0 and 1"));
        }
    }
}
