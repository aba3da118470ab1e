//! Why a run ended early.

use crate::cache::CacheError;
use crate::stage::StageError;

/// Why a run ended early; stages that had finished are in the cache.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A stage failed.
    #[error("stage `{stage}` failed: {source}")]
    Stage {
        /// Which.
        stage: String,
        /// Why.
        source: Box<StageError>,
    },
    /// The cache could not be used for a stage.
    #[error("stage `{stage}`: {source}")]
    Cache {
        /// Which.
        stage: String,
        /// Why.
        source: CacheError,
    },
    /// The user asked to stop; the next run goes on from the stage's last checkpoint.
    #[error("interrupted in stage `{stage}`")]
    Interrupted {
        /// The stage that was running, or next.
        stage: String,
    },
    /// A stage was asked for that the pipeline does not have.
    #[error("pipeline `{pipeline}` has no stage `{found}`")]
    UnknownStage {
        /// As asked for.
        found: String,
        /// Name of the pipeline.
        pipeline: String,
        /// The most similar name.
        nearest: Option<String>,
    },
}

impl EngineError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            EngineError::Stage { source, .. } => source.hint(),
            EngineError::Cache { source, .. } => source.hint(),
            EngineError::Interrupted { .. } => {
                Some("run the same command again to go on where it stopped".to_owned())
            }
            EngineError::UnknownStage { nearest, .. } => {
                nearest.as_ref().map(|name| format!("did you mean `{name}`?"))
            }
        }
    }

    pub(super) fn from_stage(stage: &str, source: StageError) -> Self {
        let stage = stage.to_owned();
        match source {
            StageError::Interrupted => EngineError::Interrupted { stage },
            source => EngineError::Stage { stage, source: Box::new(source) },
        }
    }

    pub(super) fn from_cache(stage: &str, source: CacheError) -> Self {
        let stage = stage.to_owned();
        match source {
            CacheError::Interrupted => EngineError::Interrupted { stage },
            source => EngineError::Cache { stage, source },
        }
    }
}
