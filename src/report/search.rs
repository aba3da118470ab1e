//! What a search for parameters leaves in a model's details.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ModelResult;

/// `details.search`: every candidate and how it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRecord {
    /// Kind whose parameters were searched.
    pub learner: String,
    /// `grid`, `random` or `halving`.
    pub strategy: String,
    /// Folds.
    pub n_folds: usize,
    /// Whether each fold holds every class in its share.
    pub stratified: bool,
    /// Names of the parameters that were searched, sorted.
    pub searched: Vec<String>,
    /// One, or the rounds of halving.
    pub rounds: Vec<SearchRound>,
    /// Index of the candidate that was fitted on all rows.
    pub best: usize,
    /// In the order they were made.
    pub candidates: Vec<CandidateRecord>,
}

/// One round of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRound {
    /// Candidates judged.
    pub n_candidates: usize,
    /// Rows they were judged on, held-out ones included.
    pub n_samples: usize,
}

/// One set of parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Searched parameters that it reads.
    pub params: Map<String, Value>,
    /// Last round that judged it, counted from 0; the scores are of that round.
    pub round: usize,
    /// 1 for the best; equals share the better rank.
    pub rank: usize,
    /// Mean accuracy on the held-out folds.
    pub mean: f64,
    /// Standard deviation over the folds.
    pub std: f64,
    /// Accuracy of each fold.
    pub scores: Vec<f64>,
    /// Such as a fit that did not converge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// `details.search_times`, by candidate and fold in the order of [`SearchRecord`], seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchTimes {
    /// Wall time of the whole search, the fit on all rows not included.
    pub seconds: f64,
    /// The same in CPU time of all threads.
    pub cpu_seconds: f64,
    /// Fits; where candidates share work, what each added.
    pub fit_seconds: Vec<Vec<f64>>,
    /// Predictions of held-out rows.
    pub score_seconds: Vec<Vec<f64>>,
}

impl ModelResult {
    /// The search that chose the model's parameters, if one did.
    pub fn search(&self) -> Option<SearchRecord> {
        let record = SearchRecord::deserialize(self.details.get("search")?).ok()?;
        (record.best < record.candidates.len()).then_some(record)
    }

    /// What that search cost.
    pub fn search_times(&self) -> Option<SearchTimes> {
        SearchTimes::deserialize(self.details.get("search_times")?).ok()
    }
}
