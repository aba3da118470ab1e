//! Parameters of the classifier and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::svm::ClassWeight;
use crate::learn::{LearnError, ParamError};

/// What large coefficients cost; intercepts cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Penalty {
    /// Half the sum of their squares.
    L2,
    /// The sum of their absolute values.
    L1,
    /// Nothing.
    None,
}

/// Who fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// This crate.
    Native,
    /// linfa-logistic in `f64`; in `f32` it fails on large data without a word.
    Linfa,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticValidParams {
    pub(super) penalty: Penalty,
    pub(super) c: f64,
    pub(super) fit_intercept: bool,
    pub(super) class_weight: ClassWeight,
    pub(super) tol: f64,
    pub(super) max_iter: usize,
    pub(super) engine: Engine,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticParams(LogisticValidParams);

impl Default for LogisticParams {
    fn default() -> Self {
        Self::new()
    }
}

impl LogisticParams {
    /// scikit-learn's defaults: L2, `C = 1`, an intercept, `tol = 1e-4`, `max_iter = 100`.
    pub fn new() -> Self {
        LogisticParams(LogisticValidParams {
            penalty: Penalty::L2,
            c: 1.0,
            fit_intercept: true,
            class_weight: ClassWeight::Uniform,
            tol: 1e-4,
            max_iter: 100,
            engine: Engine::Native,
        })
    }

    /// Penalty of the coefficients.
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.0.penalty = penalty;
        self
    }

    /// What the losses count against the penalty, above 0.
    pub fn c(mut self, c: f64) -> Self {
        self.0.c = c;
        self
    }

    /// Whether there is an intercept.
    pub fn fit_intercept(mut self, fit_intercept: bool) -> Self {
        self.0.fit_intercept = fit_intercept;
        self
    }

    /// Factor of the losses by class.
    pub fn class_weight(mut self, class_weight: ClassWeight) -> Self {
        self.0.class_weight = class_weight;
        self
    }

    /// Largest partial derivative at which fitting ends, with the losses averaged; above 0.
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Most iterations, at least 1; the report tells if it was reached.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Who fits.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = engine;
        self
    }
}

impl From<LogisticValidParams> for LogisticParams {
    fn from(params: LogisticValidParams) -> Self {
        LogisticParams(params)
    }
}

impl ParamGuard for LogisticParams {
    type Checked = LogisticValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&LogisticValidParams, LearnError> {
        let params = &self.0;
        let positive = |found: f64| found > 0.0 && found.is_finite();
        for (name, found) in [("c", params.c), ("tol", params.tol)] {
            if !positive(found) {
                return Err(ParamError::new(name, "a finite number above 0", found).into());
            }
        }
        if let ClassWeight::PerClass(weights) = &params.class_weight
            && let Some((class, found)) = weights.iter().find(|(_, weight)| !positive(*weight))
        {
            let expected = format!("finite and above 0 for class {class}");
            return Err(ParamError::new("class_weight", expected, found).into());
        }
        if params.max_iter == 0 {
            return Err(ParamError::new("max_iter", "at least 1", 0).into());
        }
        if params.engine == Engine::Linfa {
            if params.penalty == Penalty::L1 {
                let expected = "`l2` or `none` with the engine `linfa`";
                return Err(ParamError::new("penalty", expected, "`l1`").into());
            }
            if params.class_weight != ClassWeight::Uniform {
                let expected = "uniform with the engine `linfa`";
                return Err(ParamError::new("class_weight", expected, "other weights").into());
            }
        }
        Ok(params)
    }

    fn check(self) -> Result<LogisticValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
