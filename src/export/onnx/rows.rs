//! Rows of features in a graph, and the models that read them as they are stored.

use ndarray::{Array1, Array2};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::graph::{Constant, Element, Graph, Value};
use crate::data::{Features, TensorFile, TensorFileError};
use crate::learn::Meaning;
use crate::learn::svm::Kernel;

/// A table `[n, n_features]`.
pub enum Rows {
    /// Pixels; the value is the byte / 255.
    Bytes(Value),
    /// Real numbers, `float`.
    Floats(Value),
}

impl Rows {
    /// As `double`.
    pub fn doubles(&self, graph: &mut Graph) -> Value {
        match self {
            Rows::Bytes(bytes) => {
                let whole = graph.cast(bytes, Element::Double);
                graph.with_number("Div", &whole, (Element::Double, 255.0))
            }
            Rows::Floats(values) => graph.cast(values, Element::Double),
        }
    }

    /// As `float`.
    pub fn floats(&self, graph: &mut Graph) -> Value {
        match self {
            Rows::Bytes(bytes) => {
                let whole = graph.cast(bytes, Element::Float);
                graph.with_number("Div", &whole, (Element::Float, 255.0))
            }
            Rows::Floats(values) => values.clone(),
        }
    }
}

/// What a head says of every image.
pub struct Verdict {
    /// Position of the winner in `classes`, int64 `[n]`.
    pub winner: Value,
    /// A column for each of `classes`, `float` or `double`.
    pub columns: Value,
    /// Element of `columns`.
    pub element: Element,
    /// Labels, ascending.
    pub classes: Vec<usize>,
    /// What the columns mean.
    pub meaning: Meaning,
}

impl Verdict {
    /// One whose winner has the largest column, the first of equals.
    pub fn by_largest(
        graph: &mut Graph,
        columns: Value,
        element: Element,
        classes: Vec<usize>,
        meaning: Meaning,
    ) -> Self {
        let winner = graph.arg_max(&columns);
        Verdict { winner, columns, element, classes, meaning }
    }
}

/// A model as it is stored. What is taken was checked when the model was read or fitted.
pub struct Stored(pub TensorFile<'static>);

impl Stored {
    /// Its type, such as `svc`.
    pub fn kind(&self) -> String {
        self.0.document["type"].as_str().unwrap_or_default().to_owned()
    }

    /// A part of its document.
    pub fn part<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, TensorFileError> {
        let value = self.0.document.get_mut(key).map(serde_json::Value::take).unwrap_or_default();
        serde_json::from_value(value).map_err(|_| TensorFileError::Malformed(format!("`{key}`")))
    }

    /// A matrix of doubles.
    pub fn matrix(&mut self, name: &str) -> Result<Array2<f64>, TensorFileError> {
        self.0.take_f64(name)
    }

    /// A vector of doubles.
    pub fn vector(&mut self, name: &str) -> Result<Array1<f64>, TensorFileError> {
        self.0.take_f64(name)
    }

    /// Rows of bytes or floats.
    pub fn rows(&mut self, name: &str) -> Result<Features, TensorFileError> {
        match self.0.take_u8(name) {
            Ok(rows) => Ok(Features::Bytes(rows)),
            Err(_) => Ok(Features::Floats(self.0.take_f32(name)?)),
        }
    }
}

/// A matrix as a constant.
pub fn matrix(graph: &mut Graph, values: &Array2<f64>) -> Value {
    let (n, m) = values.dim();
    graph.constant(Constant::doubles(&[n, m], values.iter().copied()))
}

/// A vector as a constant.
pub fn vector<'a>(graph: &mut Graph, values: impl IntoIterator<Item = &'a f64>) -> Value {
    let values: Vec<f64> = values.into_iter().copied().collect();
    graph.constant(Constant::doubles(&[values.len()], values))
}

/// Products of all rows with those of a model, and what distances follow from.
pub struct Products {
    /// `double [n, n_others]`: whole numbers of bytes.
    pub products: Value,
    /// `double [n, 1]`: squared lengths of the rows.
    pub own: Value,
    /// `double [n_others]`: those of the others.
    pub others: Value,
    /// What one is worth: 1, or 1 / 255^2 of bytes.
    pub unit: f64,
}

/// The products; exact where both sides are bytes, else rounded in double precision.
pub fn products(graph: &mut Graph, rows: &Rows, others: &Features) -> Products {
    let (n_others, n_features) = (others.n_samples(), others.n_features());
    let squared = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    if let (Rows::Bytes(bytes), Features::Bytes(others)) = (rows, others) {
        let turned = others.t().iter().copied().collect::<Vec<u8>>();
        let turned = graph.constant(Constant::bytes(&[n_features, n_others], turned));
        let whole = graph.op("MatMulInteger", &[bytes, &turned]);
        let products = graph.cast(&whole, Element::Double);
        let x = graph.cast(bytes, Element::Double);
        let squares = graph.op("Mul", &[&x, &x]);
        let own = graph.sum_rows(&squares);
        let lengths: Vec<f64> = others
            .rows()
            .into_iter()
            .map(|row| squared(&mut row.iter().map(|&v| v.into())))
            .collect();
        let others = vector(graph, &lengths);
        return Products { products, own, others, unit: 1.0 / (255.0 * 255.0) };
    }
    let others = match others {
        Features::Bytes(rows) => rows.mapv(|v| f32::from(v) / 255.0),
        Features::Floats(rows) => rows.clone(),
    };
    let turned: Vec<f32> = others.t().iter().copied().collect();
    let turned = graph.constant(Constant::floats(&[n_features, n_others], turned));
    let turned = graph.cast(&turned, Element::Double);
    let x = rows.floats(graph);
    let x = graph.cast(&x, Element::Double);
    let products = graph.op("MatMul", &[&x, &turned]);
    let squares = graph.op("Mul", &[&x, &x]);
    let own = graph.sum_rows(&squares);
    let lengths: Vec<f64> =
        others.rows().into_iter().map(|row| squared(&mut row.iter().map(|&v| v.into()))).collect();
    Products { products, own, others: vector(graph, &lengths), unit: 1.0 }
}

impl Products {
    /// Squared distances in the unit, `double [n, n_others]`, none below 0.
    pub fn squared_distances(&self, graph: &mut Graph) -> Value {
        let twice = graph.with_number("Mul", &self.products, (Element::Double, -2.0));
        let sum = graph.op("Add", &[&twice, &self.others]);
        let distances = graph.op("Add", &[&sum, &self.own]);
        let zero = graph.scalar(Element::Double, 0.0);
        graph.op("Max", &[&distances, &zero])
    }
}

/// A kernel whose gamma is a number.
#[derive(Deserialize)]
pub struct Resolved {
    pub kernel: Kernel,
    pub gamma: f64,
}

/// Kernel values of all rows with those of a model, `double [n, n_others]`.
pub fn kernel_values(
    graph: &mut Graph,
    rows: &Rows,
    others: &Features,
    Resolved { kernel, gamma }: &Resolved,
) -> Value {
    let of = products(graph, rows, others);
    let double = |number: f64| (Element::Double, number);
    if let Kernel::Rbf { .. } = kernel {
        let distances = of.squared_distances(graph);
        let scaled = graph.with_number("Mul", &distances, double(-gamma * of.unit));
        return graph.op("Exp", &[&scaled]);
    }
    let scaled = graph.with_number("Mul", &of.products, double(gamma * of.unit));
    match *kernel {
        Kernel::Linear | Kernel::Rbf { .. } => scaled,
        Kernel::Polynomial { degree, coef0, .. } => {
            let sum = graph.with_number("Add", &scaled, double(coef0));
            graph.with_number("Pow", &sum, double(degree.into()))
        }
        Kernel::Sigmoid { coef0, .. } => {
            let sum = graph.with_number("Add", &scaled, double(coef0));
            graph.op("Tanh", &[&sum])
        }
    }
}

/// Votes of all pairs of classes plus the summed decisions squashed into (-1/3, 1/3).
pub struct PairVotes {
    /// `float [n, n_classes]`
    pub votes: Value,
    /// `double [n, n_classes]`: votes and squashed sums.
    pub scores: Value,
}

/// Counts the votes of pairs 01, 02, …, 12, …; `decisions` is `double [n, n_pairs]`, positive for the first
/// class of the pair.
pub fn pair_votes(graph: &mut Graph, decisions: &Value, n_classes: usize) -> PairVotes {
    let pairs: Vec<(usize, usize)> =
        (0..n_classes).flat_map(|first| (first + 1..n_classes).map(move |s| (first, s))).collect();
    let side = |(first, second): (usize, usize), class: usize| {
        f64::from(u8::from(first == class)) - f64::from(u8::from(second == class))
    };
    let sides = Array2::from_shape_fn((pairs.len(), n_classes), |(p, c)| side(pairs[p], c));
    let sides = matrix(graph, &sides);
    // A pair votes for its second class unless its first one wins.
    let start: Vec<f64> = (0..n_classes)
        .map(|class| pairs.iter().filter(|pair| pair.1 == class).count() as f64)
        .collect();
    let start = vector(graph, &start);
    let is_first = {
        let zero = graph.scalar(Element::Double, 0.0);
        graph.op("Greater", &[decisions, &zero])
    };
    let is_first = graph.cast(&is_first, Element::Double);
    let votes = graph.op("Gemm", &[&is_first, &sides, &start]);
    let sums = graph.op("MatMul", &[decisions, &sides]);
    let sizes = graph.op("Abs", &[&sums]);
    let sizes = graph.with_number("Add", &sizes, (Element::Double, 1.0));
    let thrice = graph.with_number("Mul", &sizes, (Element::Double, 3.0));
    let squashed = graph.op("Div", &[&sums, &thrice]);
    let scores = graph.op("Add", &[&votes, &squashed]);
    PairVotes { votes: graph.cast(&votes, Element::Float), scores }
}

/// `x coef + intercept` in double precision.
pub fn affine(graph: &mut Graph, x: &Value, coef: &Array2<f64>, intercept: &[f64]) -> Value {
    let coef = matrix(graph, coef);
    let intercept = vector(graph, intercept);
    graph.op("Gemm", &[x, &coef, &intercept])
}
