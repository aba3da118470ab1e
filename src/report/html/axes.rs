//! The axes of reductions as images.

use maud::{Markup, html};

use super::sprite;
use crate::data::ImageShape;
use crate::report::format::{count, percent};
use crate::report::{AxesCard, AxisImage, RunOutput};

/// Colours of values above and below 0; both stand out from a light page and a dark one.
const PLUS: [u8; 3] = [0xd9, 0x61, 0x1c];
const MINUS: [u8; 3] = [0x2a, 0x78, 0xd0];

/// The mean image and the first axes of each reduction.
pub(super) fn figures(output: &RunOutput) -> Markup {
    html! {
        p.note {
            "A reduction gives an image a coordinate along each of these axes. Along an axis "
            span { span.swatch.plus {} " some pixels grow brighter" } " and "
            span { span.swatch.minus {} " others darker" }
            "; the fuller the colour, the more. Percentages are shares of the variance: of all "
            "pixels for principal components, of that between the classes for Fisher's "
            "discriminant."
        }
        @for card in &output.axes { (figure(card)) }
    }
}

fn figure(card: &AxesCard) -> Markup {
    let (shape, shown) = (card.shape, card.axes.len());
    html! {
        h3 {
            (card.id)
            span.minor {
                " " (card.description)
                @if shown < card.n_axes { ", the first " (shown) " of " (count(card.n_axes as u64)) }
            }
        }
        div.axes {
            figure {
                (picture(&card.mean, shape, "mean image"))
                figcaption { "mean" }
            }
            @for (nth, axis) in card.axes.iter().enumerate() {
                figure {
                    (picture(&coloured(axis, shape), ImageShape { channels: 4, ..shape }, &format!("axis {}", nth + 1)))
                    figcaption { (nth + 1) span.minor { " · " (percent(axis.share)) " %" } }
                }
            }
        }
    }
}

/// Colour by sign and opacity by size, so that 0 is the page itself in either theme; channels are
/// averaged.
fn coloured(axis: &AxisImage, shape: ImageShape) -> Vec<u8> {
    let pixel = |values: &[i8]| {
        let mean = values.iter().map(|&v| i32::from(v)).sum::<i32>() / values.len() as i32;
        let [red, green, blue] = if mean < 0 { MINUS } else { PLUS };
        [red, green, blue, (2 * mean.unsigned_abs()).min(255) as u8]
    };
    axis.values.chunks(shape.channels.max(1)).flat_map(pixel).collect()
}

fn picture(pixels: &[u8], shape: ImageShape, alt: &str) -> Markup {
    sprite::picture(pixels, shape, alt, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_axis_is_a_picture_with_its_share() {
        let section = figures(&example::run_output()).into_string();
        assert_eq!(section.matches("data:image/png;base64,iVBOR").count(), 2 + 12 + 3);
        assert!(section.contains("1<span class=\"minor\"> · 30.00 %"), "{section}");
    }

    #[test]
    fn zero_is_clear_and_signs_differ() {
        let axis = AxisImage { values: vec![0, 127, -127], share: 1.0 };
        let shape = ImageShape { height: 1, width: 3, channels: 1 };
        let found = coloured(&axis, shape);
        assert_eq!(found[3], 0);
        assert_eq!(found[4..8], [PLUS[0], PLUS[1], PLUS[2], 254]);
        assert_eq!(found[8..12], [MINUS[0], MINUS[1], MINUS[2], 254]);
    }
}
