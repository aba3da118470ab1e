//! `nystroem`: features that approximate a kernel, from landmarks among the training rows.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::DATA;
use super::svm::{WordOrNumber, gamma_of};
use super::transform::{Transform, n_components};
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::kernel_map::NystroemParams;
use crate::learn::svm::Kernel;
use crate::learn::{LearnError, Samples, Transformer};
use crate::progress::Progress;

/// The kind.
pub static NYSTROEM: Kind = Kind {
    name: "nystroem",
    doc: "features whose products approximate a kernel, by Nyström's method",
    version: 2,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_components",
            doc: "landmarks drawn from the training rows, and features made",
            accepts: Accepts::Integer { min: 1, max: 20_000 },
            default: Some("1000"),
            read_if: None,
        },
        Field {
            name: "kernel",
            doc: "kernel to approximate",
            accepts: Accepts::Choice(&["rbf", "poly", "linear"]),
            default: Some("\"rbf\""),
            read_if: None,
        },
        Field {
            name: "gamma",
            doc: "kernel coefficient: `scale` is 1 / (n_features * variance), `auto` 1 / n_features",
            accepts: Accepts::WordOrNumber { words: &["scale", "auto"], above: 0.0 },
            default: Some("\"scale\""),
            read_if: Some(Condition { field: "kernel", is_one_of: &["rbf", "poly"] }),
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
            doc: "constant term of the polynomial",
            accepts: Accepts::Number { min: 0.0, max: 1e6, above_min: false },
            default: Some("1.0"),
            read_if: Some(Condition { field: "kernel", is_one_of: &["poly"] }),
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NystroemStage {
    n_components: usize,
    kernel: String,
    gamma: Option<WordOrNumber>,
    #[serde(default)]
    degree: u32,
    #[serde(default)]
    coef0: f64,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Transform::new(fit, n_components, params))
}

fn fit(
    params: &Map<String, Value>,
    samples: Samples,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Box<dyn Transformer>, LearnError> {
    let stage: NystroemStage = typed(params);
    let gamma = gamma_of(stage.gamma.as_ref());
    let kernel = match stage.kernel.as_str() {
        "linear" => Kernel::Linear,
        "poly" => Kernel::Polynomial { gamma, degree: stage.degree, coef0: stage.coef0 },
        _ => Kernel::Rbf { gamma },
    };
    let params = NystroemParams::new().kernel(kernel).n_components(stage.n_components).check()?;
    Ok(Box::new(params.fit_with(samples.features, seed, progress)?))
}
