//! Networks and ensembles of them.
//!
//! Images flow as `[n, channels, height, width]` between layers, as ONNX wants them, and leave as ours do:
//! height, width, channel.

use super::graph::{Attribute, Constant, Element, Graph, Value};
use crate::export::ExportError;
use crate::nn::{Average, Ensemble, Network, NetworkView, OperationView};

/// A value between two layers.
#[derive(Clone)]
struct Flow {
    value: Value,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// `[n, channels, height, width]`
    Image { channels: usize },
    /// `[n, n_values]`
    Vector,
}

/// What a layer gives, `[n, n_values]`, or the scores before the softmax, of `images`
/// `[n, height, width, channels]`.
pub fn network(
    graph: &mut Graph,
    images: &Value,
    network: &Network,
    layer: Option<&str>,
) -> Result<Value, ExportError> {
    let view = network.view(layer)?;
    // What reads features may turn on their last bits: a vote of two classes, the cut of a tree.
    let dense = if layer.is_some() { Element::Double } else { Element::Float };
    let mut values = vec![scaled(graph, images, &view)];
    for step in &view.steps {
        let input = values[step.input].clone();
        let other = match step.operation {
            OperationView::Add { other } => Some(values[other].clone()),
            _ => None,
        };
        values.push(one_step(graph, input, step.operation, other, dense));
    }
    let last = values.swap_remove(view.steps.len());
    Ok(flat(graph, last))
}

/// Bytes to `(byte / 255 - mean) / std`.
fn scaled(graph: &mut Graph, images: &Value, view: &NetworkView<'_>) -> Flow {
    let real = graph.cast(images, Element::Float);
    let mut value = graph.with_number("Div", &real, (Element::Float, 255.0));
    if (view.mean, view.std) != (0.0, 1.0) {
        value = graph.with_number("Sub", &value, (Element::Float, view.mean.into()));
        value = graph.with_number("Div", &value, (Element::Float, view.std.into()));
    }
    let value = transposed(graph, &value, [0, 3, 1, 2]);
    Flow { value, kind: Kind::Image { channels: view.shape.channels } }
}

fn transposed(graph: &mut Graph, value: &Value, order: [i64; 4]) -> Value {
    graph.op_with("Transpose", &[value], vec![("perm", Attribute::Ints(order.to_vec()))])
}

/// `[n, n_values]` in the order height, width, channel.
fn flat(graph: &mut Graph, flow: Flow) -> Value {
    match flow.kind {
        Kind::Vector => flow.value,
        Kind::Image { .. } => {
            let value = transposed(graph, &flow.value, [0, 2, 3, 1]);
            graph.op_with("Flatten", &[&value], vec![("axis", Attribute::Int(1))])
        }
    }
}

fn one_step(
    graph: &mut Graph,
    input: Flow,
    operation: OperationView<'_>,
    other: Option<Flow>,
    dense: Element,
) -> Flow {
    match operation {
        OperationView::Conv { kernel, bias, side, channels: (n_in, n_out), stride, padding } => {
            // `[side, side, in, out]` to `[out, in, side, side]`.
            let at = |i: usize| {
                let (out, rest) = (i / (n_in * side * side), i % (n_in * side * side));
                let (channel, place) = (rest / (side * side), rest % (side * side));
                kernel[(place * n_in + channel) * n_out + out]
            };
            let shape = [n_out, n_in, side, side];
            let weights = graph.constant(Constant::floats(&shape, (0..kernel.len()).map(at)));
            let bias = bias.map(|bias| vector(graph, bias));
            let mut inputs = vec![&input.value, &weights];
            inputs.extend(&bias);
            let (before, after) = (padding.0 as i64, padding.1 as i64);
            let attributes = vec![
                ("kernel_shape", Attribute::Ints(vec![side as i64; 2])),
                ("strides", Attribute::Ints(vec![stride as i64; 2])),
                ("pads", Attribute::Ints(vec![before, before, after, after])),
            ];
            let value = graph.op_with("Conv", &inputs, attributes);
            Flow { value, kind: Kind::Image { channels: n_out } }
        }
        OperationView::Dense { weights, bias, sizes } => {
            let x = flat(graph, input);
            let weights = Constant::floats(&[sizes.0, sizes.1], weights.iter().copied());
            let mut inputs = vec![x, graph.constant(weights)];
            inputs.extend(bias.map(|bias| vector(graph, bias)));
            if dense == Element::Double {
                inputs = inputs.iter().map(|input| graph.cast(input, Element::Double)).collect();
            }
            let value = graph.op("Gemm", &inputs.iter().collect::<Vec<_>>());
            let value =
                if dense == Element::Double { graph.cast(&value, Element::Float) } else { value };
            Flow { value, kind: Kind::Vector }
        }
        OperationView::BatchNorm { scale, shift, mean, variance, eps } => {
            // After `flatten` every value is a channel of its own.
            let is_flat = input.kind != Kind::Image { channels: scale.len() };
            let kind = if is_flat { Kind::Vector } else { input.kind };
            let x = if is_flat { flat(graph, input) } else { input.value };
            let [scale, shift, mean, variance] =
                [scale, shift, mean, variance].map(|values| vector(graph, values));
            let inputs = [&x, &scale, &shift, &mean, &variance];
            let attributes = vec![("epsilon", Attribute::Float(eps))];
            Flow { value: graph.op_with("BatchNormalization", &inputs, attributes), kind }
        }
        OperationView::Relu => Flow { value: graph.op("Relu", &[&input.value]), ..input },
        OperationView::MaxPool { size, stride } => pooled(graph, "MaxPool", input, size, stride),
        OperationView::MeanPool { size, stride } => {
            pooled(graph, "AveragePool", input, size, stride)
        }
        OperationView::Identity => input,
        OperationView::Add { .. } => {
            let other = other.unwrap_or_else(|| input.clone());
            if input.kind == other.kind {
                let value = graph.op("Add", &[&input.value, &other.value]);
                return Flow { value, kind: input.kind };
            }
            let [one, other] = [input, other].map(|flow| flat(graph, flow));
            Flow { value: graph.op("Add", &[&one, &other]), kind: Kind::Vector }
        }
    }
}

fn vector(graph: &mut Graph, values: &[f32]) -> Value {
    graph.constant(Constant::floats(&[values.len()], values.iter().copied()))
}

fn pooled(
    graph: &mut Graph,
    operator: &'static str,
    input: Flow,
    size: (usize, usize),
    stride: (usize, usize),
) -> Flow {
    let two = |(down, across): (usize, usize)| Attribute::Ints(vec![down as i64, across as i64]);
    let attributes = vec![("kernel_shape", two(size)), ("strides", two(stride))];
    Flow { value: graph.op_with(operator, &[&input.value], attributes), ..input }
}

/// Probabilities of an ensemble, `[n, n_classes]`.
pub fn ensemble(
    graph: &mut Graph,
    images: &Value,
    ensemble: &Ensemble,
) -> Result<Value, ExportError> {
    let mut views = vec![images.clone()];
    if ensemble.flip_views() {
        let ends = [-1, i64::MIN, 2, -1];
        let [start, end, axis, step] =
            ends.map(|value| graph.constant(Constant::ints(&[1], [value])));
        views.push(graph.op("Slice", &[images, &start, &end, &axis, &step]));
    }
    // As their mean is taken: of probabilities, or of their logarithms.
    let vote = match ensemble.average() {
        Average::Arithmetic => "Softmax",
        Average::Geometric => "LogSoftmax",
    };
    let mut votes = Vec::new();
    for member in ensemble.members() {
        for view in &views {
            let scores = network(graph, view, member, None)?;
            votes.push(graph.op_with(vote, &[&scores], vec![("axis", Attribute::Int(1))]));
        }
    }
    let mean = graph.op("Mean", &votes.iter().collect::<Vec<_>>());
    Ok(match ensemble.average() {
        Average::Arithmetic => mean,
        Average::Geometric => graph.softmax(&mean),
    })
}
