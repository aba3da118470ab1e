//! `svm`: a support vector classifier on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::svm::{ClassWeight, Engine, Gamma, Kernel, SvcParams};
use crate::learn::{LearnError, Learner};

/// The kind.
pub static SVM: Kind = Kind {
    name: "svm",
    doc: "support vector classifier, one-vs-one over classes",
    version: 3,
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
            name: "class_weight",
            doc: "factor of `c` by class: `balanced` is n_samples / (n_classes * samples of the class)",
            accepts: Accepts::Choice(&["none", "balanced"]),
            default: Some("\"none\""),
            read_if: None,
        },
        Field {
            name: "break_ties",
            doc: "break ties of votes by the summed decisions instead of the order of the classes",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
        },
        Field {
            name: "probability",
            doc: "also fit class probabilities, by five-fold cross-validation within each pair",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
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
            name: "cache_mib",
            doc: "memory for kernel values, MiB; `auto` is an eighth of what is free, 256 to 2048",
            accepts: Accepts::WordOrNumber { words: &["auto"], above: 0.0 },
            default: Some("\"auto\""),
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
    cost_only: &["cache_mib"],
    produces: super::ArtifactType::Classifier,
    build,
};

/// A parameter that is a word or a number.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WordOrNumber {
    Number(f64),
    Word(String),
}

/// A kernel coefficient; `scale` if there is none.
pub(super) fn gamma_of(param: Option<&WordOrNumber>) -> Gamma {
    match param {
        Some(WordOrNumber::Number(value)) => Gamma::Value(*value),
        Some(WordOrNumber::Word(word)) if word == "auto" => Gamma::Auto,
        _ => Gamma::Scale,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SvmStage {
    kernel: String,
    c: f64,
    gamma: Option<WordOrNumber>,
    #[serde(default)]
    degree: u32,
    #[serde(default)]
    coef0: f64,
    class_weight: String,
    break_ties: bool,
    probability: bool,
    tol: f64,
    max_iter: i64,
    cache_mib: WordOrNumber,
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
    let mut svc = SvcParams::new()
        .kernel(stage.kernel())
        .c(stage.c)
        .class_weight(match stage.class_weight.as_str() {
            "balanced" => ClassWeight::Balanced,
            _ => ClassWeight::Uniform,
        })
        .break_ties(stage.break_ties)
        .probability(stage.probability)
        .tol(stage.tol)
        .max_iter(u64::try_from(stage.max_iter).ok())
        .engine(if stage.engine == "linfa" { Engine::Linfa } else { Engine::Native });
    if let WordOrNumber::Number(mib) = stage.cache_mib {
        svc = svc.cache_mib(mib as usize);
    }
    Ok(Box::new(svc.check()?))
}

impl SvmStage {
    fn kernel(&self) -> Kernel {
        let gamma = gamma_of(self.gamma.as_ref());
        match self.kernel.as_str() {
            "linear" => Kernel::Linear,
            "poly" => Kernel::Polynomial { gamma, degree: self.degree, coef0: self.coef0 },
            "sigmoid" => Kernel::Sigmoid { gamma, coef0: self.coef0 },
            _ => Kernel::Rbf { gamma },
        }
    }
}
