//! Confusion matrices as heat maps and F1 by class.

use maud::{Markup, html};

use super::cost::marker;
use super::names::{best, family_class, featured, model_name};
use super::svg::{Axis, linear_ticks, px, range, text_width, tick_label};
use crate::report::format::{percent, share};
use crate::report::{ModelResult, Results};

const MAX_SHOWN_CLASSES: usize = 30;

/// Heat maps of the best model and of its rival; those of all are with the models.
pub(super) fn heat_maps(results: &Results) -> Markup {
    html! {
        p.lead { "Rows are true classes, columns what the model said; figures are test images." }
        div.pair {
            @for model in featured(results) { (heat_map(results, model, &model_name(results, model))) }
        }
    }
}

/// The confusion matrix of one model under a title.
pub(super) fn heat_map(results: &Results, model: &ModelResult, title: &str) -> Markup {
    let names = &results.dataset_of(model).class_names;
    let n_classes = model.confusion.len();
    if n_classes == 0 || n_classes > MAX_SHOWN_CLASSES {
        return html! {
            p.note { (model_name(results, model)) ": " (n_classes) " classes do not fit a figure; see results.json." }
        };
    }
    let name = |class: usize| names.get(class).map_or("?", String::as_str);
    let widest = (0..n_classes).map(|class| text_width(name(class), 12.0)).fold(40.0, f64::max);
    let gutter = widest.min(130.0) + 12.0;
    let cell = (384.0 / n_classes as f64).max(16.0);
    let side = cell * n_classes as f64;
    let font = (cell * 0.34).clamp(6.5, 13.0);
    html! {
        figure {
            h3 { (title) }
            svg.plot viewBox={ "0 0 " (px(gutter + side + 34.0)) " " (px(gutter + side + 2.0)) } role="img"
                aria-label={ "Confusion matrix of " (model_name(results, model)) } {
                @for class in 0..n_classes {
                    @let middle = gutter + (class as f64 + 0.5) * cell;
                    text.tick x=(px(gutter - 8.0)) y=(px(middle)) dy="0.35em" text-anchor="end" { (name(class)) }
                    text.tick transform={ "translate(" (px(middle)) " " (px(gutter - 8.0)) ") rotate(-55)" } dy="0.35em" { (name(class)) }
                }
                @for (truth, row) in model.confusion.iter().enumerate() {
                    @let support = row.iter().sum::<u64>().max(1) as f64;
                    @for (guess, &n) in row.iter().enumerate() {
                        @let part = n as f64 / support;
                        // The square root keeps the rare confusions visible beside the diagonal.
                        @let depth = part.sqrt();
                        @let (x, y) = (gutter + guess as f64 * cell, gutter + truth as f64 * cell);
                        g {
                            title { (name(truth)) " labelled " (name(guess)) ": " (n) " (" (percent(part)) " %)" }
                            rect.cell x=(px(x)) y=(px(y)) width=(px(cell)) height=(px(cell)) {}
                            @if n > 0 {
                                rect.(if truth == guess { "hit" } else { "miss" }) x=(px(x)) y=(px(y))
                                    width=(px(cell)) height=(px(cell)) fill-opacity=(format!("{depth:.2}")) {}
                                text.count.(if depth > 0.6 { "on" } else { "off" }) x=(px(x + cell / 2.0)) y=(px(y + cell / 2.0))
                                    dy="0.35em" text-anchor="middle" font-size=(px(font)) { (n) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// F1 of every model by class, hardest class first.
pub(super) fn f1_plot(results: &Results) -> Markup {
    let Some(best) = best(results) else { return html! {} };
    html! {
        figure {
            (f1_svg(results, best, 1000.0, "wide"))
            (f1_svg(results, best, 380.0, "narrow"))
            p.legend {
                @for family in ["neural", "hybrid", "classical"] {
                    @if results.models.iter().any(|model| family_class(&model.family) == family) {
                        span {
                            svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" { (marker(family, 0.0, 0.0)) }
                            " " (family)
                        }
                    }
                }
                span { "filled: " (model_name(results, best)) }
            }
            figcaption { "F1 of each class, hardest class first; one marker per model, its name under the pointer." }
        }
    }
}

fn f1_svg(results: &Results, best: &ModelResult, width: f64, class: &str) -> Markup {
    let n_classes = best.per_class.len();
    let value = |model: &ModelResult, at: usize| model.per_class.get(at).map(|row| row.f1);
    let mean = |at: usize| results.models.iter().filter_map(|model| value(model, at)).sum::<f64>();
    let mut order: Vec<usize> = (0..n_classes).collect();
    order.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(a.cmp(&b)));
    let all = results.models.iter().flat_map(|model| model.per_class.iter().map(|row| row.f1));
    let (lo, hi) = range(all).unwrap_or((0.0, 1.0));
    let (lo, hi) = ((lo - 0.02).max(0.0), (hi + 0.01).min(1.0));
    let widest = best.per_class.iter().map(|row| text_width(&row.class, 13.0)).fold(40.0, f64::max);
    let (left, right) = (widest.min(width / 3.0) + 14.0, width - 14.0);
    let step = 30.0;
    let bottom = 8.0 + step * n_classes as f64;
    let axis = Axis::linear(lo, hi, left, right);
    let ticks = linear_ticks(lo, hi, if width > 500.0 { 8 } else { 4 });
    html! {
        svg.plot.(class) viewBox={ "0 0 " (px(width)) " " (px(bottom + 26.0)) } role="img" aria-label="F1 by class and model" {
            @for &tick in &ticks {
                @let x = px(axis.at(tick));
                line.grid x1=(x) x2=(x) y1="4" y2=(px(bottom)) {}
                text.tick x=(x) y=(px(bottom + 18.0)) text-anchor="middle" { (tick_label(tick, &ticks)) }
            }
            @for (place, &at) in order.iter().enumerate() {
                @let y = 8.0 + step * (place as f64 + 0.5);
                @let ends = range(results.models.iter().filter_map(|model| value(model, at)));
                text.label x=(px(left - 12.0)) y=(px(y)) dy="0.35em" text-anchor="end" { (best.per_class[at].class) }
                @if let Some((from, to)) = ends {
                    line.span x1=(px(axis.at(from))) x2=(px(axis.at(to))) y1=(px(y)) y2=(px(y)) {}
                }
                @for model in results.models.iter().filter(|model| model.id != best.id).chain([best]) {
                    @if let Some(f1) = value(model, at) {
                        g.(if model.id == best.id { "filled" } else { "hollow" }) {
                            title { (model_name(results, model)) ": " (best.per_class[at].class) " " (share(f1)) }
                            (marker(family_class(&model.family), axis.at(f1), y))
                        }
                    }
                }
            }
        }
    }
}
