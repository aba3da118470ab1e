//! The decision itself: the class, the one after it, all scores.

use ndarray::ArrayView1;

use super::{ExplainError, batch};
use crate::learn::Meaning;
use crate::model::Model;
use crate::progress::Progress;

/// A class with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Label.
    pub class: usize,
    /// What the model says of it; minus infinity where the fit did not meet the class.
    pub value: f64,
}

/// What a model says of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The class that it gives.
    pub class: usize,
    /// The class with the largest score among the others; none where there is one class.
    pub runner_up: Option<usize>,
    /// All classes, the largest score first, of equals the smaller label.
    pub scores: Vec<Score>,
    /// What the scores mean.
    pub meaning: Meaning,
}

impl Decision {
    /// # Errors   as [`Model::labels_and_scores`]
    pub(super) fn of(
        model: &Model,
        image: ArrayView1<'_, u8>,
        progress: &dyn Progress,
    ) -> Result<Self, ExplainError> {
        let (labels, scores) = model.labels_and_scores(batch(image), progress)?;
        let class = labels[0];
        let mut ranked: Vec<Score> = scores
            .values
            .row(0)
            .iter()
            .enumerate()
            .map(|(class, &value)| Score { class, value })
            .collect();
        ranked.sort_by(|a, b| b.value.total_cmp(&a.value));
        let runner_up = ranked.iter().map(|score| score.class).find(|&other| other != class);
        Ok(Decision { class, runner_up, scores: ranked, meaning: scores.meaning })
    }
}
