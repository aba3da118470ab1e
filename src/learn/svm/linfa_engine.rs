//! The same pairs solved by linfa-svm, to compare with.

use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::{Array1, Array2};

use super::block::stop_if;
use super::kernel_cache::KernelCache;
use super::params::{Kernel, LINFA_MAX_SAMPLES, SvcError};
use super::solver::{self, Pair, Solution};
use super::watch::Watch;

/// Refuses more samples than linfa can hold and finish.
pub(super) fn check_size(n_samples: usize) -> Result<(), SvcError> {
    if n_samples > LINFA_MAX_SAMPLES {
        let needed_gib = (n_samples as f64).powi(2) * 8.0 / (1u64 << 30) as f64;
        return Err(SvcError::TooLargeForLinfa {
            found: n_samples,
            limit: LINFA_MAX_SAMPLES,
            needed_gib,
        });
    }
    Ok(())
}

/// Part of the tolerance by which rounding may exceed it: linfa's kernel values are `f64`, those it is
/// judged by `f32`.
const SLACK: f64 = 0.01;

/// One pair. linfa tells neither objective nor gap nor steps: the first two are measured on its
/// multipliers. Its Gaussian width is `1 / gamma`.
pub(super) fn solve(
    cache: &KernelCache,
    pair: &Pair,
    bounds: &[f64],
    tol: f64,
    watch: &Watch,
) -> Result<Solution, SvcError> {
    stop_if(watch.progress)?;
    let rows: Vec<usize> = pair.rows().collect();
    let n_first = pair.first_rows.len();
    let (first_bound, second_bound) = (bounds[0], bounds[n_first]);
    let of_first = bounds[..n_first].iter().all(|&bound| bound == first_bound);
    if !of_first || bounds[n_first..].iter().any(|&bound| bound != second_bound) {
        return Err(SvcError::Linfa("it has no weights of samples".to_owned()));
    }
    let n_features = cache.features.n_features();
    let gamma = cache.resolved.gamma;
    // linfa has no gamma in its polynomial: the features carry its root.
    let scale = match cache.resolved.kernel {
        Kernel::Polynomial { .. } => gamma.sqrt(),
        _ => 1.0,
    };
    let mut records = Array2::zeros((rows.len(), n_features));
    for (mut record, &row) in records.rows_mut().into_iter().zip(&rows) {
        record.assign(&cache.features.row_f32(row).mapv(|v| f64::from(v) * scale));
    }
    let targets: Array1<bool> = (0..rows.len()).map(|t| t < n_first).collect();
    let params = Svm::<f64, bool>::params().pos_neg_weights(first_bound, second_bound).eps(tol);
    let params = match cache.resolved.kernel {
        Kernel::Linear => params.linear_kernel(),
        Kernel::Rbf { .. } => params.gaussian_kernel(1.0 / gamma),
        Kernel::Polynomial { degree, coef0, .. } => {
            params.polynomial_kernel(coef0, f64::from(degree))
        }
        Kernel::Sigmoid { .. } => {
            return Err(SvcError::Linfa("it has no sigmoid kernel".to_owned()));
        }
    };
    let model = params
        .fit(&DatasetBase::new(records, targets))
        .map_err(|error| SvcError::Linfa(error.to_string()))?;
    solver::judge(cache, pair, bounds, tol * (1.0 + SLACK), &model.alpha, -model.rho, watch)
}
