//! Any two models side by side: class by class, and image by image where they disagree.
//!
//! What the script needs for any pair stands in the page as JSON; without it the page shows the best
//! model and its rival.

use maud::{Markup, PreEscaped, html};
use serde_json::{Map, Value, json};

use super::names::{featured, model_name};
use super::sprite::{self, N_COLUMNS};
use crate::data::ImageShape;
use crate::report::format::{count, points, share};
use crate::report::{Disagreements, GalleryImage, ModelResult, Results, RunOutput};

/// Id of the element that holds the JSON.
const DATA_ID: &str = "page-data";
/// Disputed images shown without script.
const N_STATIC: usize = 24;
/// Colour of heat maps; opacity is the value.
const HEAT: [u8; 3] = [0xe8, 0x5d, 0x12];

/// Whether there are two models of one evaluation.
pub(super) fn is_there(results: &Results) -> bool {
    results.first_models().count() > 1
}

/// The tables, the browser, and the data behind them.
pub(super) fn section(output: &RunOutput) -> Markup {
    let results = &output.results;
    let pair = featured(results);
    let [a, b] = pair[..] else { return html! {} };
    let sets: Vec<&Disagreements> = output.disagreements.iter().map(|(_, found)| found).collect();
    let (data, sheets) = data(output, &sets);
    html! {
        div.tools.pick {
            label { "First model " select id="pick-a" {} }
            label { "Second model " select id="pick-b" {} }
            button type="button" id="swap" { "Swap" }
        }
        h3 { "Class by class" }
        div.tools { label { "Compare " select id="pick-metric" {
            option value="recall" { "recall" } option value="precision" { "precision" } option value="f1" selected { "F1" }
        } } }
        div.scroll { (class_table(results, a, b)) }
        @if !sets.is_empty() {
            h3 { "Images on which they disagree" }
            div id="browser" hidden {
                div.tools {
                    label { "True class " select id="pick-truth" {} }
                    label { "Answers " select id="pick-answers" {} }
                    label { "Right is " select id="pick-right" {
                        option value="" { "any" } option value="a" { "the first" } option value="b" { "the second" } option value="none" { "neither" }
                    } }
                }
                p.note id="browser-count" aria-live="polite" {}
                div id="browser-detail" {}
                div id="browser-grid" role="listbox" aria-label="Images on which the two models disagree" {}
                div.tools id="browser-pages" {
                    button type="button" id="page-back" { "← Earlier" } span id="page-number" {} button type="button" id="page-on" { "Later →" }
                }
                p.note {
                    "Arrow keys go from image to image, Page Up and Page Down from page to page. Kept are "
                    (count(sets.iter().map(|set| set.images.len() as u64).sum())) " of "
                    (count(sets.iter().map(|set| set.n_all as u64).sum()))
                    " test images on which not all models agree, spread over the pairs of models."
                }
            }
            div.without-script { (some(output, sets[0], a, b)) }
        }
        @for (nth, (images, heat)) in sheets.iter().enumerate() {
            img.sheet id={ "sheet-" (nth) } src=(images) alt="" hidden;
            @if let Some(heat) = heat { img.sheet id={ "heat-" (nth) } src=(heat) alt="" hidden; }
        }
        script type="application/json" id=(DATA_ID) { (PreEscaped(escaped(&data))) }
    }
}

/// JSON that may stand in a page: no text of the run can end the element that it is in.
fn escaped(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c")
}

/// F1 of two models; the script fills in any other pair.
fn class_table(results: &Results, a: &ModelResult, b: &ModelResult) -> Markup {
    html! {
        table.sortable id="class-table" {
            thead { tr {
                th { "Class" } th.figure id="class-a" { (model_name(results, a)) } th.figure id="class-b" { (model_name(results, b)) }
                th.figure { "Difference, points" } th { span.minor { "second better ◂ ▸ first better" } }
            } }
            tbody {
                @for (of_a, of_b) in a.per_class.iter().zip(&b.per_class) {
                    @let difference = of_a.f1 - of_b.f1;
                    tr {
                        th scope="row" { (of_a.class) }
                        td.figure { (share(of_a.f1)) } td.figure { (share(of_b.f1)) }
                        td.figure data-v=(format!("{difference:.6}")) { (points(difference)) }
                        td {}
                    }
                }
            }
        }
    }
}

/// Disputed images of one pair.
fn some(output: &RunOutput, set: &Disagreements, a: &ModelResult, b: &ModelResult) -> Markup {
    let results = &output.results;
    let place = |model: &ModelResult| set.models.iter().position(|id| *id == model.id);
    let (Some(at_a), Some(at_b)) = (place(a), place(b)) else { return html! {} };
    let dataset = results.dataset_of(a);
    let name = |class: usize| dataset.class_names.get(class).map_or("?", String::as_str);
    let disputed = set.images.iter().filter(|of| of.answers[at_a] != of.answers[at_b]);
    html! {
        p.note { "First " (model_name(results, a)) ", then " (model_name(results, b)) "." }
        div.gallery {
            @for of in disputed.take(N_STATIC) {
                @let answers = [at_a, at_b].map(|at| of.answers[at]);
                figure {
                    (sprite::picture(&of.image.pixels, dataset.shape, name(of.image.label), Some(&format!("row {}", of.image.row))))
                    figcaption {
                        (name(of.image.label))
                        @for answer in answers {
                            br; span.wrong[answer != of.image.label] { "→ " (name(answer)) }
                        }
                    }
                }
            }
        }
    }
}

/// A sheet of images, and one of heat maps if there are any.
type Sheets = (String, Option<String>);

/// Metrics by class of every model, and every disputed image with what each model says of it.
fn data(output: &RunOutput, sets: &[&Disagreements]) -> (Value, Vec<Sheets>) {
    let results = &output.results;
    let at_id = |id: &str| results.models.iter().position(|model| model.id == id);
    // Four digits are what is shown.
    let round = |value: f64| (value * 1e4).round() / 1e4;
    let models: Vec<Value> = results
        .models
        .iter()
        .map(|model| {
            let of = |pick: fn(&crate::metrics::ClassMetrics) -> f64| -> Vec<f64> {
                model.per_class.iter().map(|class| round(pick(class))).collect()
            };
            json!({
                "id": model.id,
                "name": model_name(results, model),
                "evaluation": model.evaluation,
                "recall": of(|class| class.recall),
                "precision": of(|class| class.precision),
                "f1": of(|class| class.f1),
            })
        })
        .collect();
    let mut classes = Map::new();
    for model in &results.models {
        let names = || model.per_class.iter().map(|class| class.class.as_str()).collect::<Vec<_>>();
        classes.entry(model.evaluation.clone()).or_insert_with(|| json!(names()));
    }
    let mut sheets = Vec::new();
    let mut described = Vec::new();
    for set in sets {
        let model = set.models.iter().find_map(|id| results.model(id));
        let dataset = model.map_or(&results.dataset, |model| results.dataset_of(model));
        let (sheet, cell) = image_sheet(set, dataset.shape);
        let heat: Vec<&[u8]> = set
            .images
            .iter()
            .flat_map(|of| of.heat_maps.iter().map(|(_, map)| map.as_slice()))
            .collect();
        let heat_sheet = heat_sheet(&heat, dataset.shape);
        let mut n_heat = 0;
        let images: Vec<Value> = set
            .images
            .iter()
            .map(|of| {
                let maps: Vec<Value> = of
                    .heat_maps
                    .iter()
                    .map(|(id, _)| {
                        n_heat += 1;
                        json!([at_id(id), n_heat - 1])
                    })
                    .collect();
                let scores: Vec<Option<f64>> =
                    of.scores.iter().map(|score| Some(round(f64::from((*score)?)))).collect();
                json!([of.image.row, of.image.label, of.answers, scores, of.nearest, maps])
            })
            .collect();
        let neighbors: Vec<Value> =
            set.neighbors.iter().map(|of| json!([of.row, of.label])).collect();
        described.push(json!({
            "evaluation": model.map(|model| model.evaluation.as_str()),
            "models": set.models.iter().map(|id| at_id(id)).collect::<Vec<_>>(),
            "images": images,
            "neighbors": neighbors,
            "cell": [cell.width, cell.height],
        }));
        sheets.push((sheet, heat_sheet));
    }
    let pair: Vec<Option<usize>> = featured(results).iter().map(|model| at_id(&model.id)).collect();
    let data = json!({
        "classes": classes,
        "models": models,
        "pair": pair,
        "sets": described,
        "columns": N_COLUMNS,
    });
    (data, sheets)
}

/// Disputed images, then their neighbours.
fn image_sheet(set: &Disagreements, shape: ImageShape) -> (String, ImageShape) {
    let disputed = set.images.iter().map(|of| &of.image);
    let all: Vec<&GalleryImage> = disputed.chain(&set.neighbors).collect();
    sprite::sheet(all.iter().map(|image| image.pixels.as_slice()), shape)
}

fn heat_sheet(maps: &[&[u8]], shape: ImageShape) -> Option<String> {
    let colour = |map: &[u8]| -> Vec<u8> {
        map.iter().flat_map(|&value| [HEAT[0], HEAT[1], HEAT[2], value]).collect()
    };
    let coloured: Vec<Vec<u8>> = maps.iter().map(|map| colour(map)).collect();
    let shape = ImageShape { channels: 4, ..shape };
    let sheet = || sprite::sheet(coloured.iter().map(Vec::as_slice), shape).0;
    (!maps.is_empty()).then(sheet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn no_text_of_the_run_can_end_the_data() {
        let data = json!({ "name": "</script><script>alert(1)</script>" });
        let text = escaped(&data);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), data);
    }

    #[test]
    fn every_model_and_every_disputed_image_is_in_the_data() {
        let output = example::run_output();
        let (_, set) = &output.disagreements[0];
        let (found, sheets) = data(&output, &[set]);
        assert_eq!(found["models"].as_array().unwrap().len(), output.results.models.len());
        assert_eq!(found["sets"][0]["images"].as_array().unwrap().len(), set.images.len());
        assert_eq!(found["sets"][0]["models"], json!([0, 1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(sheets[0].1.is_some(), "heat maps have a sheet of their own");
    }
}
