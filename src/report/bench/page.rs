//! `bench.html`: one self-contained page, no script, no network, light and dark.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::answer::bench_headline;
use super::plots::{self, key};
use super::tables::{has_support, n_support, notes, ratio_words, status_words};
use super::{BenchCell, BenchResults, CellStatus, Measured, Spread};
use crate::report::format::{bytes, count, percent, seconds};
use crate::report::html::{POLICY, STYLE, machine_rows, started};
use crate::report::tables::SYNTHETIC_NOTICE;

const BENCH_STYLE: &str = include_str!("style.css");

/// The whole of `bench.html`. Every text of the bench is escaped.
pub fn bench_page(results: &BenchResults) -> String {
    let mark = if results.dataset.synthetic { "SYNTHETIC · " } else { "" };
    let title = match results.bench.as_str() {
        "svm" => "What a support vector machine costs",
        "knn" => "What k nearest neighbours cost",
        "forest" => "What a random forest costs",
        _ => "What it costs",
    };
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
            div.scroll.exponents {
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
    let has_support = has_support(results);
    html! {
        @for variant in results.variants() {
            h3 { (results.variant) " " (variant) }
            div.scroll {
                table.summary {
                    thead { tr {
                        th { "Engine" } th.figure { "Images" } th.figure { "Foretold" }
                        th.figure { "Fit" } th.figure { "× native" } th.figure { "Predict" }
                        th.figure { "× native" } th.figure { "Accuracy, %" }
                        th.figure { "Peak memory" }
                        @if has_support { th.figure { "Support vectors" } }
                    } }
                    tbody { (rows(results, variant)) }
                }
            }
        }
        @for note in notes(results) { p.note { (note) } }
        p.note {
            "Fit and predict are wall times: the median and, small, the range. Peak memory is "
            "that of the engine's whole process, data and libraries included. Not tried: a smaller "
            "size of the same engine was over the limit of " (seconds(results.limit_seconds)) " or failed."
        }
    }
}

fn rows(results: &BenchResults, variant: &str) -> Markup {
    let cells: Vec<&BenchCell> =
        results.cells.iter().filter(|cell| cell.variant == variant).collect();
    html! {
        @for (at, cell) in cells.iter().enumerate() {
            tr.size[at > 0 && cells[at - 1].n_train != cell.n_train] {
                th scope="row" {
                    (key(results, &cell.engine)) (cell.engine)
                    @if results.dataset.synthetic { span.synthetic { "synthetic" } }
                }
                td.figure { (count(cell.n_train as u64)) }
                td.figure {
                    @match &cell.forecast {
                        Some(forecast) => {
                            (seconds(forecast.seconds))
                            @if let Some([lo, hi]) = forecast.ci95 { (minor(lo, hi)) }
                        },
                        None => "–",
                    }
                }
                (figures(cell, has_support(results)))
            }
        }
    }
}

/// A range of seconds in small figures.
fn minor(lo: f64, hi: f64) -> Markup {
    html! { span.minor { " " (seconds(lo)) "–" (seconds(hi)) } }
}

fn figures(cell: &BenchCell, has_support: bool) -> Markup {
    let dash = || "–".to_owned();
    let spread =
        |spread: &Spread| html! { @if spread.runs.len() > 1 { (minor(spread.min, spread.max)) } };
    match (&cell.measured, cell.status) {
        (Some(measured), CellStatus::Measured) => {
            let Measured { fit_seconds, predict_seconds, accuracy_ci95: [lo, hi], .. } = measured;
            html! {
                td.figure { strong { (seconds(fit_seconds.median)) } (spread(fit_seconds)) }
                td.figure { (measured.fit_ratio.map_or_else(dash, ratio_words)) }
                td.figure { (seconds(predict_seconds.median)) (spread(predict_seconds)) }
                td.figure { (measured.predict_ratio.map_or_else(dash, ratio_words)) }
                td.figure { (percent(measured.accuracy)) span.minor { " " (percent(*lo)) "–" (percent(*hi)) } }
                td.figure { (measured.peak_rss_bytes.map_or_else(dash, bytes)) }
                @if has_support { td.figure { (n_support(measured).map_or_else(dash, count)) } }
            }
        }
        (_, status) => html! {
            td.figure.missing { (status_words(status)) }
            @for _ in 0..5 + usize::from(has_support) { td.figure { "–" } }
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

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    /// Two engines, two sizes; the second gives up at the larger.
    fn example() -> BenchResults {
        let measured = Measured {
            fit_seconds: Spread::of(vec![1.5, 1.0, 2.0]),
            fit_cpu_seconds: Spread::of(vec![3.0, 2.0, 4.0]),
            predict_seconds: Spread::of(vec![0.1, 0.1, 0.2]),
            predict_cpu_seconds: Spread::of(vec![0.2, 0.2, 0.4]),
            fit_ratio: Some(6.38),
            predict_ratio: Some(0.93),
            accuracy: 0.9002,
            accuracy_ci95: [0.894, 0.906],
            peak_rss_bytes: Some(1 << 30),
            peak_growth_bytes: None,
            warning: Some("the machine did not converge".to_owned()),
            details: serde_json::Map::from_iter([("n_support".to_owned(), 1234.into())]),
        };
        let cell = |n_train, engine: &str, status| BenchCell {
            n_train,
            variant: "rbf".to_owned(),
            engine: engine.to_owned(),
            status,
            reason: (status != CellStatus::Measured).then(|| "over 120 s".to_owned()),
            forecast: (n_train > 1000).then(|| BenchForecast {
                seconds: 5.1,
                ci95: Some([4.2, 6.3]),
                from: vec![1000],
            }),
            measured: (status == CellStatus::Measured).then(|| measured.clone()),
        };
        BenchResults {
            schema: BENCH_SCHEMA,
            bench: "svm".to_owned(),
            run: "20260102T030405Z".to_owned(),
            dataset: BenchDataset {
                name: "fashion-mnist".to_owned(),
                n_train: 60_000,
                n_test: 10_000,
                n_features: 784,
                n_classes: 10,
                synthetic: false,
            },
            seed: 42,
            threads: 2,
            repeats: 3,
            limit_seconds: 120.0,
            parameters: serde_json::Map::new(),
            variant: "kernel".to_owned(),
            machine: serde_json::Map::new(),
            engines: [NATIVE, "scikit-learn"]
                .map(|name| EngineCard { name: name.to_owned(), version: "1".to_owned() })
                .into(),
            cells: vec![
                cell(1000, NATIVE, CellStatus::Measured),
                cell(1000, "scikit-learn", CellStatus::Measured),
                cell(60_000, NATIVE, CellStatus::Measured),
                cell(60_000, "scikit-learn", CellStatus::OverLimit),
            ],
            curves: vec![BenchCurve {
                variant: "rbf".to_owned(),
                engine: NATIVE.to_owned(),
                exponent: 1.62,
                exponent_se: Some(0.03),
                coefficient: 1e-7,
                sizes: vec![1000, 60_000],
            }],
        }
    }

    #[test]
    fn tables_say_what_was_measured_foretold_and_given_up() {
        let text = bench_text(&example()).unwrap();
        for expected in [
            "1.50 s [1.00 s, 2.00 s]",
            "5.10 s [4.20 s, 6.30 s]",
            "over the limit",
            "1.62 ± 0.03",
            "6.38",
            "60,000 rbf scikit-learn: given up: over 120 s",
            "did not converge",
        ] {
            assert!(text.contains(expected), "no `{expected}` in:\n{text}");
        }
        let csv = bench_csv(&example()).unwrap();
        assert!(csv.lines().nth(4).unwrap().contains("over_limit"), "{csv}");
    }

    #[test]
    fn page_is_whole_names_nothing_outside_and_closes_what_it_opens() {
        let page = bench_page(&example());
        for section in ["growth", "cells", "provenance"] {
            assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
        }
        for forbidden in ["http://", "https://", "<script", "url(", "@import", "NaN", "inf,"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for name in ["svg", "g", "line", "polyline", "circle", "path", "text", "table", "tr"] {
            let opened = page.matches(&format!("<{name} ")).count()
                + page.matches(&format!("<{name}>")).count();
            assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "<{name}>");
        }
    }

    #[test]
    fn every_text_of_the_bench_is_escaped() {
        const ATTACK: &str = "<script>alert('\"&')</script>";
        let mut results = example();
        results.run = ATTACK.to_owned();
        results.bench = ATTACK.to_owned();
        results.variant = ATTACK.to_owned();
        results.dataset.name = ATTACK.to_owned();
        results.engines.iter_mut().for_each(|engine| engine.version = ATTACK.to_owned());
        for cell in &mut results.cells {
            cell.reason = Some(ATTACK.to_owned());
            cell.variant = ATTACK.to_owned();
        }
        assert!(!bench_page(&results).contains("<script"));
    }

    #[test]
    fn a_bench_of_which_nothing_finished_still_makes_a_page_and_tables() {
        let mut results = example();
        for cell in &mut results.cells {
            (cell.status, cell.measured, cell.forecast) = (CellStatus::Failed, None, None);
        }
        results.curves.clear();
        assert!(bench_page(&results).contains("No engine finished"));
        assert!(bench_text(&results).unwrap().contains("failed"));
        results.cells.clear();
        assert!(bench_page(&results).contains("</html>"));
        assert_eq!(bench_csv(&results).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_bench_on_generated_images_says_so_loudly() {
        let mut results = example();
        results.dataset.synthetic = true;
        assert!(bench_page(&results).contains("class=\"banner\""));
        assert!(bench_text(&results).unwrap().starts_with("SYNTHETIC"));
    }

    #[test]
    fn the_document_reads_back_as_it_was() {
        let text = serde_json::to_string(&example()).unwrap();
        assert_eq!(serde_json::from_str::<BenchResults>(&text).unwrap(), example());
    }
}
