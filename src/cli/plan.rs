//! `pipeline plan`: what would run, what is cached, and why.

use std::io::Write;

use serde_json::json;

use super::target::Target;
use crate::engine;
use crate::report;
use crate::stage::Forecast;

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
    let forecasts = engine::forecast(&job.pipeline, &plan, &job.store);
    let mut out = std::io::stdout().lock();
    if args.target.json {
        let stages: Vec<_> = plan
            .stages
            .iter()
            .zip(&forecasts)
            .map(|(stage, forecast)| {
                json!({
                    "id": stage.id,
                    "kind": stage.kind,
                    "status": stage.status.as_str(),
                    "reason": stage.reason(),
                    "predicted_seconds": forecast.as_ref().map(|f| f.seconds),
                    "predicted_peak_bytes": forecast.as_ref().and_then(|f| f.peak_bytes),
                    "prediction_basis": forecast.as_ref().map(|f| &f.basis),
                })
            })
            .collect();
        let document = json!({ "pipeline": job.pipeline.name, "stages": stages });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    let width = plan.stages.iter().map(|stage| stage.id.len()).max().unwrap_or(0);
    for (stage, forecast) in plan.stages.iter().zip(&forecasts) {
        let status = stage.status.as_str();
        writeln!(out, "{:width$}  {status:20} {}", stage.id, stage.reason())?;
        if let Some(forecast) = forecast {
            writeln!(out, "{:width$}  {:20} {}", "", "", words(forecast))?;
        }
    }
    Ok(())
}

/// `about 9.2 s, 2.0 GiB: as the same stage took on 2026-11-21`
fn words(forecast: &Forecast) -> String {
    let memory = forecast.peak_bytes.map_or(String::new(), |n| format!(", {}", report::bytes(n)));
    format!("about {}{memory}: {}", report::seconds(forecast.seconds), forecast.basis)
}
