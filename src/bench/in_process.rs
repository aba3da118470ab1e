//! Engines that are learners of this program.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::data::BenchData;
use super::engine::{BenchEngine, Failure, Run, Variant};
use crate::learn::{LearnError, Samples};
use crate::meter::{Meter, resident_bytes};
use crate::progress::Progress;
use crate::stage::BuildLearner;

/// A learner, told apart from others of its kind by one parameter.
pub(super) struct InProcess<'a> {
    pub name: &'static str,
    pub version: String,
    pub data: &'a BenchData,
    pub build: BuildLearner,
    /// Parameter and value that choose this engine, where the kind has several.
    pub chosen_by: Option<(&'static str, &'static str)>,
    pub seed: u64,
}

impl BenchEngine for InProcess<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn run(
        &mut self,
        variant: &Variant,
        n_train: usize,
        limit: Duration,
        progress: &dyn Progress,
    ) -> Result<Run, Failure> {
        let mut params = variant.params.clone();
        if let Some((field, value)) = self.chosen_by {
            params.insert(field.to_owned(), Value::from(value));
        }
        let (features, labels) = self.data.prefix(n_train);
        let samples = Samples { features: &features, labels: &labels, weights: None };

        let held_before = resident_bytes();
        let limited = Limited { progress, until: Instant::now() + limit };
        let meter = Meter::start();
        let fitted = (self.build)(&params)
            .and_then(|learner| learner.fit(samples, self.seed, &limited))
            .map_err(|error| failure(error, progress))?;
        let fit = meter.stop();
        let limited = Limited { progress, until: Instant::now() + limit };
        let meter = Meter::start();
        let predicted =
            fitted.predict(&self.data.test, &limited).map_err(|error| failure(error, progress))?;
        let predict = meter.stop();

        let hits = predicted.iter().zip(&self.data.test_labels).filter(|(one, other)| one == other);
        let peak_rss_bytes = fit.peak_rss_bytes.max(predict.peak_rss_bytes);
        let growth = peak_rss_bytes.zip(held_before).map(|(peak, held)| peak.saturating_sub(held));
        let mut details = fitted.details();
        details.retain(|name, _| DETAILS.contains(&name.as_str()));
        Ok(Run {
            fit_seconds: fit.seconds,
            fit_cpu_seconds: fit.cpu_seconds,
            predict_seconds: predict.seconds,
            predict_cpu_seconds: predict.cpu_seconds,
            n_right: hits.count() as u64,
            peak_rss_bytes,
            peak_growth_bytes: growth,
            warning: fitted.warning(),
            details,
        })
    }
}

/// Details of a model that belong beside its cost.
const DETAILS: [&str; 4] = ["n_support", "n_iterations", "objective", "max_kkt_gap"];

fn failure(error: LearnError, progress: &dyn Progress) -> Failure {
    match error {
        LearnError::Interrupted if progress.interrupted() => Failure::Interrupted,
        LearnError::Interrupted => Failure::OverLimit,
        error => Failure::Refused(error.to_string()),
    }
}

/// Interrupts at a deadline, too.
pub(super) struct Limited<'a> {
    pub progress: &'a dyn Progress,
    pub until: Instant,
}

impl Progress for Limited<'_> {
    fn update(&self, done: u64, total: u64, note: &str) {
        self.progress.update(done, total, note);
    }

    fn interrupted(&self) -> bool {
        self.progress.interrupted() || Instant::now() >= self.until
    }

    /// Kept quiet: a warning of the model stands in the table.
    fn warn(&self, _message: &str) {}
}
