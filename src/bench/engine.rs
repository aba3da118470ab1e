//! What a bench asks of an implementation.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::progress::Progress;

/// One setting that all engines fit, such as a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Name, such as `rbf`.
    pub name: String,
    /// Parameters of the stage kind, complete; an engine that is told apart by a parameter sets it.
    pub params: Map<String, Value>,
}

/// An implementation under test.
pub trait BenchEngine {
    /// Name, such as `native`.
    fn name(&self) -> &str;

    /// Version of the library behind it; empty if unknown.
    fn version(&self) -> String;

    /// Fits on the first `n_train` rows and predicts every test image.
    ///
    /// # Errors
    /// Why there are no figures; the next call may still succeed.
    fn run(
        &mut self,
        variant: &Variant,
        n_train: usize,
        limit: Duration,
        progress: &dyn Progress,
    ) -> Result<Run, Failure>;
}

/// One fit and one prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Wall time of the fit.
    pub fit_seconds: f64,
    /// CPU time of the fit.
    pub fit_cpu_seconds: f64,
    /// Wall time of the prediction.
    pub predict_seconds: f64,
    /// CPU time of the prediction.
    pub predict_cpu_seconds: f64,
    /// Test images labelled right.
    pub n_right: u64,
    /// Peak resident memory of the process.
    pub peak_rss_bytes: Option<u64>,
    /// How much of it came on top of what was held before.
    pub peak_growth_bytes: Option<u64>,
    /// What the reader must know, such as a fit that did not converge.
    pub warning: Option<String>,
    /// What only this kind of model has.
    pub details: Map<String, Value>,
}

/// Why there are no figures.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The user asked to stop.
    Interrupted,
    /// It took longer than the limit and was given up.
    OverLimit,
    /// It refused, failed or ended.
    Refused(String),
}
