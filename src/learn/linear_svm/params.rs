//! Parameters of the classifier and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::svm::ClassWeight;
use crate::learn::{LearnError, ParamError};

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
    /// [`LearnError::Param`]: too many features for Newton's method.
    pub(super) fn solver_for(
        &self,
        n_samples: usize,
        n_features: usize,
    ) -> Result<Solver, LearnError> {
        let applies = n_features <= NEWTON_MAX_FEATURES;
        match (self.solver, self.loss) {
            (Solver::Newton, _) if !applies => {
                let limit = NEWTON_MAX_FEATURES;
                let expected = format!("`auto` or `dcd` with more than {limit} features");
                Err(ParamError::new("solver", expected, "`newton`").into())
            }
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
    type Error = LearnError;

    fn check_ref(&self) -> Result<&LinearSvcValidParams, LearnError> {
        for (name, found) in
            [("c", self.0.c), ("intercept_scaling", self.0.intercept_scaling), ("tol", self.0.tol)]
        {
            if !(found > 0.0 && found.is_finite()) {
                return Err(ParamError::new(name, "a finite number above 0", found).into());
            }
        }
        if let ClassWeight::PerClass(weights) = &self.0.class_weight {
            for &(class, found) in weights {
                if !(found > 0.0 && found.is_finite()) {
                    let expected = format!("a finite number above 0 for class {class}");
                    return Err(ParamError::new("class_weight", expected, found).into());
                }
            }
        }
        if self.0.max_iter == 0 {
            return Err(ParamError::new("max_iter", "at least 1", 0).into());
        }
        if self.0.solver == Solver::Newton && self.0.loss == Loss::Hinge {
            let expected = "`auto` or `dcd` where `loss` is `hinge`";
            return Err(ParamError::new("solver", expected, "`newton`").into());
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<LinearSvcValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
