//! Fit and prediction time against the number of images, accuracy against fit time.

use maud::{Markup, html};

use super::{BenchCell, BenchResults, Measured, Spread};
use crate::report::format::{count, percent, seconds};
use crate::report::html::svg::{
    Axis, linear_ticks, log_label, log_ticks, px, range, series_class, series_key, series_marker,
    tick_label,
};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = WIDTH - 10.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = HEIGHT - 36.0;

/// The three panels of one variant.
pub(super) fn panels(results: &BenchResults, variant: &str) -> Markup {
    html! {
        (growth(results, variant, "seconds to fit", |measured| &measured.fit_seconds, true))
        (growth(results, variant, "seconds to predict the test images", |measured| &measured.predict_seconds, false))
        (trade(results, variant))
    }
}

/// Each engine's sign with its name.
pub(super) fn legend(results: &BenchResults) -> Markup {
    html! {
        p.legend {
            @for engine in &results.engines {
                span { (key(results, &engine.name)) (engine.name) }
            }
        }
    }
}

/// The sign of an engine, for tables.
pub(super) fn key(results: &BenchResults, engine: &str) -> Markup {
    series_key(series(results, engine))
}

fn series(results: &BenchResults, engine: &str) -> usize {
    results.engines.iter().position(|card| card.name == engine).unwrap_or(0)
}

/// The cells of one engine and variant, ascending.
fn line<'a>(results: &'a BenchResults, variant: &str, engine: &str) -> Vec<&'a BenchCell> {
    results.cells.iter().filter(|c| c.variant == variant && c.engine == engine).collect()
}

fn growth(
    results: &BenchResults,
    variant: &str,
    title: &str,
    pick: fn(&Measured) -> &Spread,
    shows_forecasts: bool,
) -> Markup {
    let cells: Vec<&BenchCell> =
        results.cells.iter().filter(|cell| cell.variant == variant).collect();
    let times = cells.iter().filter_map(|cell| cell.measured.as_ref()).map(pick);
    let forecasts = cells.iter().filter_map(|c| c.forecast.as_ref()).filter(|_| shows_forecasts);
    let ends = times.flat_map(|t| [t.min, t.max]).chain(forecasts.map(|f| f.seconds));
    let Some((lo, hi)) = range(ends.filter(|&seconds| seconds > 0.0)) else {
        return html! {};
    };
    let sizes = range(cells.iter().map(|cell| cell.n_train as f64)).unwrap_or((1.0, 10.0));
    let x_axis = Axis::log(sizes.0 / 1.25, sizes.1 * 1.25, LEFT, RIGHT);
    let (lo, hi) = (lo / 1.5, hi * 1.5);
    let y_axis = Axis::log(lo, hi, BOTTOM, TOP);
    html! {
        svg.plot viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img"
            aria-label={ (variant) ": " (title) " by number of images" } {
            @for tick in log_ticks(lo, hi) {
                (y_grid(y_axis.at(tick), &log_label(tick)))
            }
            @for tick in log_ticks(sizes.0 / 1.25, sizes.1 * 1.25) {
                (x_grid(x_axis.at(tick), &count(tick as u64)))
            }
            text.axis x=(px(LEFT)) y="12" { (title) }
            text.axis x=(px(RIGHT)) y=(px(HEIGHT - 2.0)) text-anchor="end" { "training images" }
            @for engine in &results.engines {
                @let cells = line(results, variant, &engine.name);
                @let series = series(results, &engine.name);
                g.(series_class(series)) {
                    @if shows_forecasts { (foretold(&cells, x_axis, y_axis)) }
                    polyline.curve points=(points(&cells, x_axis, y_axis, pick)) {}
                }
                @for cell in &cells {
                    @if let Some(measured) = &cell.measured {
                        @let times = pick(measured);
                        @let (x, y) = (x_axis.at(cell.n_train as f64), y_axis.at(times.median));
                        g.(series_class(series)) {
                            title {
                                (engine.name) ", " (count(cell.n_train as u64)) " images: "
                                (seconds(times.median))
                            }
                            line.whisker x1=(px(x)) x2=(px(x)) y1=(px(y_axis.at(times.min))) y2=(px(y_axis.at(times.max))) {}
                            (series_marker(series, x, y))
                        }
                    }
                }
            }
        }
    }
}

fn points(cells: &[&BenchCell], x: Axis, y: Axis, pick: fn(&Measured) -> &Spread) -> String {
    let points = cells.iter().filter_map(|cell| {
        let seconds = pick(cell.measured.as_ref()?).median;
        Some(format!("{},{}", px(x.at(cell.n_train as f64)), px(y.at(seconds))))
    });
    points.collect::<Vec<_>>().join(" ")
}

/// Ticks and intervals of what was foretold, joined to the last measured size where nothing was
/// measured.
fn foretold(cells: &[&BenchCell], x_axis: Axis, y_axis: Axis) -> Markup {
    let mut beyond: Vec<String> = Vec::new();
    for cell in cells {
        let x = px(x_axis.at(cell.n_train as f64));
        match (&cell.measured, &cell.forecast) {
            (Some(measured), _) => {
                beyond = vec![format!("{x},{}", px(y_axis.at(measured.fit_seconds.median)))];
            }
            (None, Some(forecast)) => {
                beyond.push(format!("{x},{}", px(y_axis.at(forecast.seconds))));
            }
            (None, None) => {}
        }
    }
    html! {
        @if beyond.len() > 1 { polyline.foretold points=(beyond.join(" ")) {} }
        @for cell in cells {
            @if let Some(forecast) = &cell.forecast {
                @let x = x_axis.at(cell.n_train as f64);
                @let y = px(y_axis.at(forecast.seconds));
                @if let Some([lo, hi]) = forecast.ci95 {
                    line.foretold-interval x1=(px(x)) x2=(px(x)) y1=(px(y_axis.at(lo))) y2=(px(y_axis.at(hi))) {}
                }
                line.foretold-tick x1=(px(x - 7.0)) x2=(px(x + 7.0)) y1=(y) y2=(y) {}
            }
        }
    }
}

fn trade(results: &BenchResults, variant: &str) -> Markup {
    let measured: Vec<&Measured> = results
        .cells
        .iter()
        .filter(|cell| cell.variant == variant)
        .filter_map(|cell| cell.measured.as_ref())
        .collect();
    let costs = measured.iter().map(|m| m.fit_seconds.median).filter(|&seconds| seconds > 0.0);
    let Some((lo, hi)) = range(costs) else { return html! {} };
    let (lo, hi) = (lo / 1.5, hi * 1.5);
    let (worst, best) = range(measured.iter().flat_map(|m| m.accuracy_ci95)).unwrap_or((0.0, 1.0));
    let (worst, best) = (100.0 * (worst - 0.005).max(0.0), 100.0 * (best + 0.005).min(1.0));
    let x_axis = Axis::log(lo, hi, LEFT, RIGHT);
    let y_axis = Axis::linear(worst, best, BOTTOM, TOP);
    let y_ticks = linear_ticks(worst, best, 6);
    html! {
        svg.plot viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img"
            aria-label={ (variant) ": accuracy by seconds of fitting" } {
            @for &tick in &y_ticks {
                (y_grid(y_axis.at(tick), &tick_label(tick, &y_ticks)))
            }
            @for tick in log_ticks(lo, hi) {
                (x_grid(x_axis.at(tick), &log_label(tick)))
            }
            text.axis x=(px(LEFT)) y="12" { "accuracy, %" }
            text.axis x=(px(RIGHT)) y=(px(HEIGHT - 2.0)) text-anchor="end" { "seconds to fit" }
            @for engine in &results.engines {
                @let series = series(results, &engine.name);
                @let cells = line(results, variant, &engine.name);
                g.(series_class(series)) {
                    polyline.curve points=(trade_points(&cells, x_axis, y_axis)) {}
                }
                @for cell in &cells {
                    @if let Some(m) = &cell.measured {
                        @let (x, y) = (x_axis.at(m.fit_seconds.median), y_axis.at(100.0 * m.accuracy));
                        @let [lo, hi] = m.accuracy_ci95.map(|end| px(y_axis.at(100.0 * end)));
                        g.(series_class(series)) {
                            title {
                                (engine.name) ", " (count(cell.n_train as u64)) " images: "
                                (percent(m.accuracy)) " % after " (seconds(m.fit_seconds.median))
                            }
                            line.whisker x1=(px(x)) x2=(px(x)) y1=(lo) y2=(hi) {}
                            (series_marker(series, x, y))
                        }
                    }
                }
            }
        }
    }
}

fn trade_points(cells: &[&BenchCell], x_axis: Axis, y_axis: Axis) -> String {
    let points = cells.iter().filter_map(|cell| {
        let measured = cell.measured.as_ref()?;
        let x = x_axis.at(measured.fit_seconds.median);
        Some(format!("{},{}", px(x), px(y_axis.at(100.0 * measured.accuracy))))
    });
    points.collect::<Vec<_>>().join(" ")
}

fn y_grid(y: f64, label: &str) -> Markup {
    html! {
        line.grid x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
        text.tick x=(px(LEFT - 8.0)) y=(px(y)) dy="0.35em" text-anchor="end" { (label) }
    }
}

fn x_grid(x: f64, label: &str) -> Markup {
    html! {
        line.grid x1=(px(x)) x2=(px(x)) y1=(px(TOP)) y2=(px(BOTTOM)) {}
        text.tick x=(px(x)) y=(px(BOTTOM + 17.0)) text-anchor="middle" { (label) }
    }
}
