//! The parts of a decision add up to it.

use super::{KERNELS, blobs, bytes_of, fit};
use crate::learn::svm::{Kernel, SvcParams};
use crate::progress::Silent;

#[test]
fn contributions_add_up_to_the_decision_of_their_pair() {
    let (floats, labels) = blobs(60, 5, 3);
    for features in [bytes_of(&floats), floats] {
        for kernel in KERNELS {
            let svc = fit(SvcParams::new().kernel(kernel).c(0.5), &features, &labels);
            let decisions = svc.pairwise_decision(&features).unwrap();
            let pairs = [(0, 1), (0, 2), (1, 2)];
            for (nth, (one, two)) in pairs.into_iter().enumerate() {
                for row in [0, 17, 59] {
                    let of = |pair| svc.contributions(&features, row, pair).unwrap().unwrap();
                    let (found, expected) =
                        (of((one, two)).decision(), f64::from(decisions[[row, nth]]));
                    let scale = expected.abs().max(1.0);
                    assert!((found - expected).abs() < 1e-4 * scale, "{kernel:?}, {one}, {two}");
                    assert!((of((two, one)).decision() + found).abs() < 1e-9 * scale);
                }
            }
        }
    }
}

#[test]
fn weights_of_a_linear_kernel_give_its_decisions() {
    let (features, labels) = blobs(60, 5, 3);
    let svc = fit(SvcParams::new().kernel(Kernel::Linear), &features, &labels);
    let decisions = svc.pairwise_decision(&features).unwrap();
    let weights = svc.linear_weights_of(2, 1).unwrap();
    let found: f64 =
        weights.iter().zip(features.row_f32(8)).map(|(w, x)| w * f64::from(x)).sum::<f64>()
            - svc.bias()[2];
    assert!((found + f64::from(decisions[[8, 2]])).abs() < 1e-4);
    assert!(fit(SvcParams::new(), &features, &labels).linear_weights_of(0, 1).is_none());
}

#[test]
fn the_margin_of_a_class_is_the_mean_of_its_decisions() {
    let (features, labels) = blobs(60, 5, 3);
    let svc = fit(SvcParams::new(), &features, &labels);
    let decisions = svc.pairwise_decision(&features).unwrap().mapv(f64::from);
    let found = svc.mean_margins(&features, 1, &Silent).unwrap().unwrap();
    for (row, found) in found.iter().enumerate() {
        assert!((found - (decisions[[row, 2]] - decisions[[row, 0]]) / 2.0).abs() < 1e-12);
    }
    assert_eq!(svc.mean_margins(&features, 9, &Silent).unwrap(), None);
}

#[test]
fn labels_that_are_equal_or_unknown_have_no_contributions() {
    let (features, labels) = blobs(30, 4, 2);
    let svc = fit(SvcParams::new(), &features, &labels);
    for pair in [(1, 1), (0, 7)] {
        assert_eq!(svc.contributions(&features, 0, pair).unwrap(), None);
        assert!(svc.linear_weights_of(pair.0, pair.1).is_none());
    }
}
