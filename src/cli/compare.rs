//! `pipeline compare`: the models of several runs in one table.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::json;

use crate::report;

/// Put the models of several runs into one table.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline compare\n  \
    pipeline compare cnn_svm cnn_svm/20260102T030405Z --format markdown")]
pub struct Args {
    /// Runs: a run directory, NAME (its newest run) or NAME/RUN; all newest runs if none is given.
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,

    /// Form of the output; JSON holds the whole results of every run.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,

    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub reports: PathBuf,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned text.
    Table,
    /// One row per model, unrounded.
    Csv,
    /// One document with the results of every run.
    Json,
    /// A Markdown table.
    Markdown,
    /// One row per model, unrounded, as a Parquet file on standard output.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// Prints the table to stdout.
///
/// # Errors   if a run is missing or damaged, or stdout cannot be written
pub fn run(args: Args) -> anyhow::Result<()> {
    let printed = render(&args)?;
    match io::stdout().write_all(&printed) {
        // `pipeline compare | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

fn render(args: &Args) -> anyhow::Result<Vec<u8>> {
    let dirs = match args.runs.as_slice() {
        [] => report::latest_runs(&args.reports)?,
        names => names
            .iter()
            .map(|name| report::find_run(&args.reports, name))
            .collect::<Result<_, _>>()?,
    };
    let runs = dirs.iter().map(|dir| report::read_results(dir)).collect::<Result<Vec<_>, _>>()?;
    let runs: Vec<&report::Results> = runs.iter().collect();
    let text = match args.format {
        #[cfg(feature = "parquet")]
        Format::Parquet => return Ok(report::parquet(&runs)?),
        Format::Table => report::text(&runs)?,
        Format::Csv => report::csv(&runs)?,
        Format::Markdown => report::markdown(&runs)?,
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&json!({ "runs": runs }))?),
    };
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(reports: &std::path::Path, runs: &[&str], format: Format) -> Args {
        let runs = runs.iter().map(|name| (*name).to_owned()).collect();
        Args { runs, format, reports: reports.to_owned() }
    }

    #[test]
    fn unknown_run_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let error = render(&args(place.path(), &["nothing"], Format::Table)).unwrap_err();
        assert!(error.to_string().contains("no run `nothing`"), "{error}");
    }

    #[test]
    fn no_runs_give_an_empty_json_document() {
        let place = tempfile::tempdir().unwrap();
        let printed = render(&args(place.path(), &[], Format::Json)).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&printed).unwrap();
        assert_eq!(document, json!({ "runs": [] }));
    }
}
