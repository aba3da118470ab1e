//! What all kinds that map rows share: fit a map on the training rows, map train and test.

use serde_json::{Map, Value, json};

use super::{
    Artifact, Context, FeatureTable, Foreseen, Inputs, Output, Stage, StageError, TableShape,
    TableView, measure, object,
};
use crate::learn::{LearnError, Samples, Transformer};
use crate::model::Link;
use crate::progress::{Part, Progress};

/// Fits a map with parameters that passed the check of its kind's fields.
pub(super) type FitTransformer = fn(
    &Map<String, Value>,
    Samples,
    u64,
    &dyn Progress,
) -> Result<Box<dyn Transformer>, LearnError>;

/// Features that a map will make of rows of this shape, where parameters tell.
pub(super) type CountOutputs = fn(&Map<String, Value>, &TableShape) -> Option<usize>;

/// The parameter `n_components`.
pub(super) fn n_components(params: &Map<String, Value>, _: &TableShape) -> Option<usize> {
    Some(params.get("n_components")?.as_u64()? as usize)
}

/// A stage that fits one map.
pub(super) struct Transform {
    fit: FitTransformer,
    n_outputs: CountOutputs,
    params: Map<String, Value>,
}

impl Transform {
    pub fn new(fit: FitTransformer, n_outputs: CountOutputs, params: &Map<String, Value>) -> Self {
        Transform { fit, n_outputs, params: params.clone() }
    }
}

impl Stage for Transform {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let table = TableView::of(&inputs.one("data").artifact);
        let samples = Samples { features: &table.train, labels: table.train_labels, weights: None };
        let part = |nth| Part::new(context.progress, nth, nth + 1, 3);
        let (fitted, fit) = measure(|| (self.fit)(&self.params, samples, context.seed, &part(0)));
        let transformer = fitted?;
        let (train, train_cost) = measure(|| transformer.transform(&table.train, &part(1)));
        let (test, test_cost) = measure(|| transformer.transform(&table.test, &part(2)));
        let mapped = FeatureTable {
            train: train?,
            test: test?,
            train_labels: table.train_labels.clone(),
            test_labels: table.test_labels.clone(),
            description: format!("{}, {}", table.description, transformer.label()),
            network: table.network.to_owned(),
            chain: table.chain.then(Link::Map(transformer)),
        };
        let notes = json!({
            "fit_seconds": fit.seconds,
            "extract_train_seconds": train_cost.seconds,
            "extract_test_seconds": test_cost.seconds,
        });
        Ok(Output { artifact: Artifact::Features(mapped), reusable: true, notes: object(notes) })
    }

    fn foresee_shape(&self, foreseen: &Foreseen) -> Option<TableShape> {
        let data = foreseen.shape("data")?;
        let n_features = (self.n_outputs)(&self.params, &data)?;
        Some(TableShape { n_features, is_bytes: false, image: None, ..data })
    }
}
