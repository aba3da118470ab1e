//! What a request is answered.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ndarray::{Array2, ArrayView1};
use serde_json::{Map, Value, json};

use super::error::Refusal;
use super::request::Query;
use super::{Served, State};
use crate::data::{Decoded, Picture, largest_of, png_bytes};
use crate::explain;
use crate::learn::Meaning;
use crate::model::{Adjust, Answer};
use crate::progress::Silent;

/// Most pixels along a side of a heat map.
const HEAT_SIDE: usize = 224;

/// One document for each image: what every model asked says, and what is similar.
pub(super) fn answers(state: &State, query: &Query, images: &[Decoded]) -> Result<Value, Refusal> {
    let adjust = Adjust { invert: query.invert, centre: query.centre };
    let asked = |model: &&Served| query.model.as_ref().is_none_or(|id| model.id == *id);
    let mut results: Vec<Map<String, Value>> = vec![Map::new(); images.len()];
    let mut said: Vec<Vec<Value>> = vec![Vec::new(); images.len()];
    for served in state.models.iter().filter(asked) {
        let rows: Vec<Vec<u8>> =
            images.iter().map(|image| adjust.row(image, &served.model.chain.input)).collect();
        let answers = served.model.answers(&rows, &Silent)?;
        for ((said, row), answer) in said.iter_mut().zip(&rows).zip(&answers) {
            let mut document = of_model(served, answer);
            if query.heat {
                document["heat_map"] = heat_map(served, row, answer.label)?;
            }
            said.push(document);
        }
    }
    for (result, said) in results.iter_mut().zip(said) {
        result.insert("answers".to_owned(), Value::Array(said));
    }
    if let Some(index) = state.similar.as_ref().filter(|_| query.similar > 0) {
        for (image, result) in images.iter().zip(&mut results) {
            let row = adjust.row(image, &index.chain.input);
            let row = Array2::from_shape_vec((1, row.len()), row)
                .map_err(|error| Refusal::bad(error.to_string()))?;
            let found = index.search(row.view(), query.similar, &Silent)?.remove(0);
            let shape = index.chain.input.shape;
            let documents = found.iter().map(|similar| {
                let pixels = index.pixels.row(similar.row).to_vec();
                json!({
                    "row": similar.row,
                    "class": index.class(similar.row),
                    "distance": similar.distance,
                    "image": png_bytes(&pixels, shape).map(data_url).ok(),
                })
            });
            result.insert("similar".to_owned(), documents.collect());
        }
    }
    Ok(json!({ "results": results }))
}

fn of_model(served: &Served, answer: &Answer) -> Value {
    let names = &served.model.chain.input.class_names;
    let scores: Map<String, Value> =
        names.iter().cloned().zip(answer.scores.iter().map(|score| json!(score))).collect();
    let name = |class: usize| names.get(class);
    json!({
        "model": served.id,
        "title": served.title,
        "label": answer.label,
        "class": name(answer.label),
        "score": answer.scores.get(answer.label),
        "score_is": match answer.meaning {
            Meaning::Probability => "probability",
            Meaning::Decision => "decision",
        },
        "runner_up": answer.runner_up.and_then(name),
        "scores": scores,
    })
}

/// What speaks for the class, bright over the image as the model gets it.
fn heat_map(served: &Served, row: &[u8], label: usize) -> Result<Value, Refusal> {
    let explain::HeatMap { values, method } =
        explain::heat_map(&served.model, ArrayView1::from(row), label, &Silent)
            .map_err(|error| Refusal::bad(error.to_string()))?;
    let largest = largest_of(values.view());
    let over = Some((row.to_vec(), served.model.chain.input.shape));
    let picture = Picture::Heat { values, over, largest };
    Ok(json!({ "method": method, "image": data_url(picture.png(HEAT_SIDE)?) }))
}

fn data_url(png: Vec<u8>) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}
