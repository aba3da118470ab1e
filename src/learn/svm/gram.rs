//! Blocks of kernel values: some samples against all samples of a class.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::params::{Gamma, Kernel};
use crate::data::Features;
use crate::kernels::{Cpu, bytes, exp, floats};

/// A kernel whose gamma is a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Resolved {
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
    fn of_product(&self, product: f64) -> f32 {
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

/// Variance of all entries (exact sums for bytes, two passes for floats).
fn variance(features: &Features) -> f64 {
    match features {
        Features::Bytes(rows) => {
            let n = rows.len() as f64;
            let sum: u64 = rows.iter().map(|&v| u64::from(v)).sum();
            let squares: u64 = rows.iter().map(|&v| u64::from(v) * u64::from(v)).sum();
            (squares as f64 / n - (sum as f64 / n).powi(2)) / (255.0 * 255.0)
        }
        Features::Floats(rows) => {
            let n = rows.len() as f64;
            let mean = rows.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            rows.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n
        }
    }
}

/// Rows of one class, packed for the kernels.
pub(super) enum Panel {
    Bytes(bytes::Rows),
    Floats(floats::Rows),
}

impl Panel {
    pub fn pack(features: &Features, rows: &[usize]) -> Self {
        match features {
            Features::Bytes(all) => {
                let rows: Vec<&[u8]> = rows.iter().map(|&row| byte_row(all, row)).collect();
                Panel::Bytes(bytes::Rows::pack(all.ncols(), &rows))
            }
            Features::Floats(all) => {
                let rows: Vec<&[f32]> = rows.iter().map(|&row| float_row(all, row)).collect();
                Panel::Floats(floats::Rows::pack(all.ncols(), &rows))
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Panel::Bytes(rows) => rows.len(),
            Panel::Floats(rows) => rows.len(),
        }
    }
}

fn byte_row(all: &ndarray::Array2<u8>, row: usize) -> &[u8] {
    let n = all.ncols();
    &all.as_slice().expect("features are row-major")[row * n..][..n]
}

fn float_row(all: &ndarray::Array2<f32>, row: usize) -> &[f32] {
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
        Features::Bytes(rows) if !rows.is_standard_layout() => {
            Cow::Owned(Features::Bytes(rows.as_standard_layout().into_owned()))
        }
        Features::Floats(rows) if !rows.is_standard_layout() => {
            Cow::Owned(Features::Floats(rows.as_standard_layout().into_owned()))
        }
        _ => Cow::Borrowed(features),
    }
}

/// Kernel values of the rows `queries` of `features` with all rows of `panel`; one vector each.
/// A value depends on nothing but its two rows.
pub(super) fn block(
    resolved: &Resolved,
    features: &Features,
    queries: &[usize],
    panel: &Panel,
) -> Vec<Vec<f32>> {
    let padded = panel.len().next_multiple_of(32);
    let mut out: Vec<Vec<f32>> = queries.iter().map(|_| vec![0.0f32; padded]).collect();
    match (features, panel) {
        (Features::Bytes(all), Panel::Bytes(rows)) => {
            let queries: Vec<&[u8]> = queries.iter().map(|&q| byte_row(all, q)).collect();
            block_of_bytes(resolved, &bytes::Queries::pack(all.ncols(), &queries), rows, &mut out);
        }
        (Features::Floats(all), Panel::Floats(rows)) => {
            let queries: Vec<&[f32]> = queries.iter().map(|&q| float_row(all, q)).collect();
            let packed = floats::Queries::pack(all.ncols(), &queries);
            block_of_floats(resolved, &packed, rows, all.ncols(), &mut out);
        }
        _ => unreachable!("panels are packed from features of the same type"),
    }
    for values in &mut out {
        values.truncate(panel.len());
    }
    out
}

fn block_of_bytes(
    resolved: &Resolved,
    queries: &bytes::Queries,
    rows: &bytes::Rows,
    out: &mut [Vec<f32>],
) {
    let cpu = Cpu::detect();
    let gamma = (resolved.gamma / (255.0 * 255.0)) as f32;
    let mut tile = [[0; bytes::N_ROWS]; bytes::N_QUERIES];
    for row_panel in 0..rows.len().div_ceil(bytes::N_ROWS) {
        let squares = rows.squares(row_panel);
        for (query_panel, outs) in out.chunks_mut(bytes::N_QUERIES).enumerate() {
            bytes::dot_tile(cpu, queries, query_panel, rows, row_panel, &mut tile);
            let query_squares = &queries.squares()[query_panel * bytes::N_QUERIES..];
            for ((values, dots), &square) in outs.iter_mut().zip(&tile).zip(query_squares) {
                let values: &mut [f32; 32] = (&mut values[row_panel * 32..][..32])
                    .try_into()
                    .expect("the output is padded to panels");
                if let Kernel::Rbf { .. } = resolved.kernel {
                    exp::rbf_of_bytes(cpu, dots, square, squares, gamma, values);
                } else {
                    for (value, &dot) in values.iter_mut().zip(dots) {
                        *value = resolved.of_product(f64::from(dot) / (255.0 * 255.0));
                    }
                }
            }
        }
    }
}

fn block_of_floats(
    resolved: &Resolved,
    queries: &floats::Queries,
    rows: &floats::Rows,
    n_features: usize,
    out: &mut [Vec<f32>],
) {
    let cpu = Cpu::detect();
    let gamma = resolved.gamma as f32;
    let n_blocks = n_features.div_ceil(floats::BLOCK);
    let mut tile = [[0.0; floats::N_ROWS]; floats::N_QUERIES];
    for block in 0..n_blocks {
        for row_panel in 0..rows.len().div_ceil(floats::N_ROWS) {
            let squares = rows.squares(row_panel);
            for (query_panel, outs) in out.chunks_mut(floats::N_QUERIES).enumerate() {
                for (dots, values) in tile.iter_mut().zip(outs.iter()) {
                    dots.copy_from_slice(&values[row_panel * 32..][..32]);
                }
                floats::add_tile(cpu, queries, query_panel, rows, row_panel, block, &mut tile);
                let query_squares = &queries.squares()[query_panel * floats::N_QUERIES..];
                for ((values, dots), &square) in outs.iter_mut().zip(&tile).zip(query_squares) {
                    let values: &mut [f32; 32] = (&mut values[row_panel * 32..][..32])
                        .try_into()
                        .expect("the output is padded to panels");
                    if block + 1 < n_blocks {
                        *values = *dots;
                    } else if let Kernel::Rbf { .. } = resolved.kernel {
                        exp::rbf_of_floats(cpu, dots, square, squares, gamma, values);
                    } else {
                        for (value, &dot) in values.iter_mut().zip(dots) {
                            *value = resolved.of_product(f64::from(dot));
                        }
                    }
                }
            }
        }
    }
}
