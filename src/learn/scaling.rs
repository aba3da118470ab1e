//! Features scaled one by one: to mean 0 and variance 1, or to a range (scikit-learn's
//! `StandardScaler` and `MinMaxScaler`).

use linfa::ParamGuard;
use ndarray::ArrayView1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::input::{check_rows, check_samples};
use super::map_rows::map_rows;
use super::moments::{Grouped, Variances, is_constant};
use super::{LearnError, Samples, Transformer};
use crate::data::{Features, TensorFile, TensorFileError};
use crate::progress::Progress;

/// How features are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// To mean 0 and variance 1.
    Standard,
    /// From their least and greatest value to 0 and 1.
    Minmax,
    /// From their least and greatest value to -1 and 1.
    MinmaxSymmetric,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalerValidParams {
    method: Scaling,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalerParams(ScalerValidParams);

impl ScalerParams {
    /// Scales by this method.
    pub fn new(method: Scaling) -> Self {
        ScalerParams(ScalerValidParams { method })
    }
}

impl ParamGuard for ScalerParams {
    type Checked = ScalerValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&ScalerValidParams, LearnError> {
        Ok(&self.0)
    }

    fn check(self) -> Result<ScalerValidParams, LearnError> {
        Ok(self.0)
    }
}

impl ScalerValidParams {
    /// Reads the scale of each feature. A constant feature is shifted like the others and not
    /// stretched: it becomes 0 or the lower end of the range, and what differs from it later stays
    /// as different as it was (for `minmax_symmetric` twice as much).
    ///
    /// # Errors
    /// Samples that cannot be fitted, or an interruption.
    pub fn fit_map(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<Scaler, LearnError> {
        let checked = check_samples(&samples, 1)?;
        let rows = Grouped::whole(&checked.features, samples.weights);
        let (mut shift, mut factor) = (Vec::new(), Vec::new());
        if self.method == Scaling::Standard {
            let found = Variances::of(rows, progress)?;
            for (&mean, &variance) in found.means.iter().zip(&found.variances) {
                let deviation = if is_constant(mean, variance) { 1.0 } else { variance.sqrt() };
                shift.push(mean);
                factor.push(deviation.recip());
            }
            return Ok(Scaler { method: self.method, shift, factor });
        }
        let counts = |row: usize| samples.weights.is_none_or(|weights| weights[row] > 0.0);
        let length = if self.method == Scaling::Minmax { 1.0 } else { 2.0 };
        for (least, greatest) in ranges(&checked.features, counts) {
            let range = greatest - least;
            let range = if range > 0.0 { range } else { 1.0 };
            factor.push(length / range);
            // The least becomes 0 or -1.
            shift.push(if length == 2.0 { least + range / 2.0 } else { least });
        }
        Ok(Scaler { method: self.method, shift, factor })
    }
}

/// Least and greatest real value of each feature among the rows that count.
fn ranges(features: &Features, counts: impl Fn(usize) -> bool + Sync) -> Vec<(f64, f64)> {
    fn of<T: Copy + PartialOrd + Send + Sync>(
        rows: &ndarray::Array2<T>,
        counts: impl Fn(usize) -> bool + Sync,
        real: impl Fn(T) -> f64,
    ) -> Vec<(f64, f64)> {
        let widen = |(least, greatest): &mut (T, T), low: T, high: T| {
            *least = if low < *least { low } else { *least };
            *greatest = if high > *greatest { high } else { *greatest };
        };
        let of_rows = |all: Option<Vec<(T, T)>>, row: usize| {
            let values = rows.row(row);
            let mut all = all.unwrap_or_else(|| values.iter().map(|&v| (v, v)).collect());
            all.iter_mut().zip(&values).for_each(|(range, &v)| widen(range, v, v));
            Some(all)
        };
        // Least and greatest are the same in any order.
        let merged = (0..rows.nrows())
            .into_par_iter()
            .filter(|&row| counts(row))
            .fold(|| None, of_rows)
            .reduce(
                || None,
                |a, b| match (a, b) {
                    (Some(mut a), Some(b)) => {
                        a.iter_mut()
                            .zip(b)
                            .for_each(|(range, (low, high))| widen(range, low, high));
                        Some(a)
                    }
                    (a, b) => a.or(b),
                },
            );
        merged.unwrap_or_default().into_iter().map(|(low, high)| (real(low), real(high))).collect()
    }
    match features {
        Features::Bytes(rows) => of(rows, counts, |v| f64::from(v) / 255.0),
        Features::Floats(rows) => of(rows, counts, f64::from),
    }
}

/// A fitted scale of each feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    method: Scaling,
    shift: Vec<f64>,
    factor: Vec<f64>,
}

impl Scaler {
    /// What is taken from each feature, `[n_features]`.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// What the difference is multiplied by, `[n_features]`.
    pub fn factor(&self) -> &[f64] {
        &self.factor
    }

    /// The map that `to_tensors` stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub(super) fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = || TensorFileError::Malformed("parts of the scale".to_owned());
        let method =
            serde_json::from_value(file.document["method"].take()).map_err(|_| malformed())?;
        let shift = file.take_f64::<ndarray::Ix1>("shift")?.to_vec();
        let factor = file.take_f64::<ndarray::Ix1>("factor")?.to_vec();
        if shift.len() != factor.len() || shift.is_empty() {
            return Err(malformed().into());
        }
        Ok(Scaler { method, shift, factor })
    }
}

impl Transformer for Scaler {
    fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError> {
        let n = self.shift.len();
        let scaled = map_rows(features, n, n, progress, |rows, out: &mut [f32]| {
            let rows = rows.as_slice().unwrap_or(&[]);
            for (row, out) in rows.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
                let scales = self.shift.iter().zip(&self.factor);
                for ((out, value), (shift, factor)) in out.iter_mut().zip(row).zip(scales) {
                    *out = ((value - shift) * factor) as f32;
                }
            }
        })?;
        // A factor can carry a value of a later row out of what `f32` holds.
        let scaled = Features::Floats(scaled);
        check_rows(&scaled, n)?;
        Ok(scaled)
    }

    fn label(&self) -> String {
        match self.method {
            Scaling::Standard => "standardised",
            Scaling::Minmax => "scaled to [0, 1]",
            Scaling::MinmaxSymmetric => "scaled to [-1, 1]",
        }
        .to_owned()
    }

    fn is_affine(&self) -> bool {
        true
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({ "type": "scale", "method": self.method }));
        file.insert_f64("shift", ArrayView1::from(&self.shift));
        file.insert_f64("factor", ArrayView1::from(&self.factor));
        file
    }

    fn details(&self) -> Map<String, Value> {
        Map::from_iter([("method".to_owned(), json!(self.method))])
    }
}

super::transformer::linfa_transformer!(ScalerValidParams, Scaler);
