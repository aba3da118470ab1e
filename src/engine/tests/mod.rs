//! The engine with small arithmetic stages in place of real ones.

mod plans;
mod runs;
mod trouble;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{Array2, array};
use serde_json::{Map, Value};

use super::*;
use crate::cache::Store;
use crate::config::{Overrides, StageSpec};
use crate::data::{Features, ImageInput, ImageShape, Labels, TensorFileError};
use crate::model::Chain;
use crate::stage::{
    Accepts, Artifact, ArtifactType, Condition, Context, FeatureTable, Field, InputSpec, Inputs,
    Kind, Output, Stage, StageError,
};

type Compute = fn(&Map<String, Value>, &Inputs, &Context) -> Result<Output, StageError>;

struct Arithmetic {
    params: Map<String, Value>,
    compute: Compute,
}

impl Stage for Arithmetic {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        (self.compute)(&self.params, inputs, context)
    }
}

fn number(params: &Map<String, Value>, name: &str) -> f32 {
    params[name].as_f64().unwrap() as f32
}

fn output(rows: Array2<f32>) -> Output {
    let table = FeatureTable {
        train: Features::Floats(rows),
        test: Features::Floats(Array2::zeros((0, 0))),
        train_labels: Labels::zeros(0),
        test_labels: Labels::zeros(0),
        description: String::new(),
        network: String::new(),
        chain: Chain::pixels(ImageInput {
            shape: ImageShape { height: 1, width: 1, channels: 1 },
            class_names: Vec::new(),
            steps: Vec::new(),
        }),
    };
    Output { artifact: Artifact::Features(table), reusable: true, notes: Map::new() }
}

fn value(artifact: &Artifact) -> f32 {
    match artifact {
        Artifact::Features(FeatureTable { train: Features::Floats(rows), .. }) => rows[[0, 0]],
        _ => panic!("the stages of these tests make single numbers"),
    }
}

fn build(params: &Map<String, Value>, compute: Compute) -> Box<dyn Stage> {
    Box::new(Arithmetic { params: params.clone(), compute })
}

const fn field(name: &'static str, accepts: Accepts, default: Option<&'static str>) -> Field {
    Field { name, doc: "a parameter", accepts, default, read_if: None }
}

const fn input(many: bool) -> InputSpec {
    InputSpec {
        name: "from",
        accepts: &[ArtifactType::Features],
        many,
        required: true,
        doc: "numbers",
    }
}

const ANY: Accepts = Accepts::Number { min: f64::MIN, max: f64::MAX, above_min: false };

const KIND: Kind = Kind {
    name: "",
    doc: "Arithmetic.",
    version: 1,
    seeded: false,
    inputs: &[],
    fields: &[],
    cost_only: &[],
    produces: ArtifactType::Features,
    build: |_| unreachable!("every kind replaces this"),
};

static SOURCE: Kind = Kind {
    name: "source",
    fields: &[field("value", ANY, Some("1"))],
    build: |params| build(params, |params, _, _| Ok(output(array![[number(params, "value")]]))),
    ..KIND
};

/// Reads a number from a file that may change.
static FILE: Kind = Kind {
    name: "file",
    fields: &[field("path", Accepts::Text, None)],
    build: |params| {
        build(params, |params, _, _| {
            let path = params["path"].as_str().unwrap();
            let text = std::fs::read_to_string(path).map_err(TensorFileError::Io)?;
            Ok(Output { reusable: false, ..output(array![[text.trim().parse().unwrap()]]) })
        })
    },
    ..KIND
};

static SEEDED: Kind = Kind {
    name: "seeded",
    seeded: true,
    build: |params| build(params, |_, _, context| Ok(output(array![[context.seed as f32]]))),
    ..KIND
};

static SCALE_FIELDS: [Field; 4] = [
    field("factor", ANY, Some("2")),
    field("mode", Accepts::Choice(&["plain", "clamped"]), Some("\"plain\"")),
    Field {
        read_if: Some(Condition { field: "mode", is_one_of: &["clamped"] }),
        ..field("limit", ANY, Some("100"))
    },
    field("buffer", ANY, Some("1")),
];

static SCALE: Kind = Kind {
    name: "scale",
    inputs: &[input(false)],
    fields: &SCALE_FIELDS,
    cost_only: &["buffer"],
    build: |params| {
        build(params, |params, inputs, _| {
            let scaled = value(&inputs.one("from").artifact) * number(params, "factor");
            let limit = params.get("limit").and_then(Value::as_f64).unwrap_or(f64::INFINITY);
            Ok(output(array![[scaled.min(limit as f32)]]))
        })
    },
    ..KIND
};

static SIGN: Kind = Kind {
    name: "sign",
    inputs: &[input(false)],
    build: |params| {
        build(params, |_, inputs, _| {
            Ok(output(array![[value(&inputs.one("from").artifact).signum()]]))
        })
    },
    ..KIND
};

static SUM: Kind = Kind {
    name: "sum",
    inputs: &[input(true)],
    build: |params| {
        build(params, |_, inputs, _| {
            Ok(output(array![[inputs.all("from").map(|one| value(&one.artifact)).sum()]]))
        })
    },
    ..KIND
};

static COUNT_FIELDS: [Field; 2] = [
    field("step_ms", Accepts::Integer { min: 0, max: 1000 }, Some("0")),
    field("hold", Accepts::Text, Some("\"\"")),
];

/// Counts to ten with a checkpoint after each step, as training does; stays at step 3 for as long
/// as the file `hold` exists.
static COUNT: Kind = Kind {
    name: "count",
    fields: &COUNT_FIELDS,
    build: |params| {
        build(params, |params, _, context| {
            let hold = params["hold"].as_str().unwrap();
            let pause = std::time::Duration::from_millis(params["step_ms"].as_u64().unwrap());
            let checkpoint = context.scratch.join("checkpoint");
            let start = std::fs::read_to_string(&checkpoint).map_or(0, |t| t.parse().unwrap());
            for step in start..10 {
                context.progress.update(step, 10, "");
                if context.progress.interrupted() {
                    return Err(StageError::Interrupted);
                }
                while step == 3 && std::path::Path::new(hold).exists() {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                std::thread::sleep(pause);
                std::fs::write(&checkpoint, (step + 1).to_string()).map_err(TensorFileError::Io)?;
            }
            Ok(output(array![[10.0]]))
        })
    },
    ..KIND
};

static FAIL: Kind = Kind {
    name: "fail",
    inputs: &[input(false)],
    build: |params| {
        build(params, |_, _, _| Err(TensorFileError::Malformed("on purpose".to_owned()).into()))
    },
    ..KIND
};

static KINDS: [&Kind; 8] = [&SOURCE, &FILE, &SEEDED, &SCALE, &SIGN, &SUM, &COUNT, &FAIL];

/// `a ─▶ b ─▶ c`, and `d` from `b` and `c`.
const DIAMOND: &str = r#"
name = "demo"
[stage.a]
kind = "source"
value = 3
[stage.b]
kind = "scale"
inputs = { from = "a" }
[stage.c]
kind = "sign"
inputs = { from = "b" }
[stage.d]
kind = "sum"
inputs = { from = ["b", "c"] }
"#;

fn pipeline(text: &str, set: &[&str]) -> Pipeline {
    let set = set.iter().map(|&set| set.to_owned()).collect();
    let overrides = Overrides { set, ..Overrides::default() };
    Pipeline::parse(text, "demo.toml", &KINDS, &overrides).unwrap()
}

/// Writes down what the engine says; interrupts once `interrupt` is set.
#[derive(Default)]
struct Recorder {
    started: Mutex<Vec<String>>,
    warnings: Mutex<Vec<String>>,
    interrupt: AtomicBool,
    /// Interrupt as soon as a stage reports this many units.
    interrupt_at: Option<u64>,
}

impl Observer for Recorder {
    fn stage_started(&self, stage: &StageSpec) {
        self.started.lock().unwrap().push(stage.id.clone());
    }

    fn stage_waiting(&self, _stage: &StageSpec) {}

    fn progress(&self, _stage: &str, done: u64, _total: u64, _note: &str) {
        if Some(done) == self.interrupt_at {
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }

    fn stage_finished(&self, _stage: &StageJournal) {}

    fn warning(&self, _stage: &str, message: &str) {
        self.warnings.lock().unwrap().push(message.to_owned());
    }

    fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

/// What a run did.
struct Ran {
    /// Stages that computed, in order, repeats included.
    started: String,
    warnings: Vec<String>,
    /// The number that the last stage made.
    value: f32,
    journal: Vec<StageJournal>,
}

fn try_run(store: &Store, pipeline: &Pipeline, force: Force) -> Result<Ran, EngineError> {
    let recorder = Recorder::default();
    let options = RunOptions { force, ..RunOptions::default() };
    let mut outcome = run(pipeline, store, &options, &recorder)?;
    let last = &pipeline.stages.last().unwrap().id;
    let artifact = outcome.artifact(last)?;
    let value = value(&artifact);
    let journal = outcome.stages();
    let started = recorder.started.lock().unwrap().join(" ");
    let warnings = recorder.warnings.into_inner().unwrap();
    Ok(Ran { started, warnings, value, journal })
}

fn run_with(store: &Store, text: &str, set: &[&str]) -> Ran {
    try_run(store, &pipeline(text, set), Force::Nothing).unwrap()
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// The object of a stage.
fn object(store: &Store, ran: &Ran, id: &str) -> std::path::PathBuf {
    let journal = ran.journal.iter().find(|journal| journal.id == id).unwrap();
    store.object_path(&journal.digest)
}

/// Changes the last byte of a file, so that its size stays.
fn flip(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
}
