//! Logistic regression on Fashion-MNIST's pixels:
//! `PIPELINE_DATA=DIR cargo bench --bench logistic -- [l2|l1|none…]`.
//!
//! `C`, `TOL`, `MAX_ITER`, `N_TRAIN` and `ENGINE` in the environment set what their names say. Prints one
//! JSON line a penalty. Accuracy is that of the test images, and chooses nothing.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels};
use hybrid_pipeline::learn::logistic::LogisticParams;
use hybrid_pipeline::learn::{Classifier, Samples};
use hybrid_pipeline::progress::Silent;
use linfa::ParamGuard;
use ndarray::{Array2, Axis};
use serde::de::DeserializeOwned;

fn read(dir: &Path, name: &str, n_header: usize) -> Vec<u8> {
    let file = std::fs::File::open(dir.join(name)).expect("data file");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes.split_off(n_header)
}

fn load(dir: &Path, split: &str, n_rows: usize) -> (Features, Labels) {
    let pixels = read(dir, &format!("{split}-images-idx3-ubyte.gz"), 16);
    let labels = read(dir, &format!("{split}-labels-idx1-ubyte.gz"), 8);
    let rows = Array2::from_shape_vec((pixels.len() / 784, 784), pixels).expect("whole images");
    let idx: Vec<usize> = (0..n_rows.min(rows.nrows())).collect();
    let labels: Labels = labels.into_iter().map(usize::from).collect();
    (Features::Bytes(rows.select(Axis(0), &idx)), labels.select(Axis(0), &idx))
}

fn from_env<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn word<T: DeserializeOwned>(word: &str) -> T {
    serde_json::from_value(serde_json::json!(word)).unwrap_or_else(|error| panic!("{error}"))
}

fn main() {
    let Some(dir) = std::env::var_os("PIPELINE_DATA") else {
        println!("skipped: PIPELINE_DATA is not set");
        return;
    };
    let dir = Path::new(&dir);
    let (train, labels) = load(dir, "train", from_env("N_TRAIN", 60_000));
    let (test, test_labels) = load(dir, "t10k", 10_000);
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for penalty in if named.is_empty() { vec!["l2".to_owned()] } else { named } {
        let params = LogisticParams::new()
            .penalty(word(&penalty))
            .c(from_env("C", 1.0))
            .tol(from_env("TOL", 1e-4))
            .max_iter(from_env("MAX_ITER", 100))
            .engine(word(&from_env("ENGINE", "native".to_owned())))
            .check()
            .expect("parameters");
        let samples = Samples { features: &train, labels: &labels, weights: None };
        let (clock, cpu) = (Instant::now(), cpu_time::ProcessTime::now());
        let model = params.fit_model(samples, 0, &Silent).expect("fit");
        let (fit_s, fit_cpu_s) = (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        let predicted = model.predict(&test, &Silent).expect("prediction");
        let n_right = predicted.iter().zip(&test_labels).filter(|(a, b)| a == b).count();
        let report = model.report();
        println!(
            "{}",
            serde_json::json!({
                "penalty": penalty,
                "fit_s": fit_s,
                "fit_cpu_s": fit_cpu_s,
                "objective": report.objective,
                "max_gradient": report.max_gradient,
                "n_iter": report.n_iter,
                "converged": report.converged,
                "n_nonzero": report.n_nonzero,
                "accuracy": n_right as f64 / test_labels.len() as f64,
            })
        );
    }
}
