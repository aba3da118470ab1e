//! k nearest neighbours on Fashion-MNIST's pixels:
//! `PIPELINE_DATA=DIR cargo bench --bench knn -- [CASE…]`.
//!
//! A case is a metric, with `_floats` behind it for pixels as real numbers: `euclidean`,
//! `manhattan_floats`, … `N_TRAIN`, `N_QUERIES`, `N_NEIGHBORS` and `ENGINE` in the environment set
//! what their names say; `NEIGHBORS=FILE` writes the neighbours found as JSON. Prints one JSON line a
//! case. Queries are test images, and choose nothing.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels};
use hybrid_pipeline::learn::knn::KnnParams;
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

fn load(dir: &Path, split: &str, n_rows: usize) -> (Array2<u8>, Labels) {
    let pixels = read(dir, &format!("{split}-images-idx3-ubyte.gz"), 16);
    let labels = read(dir, &format!("{split}-labels-idx1-ubyte.gz"), 8);
    let rows = Array2::from_shape_vec((pixels.len() / 784, 784), pixels).expect("whole images");
    let idx: Vec<usize> = (0..n_rows.min(rows.nrows())).collect();
    let labels: Labels = labels.into_iter().map(usize::from).collect();
    (rows.select(Axis(0), &idx), labels.select(Axis(0), &idx))
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
    let (test, test_labels) = load(dir, "t10k", from_env("N_QUERIES", 10_000));
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let cases = if named.is_empty() { vec!["euclidean".to_owned()] } else { named };
    for case in cases {
        let metric = case.trim_end_matches("_floats");
        let features = |rows: &Array2<u8>| match case.ends_with("_floats") {
            true => Features::Floats(rows.mapv(|v| f32::from(v) / 255.0)),
            false => Features::Bytes(rows.clone()),
        };
        let (train, test) = (features(&train), features(&test));
        let params = KnnParams::new()
            .metric(word(metric))
            .engine(word(&from_env("ENGINE", "native".to_owned())))
            .n_neighbors(from_env("N_NEIGHBORS", 5))
            .check()
            .expect("parameters");
        let samples = Samples { features: &train, labels: &labels, weights: None };
        let clock = Instant::now();
        let model = params.fit_model(samples, 0, &Silent).expect("fit");
        let fit_s = clock.elapsed().as_secs_f64();
        let (clock, cpu) = (Instant::now(), cpu_time::ProcessTime::now());
        let predicted = model.predict(&test, &Silent).expect("prediction");
        let (predict_s, predict_cpu_s) =
            (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        let n_right = predicted.iter().zip(&test_labels).filter(|(a, b)| a == b).count();
        println!(
            "{}",
            serde_json::json!({
                "case": case,
                "fit_s": fit_s,
                "predict_s": predict_s,
                "predict_cpu_s": predict_cpu_s,
                "accuracy": n_right as f64 / test_labels.len() as f64,
            })
        );
        if let Some(path) = std::env::var_os("NEIGHBORS") {
            let near =
                model.kneighbors(&test, from_env("N_NEIGHBORS", 5), &Silent).expect("neighbours");
            let idx: Vec<Vec<usize>> =
                near.idx.rows().into_iter().map(|row| row.to_vec()).collect();
            let distances: Vec<Vec<f64>> =
                near.distances.rows().into_iter().map(|row| row.to_vec()).collect();
            let found = serde_json::json!({ "idx": idx, "distances": distances });
            std::fs::write(path, found.to_string()).expect("neighbours written");
        }
    }
}
