//! Why models decide as they do: heat maps of networks, weights, pixels that trees read, filters.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use ndarray::Array2;

use super::names::name_of;
use crate::data::{ImageShape, Picture};
use crate::report::{ExplainedImage, HeatCard, PatternCard, PatternKind, RunOutput, WhyCard};

/// Filters in a row.
const N_COLUMNS: usize = 16;

/// What each kind of pattern is called, and how it is read; in the order of the page.
const KINDS: [(PatternKind, &str, &str); 3] = [
    (
        PatternKind::Weights,
        "Weights of linear models",
        "What a pixel at full brightness adds to the score of a class: red raises it, blue lowers it. \
         One scale for each model; the maps before a classifier are part of its weights.",
    ),
    (
        PatternKind::Importance,
        "Pixels that trees read",
        "How much the cuts at every pixel separate the classes, over all trees: the brighter, the more.",
    ),
    (
        PatternKind::Filters,
        "First filters of the networks",
        "The weights of the first convolution, a square a filter: red adds, blue subtracts.",
    ),
];

/// Whether there is anything to show.
pub(super) fn is_there(output: &RunOutput) -> bool {
    output.why.iter().any(|(_, card)| !card.patterns.is_empty() || has_heats(card))
}

fn has_heats(card: &WhyCard) -> bool {
    card.images.iter().any(|image| !image.heats.is_empty())
}

pub(super) fn figures(output: &RunOutput) -> Markup {
    let patterns = |kind: PatternKind| {
        // A model that several evaluations judge is the same in all.
        let mut found: Vec<(&WhyCard, &PatternCard)> = Vec::new();
        for (_, card) in &output.why {
            for pattern in card.patterns.iter().filter(|pattern| pattern.kind == kind) {
                if found.iter().all(|(_, known)| known.model != pattern.model) {
                    found.push((card, pattern));
                }
            }
        }
        found
    };
    html! {
        @for (id, card) in output.why.iter().filter(|(_, card)| has_heats(card)) {
            @let class_names = class_names(output, id);
            p.note {
                "Where networks see what speaks for their answers (Grad-CAM at the last convolution; "
                "bright: more, each map on a scale of its own). The images are the first of their "
                "classes in the test set, whatever the models say of them. "
                code { "pipeline explain" } " shows the same, and more, for any image."
            }
            @for image in &card.images { (heat_maps(output, card, image, class_names)) }
        }
        @for (kind, title, note) in KINDS {
            @let found = patterns(kind);
            @if !found.is_empty() {
                h3 { (title) }
                p.note { (note) }
                @for (_, pattern) in found {
                    (tiles(output, pattern))
                }
            }
        }
    }
}

/// Class names of an evaluation.
fn class_names<'a>(output: &'a RunOutput, evaluation: &str) -> &'a [String] {
    let results = &output.results;
    let found = results.evaluations.iter().find(|known| known.id == evaluation);
    found.map_or(&results.dataset.class_names, |found| &found.dataset.class_names)
}

fn heat_maps(
    output: &RunOutput,
    card: &WhyCard,
    image: &ExplainedImage,
    class_names: &[String],
) -> Markup {
    let name = |class: usize| class_names.get(class).map_or("?", String::as_str);
    let photo = Picture::Photo { pixels: image.pixels.clone(), shape: card.shape };
    html! {
        div.axes {
            figure {
                (png(&photo, name(image.label)))
                figcaption { (name(image.label)) span.minor { " · test image " (image.row) } }
            }
            @for heat in &image.heats {
                figure {
                    (png(&over(image, heat, card.shape), &format!("Heat map for {}", name(heat.predicted))))
                    figcaption {
                        @if heat.predicted == image.label { "says so: " } @else { "says " strong { (name(heat.predicted)) } ": " }
                        span.minor { (name_of(&output.results, &heat.model)) }
                    }
                }
            }
        }
    }
}

/// A heat map over its image.
fn over(image: &ExplainedImage, heat: &HeatCard, shape: ImageShape) -> Picture {
    let values = heat.values.iter().map(|&v| f32::from(v)).collect();
    let values = grid(values, [shape.height, shape.width]);
    Picture::Heat { values, over: Some((image.pixels.clone(), shape)), largest: 255.0 }
}

fn tiles(output: &RunOutput, pattern: &PatternCard) -> Markup {
    let title = name_of(&output.results, &pattern.model);
    let drawn = |values: &[i8]| {
        let values = grid(values.iter().map(|&v| f32::from(v)).collect(), pattern.size);
        match pattern.kind {
            PatternKind::Importance => Picture::Heat { values, over: None, largest: 127.0 },
            _ => Picture::Signed { values, largest: 127.0 },
        }
    };
    html! {
        @if pattern.kind == PatternKind::Filters {
            @let sheet = Picture::Sheet {
                tiles: pattern.tiles.iter().map(|tile| drawn(&tile.values)).collect(),
                columns: N_COLUMNS,
            };
            @let (height, width) = sheet.size();
            figure {
                img src=(source(&sheet, 16 * width)) alt={ "Filters of " (title) }
                    width=(4 * width) height=(4 * height);
                figcaption { (title) }
            }
        } @else {
            div.axes {
                @for tile in &pattern.tiles {
                    @let of = tile.class.map_or(String::new(), |class| class_name(output, class));
                    figure {
                        (png(&drawn(&tile.values), &format!("{title} {of}")))
                        figcaption { (of) " " span.minor { (title) } }
                    }
                }
            }
        }
    }
}

fn class_name(output: &RunOutput, class: usize) -> String {
    output.results.dataset.class_names.get(class).cloned().unwrap_or_default()
}

/// Values as a grid; of another number, an empty one.
fn grid(values: Vec<f32>, [height, width]: [usize; 2]) -> Array2<f32> {
    Array2::from_shape_vec((height, width), values).unwrap_or_default()
}

/// A picture at its own size; the style enlarges it.
fn png(picture: &Picture, alt: &str) -> Markup {
    let (height, width) = picture.size();
    html! { img src=(source(picture, 1)) alt=(alt) width=(width) height=(height); }
}

fn source(picture: &Picture, side: usize) -> String {
    // An image that is not of its shape shows its text instead.
    let bytes = picture.png(side).unwrap_or_default();
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_heat_map_and_pattern_is_a_picture() {
        let section = figures(&example::run_output()).into_string();
        // Two images with a map each, two weights, one importance, one sheet of filters.
        assert_eq!(section.matches("data:image/png;base64,iVBOR").count(), 4 + 2 + 1 + 1);
        assert_eq!(section.matches("says so: ").count(), 1);
        assert_eq!(section.matches("says <strong>").count(), 1);
    }

    #[test]
    fn a_model_of_two_evaluations_is_shown_once() {
        let mut output = example::run_output();
        let mut again = output.why[0].clone();
        again.0 = "other".to_owned();
        again.1.images.clear();
        output.why.push(again);
        let section = figures(&output).into_string();
        assert_eq!(section.matches("data:image/png;base64,iVBOR").count(), 4 + 2 + 1 + 1);
        assert!(is_there(&output));
        output.why.clear();
        assert!(!is_there(&output));
    }

    #[test]
    fn values_of_another_number_draw_nothing_and_break_nothing() {
        let mut output = example::run_output();
        output.why[0].1.images[0].heats[0].values.truncate(3);
        output.why[0].1.images[1].pixels.truncate(3);
        output.why[0].1.patterns[0].tiles[0].values.clear();
        assert!(figures(&output).into_string().contains("<img"));
    }
}
