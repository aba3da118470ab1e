//! Fitted maps from rows to rows.

use ndarray::Array2;

use super::graph::{Constant, Element, Graph, Value};
use super::rows::{Resolved, Rows, Stored, affine, kernel_values, vector};
use crate::data::Features;
use crate::export::ExportError;

/// What a map makes of rows, `float [n, n_outputs]`.
pub fn map(graph: &mut Graph, rows: &Rows, mut stored: Stored) -> Result<Value, ExportError> {
    let kind = stored.kind();
    let mapped = match kind.as_str() {
        "pca" | "fisher" | "random_projection" => {
            let (mean, weights) = (stored.vector("mean")?, stored.matrix("weights")?);
            let x = rows.doubles(graph);
            let mean = vector(graph, &mean);
            let shifted = graph.op("Sub", &[&x, &mean]);
            let zero = vec![0.0; weights.ncols()];
            affine(graph, &shifted, &weights, &zero)
        }
        "scale" => {
            let (shift, factor) = (stored.vector("shift")?, stored.vector("factor")?);
            let x = rows.doubles(graph);
            let [shift, factor] = [shift, factor].map(|values| vector(graph, &values));
            let shifted = graph.op("Sub", &[&x, &shift]);
            graph.op("Mul", &[&shifted, &factor])
        }
        "nystroem" => {
            let kernel: Resolved = stored.part("kernel")?;
            let landmarks: Array2<f32> = stored.0.take_f32("landmarks")?;
            let normalization: Array2<f32> = stored.0.take_f32("normalization")?;
            let values = kernel_values(graph, rows, &Features::Floats(landmarks), &kernel);
            let normalization = floats(graph, &normalization);
            let normalization = graph.cast(&normalization, Element::Double);
            graph.op("MatMul", &[&values, &normalization])
        }
        "fourier" => {
            let weights: Array2<f32> = stored.0.take_f32("weights")?;
            let offsets: Array2<f32> =
                stored.0.take_f32::<ndarray::Ix1>("offsets")?.insert_axis(ndarray::Axis(0));
            let scale = (2.0 / weights.ncols() as f64).sqrt();
            let x = rows.doubles(graph);
            let [weights, offsets] = [weights, offsets].map(|values| {
                let values = floats(graph, &values);
                graph.cast(&values, Element::Double)
            });
            let products = graph.op("MatMul", &[&x, &weights]);
            let angles = graph.op("Add", &[&products, &offsets]);
            let cosines = graph.op("Cos", &[&angles]);
            graph.with_number("Mul", &cosines, (Element::Double, scale))
        }
        _ => return Err(ExportError::Unsupported { what: format!("a map of type `{kind}`") }),
    };
    Ok(graph.cast(&mapped, Element::Float))
}

fn floats(graph: &mut Graph, values: &Array2<f32>) -> Value {
    let (n, m) = values.dim();
    graph.constant(Constant::floats(&[n, m], values.iter().copied()))
}
