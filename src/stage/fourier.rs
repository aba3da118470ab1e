//! `fourier`: random features that approximate the radial kernel.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::DATA;
use super::nystroem::mapped;
use super::svm::{WordOrNumber, gamma_of};
use super::{
    Accepts, Context, Field, Inputs, Kind, Output, Stage, StageError, TableView, measure, typed,
};
use crate::learn::LearnError;
use crate::learn::kernel_map::FourierParams;

/// The kind.
pub static FOURIER: Kind = Kind {
    name: "fourier",
    doc: "random Fourier features of the radial kernel (Rahimi and Recht, 2007)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_components",
            doc: "features made",
            accepts: Accepts::Integer { min: 1, max: 100_000 },
            default: Some("1000"),
            read_if: None,
        },
        Field {
            name: "gamma",
            doc: "kernel coefficient: `scale` is 1 / (n_features * variance), `auto` 1 / n_features",
            accepts: Accepts::WordOrNumber { words: &["scale", "auto"], above: 0.0 },
            default: Some("\"scale\""),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FourierStage {
    n_components: usize,
    gamma: WordOrNumber,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<FourierStage>(params))
}

impl Stage for FourierStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let table = TableView::of(&inputs.one("data").artifact);
        let gamma = gamma_of(Some(&self.gamma));
        let params = FourierParams::new().gamma(gamma).n_components(self.n_components).check();
        let params = params.map_err(LearnError::from)?;
        let (map, fit) = measure(|| params.fit_with(&table.train, context.seed));
        let map = map.map_err(LearnError::from)?;
        let transform = |rows: &_| map.transform_with(rows, context.progress);
        let description = format!("{}, fourier {}", table.description, self.n_components);
        mapped(&table, description, fit.seconds, transform)
    }
}
