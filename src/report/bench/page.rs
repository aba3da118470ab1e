//! `bench.html`: one self-contained page, no script, no network, light and dark.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::answer::bench_headline;
use super::plots::{self, key};
use super::tables::{forecast_words, n_support, notes, ratio_words, spread_words, status_words};
use super::{BenchCell, BenchResults, CellStatus, Measured};
use crate::report::format::{bytes, count, percent, seconds};
use crate::report::html::{POLICY, STYLE, machine_rows, started};
use crate::report::tables::SYNTHETIC_NOTICE;

const BENCH_STYLE: &str = include_str!("style.css");

/// The whole of `bench.html`. Every text of the bench is escaped.
pub fn bench_page(results: &BenchResults) -> String {
    let mark = if results.dataset.synthetic { "SYNTHETIC · " } else { "" };
    let title = format!("What {} costs", results.bench.to_uppercase());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (mark) (title) " · " (results.dataset.name) }
                style { (PreEscaped(STYLE)) (PreEscaped(BENCH_STYLE)) }
            }
            body {
                @if results.dataset.synthetic {
                    div.banner role="alert" { (SYNTHETIC_NOTICE) }
                }
                main {
                    header {
                        p.eyebrow { "bench " (results.bench) " · " (results.dataset.name) " · " (started(&results.run)) }
                        h1 { (title) }
                        p.answer { (bench_headline(results)) }
                    }
                    section id="growth" {
                        h2 { "How cost grows" }
                        @for variant in results.variants() {
                            figure {
                                h3 { (results.variant) " " (variant) }
                                div.triple { (plots::panels(results, variant)) }
                            }
                        }
                        (plots::legend(results))
                        p.note {
                            "Both axes of the first two panels are logarithmic: a straight line is "
                            "a power of the number of images, its slope the exponent. Points are "
                            "medians of " (results.repeats) " fits in turn with the other engines, "
                            "bars their range. Dashes are what the smaller sizes foretold before "
                            "the size was run, pale bars the 95 % interval."
                        }
                        (exponents(results))
                    }
                    section id="cells" { h2 { "All figures" } (cells(results)) }
                    section id="provenance" { h2 { "Provenance" } (provenance(results)) }
                    footer { "Written by hybrid-pipeline " (env!("CARGO_PKG_VERSION")) ". The same figures for programs: bench.json, bench.csv." }
                }
            }
        }
    };
    page.into_string()
}

fn exponents(results: &BenchResults) -> Markup {
    html! {
        @if !results.curves.is_empty() {
            div.scroll {
                table {
                    thead { tr {
                        th { "Engine" } th { (results.variant) } th.figure { "Fit time grows as n to the" }
                        th.figure { "standard error" } th.figure { "over images" }
                    } }
                    tbody {
                        @for curve in &results.curves {
                            tr {
                                th scope="row" { (key(results, &curve.engine)) (curve.engine) }
                                td { (curve.variant) }
                                td.figure { strong { (format!("{:.2}", curve.exponent)) } }
                                td.figure { (curve.exponent_se.map_or("–".to_owned(), |se| format!("{se:.2}"))) }
                                td.figure {
                                    @for end in [curve.sizes.first(), curve.sizes.last()].into_iter().flatten().enumerate() {
                                        @if end.0 > 0 { " to " } (count(*end.1 as u64))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cells(results: &BenchResults) -> Markup {
    let mut last_size = None;
    html! {
        div.scroll {
            table.summary {
                thead { tr {
                    th { "Engine" } th { (results.variant) } th.figure { "Images" } th.figure { "Foretold" }
                    th.figure { "Fit" } th.figure { "× native" } th.figure { "Predict" } th.figure { "× native" }
                    th.figure { "Accuracy, %" } th.figure { "Peak memory" } th.figure { "Support vectors" }
                } }
                tbody {
                    @for cell in &results.cells {
                        tr.size[last_size.replace(cell.n_train).is_some_and(|last| last != cell.n_train)] {
                            th scope="row" {
                                (key(results, &cell.engine)) (cell.engine)
                                @if results.dataset.synthetic { span.synthetic { "synthetic" } }
                            }
                            td { (cell.variant) }
                            td.figure { (count(cell.n_train as u64)) }
                            td.figure { (cell.forecast.as_ref().map_or("–".to_owned(), forecast_words)) }
                            (figures(cell))
                        }
                    }
                }
            }
        }
        @for note in notes(results) { p.note { (note) } }
        p.note {
            "Fit and predict are wall times, the median and in brackets the range. Peak memory is "
            "that of the engine's whole process, data and libraries included. Not tried: a smaller "
            "size of the same engine was over the limit of " (seconds(results.limit_seconds)) " or failed."
        }
    }
}

fn figures(cell: &BenchCell) -> Markup {
    let dash = || "–".to_owned();
    match (&cell.measured, cell.status) {
        (Some(measured), CellStatus::Measured) => {
            let Measured { fit_seconds, predict_seconds, accuracy_ci95: [lo, hi], .. } = measured;
            html! {
                td.figure { strong { (spread_words(fit_seconds)) } }
                td.figure { (measured.fit_ratio.map_or_else(dash, ratio_words)) }
                td.figure { (spread_words(predict_seconds)) }
                td.figure { (measured.predict_ratio.map_or_else(dash, ratio_words)) }
                td.figure { (percent(measured.accuracy)) span.minor { " " (percent(*lo)) "–" (percent(*hi)) } }
                td.figure { (measured.peak_rss_bytes.map_or_else(dash, bytes)) }
                td.figure { (n_support(measured).map_or_else(dash, count)) }
            }
        }
        (_, status) => html! {
            td.figure.missing { (status_words(status)) }
            @for _ in 0..6 { td.figure { "–" } }
        },
    }
}

fn provenance(results: &BenchResults) -> Markup {
    let dataset = &results.dataset;
    html! {
        dl {
            dt { "Run" } dd { (results.run) }
            dt { "Data" } dd {
                (dataset.name) ": the first images of a seeded stratified order of "
                (count(dataset.n_train as u64)) " for training, " (count(dataset.n_test as u64))
                " test images of " (dataset.n_features) " features, " (dataset.n_classes) " classes"
                @if dataset.synthetic { " (synthetic)" }
            }
            dt { "Engines" } dd {
                @for (at, engine) in results.engines.iter().enumerate() {
                    @if at > 0 { ", " } (engine.name) " " (engine.version)
                }
            }
            dt { "Parameters" } dd {
                @for (at, (name, value)) in results.parameters.iter().enumerate() {
                    @if at > 0 { ", " } (name) " = " (value)
                }
            }
            dt { "Repeats" } dd { (results.repeats) ", after one that is not recorded; engines in turn" }
            dt { "Limit" } dd { (seconds(results.limit_seconds)) " a fit" }
            dt { "Seed" } dd { (results.seed) }
            dt { "Threads" } dd { (results.threads) }
            (machine_rows(&results.machine))
        }
    }
}
