//! What models keep of their accuracy when the test images change.

use maud::{Markup, html};

use super::names::name_of;
use super::sprite::encoded;
use super::svg::{Axis, linear_ticks, px, range, series_class, tick_label};
use crate::data::N_SEVERITIES;
use crate::report::format::{count, percent};
use crate::report::{CorruptionCard, ModelRobustness, Results, RobustnessCard, RunOutput};

const WIDTH: f64 = 230.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = HEIGHT - 22.0;

/// Strongest tint of a cell, percent.
const STRONGEST: f64 = 55.0;

/// A table and a plot for each `robustness` stage.
pub(super) fn section(output: &RunOutput) -> Markup {
    html! {
        @for card in &output.robustness {
            (table(&output.results, card))
            (curves(&output.results, card))
            (examples(card))
        }
    }
}

/// `background_fill` in words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Mean accuracies by model and change.
fn table(results: &Results, card: &RobustnessCard) -> Markup {
    let models = &card.record.models;
    let means = models.iter().flat_map(|model| model.changes.iter().map(|row| row.mean()));
    let (lo, hi) = range(means).unwrap_or((0.0, 1.0));
    let tint = |mean: f64| STRONGEST * ((mean - lo) / (hi - lo).max(1e-9)).clamp(0.0, 1.0);
    html! {
        div.scroll {
            table.grid-table.wrapped-heads {
                thead { tr {
                    th { "Accuracy, %" } th.figure { "Unchanged" } th.figure { "Mean, changed" }
                    @for change in &card.changes { th.figure { (words(&change.name)) } }
                } }
                tbody {
                    @for model in models {
                        tr {
                            th scope="row" { (name_of(results, &model.id)) }
                            td.figure { (percent(model.clean_accuracy)) }
                            td.figure { strong { (percent(model.mean_corruption_accuracy)) } }
                            @for row in &model.changes {
                                td.figure title=(by_severity(&row.accuracies))
                                    style=(format!("background: color-mix(in srgb, var(--classical) {:.0}%, transparent)", tint(row.mean()))) {
                                    (percent(row.mean()))
                                }
                            }
                        }
                    }
                }
            }
        }
        p.note {
            "Means over five severities of each change on " (count(card.record.n_images as u64))
            " test images; the mean over all changes counts each the same. Nothing was fitted or "
            "chosen by changed images."
        }
    }
}

fn by_severity(accuracies: &[f64]) -> String {
    let all: Vec<String> = accuracies.iter().map(|&accuracy| percent(accuracy)).collect();
    format!("severity 1 to 5: {}", all.join(", "))
}

/// A panel for each change.
fn curves(results: &Results, card: &RobustnessCard) -> Markup {
    let models = &card.record.models;
    html! {
        figure {
            div.panels {
                @for (nth, change) in card.changes.iter().enumerate() { (panel(models, nth, change)) }
            }
            p.legend {
                @for (nth, model) in models.iter().enumerate() {
                    span { (line_key(nth)) (name_of(results, &model.id)) }
                }
            }
            figcaption { "Accuracy in percent by severity; 0 is the image as it is." }
        }
    }
}

/// Lines beyond the fourth take the colours again, dashed.
fn is_dashed(series: usize) -> bool {
    series / 4 % 2 == 1
}

fn line_key(series: usize) -> Markup {
    html! {
        svg.key width="26" height="14" viewBox="0 0 26 14" aria-hidden="true" {
            g.(series_class(series)).dashed[is_dashed(series)] { polyline.curve points="1,7 25,7" {} }
        }
    }
}

fn panel(models: &[ModelRobustness], nth: usize, change: &CorruptionCard) -> Markup {
    let x_axis = Axis::linear(0.0, N_SEVERITIES as f64, LEFT, RIGHT);
    let y_axis = Axis::linear(0.0, 100.0, BOTTOM, TOP);
    let ticks = linear_ticks(0.0, 100.0, 4);
    html! {
        svg.plot viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img"
            aria-label={ "Accuracy under " (words(&change.name)) " by severity" } {
            @for &tick in &ticks {
                @let y = px(y_axis.at(tick));
                line.grid x1=(px(LEFT)) x2=(px(RIGHT)) y1=(y) y2=(y) {}
                text.tick x=(px(LEFT - 6.0)) y=(y) dy="0.35em" text-anchor="end" { (tick_label(tick, &ticks)) }
            }
            @for severity in 0..=N_SEVERITIES {
                text.tick x=(px(x_axis.at(severity as f64))) y=(px(BOTTOM + 15.0)) text-anchor="middle" { (severity) }
            }
            text.axis x=(px(LEFT)) y="12" { (words(&change.name)) }
            @for (series, model) in models.iter().enumerate() {
                @if let Some(row) = model.changes.get(nth) {
                    @let all = std::iter::once(model.clean_accuracy).chain(row.accuracies);
                    @let points: Vec<String> = all.enumerate().map(|(severity, accuracy)| {
                        format!("{},{}", px(x_axis.at(severity as f64)), px(y_axis.at(100.0 * accuracy)))
                    }).collect();
                    g.(series_class(series)).dashed[is_dashed(series)] {
                        title { (model.id) ": " (by_severity(&row.accuracies)) }
                        polyline.curve points=(points.join(" ")) {}
                    }
                }
            }
        }
    }
}

/// One test image under every change.
fn examples(card: &RobustnessCard) -> Markup {
    html! {
        details {
            summary { "What the changes do" span.minor { " to the first test image" } }
            div.scroll { table {
                thead { tr {
                    th { "Change" }
                    @for severity in 1..=N_SEVERITIES { th { "Severity " (severity) } }
                } }
                tbody {
                    @for change in &card.changes {
                        tr {
                            th scope="row" { (words(&change.name)) }
                            @for (image, level) in change.images.iter().zip(&change.levels) {
                                td {
                                    img.pixel src=(encoded(image, card.shape)) alt=(level) width="56";
                                    div.minor { (level) }
                                }
                            }
                        }
                    }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Corruption;
    use crate::report::example;

    #[test]
    fn every_change_has_a_column_a_panel_and_five_pictures() {
        let page = section(&example::run_output()).into_string();
        let n_changes = Corruption::all().count();
        assert_eq!(page.matches("data:image/png;base64,").count(), N_SEVERITIES * n_changes);
        assert_eq!(page.matches("<svg class=\"plot\"").count(), n_changes);
        assert_eq!(page.matches("<polyline").count(), 2 * (n_changes + 1));
        assert!(page.contains("background fill") && !page.contains("NaN"));
    }
}
