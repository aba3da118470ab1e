//! A whole model, from the bytes of images to labels and scores, as one ONNX graph.
//!
//! ```text
//! images  uint8 [n, height, width, channels]     raw bytes; scaling is part of the graph
//! label   int64 [n]                              as `Model::predict`
//! scores  float [n, n_classes]                   as `Model::scores`
//! ```
//!
//! Everything behind the networks is computed in double precision, or in whole numbers where this program
//! has whole numbers: labels are meant to be the same, not nearly the same. Models are read as they are
//! stored ([`crate::learn::Classifier::to_tensors`]), so that no learner knows of ONNX.

mod densities;
mod graph;
mod linear;
mod maps;
mod nearest;
mod network;
mod proto;
mod rows;
mod svm;
#[cfg(test)]
mod tests;
mod trees;

use std::collections::BTreeMap;

use self::graph::{Attribute, Element, Graph, Outside, Port, Value};
use self::rows::{Rows, Stored, Verdict};
use super::ExportError;
use crate::data::ImageInput;
use crate::learn::{Classifier, Meaning};
use crate::model::{Head, Link, Model};

pub use self::graph::{ML_OPSET, OPSET};

/// An ONNX file and what is in it.
pub struct OnnxFile {
    /// The file.
    pub bytes: Vec<u8>,
    /// How often each operator occurs.
    pub operators: BTreeMap<&'static str, usize>,
    /// What the scores mean.
    pub meaning: Meaning,
    /// Whether the file computes in more digits than the model, whose networks multiply 16-bit numbers:
    /// labels may then differ.
    pub is_finer: bool,
}

/// Writes a model.
///
/// # Errors
/// [`ExportError::Unsupported`] for HOG, neighbours by Manhattan distance and boosted models other than
/// trees; [`ExportError::TooLarge`] beyond 2 GiB.
pub fn write(model: &Model) -> Result<OnnxFile, ExportError> {
    let mut graph = Graph::default();
    let images = Graph::input("images");
    let mut is_finer = false;
    let verdict = match &model.head {
        Head::Network(network) => {
            is_finer = network.view(None)?.is_bf16;
            let scores = network::network(&mut graph, &images, network, None)?;
            let scores = graph.softmax(&scores);
            of_probabilities(&mut graph, scores, model.n_classes())
        }
        Head::Ensemble(ensemble) => {
            for member in ensemble.members() {
                is_finer |= member.view(None)?.is_bf16;
            }
            let scores = network::ensemble(&mut graph, &images, ensemble)?;
            of_probabilities(&mut graph, scores, model.n_classes())
        }
        Head::Classifier(classifier) => {
            let pixels = graph.op_with("Flatten", &[&images], vec![("axis", Attribute::Int(1))]);
            let mut rows = Rows::Bytes(pixels);
            for link in &model.chain.links {
                rows = apply(&mut graph, &images, rows, link)?;
                if let Link::Layer { network, .. } = link.as_ref() {
                    is_finer |= network.view(None)?.is_bf16;
                }
            }
            classify(&mut graph, &rows, classifier.as_ref())?
        }
    };
    let input = &model.chain.input;
    let meaning = verdict.meaning;
    finish(&mut graph, &verdict, model.n_classes());
    let operators = graph.operators();
    let bytes = graph.into_file(&outside(input, meaning))?;
    Ok(OnnxFile { bytes, operators, meaning, is_finer })
}

fn of_probabilities(graph: &mut Graph, scores: Value, n_classes: usize) -> Verdict {
    let classes = (0..n_classes).collect();
    Verdict::by_largest(graph, scores, Element::Float, classes, Meaning::Probability)
}

/// What a link makes of rows.
fn apply(graph: &mut Graph, images: &Value, rows: Rows, link: &Link) -> Result<Rows, ExportError> {
    Ok(match link {
        Link::Layer { network, layer } => {
            Rows::Floats(network::network(graph, images, network, Some(layer))?)
        }
        Link::Map(map) => {
            let stored = Stored(map.to_tensors().into_owned());
            Rows::Floats(maps::map(graph, &rows, stored)?)
        }
        Link::Unit => Rows::Floats(rows.floats(graph)),
        Link::Hog { .. } => {
            return Err(ExportError::Unsupported { what: "HOG".to_owned() });
        }
    })
}

fn classify(
    graph: &mut Graph,
    rows: &Rows,
    classifier: &dyn Classifier,
) -> Result<Verdict, ExportError> {
    let stored = Stored(classifier.to_tensors().into_owned());
    let kind = stored.kind();
    match kind.as_str() {
        "svc" => svm::svc(graph, rows, stored),
        "linear_svc" | "logistic" | "perceptron" => linear::linear(graph, rows, stored),
        "decision_tree" | "forest" | "gradient_boosting" | "adaboost" => {
            trees::trees(graph, rows, stored)
        }
        "knn" => nearest::knn(graph, rows, stored),
        "kmeans" => nearest::kmeans(graph, rows, stored),
        "gaussian_nb" => densities::gaussian_nb(graph, rows, stored),
        "discriminant" => densities::discriminant(graph, rows, stored),
        "mlp" => densities::mlp(graph, rows, stored),
        _ => Err(ExportError::Unsupported { what: format!("a classifier of type `{kind}`") }),
    }
}

/// Names the outputs: positions become labels, columns of labels that the fit did not meet are added.
fn finish(graph: &mut Graph, verdict: &Verdict, n_classes: usize) {
    let classes = &verdict.classes;
    let is_whole = classes.iter().copied().eq(0..n_classes);
    if is_whole {
        let scores = graph.cast(&verdict.columns, Element::Float);
        graph.output(&verdict.winner, "label");
        graph.output(&scores, "scores");
        return;
    }
    let labels = classes.iter().map(|&class| class as i64);
    let labels = graph.constant(graph::Constant::ints(&[classes.len()], labels));
    let label = graph.op("Gather", &[&labels, &verdict.winner]);
    let absent = match verdict.meaning {
        Meaning::Probability => 0.0,
        Meaning::Decision => f64::NEG_INFINITY,
    };
    let first = graph.take_columns(&verdict.columns, &[0]);
    let zeros = graph.with_number("Mul", &first, (verdict.element, 0.0));
    let absent = graph.with_number("Add", &zeros, (verdict.element, absent));
    let all = graph.columns(&[&verdict.columns, &absent]);
    let place = |class| classes.binary_search(&class).unwrap_or(classes.len());
    let idx: Vec<usize> = (0..n_classes).map(place).collect();
    let scores = graph.take_columns(&all, &idx);
    let scores = graph.cast(&scores, Element::Float);
    graph.output(&label, "label");
    graph.output(&scores, "scores");
}

fn outside(input: &ImageInput, meaning: Meaning) -> Outside {
    let shape = input.shape;
    let meaning = match meaning {
        Meaning::Probability => "probabilities",
        Meaning::Decision => "decision values: the larger, the more it speaks for the class",
    };
    let images = format!(
        "images of {} by {} pixels in {} channels (1 gray, 3 red, green, blue), raw bytes from 0 to 255, \
         not scaled: the graph scales them",
        shape.height, shape.width, shape.channels
    );
    let labels = serde_json::to_string(&input.class_names).unwrap_or_default();
    Outside {
        doc: format!(
            "An image classifier. Input `images`: {images}. Outputs: `label` and `scores`."
        ),
        metadata: vec![
            ("class_names".to_owned(), labels),
            ("input".to_owned(), images.clone()),
            ("scores".to_owned(), meaning.to_owned()),
        ],
        inputs: vec![Port {
            name: "images",
            element: Element::Byte,
            shape: vec![shape.height, shape.width, shape.channels],
            doc: images,
        }],
        outputs: vec![
            Port {
                name: "label",
                element: Element::Int64,
                shape: Vec::new(),
                doc: "position in `class_names`, from 0".to_owned(),
            },
            Port {
                name: "scores",
                element: Element::Float,
                shape: vec![input.class_names.len()],
                doc: meaning.to_owned(),
            },
        ],
    }
}
