//! Features by Nyström's method (Williams, Seeger, "Using the Nyström method to speed up kernel
//! machines", NIPS 2000; scikit-learn's `Nystroem`).
//!
//! `z(x) = K_mm^(-1/2) [k(x, l_1), ..., k(x, l_m)]` for landmarks `l` drawn from the samples without
//! replacement, so that `<z(x), z(y)> = k(x, l) K_mm^-1 k(l, y)`: exact between landmarks.

use linfa::ParamGuard;
use linfa::traits::Transformer;
use ndarray::{Array2, ArrayView1};

use super::{KernelMapError, check, map_rows, real_rows};
use crate::data::{Features, Rng};
use crate::kernels::gemm::{Mat, gemm};
use crate::kernels::{Cpu, exp};
use crate::learn::linalg::symmetric_eigen;
use crate::learn::svm::gram::Resolved;
use crate::learn::svm::{Gamma, Kernel};
use crate::progress::{Progress, Silent};

/// Eigenvalues of `K_mm` up to this share of the largest count as 0: kernel values are `f32`, whose
/// rounding is of this size, and the root of an inverse would blow it up. (scikit-learn clips at 1e-12
/// in `f64`.)
const NEGLIGIBLE: f64 = f32::EPSILON as f64;

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct NystroemValidParams {
    kernel: Kernel,
    n_components: usize,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct NystroemParams(NystroemValidParams);

impl Default for NystroemParams {
    fn default() -> Self {
        Self::new()
    }
}

impl NystroemParams {
    /// 1,000 landmarks, the radial kernel with `gamma = scale`.
    pub fn new() -> Self {
        let kernel = Kernel::Rbf { gamma: Gamma::Scale };
        NystroemParams(NystroemValidParams { kernel, n_components: 1000 })
    }

    /// Kernel to approximate; not the sigmoid.
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.0.kernel = kernel;
        self
    }

    /// Landmarks, and features to make; at least 1.
    pub fn n_components(mut self, n_components: usize) -> Self {
        self.0.n_components = n_components;
        self
    }
}

/// Refuses a width that is not above 0.
pub(super) fn check_gamma(gamma: Gamma) -> Result<(), KernelMapError> {
    match gamma {
        Gamma::Value(found) if !(found > 0.0 && found.is_finite()) => {
            Err(KernelMapError::NotPositive { name: "gamma", found })
        }
        _ => Ok(()),
    }
}

impl ParamGuard for NystroemParams {
    type Checked = NystroemValidParams;
    type Error = KernelMapError;

    fn check_ref(&self) -> Result<&NystroemValidParams, KernelMapError> {
        match self.0.kernel {
            Kernel::Linear => {}
            Kernel::Rbf { gamma } => check_gamma(gamma)?,
            Kernel::Polynomial { gamma, coef0, .. } => {
                check_gamma(gamma)?;
                // Below 0 the polynomial is not positive definite.
                if !(coef0 >= 0.0 && coef0.is_finite()) {
                    return Err(KernelMapError::NegativeOffset { found: coef0 });
                }
            }
            Kernel::Sigmoid { .. } => return Err(KernelMapError::NoFeatures),
        }
        if self.0.n_components == 0 {
            return Err(KernelMapError::NotPositive { name: "n_components", found: 0.0 });
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<NystroemValidParams, KernelMapError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl NystroemValidParams {
    /// Draws landmarks from the samples and factorises their kernel values.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or [`KernelMapError::Interrupted`].
    ///
    /// # Cost
    /// About `10 n_components^3` multiplications.
    pub fn fit_with(
        &self,
        features: &Features,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Nystroem, KernelMapError> {
        check(features, None)?;
        let n_samples = features.n_samples();
        if self.n_components > n_samples {
            let n_components = self.n_components;
            return Err(KernelMapError::TooManyComponents { n_components, n_samples });
        }
        let mut order: Vec<usize> = (0..n_samples).collect();
        Rng::new(seed, &["nystroem", "landmarks"]).shuffle(&mut order);
        order.truncate(self.n_components);
        Nystroem::new(Resolved::new(self.kernel, features), features, order, progress)
    }
}

/// A fitted map.
#[derive(Debug)]
pub struct Nystroem {
    pub(super) resolved: Resolved,
    pub(super) landmark_idx: Vec<usize>,
    /// `[n_components, n_features]`
    pub(super) landmarks: Array2<f32>,
    /// `[n_components]`
    pub(super) squares: Vec<f32>,
    /// `K_mm^(-1/2)`, `[n_components, n_components]`
    pub(super) normalization: Array2<f32>,
    pub(super) rank: usize,
}

impl Nystroem {
    pub(super) fn new(
        resolved: Resolved,
        features: &Features,
        landmark_idx: Vec<usize>,
        progress: &dyn Progress,
    ) -> Result<Self, KernelMapError> {
        let landmarks = features.select(&landmark_idx);
        let real = real_rows(&landmarks, 0, landmark_idx.len());
        let squares = real.rows().into_iter().map(square).collect();
        let n = landmark_idx.len();
        let mut map = Nystroem {
            resolved,
            landmark_idx,
            landmarks: real,
            squares,
            normalization: Array2::zeros((0, 0)),
            rank: 0,
        };
        let n_features = map.landmarks.ncols();
        let values = map_rows(&landmarks, n_features, n, progress, |rows, out| {
            map.kernel_values(rows, out);
        })?;
        let eigen = symmetric_eigen(values.mapv(f64::from), progress)?;
        let largest = eigen.values.last().copied().unwrap_or(0.0);
        let first = eigen.values.partition_point(|&value| value <= NEGLIGIBLE * largest.max(0.0));
        map.rank = n - first;
        if map.rank == 0 {
            return Err(KernelMapError::NoVariation { n_components: n });
        }
        // U s^(-1/2) U^T as the product of the root's factors U s^(-1/4), over the kept directions.
        let mut half = eigen.vectors.slice(ndarray::s![.., first..]).to_owned();
        for (mut column, value) in half.columns_mut().into_iter().zip(&eigen.values[first..]) {
            column /= value.sqrt().sqrt();
        }
        map.normalization = outer_product(&half, progress)?;
        Ok(map)
    }

    /// Training rows of the landmarks.
    pub fn landmark_idx(&self) -> &[usize] {
        &self.landmark_idx
    }

    /// `K_mm^(-1/2)`, `[n_components, n_components]`, symmetric.
    pub fn normalization(&self) -> &Array2<f32> {
        &self.normalization
    }

    /// Directions with a kernel variation above rounding, at most `n_components`.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Gamma as a number.
    pub fn gamma(&self) -> f64 {
        self.resolved.gamma
    }

    /// Features of each row, `[n_samples, n_components]`.
    ///
    /// # Errors
    /// Samples unlike those of the fit, or [`KernelMapError::Interrupted`].
    ///
    /// # Cost
    /// `(n_features + n_components) * n_components` multiplications a row.
    pub fn transform_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, KernelMapError> {
        let (n_components, n_features) = self.landmarks.dim();
        let normalization = self.normalization.as_slice().unwrap_or(&[]);
        let normalization = Mat::new(normalization, n_components, n_components);
        map_rows(features, n_features, n_components, progress, |rows, out| {
            let mut values = vec![0.0; out.len()];
            self.kernel_values(rows, &mut values);
            let values = Mat::new(&values, out.len() / n_components, n_components);
            gemm(values, normalization, out, false);
        })
    }

    /// Kernel of real rows `[n, n_features]` with all landmarks, `[n, n_components]`.
    fn kernel_values(&self, rows: &[f32], out: &mut [f32]) {
        let (n_components, n_features) = self.landmarks.dim();
        let landmarks = self.landmarks.as_slice().unwrap_or(&[]);
        let landmarks = Mat::new(landmarks, n_components, n_features);
        gemm(Mat::new(rows, rows.len() / n_features, n_features), landmarks.t(), out, false);
        if let Kernel::Rbf { .. } = self.resolved.kernel {
            let own: Vec<f32> =
                rows.chunks_exact(n_features).map(|row| square(ArrayView1::from(row))).collect();
            let gamma = self.resolved.gamma;
            exp::rbf_of_floats(Cpu::detect(), out, n_components, &own, &self.squares, gamma);
        } else {
            for value in out {
                *value = self.resolved.of_product(f64::from(*value));
            }
        }
    }
}

/// `|x|^2`, summed in `f64`.
pub(super) fn square(x: ArrayView1<f32>) -> f32 {
    x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() as f32
}

/// `half half^T`.
fn outer_product(
    half: &Array2<f64>,
    progress: &dyn Progress,
) -> Result<Array2<f32>, KernelMapError> {
    let real = Features::Floats(half.mapv(|v| v as f32));
    let (n, n_kept) = half.dim();
    let all = real_rows(&real, 0, n);
    let all = Mat::new(all.as_slice().unwrap_or(&[]), n, n_kept);
    map_rows(&real, n_kept, n, progress, |rows, out| {
        gemm(Mat::new(rows, rows.len() / n_kept, n_kept), all.t(), out, false);
    })
}

impl Transformer<&Features, Array2<f32>> for Nystroem {
    /// # Panics
    /// Where [`Nystroem::transform_with`] gives an error: linfa's trait has no way to tell it.
    fn transform(&self, x: &Features) -> Array2<f32> {
        self.transform_with(x, &Silent).unwrap_or_else(|error| panic!("{error}"))
    }
}
