//! Parameters of the classifier, their check, and everything that can go wrong.

use std::path::PathBuf;

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};
use sysinfo::System;

use crate::learn::{InputError, ParamError};

/// Coefficient of a kernel, in scikit-learn's words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gamma {
    /// `1 / (n_features * variance of all entries)`; 1 if the variance is 0.
    Scale,
    /// `1 / n_features`.
    Auto,
    /// This value, above 0.
    Value(f64),
}

/// Kernel function; a byte `v` stands for `v / 255`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// `<x, y>`
    Linear,
    /// `exp(-gamma |x - y|^2)`
    Rbf {
        /// Width.
        gamma: Gamma,
    },
    /// `(gamma <x, y> + coef0)^degree`
    Polynomial {
        /// Scale.
        gamma: Gamma,
        /// Power.
        degree: u32,
        /// Offset.
        coef0: f64,
    },
    /// `tanh(gamma <x, y> + coef0)`; not positive definite
    Sigmoid {
        /// Scale.
        gamma: Gamma,
        /// Offset.
        coef0: f64,
    },
}

/// Which implementation solves the pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Ours.
    Native,
    /// linfa-svm, to compare with; up to `LINFA_MAX_SAMPLES` samples.
    Linfa,
}

/// How much a margin violation of each class counts, in scikit-learn's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// 1 each.
    Uniform,
    /// `n_samples / (n_classes * n_samples of the class)`, whatever the weights of the samples.
    Balanced,
    /// Class and weight, finite and above 0; 1 where none is given. Classes that do not occur are
    /// not looked at.
    PerClass(Vec<(usize, f64)>),
}

/// Most samples of the linfa engine, which holds all kernel values of a pair in `f64` and takes
/// 70 s at this size.
pub const LINFA_MAX_SAMPLES: usize = 4_000;

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct SvcValidParams {
    pub(super) c: f64,
    pub(super) kernel: Kernel,
    pub(super) tol: f64,
    pub(super) cache_mib: Option<usize>,
    pub(super) max_iter: Option<u64>,
    pub(super) engine: Engine,
    pub(super) class_weight: ClassWeight,
    pub(super) break_ties: bool,
    pub(super) probability: bool,
    pub(super) seed: u64,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct SvcParams(SvcValidParams);

impl Default for SvcParams {
    fn default() -> Self {
        Self::new()
    }
}

impl SvcParams {
    /// scikit-learn's defaults: RBF, `C = 1`, `gamma = scale`, `tol = 1e-3`; a cache after the free memory.
    pub fn new() -> Self {
        SvcParams(SvcValidParams {
            c: 1.0,
            kernel: Kernel::Rbf { gamma: Gamma::Scale },
            tol: 1e-3,
            cache_mib: None,
            max_iter: None,
            engine: Engine::Native,
            class_weight: ClassWeight::Uniform,
            break_ties: false,
            probability: false,
            seed: 0,
        })
    }

    /// Penalty of margin violations, above 0.
    pub fn c(mut self, c: f64) -> Self {
        self.0.c = c;
        self
    }

    /// Kernel function.
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.0.kernel = kernel;
        self
    }

    /// Largest KKT gap of a solution, above 0.
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Memory for kernel values kept between uses; if not given, an eighth of what is free, at
    /// least 256 MiB and at most 2 GiB. It changes the time of a fit, never its result.
    pub fn cache_mib(mut self, cache_mib: usize) -> Self {
        self.0.cache_mib = Some(cache_mib);
        self
    }

    /// Most steps per pair; the report tells if it was reached.
    pub fn max_iter(mut self, max_iter: Option<u64>) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Implementation.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = engine;
        self
    }

    /// Factor of `c` by class.
    pub fn class_weight(mut self, class_weight: ClassWeight) -> Self {
        self.0.class_weight = class_weight;
        self
    }

    /// Whether ties of votes are broken by the summed decisions, where there are more than two
    /// classes, rather than by the order of the classes.
    pub fn break_ties(mut self, break_ties: bool) -> Self {
        self.0.break_ties = break_ties;
        self
    }

    /// Whether the model gives probabilities; costs up to five fits more.
    pub fn probability(mut self, probability: bool) -> Self {
        self.0.probability = probability;
        self
    }

    /// Seed of the folds that probabilities are fitted on; nothing else is random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl SvcValidParams {
    /// Penalty of margin violations.
    pub fn c(&self) -> f64 {
        self.c
    }

    /// Largest KKT gap of a solution.
    pub fn tol(&self) -> f64 {
        self.tol
    }

    /// Memory for kernel values.
    pub(super) fn cache_bytes(&self) -> u64 {
        const MIB: u64 = 1 << 20;
        if let Some(cache_mib) = self.cache_mib {
            return (cache_mib as u64).saturating_mul(MIB);
        }
        let mut system = System::new();
        system.refresh_memory();
        // A container's limit may be below what the machine has.
        let of_container = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
        (system.available_memory().min(of_container) / 8).clamp(256 * MIB, 2048 * MIB)
    }
}

impl ParamGuard for SvcParams {
    type Checked = SvcValidParams;
    type Error = SvcError;

    fn check_ref(&self) -> Result<&SvcValidParams, SvcError> {
        let positive = |name: &'static str, found: f64| {
            if found > 0.0 && found.is_finite() {
                Ok(())
            } else {
                Err(ParamError::new(name, "a finite number above 0", found))
            }
        };
        positive("c", self.0.c)?;
        positive("tol", self.0.tol)?;
        if let Kernel::Rbf { gamma }
        | Kernel::Polynomial { gamma, .. }
        | Kernel::Sigmoid { gamma, .. } = self.0.kernel
            && let Gamma::Value(gamma) = gamma
        {
            positive("gamma", gamma)?;
        }
        if let Kernel::Polynomial { coef0, .. } | Kernel::Sigmoid { coef0, .. } = self.0.kernel
            && !coef0.is_finite()
        {
            return Err(ParamError::new("coef0", "finite", coef0).into());
        }
        if self.0.probability && self.0.engine == Engine::Linfa {
            return Err(SvcError::Linfa("it gives no probabilities here".to_owned()));
        }
        if let ClassWeight::PerClass(weights) = &self.0.class_weight {
            for &(class, found) in weights {
                if !(found > 0.0 && found.is_finite()) {
                    let expected = format!("a finite number above 0 for class {class}");
                    return Err(ParamError::new("class_weight", expected, found).into());
                }
            }
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<SvcValidParams, SvcError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

/// Why a classifier could not be fitted, stored or read.
#[derive(Debug, thiserror::Error)]
pub enum SvcError {
    /// Samples that cannot be fitted or predicted.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A parameter.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// `c` times the weights of a sample and its class overflows.
    #[error("`c` times the weights of sample {row} and its class {class} is {found}")]
    BadBound {
        /// Sample.
        row: usize,
        /// Its class.
        class: usize,
        /// Product found.
        found: f64,
    },
    /// A class has samples, but all of them are without weight.
    #[error("all {n_samples} samples of class {class} have weight 0")]
    NoWeight {
        /// Class.
        class: usize,
        /// Samples of it.
        n_samples: usize,
    },
    /// The training part of a fold cannot be fitted.
    #[error("fold {fold} of {n_folds}: {source}")]
    Fold {
        /// Counted from 1.
        fold: usize,
        /// Folds.
        n_folds: usize,
        /// Why.
        source: Box<SvcError>,
    },
    /// The samples to predict are of another type than those of the fit.
    #[error("samples are {found}, the classifier was fitted on {expected}")]
    TypeMismatch {
        /// Type found.
        found: &'static str,
        /// Type of the fit.
        expected: &'static str,
    },
    /// The linfa engine would need too much memory and time.
    #[error(
        "engine `linfa` takes up to {limit} samples, found {found} (its kernel matrix would need \
         {needed_gib:.1} GiB)"
    )]
    TooLargeForLinfa {
        /// Rows found.
        found: usize,
        /// Most rows.
        limit: usize,
        /// Memory of all kernel values in `f64`.
        needed_gib: f64,
    },
    /// Probabilities of a model that was fitted without.
    #[error("the classifier was fitted without probabilities")]
    NoProbability,
    /// A model file could not be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    ReadModel {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A model file is damaged or of another kind.
    #[error("`{}`, line {line}: expected {expected}, found `{found}`", path.display())]
    ModelFile {
        /// File.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What belongs there.
        expected: String,
        /// What is there, its beginning if it is long.
        found: String,
    },
    /// A model knows a class that the data do not have.
    #[error("`{}` has class {found}, the data have classes 0 to {}", path.display(), n_classes - 1)]
    UnknownClass {
        /// File.
        path: PathBuf,
        /// Class found.
        found: usize,
        /// Classes of the data.
        n_classes: usize,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// linfa refused.
    #[error("linfa: {0}")]
    Linfa(String),
    /// A stored model could not be read.
    #[error(transparent)]
    TensorFile(#[from] crate::data::TensorFileError),
}

impl From<linfa::Error> for SvcError {
    fn from(error: linfa::Error) -> Self {
        SvcError::Linfa(error.to_string())
    }
}

impl SvcError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            SvcError::Input(error) => error.hint(),
            SvcError::Fold { source, .. } => source.hint(),
            SvcError::NoWeight { .. } => {
                Some("leave the class out, or give one of its samples a weight above 0".to_owned())
            }
            SvcError::BadBound { .. } => Some("use a smaller `c` or smaller weights".to_owned()),
            SvcError::TypeMismatch { .. } => {
                Some("make the features of both splits by the same stage".to_owned())
            }
            SvcError::NoProbability => Some("fit it with `probability`".to_owned()),
            SvcError::ReadModel { .. } => {
                Some("name a file that LIBSVM or `pipeline model export` wrote".to_owned())
            }
            SvcError::ModelFile { .. } | SvcError::UnknownClass { .. } => Some(
                "the model must be a LIBSVM classifier of the same features, pixels divided by \
                 255, and of classes counted from 0: write it anew"
                    .to_owned(),
            ),
            SvcError::TooLargeForLinfa { .. } => {
                Some("use engine `native`, or fewer samples".to_owned())
            }
            _ => None,
        }
    }
}
