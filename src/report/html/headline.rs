//! The answer in two or three sentences, made from the numbers.

use maud::{Markup, html};

use super::names::{best, model_name, name_of};
use super::{search, seeds};
use crate::report::format::{count, p_value, percent, points, rate, seconds};
use crate::report::{Comparison, ModelResult, Results, SeedComparison};

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
                "the test images"
                @if results.seeds.is_empty() {
                    "; another seed would fit other models."
                } @else {
                    " and, where they are over seeds, of models that other seeds would fit. Figures "
                    "below that show one model show that of seed " (results.seed) "."
                }
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
    let (accuracy, spread) = match results.summary_of(best) {
        Some(summary) if summary.sd_accuracy.is_some() => (
            seeds::mean_sd(summary),
            format!("mean and standard deviation over {} seeds", summary.seeds.len()),
        ),
        _ => {
            let interval = format!("95 % interval {} to {} %", percent(lo), percent(hi));
            (percent(best.accuracy), interval)
        }
    };
    let mut phrases = vec![
        Strong(model_name(results, best)),
        Plain(" labels ".to_owned()),
        Strong(format!("{accuracy} %")),
        Plain(format!(
            " of {} test images right{among} ({spread}). ",
            count(results.dataset_of(best).n_test as u64)
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
        None => {
            let accuracy = |model| results.mean_accuracy(model);
            hybrids.max_by(|a, b| accuracy(a).total_cmp(&accuracy(b)))?
        }
    };
    let softmax = results.own_softmax(hybrid)?;
    let Difference { difference, interval: [lo, hi], p_value: p, over } =
        own_difference(results, hybrid)?;
    let subject = match hybrid.id == best.id {
        true => "It".to_owned(),
        false => format!("The best classical head, {},", model_name(results, hybrid)),
    };
    let verb = match (p < SIGNIFICANCE, difference > 0.0) {
        (true, true) => "beats",
        (true, false) => "does worse than",
        (false, _) => "shows no clear difference from",
    };
    let rival = name_of(results, &softmax.id);
    Some(vec![
        Plain(format!(
            "{subject} {verb} its network's own softmax head ({rival}, {} %): ",
            percent(results.mean_accuracy(softmax))
        )),
        Strong(format!("{} points", points(difference))),
        Plain(format!(
            " (95 % interval {} to {}{over}, {}). The cost: ",
            points(lo),
            points(hi),
            p_value(p)
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

/// How far a hybrid is from the softmax head of its own network.
struct Difference {
    difference: f64,
    interval: [f64; 2],
    p_value: f64,
    /// What the interval speaks of, if not of test images.
    over: String,
}

/// Over seeds if there are several, else on the test images.
fn own_difference(results: &Results, hybrid: &ModelResult) -> Option<Difference> {
    let pair = own_pair(results, hybrid)?;
    let summary = results.summary_of(hybrid);
    let over_seeds = summary.and_then(|summary| {
        let is_pair = |pair: &&SeedComparison| {
            pair.against_own_softmax && (pair.a == summary.id || pair.b == summary.id)
        };
        results.seed_comparisons.iter().find(is_pair)
    });
    let ((difference, interval), p_value, over) = match over_seeds {
        Some(over) => {
            let sign = if pair.a == hybrid.id { 1.0 } else { -1.0 };
            let [lo, hi] = over.difference_ci95.map(|end| sign * end);
            let interval = [lo.min(hi), lo.max(hi)];
            let of = format!(" over {} seeds", over.n_seeds);
            ((sign * over.difference, interval), over.p_value, of)
        }
        None => (seen_from(pair, &hybrid.id), pair.p_value, String::new()),
    };
    Some(Difference { difference, interval, p_value, over })
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
