//! The candidates of a search, from lists and distributions by parameter.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::data::Rng;
use crate::stage::{Accepts, Kind};

/// Most candidates of one search.
pub const MAX_CANDIDATES: usize = 10_000;

/// Where candidates drawn at random get a number from.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Uniform between the bounds.
    Uniform(f64, f64),
    /// Uniform by logarithm between the bounds, which are above 0.
    LogUniform(f64, f64),
}

impl Distribution {
    /// The distribution whose bounds must be above 0.
    pub const LOG_UNIFORM: &'static str = "log_uniform";
    /// Names in a pipeline file.
    pub const NAMES: [&'static str; 2] = ["uniform", Self::LOG_UNIFORM];

    /// A draw; whole numbers are as likely as their neighbourhoods `n - 1/2 .. n + 1/2`, cut at the
    /// bounds.
    fn draw(self, accepts: &Accepts, rng: &mut Rng) -> Value {
        let unit = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let (lo, hi) = match self {
            Distribution::Uniform(lo, hi) | Distribution::LogUniform(lo, hi) => (lo, hi),
        };
        let is_whole = matches!(accepts, Accepts::Integer { .. });
        let (from, to) = if is_whole { (lo - 0.5, hi + 0.5) } else { (lo, hi) };
        let drawn = match self {
            Distribution::Uniform(..) => from + unit * (to - from),
            // `lo` is at least 1 where it is whole, so `from` is above 0.
            Distribution::LogUniform(..) => (from.ln() + unit * (to / from).ln()).exp(),
        };
        if is_whole {
            Value::from(drawn.round().clamp(lo, hi) as i64)
        } else {
            // The logarithm may round a draw past a bound.
            Value::from(drawn.clamp(lo, hi))
        }
    }
}

/// All combinations of listed values, the last parameter by name fastest, as scikit-learn's
/// `ParameterGrid`; combinations that differ only in what their learner does not read are one.
///
/// # Panics
/// If a parameter has a distribution: the configuration is checked before.
pub fn enumerate(
    learner: &Kind,
    grid: &Map<String, Value>,
    fixed: &Map<String, Value>,
) -> Vec<Map<String, Value>> {
    let mut combinations = vec![Map::new()];
    for (name, choices) in grid {
        let Value::Array(values) = choices else { panic!("`{name}` has no list of values") };
        combinations = combinations
            .iter()
            .flat_map(|combination| {
                values.iter().map(move |value| {
                    let mut longer = combination.clone();
                    longer.insert(name.clone(), value.clone());
                    longer
                })
            })
            .collect();
    }
    distinct(combinations.iter().map(|point| candidate(learner, point, fixed)))
}

/// Candidates drawn at random, as scikit-learn's `ParameterSampler`: from lists alone without
/// repeats (all of them if there are no more), in the order of [`enumerate`]; else each parameter by
/// itself, equal draws being one candidate.
///
/// # Panics
/// As [`enumerate`], for a value that is neither a list nor a distribution.
pub fn draw(
    learner: &Kind,
    grid: &Map<String, Value>,
    fixed: &Map<String, Value>,
    n_candidates: usize,
    seed: u64,
) -> Vec<Map<String, Value>> {
    let mut rng = Rng::new(seed, &["search", "candidates"]);
    if grid.values().all(Value::is_array) {
        let all = enumerate(learner, grid, fixed);
        let mut drawn: Vec<usize> = (0..all.len()).collect();
        rng.shuffle(&mut drawn);
        drawn.truncate(n_candidates);
        drawn.sort_unstable();
        return drawn.into_iter().map(|idx| all[idx].clone()).collect();
    }
    let points: Vec<Map<String, Value>> = (0..n_candidates)
        .map(|_| {
            let drawn =
                grid.iter().map(|(name, choices)| draw_one(learner, name, choices, &mut rng));
            drawn.collect()
        })
        .collect();
    distinct(points.iter().map(|point| candidate(learner, point, fixed)))
}

fn draw_one(learner: &Kind, name: &str, choices: &Value, rng: &mut Rng) -> (String, Value) {
    let value = match choices {
        Value::Array(values) => values[rng.below(values.len())].clone(),
        other => {
            let distribution = Distribution::deserialize(other)
                .unwrap_or_else(|error| panic!("`{name}` was not checked: {error}"));
            let field = learner.fields.iter().find(|field| field.name == name);
            distribution.draw(field.map_or(&Accepts::Text, |field| &field.accepts), rng)
        }
    };
    (name.to_owned(), value)
}

/// Searched and fixed parameters together, in the order of the learner's fields, without those
/// that it does not read.
fn candidate(
    learner: &Kind,
    point: &Map<String, Value>,
    fixed: &Map<String, Value>,
) -> Map<String, Value> {
    let mut read = Map::new();
    for field in learner.fields {
        let value = point.get(field.name).or_else(|| fixed.get(field.name));
        if let Some(value) = value.filter(|_| field.is_read(&read)) {
            read.insert(field.name.to_owned(), value.clone());
        }
    }
    read
}

fn distinct(candidates: impl Iterator<Item = Map<String, Value>>) -> Vec<Map<String, Value>> {
    let mut seen = std::collections::HashSet::new();
    candidates
        .filter(|candidate| seen.insert(Value::Object(candidate.clone()).to_string()))
        .collect()
}
