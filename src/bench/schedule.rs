//! In which order engines run, what is foretold, and what is left out.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::data::BenchData;
use super::engine::{BenchEngine, Failure, Run, Variant};
use super::error::BenchError;
use crate::metrics::{PowerLaw, wilson};
use crate::progress::Progress;
use crate::report::{BenchCell, BenchCurve, BenchForecast, CellStatus, Measured, NATIVE, Spread};
use crate::stage::{Kind, PastRun};

/// Sizes that a forecast looks back on: cost per image levels off as the number of support vectors
/// does, so the nearest sizes tell the next best.
const LOOK_BACK: usize = 3;

/// What is compared.
pub struct Subject<'a> {
    /// Learner: the kind's name, the subcommand's, and the report's directory (`bench_svm`).
    pub name: &'static str,
    /// The kind that fits it in pipelines.
    pub kind: &'static Kind,
    /// What the variants differ in, such as `kernel`.
    pub variant: &'static str,
    /// Parameters that all variants share, for the report.
    pub parameters: Map<String, Value>,
    /// Settings that all engines fit.
    pub variants: Vec<Variant>,
    /// Implementations.
    pub engines: Vec<Box<dyn BenchEngine + 'a>>,
}

/// How to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Training images, ascending.
    pub sizes: Vec<usize>,
    /// Recorded fits of each cell.
    pub repeats: usize,
    /// After which a fit or a prediction is given up.
    pub limit: Duration,
    /// Test images.
    pub n_test: usize,
}

/// What a bench found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Sizes by variants by engines, in that order.
    pub cells: Vec<BenchCell>,
    /// Per variant and engine.
    pub curves: Vec<BenchCurve>,
}

/// What a bench tells while it goes on.
pub enum Event<'a> {
    /// A size was foretold; it is run next.
    Foretold(&'a BenchCell),
    /// A cell is what it will be.
    Finished(&'a BenchCell),
}

impl Findings {
    /// What forecasts of pipelines may learn: each cell of the native engine as a stage that fitted
    /// and predicted.
    pub fn past_runs(
        &self,
        subject: &Subject,
        data: &BenchData,
        n_threads: usize,
        created: &str,
    ) -> Vec<PastRun> {
        let of_cell = |cell: &BenchCell| {
            let measured = cell.measured.as_ref().filter(|_| cell.engine == NATIVE)?;
            let variant = subject.variants.iter().find(|v| v.name == cell.variant)?;
            Some(PastRun {
                kind: subject.kind.name.to_owned(),
                version: subject.kind.version,
                params: subject.kind.result_params(&variant.params),
                inputs: vec![("data".to_owned(), Some(data.shape(cell.n_train)))],
                output: None,
                n_threads,
                seconds: measured.fit_seconds.median + measured.predict_seconds.median,
                peak_rss_bytes: measured.peak_rss_bytes,
                created: created.to_owned(),
            })
        };
        self.cells.iter().filter_map(of_cell).collect()
    }
}

/// Sorts sizes and refuses those that the training images cannot give.
///
/// # Errors
/// [`BenchError::Size`]
pub fn check_sizes(
    sizes: &[usize],
    dataset: &str,
    n_train: usize,
    n_classes: usize,
) -> Result<Vec<usize>, BenchError> {
    let (least, most) = (2 * n_classes, n_train);
    let dataset = dataset.to_owned();
    match sizes.iter().find(|&size| !(least..=most).contains(size)) {
        Some(&found) => Err(BenchError::Size { found, dataset, least, most }),
        None => Ok(sizes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()),
    }
}

/// Runs every cell.
///
/// # Errors
/// [`BenchError::Interrupted`]; an engine that fails is a cell that says so.
pub fn run(
    subject: &mut Subject,
    options: &Options,
    progress: &dyn Progress,
    tell: &dyn Fn(Event),
) -> Result<Findings, BenchError> {
    let mut findings = Findings::default();
    let mut warm = vec![false; subject.engines.len()];
    for &n_train in &options.sizes {
        for variant in &subject.variants {
            let mut cells: Vec<BenchCell> = subject
                .engines
                .iter()
                .map(|engine| prepare(&findings, n_train, &variant.name, engine.name()))
                .collect();
            for cell in cells.iter().filter(|cell| cell.forecast.is_some()) {
                tell(Event::Foretold(cell));
            }
            let mut runs: Vec<Vec<Run>> = vec![Vec::new(); cells.len()];
            // An engine's first fit pays for starting threads and loading code: it is not recorded.
            let n_warm_up = usize::from(warm.iter().any(|warm| !warm));
            for round in 0..options.repeats + n_warm_up {
                for (idx, engine) in subject.engines.iter_mut().enumerate() {
                    let is_warm_up = round < n_warm_up;
                    if cells[idx].status != CellStatus::Measured || is_warm_up && warm[idx] {
                        continue;
                    }
                    let label = format!("{n_train} {} {}", variant.name, engine.name());
                    let labelled = Labelled { progress, label };
                    match engine.run(variant, n_train, options.limit, &labelled) {
                        Ok(_) if is_warm_up => warm[idx] = true,
                        Ok(run) => runs[idx].push(run),
                        Err(Failure::Interrupted) => return Err(BenchError::Interrupted),
                        Err(failure) => fail(&mut cells[idx], failure, options.limit),
                    }
                }
            }
            for (cell, runs) in cells.iter_mut().zip(runs) {
                if cell.status == CellStatus::Measured {
                    cell.measured = summarise(&runs, options.n_test as u64);
                }
            }
            relate(&mut cells);
            cells.iter().for_each(|cell| tell(Event::Finished(cell)));
            findings.cells.extend(cells);
        }
    }
    findings.curves = curves(subject, &findings.cells);
    Ok(findings)
}

/// The cell before it is run: foretold where smaller sizes allow it, skipped where one of them was
/// not measured.
fn prepare(findings: &Findings, n_train: usize, variant: &str, engine: &str) -> BenchCell {
    let smaller: Vec<&BenchCell> = own(&findings.cells, variant, engine).collect();
    let failed = smaller.iter().find(|cell| cell.status != CellStatus::Measured);
    BenchCell {
        n_train,
        variant: variant.to_owned(),
        engine: engine.to_owned(),
        status: if failed.is_some() { CellStatus::Skipped } else { CellStatus::Measured },
        reason: failed.map(|cell| format!("not tried after {}", cell.n_train)),
        forecast: forecast(&smaller, n_train),
        measured: None,
    }
}

fn own<'a>(
    cells: &'a [BenchCell],
    variant: &'a str,
    engine: &'a str,
) -> impl Iterator<Item = &'a BenchCell> {
    cells.iter().filter(move |cell| cell.variant == variant && cell.engine == engine)
}

/// The power law through every fit of the nearest smaller sizes.
fn forecast(smaller: &[&BenchCell], n_train: usize) -> Option<BenchForecast> {
    let measured: Vec<&BenchCell> =
        smaller.iter().copied().filter(|cell| cell.measured.is_some()).collect();
    let nearest = &measured[measured.len().saturating_sub(LOOK_BACK)..];
    let law = PowerLaw::fit(&fits(nearest.iter().copied()))?;
    Some(BenchForecast {
        seconds: law.at(n_train as f64),
        ci95: law.interval_at(n_train as f64),
        from: nearest.iter().map(|cell| cell.n_train).collect(),
    })
}

/// Size and seconds of every recorded fit.
fn fits<'a>(cells: impl Iterator<Item = &'a BenchCell>) -> Vec<(f64, f64)> {
    let runs = cells.filter_map(|cell| Some((cell.n_train as f64, cell.measured.as_ref()?)));
    runs.flat_map(|(n, measured)| measured.fit_seconds.runs.iter().map(move |&s| (n, s))).collect()
}

fn fail(cell: &mut BenchCell, failure: Failure, limit: Duration) {
    (cell.status, cell.reason) = match failure {
        Failure::OverLimit => {
            (CellStatus::OverLimit, Some(format!("over {} s", limit.as_secs_f64())))
        }
        Failure::Refused(reason) => (CellStatus::Failed, Some(reason)),
        Failure::Interrupted => (CellStatus::Failed, Some("interrupted".to_owned())),
    };
}

fn summarise(runs: &[Run], n_test: u64) -> Option<Measured> {
    let last = runs.last()?;
    let spread = |figure: fn(&Run) -> f64| Spread::of(runs.iter().map(figure).collect());
    Some(Measured {
        fit_seconds: spread(|run| run.fit_seconds),
        fit_cpu_seconds: spread(|run| run.fit_cpu_seconds),
        predict_seconds: spread(|run| run.predict_seconds),
        predict_cpu_seconds: spread(|run| run.predict_cpu_seconds),
        fit_ratio: None,
        predict_ratio: None,
        accuracy: last.n_right as f64 / n_test.max(1) as f64,
        accuracy_ci95: wilson(last.n_right, n_test),
        peak_rss_bytes: runs.iter().filter_map(|run| run.peak_rss_bytes).max(),
        peak_growth_bytes: runs.iter().filter_map(|run| run.peak_growth_bytes).max(),
        warning: last.warning.clone(),
        details: last.details.clone(),
    })
}

/// Ratios of medians to those of [`NATIVE`].
fn relate(cells: &mut [BenchCell]) {
    let native = cells.iter().find(|cell| cell.engine == NATIVE);
    let Some(native) = native.and_then(|cell| cell.measured.clone()) else { return };
    let ratio = |own: &Spread, native: &Spread| {
        (native.median > 0.0).then(|| own.median / native.median).filter(|ratio| ratio.is_finite())
    };
    for measured in cells.iter_mut().filter_map(|cell| cell.measured.as_mut()) {
        measured.fit_ratio = ratio(&measured.fit_seconds, &native.fit_seconds);
        measured.predict_ratio = ratio(&measured.predict_seconds, &native.predict_seconds);
    }
}

fn curves(subject: &Subject, cells: &[BenchCell]) -> Vec<BenchCurve> {
    let mut found = Vec::new();
    for variant in &subject.variants {
        for engine in &subject.engines {
            let measured: Vec<&BenchCell> = own(cells, &variant.name, engine.name())
                .filter(|cell| cell.measured.is_some())
                .collect();
            let Some(law) = PowerLaw::fit(&fits(measured.iter().copied())) else { continue };
            found.push(BenchCurve {
                variant: variant.name.clone(),
                engine: engine.name().to_owned(),
                exponent: law.exponent,
                exponent_se: law.exponent_se,
                coefficient: law.coefficient,
                sizes: measured.iter().map(|cell| cell.n_train).collect(),
            });
        }
    }
    found
}

/// Says which cell a figure belongs to.
struct Labelled<'a> {
    progress: &'a dyn Progress,
    label: String,
}

impl Progress for Labelled<'_> {
    fn update(&self, done: u64, total: u64, note: &str) {
        self.progress.update(done, total, &format!("{}: {note}", self.label));
    }

    fn interrupted(&self) -> bool {
        self.progress.interrupted()
    }

    fn warn(&self, message: &str) {
        self.progress.warn(&format!("{}: {message}", self.label));
    }
}
