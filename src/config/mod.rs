//! Pipeline files: TOML as written, checked against the stage kinds, typed.
//!
//! Everything is checked before anything runs, and every mistake of the file and of the command
//! line is reported at once, with its place, what is allowed and the nearest name:
//!
//! ```text
//! text ──tree──▶ located values ──matrix──▶ ──seeds──▶ ──overrides──▶ ──check──▶ drafts ──link──▶ stages
//! ```

mod check;
mod error;
mod file;
mod link;
mod matrix;
mod nearest;
mod overrides;
mod resolved;
mod seeds;
pub mod shipped;
mod space;
#[cfg(test)]
mod tests;
mod tree;
mod values;

use std::fmt;

use serde_json::{Map, Value};

pub use error::{ConfigError, Place, Problem};
pub use overrides::Overrides;
pub use values::allowed;

use crate::stage::{Field, Kind, Stage, searched_learner};
use error::{Origin, Problems};
use seeds::split_seed;

/// Seed of a pipeline file that names none.
pub const DEFAULT_SEED: u64 = 42;

/// A checked pipeline, ready to plan and run.
#[derive(Debug, PartialEq)]
pub struct Pipeline {
    /// Name, `[a-z0-9_-]+`: directory of its reports.
    pub name: String,
    /// Title for people; the name if the file gives none.
    pub title: String,
    /// What the pipeline is for.
    pub description: Option<String>,
    /// Seed of every seeded stage that has none of its own.
    pub seed: u64,
    /// Where the text came from: a file name or `built-in`.
    pub source: String,
    /// Stages, each after its inputs; in the order of the file where that leaves a choice.
    pub stages: Vec<StageSpec>,
}

/// Where a stage stands in the table of learners by inputs that a matrix gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The learner.
    pub row: String,
    /// The input.
    pub column: String,
}

/// One checked stage.
pub struct StageSpec {
    /// Name in the pipeline file, `[a-z0-9_-]+`, and after an `@` the seed of a stage that has its
    /// own.
    pub id: String,
    /// Title for people; never part of a cache key.
    pub title: Option<String>,
    /// Accuracy published for this model, to stand beside what is reached; no part of a cache key.
    pub reported: Option<f64>,
    /// Its place in the table of a matrix; no part of a cache key.
    pub cell: Option<Cell>,
    /// Its kind.
    pub kind: &'static Kind,
    /// Checked parameters: defaults filled in, those that the stage does not read removed.
    pub params: Map<String, Value>,
    /// Input names with the stages that fill them, in the order that the kind declares.
    pub inputs: Vec<(String, Vec<String>)>,
    /// The stage itself.
    pub stage: Box<dyn Stage>,
}

/// Checks fields given in one argument of the command line, `KEY=VALUE,KEY=VALUE`; those that
/// equal their defaults are left out.
///
/// # Errors
/// Every mistake found.
pub fn parse_fields(
    text: &str,
    argument: &str,
    fields: &'static [Field],
) -> Result<Map<String, Value>, ConfigError> {
    let mut problems = Problems::new("", "");
    let origin = Origin::Argument(format!("{argument} {text}"));
    let checked = match tree::parse_argument(&format!("{{ {text} }}"), &origin) {
        Ok(node) => check::table(fields, argument, "the command line", &node, &mut problems),
        Err(why) => {
            let hint = "write `KEY=VALUE,KEY=VALUE`".to_owned();
            problems.add(&origin, format!("`{text}` is not a list of values: {why}"), Some(hint));
            None
        }
    };
    match checked {
        Some(Value::Object(read)) => Ok(read),
        _ => Err(problems.into_error()),
    }
}

impl Pipeline {
    /// Checks a pipeline file. `file` is its name in messages and becomes `source`.
    ///
    /// # Errors
    /// Every mistake found in the text and in `overrides`.
    pub fn parse(
        text: &str,
        file: &str,
        kinds: &'static [&'static Kind],
        overrides: &Overrides,
    ) -> Result<Pipeline, ConfigError> {
        let mut problems = Problems::new(file, text);
        let root = tree::parse(text, &mut problems);
        let mut sets = overrides.parse(&mut problems);
        let Some(mut root) = root else {
            return Err(problems.into_error());
        };
        let mut groups = matrix::expand(&mut root, &mut problems);
        overrides.apply_seeds(&mut root, &mut sets);
        seeds::expand(&mut root, kinds, &mut groups, &mut problems);
        overrides.apply(&mut root, sets, kinds, &groups, &mut problems);
        let header = check::header(&root, &mut problems);
        let drafts = check::stages(&root, kinds, &mut problems);
        let order = link::order(&drafts, &mut problems);
        let (Some(header), Some(order), true) = (header, order, problems.is_empty()) else {
            return Err(problems.into_error());
        };
        let mut drafts: Vec<Option<check::Draft>> = drafts.into_iter().map(Some).collect();
        let stages = order.into_iter().filter_map(|idx| drafts[idx].take()?.build()).collect();
        Ok(Pipeline {
            title: header.title.unwrap_or_else(|| header.name.clone()),
            name: header.name,
            description: header.description,
            seed: header.seed,
            source: file.to_owned(),
            stages,
        })
    }

    /// The stage of this name, or else its copies, one for each seed.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &StageSpec> {
        let is_stage = self.stage(name).is_some();
        self.stages.iter().filter(
            move |stage| {
                if is_stage { stage.id == name } else { stage.base() == name }
            },
        )
    }

    /// The seeds that stages were copied for: none unless a stage has several.
    pub fn seeds(&self) -> Vec<u64> {
        let is_copied = |stage: &&StageSpec| {
            self.stages.iter().any(|other| other.base() == stage.base() && other.id != stage.id)
        };
        let mut seeds: Vec<u64> = Vec::new();
        for seed in self.stages.iter().filter(is_copied).filter_map(StageSpec::own_seed) {
            if !seeds.contains(&seed) {
                seeds.push(seed);
            }
        }
        seeds
    }

    /// The stage of a name.
    pub fn stage(&self, id: &str) -> Option<&StageSpec> {
        self.stages.iter().find(|stage| stage.id == id)
    }
}

impl StageSpec {
    /// The name without a seed: the same for all copies of a stage.
    pub fn base(&self) -> &str {
        split_seed(&self.id).0
    }

    /// The seed that the name carries, which stands in place of the pipeline's.
    pub fn own_seed(&self) -> Option<u64> {
        split_seed(&self.id).1
    }

    /// Version of what the stage computes: raised with its kind's and, where it searches a
    /// learner's parameters, with that learner's.
    pub fn version(&self) -> u32 {
        // Both only ever rise, so the sum does with either.
        self.kind.version + searched_learner(&self.params).map_or(0, |learner| learner.version)
    }

    /// The title if the file gives one, else the name.
    pub fn label(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.id)
    }
}

impl PartialEq for StageSpec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.title == other.title
            && self.reported == other.reported
            && self.cell == other.cell
            && std::ptr::eq(self.kind, other.kind)
            && self.params == other.params
            && self.inputs == other.inputs
    }
}

impl fmt::Debug for StageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageSpec")
            .field("id", &self.id)
            .field("title", &self.title)
            .field("reported", &self.reported)
            .field("cell", &self.cell)
            .field("kind", &self.kind.name)
            .field("params", &self.params)
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}
