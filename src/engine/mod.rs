//! Runs a pipeline: each stage once, whatever was made before restored from the cache.
//!
//! The engine knows no kind of stage: it sees [`Kind`](crate::stage::Kind) and
//! [`Stage`](crate::stage::Stage) only. Stages are resolved in order; a stage is resolved when the
//! digest of its artifact is known:
//!
//! ```text
//! key = hash(kind, version, parameters read, seed if seeded, digests of the inputs)
//! key in the cache?  ── yes ─▶ cached: nothing is read
//!        │ no
//! lock the key (another process may be making it: then wait and look again)
//! read the inputs (damaged? make that stage again, and start over) ─▶ run ─▶ store
//! ```
//!
//! Keys hold digests rather than keys of inputs, so a stage that runs again and makes the same
//! bytes leaves everything after it cached. Locks are taken only from a stage towards its inputs,
//! never the other way, and not held while an input is made again: processes cannot deadlock.

mod error;
mod forecast;
mod observer;
mod plan;
mod provenance;
mod run;
#[cfg(test)]
mod tests;

pub use error::EngineError;
pub use forecast::forecast;
pub use observer::{Observer, Unobserved};
pub use plan::{Plan, PlanStatus, PlannedStage, Reason, plan};
pub use run::{Outcome, RunOptions, StageJournal, Status, run};

use crate::config::{Pipeline, StageSpec};
use crate::nearest::nearest;

/// Stages that run although their artifacts are in the cache. What comes after them follows only
/// if their artifacts change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// None.
    #[default]
    Nothing,
    /// Every stage.
    All,
    /// The stages of these names; a name stands for all copies of a stage.
    Stages(Vec<String>),
}

impl Force {
    fn includes(&self, stage: &StageSpec) -> bool {
        match self {
            Force::Nothing => false,
            Force::All => true,
            Force::Stages(ids) => ids.iter().any(|id| *id == stage.id || id == stage.base()),
        }
    }

    fn check(&self, pipeline: &Pipeline) -> Result<(), EngineError> {
        match self {
            Force::Stages(ids) => ids.iter().try_for_each(|id| {
                if pipeline.named(id).next().is_some() {
                    Ok(())
                } else {
                    known(pipeline, id).map(|_| ())
                }
            }),
            _ => Ok(()),
        }
    }
}

/// Index of the stage of a name.
fn known(pipeline: &Pipeline, id: &str) -> Result<usize, EngineError> {
    pipeline.stages.iter().position(|stage| stage.id == id).ok_or_else(|| {
        let ids = pipeline.stages.iter().map(|stage| stage.id.as_str());
        EngineError::UnknownStage {
            found: id.to_owned(),
            pipeline: pipeline.name.clone(),
            nearest: nearest(id, ids).map(str::to_owned),
        }
    })
}
