//! A bench as tables: flat rows for files, rounded ones for people.

use polars::prelude::*;

use super::{BenchCell, BenchForecast, BenchResults, CellStatus, Measured, Spread};
use crate::report::ReportError;
use crate::report::format::{bytes, count, percent, seconds, share};
use crate::report::tables::{SYNTHETIC_NOTICE, aligned_text};

/// `bench.csv`: one row per cell, numbers unrounded.
///
/// # Errors   if polars cannot build or write the frame
pub fn bench_csv(results: &BenchResults) -> Result<String, ReportError> {
    let cells = &results.cells;
    macro_rules! column {
        ($name:literal, |$cell:ident| $value:expr) => {
            Column::new($name.into(), cells.iter().map(|$cell| $value).collect::<Vec<_>>())
        };
    }
    macro_rules! measured {
        ($name:literal, |$measured:ident| $value:expr) => {
            column!($name, |cell| cell.measured.as_ref().map(|$measured| $value))
        };
    }
    let forecast = |cell: &BenchCell, end: usize| cell.forecast.as_ref()?.ci95.map(|ci| ci[end]);
    let columns = vec![
        column!("bench", |_cell| results.bench.as_str()),
        column!("dataset", |_cell| results.dataset.name.as_str()),
        column!("synthetic", |_cell| results.dataset.synthetic),
        column!("seed", |_cell| results.seed),
        column!("threads", |_cell| results.threads as u64),
        column!("n_train", |cell| cell.n_train as u64),
        column!("variant", |cell| cell.variant.as_str()),
        column!("engine", |cell| cell.engine.as_str()),
        column!("status", |cell| status(cell.status)),
        column!("reason", |cell| cell.reason.as_deref()),
        measured!("fit_seconds", |m| m.fit_seconds.median),
        measured!("fit_seconds_min", |m| m.fit_seconds.min),
        measured!("fit_seconds_max", |m| m.fit_seconds.max),
        measured!("fit_cpu_seconds", |m| m.fit_cpu_seconds.median),
        column!("forecast_seconds", |cell| cell.forecast.as_ref().map(|f| f.seconds)),
        column!("forecast_lo95", |cell| forecast(cell, 0)),
        column!("forecast_hi95", |cell| forecast(cell, 1)),
        column!("fit_ratio", |cell| cell.measured.as_ref().and_then(|m| m.fit_ratio)),
        measured!("predict_seconds", |m| m.predict_seconds.median),
        measured!("predict_seconds_min", |m| m.predict_seconds.min),
        measured!("predict_seconds_max", |m| m.predict_seconds.max),
        measured!("predict_cpu_seconds", |m| m.predict_cpu_seconds.median),
        column!("predict_ratio", |cell| cell.measured.as_ref().and_then(|m| m.predict_ratio)),
        measured!("accuracy", |m| m.accuracy),
        measured!("accuracy_lo95", |m| m.accuracy_ci95[0]),
        measured!("accuracy_hi95", |m| m.accuracy_ci95[1]),
        column!("peak_rss_bytes", |cell| cell.measured.as_ref().and_then(|m| m.peak_rss_bytes)),
        column!("peak_growth_bytes", |cell| {
            cell.measured.as_ref().and_then(|m| m.peak_growth_bytes)
        }),
        column!("n_support", |cell| cell.measured.as_ref().and_then(n_support)),
    ];
    let mut written = Vec::new();
    CsvWriter::new(&mut written).finish(&mut DataFrame::new(cells.len(), columns)?)?;
    Ok(String::from_utf8_lossy(&written).into_owned())
}

/// The tables for a terminal: cells, growth of the fit time, and why cells are empty.
///
/// # Errors   if polars cannot build a frame
pub fn bench_text(results: &BenchResults) -> Result<String, ReportError> {
    let mut text = String::new();
    if results.dataset.synthetic {
        text.push_str(&format!("{SYNTHETIC_NOTICE}\n\n"));
    }
    text.push_str(&aligned_text(&cell_frame(results)?)?);
    if !results.curves.is_empty() {
        text.push('\n');
        text.push_str(&aligned_text(&curve_frame(results)?)?);
    }
    let notes = notes(results);
    if !notes.is_empty() {
        text.push_str(&format!("\n{}\n", notes.join("\n")));
    }
    Ok(text)
}

fn cell_frame(results: &BenchResults) -> Result<DataFrame, ReportError> {
    let cells = &results.cells;
    let column = |name: &str, text: &dyn Fn(&BenchCell) -> String| {
        Column::new(name.into(), cells.iter().map(text).collect::<Vec<_>>())
    };
    let figure = |name: &str, text: &dyn Fn(&Measured) -> String| {
        column(name, &|cell| cell.measured.as_ref().map_or(MISSING.to_owned(), text))
    };
    let mut columns = vec![
        column("images", &|cell| count(cell.n_train as u64)),
        column(&results.variant, &|cell| cell.variant.clone()),
        column("engine", &|cell| cell.engine.clone()),
        column("foretold", &|cell| {
            cell.forecast.as_ref().map_or(MISSING.to_owned(), forecast_words)
        }),
        column("fit [range]", &|cell| match (&cell.measured, cell.status) {
            (Some(measured), _) => spread_words(&measured.fit_seconds),
            (None, status) => status_words(status).to_owned(),
        }),
        figure("× native", &|m| m.fit_ratio.map_or(MISSING.to_owned(), ratio_words)),
        figure("predict", &|m| seconds(m.predict_seconds.median)),
        figure("× native ", &|m| m.predict_ratio.map_or(MISSING.to_owned(), ratio_words)),
        figure("accuracy [95 % interval]", &|m| {
            let [lo, hi] = m.accuracy_ci95;
            format!("{} [{}, {}]", share(m.accuracy), share(lo), share(hi))
        }),
        figure("peak memory", &|m| m.peak_rss_bytes.map_or(MISSING.to_owned(), bytes)),
    ];
    if has_support(results) {
        columns
            .push(figure("support vectors", &|m| n_support(m).map_or(MISSING.to_owned(), count)));
    }
    Ok(DataFrame::new(cells.len(), columns)?)
}

fn curve_frame(results: &BenchResults) -> Result<DataFrame, ReportError> {
    let curves = &results.curves;
    let exponent = curves.iter().map(|curve| match curve.exponent_se {
        Some(se) => format!("{:.2} ± {se:.2}", curve.exponent),
        None => format!("{:.2}", curve.exponent),
    });
    let sizes = curves.iter().map(|curve| {
        let ends = [curve.sizes.first(), curve.sizes.last()];
        ends.map(|n| n.map_or(String::new(), |&n| count(n as u64))).join(" to ")
    });
    let columns = vec![
        Column::new(
            results.variant.as_str().into(),
            curves.iter().map(|curve| curve.variant.clone()).collect::<Vec<_>>(),
        ),
        Column::new(
            "engine".into(),
            curves.iter().map(|curve| curve.engine.clone()).collect::<Vec<_>>(),
        ),
        Column::new("fit time grows as n to the".into(), exponent.collect::<Vec<_>>()),
        Column::new("over images".into(), sizes.collect::<Vec<_>>()),
    ];
    Ok(DataFrame::new(curves.len(), columns)?)
}

const MISSING: &str = "–";

/// One line for each cell that is empty or to be read with care.
pub(super) fn notes(results: &BenchResults) -> Vec<String> {
    let note = |cell: &BenchCell| {
        let warning = cell.measured.as_ref().and_then(|measured| measured.warning.clone());
        let text = match cell.status {
            CellStatus::Measured => warning?,
            CellStatus::Skipped => return None,
            CellStatus::OverLimit => format!("given up: {}", cell.reason.as_deref()?),
            CellStatus::Failed => format!("failed: {}", cell.reason.as_deref()?),
        };
        Some(format!("{}: {text}", name(cell)))
    };
    results.cells.iter().filter_map(note).collect()
}

/// `60,000 rbf native: about 5.10 s [4.20 s, 6.30 s] from the smaller sizes`; nothing is foretold
/// of a cell without a forecast.
pub fn bench_foretold(cell: &BenchCell) -> String {
    let forecast = cell.forecast.as_ref().map_or("unknown".to_owned(), forecast_words);
    format!("{}: about {forecast} from the smaller sizes", name(cell))
}

/// `60,000 rbf native: 5.04 s to fit, 0.41 s to predict, 90.02 % right`, or why not.
pub fn bench_finished(cell: &BenchCell) -> String {
    let found = match (&cell.measured, &cell.reason) {
        (Some(measured), _) => format!(
            "{} to fit, {} to predict, {} % right",
            spread_words(&measured.fit_seconds),
            seconds(measured.predict_seconds.median),
            percent(measured.accuracy)
        ),
        (None, Some(reason)) => format!("{} ({reason})", status_words(cell.status)),
        (None, None) => status_words(cell.status).to_owned(),
    };
    format!("{}: {found}", name(cell))
}

fn name(cell: &BenchCell) -> String {
    format!("{} {} {}", count(cell.n_train as u64), cell.variant, cell.engine)
}

/// `5.10 s [4.20 s, 6.30 s]`.
pub(super) fn forecast_words(forecast: &BenchForecast) -> String {
    match forecast.ci95 {
        Some([lo, hi]) => {
            format!("{} [{}, {}]", seconds(forecast.seconds), seconds(lo), seconds(hi))
        }
        None => seconds(forecast.seconds),
    }
}

pub(super) fn spread_words(spread: &Spread) -> String {
    match spread.runs.len() {
        1 => seconds(spread.median),
        _ => {
            format!("{} [{}, {}]", seconds(spread.median), seconds(spread.min), seconds(spread.max))
        }
    }
}

/// `6.4`, `0.93`, `127`.
pub(super) fn ratio_words(ratio: f64) -> String {
    match ratio {
        r if r < 9.95 => format!("{r:.2}"),
        r if r < 99.5 => format!("{r:.1}"),
        r => format!("{r:.0}"),
    }
}

pub(super) fn status_words(status: CellStatus) -> &'static str {
    match status {
        CellStatus::Measured => "measured",
        CellStatus::OverLimit => "over the limit",
        CellStatus::Failed => "failed",
        CellStatus::Skipped => "not tried",
    }
}

fn status(status: CellStatus) -> &'static str {
    match status {
        CellStatus::Measured => "measured",
        CellStatus::OverLimit => "over_limit",
        CellStatus::Failed => "failed",
        CellStatus::Skipped => "skipped",
    }
}

/// Whether any model has support vectors.
pub(super) fn has_support(results: &BenchResults) -> bool {
    results.cells.iter().filter_map(|cell| cell.measured.as_ref()).any(|m| n_support(m).is_some())
}

pub(super) fn n_support(measured: &Measured) -> Option<u64> {
    measured.details.get("n_support")?.as_u64()
}
