//! Weights of samples and classes.

use linfa::ParamGuard;
use ndarray::Axis;

use super::{KERNELS, blobs, bytes_of};
use crate::data::{Features, Labels};
use crate::learn::Samples;
use crate::learn::svm::{ClassWeight, Gamma, Kernel, Svc, SvcError, SvcParams};
use crate::learn::{InputError, ParamError};
use crate::progress::Silent;

fn weighted(
    params: SvcParams,
    features: &Features,
    labels: &Labels,
    weights: &[f64],
) -> Result<Svc, SvcError> {
    let samples = Samples { features, labels, weights: Some(weights) };
    params.check()?.fit_samples(samples, &Silent)
}

#[test]
fn weight_0_equals_removing_the_row() {
    let (floats, labels) = blobs(150, 6, 3);
    let weights: Vec<f64> = (0..150).map(|row| if row % 4 == 1 { 0.0 } else { 1.0 }).collect();
    let kept: Vec<usize> = (0..150).filter(|row| row % 4 != 1).collect();
    for features in [bytes_of(&floats), floats] {
        let params = SvcParams::new().kernel(Kernel::Rbf { gamma: Gamma::Value(0.1) });
        let svc = weighted(params.clone(), &features, &labels, &weights).unwrap();
        let (fewer, fewer_labels) = (features.select(&kept), labels.select(Axis(0), &kept));
        let without = super::fit(params, &fewer, &fewer_labels);
        assert_eq!(svc.dual_coef(), without.dual_coef());
        assert_eq!(svc.bias(), without.bias());
        let rows: Vec<usize> = without.support_idx().iter().map(|&row| kept[row]).collect();
        assert_eq!(svc.support_idx(), rows);
    }
}

#[test]
fn a_class_weight_equals_that_weight_on_each_of_its_samples() {
    let (features, labels) = blobs(120, 6, 3);
    let weights: Vec<f64> = labels.iter().map(|&class| [1.0, 2.5, 0.5][class]).collect();
    for kernel in KERNELS {
        let params = SvcParams::new().kernel(kernel);
        let by_sample = weighted(params.clone(), &features, &labels, &weights).unwrap();
        let class_weight = ClassWeight::PerClass(vec![(1, 2.5), (2, 0.5), (7, 9.0)]);
        let by_class = super::fit(params.class_weight(class_weight), &features, &labels);
        assert_eq!(by_sample.dual_coef(), by_class.dual_coef());
    }
}

#[test]
fn weights_that_mean_nothing_are_refused_with_their_values() {
    let (features, labels) = blobs(30, 4, 3);
    let fit = |weights: &[f64]| weighted(SvcParams::new(), &features, &labels, weights).err();
    for bad in [-0.5, f64::NAN, f64::INFINITY] {
        let mut weights = vec![1.0; 30];
        weights[4] = bad;
        assert!(matches!(
            fit(&weights),
            Some(SvcError::Input(InputError::BadWeight { row: 4, found })) if found.to_bits() == bad.to_bits()
        ));
    }
    assert!(matches!(
        fit(&[1.0; 29]),
        Some(SvcError::Input(InputError::LengthMismatch { what: "weights", found: 29, .. }))
    ));
    assert!(matches!(
        fit(&[0.0; 30]),
        Some(SvcError::Input(InputError::NoWeight { n_samples: 30 }))
    ));
    let only_two: Vec<f64> = labels.iter().map(|&class| f64::from(u8::from(class != 1))).collect();
    assert!(matches!(fit(&only_two), Some(SvcError::NoWeight { class: 1, n_samples: 10 })));
    let mut weights = vec![1.0; 30];
    weights[4] = f64::MAX;
    let params = SvcParams::new().c(2.0);
    assert!(matches!(
        weighted(params, &features, &labels, &weights),
        Err(SvcError::BadBound { row: 4, class: 1, .. })
    ));
    for found in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let params = SvcParams::new().class_weight(ClassWeight::PerClass(vec![(3, found)]));
        assert!(matches!(
            params.check(),
            Err(SvcError::Param(ParamError { name: "class_weight", .. }))
        ));
    }
}
