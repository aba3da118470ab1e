//! Lloyd's iteration by linfa-clustering, from the same starts, to compare with.

use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::Array2;

use crate::data::Features;
use crate::learn::{LearnError, ParamError};
use crate::progress::Progress;

/// Most values of linfa's copy of the rows, in `f64`: 1 GiB.
const MAX_VALUES: usize = 1 << 27;

/// Refuses rows that linfa's copy would be too large for.
pub(super) fn check_size(features: &Features) -> Result<(), LearnError> {
    let n_values = features.n_samples().saturating_mul(features.n_features());
    if n_values > MAX_VALUES {
        let expected = format!("`native` for more than {MAX_VALUES} values");
        let found = format!("`linfa` for {n_values}");
        return Err(ParamError::new("engine", expected, found).into());
    }
    Ok(())
}

/// The centres that linfa moves `start` to, as stored; linfa tells neither how many steps it took nor
/// whether they came to rest, and cannot be interrupted. Its mean of a cluster counts the old centre
/// as one row more.
pub(super) fn run(
    features: &Features,
    start: &Array2<f64>,
    max_iter: usize,
    tol: f64,
    progress: &dyn Progress,
) -> Result<Array2<f64>, LearnError> {
    if progress.interrupted() {
        return Err(LearnError::Interrupted);
    }
    let records = match features {
        Features::Bytes(rows) => rows.mapv(f64::from),
        Features::Floats(rows) => rows.mapv(f64::from),
    };
    // linfa refuses a tolerance of 0; it looks at the root of what ours looks at.
    let params = KMeans::params(start.nrows())
        .init_method(KMeansInit::Precomputed(start.clone()))
        .n_runs(1)
        .max_n_iterations(max_iter as u64)
        .tolerance(tol.sqrt().max(f64::MIN_POSITIVE));
    let model = params
        .fit(&DatasetBase::from(records))
        .map_err(|error| LearnError::Linfa(error.to_string()))?;
    Ok(model.centroids().clone())
}
