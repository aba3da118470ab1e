//! Accuracy against cost: one marker per model, labels that do not overlap.

use maud::{Markup, html};

use super::names::{family_class, model_name};
use super::svg::{Axis, linear_ticks, log_label, log_ticks, px, range, text_width, tick_label};
use crate::report::format::{percent, seconds};
use crate::report::{ModelResult, Results};

const FONT: f64 = 13.0;
/// Models up to which each is named; of more, networks, the best few and those best for their cost.
const N_NAMED: usize = 16;
/// How many the best few are.
const N_BEST: usize = 4;

/// What a model costs.
#[derive(Clone, Copy, PartialEq)]
enum Cost {
    /// Seconds to have it from images alone.
    Fit,
    /// Seconds to label 1,000 images.
    Prediction,
}

impl Cost {
    /// At least a value that a logarithmic axis can show.
    fn of(self, results: &Results, model: &ModelResult) -> f64 {
        match self {
            Cost::Fit => results.total_fit_seconds(model).max(1e-3),
            Cost::Prediction => {
                let n_test = results.dataset_of(model).n_test.max(1) as f64;
                (1000.0 * model.predict_seconds / n_test).max(1e-5)
            }
        }
    }

    fn axis(self) -> &'static str {
        match self {
            Cost::Fit => "seconds to fit, from images",
            Cost::Prediction => "seconds to label 1,000 images",
        }
    }
}

/// Accuracy against the cost of fitting, and against that of predicting.
pub(super) fn figures(results: &Results) -> Markup {
    if results.models.is_empty() {
        return html! {};
    }
    html! {
        (figure(results, Cost::Fit))
        (figure(results, Cost::Prediction))
    }
}

/// One figure, wide with names and narrow with numbers; CSS shows the one that fits.
fn figure(results: &Results, cost: Cost) -> Markup {
    html! {
        figure {
            (plot(results, cost, 1000.0, 470.0, false))
            (plot(results, cost, 380.0, 400.0, true))
            ol.keys {
                @for model in &results.models {
                    li { (model_name(results, model)) }
                }
            }
            p.legend {
                @for family in ["neural", "hybrid", "classical"] {
                    @if results.models.iter().any(|model| family_class(&model.family) == family) {
                        span {
                            svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" {
                                (marker(family, 0.0, 0.0))
                            }
                            " " (family)
                        }
                    }
                }
                span { span.dash {} " best for its cost" }
            }
            figcaption {
                @if cost == Cost::Fit {
                    "Accuracy on the test images with its 95 % interval, against the seconds it takes "
                    "to fit the model from images; a hybrid includes the training of its network. "
                } @else {
                    "The same against the seconds it takes to label 1,000 images, features included. "
                }
                "Dotted: models that no other one beats in both."
                @if results.models.len() > N_NAMED {
                    " Named are networks, the best few, and those best for their cost."
                }
            }
        }
    }
}

struct Box2 {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Box2 {
    fn overlap(&self, other: &Box2) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }
}

struct Label {
    text: String,
    /// Anchor and baseline of the text.
    x: f64,
    y: f64,
    /// The side of the text that faces the marker, so that a wrong guess of its width does not
    /// tear them apart.
    anchor: &'static str,
    /// Where a line from the marker ends, if the label stands apart from it.
    leader: Option<(f64, f64)>,
}

fn plot(results: &Results, cost: Cost, width: f64, height: f64, narrow: bool) -> Markup {
    let models: Vec<&ModelResult> = results.models.iter().collect();
    let costs: Vec<f64> = models.iter().map(|model| cost.of(results, model)).collect();
    let (cost_lo, cost_hi) = range(costs.iter().copied()).unwrap_or((1.0, 10.0));
    let ends = models.iter().flat_map(|model| model.accuracy_ci95);
    let (lo, hi) = range(ends).unwrap_or((0.0, 1.0));
    let pad = 0.06 * (hi - lo).max(0.005);
    let (lo, hi) = (100.0 * (lo - pad).max(0.0), 100.0 * (hi + pad).min(1.0));
    let (left, right, top, bottom) = (46.0, width - 14.0, 14.0, height - 46.0);
    let x_axis = Axis::log(cost_lo / 1.6, cost_hi * 1.6, left, right);
    let y_axis = Axis::linear(lo, hi, bottom, top);
    let y_ticks = linear_ticks(lo, hi, 6);
    let points: Vec<(f64, f64)> = models
        .iter()
        .zip(&costs)
        .map(|(model, &cost)| (x_axis.at(cost), y_axis.at(100.0 * model.accuracy)))
        .collect();
    let whiskers: Vec<(f64, f64)> = models
        .iter()
        .map(|model| model.accuracy_ci95.map(|end| y_axis.at(100.0 * end)).into())
        .collect();
    let frame = Box2 { left: left + 2.0, top, right, bottom: bottom - 2.0 };
    let frontier = frontier(&costs, &models);
    let mut by_accuracy: Vec<usize> = (0..models.len()).collect();
    by_accuracy.sort_by(|&a, &b| models[b].accuracy.total_cmp(&models[a].accuracy));
    let is_named = |at: usize| {
        models.len() <= N_NAMED
            || frontier.contains(&at)
            || by_accuracy[..N_BEST].contains(&at)
            || family_class(&models[at].family) == "neural"
    };
    let name = |(at, model): (usize, &&ModelResult)| match (is_named(at), narrow) {
        (false, _) => String::new(),
        (true, true) => (at + 1).to_string(),
        (true, false) => model_name(results, model),
    };
    let names: Vec<String> = models.iter().enumerate().map(name).collect();
    let frontier: Vec<(f64, f64)> = frontier.into_iter().map(|at| points[at]).collect();
    let labels = place(&names, &points, &whiskers, &frontier, &frame);
    let frontier: Vec<String> =
        frontier.iter().map(|&(x, y)| format!("{},{}", px(x), px(y))).collect();

    html! {
        svg.plot.(if narrow { "narrow" } else { "wide" })
            viewBox={ "0 0 " (px(width)) " " (px(height)) } role="img"
            aria-label={ "Accuracy against " (cost.axis()) } {
            @for &tick in &y_ticks {
                @let y = px(y_axis.at(tick));
                line.grid x1=(px(left)) x2=(px(right)) y1=(y) y2=(y) {}
                text.tick x=(px(left - 8.0)) y=(y) dy="0.35em" text-anchor="end" {
                    (tick_label(tick, &y_ticks))
                }
            }
            @for tick in log_ticks(cost_lo / 1.6, cost_hi * 1.6) {
                @let x = px(x_axis.at(tick));
                line.grid x1=(x) x2=(x) y1=(px(top)) y2=(px(bottom)) {}
                text.tick x=(x) y=(px(bottom + 18.0)) text-anchor="middle" { (log_label(tick)) }
            }
            text.axis x=(px(left)) y=(px(top - 2.0)) { "accuracy, %" }
            text.axis x=(px(right)) y=(px(height - 8.0)) text-anchor="end" {
                (cost.axis())
            }
            polyline.frontier points=(frontier.join(" ")) {}
            @for (model, (point, whisker)) in models.iter().zip(points.iter().zip(&whiskers)) {
                g.(family_class(&model.family)) {
                    line.whisker x1=(px(point.0)) x2=(px(point.0)) y1=(px(whisker.0)) y2=(px(whisker.1)) {}
                    @for end in [whisker.0, whisker.1] {
                        line.whisker x1=(px(point.0 - 4.0)) x2=(px(point.0 + 4.0)) y1=(px(end)) y2=(px(end)) {}
                    }
                }
            }
            @for (label, point) in labels.iter().zip(&points) {
                @if let Some(end) = label.as_ref().and_then(|label| label.leader) {
                    line.leader x1=(px(point.0)) y1=(px(point.1)) x2=(px(end.0)) y2=(px(end.1)) {}
                }
            }
            @for ((model, point), cost) in models.iter().zip(&points).zip(&costs) {
                g {
                    title {
                        (model_name(results, model)) ": " (percent(model.accuracy)) " %, "
                        (seconds(*cost))
                    }
                    (marker(family_class(&model.family), point.0, point.1))
                }
            }
            @for label in labels.iter().flatten() {
                text.label x=(px(label.x)) y=(px(label.y)) text-anchor=(label.anchor) { (label.text) }
            }
        }
    }
}

/// A shape per family, so that the figure does not rely on colour.
pub(super) fn marker(family: &str, x: f64, y: f64) -> Markup {
    html! {
        @match family {
            "neural" => circle.marker.neural cx=(px(x)) cy=(px(y)) r="5" {},
            "hybrid" => path.marker.hybrid
                d={ "M" (px(x)) " " (px(y - 6.5)) "l6.5 6.5l-6.5 6.5l-6.5-6.5z" } {},
            _ => rect.marker.classical x=(px(x - 4.6)) y=(px(y - 4.6)) width="9.2" height="9.2" {},
        }
    }
}

/// Indices of models that no other one beats in both cost and accuracy, by cost.
fn frontier(costs: &[f64], models: &[&ModelResult]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..models.len()).collect();
    order.sort_by(|&a, &b| {
        costs[a].total_cmp(&costs[b]).then(models[b].accuracy.total_cmp(&models[a].accuracy))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&at| {
        let better = models[at].accuracy > best;
        best = best.max(models[at].accuracy);
        better
    });
    order
}

/// Puts each label (none for an empty name) where it covers least: tries rings of places around its marker, top models
/// first, and keeps clear of markers, whiskers, the frontier, the frame and labels that are already placed.
fn place(
    names: &[String],
    points: &[(f64, f64)],
    whiskers: &[(f64, f64)],
    frontier: &[(f64, f64)],
    frame: &Box2,
) -> Vec<Option<Label>> {
    let mut taken: Vec<Box2> = points
        .iter()
        .map(|&(x, y)| Box2 { left: x - 8.0, top: y - 8.0, right: x + 8.0, bottom: y + 8.0 })
        .collect();
    taken.extend(points.iter().zip(whiskers).map(|(&(x, _), &(a, b))| Box2 {
        left: x - 5.0,
        top: a.min(b) - 2.0,
        right: x + 5.0,
        bottom: a.max(b) + 2.0,
    }));
    for ends in frontier.windows(2) {
        let ((x, y), (to_x, to_y)) = (ends[0], ends[1]);
        let n_steps = ((to_x - x).abs().max((to_y - y).abs()) / 4.0).ceil().max(1.0);
        taken.extend((0..n_steps as usize).map(|step| {
            let share = step as f64 / n_steps;
            let (x, y) = (x + share * (to_x - x), y + share * (to_y - y));
            Box2 { left: x - 2.0, top: y - 2.0, right: x + 2.0, bottom: y + 2.0 }
        }));
    }
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| points[a].1.total_cmp(&points[b].1).then(a.cmp(&b)));
    let mut labels: Vec<Option<Label>> = names.iter().map(|_| None).collect();
    for at in order.into_iter().filter(|&at| !names[at].is_empty()) {
        let (x, y) = points[at];
        let width = text_width(&names[at], FONT);
        let mut chosen: Option<(f64, f64, f64, f64)> = None;
        for ring in 0..9 {
            let radius = 12.0 + 14.0 * f64::from(ring);
            for step in 0..16 {
                let angle = std::f64::consts::TAU * f64::from(step) / 16.0;
                let (center_x, center_y) = (x + radius * angle.cos(), y + radius * angle.sin());
                let left = center_x - width / 2.0 + angle.cos() * width / 2.0;
                let found = Box2 {
                    left: left - 3.0,
                    top: center_y - FONT * 0.6 - 1.0,
                    right: left + width + 3.0,
                    bottom: center_y + FONT * 0.6 + 1.0,
                };
                let area = (found.right - found.left) * (found.bottom - found.top);
                let outside = area - found.overlap(frame);
                let covered: f64 = taken.iter().map(|other| found.overlap(other)).sum();
                let penalty =
                    4.0 * outside + 3.0 * covered + 0.9 * radius - 6.0 * angle.cos().max(0.0);
                if chosen.is_none_or(|(least, ..)| penalty < least - 1e-9) {
                    chosen = Some((penalty, left, center_y, radius));
                }
            }
        }
        let (_, left, center_y, radius) = chosen.unwrap_or((0.0, x + 12.0, y, 12.0));
        taken.push(Box2 {
            left: left - 3.0,
            top: center_y - FONT * 0.6 - 1.0,
            right: left + width + 3.0,
            bottom: center_y + FONT * 0.6 + 1.0,
        });
        let leader = (radius > 20.0).then(|| {
            (x.clamp(left, left + width), {
                if center_y > y + 8.0 {
                    center_y - FONT * 0.5
                } else if center_y < y - 8.0 {
                    center_y + FONT * 0.5
                } else {
                    center_y
                }
            })
        });
        let (anchor, anchor_x) = match left + width / 2.0 - x {
            side if side < -4.0 => ("end", left + width),
            side if side > 4.0 => ("start", left),
            _ => ("middle", left + width / 2.0),
        };
        labels[at] = Some(Label {
            text: names[at].clone(),
            x: anchor_x,
            y: center_y + FONT * 0.35,
            anchor,
            leader,
        });
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn labels_do_not_overlap_on_the_example() {
        let results = example::run_output().results;
        let names: Vec<String> =
            results.models.iter().map(|model| model_name(&results, model)).collect();
        let points: Vec<(f64, f64)> = (0..names.len())
            .map(|at| (400.0 + 30.0 * at as f64, 100.0 + 3.0 * at as f64))
            .collect();
        let whiskers: Vec<(f64, f64)> = points.iter().map(|&(_, y)| (y - 20.0, y + 20.0)).collect();
        let frame = Box2 { left: 40.0, top: 10.0, right: 990.0, bottom: 430.0 };
        let boxes: Vec<Box2> = place(&names, &points, &whiskers, &[], &frame)
            .iter()
            .flatten()
            .map(|label| {
                let width = text_width(&label.text, FONT);
                let left = match label.anchor {
                    "start" => label.x,
                    "end" => label.x - width,
                    _ => label.x - width / 2.0,
                };
                let bottom = label.y;
                Box2 { left, top: bottom - FONT, right: left + width, bottom }
            })
            .collect();
        for (at, one) in boxes.iter().enumerate() {
            for (other_at, other) in boxes.iter().enumerate().skip(at + 1) {
                assert_eq!(one.overlap(other), 0.0, "{} and {}", names[at], names[other_at]);
            }
        }
    }

    #[test]
    fn frontier_rises_with_cost() {
        let results = example::run_output().results;
        let models: Vec<&ModelResult> = results.models.iter().collect();
        let costs: Vec<f64> = models.iter().map(|model| results.total_fit_seconds(model)).collect();
        let found = frontier(&costs, &models);
        assert!(found.windows(2).all(|pair| {
            costs[pair[0]] <= costs[pair[1]] && models[pair[0]].accuracy < models[pair[1]].accuracy
        }));
    }
}
