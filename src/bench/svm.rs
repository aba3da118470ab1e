//! Support vector machines: kernels, and the engines that fit them.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::data::BenchData;
use super::engine::{BenchEngine, Variant};
use super::in_process::InProcess;
use super::python::{Library, Python, PythonEngine};
use super::schedule::Subject;
use crate::stage::LEARNERS;

/// Name of the kind and of the subcommand.
pub const NAME: &str = "svm";

/// scikit-learn, whose `SVC` is LIBSVM.
pub const SCIKIT_LEARN: Library = Library { engine: "scikit-learn", root: "sklearn" };

/// scikit-learn-intelex, whose `SVC` is oneDAL.
pub const INTELEX: Library = Library { engine: "scikit-learn-intelex", root: "sklearnex" };

/// Kernel cache of scikit-learn, the size that ours has by default.
const PEER_CACHE_MIB: u32 = 1024;

/// An engine by name.
pub enum Engine {
    /// Ours.
    Native,
    /// linfa-svm.
    Linfa,
    /// A library of the Python that is named.
    Peer(Library, Rc<RefCell<Python>>),
}

/// Kernels under one C, by engines.
///
/// # Panics
/// If no kind of stage is named [`NAME`].
pub fn subject<'a>(
    kernels: &[String],
    c: f64,
    engines: Vec<Engine>,
    data: &'a BenchData,
    seed: u64,
) -> Subject<'a> {
    let (kind, build) = LEARNERS
        .iter()
        .find(|(kind, _)| kind.name == NAME)
        .unwrap_or_else(|| panic!("no kind `{NAME}` fits a learner"));
    let mut variants: Vec<Variant> = Vec::new();
    for kernel in kernels {
        let chosen = Map::from_iter([
            ("kernel".to_owned(), Value::from(kernel.as_str())),
            ("c".to_owned(), Value::from(c)),
        ]);
        let variant = Variant { name: kernel.clone(), params: kind.params(&chosen) };
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    let in_process = |name, version: &str| -> Box<dyn BenchEngine + 'a> {
        let (version, chosen_by) = (version.to_owned(), ("engine", name));
        Box::new(InProcess { name, version, data, build: *build, chosen_by, seed })
    };
    let engines = engines.into_iter().map(|engine| match engine {
        Engine::Native => in_process("native", env!("CARGO_PKG_VERSION")),
        Engine::Linfa => in_process("linfa", ""),
        Engine::Peer(library, python) => {
            Box::new(PythonEngine { python, library, estimator: ("svm", "SVC"), arguments })
        }
    });
    let shared = ["c", "gamma", "tol", "max_iter"];
    let parameters = shared.iter().filter_map(|&name| {
        let value = variants.iter().find_map(|variant| variant.params.get(name));
        Some((name.to_owned(), value?.clone()))
    });
    let parameters = parameters.collect();
    let engines = engines.collect();
    Subject { name: NAME, kind, variant: "kernel", parameters, variants, engines }
}

/// scikit-learn's words are ours but for the size of C and for no limit of iterations, which is -1
/// in both.
fn arguments(params: &Map<String, Value>) -> Value {
    let names = ["kernel", "gamma", "degree", "coef0", "tol", "max_iter"];
    let mut arguments: Map<String, Value> = names
        .iter()
        .filter_map(|&name| Some((name.to_owned(), params.get(name)?.clone())))
        .collect();
    arguments.insert("C".to_owned(), params.get("c").cloned().unwrap_or(json!(1.0)));
    arguments.insert("cache_size".to_owned(), json!(PEER_CACHE_MIB));
    Value::Object(arguments)
}
