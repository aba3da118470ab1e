//! Parameters of the classifier and their check.

use linfa::ParamGuard;

use crate::learn::{LearnError, ParamError};

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientBoostingValidParams {
    pub(super) n_estimators: usize,
    pub(super) learning_rate: f64,
    pub(super) max_leaf_nodes: Option<usize>,
    pub(super) max_depth: Option<usize>,
    pub(super) min_samples_leaf: usize,
    pub(super) min_child_weight: f64,
    pub(super) l2_regularization: f64,
    pub(super) subsample: f64,
    pub(super) colsample: f64,
    pub(super) early_stopping: Option<EarlyStopping>,
}

/// When rounds end before their number is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    /// Share of the training rows that are held out of every class, between 0 and 1.
    pub validation_fraction: f64,
    /// Rounds without an improvement after which fitting ends, at least 1.
    pub n_iter_no_change: usize,
    /// What the loss of the rows held out must fall by to count as an improvement, not below 0.
    pub tol: f64,
}

impl Default for EarlyStopping {
    /// scikit-learn's: a tenth of the rows, 10 rounds, `1e-7`.
    fn default() -> Self {
        EarlyStopping { validation_fraction: 0.1, n_iter_no_change: 10, tol: 1e-7 }
    }
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientBoostingParams(GradientBoostingValidParams);

impl Default for GradientBoostingParams {
    fn default() -> Self {
        Self::new()
    }
}

impl GradientBoostingParams {
    /// scikit-learn's defaults: 100 rounds, `learning_rate = 0.1`, up to 31 leaves of at least 20
    /// samples, depth without limit, no penalty, all rows and features, no early stopping.
    pub fn new() -> Self {
        GradientBoostingParams(GradientBoostingValidParams {
            n_estimators: 100,
            learning_rate: 0.1,
            max_leaf_nodes: Some(31),
            max_depth: None,
            min_samples_leaf: 20,
            min_child_weight: 1e-3,
            l2_regularization: 0.0,
            subsample: 1.0,
            colsample: 1.0,
            early_stopping: None,
        })
    }

    /// Most rounds, at least 1: a round adds a tree a class, or one tree if there are two classes.
    pub fn n_estimators(mut self, n_estimators: usize) -> Self {
        self.0.n_estimators = n_estimators;
        self
    }

    /// Share of a leaf's step that is taken, above 0.
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.0.learning_rate = learning_rate;
        self
    }

    /// Most leaves of a tree, at least 2; the leaf whose cut gains most is cut first. Without it all
    /// leaves are cut that may be.
    pub fn max_leaf_nodes(mut self, max_leaf_nodes: Option<usize>) -> Self {
        self.0.max_leaf_nodes = max_leaf_nodes;
        self
    }

    /// Most cuts on the way to a leaf, at least 1.
    pub fn max_depth(mut self, max_depth: Option<usize>) -> Self {
        self.0.max_depth = max_depth;
        self
    }

    /// Fewest samples of a leaf, at least 1.
    pub fn min_samples_leaf(mut self, min_samples_leaf: usize) -> Self {
        self.0.min_samples_leaf = min_samples_leaf;
        self
    }

    /// Least sum of second derivatives of the loss over the samples of a leaf, not below 0.
    pub fn min_child_weight(mut self, min_child_weight: f64) -> Self {
        self.0.min_child_weight = min_child_weight;
        self
    }

    /// Penalty of half the square of a leaf's value, not below 0.
    pub fn l2_regularization(mut self, l2_regularization: f64) -> Self {
        self.0.l2_regularization = l2_regularization;
        self
    }

    /// Share of the samples, drawn anew without replacement each round, that its trees grow on;
    /// above 0, at most 1.
    pub fn subsample(mut self, subsample: f64) -> Self {
        self.0.subsample = subsample;
        self
    }

    /// Share of the features, drawn anew for each tree, that it may cut; above 0, at most 1.
    pub fn colsample(mut self, colsample: f64) -> Self {
        self.0.colsample = colsample;
        self
    }

    /// Ends when the loss of samples held out no longer falls; the model keeps the rounds up to the
    /// lowest.
    pub fn early_stopping(mut self, early_stopping: Option<EarlyStopping>) -> Self {
        self.0.early_stopping = early_stopping;
        self
    }
}

fn at_least(name: &'static str, least: usize, found: usize) -> Result<(), ParamError> {
    match found >= least {
        true => Ok(()),
        false => Err(ParamError::new(name, format!("at least {least}"), found)),
    }
}

fn number(
    name: &'static str,
    expected: &str,
    found: f64,
    is_allowed: impl Fn(f64) -> bool,
) -> Result<(), ParamError> {
    match found.is_finite() && is_allowed(found) {
        true => Ok(()),
        false => Err(ParamError::new(name, expected, found)),
    }
}

impl ParamGuard for GradientBoostingParams {
    type Checked = GradientBoostingValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&GradientBoostingValidParams, LearnError> {
        let params = &self.0;
        at_least("n_estimators", 1, params.n_estimators)?;
        at_least("max_leaf_nodes", 2, params.max_leaf_nodes.unwrap_or(2))?;
        at_least("max_depth", 1, params.max_depth.unwrap_or(1))?;
        at_least("min_samples_leaf", 1, params.min_samples_leaf)?;
        number("learning_rate", "a finite number above 0", params.learning_rate, |v| v > 0.0)?;
        for (name, found) in [
            ("min_child_weight", params.min_child_weight),
            ("l2_regularization", params.l2_regularization),
        ] {
            number(name, "a finite number not below 0", found, |v| v >= 0.0)?;
        }
        for (name, found) in [("subsample", params.subsample), ("colsample", params.colsample)] {
            number(name, "above 0 and at most 1", found, |v| v > 0.0 && v <= 1.0)?;
        }
        if let Some(early_stopping) = params.early_stopping {
            let EarlyStopping { validation_fraction, n_iter_no_change, tol } = early_stopping;
            let inside = |v: f64| v > 0.0 && v < 1.0;
            number("validation_fraction", "between 0 and 1", validation_fraction, inside)?;
            at_least("n_iter_no_change", 1, n_iter_no_change)?;
            number("tol", "a finite number not below 0", tol, |v| v >= 0.0)?;
        }
        Ok(params)
    }

    fn check(self) -> Result<GradientBoostingValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
