//! What more training images cost and bring: models that differ in nothing else.

use maud::{Markup, html};

use super::svg::{
    Axis, linear_ticks, log_label, log_ticks, px, range, series_class, series_key, series_marker,
    tick_label,
};
use crate::metrics::PowerLaw;
use crate::report::format::{count, percent, seconds};
use crate::report::{ModelResult, Results};

const WIDTH: f64 = 470.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = HEIGHT - 36.0;

/// Models that differ in their number of training images alone, by that number.
pub(super) struct Series<'a> {
    name: &'a str,
    /// Training images, model.
    models: Vec<(f64, &'a ModelResult)>,
}

/// Every series of at least two sizes, in the order of the models.
pub(super) fn series(results: &Results) -> Vec<Series<'_>> {
    let mut found: Vec<Series> = Vec::new();
    for model in &results.models {
        let Some((name, n_train)) = model.series.as_deref().zip(model.n_train) else { continue };
        match found.iter_mut().find(|series| series.name == name) {
            Some(series) => series.models.push((n_train as f64, model)),
            None => found.push(Series { name, models: vec![(n_train as f64, model)] }),
        }
    }
    for series in &mut found {
        series.models.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    found.retain(|series| series.models.windows(2).any(|pair| pair[0].0 < pair[1].0));
    found
}

/// Fit time and accuracy against the number of training images.
pub(super) fn figure(results: &Results) -> Markup {
    let series = series(results);
    html! {
        figure {
            div.pair {
                (panel(&series, "seconds to fit", Scale::Seconds))
                (panel(&series, "accuracy, %", Scale::Accuracy))
            }
            p.legend {
                @for (at, one) in series.iter().enumerate() {
                    span { (series_key(at)) (one.name) @if let Some(law) = one.law() { ": fit time grows as n to the " (law) } }
                }
            }
            figcaption {
                "The same model on more and more of the same training images, smaller sets within "
                "larger ones, all tested on the same images; bars are 95 % intervals. Axes of "
                "images and of seconds are logarithmic: a straight line is a power of the number "
                "of images."
            }
        }
    }
}

impl Series<'_> {
    /// `1.62 ± 0.03`
    fn law(&self) -> Option<String> {
        let pairs: Vec<(f64, f64)> =
            self.models.iter().map(|(n, model)| (*n, model.fit_seconds)).collect();
        let law = PowerLaw::fit(&pairs)?;
        let error = law.exponent_se.map_or(String::new(), |se| format!(" ± {se:.2}"));
        Some(format!("{:.2}{error}", law.exponent))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Scale {
    Seconds,
    Accuracy,
}

impl Scale {
    fn of(self, model: &ModelResult) -> f64 {
        match self {
            Scale::Seconds => model.fit_seconds,
            Scale::Accuracy => 100.0 * model.accuracy,
        }
    }

    fn axis(self, models: &[(f64, &ModelResult)]) -> (Axis, Vec<(f64, String)>) {
        match self {
            Scale::Seconds => {
                let times = models.iter().map(|(_, m)| m.fit_seconds).filter(|&time| time > 0.0);
                let (lo, hi) = range(times).unwrap_or((0.1, 1.0));
                let (lo, hi) = (lo / 1.5, hi * 1.5);
                let ticks = log_ticks(lo, hi).into_iter().map(|tick| (tick, log_label(tick)));
                (Axis::log(lo, hi, BOTTOM, TOP), ticks.collect())
            }
            Scale::Accuracy => {
                let ends = models.iter().flat_map(|(_, model)| model.accuracy_ci95);
                let (lo, hi) = range(ends).unwrap_or((0.0, 1.0));
                let (lo, hi) = (100.0 * (lo - 0.005).max(0.0), 100.0 * (hi + 0.005).min(1.0));
                let ticks = linear_ticks(lo, hi, 6);
                let labelled = ticks.iter().map(|&tick| (tick, tick_label(tick, &ticks)));
                (Axis::linear(lo, hi, BOTTOM, TOP), labelled.collect())
            }
        }
    }
}

fn panel(series: &[Series], title: &str, scale: Scale) -> Markup {
    let models: Vec<(f64, &ModelResult)> =
        series.iter().flat_map(|series| series.models.iter().copied()).collect();
    let (lo, hi) = range(models.iter().map(|(n, _)| *n)).unwrap_or((1.0, 10.0));
    let x_axis = Axis::log(lo / 1.25, hi * 1.25, LEFT, RIGHT);
    let (y_axis, y_ticks) = scale.axis(&models);
    let at = |n: f64, model: &ModelResult| (x_axis.at(n), y_axis.at(scale.of(model)));
    html! {
        svg.plot viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img"
            aria-label={ (title) " by number of training images" } {
            @for (tick, label) in &y_ticks {
                @let y = px(y_axis.at(*tick));
                line.grid x1=(px(LEFT)) x2=(px(RIGHT)) y1=(y) y2=(y) {}
                text.tick x=(px(LEFT - 8.0)) y=(y) dy="0.35em" text-anchor="end" { (label) }
            }
            @for tick in log_ticks(lo / 1.25, hi * 1.25) {
                @let x = px(x_axis.at(tick));
                line.grid x1=(x) x2=(x) y1=(px(TOP)) y2=(px(BOTTOM)) {}
                text.tick x=(x) y=(px(BOTTOM + 17.0)) text-anchor="middle" { (count(tick as u64)) }
            }
            text.axis x=(px(LEFT)) y="12" { (title) }
            text.axis x=(px(RIGHT)) y=(px(HEIGHT - 2.0)) text-anchor="end" { "training images" }
            @for (nth, one) in series.iter().enumerate() {
                @let points: Vec<String> = one.models.iter().map(|(n, model)| {
                    let (x, y) = at(*n, model);
                    format!("{},{}", px(x), px(y))
                }).collect();
                g.(series_class(nth)) {
                    polyline.curve points=(points.join(" ")) {}
                    @if scale == Scale::Accuracy {
                        @for (n, model) in &one.models {
                            @let [lo, hi] = model.accuracy_ci95.map(|end| px(y_axis.at(100.0 * end)));
                            @let x = px(x_axis.at(*n));
                            line.whisker x1=(x) x2=(x) y1=(lo) y2=(hi) {}
                        }
                    }
                }
                @for (n, model) in &one.models {
                    @let (x, y) = at(*n, model);
                    g {
                        title {
                            (one.name) ", " (count(*n as u64)) " images: "
                            (seconds(model.fit_seconds)) ", " (percent(model.accuracy)) " %"
                        }
                        (series_marker(nth, x, y))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn models_of_one_series_are_drawn_by_size_and_a_single_size_is_none() {
        let mut results = example::run_output().results;
        assert!(series(&results).is_empty());
        for (at, model) in results.models.iter_mut().enumerate() {
            model.series = Some(if at < 3 { "SVM (RBF)" } else { "alone" }.to_owned());
            model.n_train = Some(if at < 3 { 1000 * (3 - at) } else { 60_000 });
            model.fit_seconds = 1e-6 * model.n_train.unwrap_or(1).pow(2) as f64;
        }
        let found = series(&results);
        assert_eq!(found.len(), 1);
        let sizes: Vec<f64> = found[0].models.iter().map(|(n, _)| *n).collect();
        assert_eq!(sizes, [1000.0, 2000.0, 3000.0]);
        assert_eq!(found[0].law().unwrap(), "2.00 ± 0.00");
        let drawn = figure(&results).into_string();
        assert!(drawn.contains("SVM (RBF)") && !drawn.contains("alone") && !drawn.contains("NaN"));
    }
}
