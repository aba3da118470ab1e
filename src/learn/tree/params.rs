//! Parameters of a decision tree and of the trees of a forest, and their check.

use linfa::ParamGuard;

use super::criterion::Criterion;
use super::grow::{Growth, Splitter};
use crate::learn::svm::ClassWeight;
use crate::learn::{LearnError, ParamError};

/// Features looked at in each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxFeatures {
    /// All of them.
    All,
    /// The square root of their number, rounded down.
    Sqrt,
    /// The binary logarithm of their number, rounded down.
    Log2,
    /// So many, at least 1.
    Count(usize),
}

/// When and how the nodes of a tree are cut, in scikit-learn's words and with its defaults.
///
/// Of equal splits the one of the lowest feature is taken, then the one of the lowest threshold
/// (of features that are drawn: the first drawn). scikit-learn looks at features in random order,
/// so its trees differ where splits are equal.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeRules {
    /// Impurity.
    pub criterion: Criterion,
    /// Most edges from the root to a leaf, at least 1; none for no limit.
    pub max_depth: Option<usize>,
    /// Rows below which a node is not cut, at least 2.
    pub min_samples_split: usize,
    /// Fewest rows of a leaf, at least 1; rows are counted, whatever their weights.
    pub min_samples_leaf: usize,
    /// Least decrease of impurity by a cut, times the node's share of the weights; at least 0.
    pub min_impurity_decrease: f64,
    /// Features looked at in each node; more until one differs among its rows.
    pub max_features: MaxFeatures,
    /// Most leaves, at least 2, those of the cuts that gain most; none for no limit.
    pub max_leaf_nodes: Option<usize>,
    /// Factor of the weights by class.
    pub class_weight: ClassWeight,
}

impl Default for TreeRules {
    fn default() -> Self {
        TreeRules {
            criterion: Criterion::Gini,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            min_impurity_decrease: 0.0,
            max_features: MaxFeatures::All,
            max_leaf_nodes: None,
            class_weight: ClassWeight::Uniform,
        }
    }
}

impl TreeRules {
    /// # Errors
    /// A parameter out of its range.
    pub(in crate::learn) fn check(&self) -> Result<(), ParamError> {
        at_least("max_depth", self.max_depth, 1)?;
        at_least("min_samples_split", Some(self.min_samples_split), 2)?;
        at_least("min_samples_leaf", Some(self.min_samples_leaf), 1)?;
        at_least("max_leaf_nodes", self.max_leaf_nodes, 2)?;
        if let MaxFeatures::Count(n) = self.max_features {
            at_least("max_features", Some(n), 1)?;
        }
        let decrease = self.min_impurity_decrease;
        if !(decrease >= 0.0 && decrease.is_finite()) {
            let expected = "a finite number not below 0";
            return Err(ParamError::new("min_impurity_decrease", expected, decrease));
        }
        if let ClassWeight::PerClass(weights) = &self.class_weight
            && let Some((class, found)) = weights.iter().find(|(_, w)| !(*w > 0.0 && w.is_finite()))
        {
            let expected = format!("a finite number above 0 for class {class}");
            return Err(ParamError::new("class_weight", expected, found));
        }
        Ok(())
    }

    /// The rules for rows of `n_features`.
    ///
    /// # Errors
    /// `max_features` above their number.
    pub(in crate::learn) fn growth(
        &self,
        n_features: usize,
        splitter: Splitter,
    ) -> Result<Growth, ParamError> {
        let max_features = match self.max_features {
            MaxFeatures::All => n_features,
            MaxFeatures::Sqrt => n_features.isqrt().max(1),
            MaxFeatures::Log2 => n_features.ilog2().max(1) as usize,
            MaxFeatures::Count(n) => n,
        };
        if max_features > n_features {
            let expected = format!("at most the {n_features} features of the rows");
            return Err(ParamError::new("max_features", expected, max_features));
        }
        Ok(Growth {
            criterion: self.criterion,
            splitter,
            max_depth: self.max_depth.unwrap_or(usize::MAX),
            min_samples_split: self.min_samples_split,
            min_samples_leaf: self.min_samples_leaf,
            min_impurity_decrease: self.min_impurity_decrease,
            max_features,
            max_leaf_nodes: self.max_leaf_nodes,
        })
    }
}

pub(in crate::learn) fn at_least(
    name: &'static str,
    found: Option<usize>,
    least: usize,
) -> Result<(), ParamError> {
    match found {
        Some(found) if found < least => {
            Err(ParamError::new(name, format!("at least {least}"), found))
        }
        _ => Ok(()),
    }
}

/// Who grows a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// This crate.
    Native,
    /// linfa-trees, to compare with; up to [`LINFA_MAX_SAMPLES`] rows, without weights, with
    /// neither `max_features` nor `max_leaf_nodes`.
    Linfa,
}

/// Most rows of the linfa engine, which takes about 54 s at this size on 784 features.
pub const LINFA_MAX_SAMPLES: usize = 20_000;

/// Checked parameters of a decision tree.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionTreeValidParams {
    pub(super) rules: TreeRules,
    pub(super) engine: Engine,
}

/// Parameters of a decision tree as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionTreeParams(DecisionTreeValidParams);

impl Default for DecisionTreeParams {
    fn default() -> Self {
        Self::new()
    }
}

impl DecisionTreeParams {
    /// scikit-learn's defaults: Gini, all features, no limits.
    pub fn new() -> Self {
        DecisionTreeParams(DecisionTreeValidParams {
            rules: TreeRules::default(),
            engine: Engine::Native,
        })
    }

    /// When and how nodes are cut.
    pub fn rules(mut self, rules: TreeRules) -> Self {
        self.0.rules = rules;
        self
    }

    /// Who grows the tree.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = engine;
        self
    }
}

impl ParamGuard for DecisionTreeParams {
    type Checked = DecisionTreeValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&DecisionTreeValidParams, LearnError> {
        let DecisionTreeValidParams { rules, engine } = &self.0;
        rules.check()?;
        if *engine == Engine::Linfa {
            let one = |name, is_default: bool| match is_default {
                true => Ok(()),
                false => {
                    let expected = "its default, for linfa-trees does not have it";
                    Err(ParamError::new(name, expected, "another"))
                }
            };
            one("max_features", rules.max_features == MaxFeatures::All)?;
            one("max_leaf_nodes", rules.max_leaf_nodes.is_none())?;
            one("class_weight", rules.class_weight == ClassWeight::Uniform)?;
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<DecisionTreeValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
