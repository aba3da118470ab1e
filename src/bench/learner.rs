//! Which learners can be compared, and what their engines are called elsewhere.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::data::BenchData;
use super::engine::{BenchEngine, Variant};
use super::in_process::InProcess;
use super::python::{Library, Python, PythonEngine};
use super::schedule::Subject;
use crate::stage::LEARNERS;

/// scikit-learn.
pub const SCIKIT_LEARN: Library = Library { engine: "scikit-learn", root: "sklearn" };

/// scikit-learn-intelex (oneDAL).
pub const INTELEX: Library = Library { engine: "scikit-learn-intelex", root: "sklearnex" };

/// Kernel cache of scikit-learn, the size that ours has by default.
const PEER_CACHE_MIB: u32 = 1024;

/// A learner that several libraries have.
pub struct BenchLearner {
    /// Name of the subcommand and of the report's directory (`bench_svm`).
    pub name: &'static str,
    /// Kind of stage.
    kind: &'static str,
    /// Parameter that the variants differ in.
    pub variant: &'static str,
    /// Parameters that all variants share, for the report.
    shared: &'static [&'static str],
    /// Value of `engine` that stands for linfa; none if the kind has ours alone.
    linfa: Option<&'static str>,
    /// Module and class of scikit-learn.
    estimator: (&'static str, &'static str),
    /// Parameters of the kind to keyword arguments of the class.
    arguments: fn(&Map<String, Value>) -> Value,
}

/// Support vector machines: by kernel.
pub const SVM: BenchLearner = BenchLearner {
    name: "svm",
    kind: "svm",
    variant: "kernel",
    shared: &["c", "gamma", "tol", "max_iter"],
    linfa: Some("linfa"),
    estimator: ("svm", "SVC"),
    arguments: |params| {
        // scikit-learn's words are ours but for the size of C and for no limit of iterations, which
        // is -1 in both.
        let names = ["kernel", "gamma", "degree", "coef0", "tol", "max_iter"];
        let mut arguments = taken(params, &names);
        arguments.insert("C".to_owned(), params.get("c").cloned().unwrap_or(json!(1.0)));
        arguments.insert("cache_size".to_owned(), json!(PEER_CACHE_MIB));
        Value::Object(arguments)
    },
};

/// k nearest neighbours, by metric; peers search exhaustively too.
pub const KNN: BenchLearner = BenchLearner {
    name: "knn",
    kind: "knn",
    variant: "metric",
    shared: &["n_neighbors", "weights"],
    linfa: Some("linfa_kd_tree"),
    estimator: ("neighbors", "KNeighborsClassifier"),
    arguments: |params| {
        let mut arguments = taken(params, &["n_neighbors", "weights", "metric"]);
        arguments.insert("algorithm".to_owned(), json!("brute"));
        Value::Object(arguments)
    },
};

/// Random forests, by criterion.
pub const FOREST: BenchLearner = BenchLearner {
    name: "forest",
    kind: "random_forest",
    variant: "criterion",
    shared: &["n_estimators", "max_features"],
    linfa: None,
    estimator: ("ensemble", "RandomForestClassifier"),
    arguments: |params| {
        let names = ["n_estimators", "criterion", "max_depth", "min_samples_leaf"];
        let mut arguments = taken(params, &names);
        arguments.insert("n_jobs".to_owned(), json!(-1));
        arguments.insert("random_state".to_owned(), json!(0));
        Value::Object(arguments)
    },
};

/// An engine by name.
pub enum Engine {
    /// Ours.
    Native,
    /// linfa's.
    Linfa,
    /// A library of the Python that is named.
    Peer(Library, Rc<RefCell<Python>>),
}

impl BenchLearner {
    /// Whether linfa's is among the engines.
    pub fn has_linfa(&self) -> bool {
        self.linfa.is_some()
    }

    /// Values of the parameter that varies, by engines.
    ///
    /// # Panics
    /// If no kind of stage fits this learner, or linfa is asked for where it is not.
    pub fn subject<'a>(
        &'static self,
        values: &[String],
        fixed: &Map<String, Value>,
        engines: Vec<Engine>,
        data: &'a BenchData,
        seed: u64,
    ) -> Subject<'a> {
        let (kind, build) = LEARNERS
            .iter()
            .find(|(kind, _)| kind.name == self.kind)
            .unwrap_or_else(|| panic!("no kind `{}` fits a learner", self.kind));
        let mut variants: Vec<Variant> = Vec::new();
        for value in values {
            let mut chosen = fixed.clone();
            chosen.insert(self.variant.to_owned(), Value::from(value.as_str()));
            let variant = Variant { name: value.clone(), params: kind.params(&chosen) };
            if !variants.contains(&variant) {
                variants.push(variant);
            }
        }
        let in_process = |name, version: &str, value| -> Box<dyn BenchEngine + 'a> {
            let version = version.to_owned();
            let chosen_by = self.linfa.map(|_| ("engine", value));
            Box::new(InProcess { name, version, data, build: *build, chosen_by, seed })
        };
        let engines = engines.into_iter().map(|engine| match engine {
            Engine::Native => in_process("native", env!("CARGO_PKG_VERSION"), "native"),
            Engine::Linfa => in_process("linfa", "", self.linfa.expect("an engine of linfa")),
            Engine::Peer(library, python) => Box::new(PythonEngine {
                python,
                library,
                estimator: self.estimator,
                arguments: self.arguments,
            }),
        });
        let parameters = self.shared.iter().filter_map(|&name| {
            let value = variants.iter().find_map(|variant| variant.params.get(name));
            Some((name.to_owned(), value?.clone()))
        });
        let (parameters, engines) = (parameters.collect(), engines.collect());
        Subject { name: self.name, kind, variant: self.variant, parameters, variants, engines }
    }
}

fn taken(params: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let of = |&name: &&str| Some((name.to_owned(), params.get(name)?.clone()));
    names.iter().filter_map(of).collect()
}
