//! `pipeline run`: run a pipeline and write its report.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::assemble::{RunFacts, assemble};
use super::machine;
use super::observer::{Terminal, human};
use super::outcome::UsageError;
use super::run_place::{check_writable, command_line, run_name};
use super::target::{Job, Target};
use crate::engine::{self, RunOptions, Status};
use crate::report;
use crate::stage::{Artifact, ArtifactType};

/// Arguments of `run`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline run cnn_svm\n  \
    pipeline run cnn_svm --set svm_pixels.c=1 --seed 7\n  \
    pipeline run ./mine.toml --data ./fashion-mnist --json")]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Where reports are written.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

/// Runs the pipeline, writes the run directory, prints the table.
pub fn run(args: Args) -> anyhow::Result<()> {
    let job = args.target.resolve()?;
    check_evaluates(&job)?;
    let directory = args.out.join(&job.pipeline.name);
    check_writable(&directory)?;
    let started = jiff::Timestamp::now();
    let observer = Terminal::new(args.target.draws_progress())?.expecting(expected(&job)?);
    let options = RunOptions { sources: job.sources.clone(), force: job.force.clone() };
    let mut outcome = engine::run(&job.pipeline, &job.store, &options, &observer)?;
    let mut artifacts: Vec<(&str, Arc<Artifact>)> = Vec::new();
    for stage in &job.pipeline.stages {
        let made = stage.kind.produces;
        if [ArtifactType::Evaluation, ArtifactType::Robustness].contains(&made) {
            artifacts.push((&stage.id, outcome.artifact(&stage.id)?));
        }
    }
    let journal = outcome.stages();
    let (mut evaluations, mut robustness) = (Vec::new(), Vec::new());
    for (id, artifact) in &artifacts {
        match artifact.as_ref() {
            Artifact::Evaluation(evaluation) => evaluations.push((*id, evaluation.as_ref())),
            Artifact::Robustness(card) => robustness.push(card.as_ref().clone()),
            _ => {}
        }
    }

    let run = run_name(&directory, started);
    let facts = RunFacts {
        pipeline: &job.pipeline,
        journal: &journal,
        run_toml: provenance(&job, &run),
        run: run.clone(),
        started,
        threads: job.threads,
        machine: machine::describe(&command_line()),
    };
    let output = assemble(facts, &evaluations, robustness);
    let run_dir = directory.join(&run);
    report::write_run(&run_dir, &output)?;
    drop(observer);

    let mut out = std::io::stdout().lock();
    if args.target.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&output.results)?)?;
        return Ok(());
    }
    let n_cached = journal.iter().filter(|stage| stage.status == Status::Cached).count();
    writeln!(out, "{}", report::text(&[&output.results])?)?;
    writeln!(out, "{}\n", report::headline(&output.results))?;
    let elapsed = jiff::Timestamp::now().duration_since(started).as_secs_f64();
    writeln!(
        out,
        "{n_cached} of {} stages from the cache, {} in all",
        journal.len(),
        human(elapsed)
    )?;
    writeln!(out, "{}", run_dir.join("report.html").display())?;
    Ok(())
}

/// Seconds foretold for the stages that will run.
fn expected(job: &Job) -> anyhow::Result<HashMap<String, f64>> {
    let plan = engine::plan(&job.pipeline, &job.store, &job.force)?;
    let forecasts = engine::forecast(&job.pipeline, &plan, &job.store);
    let known = plan.stages.into_iter().zip(forecasts);
    Ok(known.filter_map(|(stage, forecast)| Some((stage.id, forecast?.seconds))).collect())
}

/// Refuses a pipeline that makes no evaluation.
fn check_evaluates(job: &Job) -> anyhow::Result<()> {
    let mut stages = job.pipeline.stages.iter();
    if stages.any(|stage| stage.kind.produces == ArtifactType::Evaluation) {
        return Ok(());
    }
    let message = format!("pipeline `{}` evaluates nothing", job.pipeline.name);
    let hint = "add a stage with kind = \"evaluate\" that names the data and the models";
    Err(UsageError::new(message, hint.to_owned()).into())
}

/// The resolved pipeline under a comment that says how the run was made.
fn provenance(job: &Job, run: &str) -> String {
    format!(
        "# run {run} of {}\n# pipeline {} with {} threads\n# command: {}\n\n{}",
        job.pipeline.source,
        env!("CARGO_PKG_VERSION"),
        job.threads,
        command_line(),
        job.pipeline.to_toml()
    )
}
