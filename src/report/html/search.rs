//! A search for parameters: every candidate in a table, and how the score hangs on them in a figure.

use std::cmp::Ordering;

use maud::{Markup, html};
use serde_json::Value;

use super::names::model_name;
use super::search_plot;
use crate::report::format::{count, parameter, percent, seconds};
use crate::report::{CandidateRecord, ModelResult, Results, SearchRecord, SearchTimes};

/// A search with its model.
pub(super) type Searched<'a> = (&'a ModelResult, SearchRecord);

/// Every search of a run.
pub(super) fn searches(results: &Results) -> Vec<Searched<'_>> {
    results.models.iter().filter_map(|model| Some((model, model.search()?))).collect()
}

/// A figure and a table per search.
pub(super) fn sections(results: &Results) -> Markup {
    html! {
        p.lead {
            "Accuracy on held-out parts of the training images, mean and standard deviation over "
            "folds; the test images had no say. Each dot is a fold. Fit and score are means over "
            "folds; where candidates share kernel values, what each added."
        }
        @for (model, search) in searches(results) {
            figure {
                h3 { (model_name(results, model)) }
                p.lead { (lead(&search, model.search_times())) }
                (search_plot::figure(&search))
                (table(&search, model.search_times()))
                (note(&search))
            }
        }
    }
}

/// `c = 10, kernel = rbf`
pub(super) fn name(candidate: &CandidateRecord) -> String {
    let words =
        candidate.params.iter().map(|(name, value)| format!("{name} = {}", parameter(value)));
    words.collect::<Vec<_>>().join(", ")
}

fn lead(search: &SearchRecord, times: Option<SearchTimes>) -> String {
    let best = &search.candidates[search.best];
    let n_samples = search.rounds.iter().map(|round| round.n_samples).max().unwrap_or(0);
    let n_fits: usize = search.rounds.iter().map(|round| round.n_candidates * search.n_folds).sum();
    let took = times.map_or(String::new(), |times| {
        format!(" in {} ({} of CPU time)", seconds(times.seconds), seconds(times.cpu_seconds))
    });
    let kind = if search.stratified { "stratified " } else { "" };
    format!(
        "{} candidates, {} {kind}folds of {} training images: {} fits{took}. Best: {}, {} ± {} %.",
        count(search.candidates.len() as u64),
        search.n_folds,
        count(n_samples as u64),
        count(n_fits as u64),
        name(best),
        percent(best.mean),
        percent(best.std)
    )
}

fn table(search: &SearchRecord, times: Option<SearchTimes>) -> Markup {
    let mut order: Vec<usize> = (0..search.candidates.len()).collect();
    order.sort_by_key(|&idx| search.candidates[idx].rank);
    let has_rounds = search.rounds.len() > 1;
    let time = |of: fn(&SearchTimes) -> &Vec<Vec<f64>>, idx: usize| {
        times.as_ref().and_then(|times| of(times).get(idx)).map_or("–".to_owned(), |folds| {
            let (mean, std) = mean_std(folds);
            format!("{} ± {}", seconds(mean), seconds(std))
        })
    };
    let rows = |idxs: &[usize]| {
        html! {
            @for &idx in idxs {
                @let candidate = &search.candidates[idx];
                tr.best[idx == search.best] {
                    td.figure { (candidate.rank) }
                    @for name in &search.searched {
                        td.figure { (candidate.params.get(name).map_or("–".to_owned(), parameter)) }
                    }
                    td.figure { strong { (percent(candidate.mean)) } span.minor { " ± " (percent(candidate.std)) } }
                    td { (folds(candidate, search)) @if candidate.warning.is_some() { span.verdict.worse { "warning" } } }
                    @if has_rounds {
                        td.figure { (search.rounds.get(candidate.round).map_or("–".to_owned(), |round| count(round.n_samples as u64))) }
                    }
                    td.figure { (time(|times| &times.fit_seconds, idx)) }
                    td.figure { (time(|times| &times.score_seconds, idx)) }
                }
            }
        }
    };
    let (shown, folded) = order.split_at(order.len().min(MAX_SHOWN));
    let head = html! {
        thead { tr {
            th.figure { "Rank" }
            @for name in &search.searched { th.figure { (name) } }
            th.figure { "Accuracy, %" } th { "Folds" }
            @if has_rounds { th.figure { "Images" } }
            th.figure { "Fit" } th.figure { "Score" }
        } }
    };
    html! {
        div.scroll { table { (head) tbody { (rows(shown)) } } }
        @if !folded.is_empty() {
            details {
                summary { "The other " (folded.len()) " candidates" }
                div.scroll { table { (head) tbody { (rows(folded)) } } }
            }
        }
    }
}

/// Candidates in the open part of a table.
const MAX_SHOWN: usize = 12;

/// The accuracy of each fold on a scale that all candidates share.
fn folds(candidate: &CandidateRecord, search: &SearchRecord) -> Markup {
    use super::svg::{Axis, px, range};
    let all = search.candidates.iter().flat_map(|other| other.scores.iter().copied());
    let (lo, hi) = range(all).unwrap_or((0.0, 1.0));
    let axis = Axis::linear(lo, hi, 5.0, 115.0);
    let scores: Vec<String> = candidate.scores.iter().map(|&score| percent(score)).collect();
    html! {
        svg.interval.neural width="120" height="16" viewBox="0 0 120 16" role="img" aria-label={ "Folds: " (scores.join(", ")) } {
            title { (scores.join(", ")) }
            line.grid x1="0" x2="120" y1="8" y2="8" {}
            @for &score in &candidate.scores {
                circle cx=(px(axis.at(score))) cy="8" r="2.6" fill-opacity="0.75" {}
            }
        }
    }
}

/// The rounds of halving, and what candidates warn of.
fn note(search: &SearchRecord) -> Markup {
    let warning = search.candidates.iter().find_map(|one| one.warning.as_ref());
    html! {
        @if search.rounds.len() > 1 {
            p.note {
                "Halving judged "
                @for (nth, round) in search.rounds.iter().enumerate() {
                    @if nth > 0 { ", then the best " }
                    (count(round.n_candidates as u64)) " on " (count(round.n_samples as u64))
                    @if nth == 0 { " images" }
                }
                "; a candidate's figures are those of its last round."
            }
        }
        @if let Some(warning) = warning { p.note { "The first warning: " (warning) "." } }
    }
}

fn mean_std(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, (squares / values.len() as f64).sqrt())
}

/// Numbers by size, then words in the order given; what a candidate does not read last.
pub(super) fn compare_values(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        },
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}
