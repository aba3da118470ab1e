//! The boosted classifier: votes, storage.

use std::any::Any;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::params::Algorithm;
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::input::check_rows;
use crate::learn::tree::DecisionTree;
use crate::learn::tree::leaves::largest;
use crate::learn::{Classifier, LearnError, Meaning, Scores, read_classifier};
use crate::progress::Progress;

/// Most features of a stored classifier.
const MAX_FEATURES: usize = 1 << 24;

/// A boosted classifier.
pub struct AdaBoost {
    pub(super) members: Vec<Member>,
    pub(super) report: AdaBoostReport,
}

/// One member and its vote.
pub(super) struct Member {
    pub classifier: Box<dyn Classifier>,
    /// Of its vote.
    pub weight: f64,
    /// Share of the weights of its round that it missed.
    pub error: f64,
}

/// What is known of the fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AdaBoostReport {
    pub algorithm: Algorithm,
    /// Kind of the members.
    pub learner: String,
    /// Members asked for.
    pub asked: usize,
    pub n_features: usize,
    /// Classes that occurred, ascending.
    pub classes: Vec<usize>,
}

impl AdaBoost {
    /// Number of members.
    pub fn n_members(&self) -> usize {
        self.members.len()
    }

    /// Weights of the members' votes.
    pub fn member_weights(&self) -> Vec<f64> {
        self.members.iter().map(|member| member.weight).collect()
    }

    /// Share of the weights of its round that each member missed.
    pub fn member_errors(&self) -> Vec<f64> {
        self.members.iter().map(|member| member.error).collect()
    }

    /// Mean of the importances of the members, weighted by their votes, `[n_features]`; none if they are
    /// no trees.
    pub fn feature_importances(&self) -> Option<Array1<f64>> {
        let mut sum = Array1::zeros(self.report.n_features);
        let mut total = 0.0;
        for member in &self.members {
            let tree = (member.classifier.as_ref() as &dyn Any).downcast_ref::<DecisionTree>()?;
            sum.scaled_add(member.weight, tree.feature_importances());
            total += member.weight;
        }
        Some(sum / total)
    }

    /// Weighted mean of the votes for each class that occurred, `[n_samples, n_classes]`, as
    /// scikit-learn's `decision_function` for more than two classes.
    ///
    /// # Errors
    /// Rows unlike those of the fit, an interruption, or what a member says.
    pub fn decision_function(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let features = check_rows(features, self.report.n_features)?;
        let classes = &self.report.classes;
        let n_classes = classes.len() as f64;
        let mut decisions = Array2::<f64>::zeros((features.n_samples(), classes.len()));
        for member in &self.members {
            match self.report.algorithm {
                Algorithm::Samme => {
                    let predicted = member.classifier.predict(&features, progress)?;
                    let against = -member.weight / (n_classes - 1.0);
                    for (mut line, label) in decisions.rows_mut().into_iter().zip(&predicted) {
                        for (decision, class) in line.iter_mut().zip(classes) {
                            *decision += if class == label { member.weight } else { against };
                        }
                    }
                }
                Algorithm::SammeR => {
                    let scores = member.classifier.scores(&features, progress)?;
                    if scores.meaning != Meaning::Probability {
                        let learner = self.report.learner.clone();
                        return Err(LearnError::NoProbabilities { learner });
                    }
                    let rows = decisions.rows_mut().into_iter().zip(scores.values.rows());
                    for (mut line, p) in rows {
                        let log = |&class: &usize| p[class].max(f64::EPSILON).ln();
                        let mean = classes.iter().map(log).sum::<f64>() / n_classes;
                        for (decision, class) in line.iter_mut().zip(classes) {
                            *decision += (n_classes - 1.0) * (log(class) - mean);
                        }
                    }
                }
            }
        }
        let sum: f64 = self.members.iter().map(|member| member.weight).sum();
        decisions.mapv_inplace(|decision| decision / sum);
        Ok(decisions)
    }

    /// The classifier that [`Classifier::to_tensors`] stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let report = file.document.get("report").cloned().unwrap_or_default();
        let report: AdaBoostReport =
            serde_json::from_value(report).map_err(|_| malformed("report of the classifier"))?;
        let stored: Vec<StoredMember> =
            serde_json::from_value(file.document.get("members").cloned().unwrap_or_default())
                .map_err(|_| malformed("members of the classifier"))?;
        let n_labels = report.classes.last().map_or(0, |&last| last + 1);
        let is_right = |member: &StoredMember| member.weight.is_finite() && member.weight > 0.0;
        let fits = !stored.is_empty()
            && (1..=MAX_FEATURES).contains(&report.n_features)
            && stored.iter().all(is_right)
            && report.classes.len() >= 2
            && report.classes.is_sorted_by(|a, b| a < b);
        if !fits {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        let mut members = Vec::with_capacity(stored.len());
        for (nth, StoredMember { weight, error, document }) in stored.into_iter().enumerate() {
            let mut part = file.take_prefixed(&prefix(nth));
            part.document = document;
            members.push(Member { classifier: read_classifier(part)?, weight, error });
        }
        // Members vote for labels by their columns.
        let one = Features::Bytes(Array2::zeros((1, report.n_features)));
        for member in &members {
            let found = member.classifier.scores(&one, &crate::progress::Silent)?.values.ncols();
            if found != n_labels {
                return Err(malformed("a member knows other classes").into());
            }
        }
        Ok(AdaBoost { members, report })
    }
}

/// A member as the document holds it; its tensors stand beside.
#[derive(Serialize, Deserialize)]
struct StoredMember {
    weight: f64,
    error: f64,
    document: Value,
}

fn prefix(nth: usize) -> String {
    format!("member_{nth}")
}

impl Classifier for AdaBoost {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        let winners = largest(&self.decision_function(features, progress)?);
        Ok(winners.mapv(|k| self.report.classes[k]))
    }

    /// Probabilities from the mean votes, `exp(d_k / (K - 1))` divided by their sum, as in
    /// scikit-learn.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let mut values = self.decision_function(features, progress)?;
        let n_others = values.ncols() as f64 - 1.0;
        for mut line in values.rows_mut() {
            let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            line.mapv_inplace(|decision| ((decision - largest) / n_others).exp());
            let sum = line.sum();
            line.mapv_inplace(|share| share / sum);
        }
        Ok(Scores::of_classes(&self.report.classes, &values, Meaning::Probability))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut members = Vec::with_capacity(self.members.len());
        let mut file = TensorFile::new(Value::Null);
        for (nth, member) in self.members.iter().enumerate() {
            let mut part = member.classifier.to_tensors();
            members.push(StoredMember {
                weight: member.weight,
                error: member.error,
                document: part.document.take(),
            });
            file.insert_prefixed(&prefix(nth), part);
        }
        file.document = json!({ "type": "adaboost", "report": self.report, "members": members });
        file
    }

    fn details(&self) -> Map<String, Value> {
        [
            ("algorithm", json!(self.report.algorithm)),
            ("learner", json!(self.report.learner)),
            ("n_estimators", json!(self.members.len())),
            ("member_weights", json!(self.member_weights())),
            ("member_errors", json!(self.member_errors())),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// Members that did not converge.
    fn warning(&self) -> Option<String> {
        let warned: Vec<String> =
            self.members.iter().filter_map(|member| member.classifier.warning()).collect();
        let first = warned.first()?;
        Some(format!("{} of {} members, such as: {first}", warned.len(), self.members.len()))
    }
}
