//! `svm`: a support vector classifier on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Accepts, Artifact, ArtifactType, Condition, Context, Field, FittedClassifier, FittedModel,
    InputSpec, Inputs, Kind, Output, Stage, StageError, TableView, measure, typed,
};
use crate::learn::svm::{Engine, Gamma, Kernel, SvcParams};

/// The kind.
pub static SVM: Kind = Kind {
    name: "svm",
    doc: "support vector classifier, one-vs-one over classes",
    version: 1,
    seeded: false,
    inputs: &[InputSpec {
        name: "data",
        accepts: &[ArtifactType::Dataset, ArtifactType::Features],
        many: false,
        doc: "a data set (its raw pixels) or features",
    }],
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
    produces: ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(untagged)]
enum GammaParam {
    Value(f64),
    Word(String),
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
    Box::new(typed::<SvmStage>(params))
}

impl SvmStage {
    fn kernel(&self) -> Kernel {
        let gamma = match &self.gamma {
            Some(GammaParam::Value(value)) => Gamma::Value(*value),
            Some(GammaParam::Word(word)) if word == "auto" => Gamma::Auto,
            _ => Gamma::Scale,
        };
        match self.kernel.as_str() {
            "linear" => Kernel::Linear,
            "poly" => Kernel::Polynomial { gamma, degree: self.degree, coef0: self.coef0 },
            "sigmoid" => Kernel::Sigmoid { gamma, coef0: self.coef0 },
            _ => Kernel::Rbf { gamma },
        }
    }
}

impl Stage for SvmStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let table = TableView::of(&inputs.one("data").artifact);
        let params = SvcParams::new()
            .kernel(self.kernel())
            .c(self.c)
            .tol(self.tol)
            .max_iter(u64::try_from(self.max_iter).ok())
            .engine(if self.engine == "linfa" { Engine::Linfa } else { Engine::Native })
            .check()?;
        let (fitted, fit) =
            measure(|| params.fit_with(&table.train, table.train_labels, context.progress));
        let svc = fitted?;
        let (predicted, predict) =
            measure(|| svc.predict_labels_with(table.test.as_ref(), context.progress));
        let predicted = predicted?;
        let report = svc.report();
        if !report.converged {
            context.progress.warn("the support vector machine did not converge within max_iter");
        }
        let details = json!({
            "kernel": self.kernel,
            "c": self.c,
            "gamma": report.gamma,
            "n_support": report.n_support,
            "n_iterations": report.n_iterations,
            "max_kkt_gap": report.max_kkt_gap,
            "objective": report.objective,
            "converged": report.converged,
            "engine": self.engine,
        });
        let model = FittedModel {
            family: table.family().to_owned(),
            input: table.description.to_owned(),
            n_features: table.train.n_features(),
            network: table.network.map(str::to_owned).unwrap_or_default(),
            model_bytes: svc.model_bytes(),
            details: super::object(details),
            predicted,
        };
        let notes = json!({
            "fit_seconds": fit.seconds,
            "fit_cpu_seconds": fit.cpu_seconds,
            "predict_seconds": predict.seconds,
            "details": {
                "kernel_evaluations": report.kernel_evaluations,
                "cache_hit_rate": report.cache_hit_rate,
            },
        });
        Ok(Output {
            artifact: Artifact::Classifier(FittedClassifier { svc, model }),
            reusable: true,
            notes: super::object(notes),
        })
    }
}
