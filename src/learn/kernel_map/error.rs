//! Everything that can go wrong with a map.

use crate::learn::linalg::LinalgError;

/// Why features could not be fitted or made.
#[derive(Debug, thiserror::Error)]
pub enum KernelMapError {
    /// A parameter must be above 0.
    #[error("`{name}` must be a finite number above 0, found {found}")]
    NotPositive {
        /// Parameter.
        name: &'static str,
        /// Value found.
        found: f64,
    },
    /// A kernel that is not positive definite has no features.
    #[error("kernel `sigmoid` is not positive definite: it has no features")]
    NoFeatures,
    /// A polynomial with a negative constant term is not positive definite.
    #[error("`coef0` must be finite and not negative, found {found}")]
    NegativeOffset {
        /// Value found.
        found: f64,
    },
    /// More landmarks than samples.
    #[error("`n_components` is {n_components}, there are {n_samples} samples to draw from")]
    TooManyComponents {
        /// Landmarks asked for.
        n_components: usize,
        /// Rows found.
        n_samples: usize,
    },
    /// The kernel is 0 on all landmarks.
    #[error("the kernel is 0 between all {n_components} landmarks")]
    NoVariation {
        /// Landmarks.
        n_components: usize,
    },
    /// There is nothing to fit.
    #[error("{n_samples} samples of {n_features} features, at least one of each is needed")]
    Empty {
        /// Rows found.
        n_samples: usize,
        /// Columns found.
        n_features: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature {column} of sample {row} is {found}")]
    NotFinite {
        /// Sample.
        row: usize,
        /// Feature.
        column: usize,
        /// Value found.
        found: f32,
    },
    /// The samples have another number of features than those of the fit.
    #[error("samples have {found} features, the map expects {expected}")]
    FeatureMismatch {
        /// Features found.
        found: usize,
        /// Features of the fit.
        expected: usize,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The kernel values between landmarks could not be decomposed.
    #[error(transparent)]
    Linalg(LinalgError),
    /// linfa refused.
    #[error("linfa: {0}")]
    Linfa(String),
}

impl From<LinalgError> for KernelMapError {
    fn from(error: LinalgError) -> Self {
        match error {
            LinalgError::Interrupted => KernelMapError::Interrupted,
            error => KernelMapError::Linalg(error),
        }
    }
}

impl From<linfa::Error> for KernelMapError {
    fn from(error: linfa::Error) -> Self {
        KernelMapError::Linfa(error.to_string())
    }
}

impl KernelMapError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            KernelMapError::NotPositive { name: "gamma", .. } => {
                Some("use `scale`, `auto` or a number above 0".to_owned())
            }
            KernelMapError::NoFeatures => Some("use `rbf`, `poly` or `linear`".to_owned()),
            KernelMapError::TooManyComponents { n_samples, .. } => {
                Some(format!("ask for at most {n_samples} components"))
            }
            KernelMapError::NotFinite { .. } => Some(
                "the stage that made the features diverged: lower its learning rate".to_owned(),
            ),
            KernelMapError::FeatureMismatch { .. } => {
                Some("make the features of both splits by the same stage".to_owned())
            }
            KernelMapError::Linalg(_) => Some(
                "kernel values overflowed: scale the features or choose a smaller gamma or degree"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
