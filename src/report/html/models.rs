//! Everything about one model in one place.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::classes::heat_map;
use super::cost::marker;
use super::names::{family_class, model_name};
use super::{scores, sections};
use crate::metrics::ClassMetrics;
use crate::report::format::{bytes, count, parameter, percent, points, rate, seconds, share};
use crate::report::{ModelResult, Results, RunOutput};

/// Models, the best first, that are shown with their curves, confusion and mistakes; of the others
/// these would make the page too large.
const MAX_FULL: usize = 40;

/// Parts of a model's details that have sections of their own.
const SHOWN_ELSEWHERE: [&str; 2] = ["search", "search_times"];
/// Characters of a parameter that are shown.
const MAX_PARAMETER: usize = 160;

/// A folded part for each model.
pub(super) fn sections(output: &RunOutput) -> Markup {
    let results = &output.results;
    let mut by_accuracy: Vec<&ModelResult> = results.models.iter().collect();
    by_accuracy.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    let is_full =
        |model: &ModelResult| by_accuracy.iter().take(MAX_FULL).any(|other| other.id == model.id);
    html! {
        @if results.models.len() > MAX_FULL {
            p.lead { "Curves, confusion and mistakes are shown for the best " (MAX_FULL) " models; results.json has the figures of all." }
        }
        @for model in &results.models {
            details.model id={ "model-" (model.id) } data-model=(model.id) {
                summary {
                    svg.key width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" { (marker(family_class(&model.family), 0.0, 0.0)) }
                    (model_name(results, model)) " "
                    span.minor { (percent(model.accuracy)) " % · " (model.input) " · " (seconds(model.fit_seconds)) }
                }
                div.model-body {
                    (facts(results, model))
                    @if is_full(model) {
                        @if let Some((_, of)) = output.scores.iter().find(|(id, _)| *id == model.id) {
                            (scores::figures(of, &results.dataset_of(model).class_names))
                        } @else {
                            p.note { "It gives labels without scores, so there are no curves." }
                        }
                    }
                    div.pair {
                        div { h3 { "By class" } (per_class(&model.per_class)) }
                        @if is_full(model) { (heat_map(results, model, "Confusion")) }
                    }
                    @if is_full(model) { (mistakes(output, model)) }
                    (parameters(results, model))
                }
            }
        }
    }
}

fn facts(results: &Results, model: &ModelResult) -> Markup {
    let [from, to] = model.accuracy_ci95;
    let n_test = results.dataset_of(model).n_test as u64;
    let mut facts: Vec<(&str, String)> = vec![
        (
            "Accuracy",
            format!("{} % ({} to {} %)", percent(model.accuracy), percent(from), percent(to)),
        ),
        ("Macro F1", share(model.macro_f1)),
    ];
    if let Some(reported) = model.reported {
        let difference = points(results.mean_accuracy(model) - reported);
        facts.push(("Reported", format!("{} % ({difference} points reached)", percent(reported))));
    }
    let of_scores = [
        ("AUC, macro", model.auc_macro),
        ("Average precision, macro", model.average_precision_macro),
        ("Expected calibration error", model.ece),
        ("Brier score", model.brier),
        ("Log-loss", model.log_loss),
    ];
    facts.extend(of_scores.into_iter().filter_map(|(name, value)| Some((name, share(value?)))));
    let features = count(model.n_features as u64);
    facts.extend([
        ("Reads", format!("{} ({features} features)", model.input)),
        (
            "Own fit",
            format!("{} ({} of CPU)", seconds(model.fit_seconds), seconds(model.fit_cpu_seconds)),
        ),
        ("Fit from images", seconds(results.total_fit_seconds(model))),
        (
            "Prediction",
            format!(
                "{} for {} images, {} a second",
                seconds(model.predict_seconds),
                count(n_test),
                rate(results.images_per_second(model))
            ),
        ),
        ("Size", bytes(model.model_bytes)),
    ]);
    facts.extend(model.n_train.map(|n| ("Training rows", count(n as u64))));
    facts.extend(model.peak_rss_bytes.map(|peak| ("Peak memory", bytes(peak))));
    html! {
        dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
    }
}

fn per_class(classes: &[ClassMetrics]) -> Markup {
    html! {
        div.scroll { table.sortable {
            thead { tr {
                th { "Class" } th.figure { "Precision" } th.figure { "Recall" } th.figure { "F1" } th.figure { "Images" }
            } }
            tbody {
                @for class in classes {
                    tr {
                        th scope="row" { (class.class) }
                        td.figure { (share(class.precision)) }
                        td.figure { (share(class.recall)) }
                        td.figure { (share(class.f1)) }
                        td.figure data-v=(class.support) { (count(class.support)) }
                    }
                }
            }
        } }
    }
}

fn mistakes(output: &RunOutput, model: &ModelResult) -> Markup {
    let images = output.misclassified.iter().find(|(id, _)| *id == model.id);
    html! {
        @if let Some((_, images)) = images.filter(|(_, images)| !images.is_empty()) {
            h3 { (images.len()) " of its mistakes" }
            (sections::mistakes(images, output.results.dataset_of(model)))
        }
    }
}

/// What it was given and what it found, name by name.
fn parameters(results: &Results, model: &ModelResult) -> Markup {
    let stage = results.stages.iter().find(|stage| stage.id == model.id);
    let rows = |of: &Map<String, Value>| -> Vec<(String, String)> {
        let shown = of.iter().filter(|(name, _)| !SHOWN_ELSEWHERE.contains(&name.as_str()));
        shown
            .map(|(name, value)| {
                let mut text = parameter(value);
                if let Some((end, _)) = text.char_indices().nth(MAX_PARAMETER) {
                    text.truncate(end);
                    text.push('…');
                }
                (name.clone(), text)
            })
            .collect()
    };
    let given = stage.map(|stage| rows(&stage.params)).unwrap_or_default();
    let list = |title: &str, rows: &[(String, String)]| {
        html! {
            @if !rows.is_empty() {
                div {
                    h3 { (title) }
                    dl.parameters { @for (name, value) in rows { dt { (name) } dd { (value) } } }
                }
            }
        }
    };
    html! {
        div.pair {
            (list(&format!("Parameters{}", stage.map_or(String::new(), |stage| format!(" of {} ({})", stage.id, stage.kind))), &given))
            (list("What the fit found", &rows(&model.details)))
        }
    }
}
