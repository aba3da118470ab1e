//! Blocks of radial kernel values on one thread: `cargo bench --bench kernels -- [CASE…]`.
//!
//! Cases: `bytes` (784 features), `floats` (128, 784 and 5,408 features; all, a half and a third of
//! them not zero), each with 6,000 and 20,000 rows and 12, 32 and 480 queries, packed anew. Prints
//! one JSON line for each with the best of several repeats: billions of multiply-adds a second, those that
//! zeros spare counted too, and their share of what the registers of one Zen 5 core at 4.05 GHz can
//! do.

use hybrid_pipeline::data::Rng;
use hybrid_pipeline::kernels::{Cpu, bytes, exp, floats};

/// Billions of multiply-adds a second of one core without memory.
const LIMIT_FLOATS: f64 = 130.0;
const LIMIT_BYTES: f64 = 518.0;
/// Rows in a group: a line of the output has as many values.
const GROUP: usize = 256;
/// Multiply-adds of all repeats of a case.
const WORK: usize = 20_000_000_000;

/// Best time of several calls, in seconds of this thread.
fn best_of(n_products: usize, mut compute: impl FnMut()) -> f64 {
    let n_repeats = (WORK / n_products).clamp(3, 50);
    let time = |_| {
        let cpu = cpu_time::ThreadTime::now();
        compute();
        cpu.elapsed().as_secs_f64()
    };
    (0..n_repeats).map(time).fold(f64::INFINITY, f64::min)
}

fn print(mut case: serde_json::Value, n_products: usize, seconds: f64, limit: f64) {
    let rate = n_products as f64 / seconds * 1e-9;
    case["gmac_per_s"] = ((rate * 10.0).round() / 10.0).into();
    case["of_limit"] = ((rate / limit * 100.0).round() / 100.0).into();
    println!("{case}");
}

fn bench_floats(n_features: usize, n_rows: usize, density: f64) {
    let cpu = Cpu::detect();
    let mut rng = Rng::new(1, &["bench", "kernels"]);
    let values: Vec<f32> = (0..n_rows * n_features)
        .map(|_| {
            let (keep, value) = (f64::from(rng.unit_f32()) < density, rng.unit_f32());
            if keep { value } else { 0.0 }
        })
        .collect();
    let all: Vec<&[f32]> = values.chunks(n_features).collect();
    let rows = floats::Rows::pack(n_features, &all);
    for n_queries in [12, 32, 480] {
        let mut queries = floats::Queries::default();
        let mut out = vec![0.0; n_rows.div_ceil(GROUP) * n_queries * GROUP];
        let n_products = n_queries * n_rows * n_features;
        let seconds = best_of(n_products, || {
            queries.repack(n_features, &all[..n_queries]);
            for (group, out) in out.chunks_mut(n_queries * GROUP).enumerate() {
                let first = group * GROUP / floats::N_ROWS;
                let end = (first + GROUP / floats::N_ROWS).min(n_rows.div_ceil(floats::N_ROWS));
                floats::products(cpu, &queries, &rows, first..end, out, GROUP);
                let squares = rows.squares(first..end);
                exp::rbf_of_floats(cpu, out, GROUP, queries.squares(), squares, 0.01);
            }
        });
        let case = serde_json::json!({
            "case": "floats", "n_features": n_features, "density": density, "n_rows": n_rows,
            "n_queries": n_queries,
        });
        print(case, n_products, seconds, LIMIT_FLOATS);
    }
}

fn bench_bytes(n_features: usize, n_rows: usize) {
    let cpu = Cpu::detect();
    let mut rng = Rng::new(1, &["bench", "kernels"]);
    let values: Vec<u8> = (0..n_rows * n_features).map(|_| rng.next_u32() as u8).collect();
    let all: Vec<&[u8]> = values.chunks(n_features).collect();
    let rows = bytes::Rows::pack(n_features, &all);
    for n_queries in [12, 32, 480] {
        let mut queries = bytes::Queries::default();
        let mut products = [[0; bytes::N_ROWS]; bytes::N_QUERIES];
        let mut out = vec![0.0; n_rows.div_ceil(GROUP) * n_queries * GROUP];
        let n_products = n_queries * n_rows * n_features;
        let seconds = best_of(n_products, || {
            queries.repack(n_features, &all[..n_queries]);
            for panel in 0..n_rows.div_ceil(bytes::N_ROWS) {
                let (group, at) = (panel * bytes::N_ROWS / GROUP, panel * bytes::N_ROWS % GROUP);
                let out = &mut out[group * n_queries * GROUP..][..n_queries * GROUP];
                for (tile, out) in out.chunks_mut(bytes::N_QUERIES * GROUP).enumerate() {
                    bytes::dot_tile(cpu, &queries, tile, &rows, panel, &mut products);
                    let of_tile = &queries.squares()[tile * bytes::N_QUERIES..];
                    let of_panel = rows.squares(panel);
                    let out = &mut out[at..];
                    exp::rbf_of_bytes(cpu, &products, of_tile, of_panel, 1e-7, out, GROUP);
                }
            }
        });
        let case = serde_json::json!({
            "case": "bytes", "n_features": n_features, "n_rows": n_rows, "n_queries": n_queries,
        });
        print(case, n_products, seconds, LIMIT_BYTES);
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wants = |case: &str| wanted.is_empty() || wanted.iter().any(|name| name == case);
    for n_rows in [6_000, 20_000] {
        if wants("bytes") {
            bench_bytes(784, n_rows);
        }
        if wants("floats") {
            for n_features in [128, 784, 5_408] {
                for density in [1.0, 0.5, 0.33] {
                    bench_floats(n_features, n_rows, density);
                }
            }
        }
    }
}
