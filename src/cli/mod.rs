//! The command line: parse, call, print. One file per subcommand.

mod assemble;
mod bench;
mod compare;
mod data;
mod data_card;
mod explain;
mod export;
mod fitted;
mod list;
mod machine;
mod model;
mod observer;
mod outcome;
mod plan;
mod predict;
mod report;
mod run;
mod run_place;
mod serve;
mod similar;
mod target;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Which classifier for these images, what does a classical head on CNN features buy, and what
/// does it cost?
#[derive(Parser)]
#[command(name = "pipeline", version, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  \
    pipeline run cnn_svm\n  \
    pipeline plan cnn_svm --set svm_pixels.c=1\n  \
    pipeline data show fashion-mnist")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a pipeline: what is cached is restored, the rest is computed, a report is written.
    Run(run::Args),
    /// Show what would run, what is cached, and why.
    Plan(plan::Args),
    /// List the shipped pipelines and the kinds of stages.
    List(list::Args),
    /// Compare the models of finished runs in one table.
    Compare(compare::Args),
    /// Write the page of a run again, or one page of several runs.
    Report(report::Args),
    /// Time implementations of a learner side by side, and foretell larger sizes.
    Bench(bench::Args),
    /// Label images with the models of a finished run.
    Predict(predict::Args),
    /// Find the images most like an image, among the training images of a run or in a directory.
    Similar(similar::Args),
    /// Serve the models of a finished run on this machine: a page, and an interface for programs.
    Serve(serve::Args),
    /// Show or export a fitted model of a run.
    Model(model::ModelArgs),
    /// Show what speaks for a model's decision on an image: pictures and a page.
    Explain(explain::Args),
    /// Write a fitted model as one directory: weights, ONNX, labels and a manifest.
    Export(export::Args),
    /// Fetch, verify or show data sets.
    Data(data::DataArgs),
}

/// Parses the command line, runs the subcommand, prints the error and its hint.
///
/// Exit codes: 0 done, 1 the run or the data failed, 2 the command line or a pipeline file is wrong.
pub fn main() -> ExitCode {
    // clap itself ends the process with 2 on a usage error and with 0 after `--help`.
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Plan(args) => plan::run(args),
        Command::List(args) => list::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Report(args) => report::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Similar(args) => similar::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Model(args) => model::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Export(args) => export::run(args),
        Command::Data(args) => observer::Terminal::new(std::io::stderr().is_terminal())
            .and_then(|terminal| data::run(args, &terminal)),
    };
    outcome::exit_code(done)
}
