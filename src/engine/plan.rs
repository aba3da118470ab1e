//! What a run would do, and why.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use super::{EngineError, Force, provenance};
use crate::cache::{LastRun, Lookup, Provenance, Store};
use crate::config::{Pipeline, StageSpec};

/// What a run would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Every stage, in the order of a run.
    pub stages: Vec<PlannedStage>,
}

/// What a run would do with one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStage {
    /// Name in the pipeline file.
    pub id: String,
    /// Title for people.
    pub title: Option<String>,
    /// Kind.
    pub kind: &'static str,
    /// What would happen.
    pub status: PlanStatus,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
}

/// What a run would do with a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanStatus {
    /// Restore it.
    Cached,
    /// Restore it if a stage that runs before it makes the same artifact as last time.
    CachedIfUnchanged,
    /// Run it.
    Run,
}

/// Why a stage would run or not; `Display` gives the words.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The artifact is in the cache.
    Stored,
    /// The artifact is in the cache if this input stage, which runs, makes the same again.
    IfSame(String),
    /// Nothing is known of an earlier run.
    FirstTime,
    /// The user asks for it.
    Forced,
    /// The stage asks to be run every time.
    EveryTime,
    /// The artifact in the cache cannot be used.
    Damaged(String),
    /// The artifact is no longer in the cache.
    Removed,
    /// The stage is now of another kind.
    KindChanged {
        /// Last time.
        from: String,
        /// Now.
        to: String,
    },
    /// The program computes this kind differently now.
    VersionChanged {
        /// Last time.
        from: u32,
        /// Now.
        to: u32,
    },
    /// The seed of a seeded stage.
    SeedChanged {
        /// Last time; `None` if the kind was not seeded.
        from: Option<u64>,
        /// Now.
        to: Option<u64>,
    },
    /// A parameter.
    ParameterChanged {
        /// Which.
        name: String,
        /// Last time; `None` if it was not read.
        from: Option<Value>,
        /// Now; `None` if it is not read.
        to: Option<Value>,
    },
    /// An input has another artifact or other stages.
    InputChanged(String),
    /// This input stage runs first, and its artifact is not known.
    RunsFirst(String),
}

impl PlanStatus {
    /// One word or two, for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            PlanStatus::Cached => "cached",
            PlanStatus::CachedIfUnchanged => "cached if unchanged",
            PlanStatus::Run => "run",
        }
    }
}

impl PlannedStage {
    /// All reasons in one line.
    pub fn reason(&self) -> String {
        self.reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = |seed: &Option<u64>| seed.map_or("none".to_owned(), |seed| seed.to_string());
        match self {
            Reason::Stored => write!(f, "nothing changed"),
            Reason::IfSame(stage) => write!(f, "if `{stage}` makes the same artifact again"),
            Reason::FirstTime => write!(f, "first time"),
            Reason::Forced => write!(f, "forced"),
            Reason::EveryTime => write!(f, "checked in every run"),
            Reason::Damaged(why) => write!(f, "damaged: {why}"),
            Reason::Removed => write!(f, "no longer in the cache"),
            Reason::KindChanged { from, to } => write!(f, "kind changed from `{from}` to `{to}`"),
            Reason::VersionChanged { from, to } => {
                write!(f, "kind version changed from {from} to {to}")
            }
            Reason::SeedChanged { from, to } => {
                write!(f, "seed changed from {} to {}", seed(from), seed(to))
            }
            Reason::ParameterChanged { name, from: Some(from), to: Some(to) } => {
                write!(f, "parameter `{name}` changed from {} to {}", plain(from), plain(to))
            }
            Reason::ParameterChanged { name, from: None, to } => {
                let to = to.as_ref().map_or_else(String::new, plain);
                write!(f, "parameter `{name}` is now read: {to}")
            }
            Reason::ParameterChanged { name, to: None, .. } => {
                write!(f, "parameter `{name}` is no longer read")
            }
            Reason::InputChanged(input) => write!(f, "input `{input}` changed"),
            Reason::RunsFirst(stage) => write!(f, "input `{stage}` runs first"),
        }
    }
}

/// A parameter as a person writes it: `10` for `10.0`, no quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float}"),
            _ => number.to_string(),
        },
        other => {
            let text = other.to_string();
            match text.char_indices().nth(MAX_SHOWN) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

/// Characters of a table or list in a reason; the text of a file has thousands.
const MAX_SHOWN: usize = 80;

/// Artifact that a stage is expected to have after the run.
enum Expected {
    /// In the cache.
    Known(String),
    /// Made again from the same inputs: most likely the same.
    Likely(String),
    Unknown,
}

/// What a run with the same arguments would do. Reads records, no artifacts: damage that leaves
/// the size right is found only by the run.
///
/// # Errors
/// If `force` names a stage that the pipeline does not have.
pub fn plan(pipeline: &Pipeline, store: &Store, force: &Force) -> Result<Plan, EngineError> {
    force.check(pipeline)?;
    let mut expected: HashMap<&str, Expected> = HashMap::new();
    let mut stages = Vec::with_capacity(pipeline.stages.len());
    for stage in &pipeline.stages {
        let last = store.last_run(&pipeline.name, &stage.id);
        let (status, reasons, artifact) =
            foresee(stage, pipeline.seed, &expected, last.as_ref(), store, force);
        expected.insert(&stage.id, artifact);
        stages.push(PlannedStage {
            id: stage.id.clone(),
            title: stage.title.clone(),
            kind: stage.kind.name,
            status,
            reasons,
        });
    }
    Ok(Plan { stages })
}

fn foresee(
    stage: &StageSpec,
    seed: u64,
    expected: &HashMap<&str, Expected>,
    last: Option<&LastRun>,
    store: &Store,
    force: &Force,
) -> (PlanStatus, Vec<Reason>, Expected) {
    let run = |reasons, artifact| (PlanStatus::Run, reasons, artifact);
    let forced = force.includes(stage);
    let digest_of = |id: &str| match expected.get(id)? {
        Expected::Known(digest) | Expected::Likely(digest) => Some(digest.clone()),
        Expected::Unknown => None,
    };
    let Some(now) = provenance::of(stage, seed, digest_of) else {
        let mut reasons = match (forced, last) {
            (true, _) => vec![Reason::Forced],
            (false, None) => vec![Reason::FirstTime],
            (false, Some(last)) => own_changes(stage, seed, &last.provenance),
        };
        let runs_first = input_stages(stage)
            .filter(|id| matches!(expected.get(id), Some(Expected::Unknown)))
            .map(|id| Reason::RunsFirst(id.to_owned()));
        reasons.extend(runs_first);
        return run(reasons, Expected::Unknown);
    };
    let key = now.key();
    let same_as_last = last.filter(|last| last.key == key);
    let likely = || match same_as_last {
        Some(last) => Expected::Likely(last.digest.clone()),
        None => Expected::Unknown,
    };
    match store.lookup(&key) {
        Lookup::Hit(record) if forced => run(vec![Reason::Forced], Expected::Likely(record.digest)),
        _ if forced => run(vec![Reason::Forced], likely()),
        Lookup::Hit(record) => {
            let runs: Vec<Reason> = input_stages(stage)
                .filter(|id| matches!(expected.get(id), Some(Expected::Likely(_))))
                .map(|id| Reason::IfSame(id.to_owned()))
                .collect();
            if runs.is_empty() {
                (PlanStatus::Cached, vec![Reason::Stored], Expected::Known(record.digest))
            } else {
                (PlanStatus::CachedIfUnchanged, runs, Expected::Likely(record.digest))
            }
        }
        Lookup::Damaged(why) => run(vec![Reason::Damaged(why)], likely()),
        Lookup::Miss => match (last, same_as_last) {
            (None, _) => run(vec![Reason::FirstTime], Expected::Unknown),
            (Some(last), Some(_)) if last.reusable => run(vec![Reason::Removed], likely()),
            (Some(_), Some(_)) => run(vec![Reason::EveryTime], likely()),
            (Some(last), None) => {
                let mut reasons = own_changes(stage, seed, &last.provenance);
                reasons.extend(input_changes(&now, &last.provenance));
                if reasons.is_empty() {
                    reasons.push(Reason::FirstTime);
                }
                run(reasons, Expected::Unknown)
            }
        },
    }
}

/// Stages that fill any input, in order, repeats included once.
fn input_stages(stage: &StageSpec) -> impl Iterator<Item = &str> {
    let mut seen: Vec<&str> = Vec::new();
    for id in stage.inputs.iter().flat_map(|(_, ids)| ids) {
        if !seen.contains(&id.as_str()) {
            seen.push(id);
        }
    }
    seen.into_iter()
}

/// What changed besides the inputs.
fn own_changes(stage: &StageSpec, seed: u64, last: &Provenance) -> Vec<Reason> {
    let kind = stage.kind;
    if last.kind != kind.name {
        return vec![Reason::KindChanged { from: last.kind.clone(), to: kind.name.to_owned() }];
    }
    let mut reasons = Vec::new();
    if last.version != stage.version() {
        reasons.push(Reason::VersionChanged { from: last.version, to: stage.version() });
    }
    let seed = provenance::seed_of(stage, seed);
    if last.seed != seed {
        reasons.push(Reason::SeedChanged { from: last.seed, to: seed });
    }
    let params = stage.kind.result_params(&stage.params);
    let names =
        params.keys().chain(last.params.keys().filter(|name| !params.contains_key(name.as_str())));
    for name in names {
        let (from, to) = (last.params.get(name), params.get(name));
        if !same_value(from, to) {
            reasons.push(Reason::ParameterChanged {
                name: name.clone(),
                from: from.cloned(),
                to: to.cloned(),
            });
        }
    }
    reasons
}

/// Equal, but for the last bits that reading a number from JSON may move.
fn same_value(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one.and_then(Value::as_f64), other.and_then(Value::as_f64)) {
        (Some(one), Some(other)) => (one - other).abs() <= 4.0 * f64::EPSILON * one.abs(),
        _ => one == other,
    }
}

fn input_changes(now: &Provenance, last: &Provenance) -> Vec<Reason> {
    now.inputs
        .iter()
        .filter(|input| {
            let before = last.inputs.iter().find(|before| before.input == input.input);
            let key_part = |stages: &[(String, String)]| -> Vec<(String, String)> {
                let id = |id: &String| if input.many { id.clone() } else { String::new() };
                stages.iter().map(|(stage, digest)| (id(stage), digest.clone())).collect()
            };
            before.is_none_or(|before| key_part(&before.stages) != key_part(&input.stages))
        })
        .map(|input| Reason::InputChanged(input.input.clone()))
        .collect()
}
