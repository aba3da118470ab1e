//! `pipeline model`: a fitted model of a run, shown or exported.

use std::any::Any;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::outcome::UsageError;
use crate::cache::{CacheError, Store};
use crate::learn::svm::Svc;
use crate::nearest::nearest;
use crate::report;
use crate::stage::{Artifact, ArtifactType, FittedClassifier, KINDS};

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
    /// Print what a classical model is: kernel, classes, support vectors, gap.
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
    /// A run directory, NAME (its newest run) or NAME/RUN.
    run: String,
    /// Stage that fitted the model.
    #[arg(long, value_name = "ID")]
    model: String,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Where results of stages are kept.
    #[arg(long, value_name = "DIR", env = "PIPELINE_CACHE", default_value = ".pipeline")]
    cache: PathBuf,
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
    fn read(&self) -> anyhow::Result<FittedClassifier> {
        let results = report::read_results(&report::find_run(&self.reports, &self.run)?)?;
        let is_classifier = |kind: &str| {
            KINDS.iter().any(|k| k.name == kind && k.produces == ArtifactType::Classifier)
        };
        let known = results.stages.iter().filter(|stage| is_classifier(&stage.kind));
        let Some(stage) = known.clone().find(|stage| stage.id == self.model) else {
            let ids: Vec<&str> = known.map(|stage| stage.id.as_str()).collect();
            let hint = match nearest(&self.model, ids.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its classical models: {}", ids.join(", ")),
            };
            let message = format!("run `{}` has no classical model `{}`", self.run, self.model);
            return Err(UsageError::new(message, hint).into());
        };
        let gone = |why: String| {
            let (what, root) = (self.model.clone(), self.cache.clone());
            CacheError::Gone { what, root, why }
        };
        // Looking at a model makes no cache.
        if !self.cache.is_dir() {
            return Err(gone("there is no such directory".to_owned()).into());
        }
        let path = Store::open(&self.cache)?.verified(&stage.digest).map_err(gone)?;
        match Artifact::read(ArtifactType::Classifier, &path) {
            Ok(Artifact::Classifier(fitted)) => Ok(fitted),
            Ok(_) => unreachable!("a classifier was asked for"),
            Err(error) => Err(gone(error.to_string()).into()),
        }
    }
}

fn svc(fitted: &FittedClassifier) -> Option<&Svc> {
    (fitted.classifier.as_ref() as &dyn Any).downcast_ref()
}

fn show(which: &Which, as_json: bool) -> anyhow::Result<()> {
    let fitted = which.read()?;
    let mut document = json!({
        "model": which.model,
        "family": fitted.model.family,
        "input": fitted.model.input,
        "n_features": fitted.model.n_features,
        "model_bytes": fitted.model.model_bytes,
    });
    for (key, value) in &fitted.model.details {
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
