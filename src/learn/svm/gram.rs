//! What a kernel needs of the features: gamma as a number, rows packed by class.

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::params::{Gamma, Kernel, SvcError};
use crate::data::Features;
use crate::kernels::{bytes, floats};
use crate::learn::input::row_major;
use crate::progress::Progress;

/// A kernel whose gamma is a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::learn) struct Resolved {
    pub kernel: Kernel,
    pub gamma: f64,
}

impl Resolved {
    pub fn new(kernel: Kernel, features: &Features) -> Self {
        let gamma = match kernel {
            Kernel::Linear => Gamma::Value(1.0),
            Kernel::Rbf { gamma }
            | Kernel::Polynomial { gamma, .. }
            | Kernel::Sigmoid { gamma, .. } => gamma,
        };
        let n_features = features.n_features() as f64;
        let gamma = match gamma {
            Gamma::Value(gamma) => gamma,
            Gamma::Auto => 1.0 / n_features,
            Gamma::Scale => {
                let variance = variance(features);
                if variance > 0.0 { 1.0 / (n_features * variance) } else { 1.0 }
            }
        };
        Resolved { kernel, gamma }
    }

    /// Kernel value from an inner product of real features.
    pub fn of_product(&self, product: f64) -> f32 {
        match self.kernel {
            Kernel::Linear | Kernel::Rbf { .. } => product as f32,
            Kernel::Polynomial { degree, coef0, .. } => {
                let power = i32::try_from(degree).unwrap_or(i32::MAX);
                (self.gamma * product + coef0).powi(power) as f32
            }
            Kernel::Sigmoid { coef0, .. } => (self.gamma * product + coef0).tanh() as f32,
        }
    }
}

/// Values summed in one go; fixed, so that the result does not depend on the threads.
const SUMMED: usize = 1 << 16;

/// Variance of all entries (exact sums for bytes, two passes for floats). Floats are taken relative
/// to the first, so that equal ones have variance 0 exactly.
fn variance(features: &Features) -> f64 {
    match features {
        Features::Bytes(rows) => {
            let n = rows.len() as f64;
            let all = rows.as_slice().unwrap_or(&[]);
            let (sum, squares) = all
                .par_chunks(SUMMED)
                .map(|part| {
                    part.iter().fold((0u64, 0u64), |(sum, squares), &v| {
                        (sum + u64::from(v), squares + u64::from(v) * u64::from(v))
                    })
                })
                .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            (squares as f64 / n - (sum as f64 / n).powi(2)) / (255.0 * 255.0)
        }
        Features::Floats(rows) => {
            let all = rows.as_slice().unwrap_or(&[]);
            let first = f64::from(all.first().copied().unwrap_or(0.0));
            let mean = sum_of(all, |v| v - first) / all.len() as f64;
            sum_of(all, |v| (v - first - mean) * (v - first - mean)) / all.len() as f64
        }
    }
}

/// Sum of `term` over all values, in parallel and in one order.
fn sum_of(all: &[f32], term: impl Fn(f64) -> f64 + Sync) -> f64 {
    let parts: Vec<f64> = all
        .par_chunks(SUMMED)
        .map(|part| {
            let (whole, rest) = part.as_chunks::<8>();
            let mut sums = [0.0; 8];
            for eight in whole {
                for (sum, &v) in sums.iter_mut().zip(eight) {
                    *sum += term(f64::from(v));
                }
            }
            sums.iter().sum::<f64>() + rest.iter().map(|&v| term(f64::from(v))).sum::<f64>()
        })
        .collect();
    parts.iter().sum()
}

/// Rows of one class, packed for the kernels.
pub(super) enum Panel {
    Bytes(bytes::Rows),
    Floats(floats::Rows),
}

impl Panel {
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn pack(
        features: &Features,
        rows: &[usize],
        progress: &dyn Progress,
    ) -> Result<Self, SvcError> {
        let go_on = || !progress.interrupted();
        let packed = match features {
            Features::Bytes(all) => {
                let rows: Vec<&[u8]> = rows.iter().map(|&row| byte_row(all, row)).collect();
                Some(Panel::Bytes(bytes::Rows::pack(all.ncols(), &rows)))
            }
            Features::Floats(all) => {
                let rows: Vec<&[f32]> = rows.iter().map(|&row| float_row(all, row)).collect();
                floats::Rows::pack_while(all.ncols(), &rows, go_on).map(Panel::Floats)
            }
        };
        packed.ok_or(SvcError::Interrupted)
    }

    pub fn len(&self) -> usize {
        match self {
            Panel::Bytes(rows) => rows.len(),
            Panel::Floats(rows) => rows.len(),
        }
    }
}

/// Samples packed to be multiplied with those of a [`Panel`].
pub(super) enum Queries {
    Bytes(bytes::Queries),
    Floats(floats::Queries),
}

impl Default for Queries {
    fn default() -> Self {
        Queries::Floats(floats::Queries::default())
    }
}

impl Queries {
    /// Packs some rows into memory that is already there.
    pub fn repack(&mut self, features: &Features, rows: &[usize]) {
        match features {
            Features::Bytes(all) => {
                let rows: Vec<&[u8]> = rows.iter().map(|&row| byte_row(all, row)).collect();
                if let Queries::Floats(_) = self {
                    *self = Queries::Bytes(bytes::Queries::default());
                }
                if let Queries::Bytes(packed) = self {
                    packed.repack(all.ncols(), &rows);
                }
            }
            Features::Floats(all) => {
                let rows: Vec<&[f32]> = rows.iter().map(|&row| float_row(all, row)).collect();
                if let Queries::Bytes(_) = self {
                    *self = Queries::default();
                }
                if let Queries::Floats(packed) = self {
                    packed.repack(all.ncols(), &rows);
                }
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Queries::Bytes(queries) => queries.len(),
            Queries::Floats(queries) => queries.len(),
        }
    }
}

pub(super) fn byte_row(all: &ndarray::Array2<u8>, row: usize) -> &[u8] {
    let n = all.ncols();
    &all.as_slice().expect("features are row-major")[row * n..][..n]
}

pub(super) fn float_row(all: &ndarray::Array2<f32>, row: usize) -> &[f32] {
    let n = all.ncols();
    &all.as_slice().expect("features are row-major")[row * n..][..n]
}

/// Features in the form that [`Panel`] needs: row-major, and real if the bytes are too many for
/// exact 32-bit sums. Copied only if they are not so already.
pub(super) fn normalised(features: &Features) -> Cow<'_, Features> {
    match features {
        Features::Bytes(rows) if rows.ncols() > bytes::MAX_FEATURES => {
            let real = rows.mapv(|v| f32::from(v) / 255.0);
            Cow::Owned(Features::Floats(real.as_standard_layout().into_owned()))
        }
        _ => row_major(features),
    }
}
