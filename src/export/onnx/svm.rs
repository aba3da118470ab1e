//! Support vector classifiers with kernels.
//!
//! Kernel values, decisions of pairs and votes are built of plain operators in double precision.
//! `SVMClassifier`, given the same rows, computes its kernel one pair of rows at a time in single
//! precision: over the 10,000 test images of Fashion-MNIST its labels were the same and its scores no
//! closer, in 4 times the time of all else together for 128 features and 25 times for 3,136 (onnxruntime
//! 1.31.1, two cores). Nor does it tell decisions and votes apart where ties are broken. It is what couples
//! probabilities, which no plain operators can iterate to: with a linear kernel over the decisions, each of
//! which is a "support vector" of its own.

use super::graph::{Attribute, Element, Graph, Value};
use super::rows::{Resolved, Rows, Stored, Verdict, kernel_values, matrix, pair_votes, vector};
use crate::export::ExportError;
use crate::learn::Meaning;
use crate::learn::svm::Sigmoid;
use ndarray::Array2;

/// The verdict of a stored support vector classifier.
pub fn svc(graph: &mut Graph, rows: &Rows, mut stored: Stored) -> Result<Verdict, ExportError> {
    let kernel: Resolved = stored.part("resolved")?;
    let classes: Vec<usize> = stored.part("classes")?;
    let n_support: Vec<usize> = stored.part("n_support")?;
    let break_ties: bool = stored.part("break_ties")?;
    let sigmoids: Option<Vec<Sigmoid>> = stored.part("sigmoids")?;
    let support = stored.rows("support")?;
    let (dual_coef, bias) = (stored.matrix("dual_coef")?, stored.vector("bias")?);
    let values = kernel_values(graph, rows, &support, &kernel);
    let weights = matrix(graph, &by_pair(&dual_coef, &n_support));
    let bias = vector(graph, &bias);
    let decisions = graph.op("Gemm", &[&values, &weights, &bias]);
    // As ours leave the solver.
    let rounded = graph.cast(&decisions, Element::Float);
    let decisions = graph.cast(&rounded, Element::Double);
    let found = pair_votes(graph, &decisions, classes.len());
    let winner = if break_ties && classes.len() > 2 { &found.scores } else { &found.votes };
    let winner = graph.arg_max(winner);
    let (columns, element, meaning) = match sigmoids {
        Some(sigmoids) => {
            let probabilities = coupled(graph, &rounded, &sigmoids, classes.len());
            (probabilities, Element::Float, Meaning::Probability)
        }
        None => (found.scores, Element::Double, Meaning::Decision),
    };
    Ok(Verdict { winner, columns, element, classes, meaning })
}

/// Coefficients of every support vector in every pair, `[n_support, n_pairs]`, from scikit-learn's layout.
fn by_pair(dual_coef: &Array2<f64>, n_support: &[usize]) -> Array2<f64> {
    let n_classes = n_support.len();
    let mut weights = Array2::zeros((dual_coef.ncols(), n_classes * (n_classes - 1) / 2));
    let mut pair = 0;
    let start = |class: usize| n_support[..class].iter().sum::<usize>();
    for first in 0..n_classes {
        for second in first + 1..n_classes {
            for (class, other) in [(first, second), (second, first)] {
                let line = if other > class { other - 1 } else { other };
                for row in start(class)..start(class) + n_support[class] {
                    weights[[row, pair]] = dual_coef[[line, row]];
                }
            }
            pair += 1;
        }
    }
    weights
}

/// Probabilities `float [n, n_classes]` of decisions `float [n, n_pairs]`.
fn coupled(graph: &mut Graph, decisions: &Value, sigmoids: &[Sigmoid], n_classes: usize) -> Value {
    // Each pair has one support vector that only it counts, in its first class: the kernel with it is the
    // decision of the pair.
    let n_pairs = sigmoids.len();
    let pairs: Vec<(usize, usize)> =
        (0..n_classes).flat_map(|first| (first + 1..n_classes).map(move |s| (first, s))).collect();
    let n_of_class = |class: usize| pairs.iter().filter(|pair| pair.0 == class).count() as i64;
    let unit = |i: usize| f32::from(u8::from(i / n_pairs == i % n_pairs));
    // Line `second - 1` of the coefficients holds those of a first class against a later one.
    let coefficient = |line: usize, pair: usize| f32::from(u8::from(pairs[pair].1 == line + 1));
    let coefficients =
        (0..(n_classes - 1) * n_pairs).map(|i| coefficient(i / n_pairs, i % n_pairs)).collect();
    let attributes = vec![
        ("classlabels_ints", Attribute::Ints((0..n_classes as i64).collect())),
        ("kernel_type", Attribute::Text("LINEAR")),
        ("kernel_params", Attribute::Floats(vec![1.0, 0.0, 0.0])),
        ("vectors_per_class", Attribute::Ints((0..n_classes).map(n_of_class).collect())),
        ("support_vectors", Attribute::Floats((0..n_pairs * n_pairs).map(unit).collect())),
        ("coefficients", Attribute::Floats(coefficients)),
        ("rho", Attribute::Floats(vec![0.0; n_pairs])),
        ("prob_a", Attribute::Floats(sigmoids.iter().map(|s| s.a as f32).collect())),
        ("prob_b", Attribute::Floats(sigmoids.iter().map(|s| s.b as f32).collect())),
        ("post_transform", Attribute::Text("NONE")),
    ];
    let [_, probabilities] = graph.node("SVMClassifier", &[decisions], attributes);
    probabilities
}
