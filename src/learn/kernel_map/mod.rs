//! Explicit features whose inner products approximate a kernel, for a linear classifier on top:
//! Nyström's method and random Fourier features. Approximations, so only ever by name.

mod error;
mod fourier;
mod nystroem;
mod stored;
#[cfg(test)]
mod tests;

pub use error::KernelMapError;
pub use fourier::{Fourier, FourierParams, FourierValidParams};
pub use nystroem::{Nystroem, NystroemParams, NystroemValidParams};

use ndarray::{Array2, s};
use rayon::prelude::*;

use crate::data::Features;
use crate::learn::input::{first_not_finite, row_major};
use crate::progress::Progress;

/// Rows mapped together: enough that packing the other factor of a product costs little, few enough
/// that a chunk takes tens of milliseconds between two looks at [`Progress::interrupted`]; fixed, so
/// that results never depend on the threads.
const CHUNK: usize = 512;

/// Maps rows in chunks: `map` takes real rows `[n, n_features]` and fills `[n, n_components]`.
fn map_rows(
    features: &Features,
    n_features: usize,
    n_components: usize,
    progress: &dyn Progress,
    map: impl Fn(&[f32], &mut [f32]) + Sync,
) -> Result<Array2<f32>, KernelMapError> {
    check(features, Some(n_features))?;
    let n_samples = features.n_samples();
    let mut mapped = Array2::zeros((n_samples, n_components));
    let lines = mapped.as_slice_mut().unwrap_or(&mut []);
    lines.par_chunks_mut(CHUNK * n_components).enumerate().try_for_each(|(chunk, lines)| {
        stop_if(progress)?;
        let start = chunk * CHUNK;
        let rows = real_rows(features, start, (start + CHUNK).min(n_samples));
        map(rows.as_slice().unwrap_or(&[]), lines);
        Ok::<(), KernelMapError>(())
    })?;
    Ok(mapped)
}

/// Rows `from..to` as real values, row-major.
fn real_rows(features: &Features, from: usize, to: usize) -> Array2<f32> {
    match features {
        Features::Bytes(rows) => {
            let part = rows.slice(s![from..to, ..]).mapv(|v| f32::from(v) / 255.0);
            part.as_standard_layout().into_owned()
        }
        Features::Floats(rows) => rows.slice(s![from..to, ..]).as_standard_layout().into_owned(),
    }
}

/// Refuses rows that cannot be mapped, or are unlike those of the fit.
fn check(features: &Features, expected: Option<usize>) -> Result<(), KernelMapError> {
    let (n_samples, found) = (features.n_samples(), features.n_features());
    if let Some(expected) = expected
        && found != expected
    {
        return Err(KernelMapError::FeatureMismatch { found, expected });
    }
    if expected.is_none() && (n_samples == 0 || found == 0) {
        return Err(KernelMapError::Empty { n_samples, n_features: found });
    }
    match first_not_finite(&row_major(features)) {
        Some((row, column, found)) => Err(KernelMapError::NotFinite { row, column, found }),
        None => Ok(()),
    }
}

fn stop_if(progress: &dyn Progress) -> Result<(), KernelMapError> {
    if progress.interrupted() { Err(KernelMapError::Interrupted) } else { Ok(()) }
}
