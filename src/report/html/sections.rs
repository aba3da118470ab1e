//! Tables and galleries of the page.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::cost::marker;
use super::headline::SIGNIFICANCE;
use super::names::{best, family_class, featured, name_of};
use super::svg::{Axis, px, range};
use super::{seeds, sprite};
use crate::data::ImageShape;
use crate::report::format::{bytes, count, p_value, percent, points, rate, seconds, share};
use crate::report::tables::NOT_CONVERGED;
use crate::report::{
    Comparison, DatasetCard, GalleryImage, NetworkCard, Results, RunOutput, StageStatus,
};

/// One row per model, in the order of the pipeline file.
pub(super) fn summary(results: &Results) -> Markup {
    let best_id = best(results).map(|model| model.id.as_str());
    let has_seeds = !results.seeds.is_empty();
    let of_seeds = results.summaries.iter().flat_map(|summary| summary.accuracies.iter().copied());
    let of_models = results.models.iter().flat_map(|model| model.accuracy_ci95);
    let ends = if has_seeds { range(of_seeds) } else { range(of_models) };
    let (lo, hi) = ends.unwrap_or((0.0, 1.0));
    let axis = Axis::linear(lo, hi, 5.0, 75.0);
    let several = results.evaluations.len() > 1;
    let is_reported = results.models.iter().any(|model| model.reported.is_some());
    html! {
        div.tools.needs-script {
            label { "Filter " input id="filter" type="search" placeholder="name, input …" autocomplete="off"; }
            span.minor id="filter-count" aria-live="polite" {}
        }
        div.scroll {
            table.summary.sortable {
                thead { tr {
                    th { "Model" } @if several { th { "Data" } } th { "Input" }
                    th.figure { "Accuracy, %" }
                    th.figure.left { @if has_seeds { "Each seed" } @else { "95 % interval" } } @if is_reported { th.figure { "Reported" } } th.figure { "Macro F1" } th.figure { "Fit" }
                    th.figure { "Images/s" } th.figure { "Size" } th.figure { "Peak memory" }
                } }
                tbody {
                    @for model in &results.models {
                        @let [from, to] = model.accuracy_ci95;
                        @let over_seeds = results.summary_of(model);
                        @let class = family_class(&model.family);
                        tr.best[best_id == Some(model.id.as_str())] data-model=(model.id) {
                            th scope="row" {
                                svg.key width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" { (marker(class, 0.0, 0.0)) }
                                a href={ "#model-" (model.id) } { (model.title) }
                                @if results.dataset_of(model).synthetic { span.synthetic { "synthetic" } }
                                @if model.converged() == Some(false) { span.unfinished { (NOT_CONVERGED) } }
                            }
                            @if several {
                                td { (results.evaluation_of(model).map_or("–", |evaluation| evaluation.title.as_str())) }
                            }
                            td { (model.input) span.minor { " " (count(model.n_features as u64)) } }
                            @if let Some(summary) = over_seeds {
                                td.figure data-v=(summary.mean_accuracy) { strong { (seeds::mean_sd(summary)) } }
                                td data-v=(summary.mean_accuracy) { (seeds::dots(summary, &axis, class)) }
                            } @else {
                                td.figure { strong { (percent(model.accuracy)) } }
                                td data-v=(from) {
                                    svg.interval.(class) width="80" height="16" viewBox="0 0 80 16" aria-hidden="true" {
                                        line.whisker x1=(px(axis.at(from))) x2=(px(axis.at(to))) y1="8" y2="8" {}
                                        circle cx=(px(axis.at(model.accuracy))) cy="8" r="3.5" {}
                                    }
                                    span.minor { (percent(from)) "–" (percent(to)) }
                                }
                            }
                            @if is_reported {
                                td.figure { (model.reported.map_or("–".to_owned(), percent)) }
                            }
                            td.figure { (share(over_seeds.map_or(model.macro_f1, |of| of.mean_macro_f1))) }
                            @let fit = over_seeds.map_or(model.fit_seconds, |of| of.mean_fit_seconds);
                            td.figure data-v=(fit) { (seconds(fit)) }
                            td.figure data-v=(results.images_per_second(model)) { (rate(results.images_per_second(model))) }
                            td.figure data-v=(model.model_bytes) { (bytes(model.model_bytes)) }
                            td.figure data-v=[model.peak_rss_bytes] { (model.peak_rss_bytes.map_or("–".to_owned(), bytes)) }
                        }
                    }
                }
            }
        }
        p.note {
            "Fit is the time of this model's own fit; a hybrid also needs its network, an ensemble "
            "has no fit but those of its networks. Images/s goes from pixels to labels, features included. Small figures after the input are its "
            "number of features."
            @if is_reported { " Reported is the accuracy published for the same system." }
            @if several {
                " Models of different data were tested on different images: their accuracies do not "
                "compare."
            }
            @if has_seeds {
                " Accuracy is mean ± standard deviation over " (results.seeds.len()) " seeds, a dot is one "
                "of them; macro F1 and fit are means, the other figures those of seed "
                (results.seed) ". A model without a deviation is one that no seed changes."
            }
        }
        @if has_seeds { (seeds::each_seed(results)) }
    }
}

/// Models up to which every pair is shown; of more, pairs with the best model and with own softmax
/// heads.
const N_PAIRED: usize = 10;

/// Paired tests: over seeds if there are several, with those of the first seed folded.
pub(super) fn comparisons(results: &Results) -> Markup {
    if results.seed_comparisons.is_empty() {
        return paired(results);
    }
    html! {
        (seeds::comparisons(results))
        details {
            summary { "With seed " (results.seed) " alone" }
            (paired(results))
        }
    }
}

/// McNemar's tests, those against a network's own softmax head first.
fn paired(results: &Results) -> Markup {
    let mut pairs: Vec<&Comparison> = results.comparisons.iter().collect();
    let n_pairs = pairs.len();
    if results.models.len() > N_PAIRED {
        let best_id = best(results).map(|model| &model.id);
        let has_best = |pair: &Comparison| [Some(&pair.a), Some(&pair.b)].contains(&best_id);
        pairs.retain(|pair| pair.against_own_softmax || has_best(pair));
    }
    pairs.sort_by_key(|pair| !pair.against_own_softmax);
    html! {
        @if pairs.is_empty() {
            p.note { "No two models were compared." }
        } @else {
            div.scroll {
                table.sortable {
                    thead { tr {
                        th { "Model" } th { "Verdict" } th { "Compared with" }
                        th.figure { "Difference, points" } th.figure { "95 % interval" }
                        th.figure { "Only one right" } th.figure { "p" }
                    } }
                    tbody {
                        @for pair in &pairs {
                            @let (class, verdict) = verdict(pair);
                            tr {
                                th scope="row" { (name_of(results, &pair.a)) }
                                td { span.verdict.(class) { (verdict) } }
                                td {
                                    (name_of(results, &pair.b))
                                    @if pair.against_own_softmax { span.minor { " own softmax head" } }
                                }
                                td.figure { (points(pair.difference)) }
                                td.figure { (points(pair.difference_ci95[0])) " to " (points(pair.difference_ci95[1])) }
                                td.figure data-v=(pair.n_only_a) { (count(pair.n_only_a)) " : " (count(pair.n_only_b)) }
                                td.figure data-v=(pair.p_value) { (p_value(pair.p_value).trim_start_matches("p = ").trim_start_matches("p ")) }
                            }
                        }
                    }
                }
            }
            p.note {
                "McNemar's test on the images that only one of the two labels right; better or "
                "worse means p below " (SIGNIFICANCE) ". Each pair is judged on its own: among "
                (pairs.len()) " pairs of equally good models one would expect "
                (format!("{:.1}", SIGNIFICANCE * pairs.len() as f64)) " such verdicts by chance."
                @if n_pairs > pairs.len() {
                    " Shown are the pairs with the best model and with own softmax heads; "
                    "results.json has all " (count(n_pairs as u64)) "."
                }
            }
        }
    }
}

fn verdict(pair: &Comparison) -> (&'static str, &'static str) {
    match (pair.p_value < SIGNIFICANCE, pair.difference > 0.0) {
        (true, true) => ("better", "better than"),
        (true, false) => ("worse", "worse than"),
        (false, _) => ("same", "no difference found"),
    }
}

/// A few training images of each class.
pub(super) fn samples(output: &RunOutput) -> Markup {
    let dataset = &output.results.dataset;
    html! {
        div.samples {
            @for (label, class) in dataset.class_names.iter().enumerate() {
                @let images: Vec<&GalleryImage> =
                    output.samples.iter().filter(|image| image.label == label).collect();
                @if !images.is_empty() {
                    figure {
                        div { @for image in images { (picture(image, dataset.shape, class)) } }
                        figcaption { (class) }
                    }
                }
            }
        }
    }
}

/// Misclassified test images of the best model and of its rival; those of all are with the models.
pub(super) fn gallery(output: &RunOutput) -> Markup {
    let results = &output.results;
    html! {
        @for (nth, model) in featured(results).into_iter().enumerate() {
            @if let Some((id, images)) = output.misclassified.iter().find(|(id, _)| *id == model.id) {
                details open[nth == 0] {
                    summary { (name_of(results, id)) span.minor { " " (images.len()) " of its mistakes" } }
                    (mistakes(images, results.dataset_of(model)))
                }
            }
        }
    }
}

/// Images, the true class and what was said below each.
pub(super) fn mistakes(images: &[GalleryImage], dataset: &DatasetCard) -> Markup {
    let name = |class: usize| dataset.class_names.get(class).map_or("?", String::as_str);
    html! {
        div.gallery {
            @for image in images {
                @let truth = name(image.label);
                @let guess = image.predicted.map_or("?", name);
                figure {
                    (picture(image, dataset.shape, &format!("{truth}, labelled {guess}")))
                    figcaption { (truth) br; span.wrong { "→ " (guess) } }
                }
            }
        }
    }
}

fn picture(image: &GalleryImage, shape: ImageShape, alt: &str) -> Markup {
    sprite::picture(&image.pixels, shape, alt, Some(&format!("row {}", image.row)))
}

/// Layers, output shapes and parameters of every network.
pub(super) fn networks(networks: &[NetworkCard]) -> Markup {
    html! {
        div.pair {
            @for network in networks {
                figure {
                    h3 { (network.architecture) }
                    div.scroll { table {
                        thead { tr { th { "Layer" } th.figure { "Output shape" } th.figure { "Parameters" } } }
                        tbody {
                            @for layer in &network.layers {
                                @let sides: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
                                tr {
                                    th scope="row" { (layer.layer) }
                                    td.figure { (sides.join(" × ")) }
                                    td.figure { (count(layer.n_parameters as u64)) }
                                }
                            }
                        }
                        tfoot { tr {
                            th scope="row" { "Total" } td {}
                            td.figure { (count(network.layers.iter().map(|layer| layer.n_parameters as u64).sum())) }
                        } }
                    } }
                }
            }
        }
    }
}

/// What ran, what came from the cache, and what it cost.
pub(super) fn stages(results: &Results) -> Markup {
    html! {
        div.scroll { table.sortable {
            thead { tr {
                th { "Stage" } th { "Kind" } th { "Status" } th.figure { "Time" }
                th.figure { "CPU time" } th.figure { "Peak memory" } th { "Artifact" }
            } }
            tbody {
                @for stage in &results.stages {
                    tr {
                        th scope="row" { (stage.id) }
                        td { (stage.kind) }
                        td { @match stage.status { StageStatus::Ran => "ran", StageStatus::Cached => span.minor { "cached" } } }
                        td.figure data-v=(stage.seconds) { (seconds(stage.seconds)) }
                        td.figure data-v=(stage.cpu_seconds) { (seconds(stage.cpu_seconds)) }
                        td.figure data-v=[stage.peak_rss_bytes] { (stage.peak_rss_bytes.map_or("–".to_owned(), bytes)) }
                        td { code.minor { (stage.digest.chars().take(12).collect::<String>()) } }
                    }
                }
            }
        } }
        p.note { "Figures of a cached stage are those of the run that made its artifact." }
    }
}

/// Where every number comes from.
pub(super) fn provenance(output: &RunOutput) -> Markup {
    let results = &output.results;
    let datasets: Vec<(Option<&str>, &DatasetCard)> = match results.evaluations.as_slice() {
        [] | [_] => vec![(None, &results.dataset)],
        several => several.iter().map(|of| (Some(of.title.as_str()), &of.dataset)).collect(),
    };
    html! {
        dl {
            dt { "Pipeline" } dd { (results.pipeline) }
            dt { "Run" } dd { (results.run) }
            @for (title, dataset) in datasets { dt { "Data" } dd {
                @if let Some(title) = title { (title) " · " }
                (dataset.name) ": " (count(dataset.n_train as u64)) " training, "
                (count(dataset.n_validation as u64)) " validation, " (count(dataset.n_test as u64))
                " test images of " (dataset.shape.height) " × " (dataset.shape.width)
                @if dataset.shape.channels != 1 { " × " (dataset.shape.channels) }
                @if dataset.synthetic { " (synthetic)" }
            } }
            dt { "Seed" } dd { (results.seed) }
            dt { "Threads" } dd { (results.threads) }
            (machine_rows(&results.machine))
        }
        h3 { "run.toml" }
        pre { (output.run_toml) }
    }
}

/// The machine as rows of a `dl`.
pub(in crate::report) fn machine_rows(machine: &Map<String, Value>) -> Markup {
    html! {
        @for (key, value) in machine {
            dt { (key.trim_end_matches("_bytes").replace('_', " ")) }
            dd { (machine_value(key, value)) }
        }
    }
}

fn machine_value(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| machine_value("", item)).collect::<Vec<_>>().join(", ")
        }
        Value::Number(number) if key.ends_with("_bytes") => {
            number.as_u64().map_or_else(|| number.to_string(), bytes)
        }
        other => other.to_string(),
    }
}
