//! What the stages of a plan will cost.

use std::collections::HashMap;

use super::plan::{Plan, PlanStatus};
use crate::cache::Store;
use crate::config::{Pipeline, StageSpec};
use crate::stage::{Forecast, Foreseen, PastRun, TableShape};

/// The cost of every stage of `plan` that will run, in its order; none for the others, and where
/// nothing is known.
///
/// The best predictor is the same stage on rows of the same shape, run here before with as many
/// threads. Else the stage itself says what runs alike teach. Reads records, no artifacts.
pub fn forecast(pipeline: &Pipeline, plan: &Plan, store: &Store) -> Vec<Option<Forecast>> {
    let past = store.past_runs();
    let n_threads = rayon::current_num_threads();
    let mut shapes: HashMap<&str, Option<TableShape>> = HashMap::new();
    let mut forecasts = Vec::with_capacity(plan.stages.len());
    for (stage, planned) in pipeline.stages.iter().zip(&plan.stages) {
        let foreseen = foreseen(pipeline, stage, &shapes, n_threads);
        let same = || past.iter().filter(|run| is_same(run, stage, &foreseen));
        let made = same().find_map(|run| run.output);
        shapes.insert(&stage.id, made.or_else(|| stage.stage.foresee_shape(&foreseen)));
        forecasts.push(match planned.status {
            PlanStatus::Run => same()
                .find(|run| run.n_threads == n_threads)
                .map(measured)
                .or_else(|| stage.stage.foresee_cost(&foreseen, &past)),
            PlanStatus::Cached | PlanStatus::CachedIfUnchanged => None,
        });
    }
    forecasts
}

fn foreseen<'a>(
    pipeline: &'a Pipeline,
    stage: &'a StageSpec,
    shapes: &HashMap<&str, Option<TableShape>>,
    n_threads: usize,
) -> Foreseen<'a> {
    let mut inputs = Vec::new();
    for (input, ids) in &stage.inputs {
        for from in ids.iter().filter_map(|id| pipeline.stage(id)) {
            let shape = shapes.get(from.id.as_str()).copied().flatten();
            inputs.push((input.as_str(), shape, &from.params));
        }
    }
    Foreseen { kind: stage.kind, inputs, n_threads }
}

/// Whether a run was of such a stage on tables of such shapes.
fn is_same(run: &PastRun, stage: &StageSpec, foreseen: &Foreseen) -> bool {
    run.kind == stage.kind.name
        && run.version == stage.version()
        && run.params == stage.kind.result_params(&stage.params)
        && run.inputs.len() == foreseen.inputs.len()
        && run
            .inputs
            .iter()
            .zip(&foreseen.inputs)
            .all(|((input, shape), (other, other_shape, _))| input == other && shape == other_shape)
}

fn measured(run: &PastRun) -> Forecast {
    let day = run.created.get(..10).unwrap_or(&run.created);
    Forecast {
        seconds: run.seconds,
        peak_bytes: run.peak_rss_bytes,
        basis: format!("as the same stage took on {day}"),
    }
}
