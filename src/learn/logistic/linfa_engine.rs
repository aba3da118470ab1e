//! The same problem by linfa-logistic, to compare with.

use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
use ndarray::{Array1, Array2};

use super::params::{LogisticValidParams, Penalty};
use crate::data::Features;
use crate::learn::{LearnError, ParamError};
use crate::progress::Progress;

/// Most values of linfa's copy of the rows, in `f64`: 512 MiB.
const MAX_VALUES: usize = 1 << 26;

/// Coefficients `[n_vectors, n_features + 1]`, intercepts last, for classes that are positions.
/// Always in `f64`: in `f32` linfa's line search ends at once on 60,000 images, and says nothing. It
/// cannot be interrupted.
pub(super) fn fit(
    params: &LogisticValidParams,
    features: &Features,
    classes: &[usize],
    n_classes: usize,
    progress: &dyn Progress,
) -> Result<Vec<f64>, LearnError> {
    let n_values = features.n_samples().saturating_mul(features.n_features());
    if n_values > MAX_VALUES {
        let expected = format!("`native` for more than {MAX_VALUES} values");
        return Err(ParamError::new("engine", expected, format!("`linfa` for {n_values}")).into());
    }
    if progress.interrupted() {
        return Err(LearnError::Interrupted);
    }
    let records: Array2<f64> = match features {
        Features::Bytes(rows) => rows.mapv(|v| f64::from(v) / 255.0),
        Features::Floats(rows) => rows.mapv(f64::from),
    };
    let alpha = if params.penalty == Penalty::None { 0.0 } else { 1.0 / params.c };
    let gradient = params.tol * classes.len() as f64;
    let refused = |error: linfa_logistic::error::Error| LearnError::Linfa(error.to_string());
    let n = records.ncols();
    if n_classes == 2 {
        let targets: Array1<bool> = classes.iter().map(|&class| class == 1).collect();
        let model = LogisticRegression::default()
            .alpha(alpha)
            .with_intercept(params.fit_intercept)
            .max_iterations(params.max_iter as u64)
            .gradient_tolerance(gradient)
            .fit(&DatasetBase::new(records, targets))
            .map_err(refused)?;
        // linfa takes either class for the positive one, and says which.
        let sign = if model.labels().pos.class { 1.0 } else { -1.0 };
        let mut theta: Vec<f64> = model.params().iter().map(|w| sign * w).collect();
        theta.push(sign * model.intercept());
        return Ok(theta);
    }
    let targets: Array1<usize> = classes.iter().copied().collect();
    let model = MultiLogisticRegression::default()
        .alpha(alpha)
        .with_intercept(params.fit_intercept)
        .max_iterations(params.max_iter as u64)
        .gradient_tolerance(gradient)
        .fit(&DatasetBase::new(records, targets))
        .map_err(refused)?;
    let mut theta = vec![0.0; n_classes * (n + 1)];
    for (nth, &class) in model.classes().iter().enumerate() {
        let vector = &mut theta[class * (n + 1)..][..n + 1];
        for (w, found) in vector.iter_mut().zip(model.params().column(nth)) {
            *w = *found;
        }
        vector[n] = model.intercept()[nth];
    }
    Ok(theta)
}
