//! What a model is called on the page.

use crate::report::{ModelResult, Results};

/// Title, with the input where the title alone does not tell models apart.
pub(super) fn model_name(results: &Results, model: &ModelResult) -> String {
    let n_same = results.models.iter().filter(|other| other.title == model.title).count();
    if n_same > 1 { format!("{} · {}", model.title, model.input) } else { model.title.clone() }
}

/// As [`model_name`], by id; the id itself if no such model was evaluated.
pub(super) fn name_of(results: &Results, id: &str) -> String {
    results.model(id).map_or_else(|| id.to_owned(), |model| model_name(results, model))
}

/// CSS class of the family's colour.
pub(super) fn family_class(family: &str) -> &'static str {
    match family {
        "neural" => "neural",
        "hybrid" => "hybrid",
        _ => "classical",
    }
}

/// The most accurate model of the first evaluation; the first of them on a tie.
pub(super) fn best(results: &Results) -> Option<&ModelResult> {
    let accuracy = |model| results.mean_accuracy(model);
    results.first_models().rev().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b)))
}

/// Models for figures that show a few: the best one and what it must be compared with.
pub(super) fn featured(results: &Results) -> Vec<&ModelResult> {
    let Some(best) = best(results) else { return Vec::new() };
    let rival = results
        .own_softmax(best)
        .or_else(|| results.first_models().find(|model| model.id != best.id));
    std::iter::once(best).chain(rival).collect()
}
