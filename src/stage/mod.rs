//! Stage kinds: what a pipeline file can declare, and what each makes.
//!
//! A stage is a kind, parameters and named inputs; it makes one [`Artifact`]. It knows no engine:
//! inputs in, artifact out, nothing read or written besides them and its scratch directory. The
//! engine knows no kind: it sees [`Kind`] and [`Stage`] only.

mod artifact;
mod field;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use artifact::{Artifact, ArtifactType};
pub use field::{Accepts, Condition, Field};

use crate::data::Sources;
use crate::progress::Progress;

/// One kind of stage: its contract with the pipeline file and with the cache.
pub struct Kind {
    /// Name in `kind = "…"`.
    pub name: &'static str,
    /// One line for `--help` and error messages.
    pub doc: &'static str,
    /// Raised whenever the same parameters and inputs would give another artifact.
    pub version: u32,
    /// True if the artifact depends on the seed.
    pub seeded: bool,
    /// Named inputs.
    pub inputs: &'static [InputSpec],
    /// Parameters.
    pub fields: &'static [Field],
    /// What the stage makes.
    pub produces: ArtifactType,
    /// Builds the stage from parameters that passed the check of `fields`, defaults filled in.
    pub build: fn(&Map<String, Value>) -> Box<dyn Stage>,
}

/// One named input of a kind: `inputs = { NAME = "stage" }`, or a list of stages if `many`.
pub struct InputSpec {
    /// Name of the input.
    pub name: &'static str,
    /// Artifacts it takes.
    pub accepts: &'static [ArtifactType],
    /// A list of stages rather than one.
    pub many: bool,
    /// One line for error messages.
    pub doc: &'static str,
}

/// A configured stage.
pub trait Stage: Send + Sync {
    /// Makes the artifact.
    ///
    /// # Errors
    /// [`StageError::Interrupted`] once `context.progress` says so; else what went wrong.
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError>;
}

/// What a stage hands back.
pub struct Output {
    /// The artifact.
    pub artifact: Artifact,
    /// False if the same key could give another artifact next time (a data set that fell back to
    /// generated images, files that may change): later runs make it again and compare digests.
    pub reusable: bool,
}

/// The artifacts of a stage's inputs.
#[derive(Default)]
pub struct Inputs {
    entries: Vec<InputArtifact>,
}

/// One artifact with the input it fills and the stage that made it.
pub struct InputArtifact {
    /// Name of the input in the kind.
    pub input: String,
    /// Stage that made the artifact.
    pub stage_id: String,
    /// The artifact.
    pub artifact: Arc<Artifact>,
}

impl Inputs {
    /// Adds an artifact; order within one input is kept.
    pub fn push(&mut self, input: &str, stage_id: &str, artifact: Arc<Artifact>) {
        self.entries.push(InputArtifact {
            input: input.to_owned(),
            stage_id: stage_id.to_owned(),
            artifact,
        });
    }

    /// All artifacts of one input, in the order of the pipeline file.
    pub fn all<'a>(&'a self, input: &'a str) -> impl Iterator<Item = &'a InputArtifact> {
        self.entries.iter().filter(move |entry| entry.input == input)
    }

    /// The artifact of an input that is not `many`.
    ///
    /// # Panics
    /// If the input is absent: the configuration was checked before.
    pub fn one<'a>(&'a self, input: &'a str) -> &'a InputArtifact {
        self.all(input).next().unwrap_or_else(|| panic!("input `{input}` was not checked"))
    }
}

/// What a running stage may use besides its inputs.
pub struct Context<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Directory private to this stage's key. What is written here survives an interruption and is
    /// there again when the same stage is next tried (checkpoints); the engine removes it once the
    /// artifact is stored.
    pub scratch: &'a Path,
    /// Where data sets are looked for.
    pub sources: &'a Sources,
    /// Progress and interruption.
    pub progress: &'a dyn Progress,
}

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The user asked to stop; what the stage left in its scratch directory lets it go on.
    #[error("interrupted")]
    Interrupted,
    /// An artifact could not be read or written.
    #[error(transparent)]
    TensorFile(#[from] crate::data::TensorFileError),
}

impl StageError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        None
    }
}
