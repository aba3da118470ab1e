//! `pipeline bench`: implementations of a learner side by side.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Map, json};

use super::machine;
use super::observer::Terminal;
use super::outcome::UsageError;
use super::run_place::{check_writable, command_line, run_name};
use super::target::{check_directory, set_threads, sources};
use crate::bench::{self, BenchData, Event, Python, svm};
use crate::config::DEFAULT_SEED;
use crate::data::{self, DataError, Dataset};
use crate::report::{self, BENCH_SCHEMA, BenchDataset, BenchResults, EngineCard};

/// Arguments of `bench`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    learner: Learner,
}

#[derive(clap::Subcommand)]
enum Learner {
    /// Support vector machines: native, linfa, scikit-learn (LIBSVM), scikit-learn-intelex (oneDAL).
    Svm(SvmArgs),
}

/// Arguments of `bench svm`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline bench svm\n  \
    pipeline bench svm --sizes 1000,2000,5000 --kernels rbf --engines native,linfa\n  \
    pipeline bench svm --peer-python ./venv/bin/python --limit 600 --json")]
struct SvmArgs {
    /// Kernels.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["linear", "rbf"])]
    kernels: Vec<Kernel>,
    /// Penalty of a margin violation, above 0.
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    c: f64,
    /// Engines [default: native,linfa, and the peers if a Python is named].
    #[arg(long, value_delimiter = ',', value_enum)]
    engines: Option<Vec<Engine>>,
    /// Python that has scikit-learn, and scikit-learn-intelex for the engine of that name.
    #[arg(long, value_name = "PATH")]
    peer_python: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What the bench of any learner takes.
#[derive(clap::Args)]
struct Common {
    /// Numbers of training images [default: 1000,2000,5000,10000,20000,60000 as far as they go].
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    sizes: Option<Vec<usize>>,
    /// Recorded fits of each size, kernel and engine, engines in turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// Give up a fit after this time; larger sizes of that engine are then foretold, not run.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0, value_parser = positive)]
    limit: f64,
    /// Data set.
    #[arg(long, value_name = "NAME", default_value = "fashion-mnist")]
    dataset: String,
    /// Directory that holds the data set's files; nothing else is tried.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Seed of the order in which training images are taken.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Threads of every engine [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where reports are written.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print one JSON document to stdout, progress to stderr.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kernel {
    Linear,
    Rbf,
    Poly,
    Sigmoid,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Engine {
    Native,
    Linfa,
    ScikitLearn,
    ScikitLearnIntelex,
}

/// Sizes of a data set that has as many images as Fashion-MNIST.
const SIZES: [usize; 6] = [1_000, 2_000, 5_000, 10_000, 20_000, 60_000];

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && f64::is_finite(value) => Ok(value),
        _ => Err("expected a number above 0".to_owned()),
    }
}

/// Times engines, writes the run directory, prints the tables.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Learner::Svm(args) = args.learner;
    run_svm(&args)
}

fn run_svm(args: &SvmArgs) -> anyhow::Result<()> {
    let engines = args.engines()?;
    let common = &args.common;
    let directory = common.out.join(format!("bench_{}", svm::NAME));
    check_writable(&directory)?;
    let threads = set_threads(common.threads)?;
    let started = jiff::Timestamp::now();
    let terminal = Terminal::new(std::io::stderr().is_terminal())?;
    let dataset = common.load(&terminal)?;
    let card = card(&dataset);
    let sizes = common.sizes(&card)?;
    let data = BenchData::new(dataset, common.seed);

    let libraries: Vec<_> = engines.iter().filter_map(|engine| engine.library()).collect();
    let python = match &args.peer_python {
        Some(path) if !libraries.is_empty() => {
            let python = Python::start(path, &libraries, &data, threads, &terminal)?;
            Some(Rc::new(RefCell::new(python)))
        }
        _ => None,
    };
    let engines = engines.iter().filter_map(|engine| match engine {
        Engine::Native => Some(svm::Engine::Native),
        Engine::Linfa => Some(svm::Engine::Linfa),
        peer => Some(svm::Engine::Peer(peer.library()?, python.clone()?)),
    });
    let kernels: Vec<String> = args.kernels.iter().map(word).collect();
    let mut subject = svm::subject(&kernels, args.c, engines.collect(), &data, common.seed);
    let options = bench::Options {
        sizes,
        repeats: usize::from(common.repeats),
        limit: Duration::from_secs_f64(common.limit),
        n_test: card.n_test,
    };
    let tell = |event: Event| match event {
        Event::Foretold(cell) => terminal.print(&report::bench_foretold(cell)),
        Event::Finished(cell) => terminal.print(&report::bench_finished(cell)),
    };
    let findings = bench::run(&mut subject, &options, &terminal, &tell)?;

    let run = run_name(&directory, started);
    let versions = subject.engines.iter();
    let results = BenchResults {
        schema: BENCH_SCHEMA,
        bench: svm::NAME.to_owned(),
        run: run.clone(),
        dataset: card,
        seed: common.seed,
        threads,
        repeats: options.repeats,
        limit_seconds: common.limit,
        parameters: Map::from_iter([
            ("c".to_owned(), json!(args.c)),
            ("gamma".to_owned(), json!("scale")),
            ("tol".to_owned(), json!(1e-3)),
        ]),
        variant: "kernel".to_owned(),
        machine: machine::describe(&command_line()),
        engines: versions
            .map(|engine| EngineCard { name: engine.name().to_owned(), version: engine.version() })
            .collect(),
        cells: findings.cells,
        curves: findings.curves,
    };
    let run_dir = directory.join(&run);
    report::write_bench(&run_dir, &results)?;
    drop(terminal);

    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&results)?)?;
        return Ok(());
    }
    writeln!(out, "{}", report::bench_text(&results)?)?;
    writeln!(out, "{}\n", report::bench_headline(&results))?;
    writeln!(out, "{}", run_dir.join("bench.html").display())?;
    Ok(())
}

impl SvmArgs {
    /// The engines asked for, or all that can be had.
    fn engines(&self) -> anyhow::Result<Vec<Engine>> {
        let mut engines: Vec<Engine> = Vec::new();
        let asked = match (&self.engines, &self.peer_python) {
            (Some(engines), _) => engines.as_slice(),
            (None, Some(_)) => Engine::value_variants(),
            (None, None) => &[Engine::Native, Engine::Linfa],
        };
        for &engine in asked {
            if engine.library().is_some() && self.peer_python.is_none() {
                let message =
                    format!("engine `{}` runs in Python, and none is named", word(&engine));
                let hint = "name one that has it: `--peer-python ./venv/bin/python`";
                return Err(UsageError::new(message, hint.to_owned()).into());
            }
            if !engines.contains(&engine) {
                engines.push(engine);
            }
        }
        Ok(engines)
    }
}

impl Common {
    fn load(&self, terminal: &Terminal) -> anyhow::Result<Dataset> {
        if let Err(error) = data::registry::check_name(&self.dataset) {
            let hint = error.hint();
            return Err(UsageError::new(error.to_string(), hint).into());
        }
        if let Some(path) = &self.data {
            check_directory(path)?;
        }
        let loaded = data::load(&self.dataset, None, &sources(self.data.clone()), terminal);
        Ok(loaded.map_err(|error: DataError| error)?.dataset)
    }

    /// Sizes, ascending.
    fn sizes(&self, card: &BenchDataset) -> anyhow::Result<Vec<usize>> {
        let sizes = match &self.sizes {
            Some(sizes) => sizes.clone(),
            None => {
                let within = SIZES.into_iter().filter(|&size| size < card.n_train);
                within.chain([card.n_train]).collect()
            }
        };
        Ok(bench::check_sizes(&sizes, &card.name, card.n_train, card.n_classes)?)
    }
}

impl Engine {
    fn library(self) -> Option<bench::Library> {
        match self {
            Engine::Native | Engine::Linfa => None,
            Engine::ScikitLearn => Some(svm::SCIKIT_LEARN),
            Engine::ScikitLearnIntelex => Some(svm::INTELEX),
        }
    }
}

/// A value as it is typed.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn card(dataset: &Dataset) -> BenchDataset {
    BenchDataset {
        name: dataset.name.clone(),
        n_train: dataset.train.len(),
        n_test: dataset.test.len(),
        n_features: dataset.test.shape.n_pixels(),
        n_classes: dataset.n_classes(),
        synthetic: dataset.synthetic,
    }
}
