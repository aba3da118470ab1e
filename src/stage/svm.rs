//! `svm`: a support vector classifier on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::svm::{Engine, Gamma, Kernel, SvcParams};
use crate::learn::{LearnError, Learner};

/// The kind.
pub static SVM: Kind = Kind {
    name: "svm",
    doc: "support vector classifier, one-vs-one over classes",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[
        Field {
            name: "kernel",
            doc: "kernel function, as scikit-learn defines it",
            accepts: Accepts::Choice(&["linear", "rbf", "poly", "sigmoid"]),
            default: Some("\"rbf\""),
            read_if: None,
        },
        Field {
            name: "c",
            doc: "penalty of a margin violation",
            accepts: Accepts::Number { min: 0.0, max: 1e12, above_min: true },
            default: Some("1.0"),
            read_if: None,
        },
        Field {
            name: "gamma",
            doc: "kernel coefficient: `scale` is 1 / (n_features * variance), `auto` 1 / n_features",
            accepts: Accepts::WordOrNumber { words: &["scale", "auto"], above: 0.0 },
            default: Some("\"scale\""),
            read_if: Some(Condition { field: "kernel", is_one_of: &["rbf", "poly", "sigmoid"] }),
        },
        Field {
            name: "degree",
            doc: "degree of the polynomial",
            accepts: Accepts::Integer { min: 1, max: 20 },
            default: Some("3"),
            read_if: Some(Condition { field: "kernel", is_one_of: &["poly"] }),
        },
        Field {
            name: "coef0",
            doc: "constant term of the kernel",
            accepts: Accepts::Number { min: -1e6, max: 1e6, above_min: false },
            default: Some("0.0"),
            read_if: Some(Condition { field: "kernel", is_one_of: &["poly", "sigmoid"] }),
        },
        Field {
            name: "tol",
            doc: "largest violation of the optimality conditions at which fitting ends",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: true },
            default: Some("0.001"),
            read_if: None,
        },
        Field {
            name: "max_iter",
            doc: "most iterations per pair of classes; -1 for no limit",
            accepts: Accepts::Integer { min: -1, max: 1_000_000_000_000 },
            default: Some("-1"),
            read_if: None,
        },
        Field {
            name: "engine",
            doc: "`native`, or `linfa` to compare with linfa-svm on small data",
            accepts: Accepts::Choice(&["native", "linfa"]),
            default: Some("\"native\""),
            read_if: None,
        },
    ],
    produces: super::ArtifactType::Classifier,
    build,
};

/// A kernel coefficient as a word or a number.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum GammaParam {
    Value(f64),
    Word(String),
}

impl GammaParam {
    /// `scale` if there is none.
    pub fn gamma(param: Option<&GammaParam>) -> Gamma {
        match param {
            Some(GammaParam::Value(value)) => Gamma::Value(*value),
            Some(GammaParam::Word(word)) if word == "auto" => Gamma::Auto,
            _ => Gamma::Scale,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SvmStage {
    kernel: String,
    c: f64,
    gamma: Option<GammaParam>,
    #[serde(default)]
    degree: u32,
    #[serde(default)]
    coef0: f64,
    tol: f64,
    max_iter: i64,
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
    let stage: SvmStage = typed(params);
    let params = SvcParams::new()
        .kernel(stage.kernel())
        .c(stage.c)
        .tol(stage.tol)
        .max_iter(u64::try_from(stage.max_iter).ok())
        .engine(if stage.engine == "linfa" { Engine::Linfa } else { Engine::Native })
        .check()?;
    Ok(Box::new(params))
}

impl SvmStage {
    fn kernel(&self) -> Kernel {
        let gamma = GammaParam::gamma(self.gamma.as_ref());
        match self.kernel.as_str() {
            "linear" => Kernel::Linear,
            "poly" => Kernel::Polynomial { gamma, degree: self.degree, coef0: self.coef0 },
            "sigmoid" => Kernel::Sigmoid { gamma, coef0: self.coef0 },
            _ => Kernel::Rbf { gamma },
        }
    }
}
