//! Joins what an evaluation found with titles and costs, by stage name.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::config::Pipeline;
use crate::engine::{StageJournal, Status};
use crate::report::{
    AxesCard, Comparison, EvaluationRecord, MatrixCell, ModelResult, NetworkCard, Results,
    RobustnessCard, RunOutput, SCHEMA, ScatterCard, StageRecord, StageStatus, compare_over_seeds,
    summarise,
};
use crate::stage::{ArtifactType, EvaluatedModel, EvaluatedNetwork, Evaluation};

/// What is known of a run besides its evaluation.
pub struct RunFacts<'a> {
    pub pipeline: &'a Pipeline,
    pub journal: &'a [StageJournal],
    pub run: String,
    pub started: jiff::Timestamp,
    pub threads: usize,
    pub machine: Map<String, Value>,
    pub run_toml: String,
}

/// The output of a run, from its evaluations (at least one) by stage.
///
/// A model that several evaluate is shown once, as the first has it: they all judge it by the same
/// images.
pub fn assemble(
    facts: RunFacts,
    evaluations: &[(&str, &Evaluation)],
    robustness: Vec<RobustnessCard>,
) -> RunOutput {
    let pipeline = facts.pipeline;
    let costs = Costs {
        pipeline,
        journal: facts.journal.iter().map(|stage| (stage.id.as_str(), stage)).collect(),
    };
    let label = |id: &str| pipeline.stage(id).map_or(id, |stage| stage.label()).to_owned();
    let (mut models, mut misclassified) = (Vec::<ModelResult>::new(), Vec::new());
    let (mut networks, mut comparisons) = (Vec::<NetworkCard>::new(), Vec::<Comparison>::new());
    let mut axes = Vec::<AxesCard>::new();
    let mut why = Vec::new();
    let (mut scatters, mut scores) = (Vec::<ScatterCard>::new(), Vec::new());
    let mut disagreements = Vec::new();
    for (id, evaluation) in evaluations {
        why.extend(evaluation.why.clone().map(|card| ((*id).to_owned(), card)));
        for card in &evaluation.scatters {
            if scatters.iter().all(|known| known.id != card.id) {
                scatters.push(card.clone());
            }
        }
        if let Some(found) = &evaluation.disagreements {
            disagreements.push(((*id).to_owned(), found.clone()));
        }
        for card in &evaluation.axes {
            if axes.iter().all(|known| known.id != card.id) {
                axes.push(card.clone());
            }
        }
        for model in &evaluation.models {
            if models.iter().all(|known| known.id != model.id) {
                models.push(costs.model_result(id, model));
                misclassified.push((model.id.clone(), model.misclassified.clone()));
                scores.extend(model.scores.clone().map(|of| (model.id.clone(), of)));
            }
        }
        for network in &evaluation.networks {
            if networks.iter().all(|known| known.id != network.id) {
                networks.push(costs.network_card(network));
            }
        }
        for pair in &evaluation.comparisons {
            if !comparisons.contains(pair) {
                comparisons.push(pair.clone());
            }
        }
    }
    costs.mark_series(&mut models);
    let seeds = pipeline.seeds();
    let split_seed = |id: &str| match pipeline.stage(id) {
        Some(stage) => (stage.base().to_owned(), stage.own_seed()),
        None => (id.to_owned(), None),
    };
    let (summaries, seed_comparisons) = match seeds.is_empty() {
        true => (Vec::new(), Vec::new()),
        false => (summarise(&models, &split_seed), compare_over_seeds(&comparisons, &split_seed)),
    };
    let (_, first) = evaluations[0];
    let results = Results {
        schema: SCHEMA,
        pipeline: pipeline.name.clone(),
        run: facts.run,
        dataset: first.dataset.clone(),
        evaluations: evaluations
            .iter()
            .map(|(id, evaluation)| EvaluationRecord {
                id: (*id).to_owned(),
                title: label(&evaluation.data),
                data: evaluation.data.clone(),
                dataset: evaluation.dataset.clone(),
                tested_on: evaluation.tested_on.clone(),
            })
            .collect(),
        seed: pipeline.seed,
        threads: facts.threads,
        machine: facts.machine,
        stages: facts.journal.iter().map(|stage| stage_record(stage, pipeline)).collect(),
        models,
        comparisons,
        seeds,
        summaries,
        seed_comparisons,
        robustness: robustness.iter().map(|card| card.record.clone()).collect(),
    };
    RunOutput {
        results,
        title: pipeline.title.clone(),
        started: facts.started.as_millisecond() as f64 / 1000.0,
        networks,
        samples: first.samples.clone(),
        axes,
        why,
        robustness,
        misclassified,
        scores,
        disagreements,
        scatters,
        run_toml: facts.run_toml,
    }
}

fn stage_record(stage: &StageJournal, pipeline: &Pipeline) -> StageRecord {
    let declared = pipeline.stage(&stage.id);
    let inputs = declared.map_or(&[][..], |declared| &declared.inputs);
    StageRecord {
        inputs: inputs.iter().flat_map(|(_, ids)| ids).cloned().collect(),
        params: declared.map(|declared| declared.params.clone()).unwrap_or_default(),
        id: stage.id.clone(),
        kind: stage.kind.to_owned(),
        status: match stage.status {
            Status::Ran => StageStatus::Ran,
            Status::Cached => StageStatus::Cached,
        },
        seconds: stage.cost.seconds,
        cpu_seconds: stage.cost.cpu_seconds,
        peak_rss_bytes: stage.cost.peak_rss_bytes,
        digest: stage.digest.clone(),
    }
}

/// Costs by stage.
struct Costs<'a> {
    pipeline: &'a Pipeline,
    journal: HashMap<&'a str, &'a StageJournal>,
}

impl<'a> Costs<'a> {
    fn note(&self, id: &str, name: &str) -> Option<&'a Value> {
        self.journal.get(id)?.cost.notes.get(name)
    }

    fn seconds(&self, id: &str, note: &str) -> f64 {
        self.note(id, note).and_then(Value::as_f64).unwrap_or_default()
    }

    fn network_card(&self, network: &EvaluatedNetwork) -> NetworkCard {
        let seconds = self.note(&network.id, "epoch_seconds").and_then(Value::as_array);
        let mut history = network.history.clone();
        for (epoch, seconds) in history.iter_mut().zip(seconds.into_iter().flatten()) {
            epoch.seconds = seconds.as_f64().unwrap_or_default();
        }
        NetworkCard {
            id: network.id.clone(),
            architecture: network.architecture.clone(),
            layers: network.layers.clone(),
            history,
            best_epoch: network.best_epoch,
        }
    }

    /// The stages between a model and the images: features, networks. Not the data, not itself.
    fn behind(&self, id: &str) -> Vec<&'a str> {
        let mut found = Vec::new();
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            let inputs = self.pipeline.stage(next).map(|stage| stage.inputs.as_slice());
            for input in inputs.into_iter().flatten().flat_map(|(_, ids)| ids) {
                let makes = self.pipeline.stage(input).map(|stage| stage.kind.produces);
                if makes != Some(ArtifactType::Dataset) && !found.contains(&input.as_str()) {
                    found.push(input.as_str());
                    open.push(input);
                }
            }
        }
        found
    }

    /// Whether a stage of `kind` is among the ancestors of a stage.
    fn stands_on(&self, id: &str, kind: &str) -> bool {
        let Some(stage) = self.pipeline.stage(id) else { return false };
        let mut inputs = stage.inputs.iter().flat_map(|(_, ids)| ids);
        stage.kind.name == kind || inputs.any(|input| self.stands_on(input, kind))
    }

    /// Models of the same kind, parameters, input and test images on different numbers of training
    /// rows are a series; copies of rows are no more rows.
    fn mark_series(&self, models: &mut [ModelResult]) {
        let same = |one: &ModelResult, other: &ModelResult| {
            let declared = |model: &ModelResult| {
                self.pipeline.stage(&model.id).map(|stage| (stage.kind.name, &stage.params))
            };
            let reads = |model: &'_ ModelResult| {
                (model.evaluation.clone(), model.input.clone(), model.n_features)
            };
            let is_copied = |model: &ModelResult| self.stands_on(&model.id, "augment");
            declared(one) == declared(other)
                && reads(one) == reads(other)
                && is_copied(one) == is_copied(other)
        };
        let names: Vec<Option<String>> = models
            .iter()
            .map(|model| {
                let others: Vec<&ModelResult> =
                    models.iter().filter(|other| same(model, other)).collect();
                let differ = others.iter().any(|other| other.n_train != model.n_train);
                differ.then(|| common_start(others.iter().map(|other| other.title.as_str())))
            })
            .collect();
        for (model, name) in models.iter_mut().zip(names) {
            model.series = name;
        }
    }

    /// Fit cost is the model's own; `total_fit_seconds` in the details adds the network and the
    /// features it stands on. Predicting goes from pixels to labels, features included.
    fn model_result(&self, evaluation: &str, model: &EvaluatedModel) -> ModelResult {
        let EvaluatedModel { id, model: fitted, metrics, scores, .. } = model;
        let ranking = scores.as_ref().and_then(|of| of.ranking.as_ref());
        let calibration = scores.as_ref().and_then(|of| of.calibration.as_ref());
        let behind = self.behind(id);
        let sum = |note: &str| behind.iter().map(|id| self.seconds(id, note)).sum::<f64>();
        let fit_seconds = self.seconds(id, "fit_seconds");
        let own_predict_seconds = self.seconds(id, "predict_seconds");
        let mut details = fitted.details.clone();
        if let Some(Value::Object(more)) = self.note(id, "details") {
            details.extend(more.clone());
        }
        if !behind.is_empty() {
            let total = fit_seconds + sum("fit_seconds") + sum("extract_train_seconds");
            details.insert("total_fit_seconds".into(), json!(total));
            details.insert("head_predict_seconds".into(), json!(own_predict_seconds));
        }
        let stage = self.journal.get(id.as_str());
        let declared = self.pipeline.stage(id);
        ModelResult {
            id: id.clone(),
            title: declared.map_or(id.as_str(), |stage| stage.label()).to_owned(),
            evaluation: evaluation.to_owned(),
            family: fitted.family.clone(),
            input: fitted.input.clone(),
            n_features: fitted.n_features,
            n_train: stage.and_then(|stage| {
                stage.cost.inputs.iter().find_map(|(_, shape)| Some(shape.as_ref()?.n_train))
            }),
            series: None,
            reported: declared.and_then(|stage| stage.reported),
            cell: declared
                .and_then(|stage| stage.cell.as_ref())
                .map(|cell| MatrixCell { row: cell.row.clone(), column: cell.column.clone() }),
            accuracy: metrics.accuracy,
            accuracy_ci95: metrics.accuracy_ci95,
            macro_precision: metrics.macro_average.precision,
            macro_recall: metrics.macro_average.recall,
            macro_f1: metrics.macro_average.f1,
            weighted_precision: metrics.weighted_average.precision,
            weighted_recall: metrics.weighted_average.recall,
            weighted_f1: metrics.weighted_average.f1,
            per_class: metrics.per_class.clone(),
            confusion: metrics.confusion.clone(),
            auc_macro: ranking.map(|of| of.auc_macro),
            average_precision_macro: ranking.map(|of| of.average_precision_macro),
            ece: calibration.map(|of| of.ece),
            brier: calibration.map(|of| of.brier),
            log_loss: calibration.map(|of| of.log_loss),
            fit_seconds,
            fit_cpu_seconds: self.seconds(id, "fit_cpu_seconds"),
            predict_seconds: own_predict_seconds + sum("extract_test_seconds"),
            model_bytes: fitted.model_bytes,
            peak_rss_bytes: stage.and_then(|stage| stage.cost.peak_rss_bytes),
            details,
        }
    }
}

/// What titles begin with in common, without the number or mark that it may end in: `SVM (RBF)` of
/// `SVM (RBF), 1,000` and `SVM (RBF), 10,000`.
fn common_start<'t>(titles: impl Iterator<Item = &'t str>) -> String {
    let shared = |one: &str, other: &str| -> String {
        one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    };
    let start = titles.map(str::to_owned).reduce(|one, other| shared(&one, &other));
    let is_tail = |c: char| c.is_ascii_digit() || c.is_whitespace() || ",.:;·-(".contains(c);
    start.unwrap_or_default().trim_end_matches(is_tail).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_named_by_what_its_titles_share() {
        let of = |titles: &[&str]| common_start(titles.iter().copied());
        assert_eq!(of(&["SVM (RBF), 1,000", "SVM (RBF), 10,000"]), "SVM (RBF)");
        assert_eq!(of(&["a", "b"]), "");
    }
}
