//! The matrices that learners read.

use ndarray::{Array1, Array2, ArrayView1, Axis};

/// Class of each sample, `0..n_classes`.
pub type Labels = Array1<usize>;

/// Samples by row, shape `[n_samples, n_features]`, row-major.
///
/// Pixels stay bytes: learners that can, take them as exact integers and fold the division by 255
/// into gamma, C or a threshold. By convention a byte `v` stands for the real value `v / 255`.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// Raw pixels; the value is the byte divided by 255.
    Bytes(Array2<u8>),
    /// Real-valued features.
    Floats(Array2<f32>),
}

impl Features {
    /// Number of rows.
    pub fn n_samples(&self) -> usize {
        match self {
            Features::Bytes(rows) => rows.nrows(),
            Features::Floats(rows) => rows.nrows(),
        }
    }

    /// Number of columns.
    pub fn n_features(&self) -> usize {
        match self {
            Features::Bytes(rows) => rows.ncols(),
            Features::Floats(rows) => rows.ncols(),
        }
    }

    /// The rows at `idx`, in that order, copied.
    ///
    /// # Panics
    /// If an index is out of bounds.
    pub fn select(&self, idx: &[usize]) -> Features {
        match self {
            Features::Bytes(rows) => Features::Bytes(rows.select(Axis(0), idx)),
            Features::Floats(rows) => Features::Floats(rows.select(Axis(0), idx)),
        }
    }

    /// One row as real values (bytes divided by 255).
    ///
    /// # Panics
    /// If `row` is out of bounds.
    pub fn row_f32(&self, row: usize) -> Array1<f32> {
        match self {
            Features::Bytes(rows) => rows.row(row).mapv(|v| f32::from(v) / 255.0),
            Features::Floats(rows) => ArrayView1::to_owned(&rows.row(row)),
        }
    }
}
