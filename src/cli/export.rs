//! `pipeline export`: a fitted model of a run as files for other programs.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::fitted::{FinishedRun, Fitted, RunArgs};
use super::observer::Terminal;
use super::outcome::{UsageError, say};
use crate::data::Dataset;
use crate::export::{Facts, Package, Predictions, Table, TableFormat};
use crate::progress::Progress;
use crate::report;

/// Write a fitted model as one directory: weights, ONNX, labels and a manifest.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pipeline export cnn_svm --model svm_rbf_a3 --out my_model\n  pipeline export cnn_svm --model svm_rbf_a3 --features features.npy --split train\n  pipeline export cnn_svm --model a3 --predictions predictions.csv"
)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Stage that made the model.
    #[arg(long, value_name = "ID")]
    model: String,
    /// Directory to make [default: the model's ID, if no table is asked for].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What the directory holds.
    #[arg(long, value_enum, default_value = "all")]
    format: Format,
    /// Write what the model's last stage reads, a row an image; `.npy` or `.csv`.
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Write true labels, the model's and its scores, a row an image; `.npy` or `.csv`.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Images of the two tables; those held out for validation are training images.
    #[arg(long, value_enum, default_value = "test")]
    split: Split,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    /// Tensors and an ONNX file.
    All,
    /// Tensors alone, which every model has.
    Native,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Split {
    Train,
    Test,
}

/// Runs the subcommand.
///
/// # Errors   if the run or the model is not there, cannot be written as ONNX, or nothing can be written
pub fn run(args: Args) -> anyhow::Result<()> {
    let tables = [&args.features, &args.predictions];
    for path in tables.into_iter().flatten() {
        TableFormat::of(path).map_err(|error| UsageError::new(error.to_string(), None))?;
    }
    let finished = args.run.open()?;
    let fitted = finished.model(&args.model)?;
    let has_tables = tables.iter().any(|path| path.is_some());
    if args.out.is_some() || !has_tables {
        let dir = args.out.clone().unwrap_or_else(|| PathBuf::from(&fitted.id));
        package(&finished, &fitted, &dir, args.format)?;
    }
    if has_tables {
        let terminal = Terminal::new(std::io::stderr().is_terminal())?;
        write_tables(&args, &fitted, &finished.dataset(&fitted.id)?, &terminal)?;
    }
    Ok(())
}

fn package(
    finished: &FinishedRun,
    fitted: &Fitted,
    dir: &Path,
    format: Format,
) -> anyhow::Result<()> {
    let results = &finished.results;
    let evaluated = results.model(&fitted.id);
    let known = fitted.facts.clone();
    let facts = Facts {
        pipeline: results.pipeline.clone(),
        run: results.run.clone(),
        id: fitted.id.clone(),
        title: fitted.title.clone(),
        family: known.family,
        input: known.input,
        n_features: known.n_features,
        model_bytes: known.model_bytes,
        details: known.details,
        dataset: results.dataset.name.clone(),
        accuracy: evaluated.map(|model| model.accuracy),
        accuracy_ci95: evaluated.map(|model| model.accuracy_ci95),
    };
    let package = Package::new(&fitted.model, facts, format == Format::All)?;
    if let Some(warning) = &package.warning {
        say(&format!("warning: {warning}"));
    }
    let files: Vec<(&str, &[u8])> =
        package.files.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    report::write_whole(dir, &files)?;
    let mut out = std::io::stdout().lock();
    for (name, content) in &files {
        let bytes = report::bytes(content.len() as u64);
        writeln!(out, "{}  {bytes}", dir.join(name).display())?;
    }
    Ok(())
}

fn write_tables(
    args: &Args,
    fitted: &Fitted,
    dataset: &Dataset,
    progress: &dyn Progress,
) -> anyhow::Result<()> {
    let images = if args.split == Split::Train { &dataset.train } else { &dataset.test };
    if let Some(path) = &args.features {
        let features = fitted.model.chain.features(images.pixels.view(), progress)?;
        write_table(path, &Table::Features(&features))?;
    }
    if let Some(path) = &args.predictions {
        let (labels, scores) = fitted.model.labels_and_scores(images.pixels.view(), progress)?;
        let (truth, class_names) = (&images.labels, dataset.class_names.as_slice());
        let (labels, scores) = (&labels, &scores);
        write_table(path, &Table::Predictions(Predictions { truth, labels, scores, class_names }))?;
    }
    Ok(())
}

/// Writes a file whole or not at all; an older one is replaced.
fn write_table(path: &Path, table: &Table) -> anyhow::Result<()> {
    let content = table.to_bytes(TableFormat::of(path)?);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))?;
    let bytes = report::bytes(content.len() as u64);
    writeln!(std::io::stdout().lock(), "{}  {bytes}", path.display())?;
    Ok(())
}
