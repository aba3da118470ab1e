//! Results to tables, figures and pages.

mod bench;
mod error;
#[cfg(test)]
mod example;
mod format;
mod html;
mod results;
mod robustness;
mod run_dir;
mod search;
mod seeds;
mod tables;
mod tensorboard;

pub use bench::{
    BENCH_SCHEMA, BenchCell, BenchCurve, BenchDataset, BenchForecast, BenchResults, CellStatus,
    EngineCard, Measured, NATIVE, Spread, bench_csv, bench_finished, bench_foretold,
    bench_headline, bench_page, bench_text,
};
pub use error::ReportError;
pub use format::{bytes, seconds};
pub use html::{headline, page};
pub use results::{
    AxesCard, AxisImage, Comparison, DatasetCard, EvaluationRecord, GalleryImage, MatrixCell,
    ModelResult, NetworkCard, Results, RunOutput, SCHEMA, StageRecord, StageStatus,
};
pub use robustness::{
    CorruptionCard, CorruptionRow, ModelRobustness, RobustnessCard, RobustnessRecord,
};
pub use run_dir::{find_run, latest_run, latest_runs, read_results, write_bench, write_run};
pub use search::{CandidateRecord, SearchRecord, SearchRound, SearchTimes};
pub use seeds::{SeedComparison, SeedSummary, SplitSeed, compare_over_seeds, summarise};
#[cfg(feature = "parquet")]
pub use tables::parquet;
pub use tables::{SYNTHETIC_NOTICE, csv, markdown, results_frame, summary_frame, text};
