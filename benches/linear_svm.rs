//! Linear support vector machines on Fashion-MNIST's pixels:
//! `PIPELINE_DATA=DIR cargo bench --bench linear_svm -- [CASE…]`.
//!
//! Cases on the pixels: `newton`, `ovo`, `dcd`, `hinge`; on features that approximate the radial
//! kernel: `nystroem`, `fourier`. `N_TRAIN`, `C`, `TOL`, `MAX_ITER` and `N_COMPONENTS` in the
//! environment set what their names say. Prints one JSON line a case. Accuracy is that of the last
//! 10,000 training images, held out, with `VALIDATE=1`; else of the test images, to choose nothing
//! by.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels};
use hybrid_pipeline::learn::Samples;
use hybrid_pipeline::learn::kernel_map::{FourierParams, NystroemParams};
use hybrid_pipeline::learn::linear_svm::{LinearSvcParams, Loss, MultiClass, Solver};
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

/// What the case fits on: the features themselves or a map of them.
fn map_of(case: &str, train: &Features) -> Box<dyn Fn(&Features) -> Features> {
    let n_components = from_env("N_COMPONENTS", 1000);
    match case {
        "nystroem" => {
            let params = NystroemParams::new().n_components(n_components).check();
            let map = params.and_then(|params| params.fit_with(train, 0, &Silent)).expect("map");
            Box::new(move |x| Features::Floats(map.transform_with(x, &Silent).expect("features")))
        }
        "fourier" => {
            let params = FourierParams::new().n_components(n_components).check();
            let map = params.and_then(|params| params.fit_with(train, 0)).expect("map");
            Box::new(move |x| Features::Floats(map.transform_with(x, &Silent).expect("features")))
        }
        _ => Box::new(Features::clone),
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
    let (train, labels) = part(&all, 0..n_train.min(from_env("N_TRAIN", n_train)));
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let params = LinearSvcParams::new()
        .c(from_env("C", 1.0))
        .tol(from_env("TOL", 1e-4))
        .max_iter(from_env("MAX_ITER", 1000));
    for (name, params) in [
        ("newton", params.clone().solver(Solver::Newton)),
        ("ovo", params.clone().solver(Solver::Newton).multi_class(MultiClass::Ovo)),
        ("dcd", params.clone().solver(Solver::Dcd)),
        ("hinge", params.clone().loss(Loss::Hinge)),
        ("nystroem", params.clone()),
        ("fourier", params.clone()),
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|case| case == name) {
            continue;
        }
        let params = params.check().expect("valid parameters");
        let clock = Instant::now();
        let map = map_of(name, &train);
        let features = map(&train);
        let map_s = clock.elapsed().as_secs_f64();
        let samples = Samples { features: &features, labels: &labels, weights: None };
        let (cpu, clock) = (cpu_time::ProcessTime::now(), Instant::now());
        let svc = params.fit_model(samples, 0, &Silent).expect("fit");
        let (fit_s, fit_cpu_s) = (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        let clock = Instant::now();
        let predicted = svc.predict_labels(&map(&test)).expect("predict");
        let predict_s = clock.elapsed().as_secs_f64();
        let n_right = predicted.iter().zip(&test_labels).filter(|(a, b)| a == b).count();
        let report = svc.report();
        let of_problems =
            |value: fn(&_) -> u64| -> Vec<u64> { report.problems.iter().map(value).collect() };
        let line = serde_json::json!({
            "case": name, "map_s": map_s, "fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "predict_s": predict_s,
            "accuracy": n_right as f64 / test_labels.len() as f64,
            "primal": report.primal, "dual": report.dual, "relative_gap": report.relative_gap,
            "converged": report.converged,
            "n_iterations": of_problems(|problem| problem.n_iterations),
            "n_nonzero": of_problems(|problem| problem.n_nonzero as u64),
        });
        println!("{line}");
    }
}
