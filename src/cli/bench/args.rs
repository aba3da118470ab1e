//! Arguments of `bench` as typed, and as they can be used.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::bench::{self, BenchLearner, INTELEX, SCIKIT_LEARN};
use crate::cli::observer::Terminal;
use crate::cli::outcome::UsageError;
use crate::cli::target::{check_data, sources};
use crate::config::DEFAULT_SEED;
use crate::data::{self, Dataset};

/// Arguments of `bench svm`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline bench svm\n  \
    pipeline bench svm --sizes 1000,2000,5000 --kernels rbf --engines native,linfa\n  \
    pipeline bench svm --peer-python ./venv/bin/python --limit 600 --json")]
pub(super) struct SvmArgs {
    /// Kernels.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["linear", "rbf"])]
    pub kernels: Vec<Kernel>,
    /// Penalty of a margin violation, above 0.
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub c: f64,
    #[command(flatten)]
    pub libraries: Libraries,
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `bench knn`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline bench knn\n  \
    pipeline bench knn --metrics manhattan --sizes 10000,60000 --engines native\n  \
    pipeline bench knn --peer-python ./venv/bin/python --json")]
pub(super) struct KnnArgs {
    /// Distances between images.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["euclidean", "manhattan"])]
    pub metrics: Vec<Metric>,
    /// Neighbours that vote.
    #[arg(short, long, value_name = "K", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub k: u32,
    #[command(flatten)]
    pub libraries: Libraries,
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `bench forest`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline bench forest\n  \
    pipeline bench forest --criteria entropy --trees 300 --engines native\n  \
    pipeline bench forest --peer-python ./venv/bin/python --json")]
pub(super) struct ForestArgs {
    /// What a split should lessen.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["gini"])]
    pub criteria: Vec<Criterion>,
    /// Trees of a forest.
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub trees: u32,
    #[command(flatten)]
    pub libraries: Libraries,
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `bench cnn`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline bench cnn\n  \
    pipeline bench cnn --architectures c1,d2 --sizes 2000,4000 --batch-size 128\n  \
    pipeline bench cnn --engines native --sizes 60000 --json")]
pub(super) struct CnnArgs {
    /// Networks, each trained for one epoch.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_values = ["b1", "c1"])]
    #[arg(value_parser = architecture)]
    pub architectures: Vec<String>,
    /// Images per step of the optimiser.
    #[arg(long, value_name = "N", default_value_t = 128)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch_size: u32,
    /// Engines.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["native", "candle"])]
    pub engines: Vec<NetworkEngine>,
    #[command(flatten)]
    pub common: Common,
}

/// Engines of the classical learners.
#[derive(clap::Args)]
pub(super) struct Libraries {
    /// Engines [default: native, linfa if it has the learner, and the peers if a Python is named].
    #[arg(long, value_delimiter = ',', value_enum)]
    engines: Option<Vec<Engine>>,
    /// Python that has scikit-learn, and scikit-learn-intelex for the engine of that name.
    #[arg(long, value_name = "PATH")]
    pub peer_python: Option<PathBuf>,
}

/// What the bench of any learner takes.
#[derive(clap::Args)]
pub(super) struct Common {
    /// Numbers of training images [default: 1000,2000,5000,10000,20000,60000 as far as they go].
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    sizes: Option<Vec<usize>>,
    /// Recorded fits of each size, variant and engine, engines in turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeats: u16,
    /// Give up a fit after this time; larger sizes of that engine are then foretold, not run.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0, value_parser = positive)]
    pub limit: f64,
    /// Data set.
    #[arg(long, value_name = "NAME", default_value = "fashion-mnist")]
    dataset: String,
    /// Directory that holds the data set's files; nothing else is tried.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Seed of the order in which training images are taken.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub seed: u64,
    /// Threads of every engine [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Where the fits are remembered, from which `plan` foretells costs.
    #[arg(long, value_name = "DIR", env = "PIPELINE_CACHE", default_value = ".pipeline")]
    pub cache: PathBuf,
    /// Where reports are written.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// Print one JSON document to stdout, progress to stderr.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Kernel {
    Linear,
    Rbf,
    Poly,
    Sigmoid,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Metric {
    Euclidean,
    Manhattan,
    Cosine,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Criterion {
    Gini,
    Entropy,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Engine {
    Native,
    Linfa,
    ScikitLearn,
    ScikitLearnIntelex,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum NetworkEngine {
    Native,
    Candle,
    CandleCuda,
}

/// Sizes of a data set that has as many images as Fashion-MNIST.
const SIZES: [usize; 6] = [1_000, 2_000, 5_000, 10_000, 20_000, 60_000];

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && f64::is_finite(value) => Ok(value),
        _ => Err("expected a number above 0".to_owned()),
    }
}

fn architecture(name: &str) -> Result<String, String> {
    bench::check_architecture(name).map(|()| name.to_owned())
}

impl Libraries {
    /// The engines asked for, or all that can be had.
    pub fn engines(&self, learner: &BenchLearner) -> anyhow::Result<Vec<Engine>> {
        let mut engines: Vec<Engine> = Vec::new();
        let asked = match (&self.engines, &self.peer_python) {
            (Some(engines), _) => engines.as_slice(),
            (None, Some(_)) => Engine::value_variants(),
            (None, None) => &[Engine::Native, Engine::Linfa],
        };
        for &engine in asked {
            if engine == Engine::Linfa && !learner.has_linfa() {
                if self.engines.is_none() {
                    continue;
                }
                let message = format!("linfa is no engine of `bench {}`", learner.name);
                let hint = "leave `linfa` out of `--engines`".to_owned();
                return Err(UsageError::new(message, hint).into());
            }
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
    /// The data set; a name that does not exist is a wrong command line.
    pub fn load(&self, terminal: &Terminal) -> anyhow::Result<Dataset> {
        if let Err(error) = data::registry::check_name(&self.dataset) {
            let hint = error.hint();
            return Err(UsageError::new(error.to_string(), hint).into());
        }
        if let Some(path) = &self.data {
            check_data(path)?;
        }
        Ok(data::load(&self.dataset, None, &sources(self.data.clone()), terminal)?.dataset)
    }

    /// Sizes, ascending.
    pub fn sizes(&self, dataset: &Dataset) -> anyhow::Result<Vec<usize>> {
        let n_train = dataset.train.len();
        let sizes = match &self.sizes {
            Some(sizes) => sizes.clone(),
            None => {
                let within = SIZES.into_iter().filter(|&size| size < n_train);
                within.chain([n_train]).collect()
            }
        };
        Ok(bench::check_sizes(&sizes, &dataset.name, n_train, dataset.n_classes())?)
    }
}

impl Engine {
    /// The package behind an engine that runs in Python.
    pub fn library(self) -> Option<bench::Library> {
        match self {
            Engine::Native | Engine::Linfa => None,
            Engine::ScikitLearn => Some(SCIKIT_LEARN),
            Engine::ScikitLearnIntelex => Some(INTELEX),
        }
    }
}

/// A value as it is typed.
pub(super) fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
