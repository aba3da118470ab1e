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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stage::svm::SVM;

    fn map(value: Value) -> Map<String, Value> {
        crate::stage::object(value)
    }

    fn lines(candidates: &[Map<String, Value>]) -> Vec<String> {
        candidates.iter().map(|one| Value::Object(one.clone()).to_string()).collect()
    }

    #[test]
    fn every_learner_builds_from_its_defaults() {
        for (kind, build) in crate::stage::LEARNERS {
            let defaults = kind.fields.iter().map(|field| {
                let value = field.default_value();
                (field.name.to_owned(), value.unwrap_or_else(|| panic!("{} has none", field.name)))
            });
            let candidates = enumerate(kind, &Map::new(), &defaults.collect());
            let [params] = candidates.as_slice() else { panic!("{candidates:?}") };
            assert!(build(params).is_ok(), "{}", kind.name);
        }
    }

    #[test]
    fn unread_parameters_do_not_multiply_candidates() {
        let grid = map(json!({"c": [1.0, 2.0], "gamma": [0.1, 0.2], "kernel": ["linear", "rbf"]}));
        let candidates = enumerate(&SVM, &grid, &map(json!({"tol": 0.01, "degree": 3})));
        let expected = [
            r#"{"kernel":"linear","c":1.0,"tol":0.01}"#,
            r#"{"kernel":"rbf","c":1.0,"gamma":0.1,"tol":0.01}"#,
            r#"{"kernel":"rbf","c":1.0,"gamma":0.2,"tol":0.01}"#,
            r#"{"kernel":"linear","c":2.0,"tol":0.01}"#,
            r#"{"kernel":"rbf","c":2.0,"gamma":0.1,"tol":0.01}"#,
            r#"{"kernel":"rbf","c":2.0,"gamma":0.2,"tol":0.01}"#,
        ];
        assert_eq!(lines(&candidates), expected);
    }

    #[test]
    fn draws_from_lists_are_without_repeats_and_in_the_order_of_the_grid() {
        let grid = map(json!({"c": [1.0, 2.0, 3.0], "kernel": ["linear", "rbf"]}));
        let all = lines(&enumerate(&SVM, &grid, &Map::new()));
        let drawn = lines(&draw(&SVM, &grid, &Map::new(), 4, 1));
        let places: Vec<usize> =
            drawn.iter().map(|line| all.iter().position(|other| other == line).unwrap()).collect();
        assert_eq!(places.len(), 4);
        assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
        assert_ne!(drawn, lines(&draw(&SVM, &grid, &Map::new(), 4, 2)), "a seed decides");
        assert_eq!(lines(&draw(&SVM, &grid, &Map::new(), 99, 1)), all);
    }

    #[test]
    fn draws_stay_within_their_bounds_and_follow_their_distribution() {
        let mut rng = Rng::new(3, &["test"]);
        let real = Accepts::Number { min: 0.0, max: 1e9, above_min: false };
        let mut draw = |distribution: Distribution, accepts: &Accepts| -> Vec<f64> {
            (0..4000).map(|_| distribution.draw(accepts, &mut rng).as_f64().unwrap()).collect()
        };
        let below = |drawn: &[f64], limit: f64| {
            drawn.iter().filter(|&&value| value < limit).count() as f64 / drawn.len() as f64
        };
        let uniform = draw(Distribution::Uniform(2.0, 10.0), &real);
        assert!(uniform.iter().all(|value| (2.0..=10.0).contains(value)));
        let log_uniform = draw(Distribution::LogUniform(0.01, 100.0), &real);
        assert!(log_uniform.iter().all(|value| (0.01..=100.0).contains(value)));
        // 4,000 fair draws miss a half by 0.04 once in two million tries, and the seed is fixed.
        assert!((below(&uniform, 6.0) - 0.5).abs() < 0.04);
        assert!((below(&log_uniform, 1.0) - 0.5).abs() < 0.04);
        let whole = Accepts::Integer { min: 1, max: 9 };
        for distribution in [Distribution::Uniform(1.0, 3.0), Distribution::LogUniform(1.0, 3.0)] {
            let drawn = draw(distribution, &whole);
            for value in [1.0, 2.0, 3.0] {
                assert!(drawn.contains(&value), "{distribution:?} never gives {value}");
            }
            assert!(drawn.iter().all(|value| [1.0, 2.0, 3.0].contains(value)));
        }
    }
}
