//! Support vector machines on Fashion-MNIST: `PIPELINE_DATA=DIR cargo bench --bench svm -- [CASE…]`, for
//! example `cargo bench --bench svm -- pixels`.
//!
//! Cases: `pixels`, `relu128`, `relu128-linear`, `relu5408`: RBF with `C = 10` or linear with
//! `C = 1`, on pixels or on ReLU of seeded random projections of them. A case may also be
//! `FILE,KERNEL,C`, where FILE is the artifact of a `features` stage or the word `pixels`. Prints one
//! JSON line a case.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels, Rng, TensorFile};
use hybrid_pipeline::learn::model_selection::Folds;
use hybrid_pipeline::learn::svm::{Gamma, Kernel, SvcParams};
use hybrid_pipeline::learn::{Classifier, Samples};
use hybrid_pipeline::progress::Silent;
use linfa::ParamGuard;
use ndarray::Array2;

fn read(dir: &Path, name: &str, n_header: usize) -> Vec<u8> {
    let file = std::fs::File::open(dir.join(name)).expect("data file");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes.split_off(n_header)
}

fn load(dir: &Path, split: &str) -> (Array2<u8>, Labels) {
    let pixels = read(dir, &format!("{split}-images-idx3-ubyte.gz"), 16);
    let labels = read(dir, &format!("{split}-labels-idx1-ubyte.gz"), 8);
    let rows = Array2::from_shape_vec((pixels.len() / 784, 784), pixels).expect("whole images");
    (rows, labels.into_iter().map(usize::from).collect())
}

fn random_relu(pixels: &Array2<u8>, n_features: usize) -> Features {
    let mut rng = Rng::new(1, &["bench", "relu"]);
    let weights = Array2::from_shape_fn((784, n_features), |_| rng.normal_f32() / 28.0);
    let mut out = Array2::zeros((pixels.nrows(), n_features));
    for (start, mut chunk) in out.axis_chunks_iter_mut(ndarray::Axis(0), 1000).enumerate() {
        let rows = pixels.slice(ndarray::s![start * 1000..start * 1000 + chunk.nrows(), ..]);
        let product = rows.mapv(|v| f32::from(v) / 255.0).dot(&weights);
        chunk.assign(&product.mapv(|v| v.max(0.0)));
    }
    Features::Floats(out)
}

fn main() {
    let Some(dir) = std::env::var_os("PIPELINE_DATA") else {
        println!("skipped: PIPELINE_DATA is not set");
        return;
    };
    let dir = Path::new(&dir);
    let (train, labels) = load(dir, "train");
    let (test, test_labels) = load(dir, "t10k");
    let named = ["pixels,rbf,10", "relu128,rbf,10", "relu128,linear,1", "relu5408,rbf,10"];
    let mut cases: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if cases.is_empty() {
        cases = named.iter().map(|&case| case.to_owned()).collect();
    }
    for name in cases {
        let case = match name.as_str() {
            "pixels" => named[0],
            "relu128" => named[1],
            "relu128-linear" => named[2],
            "relu5408" => named[3],
            other => other,
        };
        let parts: Vec<&str> = case.split(',').collect();
        let (source, kernel, cs, n_folds) = match *parts.as_slice() {
            [source, kernel, cs] => (source, kernel, cs, None),
            [source, kernel, cs, n_folds] => {
                (source, kernel, cs, Some(n_folds.parse().expect("folds")))
            }
            _ => panic!("no case `{case}`"),
        };
        let cs: Vec<f64> = cs.split('+').map(|c| c.parse().expect("C")).collect();
        let kernel = match kernel {
            "linear" => Kernel::Linear,
            "rbf" => Kernel::Rbf { gamma: Gamma::Scale },
            other => panic!("no kernel `{other}`"),
        };
        let (x, x_test) = match source {
            "pixels" => (Features::Bytes(train.clone()), Features::Bytes(test.clone())),
            "relu128" => (random_relu(&train, 128), random_relu(&test, 128)),
            "relu5408" => (random_relu(&train, 5408), random_relu(&test, 5408)),
            file => {
                let mut file = TensorFile::read(Path::new(file)).expect("features");
                let mut rows = |name| Features::Floats(file.take_f32(name).expect("features"));
                (rows("train"), rows("test"))
            }
        };
        if let Some(n_folds) = n_folds {
            let folds = Folds::stratified(&labels, n_folds, 1).expect("folds");
            let (cpu, clock) = (cpu_time::ProcessTime::now(), Instant::now());
            let params = SvcParams::new().kernel(kernel).check().expect("valid parameters");
            let samples = Samples { features: &x, labels: &labels, weights: None };
            let path = params.fit_path(samples, &folds, &cs, &Silent).expect("fit");
            let (fit_s, fit_cpu_s) = (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
            println!("{{\"case\": \"{name}\", \"fit_s\": {fit_s}, \"fit_cpu_s\": {fit_cpu_s}}}");
            for (c, fits) in cs.iter().zip(&path) {
                for (fold, fit) in fits.iter().enumerate() {
                    let held_out = folds.held_out(fold);
                    let n_right = held_out
                        .iter()
                        .zip(&fit.predicted)
                        .filter(|(row, found)| labels[**row] == **found)
                        .count();
                    let line = serde_json::json!({
                        "c": c, "fold": fold, "accuracy": n_right as f64 / held_out.len() as f64,
                        "fit_s": fit.fit_seconds, "predict_s": fit.predict_seconds,
                        "n_iterations": fit.n_iterations, "objective": fit.objective,
                        "max_kkt_gap": fit.max_kkt_gap,
                    });
                    println!("{line}");
                }
            }
            continue;
        }
        let c = cs[0];
        let params = SvcParams::new().c(c).kernel(kernel).check().expect("valid parameters");
        let cpu = cpu_time::ProcessTime::now();
        let clock = Instant::now();
        let svc = params.fit_with(&x, &labels, &Silent).expect("fit");
        let (fit_s, fit_cpu_s) = (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        let (clock, cpu) = (Instant::now(), cpu_time::ProcessTime::now());
        let predicted = svc.predict_labels(&x_test).expect("predict");
        let predict_s = clock.elapsed().as_secs_f64();
        let predict_cpu_s = cpu.elapsed().as_secs_f64();
        let n_right = predicted.iter().zip(&test_labels).filter(|(a, b)| a == b).count();
        let report = svc.report().expect("a fitted model has one");
        let line = serde_json::json!({
            "case": name, "fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "predict_s": predict_s,
            "predict_cpu_s": predict_cpu_s,
            "accuracy": n_right as f64 / test_labels.len() as f64,
            "n_support": svc.support().n_samples(), "n_iterations": report.n_iterations,
            "objective": report.objective, "max_kkt_gap": report.max_kkt_gap,
            "kernel_evaluations": report.kernel_evaluations,
            "cache_hit_rate": report.cache_hit_rate, "converged": report.converged,
            "model_bytes": Classifier::model_bytes(&svc), "peak_rss_kib": peak_rss_kib(),
        });
        println!("{line}");
    }
}

fn peak_rss_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find(|line| line.starts_with("VmHWM"))?.split_whitespace().nth(1)?.parse().ok()
}
