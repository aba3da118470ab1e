//! Test images as points in the plane of a reduction's first two axes.

use maud::{Markup, html};

use super::svg::{Axis, px, range};
use crate::report::format::count;
use crate::report::{RunOutput, ScatterCard};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 470.0;
/// Classes with a colour of the palette; of more, hues go around the circle.
const N_COLOURS: usize = 10;
/// Classes up to which each cloud has its name.
const MAX_NAMED: usize = 20;

/// One plot per reduction.
pub(super) fn figures(output: &RunOutput) -> Markup {
    let names = &output.results.dataset.class_names;
    html! {
        div.pair { @for card in &output.scatters { (figure(card, names)) } }
        p.note {
            "The first axis runs to the right, the second up; a name stands at the middle of its class. "
            "What lies apart here is easy; what lies together may still be told apart along further axes."
        }
    }
}

fn figure(card: &ScatterCard, names: &[String]) -> Markup {
    let n_classes = card.labels.iter().max().map_or(0, |&label| label + 1).max(names.len());
    let axis = |of: usize, start: f64, end: f64| {
        let mut values: Vec<f32> = card.points.iter().map(|point| point[of]).collect();
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f32::total_cmp);
        // A few far points must not press all others together.
        let cut = values.len() / 200;
        let kept = values[cut..values.len() - cut].iter();
        let (lo, hi) = range(kept.map(|&value| f64::from(value))).unwrap_or((0.0, 1.0));
        let pad = 0.03 * (hi - lo);
        Axis::linear(lo - pad, hi + pad, start, end)
    };
    let (x, y) = (axis(0, 6.0, WIDTH - 6.0), axis(1, HEIGHT - 6.0, 6.0));
    let place = |point: &[f32; 2]| (x.at(f64::from(point[0])), y.at(f64::from(point[1])));
    let of_class = |class: usize| {
        let both = card.points.iter().zip(&card.labels);
        both.filter(move |(_, label)| **label == class).map(|(point, _)| place(point))
    };
    let dots = |class: usize| -> String {
        of_class(class).map(|(x, y)| format!("M{} {}h0", px(x), px(y))).collect()
    };
    let middle = |class: usize| {
        let mut both: [Vec<f64>; 2] =
            of_class(class).fold(Default::default(), |mut both, (x, y)| {
                both[0].push(x);
                both[1].push(y);
                both
            });
        both.iter_mut().for_each(|values| values.sort_unstable_by(f64::total_cmp));
        let [x, y] = both.map(|values| values.get(values.len() / 2).copied());
        Some((x?, y?))
    };
    let name = |class: usize| names.get(class).map_or("?", String::as_str);
    html! {
        figure.scatter {
            h3 { (card.id) span.minor { " " (card.description) } }
            svg.plot viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img" aria-label={ "Test images in the plane of " (card.id) } {
                rect.cell x="1" y="1" width=(px(WIDTH - 2.0)) height=(px(HEIGHT - 2.0)) {}
                @for class in 0..n_classes {
                    g.cloud style=(colour(class, n_classes)) data-class=(class) {
                        title { (name(class)) }
                        path.dots d=(dots(class)) {}
                    }
                }
                @if n_classes <= MAX_NAMED {
                    @for class in 0..n_classes {
                        @if let Some((x, y)) = middle(class) {
                            text.label x=(px(x.clamp(40.0, WIDTH - 40.0))) y=(px(y)) dy="0.35em" text-anchor="middle" { (name(class)) }
                        }
                    }
                }
            }
            p.legend.classes {
                @for class in 0..n_classes {
                    span.class-key data-class=(class) { span.spot style=(colour(class, n_classes)) {} (name(class)) }
                }
            }
            figcaption { (count(card.points.len() as u64)) " of " (count(card.n_all as u64)) " test images" }
        }
    }
}

/// A colour for each class.
fn colour(class: usize, n_classes: usize) -> String {
    match n_classes <= N_COLOURS {
        true => format!("color: var(--c{class})"),
        // Neighbouring labels get far hues; mid lightness stands out on light and on dark.
        false => format!("color: hsl({} 60% 52%)", (class as f64 * 137.5) as usize % 360),
    }
}
