//! `random_forest` and `extra_trees`: forests of decision trees on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::decision_tree::{TreeFields, tree_fields};
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::forest::{ForestKind, ForestParams};
use crate::learn::{LearnError, Learner};

macro_rules! forest_fields {
    ($bootstrap:literal) => {
        tree_fields!(
            "\"sqrt\"",
            Field {
                name: "n_estimators",
                doc: "number of trees",
                accepts: Accepts::Integer { min: 1, max: 1_000_000 },
                default: Some("100"),
                read_if: None,
            },
            Field {
                name: "bootstrap",
                doc: "whether each tree grows on rows drawn with replacement",
                accepts: Accepts::Boolean,
                default: Some($bootstrap),
                read_if: None,
            },
            Field {
                name: "max_samples",
                doc: "draws for each tree as a share of the rows",
                accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: true },
                default: Some("1.0"),
                read_if: Some(Condition { field: "bootstrap", is_one_of: &["true"] }),
            },
            Field {
                name: "oob_score",
                doc: "also judge the forest by the rows that its trees did not draw",
                accepts: Accepts::Boolean,
                default: Some("false"),
                read_if: Some(Condition { field: "bootstrap", is_one_of: &["true"] }),
            },
        )
    };
}

/// The kind of random forests.
pub static RANDOM_FOREST: Kind = Kind {
    name: "random_forest",
    doc: "random forest (scikit-learn's RandomForestClassifier)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: forest_fields!("true"),
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build: |params| Box::new(Classify::new(random_forest, params)) as Box<dyn Stage>,
};

/// The kind of extra trees.
pub static EXTRA_TREES: Kind = Kind {
    name: "extra_trees",
    doc: "extremely randomised trees (scikit-learn's ExtraTreesClassifier)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: forest_fields!("false"),
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build: |params| Box::new(Classify::new(extra_trees, params)) as Box<dyn Stage>,
};

#[derive(Deserialize)]
struct ForestStage {
    #[serde(flatten)]
    tree: TreeFields,
    n_estimators: usize,
    bootstrap: bool,
    max_samples: Option<f64>,
    #[serde(default)]
    oob_score: bool,
}

/// The learner of a `random_forest` stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn random_forest(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    learner(ForestKind::RandomForest, params)
}

/// The learner of an `extra_trees` stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn extra_trees(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    learner(ForestKind::ExtraTrees, params)
}

fn learner(kind: ForestKind, params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: ForestStage = typed(params);
    let params = ForestParams::new(kind)
        .rules(stage.tree.rules())
        .n_estimators(stage.n_estimators)
        .bootstrap(stage.bootstrap)
        .max_samples(stage.max_samples.unwrap_or(1.0))
        .oob_score(stage.oob_score);
    Ok(Box::new(params.check()?))
}
