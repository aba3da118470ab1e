//! `pipeline plan`: what would run, what is cached, and why.

use std::io::Write;

use serde_json::json;

use super::target::Target;
use crate::engine;

/// Arguments of `plan`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  pipeline plan cnn_svm --set svm_pixels.c=1")]
pub struct Args {
    #[command(flatten)]
    target: Target,
}

/// Prints the plan; runs nothing and reads no artifact.
pub fn run(args: Args) -> anyhow::Result<()> {
    let job = args.target.resolve()?;
    let plan = engine::plan(&job.pipeline, &job.store, &job.force)?;
    let mut out = std::io::stdout().lock();
    if args.target.json {
        let stages: Vec<_> = plan
            .stages
            .iter()
            .map(|stage| {
                json!({
                    "id": stage.id,
                    "kind": stage.kind,
                    "status": stage.status.as_str(),
                    "reason": stage.reason(),
                })
            })
            .collect();
        let document = json!({ "pipeline": job.pipeline.name, "stages": stages });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    let width = plan.stages.iter().map(|stage| stage.id.len()).max().unwrap_or(0);
    for stage in &plan.stages {
        let status = stage.status.as_str();
        writeln!(out, "{:width$}  {status:20} {}", stage.id, stage.reason())?;
    }
    Ok(())
}
