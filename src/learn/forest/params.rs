//! Parameters of a forest and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::tree::params::at_least;
use crate::learn::tree::{MaxFeatures, TreeRules};
use crate::learn::{LearnError, ParamError};

/// How the trees of a forest differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForestKind {
    /// The best threshold of the features drawn in each node (Breiman, Machine Learning 45 (2001),
    /// 5-32).
    RandomForest,
    /// One threshold of each feature drawn, uniform between the lowest and the highest value in the
    /// node (Geurts et al., Machine Learning 63 (2006), 3-42).
    ExtraTrees,
}

/// Checked parameters of a forest.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestValidParams {
    pub(super) kind: ForestKind,
    pub(super) rules: TreeRules,
    pub(super) n_estimators: usize,
    pub(super) bootstrap: bool,
    pub(super) max_samples: f64,
    pub(super) oob_score: bool,
}

/// Parameters of a forest as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestParams(ForestValidParams);

impl ForestParams {
    /// scikit-learn's defaults: 100 trees, the square root of all features in each node, no limits;
    /// each tree of a random forest on as many rows as there are, drawn with replacement, each of
    /// extra trees on all rows.
    pub fn new(kind: ForestKind) -> Self {
        ForestParams(ForestValidParams {
            kind,
            rules: TreeRules { max_features: MaxFeatures::Sqrt, ..TreeRules::default() },
            n_estimators: 100,
            bootstrap: kind == ForestKind::RandomForest,
            max_samples: 1.0,
            oob_score: false,
        })
    }

    /// When and how nodes are cut.
    pub fn rules(mut self, rules: TreeRules) -> Self {
        self.0.rules = rules;
        self
    }

    /// Number of trees, at least 1.
    pub fn n_estimators(mut self, n_estimators: usize) -> Self {
        self.0.n_estimators = n_estimators;
        self
    }

    /// Whether each tree grows on rows drawn with replacement.
    pub fn bootstrap(mut self, bootstrap: bool) -> Self {
        self.0.bootstrap = bootstrap;
        self
    }

    /// Draws for each tree as a share of the rows, above 0 and at most 1; read with `bootstrap`.
    pub fn max_samples(mut self, max_samples: f64) -> Self {
        self.0.max_samples = max_samples;
        self
    }

    /// Whether to judge the forest by the rows that its trees did not draw; needs `bootstrap`.
    pub fn oob_score(mut self, oob_score: bool) -> Self {
        self.0.oob_score = oob_score;
        self
    }
}

impl ParamGuard for ForestParams {
    type Checked = ForestValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&ForestValidParams, LearnError> {
        let ForestValidParams { rules, n_estimators, bootstrap, max_samples, .. } = &self.0;
        rules.check()?;
        at_least("n_estimators", Some(*n_estimators), 1)?;
        if !(*max_samples > 0.0 && *max_samples <= 1.0) {
            let expected = "a share above 0 and at most 1";
            return Err(ParamError::new("max_samples", expected, max_samples).into());
        }
        if self.0.oob_score && !bootstrap {
            let expected = "false without `bootstrap`, for every tree sees every row";
            return Err(ParamError::new("oob_score", expected, true).into());
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<ForestValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
