//! Rows as real numbers, chunk by chunk.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::LearnError;
use super::input::check_rows;
use super::linalg::product_into;
use crate::data::Features;
use crate::progress::Progress;

/// Rows mapped together: enough for fast products, few enough that a chunk takes milliseconds between
/// two looks at [`Progress::interrupted`]; fixed, so that results never depend on the threads.
const CHUNK: usize = 256;

/// Rows `from..to` as real values, row-major.
pub(super) fn real_rows(features: &Features, from: usize, to: usize) -> Array2<f64> {
    match features {
        Features::Bytes(rows) => rows.slice(s![from..to, ..]).mapv(|v| f64::from(v) / 255.0),
        Features::Floats(rows) => rows.slice(s![from..to, ..]).mapv(f64::from),
    }
}

/// # Errors
/// [`LearnError::Interrupted`] once the user asked to stop.
pub(super) fn stop_if(progress: &dyn Progress) -> Result<(), LearnError> {
    if progress.interrupted() { Err(LearnError::Interrupted) } else { Ok(()) }
}

/// Maps rows in chunks: `map` takes real rows `[n, n_features]` and fills `[n, n_outputs]`.
///
/// # Errors
/// Rows that are not finite or not of `n_features`, or an interruption.
pub(super) fn map_rows<T: Clone + Default + Send>(
    features: &Features,
    n_features: usize,
    n_outputs: usize,
    progress: &dyn Progress,
    map: impl Fn(Array2<f64>, &mut [T]) + Sync,
) -> Result<Array2<T>, LearnError> {
    let features = check_rows(features, n_features)?;
    let n_samples = features.n_samples();
    let mut mapped = Array2::from_elem((n_samples, n_outputs), T::default());
    let lines = mapped.as_slice_mut().unwrap_or(&mut []);
    lines.par_chunks_mut(CHUNK * n_outputs.max(1)).enumerate().try_for_each(|(chunk, lines)| {
        stop_if(progress)?;
        let start = chunk * CHUNK;
        map(real_rows(&features, start, (start + CHUNK).min(n_samples)), lines);
        Ok::<(), LearnError>(())
    })?;
    Ok(mapped)
}

/// `(x - shift) weights` of every row, `[n_samples, n_outputs]`.
///
/// # Errors
/// As [`map_rows`].
///
/// # Cost
/// `n_features * n_outputs` multiplications of `f64` a row.
pub(super) fn affine(
    features: &Features,
    shift: &[f64],
    weights: ArrayView2<f64>,
    progress: &dyn Progress,
) -> Result<Array2<f64>, LearnError> {
    let (n_features, n_outputs) = weights.dim();
    map_rows(features, n_features, n_outputs, progress, |rows, out| {
        product_into(shifted(rows, shift).view(), weights, out);
    })
}

/// As [`affine`], rounded to `f32`.
///
/// # Errors
/// As [`map_rows`].
pub(super) fn affine_f32(
    features: &Features,
    shift: &[f64],
    weights: ArrayView2<f64>,
    progress: &dyn Progress,
) -> Result<Array2<f32>, LearnError> {
    let (n_features, n_outputs) = weights.dim();
    map_rows(features, n_features, n_outputs, progress, |rows, out: &mut [f32]| {
        let mut values = vec![0.0; out.len()];
        product_into(shifted(rows, shift).view(), weights, &mut values);
        for (out, value) in out.iter_mut().zip(values) {
            *out = value as f32;
        }
    })
}

/// `x - shift` of every row.
pub(super) fn shifted(mut rows: Array2<f64>, shift: &[f64]) -> Array2<f64> {
    rows -= &ndarray::ArrayView1::from(shift);
    rows
}
