//! The same estimates by linfa-bayes, to compare with.

use std::collections::HashMap;

use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use ndarray::Array2;
use serde::Deserialize;

use crate::data::{Features, Labels};
use crate::learn::LearnError;
use crate::learn::map_rows::real_rows;

/// Most values: linfa holds them as `f64`, those of a class twice.
const MAX_VALUES: usize = 200_000_000;

/// What linfa stores of a model, which it shows in no other way.
#[derive(Deserialize)]
struct Stored {
    class_info: HashMap<usize, StoredClass>,
}

#[derive(Deserialize)]
struct StoredClass {
    theta: StoredArray,
    sigma: StoredArray,
}

#[derive(Deserialize)]
struct StoredArray {
    data: Vec<f64>,
}

/// Means and smoothed variances of `classes`, `[n_classes, n_features]` each.
pub(super) fn estimate(
    features: &Features,
    labels: &Labels,
    classes: &[usize],
    var_smoothing: f64,
) -> Result<(Array2<f64>, Array2<f64>), LearnError> {
    let (n_samples, n_features) = (features.n_samples(), features.n_features());
    if n_samples * n_features > MAX_VALUES {
        return Err(LearnError::Linfa(format!(
            "its naive Bayes takes up to {MAX_VALUES} values, found {n_samples} samples of \
             {n_features} features"
        )));
    }
    let failed = |error: &dyn std::fmt::Display| LearnError::Linfa(error.to_string());
    let dataset = DatasetBase::new(real_rows(features, 0, n_samples), labels.clone());
    let model = linfa_bayes::GaussianNb::<f64, usize>::params()
        .var_smoothing(var_smoothing)
        .check()
        .map_err(|error| failed(&error))?
        .fit(&dataset)
        .map_err(|error| failed(&error))?;
    let stored = serde_json::to_value(&model).map_err(|error| failed(&error))?;
    let stored: Stored = serde_json::from_value(stored).map_err(|error| failed(&error))?;
    let (mut means, mut variances) = (Vec::new(), Vec::new());
    for class in classes {
        let found = stored.class_info.get(class).ok_or_else(|| failed(&"a class is missing"))?;
        means.extend(&found.theta.data);
        variances.extend(&found.sigma.data);
    }
    let shaped = |values| {
        Array2::from_shape_vec((classes.len(), n_features), values).map_err(|error| failed(&error))
    };
    Ok((shaped(means)?, shaped(variances)?))
}
