//! Random Fourier features of the radial kernel (Rahimi, Recht, "Random features for large-scale
//! kernel machines", NIPS 2007; scikit-learn's `RBFSampler`).
//!
//! `z(x) = sqrt(2 / n_components) cos(W^T x + b)` with `W ~ N(0, 2 gamma)` and `b ~ U(0, 2 pi)`:
//! the mean of `<z(x), z(y)>` over `W` and `b` is `exp(-gamma |x - y|^2)`, its deviation about
//! `1 / sqrt(n_components)`.

use linfa::ParamGuard;
use linfa::traits::Transformer;
use ndarray::{Array1, Array2};

use super::{KernelMapError, check, map_rows};
use crate::data::{Features, Rng};
use crate::kernels::gemm::{Mat, gemm};
use crate::kernels::{Cpu, cos};
use crate::learn::svm::gram::Resolved;
use crate::learn::svm::{Gamma, Kernel};
use crate::progress::{Progress, Silent};

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct FourierValidParams {
    gamma: Gamma,
    n_components: usize,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct FourierParams(FourierValidParams);

impl Default for FourierParams {
    fn default() -> Self {
        Self::new()
    }
}

impl FourierParams {
    /// 1,000 components, `gamma = scale`.
    pub fn new() -> Self {
        FourierParams(FourierValidParams { gamma: Gamma::Scale, n_components: 1000 })
    }

    /// Width of the kernel.
    pub fn gamma(mut self, gamma: Gamma) -> Self {
        self.0.gamma = gamma;
        self
    }

    /// Features to make, at least 1.
    pub fn n_components(mut self, n_components: usize) -> Self {
        self.0.n_components = n_components;
        self
    }
}

impl ParamGuard for FourierParams {
    type Checked = FourierValidParams;
    type Error = KernelMapError;

    fn check_ref(&self) -> Result<&FourierValidParams, KernelMapError> {
        super::nystroem::check_gamma(self.0.gamma)?;
        if self.0.n_components == 0 {
            return Err(KernelMapError::NotPositive { name: "n_components", found: 0.0 });
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<FourierValidParams, KernelMapError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl FourierValidParams {
    /// Draws the map; of the samples only their number of features and, for `gamma = scale`, their
    /// variance is read.
    ///
    /// # Errors
    /// Samples that cannot be mapped.
    pub fn fit_with(&self, features: &Features, seed: u64) -> Result<Fourier, KernelMapError> {
        check(features, None)?;
        let gamma = Resolved::new(Kernel::Rbf { gamma: self.gamma }, features).gamma;
        let mut rng = Rng::new(seed, &["fourier", "weights"]);
        let width = (2.0 * gamma).sqrt() as f32;
        let weights =
            Array2::from_shape_simple_fn((features.n_features(), self.n_components), || {
                width * rng.normal_f32()
            });
        let mut rng = Rng::new(seed, &["fourier", "offsets"]);
        let offsets = Array1::from_shape_simple_fn(self.n_components, || {
            rng.uniform_f32(0.0, std::f32::consts::TAU)
        });
        Ok(Fourier { weights, offsets, gamma })
    }
}

/// A drawn map.
#[derive(Debug)]
pub struct Fourier {
    pub(super) weights: Array2<f32>,
    pub(super) offsets: Array1<f32>,
    pub(super) gamma: f64,
}

impl Fourier {
    /// `W`, `[n_features, n_components]`.
    pub fn weights(&self) -> &Array2<f32> {
        &self.weights
    }

    /// `b`, `[n_components]`.
    pub fn offsets(&self) -> &Array1<f32> {
        &self.offsets
    }

    /// Gamma as a number.
    pub fn gamma(&self) -> f64 {
        self.gamma
    }

    /// Features of each row, `[n_samples, n_components]`.
    ///
    /// # Errors
    /// Samples unlike those of the fit, or [`KernelMapError::Interrupted`].
    ///
    /// # Cost
    /// `n_features * n_components` multiplications a row.
    pub fn transform_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, KernelMapError> {
        let (n_features, n_components) = self.weights.dim();
        let weights = Mat::new(self.weights.as_slice().unwrap_or(&[]), n_features, n_components);
        let offsets = self.offsets.as_slice().unwrap_or(&[]);
        let scale = (2.0 / n_components as f64).sqrt() as f32;
        map_rows(features, n_features, n_components, progress, |rows, out| {
            gemm(Mat::new(rows, rows.len() / n_features, n_features), weights, out, false);
            cos::shifted_cos(Cpu::detect(), out, offsets, scale);
        })
    }
}

impl Transformer<&Features, Array2<f32>> for Fourier {
    /// # Panics
    /// Where [`Fourier::transform_with`] gives an error: linfa's trait has no way to tell it.
    fn transform(&self, x: &Features) -> Array2<f32> {
        self.transform_with(x, &Silent).unwrap_or_else(|error| panic!("{error}"))
    }
}
