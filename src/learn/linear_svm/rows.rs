//! Rows of bytes or floats under one interface.

use crate::data::Features;
use crate::kernels::{Cpu, gemv};

/// Samples by row; a value stands for itself times [`Rows::scale`].
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
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
}
