//! `pipeline model`: a fitted model of a run, shown or exported.

use std::any::Any;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::fitted::{Fitted, RunArgs};
use super::outcome::UsageError;
use crate::learn::svm::Svc;
use crate::model::Head;

/// Show or export a fitted model of a run.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipeline model show cnn_svm --model svm_pixels\n  pipeline model export cnn_svm --model svm_pixels svm.model"
)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Print what a model is: kernel, classes, support vectors, gap.
    ///
    /// Example: pipeline model show cnn_svm --model svm_pixels
    Show {
        #[command(flatten)]
        which: Which,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Write a support vector classifier as a LIBSVM model file; pixels are v / 255 there.
    ///
    /// Example: pipeline model export cnn_svm --model svm_pixels svm.model
    Export {
        #[command(flatten)]
        which: Which,
        /// File to write.
        file: PathBuf,
    },
}

/// Which model.
#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    run: RunArgs,
    /// Stage that fitted the model.
    #[arg(long, value_name = "ID")]
    model: String,
}

/// Runs the subcommand.
///
/// # Errors   if the run or the model is not there, or the file cannot be written
pub fn run(args: ModelArgs) -> anyhow::Result<()> {
    match args.command {
        ModelCommand::Show { which, json } => show(&which, json),
        ModelCommand::Export { which, file } => export(&which, &file),
    }
}

impl Which {
    fn read(&self) -> anyhow::Result<Fitted> {
        self.run.open()?.model(&self.model)
    }
}

fn svc(fitted: &Fitted) -> Option<&Svc> {
    match &fitted.model.head {
        Head::Classifier(classifier) => (classifier.as_ref() as &dyn Any).downcast_ref(),
        Head::Network(_) | Head::Ensemble(_) => None,
    }
}

fn show(which: &Which, as_json: bool) -> anyhow::Result<()> {
    let fitted = which.read()?;
    let mut document = json!({
        "model": which.model,
        "family": fitted.facts.family,
        "input": fitted.facts.input,
        "n_features": fitted.facts.n_features,
        "model_bytes": fitted.facts.model_bytes,
    });
    for (key, value) in &fitted.facts.details {
        document[key] = value.clone();
    }
    if let Some(svc) = svc(&fitted) {
        document["classes"] = json!(svc.classes());
        document["n_support_per_class"] = json!(svc.n_support());
    }
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    for (key, value) in document.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        };
        writeln!(out, "{key:20} {value}")?;
    }
    Ok(())
}

fn export(which: &Which, path: &Path) -> anyhow::Result<()> {
    let fitted = which.read()?;
    let Some(svc) = svc(&fitted) else {
        let message = format!("`{}` is no support vector classifier", which.model);
        return Err(UsageError::new(message, None).into());
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A failure leaves nothing behind, and an older file as it was.
    let write = || -> std::io::Result<()> {
        let scratch = tempfile::tempdir_in(dir)?;
        let staged = scratch.path().join("model");
        let mut out = BufWriter::new(File::create(&staged)?);
        svc.write_libsvm(&mut out)?;
        out.into_inner()?.sync_all()?;
        std::fs::rename(&staged, path)
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}
