//! k-means on Fashion-MNIST's training pixels: `PIPELINE_DATA=DIR cargo bench --bench kmeans`.
//!
//! `N_CLUSTERS`, `N_INIT`, `FIRST_SEED`, `SEEDS` and `ENGINE` in the environment set what their names say. Prints one
//! JSON line a seed.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Features, Labels};
use hybrid_pipeline::learn::Samples;
use hybrid_pipeline::learn::kmeans::{Engine, KMeansParams};
use hybrid_pipeline::progress::Silent;
use linfa::ParamGuard;
use ndarray::Array2;

fn read(dir: &Path, name: &str, n_header: usize) -> Vec<u8> {
    let file = std::fs::File::open(dir.join(name)).expect("data file");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes.split_off(n_header)
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
    let pixels = read(dir, "train-images-idx3-ubyte.gz", 16);
    let labels: Labels =
        read(dir, "train-labels-idx1-ubyte.gz", 8).into_iter().map(usize::from).collect();
    let rows = Array2::from_shape_vec((pixels.len() / 784, 784), pixels).expect("whole images");
    let features = Features::Bytes(rows);
    let linfa = from_env("ENGINE", "native".to_owned()) == "linfa";
    let first = from_env("FIRST_SEED", 0);
    for seed in first..first + from_env("SEEDS", 3) {
        let params = KMeansParams::new()
            .n_clusters(from_env("N_CLUSTERS", 10))
            .n_init(from_env("N_INIT", 1))
            .engine(if linfa { Engine::Linfa } else { Engine::Native })
            .check()
            .expect("parameters");
        let samples = Samples { features: &features, labels: &labels, weights: None };
        let (clock, cpu) = (Instant::now(), cpu_time::ProcessTime::now());
        let model = params.fit_model(samples, seed, &Silent).expect("fit");
        let (fit_s, fit_cpu_s) = (clock.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        let report = model.report();
        println!(
            "{}",
            serde_json::json!({
                "seed": seed,
                "fit_s": fit_s,
                "fit_cpu_s": fit_cpu_s,
                "inertia": report.inertia,
                "n_iter": report.n_iter,
                "purity": report.purity,
            })
        );
    }
}
