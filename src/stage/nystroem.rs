//! `nystroem`: features that approximate a kernel, from landmarks among the training rows.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::classify::DATA;
use super::svm::{WordOrNumber, gamma_of};
use super::{
    Accepts, Artifact, Condition, Context, FeatureTable, Field, Inputs, Kind, Output, Stage,
    StageError, TableView, measure, object, typed,
};
use crate::data::Features;
use crate::learn::LearnError;
use crate::learn::kernel_map::{KernelMapError, NystroemParams};
use crate::learn::svm::Kernel;

/// The kind.
pub static NYSTROEM: Kind = Kind {
    name: "nystroem",
    doc: "features whose products approximate a kernel, by Nyström's method",
    version: 1,
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
    Box::new(typed::<NystroemStage>(params))
}

impl Stage for NystroemStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let table = TableView::of(&inputs.one("data").artifact);
        let gamma = gamma_of(self.gamma.as_ref());
        let kernel = match self.kernel.as_str() {
            "linear" => Kernel::Linear,
            "poly" => Kernel::Polynomial { gamma, degree: self.degree, coef0: self.coef0 },
            _ => Kernel::Rbf { gamma },
        };
        let params = NystroemParams::new().kernel(kernel).n_components(self.n_components).check();
        let params = params.map_err(LearnError::from)?;
        let (map, fit) = measure(|| params.fit_with(&table.train, context.seed, context.progress));
        let map = map.map_err(LearnError::from)?;
        let transform = |rows: &_| map.transform_with(rows, context.progress);
        let description = format!("{}, nystroem {}", table.description, self.n_components);
        mapped(&table, description, fit.seconds, transform)
    }
}

/// The table of mapped rows.
pub(super) fn mapped(
    table: &TableView,
    description: String,
    fit_seconds: f64,
    transform: impl Fn(&Features) -> Result<ndarray::Array2<f32>, KernelMapError>,
) -> Result<Output, StageError> {
    let (train, train_cost) = measure(|| transform(&table.train));
    let (test, test_cost) = measure(|| transform(&table.test));
    let mapped = FeatureTable {
        train: Features::Floats(train.map_err(LearnError::from)?),
        test: Features::Floats(test.map_err(LearnError::from)?),
        train_labels: table.train_labels.clone(),
        test_labels: table.test_labels.clone(),
        description,
        network: table.network.to_owned(),
    };
    let notes = json!({
        "fit_seconds": fit_seconds,
        "extract_train_seconds": train_cost.seconds,
        "extract_test_seconds": test_cost.seconds,
    });
    Ok(Output { artifact: Artifact::Features(mapped), reusable: true, notes: object(notes) })
}
