//! Linear decisions: logistic regression, perceptron, linear SVM.

use serde::Deserialize;

use super::graph::{Element, Graph, Value};
use super::rows::{Rows, Stored, Verdict, affine, pair_votes};
use crate::export::ExportError;
use crate::learn::Meaning;
use crate::learn::linear_svm::MultiClass;

#[derive(Deserialize)]
struct Report {
    multi_class: MultiClass,
}

/// The verdict of a linear model of any of the three types.
pub fn linear(graph: &mut Graph, rows: &Rows, mut stored: Stored) -> Result<Verdict, ExportError> {
    let kind = stored.kind();
    let classes: Vec<usize> = stored.part("classes")?;
    let (coef, intercept) = (stored.matrix("coef")?, stored.vector("intercept")?);
    let x = rows.doubles(graph);
    let turned = coef.t().as_standard_layout().into_owned();
    let decisions = affine(graph, &x, &turned, &intercept.to_vec());
    let double = Element::Double;
    if kind == "linear_svc" && classes.len() > 2 {
        let Report { multi_class } = stored.part("report")?;
        if multi_class == MultiClass::Ovo {
            // A pair's second class is the positive one there.
            let turned = graph.op("Neg", &[&decisions]);
            let scores = pair_votes(graph, &turned, classes.len()).scores;
            return Ok(Verdict::by_largest(graph, scores, double, classes, Meaning::Decision));
        }
    }
    let decisions = if classes.len() == 2 { both_sides(graph, &decisions) } else { decisions };
    if kind != "logistic" {
        return Ok(Verdict::by_largest(graph, decisions, double, classes, Meaning::Decision));
    }
    let logits = if classes.len() == 2 {
        // `1 / (1 + exp(-d))` is the softmax of `-d / 2` and `d / 2`.
        graph.with_number("Mul", &decisions, (double, 0.5))
    } else {
        decisions.clone()
    };
    let winner = graph.arg_max(&decisions);
    let columns = graph.softmax(&logits);
    Ok(Verdict { winner, columns, element: double, classes, meaning: Meaning::Probability })
}

/// Minus and plus the decision for the second of two classes.
fn both_sides(graph: &mut Graph, decision: &Value) -> Value {
    let against = graph.op("Neg", &[decision]);
    graph.columns(&[&against, decision])
}
