//! What a fitted classifier says besides its labels. The fixture is made by
//! tests/reference/svc_model.py (library version and seed inside).

use linfa::ParamGuard;
use ndarray::Array2;
use serde_json::Value;

use super::fixtures::numbers;
use super::{blobs, bytes_of, fit};
use crate::data::{Features, Labels};
use crate::learn::svm::{Engine, Gamma, Kernel, Sigmoid, Svc, SvcError, SvcParams, couple};
use crate::progress::Silent;

struct Fixture {
    document: Value,
    features: Features,
    queries: Features,
    labels: Labels,
}

fn fixture() -> Fixture {
    let text = include_str!("../../../../tests/reference/svc_model.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let n_features = document["n_features"].as_u64().unwrap() as usize;
    let rows = |name: &str| {
        let values = numbers(&document[name]);
        let rows = Array2::from_shape_vec((values.len() / n_features, n_features), values).unwrap();
        Features::Floats(rows.mapv(|v| v as f32))
    };
    let (features, queries) = (rows("features"), rows("queries"));
    let labels = numbers(&document["labels"]).iter().map(|&v| v as usize).collect();
    Fixture { document, features, queries, labels }
}

impl Fixture {
    fn params(&self) -> SvcParams {
        let number = |name: &str| self.document[name].as_f64().unwrap();
        SvcParams::new()
            .c(number("c"))
            .tol(1e-6)
            .kernel(Kernel::Rbf { gamma: Gamma::Value(number("gamma")) })
    }

    fn fit(&self, params: SvcParams) -> Svc {
        fit(params, &self.features, &self.labels)
    }
}

/// More samples than are decided together, and more support vectors of a class than are packed
/// together; as real numbers, bytes, and real numbers of which most are zero.
#[test]
fn a_sample_is_decided_alike_alone_and_among_others() {
    let (floats, labels) = blobs(1300, 9, 2);
    let Features::Floats(rows) = &floats else { unreachable!() };
    let rectified = Features::Floats(rows.mapv(|v| (v - 0.6).max(0.0)));
    for features in [bytes_of(&floats), floats, rectified] {
        let kernel = Kernel::Rbf { gamma: Gamma::Scale };
        let svc = fit(SvcParams::new().kernel(kernel).c(1e-3), &features, &labels);
        assert!(svc.support_idx().len() > 2 * 480, "{}", svc.support_idx().len());
        let together = svc.pairwise_decision(&features).unwrap();
        for row in [0, 31, 255, 256, 1299] {
            let alone = svc.pairwise_decision(&features.select(&[row])).unwrap();
            assert_eq!(alone.row(0), together.row(row), "sample {row}");
            let sample = features.row_f32(row);
            let sum: f64 = svc
                .support_idx()
                .iter()
                .zip(svc.dual_coef().row(0))
                .map(|(&sv, coefficient)| {
                    let vector = features.row_f32(sv);
                    let gap = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
                    let distance: f64 = sample.iter().zip(&vector).map(gap).sum();
                    coefficient * (-svc.gamma() * distance).exp()
                })
                .sum();
            let expected = sum + svc.bias()[0];
            // Kernel values in single precision: 1e-6 of at most 1300 multipliers of 1e-3.
            assert!((f64::from(together[[row, 0]]) - expected).abs() < 2e-6, "sample {row}");
        }
    }
}

#[test]
fn ties_of_votes_are_broken_as_in_scikit_learn() {
    let fixture = fixture();
    for (break_ties, name) in [(false, "predictions"), (true, "predictions_without_ties")] {
        let svc = fixture.fit(fixture.params().break_ties(break_ties));
        let predicted = svc.predict_labels(&fixture.queries).unwrap();
        let expected = numbers(&fixture.document[name]);
        for (row, (found, expected)) in predicted.iter().zip(expected).enumerate() {
            assert_eq!(*found as f64, expected, "row {row}, break_ties {break_ties}");
        }
    }
    let binary = fixture.labels.mapv(|label| label % 2);
    let fit = |break_ties| {
        let svc = fit(fixture.params().break_ties(break_ties), &fixture.features, &binary);
        svc.predict_labels(&fixture.queries).unwrap()
    };
    assert_eq!(fit(false), fit(true), "two classes have no ties");
}

#[test]
fn both_shapes_of_decisions_agree_with_scikit_learn_where_votes_tie() {
    let fixture = fixture();
    let svc = fixture.fit(fixture.params());
    let ovr = svc.decision_function(&fixture.queries).unwrap();
    let ovo = svc.pairwise_decision(&fixture.queries).unwrap();
    for (found, name) in [(ovr, "ovr"), (ovo, "ovo")] {
        for (row, expected) in fixture.document[name].as_array().unwrap().iter().enumerate() {
            for (a, b) in found.row(row).iter().zip(numbers(expected)) {
                assert!((f64::from(*a) - b).abs() < 1e-4, "{name}, row {row}: {a} and {b}");
            }
        }
    }
}

#[test]
fn weight_vectors_of_a_linear_kernel_are_scikit_learns() {
    let fixture = fixture();
    let svc = fixture.fit(fixture.params().kernel(Kernel::Linear));
    let coef = svc.coef().unwrap();
    let expected = fixture.document["coef"].as_array().unwrap();
    assert_eq!(coef.dim(), (expected.len(), 3));
    for (found, expected) in coef.rows().into_iter().zip(expected) {
        for (a, b) in found.iter().zip(numbers(expected)) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
    }
    assert!(fixture.fit(fixture.params()).coef().is_none());
}

#[test]
fn a_linear_kernel_predicts_the_sum_over_its_support_vectors() {
    let (floats, labels) = blobs(400, 130, 3);
    for features in [bytes_of(&floats), floats] {
        let svc = fit(SvcParams::new().kernel(Kernel::Linear), &features, &labels);
        let decisions = svc.pairwise_decision(&features).unwrap();
        let row_of = |features: &Features, row| -> Vec<f64> {
            match features {
                Features::Bytes(rows) => {
                    rows.row(row).iter().map(|&v| f64::from(v) / 255.0).collect()
                }
                Features::Floats(rows) => rows.row(row).iter().map(|&v| f64::from(v)).collect(),
            }
        };
        let n_support = svc.support().n_samples();
        let support: Vec<Vec<f64>> = (0..n_support).map(|sv| row_of(svc.support(), sv)).collect();
        for row in 0..20 {
            let sample = row_of(&features, row);
            for (pair, (first, second)) in svc.pairs().enumerate() {
                let mut sum = svc.bias()[pair];
                let ranges: Vec<_> = svc.support_ranges().collect();
                for (class, other) in [(first, second), (second, first)] {
                    let coefficients = svc.coefficients(class, other);
                    for (sv, coefficient) in ranges[class].clone().zip(coefficients) {
                        let product: f64 =
                            sample.iter().zip(&support[sv]).map(|(a, b)| a * b).sum();
                        sum += coefficient * product;
                    }
                }
                let found = decisions[[row, pair]];
                // The decision is rounded to single precision once.
                let error = (f64::from(found) - sum).abs();
                assert!(error <= 1e-7 * sum.abs() + 1e-9, "{row}, {pair}: {found} and {sum}");
            }
        }
    }
}

#[test]
fn sigmoids_agree_with_the_published_algorithm() {
    for case in fixture().document["sigmoids"].as_array().unwrap() {
        let decisions = numbers(&case["decisions"]);
        let n_first = case["n_first"].as_u64().unwrap() as usize;
        let is_first: Vec<bool> = (0..decisions.len()).map(|t| t < n_first).collect();
        let Sigmoid { a, b } = Sigmoid::fit(&decisions, &is_first);
        let (expected_a, expected_b) = (case["a"].as_f64().unwrap(), case["b"].as_f64().unwrap());
        assert!((a - expected_a).abs() < 1e-9 * (1.0 + a.abs()), "{a} and {expected_a}");
        assert!((b - expected_b).abs() < 1e-9 * (1.0 + b.abs()), "{b} and {expected_b}");
    }
}

#[test]
fn coupled_probabilities_agree_with_the_published_algorithm() {
    for case in fixture().document["couplings"].as_array().unwrap() {
        let rows: Vec<Vec<f64>> =
            case["pairwise"].as_array().unwrap().iter().map(numbers).collect();
        let n = rows.len();
        let coupled = couple(&Array2::from_shape_fn((n, n), |(i, j)| rows[i][j]));
        for (a, b) in coupled.iter().zip(numbers(&case["coupled"])) {
            assert!((a - b).abs() < 1e-12, "{n} classes: {a} and {b}");
        }
        assert!((coupled.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn probabilities_are_as_good_as_scikit_learns_over_its_seeds() {
    let fixture = fixture();
    let losses = numbers(&fixture.document["log_losses"]);
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = losses.iter().copied().fold(0.0, f64::max);
    for seed in 0..3 {
        let svc = fixture.fit(fixture.params().probability(true).seed(seed));
        let p = svc.predict_proba(&fixture.features).unwrap();
        assert_eq!(p.dim(), (fixture.labels.len(), 7));
        assert!(p.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-9));
        let rows = p.rows().into_iter().zip(&fixture.labels);
        let loss = -rows.map(|(row, &label)| row[label].ln()).sum::<f64>() / p.nrows() as f64;
        // Only the folds differ: a draw of ours lies where draws of scikit-learn's lie.
        let spread = highest - lowest;
        assert!(loss > lowest - spread && loss < highest + spread, "{loss}, {losses:?}");
    }
}

#[test]
fn probabilities_depend_on_their_seed_alone_and_survive_storage() {
    let (features, labels) = blobs(300, 8, 4);
    let params = |seed| SvcParams::new().probability(true).seed(seed);
    let mut found = Vec::new();
    for n_threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let svc = pool.install(|| fit(params(1), &features, &labels));
        found.push(pool.install(|| svc.predict_proba(&features).unwrap()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("svc.safetensors");
        svc.to_tensors().write(&path).unwrap();
        let read = Svc::from_tensors(crate::data::TensorFile::read(&path).unwrap()).unwrap();
        found.push(read.predict_proba(&features).unwrap());
        let plain = fit(SvcParams::new(), &features, &labels);
        assert_eq!(svc.dual_coef(), plain.dual_coef(), "the classifier itself is the same");
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
    let other = fit(params(2), &features, &labels).predict_proba(&features).unwrap();
    assert_ne!(found[0], other);
}

#[test]
fn a_class_with_one_sample_is_fitted_also_with_probabilities() {
    let (features, labels) = blobs(60, 6, 3);
    let rows: Vec<usize> = (0..60).filter(|&row| labels[row] != 2 || row == 2).collect();
    let (features, labels) = (features.select(&rows), labels.select(ndarray::Axis(0), &rows));
    for kernel in [Kernel::Linear, Kernel::Rbf { gamma: Gamma::Scale }] {
        let svc = fit(SvcParams::new().kernel(kernel).probability(true), &features, &labels);
        assert!(svc.report().unwrap().converged);
        assert_eq!(svc.n_support()[2], 1);
        let p = svc.predict_proba(&features).unwrap();
        assert!(p.iter().all(|&p| p > 0.0 && p < 1.0), "{p}");
    }
}

#[test]
fn probabilities_that_cannot_be_had_are_refused() {
    let (features, labels) = blobs(60, 6, 2);
    let svc = fit(SvcParams::new(), &features, &labels);
    assert!(matches!(svc.predict_proba(&features), Err(SvcError::NoProbability)));
    let linfa = SvcParams::new().engine(Engine::Linfa).probability(true).check();
    assert!(matches!(linfa, Err(SvcError::Linfa(_))));
}

#[test]
fn a_request_to_stop_ends_the_fit_of_probabilities() {
    let (features, labels) = blobs(300, 8, 2);
    let params = SvcParams::new().probability(true).check().unwrap();
    let count = super::input::Stop::after(u64::MAX);
    params.fit_with(&features, &labels, &count).unwrap();
    let last = count.n_asked() - 1;
    let stopped = params.fit_with(&features, &labels, &super::input::Stop::after(last));
    assert!(matches!(stopped, Err(SvcError::Interrupted)));
    assert!(params.fit_with(&features, &labels, &Silent).is_ok());
}
