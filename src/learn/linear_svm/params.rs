//! Parameters of the classifier, their check, and everything that can go wrong.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::svm::ClassWeight;

/// What a margin violation `v = max(0, 1 - y f(x))` costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `v`
    Hinge,
    /// `v^2`
    SquaredHinge,
}

/// Which problems of two classes stand for one of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MultiClass {
    /// Each class against all others.
    Ovr,
    /// Each pair of classes.
    Ovo,
}

/// Which algorithm solves a problem; all reach the same solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// Newton's method where it applies and the samples outnumber the features, else coordinate
    /// descent.
    Auto,
    /// Dual coordinate descent, as LIBLINEAR; for either loss.
    Dcd,
    /// Newton's method on the primal, for the squared hinge and up to [`NEWTON_MAX_FEATURES`].
    Newton,
}

/// Most features of Newton's method, whose matrix of second derivatives is factorised whole: about
/// 0.2 s and 200 MiB a problem at this size.
pub const NEWTON_MAX_FEATURES: usize = 3_000;

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearSvcValidParams {
    pub(super) c: f64,
    pub(super) loss: Loss,
    pub(super) multi_class: MultiClass,
    pub(super) class_weight: ClassWeight,
    pub(super) fit_intercept: bool,
    pub(super) intercept_scaling: f64,
    pub(super) tol: f64,
    pub(super) max_iter: u64,
    pub(super) solver: Solver,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearSvcParams(LinearSvcValidParams);

impl Default for LinearSvcParams {
    fn default() -> Self {
        Self::new()
    }
}

impl LinearSvcParams {
    /// scikit-learn's defaults: `C = 1`, squared hinge, one-vs-rest, an intercept of scale 1,
    /// `tol = 1e-4`, `max_iter = 1000`; the solver is chosen by shape.
    pub fn new() -> Self {
        LinearSvcParams(LinearSvcValidParams {
            c: 1.0,
            loss: Loss::SquaredHinge,
            multi_class: MultiClass::Ovr,
            class_weight: ClassWeight::Uniform,
            fit_intercept: true,
            intercept_scaling: 1.0,
            tol: 1e-4,
            max_iter: 1000,
            solver: Solver::Auto,
        })
    }

    /// Penalty of margin violations, above 0.
    pub fn c(mut self, c: f64) -> Self {
        self.0.c = c;
        self
    }

    /// Loss.
    pub fn loss(mut self, loss: Loss) -> Self {
        self.0.loss = loss;
        self
    }

    /// Problems of two classes.
    pub fn multi_class(mut self, multi_class: MultiClass) -> Self {
        self.0.multi_class = multi_class;
        self
    }

    /// Factor of `c` by class, as in LIBLINEAR: one-vs-rest applies it to the class and not to the
    /// rest. `balanced` counts samples by their weights.
    pub fn class_weight(mut self, class_weight: ClassWeight) -> Self {
        self.0.class_weight = class_weight;
        self
    }

    /// Whether a constant feature is added, whose weight gives the intercept.
    pub fn fit_intercept(mut self, fit_intercept: bool) -> Self {
        self.0.fit_intercept = fit_intercept;
        self
    }

    /// Value of the constant feature, above 0. Its weight is penalised like any other: the larger
    /// the value, the less the intercept is.
    pub fn intercept_scaling(mut self, intercept_scaling: f64) -> Self {
        self.0.intercept_scaling = intercept_scaling;
        self
    }

    /// Largest spread of the projected gradient of the dual at which fitting ends, above 0.
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Most sweeps (coordinate descent) or steps (Newton) a problem; the report tells if it was
    /// reached.
    pub fn max_iter(mut self, max_iter: u64) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Algorithm.
    pub fn solver(mut self, solver: Solver) -> Self {
        self.0.solver = solver;
        self
    }
}

impl LinearSvcValidParams {
    /// Value of the constant feature; 0 if there is none.
    pub(super) fn constant(&self) -> f64 {
        if self.fit_intercept { self.intercept_scaling } else { 0.0 }
    }

    /// The algorithm for samples of this shape.
    ///
    /// # Errors
    /// [`LinearSvcError::TooManyFeaturesForNewton`]
    pub(super) fn solver_for(
        &self,
        n_samples: usize,
        n_features: usize,
    ) -> Result<Solver, LinearSvcError> {
        let applies = n_features <= NEWTON_MAX_FEATURES;
        match (self.solver, self.loss) {
            (Solver::Newton, _) if !applies => Err(LinearSvcError::TooManyFeaturesForNewton {
                found: n_features,
                limit: NEWTON_MAX_FEATURES,
            }),
            (Solver::Auto, Loss::SquaredHinge) if applies && n_samples > n_features => {
                Ok(Solver::Newton)
            }
            (Solver::Auto, _) => Ok(Solver::Dcd),
            (solver, _) => Ok(solver),
        }
    }
}

impl ParamGuard for LinearSvcParams {
    type Checked = LinearSvcValidParams;
    type Error = LinearSvcError;

    fn check_ref(&self) -> Result<&LinearSvcValidParams, LinearSvcError> {
        for (name, found) in
            [("c", self.0.c), ("intercept_scaling", self.0.intercept_scaling), ("tol", self.0.tol)]
        {
            if !(found > 0.0 && found.is_finite()) {
                return Err(LinearSvcError::NotPositive { name, found });
            }
        }
        if let ClassWeight::PerClass(weights) = &self.0.class_weight {
            for &(class, found) in weights {
                if !(found > 0.0 && found.is_finite()) {
                    return Err(LinearSvcError::BadClassWeight { class, found });
                }
            }
        }
        if self.0.max_iter == 0 {
            return Err(LinearSvcError::NoIteration);
        }
        if self.0.solver == Solver::Newton && self.0.loss == Loss::Hinge {
            return Err(LinearSvcError::NewtonNeedsSquaredHinge);
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<LinearSvcValidParams, LinearSvcError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

/// Why a classifier could not be fitted, stored or read.
#[derive(Debug, thiserror::Error)]
pub enum LinearSvcError {
    /// A parameter must be above 0.
    #[error("`{name}` must be a finite number above 0, found {found}")]
    NotPositive {
        /// Parameter.
        name: &'static str,
        /// Value found.
        found: f64,
    },
    /// The weight of a class must be above 0.
    #[error("weight of class {class} must be a finite number above 0, found {found}")]
    BadClassWeight {
        /// Class.
        class: usize,
        /// Weight found.
        found: f64,
    },
    /// No iteration is allowed.
    #[error("`max_iter` must be at least 1, found 0")]
    NoIteration,
    /// The hinge has no second derivative.
    #[error("solver `newton` needs the loss `squared_hinge`, found `hinge`")]
    NewtonNeedsSquaredHinge,
    /// The matrix of second derivatives would be too large.
    #[error("solver `newton` takes up to {limit} features, found {found}")]
    TooManyFeaturesForNewton {
        /// Features found.
        found: usize,
        /// Most features.
        limit: usize,
    },
    /// There is nothing to fit.
    #[error("{n_samples} samples of {n_features} features, at least one of each is needed")]
    Empty {
        /// Rows found.
        n_samples: usize,
        /// Columns found.
        n_features: usize,
    },
    /// Features do not belong with labels or weights.
    #[error("{n_samples} samples but {found} {what}")]
    LengthMismatch {
        /// Rows of the features.
        n_samples: usize,
        /// `labels` or `weights`.
        what: &'static str,
        /// Their number.
        found: usize,
    },
    /// A weight is negative, NaN or infinite.
    #[error("weight of sample {row} must be finite and not negative, found {found}")]
    BadWeight {
        /// Sample.
        row: usize,
        /// Weight found.
        found: f64,
    },
    /// No sample counts.
    #[error("all {n_samples} samples have weight 0, at least two are needed that count")]
    NoWeight {
        /// Rows found.
        n_samples: usize,
    },
    /// All samples that count are of one class.
    #[error(
        "all {n_samples} samples with a weight above 0 are of class {class}, at least two classes \
         are needed"
    )]
    OneClass {
        /// Samples that count.
        n_samples: usize,
        /// The only class.
        class: usize,
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
    /// The samples to predict have another number of features than those of the fit.
    #[error("samples have {found} features, the classifier expects {expected}")]
    FeatureMismatch {
        /// Features found.
        found: usize,
        /// Features of the fit.
        expected: usize,
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

impl From<linfa::Error> for LinearSvcError {
    fn from(error: linfa::Error) -> Self {
        LinearSvcError::Linfa(error.to_string())
    }
}

impl LinearSvcError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            LinearSvcError::NewtonNeedsSquaredHinge
            | LinearSvcError::TooManyFeaturesForNewton { .. } => {
                Some("use solver `auto` or `dcd`".to_owned())
            }
            LinearSvcError::OneClass { .. } => Some("check how the samples were chosen".to_owned()),
            LinearSvcError::NotFinite { .. } => Some(
                "the stage that made the features diverged: lower its learning rate".to_owned(),
            ),
            LinearSvcError::FeatureMismatch { .. } => {
                Some("make the features of both splits by the same stage".to_owned())
            }
            _ => None,
        }
    }
}
