//! `bench.json`: implementations of one learner side by side, as other programs read it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod answer;
mod page;
mod plots;
mod tables;

pub use answer::bench_headline;
pub use page::bench_page;
pub use tables::{bench_csv, bench_finished, bench_foretold, bench_text};

/// Version of the layout of [`BenchResults`].
pub const BENCH_SCHEMA: u32 = 1;

/// Engine that the ratios are relative to: ours.
pub const NATIVE: &str = "native";

/// The whole of `bench.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchResults {
    /// Version of this layout.
    pub schema: u32,
    /// Learner, such as `svm`.
    pub bench: String,
    /// Run name: the UTC start time.
    pub run: String,
    /// Data set.
    pub dataset: BenchDataset,
    /// Seed of the order in which training rows are taken.
    pub seed: u64,
    /// Threads of every engine.
    pub threads: usize,
    /// Recorded fits of each cell.
    pub repeats: usize,
    /// Seconds after which a fit or a prediction is given up.
    pub limit_seconds: f64,
    /// Parameters that all engines share.
    pub parameters: Map<String, Value>,
    /// What the variants differ in, such as `kernel`.
    pub variant: String,
    /// CPU model, instruction sets, cores, memory, operating system, program version.
    pub machine: Map<String, Value>,
    /// Engines, in the order asked for.
    pub engines: Vec<EngineCard>,
    /// Sizes by variants by engines, in that order.
    pub cells: Vec<BenchCell>,
    /// How fit time grows, per variant and engine with at least two sizes.
    pub curves: Vec<BenchCurve>,
}

/// Size and name of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchDataset {
    /// Registry name.
    pub name: String,
    /// Training images there are.
    pub n_train: usize,
    /// Test images, predicted by every cell.
    pub n_test: usize,
    /// Features of an image.
    pub n_features: usize,
    /// Classes.
    pub n_classes: usize,
    /// True for generated images.
    pub synthetic: bool,
}

/// One engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineCard {
    /// Name, such as `native`.
    pub name: String,
    /// Version of the library behind it; empty if unknown.
    pub version: String,
}

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellStatus {
    /// Fitted and predicted as often as asked for.
    Measured,
    /// A fit or a prediction took longer than the limit.
    OverLimit,
    /// The engine refused, failed or ended.
    Failed,
    /// Not tried: a smaller size of the same engine and variant was not measured.
    Skipped,
}

/// One size, variant and engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchCell {
    /// Training images.
    pub n_train: usize,
    /// Variant, such as `rbf`.
    pub variant: String,
    /// Engine.
    pub engine: String,
    /// What became of it.
    pub status: CellStatus,
    /// Why it is not measured.
    pub reason: Option<String>,
    /// Fit time foretold from the smaller sizes before this one was run.
    pub forecast: Option<BenchForecast>,
    /// Figures, if it is measured.
    pub measured: Option<Measured>,
}

/// A fit time foretold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchForecast {
    /// Seconds.
    pub seconds: f64,
    /// 95 % interval of one fit; absent where too little was measured.
    pub ci95: Option<[f64; 2]>,
    /// Sizes that it was foretold from.
    pub from: Vec<usize>,
}

/// Figures of one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Wall time of the fit.
    pub fit_seconds: Spread,
    /// CPU time of the fit, all threads.
    pub fit_cpu_seconds: Spread,
    /// Wall time of predicting all test images.
    pub predict_seconds: Spread,
    /// CPU time of the same.
    pub predict_cpu_seconds: Spread,
    /// Fit time over that of [`NATIVE`]; absent if that is not measured.
    pub fit_ratio: Option<f64>,
    /// The same of prediction.
    pub predict_ratio: Option<f64>,
    /// Share of test images labelled right.
    pub accuracy: f64,
    /// Wilson 95 % interval of the accuracy.
    pub accuracy_ci95: [f64; 2],
    /// Peak resident memory of the engine's process, data and libraries included; largest of the
    /// repeats; absent where the system cannot tell.
    pub peak_rss_bytes: Option<u64>,
    /// How much of it came on top of what the process held before.
    pub peak_growth_bytes: Option<u64>,
    /// What the reader must know before trusting the figures, such as a fit that did not converge.
    pub warning: Option<String>,
    /// What only this kind of model has, such as `n_support`.
    pub details: Map<String, Value>,
}

/// Repeated figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one; the mean of the two middle ones of an even number.
    pub median: f64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
    /// All, in the order measured.
    pub runs: Vec<f64>,
}

impl Spread {
    /// The spread of at least one figure.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(runs: Vec<f64>) -> Spread {
        let mut sorted = runs.clone();
        sorted.sort_by(f64::total_cmp);
        let (middle, last) = (sorted.len() / 2, sorted.len() - 1);
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        Spread { median, min: sorted[0], max: sorted[last], runs }
    }
}

/// How the fit time of one engine grows with the number of training images: `n^exponent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchCurve {
    /// Variant.
    pub variant: String,
    /// Engine.
    pub engine: String,
    /// Least squares on logarithms over every recorded fit.
    pub exponent: f64,
    /// Its standard error; absent below three fits.
    pub exponent_se: Option<f64>,
    /// Seconds at one training image, by the same fit.
    pub coefficient: f64,
    /// Sizes it was fitted on.
    pub sizes: Vec<usize>,
}

impl BenchResults {
    /// The cell of a size, variant and engine.
    pub fn cell(&self, n_train: usize, variant: &str, engine: &str) -> Option<&BenchCell> {
        self.cells.iter().find(|cell| {
            cell.n_train == n_train && cell.variant == variant && cell.engine == engine
        })
    }

    /// Variants in the order of the cells.
    pub fn variants(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for cell in &self.cells {
            if !found.contains(&cell.variant.as_str()) {
                found.push(&cell.variant);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]).median, 2.0);
        let even = Spread::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((even.median, even.min, even.max), (2.5, 1.0, 4.0));
        assert_eq!(even.runs, [4.0, 1.0, 3.0, 2.0]);
    }
}
