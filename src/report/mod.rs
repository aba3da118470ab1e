//! Results to tables, figures and pages.

mod bench;
mod error;
#[cfg(test)]
mod example;
#[cfg(test)]
mod example_scores;
mod explanation;
mod explore;
mod figures;
mod format;
mod html;
mod join;
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
pub use explanation::{
    Exhibit, Explained, ExplainedScore, Figure, explanation_files, explanation_sentence,
};
pub use explore::{Disagreements, DisputedImage, ScatterCard, ScoreFigures};
pub use format::{bytes, seconds};
pub use html::{headline, page};
pub use join::join;
pub use results::{
    AxesCard, AxisImage, Comparison, DatasetCard, EvaluationRecord, ExplainedImage, GalleryImage,
    HeatCard, MatrixCell, ModelResult, NetworkCard, PatternCard, PatternKind, PatternTile, Results,
    RunOutput, SCHEMA, StageRecord, StageStatus, WhyCard,
};
pub use robustness::{
    CorruptionCard, CorruptionRow, ModelRobustness, RobustnessCard, RobustnessRecord,
};
pub use run_dir::{
    find_run, latest_run, latest_runs, read_output, read_results, rewrite_page, write_bench,
    write_page, write_run, write_whole,
};
pub use search::{CandidateRecord, SearchRecord, SearchRound, SearchTimes};
pub use seeds::{SeedComparison, SeedSummary, SplitSeed, compare_over_seeds, summarise};
#[cfg(feature = "parquet")]
pub use tables::parquet;
pub use tables::{SYNTHETIC_NOTICE, csv, markdown, results_frame, summary_frame, text};
