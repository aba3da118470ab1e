//! `decision_tree`: a decision tree on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::svm::ClassWeight;
use crate::learn::tree::{Criterion, DecisionTreeParams, Engine, MaxFeatures, TreeRules};
use crate::learn::{LearnError, Learner};

/// Fields of every kind that grows trees, in the order of scikit-learn.
macro_rules! tree_fields {
    ($max_features:literal $(, $more:expr)* $(,)?) => {
        &[
            Field {
                name: "criterion",
                doc: "impurity that splits take away",
                accepts: Accepts::Choice(&["gini", "entropy"]),
                default: Some("\"gini\""),
                read_if: None,
            },
            Field {
                name: "max_depth",
                doc: "most edges from the root to a leaf",
                accepts: Accepts::WordOrInteger { words: &["none"], min: 1 },
                default: Some("\"none\""),
                read_if: None,
            },
            Field {
                name: "min_samples_split",
                doc: "fewest rows of a node that is split",
                accepts: Accepts::Integer { min: 2, max: 1_000_000_000 },
                default: Some("2"),
                read_if: None,
            },
            Field {
                name: "min_samples_leaf",
                doc: "fewest rows of a leaf",
                accepts: Accepts::Integer { min: 1, max: 1_000_000_000 },
                default: Some("1"),
                read_if: None,
            },
            Field {
                name: "min_impurity_decrease",
                doc: "least decrease of impurity by a split, times the node's share of the weights",
                accepts: Accepts::Number { min: 0.0, max: 1e6, above_min: false },
                default: Some("0.0"),
                read_if: None,
            },
            Field {
                name: "max_features",
                doc: "features looked at in each node: `sqrt` and `log2` of their number, or so many",
                accepts: Accepts::WordOrInteger { words: &["all", "sqrt", "log2"], min: 1 },
                default: Some($max_features),
                read_if: None,
            },
            Field {
                name: "max_leaf_nodes",
                doc: "most leaves, those of the splits that gain most",
                accepts: Accepts::WordOrInteger { words: &["none"], min: 2 },
                default: Some("\"none\""),
                read_if: None,
            },
            Field {
                name: "class_weight",
                doc: "`balanced` makes up for classes of unequal size",
                accepts: Accepts::Choice(&["uniform", "balanced"]),
                default: Some("\"uniform\""),
                read_if: None,
            },
            $($more),*
        ]
    };
}
pub(super) use tree_fields;

/// The kind.
pub static DECISION_TREE: Kind = Kind {
    name: "decision_tree",
    doc: "decision tree (scikit-learn's DecisionTreeClassifier)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: tree_fields!(
        "\"all\"",
        Field {
            name: "engine",
            doc: "`native`, or `linfa` to compare with linfa-trees on small data",
            accepts: Accepts::Choice(&["native", "linfa"]),
            default: Some("\"native\""),
            read_if: None,
        },
    ),
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

/// A parameter that is a word or a whole number.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WordOrCount {
    Count(usize),
    Word(String),
}

impl WordOrCount {
    pub fn count(&self) -> Option<usize> {
        match self {
            WordOrCount::Count(count) => Some(*count),
            WordOrCount::Word(_) => None,
        }
    }
}

/// The parameters of [`tree_fields`].
#[derive(Deserialize)]
pub(super) struct TreeFields {
    criterion: Criterion,
    max_depth: WordOrCount,
    min_samples_split: usize,
    min_samples_leaf: usize,
    min_impurity_decrease: f64,
    max_features: WordOrCount,
    max_leaf_nodes: WordOrCount,
    class_weight: ClassWeight,
}

impl TreeFields {
    pub fn rules(self) -> TreeRules {
        TreeRules {
            criterion: self.criterion,
            max_depth: self.max_depth.count(),
            min_samples_split: self.min_samples_split,
            min_samples_leaf: self.min_samples_leaf,
            min_impurity_decrease: self.min_impurity_decrease,
            max_features: match self.max_features {
                WordOrCount::Count(count) => MaxFeatures::Count(count),
                WordOrCount::Word(word) => match word.as_str() {
                    "sqrt" => MaxFeatures::Sqrt,
                    "log2" => MaxFeatures::Log2,
                    _ => MaxFeatures::All,
                },
            },
            max_leaf_nodes: self.max_leaf_nodes.count(),
            class_weight: self.class_weight,
        }
    }
}

#[derive(Deserialize)]
struct DecisionTreeStage {
    #[serde(flatten)]
    tree: TreeFields,
    engine: String,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: DecisionTreeStage = typed(params);
    let engine = if stage.engine == "linfa" { Engine::Linfa } else { Engine::Native };
    let params = DecisionTreeParams::new().rules(stage.tree.rules()).engine(engine);
    Ok(Box::new(params.check()?))
}
