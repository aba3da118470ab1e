//! The answer in two or three sentences, made from the numbers.

use maud::{Markup, html};

use super::names::{best, model_name, name_of};
use super::search;
use crate::report::format::{count, p_value, percent, points, rate, seconds};
use crate::report::{Comparison, ModelResult, Results};

/// Two-sided p values below this count as a difference.
pub(super) const SIGNIFICANCE: f64 = 0.05;

/// A piece of a sentence; the strong ones carry the answer.
enum Phrase {
    Plain(String),
    Strong(String),
}

use Phrase::{Plain, Strong};

/// The answer as plain text, for a terminal.
pub fn headline(results: &Results) -> String {
    let texts = sentences(results).into_iter().map(|phrase| match phrase {
        Plain(text) | Strong(text) => text,
    });
    texts.collect()
}

/// The sentences at the top of the page.
pub(super) fn answer(results: &Results) -> Markup {
    html! {
        p.answer {
            @for phrase in sentences(results) {
                @match phrase {
                    Plain(text) => { (text) },
                    Strong(text) => { strong { (text) } },
                }
            }
        }
        @if results.models.len() > 1 {
            p.note {
                "The best model is named after seeing the test figures, so its figure is slightly "
                "flattering. Intervals and p values speak of these fitted models on images like "
                "the test images; another seed would fit other models."
            }
        }
    }
}

fn sentences(results: &Results) -> Vec<Phrase> {
    let Some(best) = best(results) else {
        return vec![Plain("No model was evaluated in this run.".to_owned())];
    };
    let [lo, hi] = best.accuracy_ci95;
    let among = match results.first_models().count() {
        1 => String::new(),
        n_models => format!(", the most of {n_models} models"),
    };
    let mut phrases = vec![
        Strong(model_name(results, best)),
        Plain(" labels ".to_owned()),
        Strong(format!("{} %", percent(best.accuracy))),
        Plain(format!(
            " of {} test images right{among} (95 % interval {} to {} %). ",
            count(results.dataset_of(best).n_test as u64),
            percent(lo),
            percent(hi)
        )),
    ];
    phrases.extend(head_sentence(results, best).into_iter().flatten());
    phrases.extend(search_sentence(results, best));
    phrases
}

/// What a search chose: the best model's if it was searched, else that of the only other one.
fn search_sentence(results: &Results, best: &ModelResult) -> Option<Phrase> {
    let searches = search::searches(results);
    let (model, found) =
        match (searches.iter().find(|(model, _)| model.id == best.id), &searches[..]) {
            (Some(searched), _) | (None, [searched]) => searched,
            _ => return None,
        };
    let chosen = &found.candidates[found.best];
    Some(Plain(format!(
        " The search behind {} chose {} of {} candidates ({} ± {} % over {} folds).",
        model_name(results, model),
        search::name(chosen),
        found.candidates.len(),
        percent(chosen.mean),
        percent(chosen.std),
        found.n_folds
    )))
}

/// Whether a classical head beats the softmax head of the network that it reads, and its price:
/// for the best model if it is such a head, else for the best of those.
fn head_sentence(results: &Results, best: &ModelResult) -> Option<Vec<Phrase>> {
    let hybrids = results.first_models().rev().filter(|model| own_pair(results, model).is_some());
    let hybrid = match own_pair(results, best) {
        Some(_) => best,
        None => hybrids.max_by(|a, b| a.accuracy.total_cmp(&b.accuracy))?,
    };
    let (pair, softmax) = (own_pair(results, hybrid)?, results.own_softmax(hybrid)?);
    let (difference, [lo, hi]) = seen_from(pair, &hybrid.id);
    let subject = match hybrid.id == best.id {
        true => "It".to_owned(),
        false => format!("The best classical head, {},", model_name(results, hybrid)),
    };
    let verb = match (pair.p_value < SIGNIFICANCE, difference > 0.0) {
        (true, true) => "beats",
        (true, false) => "does worse than",
        (false, _) => "shows no clear difference from",
    };
    let rival = name_of(results, &softmax.id);
    Some(vec![
        Plain(format!(
            "{subject} {verb} its network's own softmax head ({rival}, {} %): ",
            percent(softmax.accuracy)
        )),
        Strong(format!("{} points", points(difference))),
        Plain(format!(
            " (95 % interval {} to {}, {}). The cost: ",
            points(lo),
            points(hi),
            p_value(pair.p_value)
        )),
        Strong(seconds(hybrid.fit_seconds)),
        Plain(format!(
            " of fitting after the network's {} of training, and {} images predicted per second \
             against {}.",
            seconds(softmax.fit_seconds),
            rate(results.images_per_second(hybrid)),
            rate(results.images_per_second(softmax))
        )),
    ])
}

/// The comparison of a hybrid with the softmax head of its own network.
fn own_pair<'a>(results: &'a Results, model: &ModelResult) -> Option<&'a Comparison> {
    results.own_softmax(model)?;
    results
        .comparisons
        .iter()
        .find(|pair| pair.against_own_softmax && (pair.a == model.id || pair.b == model.id))
}

/// Difference and interval with `id` as the first model.
pub(super) fn seen_from(pair: &Comparison, id: &str) -> (f64, [f64; 2]) {
    let [lo, hi] = pair.difference_ci95;
    if pair.a == id { (pair.difference, [lo, hi]) } else { (-pair.difference, [-hi, -lo]) }
}
