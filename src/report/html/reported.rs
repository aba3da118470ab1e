//! Accuracies that others published beside those that were reached.

use maud::{Markup, html};

use super::cost::marker;
use super::names::{family_class, model_name};
use super::svg::{Axis, linear_ticks, px, range, text_width, tick_label};
use crate::report::format::{percent, points};
use crate::report::{ModelResult, Results};

/// Models with a published accuracy.
pub(super) fn models(results: &Results) -> Vec<(&ModelResult, f64)> {
    results.models.iter().filter_map(|model| Some((model, model.reported?))).collect()
}

/// A line for each, from what was reported to what was reached.
pub(super) fn figure(results: &Results) -> Markup {
    let rows = models(results);
    html! {
        figure {
            (plot(results, &rows, 1000.0, "wide"))
            (plot(results, &rows, 380.0, "narrow"))
            p.legend {
                span { svg.hollow width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" { (marker("neural", 0.0, 0.0)) } " reported" }
                span { svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" { (marker("neural", 0.0, 0.0)) } " reached, with its 95 % interval" }
            }
            figcaption { "Hollow: the accuracy that was published for the same system. On the right, reached less reported in points." }
        }
    }
}

fn plot(results: &Results, rows: &[(&ModelResult, f64)], width: f64, class: &str) -> Markup {
    let names: Vec<String> = rows.iter().map(|(model, _)| model_name(results, model)).collect();
    let is_narrow = width < 500.0;
    let ends = rows.iter().flat_map(|(model, reported)| {
        let [lo, hi] = model.accuracy_ci95;
        [lo, hi, *reported, results.mean_accuracy(model)]
    });
    let (lo, hi) = range(ends).unwrap_or((0.0, 1.0));
    let (lo, hi) = (100.0 * (lo - 0.004).max(0.0), 100.0 * (hi + 0.004).min(1.0));
    let widest = names.iter().map(|name| text_width(name, 13.0)).fold(60.0, f64::max);
    let (left, right) = match is_narrow {
        true => (14.0, width - 54.0),
        false => (widest.min(width / 3.0) + 14.0, width - 64.0),
    };
    let (step, first) = if is_narrow { (44.0, 30.0) } else { (30.0, 15.0) };
    let bottom = 8.0 + step * rows.len() as f64;
    let axis = Axis::linear(lo, hi, left, right);
    let ticks = linear_ticks(lo, hi, if is_narrow { 4 } else { 8 });
    html! {
        svg.plot.(class) viewBox={ "0 0 " (px(width)) " " (px(bottom + 26.0)) } role="img" aria-label="Reported and reached accuracy" {
            @for &tick in &ticks {
                @let x = px(axis.at(tick));
                line.grid x1=(x) x2=(x) y1="4" y2=(px(bottom)) {}
                text.tick x=(x) y=(px(bottom + 18.0)) text-anchor="middle" { (tick_label(tick, &ticks)) }
            }
            @for (nth, ((model, reported), name)) in rows.iter().zip(&names).enumerate() {
                @let y = 8.0 + step * nth as f64 + first;
                @let reached = results.mean_accuracy(model);
                @let family = family_class(&model.family);
                @let [from, to] = model.accuracy_ci95.map(|end| px(axis.at(100.0 * end)));
                @if is_narrow {
                    text.label x=(px(left)) y=(px(y - 12.0)) { (name) }
                } @else {
                    text.label x=(px(left - 12.0)) y=(px(y)) dy="0.35em" text-anchor="end" { (name) }
                }
                g {
                    title { (name) ": " (percent(*reported)) " % reported, " (percent(reached)) " % reached" }
                    line.span x1=(px(axis.at(100.0 * reported))) x2=(px(axis.at(100.0 * reached))) y1=(px(y)) y2=(px(y)) {}
                    g.(family) { line.whisker x1=(from) x2=(to) y1=(px(y)) y2=(px(y)) {} }
                    g.hollow { (marker(family, axis.at(100.0 * reported), y)) }
                    (marker(family, axis.at(100.0 * reached), y))
                }
                text.tick x=(px(width - 4.0)) y=(px(y)) dy="0.35em" text-anchor="end" { (points(reached - reported)) }
            }
        }
    }
}
