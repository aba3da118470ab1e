//! Trees, forests and AdaBoost on Fashion-MNIST's pixels:
//! `PIPELINE_DATA=DIR cargo bench --bench trees -- [CASE…]`.
//!
//! Cases: `gini`, `entropy` (depth 10), `forest`, `extra_trees`, `adaboost`. `N_TRAIN`, `N_TREES`
//! and `SEED` in the environment set what their names say; `FLOATS=1` gives real pixels. Prints one
//! JSON line a case. Accuracy is that of the last 10,000 training images, held out, with
//! `VALIDATE=1`; else of the test images, to choose nothing by.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels};
use hybrid_pipeline::learn::adaboost::AdaBoostParams;
use hybrid_pipeline::learn::forest::{ForestKind, ForestParams};
use hybrid_pipeline::learn::tree::{Criterion, DecisionTreeParams, TreeRules};
use hybrid_pipeline::learn::{Learner, Samples};
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
    let features = match std::env::var_os("FLOATS") {
        Some(_) => Features::Floats(rows.mapv(|v| f32::from(v) / 255.0)),
        None => Features::Bytes(rows),
    };
    (features, labels.into_iter().map(usize::from).collect())
}

fn part((features, labels): &(Features, Labels), rows: Range<usize>) -> (Features, Labels) {
    let idx: Vec<usize> = rows.collect();
    (features.select(&idx), labels.select(Axis(0), &idx))
}

fn from_env<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn tree(rules: TreeRules) -> Box<dyn Learner> {
    Box::new(DecisionTreeParams::new().rules(rules).check().expect("valid parameters"))
}

fn forest(kind: ForestKind) -> Box<dyn Learner> {
    let params = ForestParams::new(kind).n_estimators(from_env("N_TREES", 100));
    Box::new(params.check().expect("valid parameters"))
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
    let rules = TreeRules::default();
    let entropy = TreeRules { criterion: Criterion::Entropy, max_depth: Some(10), ..rules.clone() };
    let stump = tree(TreeRules { max_depth: Some(1), ..rules.clone() });
    let adaboost = AdaBoostParams::new(stump, "decision_tree").check().expect("valid parameters");
    let cases: [(&str, Box<dyn Learner>); 5] = [
        ("gini", tree(rules)),
        ("entropy", tree(entropy)),
        ("forest", forest(ForestKind::RandomForest)),
        ("extra_trees", forest(ForestKind::ExtraTrees)),
        ("adaboost", Box::new(adaboost)),
    ];
    for (name, learner) in cases {
        if !wanted.is_empty() && !wanted.iter().any(|case| case == name) {
            continue;
        }
        let samples = Samples { features: &train, labels: &labels, weights: None };
        let (cpu, clock) = (cpu_time::ProcessTime::now(), Instant::now());
        let model = learner.fit(samples, from_env("SEED", 0), &Silent).expect("fit");
        let (fit_s, fit_cpu_s) = (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        let clock = Instant::now();
        let predicted = model.predict(&test, &Silent).expect("predict");
        let predict_s = clock.elapsed().as_secs_f64();
        let n_right = predicted.iter().zip(&test_labels).filter(|(a, b)| a == b).count();
        let line = serde_json::json!({
            "case": name, "fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "predict_s": predict_s,
            "accuracy": n_right as f64 / test_labels.len() as f64,
            "model_bytes": model.model_bytes(),
        });
        println!("{line}");
    }
}
