//! LIBSVM's text form. Models and expected numbers are made by tests/reference/libsvm_model.py
//! (version and seed inside).

use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde_json::Value;

use super::fixtures::numbers;
use super::{KERNELS, blobs, bytes_of, fit};
use crate::data::Features;
use crate::learn::svm::{Svc, SvcError, SvcParams};
use crate::progress::Silent;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

fn to_floats(features: &Features) -> Features {
    let rows: Vec<f32> =
        (0..features.n_samples()).flat_map(|row| features.row_f32(row).to_vec()).collect();
    let shape = (features.n_samples(), features.n_features());
    Features::Floats(Array2::from_shape_vec(shape, rows).unwrap())
}

#[test]
fn models_that_libsvm_wrote_say_what_libsvm_says() {
    let text = std::fs::read_to_string(reference("libsvm_model.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let n_features = document["n_features"].as_u64().unwrap() as usize;
    let values: Vec<f32> = numbers(&document["features"]).iter().map(|&v| v as f32).collect();
    let rows = Array2::from_shape_vec((values.len() / n_features, n_features), values).unwrap();
    let features = Features::Floats(rows);
    for name in ["linear", "polynomial", "rbf", "sigmoid"] {
        let case = &document["cases"][name];
        let path = reference(&format!("libsvm_{name}.model"));
        let svc = Svc::read_libsvm(&path, n_features, &Silent).unwrap();
        let labels: Vec<f64> = svc.classes().iter().map(|&class| class as f64).collect();
        assert_eq!(labels, numbers(&case["labels"]), "{name}");
        let predicted: Vec<f64> =
            svc.predict_labels(&features).unwrap().iter().map(|&class| class as f64).collect();
        assert_eq!(predicted, numbers(&case["predictions"]), "{name}");
        let decisions = svc.pairwise_decision(&features).unwrap().mapv(f64::from);
        let probabilities = svc.predict_proba(&features).unwrap();
        for (found, key) in [(decisions, "decisions"), (probabilities, "probabilities")] {
            for (row, expected) in case[key].as_array().unwrap().iter().enumerate() {
                for (a, b) in found.row(row).iter().zip(numbers(expected)) {
                    assert!((a - b).abs() < 2e-5, "{name}, {key}, row {row}: {a} and {b}");
                }
            }
        }
    }
}

fn written(svc: &Svc) -> Vec<u8> {
    let mut text = Vec::new();
    svc.write_libsvm(&mut text).unwrap();
    text
}

/// Reads `text` from a file.
fn read(text: &[u8], n_features: usize) -> Result<Svc, SvcError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("svm.model");
    std::fs::write(&path, text).unwrap();
    Svc::read_libsvm(&path, n_features, &Silent)
}

#[test]
fn a_written_model_reads_back_as_it_was() {
    let (floats, labels) = blobs(150, 7, 3);
    let labels = labels.mapv(|class| class + 1);
    for features in [bytes_of(&floats), floats] {
        for kernel in KERNELS {
            let svc = fit(SvcParams::new().kernel(kernel).probability(true), &features, &labels);
            let text = written(&svc);
            let again = read(&text, 7).unwrap();
            assert_eq!(again.classes(), svc.classes());
            assert_eq!(again.n_support(), svc.n_support());
            assert_eq!(again.dual_coef(), svc.dual_coef());
            assert_eq!(again.bias(), svc.bias());
            assert_eq!(again.sigmoids(), svc.sigmoids());
            assert_eq!(again.gamma(), svc.gamma());
            assert_eq!(again.support(), &to_floats(svc.support()));
            assert!(again.report().is_none());
            let (a, b) = (
                again.pairwise_decision(&to_floats(&features)).unwrap(),
                svc.pairwise_decision(&features).unwrap(),
            );
            // Kernel values are rounded to single precision; a few roundings of the largest one.
            let largest_square = (0..svc.support().n_samples())
                .map(|sv| svc.support().row_f32(sv).mapv(|v| f64::from(v).powi(2)).sum())
                .fold(1.0, f64::max);
            let largest = svc.resolved.of_product(largest_square).max(1.0);
            let sum: f64 = svc.dual_coef().iter().map(|coefficient| coefficient.abs()).sum();
            let tolerance = 32.0 * f32::EPSILON * largest * sum as f32;
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < tolerance, "{kernel:?}: {a} and {b}");
            }
            if let Features::Floats(_) = features {
                assert_eq!(a, b, "{kernel:?}");
                assert_eq!(written(&again), text, "{kernel:?}");
            }
        }
    }
}

#[test]
fn a_model_that_was_read_is_stored_like_any_other() {
    let svc = Svc::read_libsvm(&reference("libsvm_rbf.model"), 5, &Silent).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("svc.safetensors");
    svc.to_tensors().write(&path).unwrap();
    let again = Svc::from_tensors(crate::data::TensorFile::read(&path).unwrap()).unwrap();
    assert_eq!(written(&again), written(&svc));
}

/// Reads the model of a few lines with one text replaced; expects an error at `line`.
#[track_caller]
fn wrong(from: &str, to: &str, line: usize, expected: &str) {
    const GOOD: &str = "svm_type c_svc\nkernel_type polynomial\ndegree 2\ngamma 0.5\ncoef0 1\n\
        nr_class 3\ntotal_sv 3\nrho 0.1 0.2 0.3\nlabel 0 1 2\nprobA -1 -1 -1\nprobB 0 0 0\n\
        nr_sv 1 1 1\nSV\n1 1 1:0.5 3:1\n-1 1 2:0.25\n-1 -1 4:1\n";
    assert!(read(GOOD.as_bytes(), 4).is_ok());
    assert!(GOOD.contains(from), "`{from}` is not in the model");
    let error = read(GOOD.replacen(from, to, 1).as_bytes(), 4).err().unwrap();
    let SvcError::ModelFile { line: found, .. } = &error else { panic!("{error}") };
    assert_eq!(*found, line, "{error}");
    assert!(error.to_string().contains(expected), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn damaged_model_files_are_refused_with_the_line() {
    wrong("svm_type c_svc", "hello", 1, "svm_type");
    wrong("c_svc", "epsilon_svr", 1, "`epsilon_svr`");
    wrong("polynomial", "precomputed", 13, "`precomputed`");
    wrong("degree 2\n", "", 12, "degree");
    wrong("degree 2", "degree -2", 3, "`-2`");
    wrong("gamma 0.5\n", "", 12, "gamma");
    wrong("gamma 0.5", "gamma 0", 13, "above 0");
    wrong("gamma 0.5", "gamma nan", 4, "`nan`");
    wrong("coef0 1\n", "", 12, "coef0");
    wrong("nr_class 3", "nr_class 1", 13, "at least 2");
    wrong("nr_class 3", "nr_class 4", 13, "4 values of `label`");
    wrong("nr_class 3", "nr_class 99999999999999999999", 6, "a number");
    wrong("total_sv 3", "total_sv 4", 13, "add up");
    wrong("rho 0.1 0.2 0.3", "rho 0.1 0.2", 13, "3 values of `rho`");
    wrong("rho 0.1", "rho inf", 8, "`inf`");
    wrong("label 0 1 2", "label 0 1 -1", 9, "`-1`");
    wrong("label 0 1 2", "label 0 1 1", 17, "distinct");
    wrong("probB 0 0 0\n", "", 12, "probB");
    wrong("nr_sv 1 1 1", "nr_sv 18446744073709551615 2 2", 13, "add up");
    wrong("nr_sv", "nr_vs", 12, "header");
    wrong("SV\n", "", 13, "header");
    wrong("1 1 1:0.5 3:1\n", "1 1:0.5 3:1\n", 14, "2 coefficients");
    wrong("3:1\n", "3:1 3:1\n", 14, "after 3");
    wrong("3:1\n", "5:1\n", 14, "at most 4 features");
    wrong("1:0.5", "0:0.5", 14, "after 0");
    wrong("3:1\n", "3:1e39\n", 14, "finite");
    wrong("3:1\n", "3\n", 14, "FEATURE:VALUE");
    wrong("-1 -1 4:1\n", "", 16, "end of the file after 2");
    wrong("-1 -1 4:1\n", "-1 -1 4:1\n1 1 1:1\n", 17, "end of the file after 3");
}

#[test]
fn no_truncated_model_is_read_as_a_whole_one() {
    let text = std::fs::read(reference("libsvm_rbf.model")).unwrap();
    let whole = read(&text, 5).unwrap();
    for n_kept in (0..text.len()).step_by(7) {
        match read(&text[..n_kept], 5) {
            Err(SvcError::ModelFile { .. }) => {}
            Err(error) => panic!("{n_kept} bytes: {error}"),
            // Cut within its last line, which still reads as a support vector.
            Ok(svc) => assert_eq!(svc.n_support(), whole.n_support(), "{n_kept} bytes"),
        }
    }
    assert!(matches!(read(&[0xff, 0xfe, b'\n'], 5), Err(SvcError::ModelFile { line: 1, .. })));
    let absent = Svc::read_libsvm(Path::new("nowhere/svm.model"), 5, &Silent);
    assert!(matches!(absent, Err(SvcError::ReadModel { .. })));
}
