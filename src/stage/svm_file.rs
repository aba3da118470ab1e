//! `svm_file`: a support vector classifier fitted elsewhere, read from LIBSVM's text form.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::classify::DATA;
use super::{
    Accepts, Artifact, ArtifactType, Context, Field, FittedClassifier, FittedModel, Inputs, Kind,
    Output, Stage, StageError, TableView, TestScores, measure, object, test_digest, typed,
};
use crate::data::Features;
use crate::learn::svm::{Svc, SvcError};
use crate::learn::{Classifier, LearnError};
use crate::model::Link;

/// The kind.
pub static SVM_FILE: Kind = Kind {
    name: "svm_file",
    doc: "support vector classifier fitted elsewhere: a LIBSVM model file",
    version: 2,
    seeded: false,
    inputs: DATA,
    fields: &[Field {
        name: "path",
        doc: "model file of LIBSVM, of these features (pixels divided by 255) and classes from 0",
        accepts: Accepts::Text,
        default: None,
        read_if: None,
    }],
    cost_only: &[],
    produces: ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SvmFileStage {
    path: PathBuf,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<SvmFileStage>(params))
}

impl Stage for SvmFileStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let table = TableView::of(&inputs.one("data").artifact);
        let n_features = table.test.n_features();
        let svc =
            Svc::read_libsvm(&self.path, n_features, context.progress).map_err(LearnError::from)?;
        let n_classes = table.train_labels.iter().max().map_or(0, |&label| label + 1);
        if let Some(&found) = svc.classes().iter().find(|&&class| class >= n_classes) {
            let path = self.path.clone();
            let error = SvcError::UnknownClass { path, found, n_classes };
            return Err(LearnError::from(error).into());
        }
        // LIBSVM's files stand for real values.
        let (test, chain) = match table.test.as_ref() {
            Features::Bytes(pixels) => {
                let rows = pixels.mapv(|v| f32::from(v) / 255.0);
                (Cow::Owned(Features::Floats(rows)), table.chain.then(Link::Unit))
            }
            real => (Cow::Borrowed(real), table.chain.clone()),
        };
        let (predicted, predict) = measure(|| Classifier::predict(&svc, &test, context.progress));
        let scores = Classifier::scores(&svc, &test, context.progress)?;
        let model = FittedModel {
            family: table.family().to_owned(),
            input: table.description.to_owned(),
            n_features,
            network: table.network.to_owned(),
            model_bytes: svc.model_bytes(),
            details: svc.details(),
            tested_on: test_digest(table.test_labels),
            predicted: predicted?,
            scores: Some(TestScores::new(scores, n_classes)),
        };
        Ok(Output {
            artifact: Artifact::Classifier(FittedClassifier {
                chain,
                classifier: Arc::new(svc),
                model,
            }),
            // The file may change.
            reusable: false,
            notes: object(json!({ "predict_seconds": predict.seconds })),
        })
    }
}
