//! `pipeline bench`: implementations of a learner side by side.

mod args;

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::machine;
use super::observer::Terminal;
use super::run_place::{check_writable, command_line, run_name};
use super::target::set_threads;
use crate::bench::{
    self, BenchData, BenchLearner, Event, FOREST, KNN, Library, Options, Python, SVM, Subject,
};
use crate::cache::Store;
use crate::report::{self, BENCH_SCHEMA, BenchResults, EngineCard};
use args::{CnnArgs, Common, Engine, ForestArgs, KnnArgs, Libraries, NetworkEngine, SvmArgs, word};

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
    /// k nearest neighbours: native, linfa (k-d tree), scikit-learn, scikit-learn-intelex.
    Knn(KnnArgs),
    /// Random forests: native, scikit-learn, scikit-learn-intelex.
    Forest(ForestArgs),
    /// Neural networks, one epoch: native, candle.
    Cnn(CnnArgs),
}

/// Times engines, writes the run directory, prints the tables.
pub fn run(args: Args) -> anyhow::Result<()> {
    match &args.learner {
        Learner::Svm(args) => {
            let fixed = Map::from_iter([("c".to_owned(), json!(args.c))]);
            run_learner(&SVM, &args.kernels, fixed, &args.libraries, &args.common)
        }
        Learner::Knn(args) => {
            let fixed = Map::from_iter([("n_neighbors".to_owned(), json!(args.k))]);
            run_learner(&KNN, &args.metrics, fixed, &args.libraries, &args.common)
        }
        Learner::Forest(args) => {
            let fixed = Map::from_iter([("n_estimators".to_owned(), json!(args.trees))]);
            run_learner(&FOREST, &args.criteria, fixed, &args.libraries, &args.common)
        }
        Learner::Cnn(args) => run_networks(args),
    }
}

fn run_networks(args: &CnnArgs) -> anyhow::Result<()> {
    let session = Session::start(&args.common, bench::NETWORKS)?;
    let mut engines: Vec<bench::NetworkEngine> = Vec::new();
    for engine in &args.engines {
        let engine = match engine {
            NetworkEngine::Native => bench::NetworkEngine::Native,
            NetworkEngine::Candle => bench::NetworkEngine::Candle,
            NetworkEngine::CandleCuda => bench::NetworkEngine::CandleCuda,
        };
        if !engines.contains(&engine) {
            engines.push(engine);
        }
    }
    let fixed = Map::from_iter([("batch_size".to_owned(), json!(args.batch_size))]);
    let seed = args.common.seed;
    session.run(bench::networks(&args.architectures, &fixed, &engines, &session.data, seed))
}

fn run_learner(
    learner: &'static BenchLearner,
    variants: &[impl ValueEnum],
    fixed: Map<String, Value>,
    libraries: &Libraries,
    common: &Common,
) -> anyhow::Result<()> {
    let engines = libraries.engines(learner)?;
    let session = Session::start(common, learner.name)?;
    let asked: Vec<_> = engines.iter().filter_map(|engine| engine.library()).collect();
    let python = session.python(libraries.peer_python.as_deref(), &asked)?;
    let engines = engines.iter().filter_map(|engine| match engine {
        Engine::Native => Some(bench::Engine::Native),
        Engine::Linfa => Some(bench::Engine::Linfa),
        peer => Some(bench::Engine::Peer(peer.library()?, python.clone()?)),
    });
    let variants: Vec<String> = variants.iter().map(word).collect();
    let subject = learner.subject(&variants, &fixed, engines.collect(), &session.data, common.seed);
    session.run(subject)
}

/// What the bench of any learner begins and ends with.
struct Session<'a> {
    common: &'a Common,
    /// Of all runs of this bench.
    directory: PathBuf,
    store: Store,
    started: jiff::Timestamp,
    terminal: Terminal,
    threads: usize,
    data: BenchData,
    sizes: Vec<usize>,
}

impl<'a> Session<'a> {
    /// Checks everything that can be checked before anything runs, and loads the data.
    fn start(common: &'a Common, learner: &str) -> anyhow::Result<Self> {
        let directory = common.out.join(format!("bench_{learner}"));
        check_writable(&directory)?;
        let store = Store::open(&common.cache)?;
        let threads = set_threads(common.threads)?;
        let started = jiff::Timestamp::now();
        let terminal = Terminal::new(std::io::stderr().is_terminal())?;
        let dataset = common.load(&terminal)?;
        let sizes = common.sizes(&dataset)?;
        let data = BenchData::new(dataset, common.seed);
        Ok(Session { common, directory, store, started, terminal, threads, data, sizes })
    }

    fn python(
        &self,
        path: Option<&Path>,
        libraries: &[Library],
    ) -> anyhow::Result<Option<Rc<RefCell<Python>>>> {
        let Some(path) = path.filter(|_| !libraries.is_empty()) else { return Ok(None) };
        let python = Python::start(path, libraries, &self.data, self.threads, &self.terminal)?;
        Ok(Some(Rc::new(RefCell::new(python))))
    }

    /// Times engines, remembers the fits, writes the run directory, prints the tables.
    fn run(&self, mut subject: Subject) -> anyhow::Result<()> {
        let common = self.common;
        let options = Options {
            sizes: self.sizes.clone(),
            repeats: usize::from(common.repeats),
            limit: Duration::from_secs_f64(common.limit),
            n_test: self.data.card().n_test,
        };
        let tell = |event: Event| match event {
            Event::Foretold(cell) => self.terminal.print(&report::bench_foretold(cell)),
            Event::Finished(cell) => self.terminal.print(&report::bench_finished(cell)),
        };
        let findings = bench::run(&mut subject, &options, &self.terminal, &tell)?;
        let past =
            findings.past_runs(&subject, &self.data, self.threads, &self.started.to_string());
        self.store.set_bench(subject.name, &past)?;

        let run = run_name(&self.directory, self.started);
        let engines = subject.engines.iter();
        let results = BenchResults {
            schema: BENCH_SCHEMA,
            bench: subject.name.to_owned(),
            run: run.clone(),
            dataset: self.data.card().clone(),
            seed: common.seed,
            threads: self.threads,
            repeats: options.repeats,
            limit_seconds: common.limit,
            parameters: subject.parameters.clone(),
            variant: subject.variant.to_owned(),
            machine: machine::describe(&command_line()),
            engines: engines
                .map(|it| EngineCard { name: it.name().to_owned(), version: it.version() })
                .collect(),
            cells: findings.cells,
            curves: findings.curves,
        };
        let run_dir = self.directory.join(&run);
        report::write_bench(&run_dir, &results)?;

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
}
