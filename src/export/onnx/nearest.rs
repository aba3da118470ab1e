//! Models that measure distances: nearest neighbours, k-means.

use ndarray::Array1;
use serde::Deserialize;

use super::graph::{Attribute, Constant, Element, Graph, Value};
use super::rows::{Products, Rows, Stored, Verdict, matrix, products, vector};
use crate::export::ExportError;
use crate::learn::Meaning;
use crate::learn::knn::{Metric, Weights};

const DOUBLE: Element = Element::Double;

#[derive(Deserialize)]
struct Params {
    n_neighbors: usize,
    metric: Metric,
    weights: Weights,
}

/// The vote of the nearest training rows; of equal distances the smaller row first.
pub fn knn(graph: &mut Graph, rows: &Rows, mut stored: Stored) -> Result<Verdict, ExportError> {
    let Params { n_neighbors, metric, weights } = stored.part("params")?;
    let labels: Array1<u32> = stored.0.take_u32("labels")?;
    let of = products(graph, rows, &stored.rows("rows")?);
    // Up to a constant a row, for Euclidean distances squared.
    let (distances, unit) = match metric {
        Metric::Euclidean => (of.squared_distances(graph), of.unit),
        Metric::Cosine => (cosine(graph, &of), 1.0),
        Metric::Manhattan => {
            let what = "nearest neighbours by the Manhattan distance".to_owned();
            return Err(ExportError::Unsupported { what });
        }
    };
    let k = graph.constant(Constant::ints(&[1], [n_neighbors as i64]));
    let attributes = vec![("largest", Attribute::Int(0)), ("sorted", Attribute::Int(1))];
    let [near, idx] = graph.node("TopK", &[&distances, &k], attributes);
    let n_labels = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let of_rows = Constant::ints(&[labels.len()], labels.iter().map(|&label| label.into()));
    let of_rows = graph.constant(of_rows);
    let found = graph.op("Gather", &[&of_rows, &idx]);
    let last = graph.constant(Constant::ints(&[1], [2]));
    let found = graph.op("Unsqueeze", &[&found, &last]);
    let all = graph.constant(Constant::ints(&[n_labels], 0..n_labels as i64));
    let votes = graph.op("Equal", &[&found, &all]);
    let mut votes = graph.cast(&votes, DOUBLE);
    let total = match weights {
        Weights::Uniform => graph.scalar(DOUBLE, n_neighbors as f64),
        Weights::Distance => {
            let near = if metric == Metric::Euclidean {
                let scaled = graph.with_number("Mul", &near, (DOUBLE, unit));
                graph.op("Sqrt", &[&scaled])
            } else {
                near
            };
            let weights = by_distance(graph, &near);
            let total = graph.sum_rows(&weights);
            let weights = graph.op("Unsqueeze", &[&weights, &last]);
            votes = graph.op("Mul", &[&votes, &weights]);
            total
        }
    };
    let axis = graph.constant(Constant::ints(&[1], [1]));
    let keep = vec![("keepdims", Attribute::Int(0))];
    let sums = graph.op_with("ReduceSum", &[&votes, &axis], keep);
    let shares = graph.op("Div", &[&sums, &total]);
    let classes = (0..n_labels).collect();
    Ok(Verdict::by_largest(graph, shares, DOUBLE, classes, Meaning::Probability))
}

/// `1 - <a, b> / (|a| |b|)`, at least 0; 1 if a row is all zeros.
fn cosine(graph: &mut Graph, of: &Products) -> Value {
    let squares = graph.op("Mul", &[&of.own, &of.others]);
    let lengths = graph.op("Sqrt", &[&squares]);
    let zero = graph.scalar(DOUBLE, 0.0);
    let one = graph.scalar(DOUBLE, 1.0);
    let is_positive = graph.op("Greater", &[&lengths, &zero]);
    let cosines = graph.op("Div", &[&of.products, &lengths]);
    let distances = graph.op("Sub", &[&one, &cosines]);
    let distances = graph.op("Max", &[&distances, &zero]);
    graph.op("Where", &[&is_positive, &distances, &one])
}

/// 1 over each distance; neighbours at distance 0, if there are any, decide alone.
fn by_distance(graph: &mut Graph, near: &Value) -> Value {
    let zero = graph.scalar(DOUBLE, 0.0);
    let is_zero = graph.op("Equal", &[near, &zero]);
    let first = graph.take_columns(&is_zero, &[0]);
    let zeros = graph.cast(&is_zero, DOUBLE);
    let inverse = graph.op("Reciprocal", &[near]);
    graph.op("Where", &[&first, &zeros, &inverse])
}

#[derive(Deserialize)]
struct Clusters {
    cluster_classes: Vec<Option<usize>>,
}

/// The class of the nearest centre.
pub fn kmeans(graph: &mut Graph, rows: &Rows, mut stored: Stored) -> Result<Verdict, ExportError> {
    let Clusters { cluster_classes } = stored.part("report")?;
    let centers = stored.matrix("centers")?;
    let named: Vec<(usize, usize)> = cluster_classes
        .iter()
        .enumerate()
        .filter_map(|(cluster, class)| class.map(|class| (class, cluster)))
        .collect();
    let idx: Vec<usize> = named.iter().map(|&(_, cluster)| cluster).collect();
    let centers = centers.select(ndarray::Axis(0), &idx);
    let mut classes: Vec<usize> = named.iter().map(|&(class, _)| class).collect();
    classes.sort_unstable();
    classes.dedup();
    let x = rows.doubles(graph);
    let turned = matrix(graph, &centers.t().as_standard_layout().into_owned());
    let products = graph.op("MatMul", &[&x, &turned]);
    let squares = graph.op("Mul", &[&x, &x]);
    let own = graph.sum_rows(&squares);
    let lengths: Vec<f64> =
        centers.rows().into_iter().map(|row| row.iter().map(|v| v * v).sum()).collect();
    let others = vector(graph, &lengths);
    let distances = Products { products, own, others, unit: 1.0 }.squared_distances(graph);
    let distances = graph.op("Sqrt", &[&distances]);
    let decisions = graph.op("Neg", &[&distances]);
    let columns: Vec<Value> = classes
        .iter()
        .map(|class| {
            let of_class = (0..named.len()).filter(|&at| named[at].0 == *class);
            let of_class = graph.take_columns(&decisions, &of_class.collect::<Vec<_>>());
            let axes = vec![("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))];
            graph.op_with("ReduceMax", &[&of_class], axes)
        })
        .collect();
    let columns = graph.columns(&columns.iter().collect::<Vec<_>>());
    Ok(Verdict::by_largest(graph, columns, DOUBLE, classes, Meaning::Decision))
}
