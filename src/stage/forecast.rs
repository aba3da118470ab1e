//! What a stage will cost, from what stages like it did cost.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BuildLearner, Kind};
use crate::data::TableShape;
use crate::learn::{NominalCost, REFERENCE_MACHINE};

/// Earlier runs that a forecast rests on at most, nearest first.
const N_NEAREST: usize = 3;

/// A run of a stage that is known to have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRun {
    /// Kind of the stage.
    pub kind: String,
    /// Version of the kind.
    pub version: u32,
    /// Parameters that it read.
    pub params: Map<String, Value>,
    /// Its inputs with the shapes of their tables, in the order of the kind.
    pub inputs: Vec<(String, Option<TableShape>)>,
    /// Shape of the tables that it made.
    pub output: Option<TableShape>,
    /// Threads of the process.
    pub n_threads: usize,
    /// Wall time.
    pub seconds: f64,
    /// Peak resident memory of the process.
    pub peak_rss_bytes: Option<u64>,
    /// When, UTC, RFC 3339.
    pub created: String,
}

/// What a stage will cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Wall time.
    pub seconds: f64,
    /// Peak resident memory of the process.
    pub peak_bytes: Option<u64>,
    /// Where the figures come from, for people.
    pub basis: String,
}

/// What is known of a stage's inputs before they are made.
pub struct Foreseen<'a> {
    /// Kind of the stage itself.
    pub kind: &'static Kind,
    /// Input, shape of its tables if known, and parameters of the stage that fills it.
    pub inputs: Vec<(&'a str, Option<TableShape>, &'a Map<String, Value>)>,
    /// Threads of the process.
    pub n_threads: usize,
}

impl Foreseen<'_> {
    /// Shape of the first stage that fills an input.
    pub fn shape(&self, input: &str) -> Option<TableShape> {
        self.inputs.iter().find(|(name, ..)| *name == input)?.1
    }

    /// A parameter of the first stage that fills an input.
    pub fn param(&self, input: &str, name: &str) -> Option<&Value> {
        self.inputs.iter().find(|(known, ..)| *known == input)?.2.get(name)
    }
}

/// The cost of fitting a learner: its nominal cost times what runs alike took of theirs, the
/// nearest in cost first.
pub(super) fn of_learner(
    build: BuildLearner,
    params: &Map<String, Value>,
    foreseen: &Foreseen,
    past: &[PastRun],
) -> Option<Forecast> {
    let shape = foreseen.shape("data")?;
    let nominal = |params: &Map<String, Value>, shape: &TableShape, n_threads: usize| {
        build(params).ok()?.nominal_cost(shape, n_threads)
    };
    let NominalCost { seconds, peak_bytes } = nominal(params, &shape, foreseen.n_threads)?;
    let kind = foreseen.kind;
    let of_result = kind.result_params(params);
    let mut alike: Vec<(f64, f64, usize)> = past
        .iter()
        .filter(|run| run.kind == kind.name && run.version == kind.version)
        .filter(|run| are_alike(&run.params, &of_result) && run.seconds > 0.0)
        .filter_map(|run| {
            let (_, of_run) = run.inputs.iter().find(|(input, _)| input == "data")?;
            let of_run = of_run.filter(|of_run| of_run.is_bytes == shape.is_bytes)?;
            // A record leaves out what only costs: the defaults stand in for it.
            let expected = nominal(&kind.params(&run.params), &of_run, run.n_threads)?.seconds;
            // Other parameters, such as another C, are further away than another size.
            let far = if run.params == of_result { 0.0 } else { 1.0 };
            let distance = far + (seconds / expected).ln().abs();
            Some((distance, run.seconds / expected, of_run.n_train))
        })
        .collect();
    alike.sort_by(|a, b| a.0.total_cmp(&b.0));
    alike.truncate(N_NEAREST);
    let weights = alike.iter().map(|(distance, ..)| 1.0 / (0.1 + distance));
    let total: f64 = weights.clone().sum();
    let logs = alike.iter().zip(weights).map(|((_, ratio, _), weight)| weight * ratio.ln());
    let (ratio, basis) = match alike.first() {
        Some((_, _, n_train)) => (
            (logs.sum::<f64>() / total).exp(),
            format!("from earlier fits of this kind here, the nearest on {n_train} rows"),
        ),
        None => (1.0, format!("as on {REFERENCE_MACHINE}; nothing alike was run here yet")),
    };
    Some(Forecast {
        seconds: seconds * ratio,
        peak_bytes: Some(PROCESS_BYTES + 2 * shape.n_bytes() + peak_bytes),
        basis,
    })
}

/// Resident memory of a process besides the tables of one stage.
const PROCESS_BYTES: u64 = 64 << 20;

/// Same parameters, of which only numbers may differ in value.
fn are_alike(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let alike = |one: &Value, other: &Value| match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.is_i64() == other.is_i64(),
        (one, other) => one == other,
    };
    one.len() == other.len()
        && one.iter().all(|(name, value)| other.get(name).is_some_and(|o| alike(value, o)))
}

#[cfg(test)]
mod tests {
    use super::super::svm;
    use super::*;
    use crate::data::ImageShape;
    use approx::assert_relative_eq;

    fn shape(n_train: usize) -> TableShape {
        let image = ImageShape { height: 28, width: 28, channels: 1 };
        TableShape::images(n_train, 1000, image, 10)
    }

    fn params(kernel: &str, c: f64) -> Map<String, Value> {
        let chosen = [("kernel".to_owned(), kernel.into()), ("c".to_owned(), c.into())];
        svm::SVM.params(&chosen.into_iter().collect())
    }

    fn foretell(n_train: usize, n_threads: usize, c: f64, past: &[PastRun]) -> Forecast {
        let (kind, build): (_, BuildLearner) = (&svm::SVM, svm::learner);
        let none = Map::new();
        let inputs = vec![("data", Some(shape(n_train)), &none)];
        let foreseen = Foreseen { kind, inputs, n_threads };
        of_learner(build, &params("rbf", c), &foreseen, past).unwrap()
    }

    fn past(n_train: usize, kernel: &str, c: f64, seconds: f64) -> PastRun {
        let kind = &svm::SVM;
        PastRun {
            kind: kind.name.to_owned(),
            version: kind.version,
            params: kind.result_params(&params(kernel, c)),
            inputs: vec![("data".to_owned(), Some(shape(n_train)))],
            output: None,
            n_threads: 2,
            seconds,
            peak_rss_bytes: None,
            created: String::new(),
        }
    }

    #[test]
    fn without_a_past_the_arithmetic_stands_and_says_so() {
        let forecast = foretell(10_000, 2, 10.0, &[]);
        assert!(forecast.seconds > 0.0 && forecast.basis.contains(REFERENCE_MACHINE));
        assert!(foretell(20_000, 2, 10.0, &[]).seconds > 2.0 * forecast.seconds);
        assert!(foretell(10_000, 1, 10.0, &[]).seconds > 1.5 * forecast.seconds);
    }

    #[test]
    fn runs_alike_scale_the_arithmetic() {
        let nominal = |n| foretell(n, 2, 10.0, &[]).seconds;
        let runs = [past(5_000, "rbf", 10.0, 3.0 * nominal(5_000))];
        let forecast = foretell(20_000, 2, 10.0, &runs);
        assert_relative_eq!(forecast.seconds, 3.0 * nominal(20_000), max_relative = 1e-9);
        assert!(forecast.basis.contains("5000 rows"), "{}", forecast.basis);
    }

    #[test]
    fn the_nearest_run_weighs_most() {
        let nominal = |n| foretell(n, 2, 10.0, &[]).seconds;
        let near = past(20_000, "rbf", 10.0, 2.0 * nominal(20_000));
        let far = past(1_000, "rbf", 10.0, 8.0 * nominal(1_000));
        let seconds = foretell(20_000, 2, 10.0, &[far, near]).seconds / nominal(20_000);
        assert!((2.0..2.4).contains(&seconds), "{seconds}");
    }

    #[test]
    fn runs_that_are_not_alike_teach_nothing() {
        let expected = foretell(10_000, 2, 10.0, &[]);
        let mut runs = vec![past(10_000, "linear", 10.0, 1e3)];
        let change = |change: fn(&mut PastRun)| {
            let mut run = past(10_000, "rbf", 10.0, 1e3);
            change(&mut run);
            run
        };
        runs.push(change(|run| run.version += 1));
        runs.push(change(|run| run.kind = "knn".to_owned()));
        runs.push(change(|run| run.seconds = 0.0));
        runs.push(change(|run| run.inputs.clear()));
        runs.push(change(|run| run.inputs[0].1 = None));
        runs.push(change(|run| run.inputs[0].1 = Some(TableShape { is_bytes: false, ..shape(9) })));
        // A file that was changed by hand may hold anything.
        runs.push(change(|run| run.params["c"] = "ten".into()));
        runs.push(change(|run| run.params["c"] = Value::Null));
        runs.push(change(|run| run.params["tol"] = (-1.0).into()));
        runs.push(change(|run| drop(run.params.remove("kernel"))));
        runs.push(change(|run| drop(run.params.insert("more".to_owned(), 1.into()))));
        assert_eq!(foretell(10_000, 2, 10.0, &runs), expected);
    }
}
