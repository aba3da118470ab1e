//! Models of class densities (naive Bayes, discriminants), and the multi-layer perceptron.

use ndarray::{Array1, Array2, Axis, concatenate};
use serde::Deserialize;

use super::graph::{Constant, Element, Graph, Value};
use super::rows::{Rows, Stored, Verdict, affine, matrix, vector};
use crate::export::ExportError;
use crate::learn::Meaning;
use crate::learn::mlp::Activation;

/// The verdict of unnormalised logarithms of probabilities, `double`.
fn by_logarithms(graph: &mut Graph, logarithms: &Value, classes: Vec<usize>) -> Verdict {
    let winner = graph.arg_max(logarithms);
    let columns = graph.softmax(logarithms);
    let (element, meaning) = (Element::Double, Meaning::Probability);
    Verdict { winner, columns, element, classes, meaning }
}

/// `ln p(x, c)` as `[x'^2, x'] weights + constants` with `x' = x - shift`, as our own.
pub fn gaussian_nb(
    graph: &mut Graph,
    rows: &Rows,
    mut stored: Stored,
) -> Result<Verdict, ExportError> {
    let classes: Vec<usize> = stored.part("classes")?;
    let priors = stored.vector("log_priors")?;
    let (means, variances) = (stored.matrix("means")?, stored.matrix("variances")?);
    let shift = means.mean_axis(Axis(0)).unwrap_or_default();
    let means = means - &shift;
    let squares = variances.mapv(|v| -0.5 / v);
    let linear = &means / &variances;
    let weights = concatenate![Axis(0), squares.t(), linear.t()];
    let weights = weights.as_standard_layout().into_owned();
    let constants: Vec<f64> = priors
        .iter()
        .zip(means.rows().into_iter().zip(variances.rows()))
        .map(|(prior, (means, variances))| {
            let terms = means.iter().zip(variances);
            let terms = terms.map(|(m, v)| (std::f64::consts::TAU * v).ln() + m * m / v);
            prior - terms.sum::<f64>() / 2.0
        })
        .collect();
    let x = rows.doubles(graph);
    let shift = vector(graph, &shift);
    let x = graph.op("Sub", &[&x, &shift]);
    let squared = graph.op("Mul", &[&x, &x]);
    let terms = graph.columns(&[&squared, &x]);
    let logarithms = affine(graph, &terms, &weights, &constants);
    Ok(by_logarithms(graph, &logarithms, classes))
}

/// Discriminant functions, linear or quadratic.
pub fn discriminant(
    graph: &mut Graph,
    rows: &Rows,
    mut stored: Stored,
) -> Result<Verdict, ExportError> {
    let classes: Vec<usize> = stored.part("classes")?;
    let constants = stored.vector("constants")?;
    let x = rows.doubles(graph);
    let Ok(means) = stored.matrix("means") else {
        let (shift, coef) = (stored.vector("shift")?, stored.matrix("coef")?);
        let shift = vector(graph, &shift);
        let shifted = graph.op("Sub", &[&x, &shift]);
        let logarithms = affine(graph, &shifted, &coef, &constants.to_vec());
        return Ok(by_logarithms(graph, &logarithms, classes));
    };
    let mut columns = Vec::new();
    for (nth, mean) in means.rows().into_iter().enumerate() {
        let map = stored.matrix(&format!("map_{nth}"))?;
        let map = matrix(graph, &map);
        let mean = vector(graph, mean);
        let shifted = graph.op("Sub", &[&x, &mean]);
        let whitened = graph.op("MatMul", &[&shifted, &map]);
        let squares = graph.op("Mul", &[&whitened, &whitened]);
        let sum = graph.sum_rows(&squares);
        let half = graph.with_number("Mul", &sum, (Element::Double, -0.5));
        columns.push(graph.with_number("Add", &half, (Element::Double, constants[nth])));
    }
    let logarithms = graph.columns(&columns.iter().collect::<Vec<_>>());
    Ok(by_logarithms(graph, &logarithms, classes))
}

#[derive(Deserialize)]
struct Report {
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    hidden: Vec<usize>,
    activation: Activation,
}

/// Layers of single precision, as they were trained.
pub fn mlp(graph: &mut Graph, rows: &Rows, mut stored: Stored) -> Result<Verdict, ExportError> {
    let classes: Vec<usize> = stored.part("classes")?;
    let Report { params: Params { hidden, activation } } = stored.part("report")?;
    let activation = match activation {
        Activation::Relu => "Relu",
        Activation::Tanh => "Tanh",
        Activation::Logistic => "Sigmoid",
    };
    let mut x = rows.floats(graph);
    for nth in 0..=hidden.len() {
        let weights: Array2<f32> = stored.0.take_f32(&format!("layers.{nth}.weight"))?;
        let biases: Array1<f32> = stored.0.take_f32(&format!("layers.{nth}.bias"))?;
        let (fan_in, fan_out) = weights.dim();
        let weights = graph.constant(Constant::floats(&[fan_in, fan_out], weights));
        let biases = graph.constant(Constant::floats(&[fan_out], biases));
        x = graph.op("Gemm", &[&x, &weights, &biases]);
        if nth < hidden.len() {
            x = graph.op(activation, &[&x]);
        }
    }
    let winner = graph.arg_max(&x);
    let columns = graph.softmax(&x);
    let (element, meaning) = (Element::Float, Meaning::Probability);
    Ok(Verdict { winner, columns, element, classes, meaning })
}
