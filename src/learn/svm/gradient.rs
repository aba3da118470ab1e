//! Values of a linear kernel without kernel rows: `K beta = X (X' beta)`, one weight a feature.

use rayon::prelude::*;

use super::block::stop_if;
use super::gram::{byte_row, float_row};
use super::params::SvcError;
use crate::data::Features;
use crate::kernels::{Cpu, gemv};
use crate::progress::Progress;

/// Rows between two looks at [`Progress::interrupted`].
const CHUNK: usize = 1024;

/// `X' changes` in real units: what multipliers by row change the weights by, `[n_features]`.
pub(super) fn weights_of(features: &Features, changes: &[(usize, f64)]) -> Vec<f64> {
    let cpu = Cpu::detect();
    let mut sum = vec![0.0; features.n_features()];
    match features {
        Features::Bytes(all) => {
            for &(row, change) in changes {
                gemv::add_bytes(cpu, &mut sum, change / 255.0, byte_row(all, row));
            }
        }
        Features::Floats(all) => {
            for &(row, change) in changes {
                gemv::add_floats(cpu, &mut sum, change, float_row(all, row));
            }
        }
    }
    sum
}

/// `value[t] -= weights . features[rows[t]]` in single precision: enough for a change, which is small against
/// the values themselves.
///
/// # Errors
/// [`SvcError::Interrupted`]
pub(super) fn subtract(
    features: &Features,
    rows: &[usize],
    weights: &[f64],
    value: &mut [f64],
    progress: &dyn Progress,
) -> Result<(), SvcError> {
    let cpu = Cpu::detect();
    let scaled = |scale: f64| -> Vec<f32> { weights.iter().map(|w| (w / scale) as f32).collect() };
    match features {
        Features::Bytes(all) => {
            let weights = scaled(255.0);
            each(value, progress, |t| {
                f64::from(gemv::dot_bytes(cpu, &weights, byte_row(all, rows[t])))
            })
        }
        Features::Floats(all) => {
            let weights = scaled(1.0);
            each(value, progress, |t| {
                f64::from(gemv::dot_floats(cpu, &weights, float_row(all, rows[t])))
            })
        }
    }
}

/// As [`subtract`] in double precision.
///
/// # Errors
/// [`SvcError::Interrupted`]
pub(super) fn subtract_exactly(
    features: &Features,
    rows: &[usize],
    weights: &[f64],
    value: &mut [f64],
    progress: &dyn Progress,
) -> Result<(), SvcError> {
    let cpu = Cpu::detect();
    match features {
        Features::Bytes(all) => {
            let weights: Vec<f64> = weights.iter().map(|w| w / 255.0).collect();
            each(value, progress, |t| gemv::dot_bytes_f64(cpu, &weights, byte_row(all, rows[t])))
        }
        Features::Floats(all) => {
            each(value, progress, |t| gemv::dot_floats_f64(cpu, weights, float_row(all, rows[t])))
        }
    }
}

fn each(
    value: &mut [f64],
    progress: &dyn Progress,
    product: impl Fn(usize) -> f64 + Sync,
) -> Result<(), SvcError> {
    value.par_chunks_mut(CHUNK).enumerate().try_for_each(|(chunk, values)| {
        stop_if(progress)?;
        for (within, value) in values.iter_mut().enumerate() {
            *value -= product(chunk * CHUNK + within);
        }
        Ok(())
    })
}
