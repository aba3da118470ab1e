//! `svm_file`: a support vector classifier fitted elsewhere, read from LIBSVM's text form.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::classify::DATA;
use super::{
    Accepts, Artifact, ArtifactType, Context, Field, FittedClassifier, FittedModel, Inputs, Kind,
    Output, Stage, StageError, TableView, measure, object, test_digest, typed,
};
use crate::data::Features;
use crate::learn::svm::{Svc, SvcError};
use crate::learn::{Classifier, LearnError};

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
        let (predicted, predict) = measure(|| {
            let test = match table.test.as_ref() {
                Features::Bytes(pixels) => {
                    Cow::Owned(Features::Floats(pixels.mapv(|v| f32::from(v) / 255.0)))
                }
                real => Cow::Borrowed(real),
            };
            Classifier::predict(&svc, &test, context.progress)
        });
        let model = FittedModel {
            family: table.family().to_owned(),
            input: table.description.to_owned(),
            n_features,
            network: table.network.to_owned(),
            model_bytes: svc.model_bytes(),
            details: svc.details(),
            tested_on: test_digest(table.test_labels),
            predicted: predicted?,
        };
        Ok(Output {
            artifact: Artifact::Classifier(FittedClassifier { classifier: Box::new(svc), model }),
            // The file may change.
            reusable: false,
            notes: object(json!({ "predict_seconds": predict.seconds })),
        })
    }
}
