//! Engines in one Python process, which loads the data once and fits on request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::data::BenchData;
use super::engine::{BenchEngine, Failure, Run, Variant};
use super::error::BenchError;
use crate::progress::Progress;

const SCRIPT: &str = include_str!("peer.py");

/// Between two looks at whether the user asked to stop.
const TICK: Duration = Duration::from_millis(100);

/// Importing the libraries and loading the data takes seconds; more than this is a hang.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A Python package whose estimators are engines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Library {
    /// Name of the engine, such as `scikit-learn`.
    pub engine: &'static str,
    /// Package to import, such as `sklearn`.
    pub root: &'static str,
}

/// A Python and the process that runs in it; started anew after a crash or a time-out.
pub struct Python {
    path: PathBuf,
    /// Holds the script and the data.
    place: TempDir,
    libraries: Vec<Library>,
    n_threads: usize,
    /// Version of each root, or why it cannot be imported.
    found: HashMap<String, Result<String, String>>,
    process: Option<Process>,
}

impl Python {
    /// Writes the data, starts `path` and hears which libraries it has.
    ///
    /// # Errors
    /// If it cannot be started, says nothing a Python would say, or the user asked to stop.
    pub fn start(
        path: &Path,
        libraries: &[Library],
        data: &BenchData,
        n_threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, BenchError> {
        let place = TempDir::new().map_err(BenchError::Scratch)?;
        std::fs::write(place.path().join("peer.py"), SCRIPT)
            .and_then(|()| data.write_npy(place.path()))
            .map_err(BenchError::Scratch)?;
        let mut python = Python {
            path: path.to_owned(),
            place,
            libraries: libraries.to_vec(),
            n_threads,
            found: HashMap::new(),
            process: None,
        };
        let not_python = |reason: String| BenchError::NotPython { path: path.to_owned(), reason };
        python.launch(progress).map_err(|trouble| match trouble {
            Trouble::Start(source) => BenchError::NoPython { path: path.to_owned(), source },
            Trouble::Failure(Failure::Interrupted) => BenchError::Interrupted,
            Trouble::Failure(Failure::Refused(reason)) => not_python(reason),
            Trouble::Failure(Failure::OverLimit) => {
                not_python(format!("no answer within {} s", START_LIMIT.as_secs()))
            }
        })?;
        Ok(python)
    }

    fn launch(&mut self, progress: &dyn Progress) -> Result<(), Trouble> {
        let mut process = Process::spawn(
            Command::new(&self.path)
                .arg(self.place.path().join("peer.py"))
                .arg(self.place.path())
                .arg(self.n_threads.to_string())
                .args(self.libraries.iter().map(|library| library.root)),
        )
        .map_err(Trouble::Start)?;
        let hello = process.answer(START_LIMIT, progress).map_err(Trouble::Failure)?;
        let Some(libraries) = hello["libraries"].as_object() else {
            let reason = format!("its first line is `{hello}`");
            return Err(Trouble::Failure(Failure::Refused(reason)));
        };
        self.found = libraries
            .iter()
            .map(|(root, state)| {
                let error = || state["error"].as_str().unwrap_or("not there").to_owned();
                (root.clone(), state["version"].as_str().map(str::to_owned).ok_or_else(error))
            })
            .collect();
        self.process = Some(process);
        Ok(())
    }

    /// Both answers to one request. After a failure the process is gone or in an unknown state, and
    /// is ended.
    fn ask(
        &mut self,
        request: &Value,
        limit: Duration,
        progress: &dyn Progress,
    ) -> Result<[Value; 2], Failure> {
        if self.process.is_none() {
            self.launch(progress).map_err(|trouble| match trouble {
                Trouble::Start(source) => Failure::Refused(source.to_string()),
                Trouble::Failure(Failure::OverLimit) => {
                    Failure::Refused("Python did not start again".to_owned())
                }
                Trouble::Failure(failure) => failure,
            })?;
        }
        let Some(mut process) = self.process.take() else {
            return Err(Failure::Refused("Python is not running".to_owned()));
        };
        let answers = process.tell(request).and_then(|()| {
            Ok([process.answer(limit, progress)?, process.answer(limit, progress)?])
        })?;
        self.process = Some(process);
        Ok(answers)
    }
}

enum Trouble {
    Start(std::io::Error),
    Failure(Failure),
}

/// An estimator of one library.
pub(super) struct PythonEngine {
    pub python: Rc<RefCell<Python>>,
    pub library: Library,
    /// Module and class, such as `("svm", "SVC")`.
    pub estimator: (&'static str, &'static str),
    /// Parameters of the stage kind to keyword arguments of the class.
    pub arguments: fn(&Map<String, Value>) -> Value,
}

impl BenchEngine for PythonEngine {
    fn name(&self) -> &str {
        self.library.engine
    }

    fn version(&self) -> String {
        let python = self.python.borrow();
        python.found.get(self.library.root).and_then(|v| v.clone().ok()).unwrap_or_default()
    }

    fn run(
        &mut self,
        variant: &Variant,
        n_train: usize,
        limit: Duration,
        progress: &dyn Progress,
    ) -> Result<Run, Failure> {
        let mut python = self.python.borrow_mut();
        if let Some(Err(error)) = python.found.get(self.library.root) {
            return Err(Failure::Refused(error.clone()));
        }
        let (module, class) = self.estimator;
        let request = json!({
            "root": self.library.root,
            "module": module,
            "class": class,
            "params": (self.arguments)(&variant.params),
            "n_train": n_train,
        });
        let [fit, predict] = python.ask(&request, limit, progress)?;
        let figure = |answer: &Value, name: &str| {
            let missing = || Failure::Refused(format!("no `{name}` in its answer `{answer}`"));
            answer[name].as_f64().ok_or_else(missing)
        };
        Ok(Run {
            fit_seconds: figure(&fit, "seconds")?,
            fit_cpu_seconds: figure(&fit, "cpu_seconds")?,
            predict_seconds: figure(&predict, "seconds")?,
            predict_cpu_seconds: figure(&predict, "cpu_seconds")?,
            n_right: figure(&predict, "n_right")? as u64,
            peak_rss_bytes: predict["peak_rss_bytes"].as_u64(),
            peak_growth_bytes: predict["peak_growth_bytes"].as_u64(),
            warning: None,
            details: predict["details"].as_object().cloned().unwrap_or_default(),
        })
    }
}

/// A running process; ended when dropped.
struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    last_words: Arc<Mutex<String>>,
}

impl Process {
    fn spawn(command: &mut Command) -> std::io::Result<Process> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(std::io::Error::other("its streams could not be opened"));
        };
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let last_words = Arc::new(Mutex::new(String::new()));
        let heard = last_words.clone();
        std::thread::spawn(move || keep_last_line(stderr, &heard));
        Ok(Process { child, stdin, lines, last_words })
    }

    fn tell(&mut self, request: &Value) -> Result<(), Failure> {
        let written = writeln!(self.stdin, "{request}").and_then(|()| self.stdin.flush());
        written.map_err(|_| self.ended())
    }

    /// The next line.
    fn answer(&mut self, limit: Duration, progress: &dyn Progress) -> Result<Value, Failure> {
        let until = Instant::now() + limit;
        loop {
            if progress.interrupted() {
                return Err(Failure::Interrupted);
            }
            match self.lines.recv_timeout(TICK) {
                Ok(line) => {
                    let answer: Value = serde_json::from_str(&line).map_err(|_| {
                        let start: String = line.chars().take(80).collect();
                        Failure::Refused(format!("it printed `{start}`, which is no answer"))
                    })?;
                    return match answer["error"].as_str() {
                        Some(error) => Err(Failure::Refused(error.to_owned())),
                        None => Ok(answer),
                    };
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= until => {
                    return Err(Failure::OverLimit);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// How it ended, in its own last words if it left any.
    fn ended(&mut self) -> Failure {
        // It closed its stdout; if it lives on, it is of no use.
        let _ = self.child.kill();
        let status = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        // The thread that listens may be a moment behind.
        std::thread::sleep(TICK);
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        Failure::Refused(match words.as_str() {
            "" => format!("it ended ({status})"),
            words => format!("it ended ({status}): {words}"),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps the last line that is not blank.
fn keep_last_line(stream: impl Read, heard: &Mutex<String>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if !line.trim().is_empty() {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) =
                line.trim().chars().take(300).collect();
        }
    }
}
