//! Rows of bytes or floats under one interface.

use crate::data::Features;
use crate::kernels::weights::{Weights, add_products};
use crate::kernels::{Cpu, gemv, nearest};

/// Samples by row; a value stands for itself times [`Rows::scale`].
#[derive(Clone, Copy)]
pub(in crate::learn) struct Rows<'a> {
    values: Values<'a>,
    n_features: usize,
    cpu: Cpu,
}

#[derive(Clone, Copy)]
enum Values<'a> {
    Bytes(&'a [u8]),
    Floats(&'a [f32]),
}

impl<'a> Rows<'a> {
    /// # Panics
    /// If the features are not row-major.
    pub fn new(features: &'a Features) -> Self {
        let row_major = "features are row-major";
        let values = match features {
            Features::Bytes(rows) => Values::Bytes(rows.as_slice().expect(row_major)),
            Features::Floats(rows) => Values::Floats(rows.as_slice().expect(row_major)),
        };
        Rows { values, n_features: features.n_features(), cpu: Cpu::detect() }
    }

    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Real value of a stored 1.
    pub fn scale(&self) -> f64 {
        match self.values {
            Values::Bytes(_) => 1.0 / 255.0,
            Values::Floats(_) => 1.0,
        }
    }

    /// `<stored row, weights>`
    pub fn dot(&self, row: usize, weights: &[f64]) -> f64 {
        let at = row * self.n_features..(row + 1) * self.n_features;
        match self.values {
            Values::Bytes(all) => gemv::dot_bytes_f64(self.cpu, weights, &all[at]),
            Values::Floats(all) => gemv::dot_floats_f64(self.cpu, weights, &all[at]),
        }
    }

    /// `weights += step * stored row`
    pub fn add(&self, row: usize, step: f64, weights: &mut [f64]) {
        let at = row * self.n_features..(row + 1) * self.n_features;
        match self.values {
            Values::Bytes(all) => gemv::add_bytes(self.cpu, weights, step, &all[at]),
            Values::Floats(all) => gemv::add_floats(self.cpu, weights, step, &all[at]),
        }
    }

    /// Some columns of a row as stored, real.
    pub fn copy(&self, row: usize, columns: std::ops::Range<usize>, out: &mut [f32]) {
        let start = row * self.n_features;
        let at = start + columns.start..start + columns.end;
        match self.values {
            Values::Bytes(all) => {
                for (out, &value) in out.iter_mut().zip(&all[at]) {
                    *out = f32::from(value);
                }
            }
            Values::Floats(all) => out.copy_from_slice(&all[at]),
        }
    }

    /// Squared length of a row as stored, exact for bytes.
    pub fn square(&self, row: usize) -> f64 {
        let at = row * self.n_features..(row + 1) * self.n_features;
        match self.values {
            Values::Bytes(all) => {
                all[at].iter().map(|&v| u64::from(v) * u64::from(v)).sum::<u64>() as f64
            }
            Values::Floats(all) => nearest::product(self.cpu, &all[at.clone()], &all[at]),
        }
    }

    /// Adds `<stored row, vector>` of some rows and all vectors to `scores`, `[row][vector]`.
    pub fn add_scores(&self, rows: &[usize], vectors: &Weights, scores: &mut [f64]) {
        let n = self.n_features;
        match self.values {
            Values::Bytes(all) => {
                let rows: Vec<&[u8]> = rows.iter().map(|row| &all[row * n..][..n]).collect();
                vectors.add_scores(self.cpu, &rows, scores);
            }
            Values::Floats(all) => {
                let rows: Vec<&[f32]> = rows.iter().map(|row| &all[row * n..][..n]).collect();
                vectors.add_scores(self.cpu, &rows, scores);
            }
        }
    }

    /// `sums[v][f] += sum_r factors[r][v] * stored row r[f]` over some rows.
    pub fn add_products(&self, rows: &[usize], factors: &[f64], sums: &mut [f64]) {
        let n = self.n_features;
        match self.values {
            Values::Bytes(all) => {
                let rows: Vec<&[u8]> = rows.iter().map(|row| &all[row * n..][..n]).collect();
                add_products(self.cpu, &rows, factors, sums);
            }
            Values::Floats(all) => {
                let rows: Vec<&[f32]> = rows.iter().map(|row| &all[row * n..][..n]).collect();
                add_products(self.cpu, &rows, factors, sums);
            }
        }
    }
}
