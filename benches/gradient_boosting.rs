//! Gradient boosting on Fashion-MNIST's pixels:
//! `PIPELINE_DATA=DIR cargo bench --bench gradient_boosting -- [CASE…]`.
//!
//! Cases: `leaves31` (up to 31 leaves of any depth), `depth10` (all leaves down to depth 10).
//! `N_TRAIN` and `N_ESTIMATORS` in the environment set what their names say. Prints one JSON line a
//! case. Accuracy and loss are those of the last 10,000 training images, held out, with `VALIDATE=1`;
//! else of the test images, to choose nothing by.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels};
use hybrid_pipeline::learn::Samples;
use hybrid_pipeline::learn::gradient_boosting::GradientBoostingParams;
use hybrid_pipeline::progress::Silent;
use linfa::ParamGuard;
use ndarray::{Array2, Axis};

fn read(dir: &Path, name: &str, n_header: usize) -> Vec<u8> {
    let file = std::fs::File::open(dir.join(name)).expect("data file");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes.split_off(n_header)
}

fn load(dir: &Path, split: &str) -> (Features, Labels) {
    let pixels = read(dir, &format!("{split}-images-idx3-ubyte.gz"), 16);
    let labels = read(dir, &format!("{split}-labels-idx1-ubyte.gz"), 8);
    let rows = Array2::from_shape_vec((pixels.len() / 784, 784), pixels).expect("whole images");
    (Features::Bytes(rows), labels.into_iter().map(usize::from).collect())
}

fn part((features, labels): &(Features, Labels), rows: Range<usize>) -> (Features, Labels) {
    let idx: Vec<usize> = rows.collect();
    (features.select(&idx), labels.select(Axis(0), &idx))
}

fn from_env<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let Some(dir) = std::env::var_os("PIPELINE_DATA") else {
        println!("skipped: PIPELINE_DATA is not set");
        return;
    };
    let dir = Path::new(&dir);
    let all = load(dir, "train");
    let (n_train, (test, test_labels)) = match std::env::var_os("VALIDATE") {
        Some(_) => (50_000, part(&all, 50_000..60_000)),
        None => (60_000, load(dir, "t10k")),
    };
    let (train, labels) = part(&all, 0..n_train.min(from_env("N_TRAIN", n_train)));
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let params = GradientBoostingParams::new().n_estimators(from_env("N_ESTIMATORS", 100));
    for (name, params) in [
        ("leaves31", params.clone()),
        ("depth10", params.clone().max_leaf_nodes(None).max_depth(Some(10))),
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|case| case == name) {
            continue;
        }
        let params = params.check().expect("valid parameters");
        let samples = Samples { features: &train, labels: &labels, weights: None };
        let (cpu, clock) = (cpu_time::ProcessTime::now(), Instant::now());
        let model = params.fit_model(samples, 0, &Silent).expect("fit");
        let (fit_s, fit_cpu_s) = (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        let clock = Instant::now();
        let proba = model.predict_proba(&test, &Silent).expect("predict");
        let predict_s = clock.elapsed().as_secs_f64();
        let predicted = model.predict_labels(&test, &Silent).expect("predict");
        let n_right = predicted.iter().zip(&test_labels).filter(|(a, b)| a == b).count();
        let loss: f64 = proba.rows().into_iter().zip(&test_labels).map(|(p, &y)| -p[y].ln()).sum();
        let n_leaves: usize = model.trees().map(|tree| tree.n_leaves()).sum();
        let line = serde_json::json!({
            "case": name, "fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "predict_s": predict_s,
            "accuracy": n_right as f64 / test_labels.len() as f64,
            "log_loss": loss / test_labels.len() as f64,
            "train_loss": model.report().train_loss.last(), "n_leaves": n_leaves,
        });
        println!("{line}");
    }
}
