//! What all kinds that fit a classical learner share: fit on a table, predict its test rows.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Artifact, ArtifactType, BuildLearner, Context, FittedClassifier, FittedModel, Forecast,
    Foreseen, InputSpec, Inputs, Output, PastRun, Stage, StageError, TableView, TestScores,
    forecast, measure, object, test_digest,
};
use crate::learn::Samples;

/// The input of a learner's kind.
pub(super) const DATA: &[InputSpec] = &[InputSpec {
    name: "data",
    accepts: &[ArtifactType::Dataset, ArtifactType::Features],
    many: false,
    required: true,
    doc: "a data set (its raw pixels) or features",
}];

/// A stage that fits one learner.
pub(super) struct Classify {
    learner: BuildLearner,
    params: Map<String, Value>,
}

impl Classify {
    pub fn new(learner: BuildLearner, params: &Map<String, Value>) -> Self {
        Classify { learner, params: params.clone() }
    }
}

impl Stage for Classify {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let table = TableView::of(&inputs.one("data").artifact);
        let learner = (self.learner)(&self.params)?;
        let samples = Samples { features: &table.train, labels: table.train_labels, weights: None };
        let (fitted, fit) = measure(|| learner.fit(samples, context.seed, context.progress));
        let classifier = fitted?;
        let (predicted, predict) = measure(|| classifier.predict(&table.test, context.progress));
        let scores = classifier.scores(&table.test, context.progress)?;
        if let Some(warning) = classifier.warning() {
            context.progress.warn(&warning);
        }
        let model = FittedModel {
            family: table.family().to_owned(),
            input: table.description.to_owned(),
            n_features: table.train.n_features(),
            network: table.network.to_owned(),
            model_bytes: classifier.model_bytes(),
            details: classifier.details(),
            tested_on: test_digest(table.test_labels),
            predicted: predicted?,
            scores: Some(TestScores::new(scores, table.n_classes())),
        };
        let notes = json!({
            "fit_seconds": fit.seconds,
            "fit_cpu_seconds": fit.cpu_seconds,
            "predict_seconds": predict.seconds,
            "details": classifier.notes(),
        });
        Ok(Output {
            artifact: Artifact::Classifier(FittedClassifier {
                chain: table.chain,
                classifier: Arc::from(classifier),
                model,
            }),
            reusable: true,
            notes: object(notes),
        })
    }

    fn foresee_cost(&self, foreseen: &Foreseen, past: &[PastRun]) -> Option<Forecast> {
        forecast::of_learner(self.learner, &self.params, foreseen, past)
    }
}
