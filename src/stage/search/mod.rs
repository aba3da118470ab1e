//! `search`: the best of several sets of a learner's parameters, by cross-validation on the
//! training rows, fitted on all of them.

mod space;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use space::{Distribution, MAX_CANDIDATES};

use super::classify::DATA;
use super::{
    Accepts, Artifact, ArtifactType, BuildLearner, Condition, Context, Field, FittedClassifier,
    FittedModel, Inputs, Kind, LEARNERS, Output, Stage, StageError, TableView, TestScores, measure,
    object, test_digest, typed,
};
use crate::learn::model_selection::{Candidate, FoldScore, Folds, SearchOutcome, Strategy, search};
use crate::learn::{LearnError, Samples};
use crate::progress::Part;
use crate::report::{CandidateRecord, SearchRecord, SearchRound, SearchTimes};

/// The kind.
pub static SEARCH: Kind = Kind {
    name: "search",
    doc: "the best of several sets of a learner's parameters, by cross-validation",
    version: 2,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "learner",
            doc: "kind whose parameters are searched",
            accepts: Accepts::ChoiceOf(learners),
            default: None,
            read_if: None,
        },
        Field {
            name: "strategy",
            doc: "`grid`: every combination; `random`: some of them, or draws from distributions; \
                  `halving`: few rows at first, the best go on to more",
            accepts: Accepts::Choice(&["grid", "random", "halving"]),
            default: Some("\"grid\""),
            read_if: None,
        },
        Field {
            name: "grid",
            doc: "values to try by parameter: `{ c = [0.1, 1, 10] }`, or for strategies other than \
                  `grid` a distribution: `{ c = { log_uniform = [0.01, 100] } }` or `uniform`",
            accepts: Accepts::Grid {
                lists_only_if: Condition { field: "strategy", is_one_of: &["grid"] },
            },
            default: None,
            read_if: None,
        },
        Field {
            name: "params",
            doc: "the learner's other parameters",
            accepts: Accepts::Fixed { grid: Some("grid"), defaults: &[] },
            default: Some("{}"),
            read_if: None,
        },
        Field {
            name: "n_candidates",
            doc: "candidates to draw; strategy `halving` takes all where only lists are given",
            accepts: Accepts::Integer { min: 1, max: MAX_CANDIDATES as i64 },
            default: Some("10"),
            read_if: Some(Condition { field: "strategy", is_one_of: &["random", "halving"] }),
        },
        Field {
            name: "factor",
            doc: "one in so many candidates goes on to so many times the rows",
            accepts: Accepts::Integer { min: 2, max: 100 },
            default: Some("3"),
            read_if: Some(Condition { field: "strategy", is_one_of: &["halving"] }),
        },
        Field {
            name: "folds",
            doc: "parts of the training rows, each held out once",
            accepts: Accepts::Integer { min: 2, max: 1000 },
            default: Some("5"),
            read_if: None,
        },
        Field {
            name: "stratified",
            doc: "the same share of every class in each fold",
            accepts: Accepts::Boolean,
            default: Some("true"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Classifier,
    build,
};

pub(super) fn learners() -> Vec<String> {
    LEARNERS.iter().map(|(kind, _)| kind.name.to_owned()).collect()
}

/// The kind that a stage of these parameters searches, if it searches one.
pub fn searched_learner(params: &Map<String, Value>) -> Option<&'static Kind> {
    named_learner(params.get("learner")?.as_str()?).map(|(kind, _)| kind)
}

pub(super) fn named_learner(name: &str) -> Option<(&'static Kind, BuildLearner)> {
    LEARNERS.iter().copied().find(|(kind, _)| kind.name == name)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchStage {
    learner: String,
    strategy: String,
    grid: Map<String, Value>,
    params: Map<String, Value>,
    #[serde(default)]
    n_candidates: usize,
    #[serde(default)]
    factor: usize,
    folds: usize,
    stratified: bool,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<SearchStage>(params))
}

impl Stage for SearchStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let (kind, learner) = named_learner(&self.learner)
            .unwrap_or_else(|| panic!("learner `{}` was not checked", self.learner));
        let params = self.candidates(kind, context.seed);
        let candidates: Vec<Candidate> = params
            .iter()
            .map(|params| Ok(Candidate { name: self.name(params), learner: learner(params)? }))
            .collect::<Result<_, StageError>>()?;
        let table = TableView::of(&inputs.one("data").artifact);
        let samples = Samples { features: &table.train, labels: table.train_labels, weights: None };
        let folds = self.folds(samples, context.seed)?;
        let strategy = match self.strategy.as_str() {
            "halving" => Strategy::Halving { factor: self.factor },
            _ => Strategy::Exhaustive,
        };
        // The search is all but one fit of the work.
        let n_fits = candidates.len() * self.folds;
        let searching = Part::new(context.progress, 0, n_fits, n_fits + 1);
        let (found, cost) =
            measure(|| search(&candidates, strategy, samples, &folds, context.seed, &searching));
        let found = found?;
        let best = &candidates[found.best];
        let refitting = Part::new(context.progress, n_fits, n_fits + 1, n_fits + 1)
            .with_note(format!("fitting the best on all rows ({})", best.name));
        let (fitted, fit) = measure(|| best.learner.fit(samples, context.seed, &refitting));
        let classifier = fitted?;
        let (predicted, predict) = measure(|| classifier.predict(&table.test, &refitting.at_end()));
        let scores = classifier.scores(&table.test, &refitting.at_end())?;
        self.warn(&found, &candidates, context);
        if let Some(warning) = classifier.warning() {
            context.progress.warn(&warning);
        }
        let mut details = classifier.details();
        details.insert("search".to_owned(), json!(self.record(&found, &params)));
        let mut notes = classifier.notes();
        notes.insert(
            "search_times".to_owned(),
            json!(times(&found, cost.seconds, cost.cpu_seconds)),
        );
        let model = FittedModel {
            family: table.family().to_owned(),
            input: table.description.to_owned(),
            n_features: table.train.n_features(),
            network: table.network.to_owned(),
            model_bytes: classifier.model_bytes(),
            details,
            tested_on: test_digest(table.test_labels),
            predicted: predicted?,
            scores: Some(TestScores::new(scores, table.n_classes())),
        };
        let notes = json!({
            "fit_seconds": fit.seconds,
            "fit_cpu_seconds": fit.cpu_seconds,
            "predict_seconds": predict.seconds,
            "details": notes,
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
}

impl SearchStage {
    /// The parameters of every candidate.
    fn candidates(&self, learner: &Kind, seed: u64) -> Vec<Map<String, Value>> {
        let has_lists_only = self.grid.values().all(Value::is_array);
        match self.strategy.as_str() {
            "grid" => space::enumerate(learner, &self.grid, &self.params),
            "halving" if has_lists_only => space::enumerate(learner, &self.grid, &self.params),
            _ => space::draw(learner, &self.grid, &self.params, self.n_candidates, seed),
        }
    }

    fn folds(&self, samples: Samples, seed: u64) -> Result<Folds, StageError> {
        let folds = if self.stratified {
            Folds::stratified(samples.labels, self.folds, seed)
        } else {
            Folds::plain(samples.labels.len(), self.folds, seed)
        };
        Ok(folds.map_err(LearnError::from)?)
    }

    /// What is searched of a candidate's parameters, in the order of the grid.
    fn searched(&self, params: &Map<String, Value>) -> Map<String, Value> {
        let names = self.grid.keys();
        names.filter_map(|name| Some((name.clone(), params.get(name)?.clone()))).collect()
    }

    /// `c = 10, kernel = rbf`
    fn name(&self, params: &Map<String, Value>) -> String {
        let words = self.searched(params).into_iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name} = {text}"),
            Value::Number(number) => {
                format!("{name} = {}", number.as_f64().unwrap_or_default())
            }
            other => format!("{name} = {other}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn record(&self, found: &SearchOutcome, params: &[Map<String, Value>]) -> SearchRecord {
        let candidates =
            found.candidates.iter().zip(params).map(|(judged, params)| CandidateRecord {
                params: self.searched(params),
                round: judged.round,
                rank: judged.rank,
                mean: judged.mean,
                std: judged.std,
                scores: judged.folds.iter().map(|fold| fold.accuracy).collect(),
                warning: judged.folds.iter().find_map(|fold| fold.warning.clone()),
            });
        let rounds = found.rounds.iter().map(|round| SearchRound {
            n_candidates: round.n_candidates,
            n_samples: round.n_samples,
        });
        SearchRecord {
            learner: self.learner.clone(),
            strategy: self.strategy.clone(),
            n_folds: self.folds,
            stratified: self.stratified,
            searched: self.grid.keys().cloned().collect(),
            rounds: rounds.collect(),
            best: found.best,
            candidates: candidates.collect(),
        }
    }

    /// One warning for all candidates that have one.
    fn warn(&self, found: &SearchOutcome, candidates: &[Candidate], context: &Context) {
        let warned: Vec<(&Candidate, &String)> = candidates
            .iter()
            .zip(&found.candidates)
            .filter_map(|(candidate, judged)| {
                Some((candidate, judged.folds.iter().find_map(|fold| fold.warning.as_ref())?))
            })
            .collect();
        if let Some((first, warning)) = warned.first() {
            context.progress.warn(&format!(
                "{} of {} candidates, such as {}: {warning}",
                warned.len(),
                candidates.len(),
                first.name
            ));
        }
    }
}

fn times(found: &SearchOutcome, seconds: f64, cpu_seconds: f64) -> SearchTimes {
    let of = |pick: fn(&FoldScore) -> f64| {
        found.candidates.iter().map(|judged| judged.folds.iter().map(pick).collect()).collect()
    };
    SearchTimes {
        seconds,
        cpu_seconds,
        fit_seconds: of(|fold| fold.fit_seconds),
        score_seconds: of(|fold| fold.score_seconds),
    }
}
