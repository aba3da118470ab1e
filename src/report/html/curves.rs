//! Loss, accuracy and learning rate of a network over its epochs.

use maud::{Markup, html};

use super::svg::{Axis, linear_ticks, px, range, tick_label};
use crate::metrics::EpochRecord;
use crate::report::NetworkCard;

const WIDTH: f64 = 470.0;
const HEIGHT: f64 = 250.0;

/// One value of an epoch; absent where it was not measured.
type Pick<'a> = &'a dyn Fn(&EpochRecord) -> Option<f64>;

/// Two panels per network, and a third if its learning rate changed.
pub(super) fn figures(networks: &[NetworkCard]) -> Markup {
    html! {
        @for network in networks {
            figure {
                h3 { (network.architecture) @if !network.id.eq_ignore_ascii_case(&network.architecture) { " (" (network.id) ")" } }
                @if network.history.is_empty() {
                    p.note { "No epoch was recorded." }
                } @else {
                    div.pair {
                        (panel(network, "loss",
                            &|epoch| Some(epoch.train_loss), &|epoch| epoch.validation_loss))
                        (panel(network, "accuracy, %",
                            &|epoch| Some(100.0 * epoch.train_accuracy),
                            &|epoch| epoch.validation_accuracy.map(|share| 100.0 * share)))
                        (learning_rate(network))
                    }
                    p.legend {
                        span { span.swatch.train {} " training" }
                        @if network.history.iter().any(|epoch| epoch.validation_loss.is_some()) {
                            span { span.swatch.validation {} " validation" }
                        }
                        @if let Some(rate) = constant_rate(network) {
                            span { "learning rate " (rate) }
                        }
                        span { span.dash {} " epoch " (network.best_epoch) ", whose weights were kept" }
                    }
                }
            }
        }
    }
}

/// The one learning rate of all epochs.
fn constant_rate(network: &NetworkCard) -> Option<f64> {
    let rate = network.history.first()?.learning_rate;
    network.history.iter().all(|epoch| epoch.learning_rate == rate).then_some(rate)
}

/// Learning rates in a power of ten of theirs; nothing if it is always the same.
fn learning_rate(network: &NetworkCard) -> Markup {
    let greatest = network.history.iter().map(|epoch| epoch.learning_rate).fold(0.0, f64::max);
    if constant_rate(network).is_some() || greatest == 0.0 {
        return html! {};
    }
    let exponent = greatest.log10().floor() as i32;
    let unit = 10f64.powi(exponent);
    let title = if exponent == 0 {
        "learning rate".to_owned()
    } else {
        format!("learning rate, 1e{exponent}")
    };
    panel(network, &title, &|epoch| Some(epoch.learning_rate / unit), &|_| None)
}

fn panel(network: &NetworkCard, title: &str, train: Pick, validation: Pick) -> Markup {
    let history = &network.history;
    let values = history.iter().flat_map(|epoch| [train(epoch), validation(epoch)]).flatten();
    let (lo, hi) = range(values).unwrap_or((0.0, 1.0));
    let pad = 0.05 * (hi - lo).max(1e-3);
    let (left, right, top, bottom) = (46.0, WIDTH - 12.0, 26.0, HEIGHT - 34.0);
    let first = history.first().map_or(1, |epoch| epoch.epoch) as f64;
    let last = history.last().map_or(1, |epoch| epoch.epoch) as f64;
    let x_axis = Axis::linear(first, last.max(first + 1.0), left + 8.0, right - 4.0);
    let y_axis = Axis::linear(lo - pad, hi + pad, bottom, top);
    let y_ticks = linear_ticks(lo - pad, hi + pad, 5);
    let mut x_ticks = linear_ticks(first, last, 6);
    x_ticks.retain(|tick| tick.fract() == 0.0);
    let best_x = px(x_axis.at(network.best_epoch as f64));
    let best = history.iter().find(|epoch| epoch.epoch == network.best_epoch);
    html! {
        svg.plot viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img"
            aria-label={ (network.architecture) ": " (title) " by epoch" } {
            @for &tick in &y_ticks {
                @let y = px(y_axis.at(tick));
                line.grid x1=(px(left)) x2=(px(right)) y1=(y) y2=(y) {}
                text.tick x=(px(left - 8.0)) y=(y) dy="0.35em" text-anchor="end" { (tick_label(tick, &y_ticks)) }
            }
            @for &tick in &x_ticks {
                text.tick x=(px(x_axis.at(tick))) y=(px(bottom + 18.0)) text-anchor="middle" { (tick) }
            }
            text.axis x=(px(left)) y="12" { (title) }
            text.axis x=(px(right)) y=(px(HEIGHT - 2.0)) text-anchor="end" { "epoch" }
            line.best x1=(best_x) x2=(best_x) y1=(px(top)) y2=(px(bottom)) {}
            @for (class, pick) in [("train", train), ("validation", validation)] {
                @for segment in segments(history, pick, x_axis, y_axis) {
                    polyline.curve.(class) points=(segment) {}
                }
                @if let Some(value) = best.and_then(pick).filter(|value| value.is_finite()) {
                    circle.dot.(class) cx=(best_x) cy=(px(y_axis.at(value))) r="4" {}
                }
            }
        }
    }
}

/// Points of one curve; a missing or infinite value breaks it.
fn segments(history: &[EpochRecord], pick: Pick, x_axis: Axis, y_axis: Axis) -> Vec<String> {
    let mut segments = vec![String::new()];
    for epoch in history {
        match pick(epoch).filter(|value| value.is_finite()) {
            Some(value) => {
                let point =
                    format!("{},{} ", px(x_axis.at(epoch.epoch as f64)), px(y_axis.at(value)));
                if let Some(segment) = segments.last_mut() {
                    segment.push_str(&point);
                }
            }
            None => segments.push(String::new()),
        }
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}
