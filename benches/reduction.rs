//! Reductions, discriminants and naive Bayes on Fashion-MNIST's pixels:
//! `PIPELINE_DATA=DIR cargo bench --bench reduction -- [CASE…]`.
//!
//! Cases: `pca`, `pca_variance`, `pca_all` (every component), `pca_linfa`, `fisher`, `random`, `scale`,
//! `spherical`, `lda`, `qda` (on 50 components), `qda_pixels`, `gnb`. `REPEAT` in the environment sets
//! how often each is timed; the median is printed, as one JSON line a case. Accuracy is that of the
//! last 10,000 training images, held out, with `VALIDATE=1`; else of the test images, to choose
//! nothing by.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels};
use hybrid_pipeline::learn::discriminant::{Covariance, DiscriminantParams};
use hybrid_pipeline::learn::naive_bayes::GaussianNbParams;
use hybrid_pipeline::learn::reduction::{
    Components, FisherParams, PcaEngine, PcaParams, RandomProjectionParams,
};
use hybrid_pipeline::learn::scaling::{ScalerParams, Scaling};
use hybrid_pipeline::learn::{Learner, Samples, Shrinkage, Transformer};
use hybrid_pipeline::progress::Silent;
use linfa::ParamGuard;
use ndarray::{Array2, Axis};
use serde_json::{Value, json};

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

/// The middle one of several times, and what was made last.
fn timed<T>(mut work: impl FnMut() -> T) -> (f64, f64, T) {
    let n: usize = std::env::var("REPEAT").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut times = Vec::new();
    let mut made = None;
    for _ in 0..n.max(1) {
        let (cpu, clock) = (cpu_time::ProcessTime::now(), Instant::now());
        made = Some(work());
        times.push((clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64()));
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (seconds, cpu_seconds) = times[times.len() / 2];
    (seconds, cpu_seconds, made.expect("one run"))
}

/// Rows to fit on and rows to predict.
struct Data {
    train: Features,
    labels: Labels,
    test: Features,
    test_labels: Labels,
}

impl Data {
    fn samples(&self) -> Samples<'_> {
        Samples { features: &self.train, labels: &self.labels, weights: None }
    }

    fn classify(&self, learner: &dyn Learner) -> Value {
        let (fit_s, fit_cpu_s, model) =
            timed(|| learner.fit(self.samples(), 0, &Silent).expect("fit"));
        let (predict_s, _, predicted) = timed(|| model.predict(&self.test, &Silent).expect("rows"));
        let n_right = predicted.iter().zip(&self.test_labels).filter(|(a, b)| a == b).count();
        let accuracy = n_right as f64 / self.test_labels.len() as f64;
        json!({ "fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "predict_s": predict_s,
                "accuracy": accuracy, "details": model.details() })
    }

    fn map(&self, fit: impl Fn(Samples) -> Box<dyn Transformer>) -> (Value, Data) {
        let (fit_s, fit_cpu_s, map) = timed(|| fit(self.samples()));
        let (transform_s, _, train) = timed(|| map.transform(&self.train, &Silent).expect("rows"));
        let test = map.transform(&self.test, &Silent).expect("rows");
        let line = json!({ "fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "transform_s": transform_s,
                           "details": map.details() });
        let (labels, test_labels) = (self.labels.clone(), self.test_labels.clone());
        (line, Data { train, labels, test, test_labels })
    }

    fn pca(&self, components: Components, engine: PcaEngine) -> (Value, Data) {
        let params = PcaParams::new().components(components).engine(engine).check();
        let params = params.expect("valid parameters");
        self.map(|samples| Box::new(params.fit_map(samples, 0, &Silent).expect("fit")))
    }
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
    let (train, labels) = part(&all, 0..n_train);
    let data = Data { train, labels, test, test_labels };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let discriminant = |covariance| {
        DiscriminantParams::new().covariance(covariance).check().expect("valid parameters")
    };
    let run = |name: &str| -> Value {
        match name {
            "pca" => data.pca(Components::Count(50), PcaEngine::Native).0,
            "pca_variance" => data.pca(Components::Variance(0.95), PcaEngine::Native).0,
            "pca_all" => data.pca(Components::Count(784), PcaEngine::Native).0,
            "pca_linfa" => data.pca(Components::Count(50), PcaEngine::Linfa).0,
            "fisher" => {
                let params = FisherParams::new().check().expect("valid parameters");
                data.map(|samples| Box::new(params.fit_map(samples, 0, &Silent).expect("fit"))).0
            }
            "random" => {
                let params = RandomProjectionParams::new().check().expect("valid parameters");
                data.map(|samples| Box::new(params.fit_map(samples, 0, &Silent).expect("fit"))).0
            }
            "scale" => {
                let params = ScalerParams::new(Scaling::Standard).check().expect("valid");
                data.map(|samples| Box::new(params.fit_map(samples, 0, &Silent).expect("fit"))).0
            }
            "spherical" => data.classify(&discriminant(Covariance::Spherical)),
            "lda" => data.classify(&discriminant(Covariance::Shared)),
            "qda" => {
                let (_, reduced) = data.pca(Components::Count(50), PcaEngine::Native);
                reduced.classify(&discriminant(Covariance::PerClass))
            }
            "qda_pixels" => {
                let params = DiscriminantParams::new()
                    .covariance(Covariance::PerClass)
                    .shrinkage(Shrinkage::Share(0.1));
                data.classify(&params.check().expect("valid parameters"))
            }
            _ => data.classify(&GaussianNbParams::new().check().expect("valid parameters")),
        }
    };
    for name in [
        "pca",
        "pca_variance",
        "pca_all",
        "pca_linfa",
        "fisher",
        "random",
        "scale",
        "spherical",
        "lda",
        "qda",
        "qda_pixels",
        "gnb",
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|case| case == name) {
            continue;
        }
        let mut line = run(name);
        line["case"] = json!(name);
        println!("{line}");
    }
}
