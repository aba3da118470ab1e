//! One epoch of a network, by our kernels and by candle.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::data::BenchData;
use super::engine::{BenchEngine, Failure, Run, Variant};
use super::in_process::Limited;
use super::schedule::Subject;
use crate::data::Features;
use crate::meter::{Meter, resident_bytes};
pub use crate::nn::Engine as NetworkEngine;
use crate::nn::{Architecture, NnError, train};
use crate::progress::Progress;
use crate::stage::{CNN, training_recipe};

/// Name of the subcommand and of the report's directory (`bench_cnn`).
pub const NETWORKS: &str = "cnn";

/// Whether an architecture is shipped.
///
/// # Errors
/// What is wrong and what to do, in a sentence.
pub fn check_architecture(name: &str) -> Result<(), String> {
    let with_hint = |error: NnError| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    Architecture::named(name).map(|_| ()).map_err(with_hint)
}

/// One epoch of each architecture by each engine; `fixed` are parameters of the kind `cnn`.
pub fn networks<'a>(
    architectures: &[String],
    fixed: &Map<String, Value>,
    engines: &[NetworkEngine],
    data: &'a BenchData,
    seed: u64,
) -> Subject<'a> {
    let mut variants: Vec<Variant> = Vec::new();
    for architecture in architectures {
        let mut chosen = fixed.clone();
        chosen.insert("architecture".to_owned(), json!(architecture));
        chosen.insert("epochs".to_owned(), json!(1));
        let variant = Variant { name: architecture.clone(), params: CNN.params(&chosen) };
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    let shared = ["epochs", "batch_size", "optimizer", "learning_rate"];
    let parameters = shared.iter().filter_map(|&name| {
        let value = variants.iter().find_map(|variant| variant.params.get(name));
        Some((name.to_owned(), value?.clone()))
    });
    let engines = engines
        .iter()
        .map(|&engine| -> Box<dyn BenchEngine + 'a> { Box::new(OneEpoch { engine, data, seed }) });
    let (parameters, engines) = (parameters.collect(), engines.collect());
    let (kind, variant) = (&CNN, "architecture");
    Subject { name: NETWORKS, kind, variant, parameters, variants, engines }
}

/// An engine that trains for one epoch.
struct OneEpoch<'a> {
    engine: NetworkEngine,
    data: &'a BenchData,
    seed: u64,
}

impl BenchEngine for OneEpoch<'_> {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn version(&self) -> String {
        match self.engine {
            NetworkEngine::Native => env!("CARGO_PKG_VERSION").to_owned(),
            NetworkEngine::Candle | NetworkEngine::CandleCuda => String::new(),
        }
    }

    fn run(
        &mut self,
        variant: &Variant,
        n_train: usize,
        limit: Duration,
        progress: &dyn Progress,
    ) -> Result<Run, Failure> {
        let Features::Bytes(test) = &self.data.test else {
            return Err(Failure::Refused("the test rows are no images".to_owned()));
        };
        let mut params = variant.params.clone();
        params.insert("engine".to_owned(), Value::from(self.engine.name()));
        let failed = |error: NnError| match error {
            NnError::Interrupted if progress.interrupted() => Failure::Interrupted,
            NnError::Interrupted => Failure::OverLimit,
            error => Failure::Refused(error.to_string()),
        };

        let held_before = resident_bytes();
        let images = self.data.images(n_train);
        let limited = Limited { progress, until: Instant::now() + limit };
        let meter = Meter::start();
        let trained = training_recipe(&params)
            .and_then(|(architecture, params)| {
                train(&architecture, &images, &params, self.seed, None, &limited)
            })
            .map_err(failed)?;
        let fit = meter.stop();
        let meter = Meter::start();
        let scores = trained.network.logits_by(self.engine, test.view()).map_err(failed)?;
        let predict = meter.stop();

        let is_right = |(row, label): &(ndarray::ArrayView1<'_, f32>, &usize)| {
            row.iter().all(|score| *score <= row[**label])
        };
        let n_right = scores.rows().into_iter().zip(&self.data.test_labels).filter(is_right);
        let peak_rss_bytes = fit.peak_rss_bytes.max(predict.peak_rss_bytes);
        let growth = peak_rss_bytes.zip(held_before).map(|(peak, held)| peak.saturating_sub(held));
        Ok(Run {
            fit_seconds: fit.seconds,
            fit_cpu_seconds: fit.cpu_seconds,
            predict_seconds: predict.seconds,
            predict_cpu_seconds: predict.cpu_seconds,
            n_right: n_right.count() as u64,
            peak_rss_bytes,
            peak_growth_bytes: growth,
            warning: None,
            details: Map::new(),
        })
    }
}
