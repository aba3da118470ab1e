//! Engines and Pythons made up for the purpose: what is run, foretold, skipped and said.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, json};

use super::engine::{BenchEngine, Failure, Run, Variant};
use super::python::PythonEngine;
use super::schedule::*;
use super::*;
use crate::data::garments;
use crate::progress::{Progress, Silent};
use crate::report::{BenchCell, CellStatus, NATIVE};

/// Takes `seconds(n_train)`, or fails.
struct Made<'a> {
    name: &'static str,
    seconds: fn(usize) -> Result<f64, Failure>,
    calls: &'a RefCell<Vec<(&'static str, usize)>>,
}

impl BenchEngine for Made<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> String {
        String::new()
    }

    fn run(
        &mut self,
        _: &Variant,
        n_train: usize,
        _: Duration,
        _: &dyn Progress,
    ) -> Result<Run, Failure> {
        self.calls.borrow_mut().push((self.name, n_train));
        let fit_seconds = (self.seconds)(n_train)?;
        Ok(Run { fit_seconds, ..a_run() })
    }
}

fn a_run() -> Run {
    Run {
        fit_seconds: 1.0,
        fit_cpu_seconds: 1.0,
        predict_seconds: 0.5,
        predict_cpu_seconds: 0.5,
        n_right: 80,
        peak_rss_bytes: None,
        peak_growth_bytes: None,
        warning: None,
        details: Map::new(),
    }
}

/// Runs two engines on sizes 100, 200, 400, 800, twice each.
fn bench(
    native: fn(usize) -> Result<f64, Failure>,
    other: fn(usize) -> Result<f64, Failure>,
) -> (Result<Findings, BenchError>, Vec<(&'static str, usize)>) {
    let calls = RefCell::new(Vec::new());
    let engine = |name, seconds| -> Box<dyn BenchEngine + '_> {
        Box::new(Made { name, seconds, calls: &calls })
    };
    let mut subject = Subject {
        name: "svm",
        kind: crate::stage::LEARNERS[0].0,
        variant: "kernel",
        parameters: Map::new(),
        variants: vec![Variant { name: "rbf".to_owned(), params: Map::new() }],
        engines: vec![engine(NATIVE, native), engine("other", other)],
    };
    let options = Options {
        sizes: vec![100, 200, 400, 800],
        repeats: 2,
        limit: Duration::from_secs(9),
        n_test: 100,
    };
    let found = run(&mut subject, &options, &Silent, &|_| ());
    drop(subject);
    (found, calls.into_inner())
}

fn square(n: usize) -> Result<f64, Failure> {
    Ok(1e-4 * (n * n) as f64)
}

fn of<'a>(findings: &'a Findings, engine: &str) -> Vec<&'a BenchCell> {
    findings.cells.iter().filter(|cell| cell.engine == engine).collect()
}

#[test]
fn engines_take_turns_after_one_fit_that_is_not_recorded() {
    let (found, calls) = bench(square, square);
    let at_100: Vec<&str> =
        calls.iter().filter(|(_, n)| *n == 100).map(|(engine, _)| *engine).collect();
    assert_eq!(at_100, [NATIVE, "other", NATIVE, "other", NATIVE, "other"]);
    assert_eq!(calls.iter().filter(|(_, n)| *n == 200).count(), 4);
    for cell in found.unwrap().cells {
        assert_eq!(cell.measured.unwrap().fit_seconds.runs.len(), 2);
    }
}

#[test]
fn larger_sizes_are_foretold_by_the_law_of_the_smaller() {
    let findings = bench(square, square).0.unwrap();
    let native = of(&findings, NATIVE);
    assert_eq!(native[0].forecast, None);
    assert_eq!(native[1].forecast, None);
    for (cell, from) in [(native[2], &[100, 200][..]), (native[3], &[100, 200, 400])] {
        let forecast = cell.forecast.as_ref().unwrap();
        let n = cell.n_train as f64;
        approx::assert_relative_eq!(forecast.seconds, 1e-4 * n * n, max_relative = 1e-9);
        assert_eq!(forecast.from, from);
        let [lo, hi] = forecast.ci95.unwrap();
        assert!(lo <= forecast.seconds && forecast.seconds <= hi);
    }
    let curve = &findings.curves[0];
    approx::assert_relative_eq!(curve.exponent, 2.0, max_relative = 1e-9);
    assert_eq!(curve.sizes, [100, 200, 400, 800]);
}

#[test]
fn an_engine_over_the_limit_is_not_tried_on_larger_sizes_but_foretold() {
    let slow = |n| if n < 400 { square(n) } else { Err(Failure::OverLimit) };
    let (found, calls) = bench(square, slow);
    let findings = found.unwrap();
    let other = of(&findings, "other");
    let status: Vec<CellStatus> = other.iter().map(|cell| cell.status).collect();
    use CellStatus::*;
    assert_eq!(status, [Measured, Measured, OverLimit, Skipped]);
    assert_eq!(calls.iter().filter(|call| **call == ("other", 400)).count(), 1);
    assert!(!calls.contains(&("other", 800)));
    let forecast = other[3].forecast.as_ref().unwrap();
    assert_eq!(forecast.from, [100, 200]);
    approx::assert_relative_eq!(forecast.seconds, 64.0, max_relative = 1e-9);
    assert!(of(&findings, NATIVE).iter().all(|cell| cell.status == Measured));
}

#[test]
fn an_engine_that_fails_says_why_and_leaves_the_others_alone() {
    let broken = |_| Err(Failure::Refused("no such module".to_owned()));
    let findings = bench(square, broken).0.unwrap();
    let other = of(&findings, "other");
    assert_eq!(other[0].status, CellStatus::Failed);
    assert_eq!(other[0].reason.as_deref(), Some("no such module"));
    assert!(other[1..].iter().all(|cell| cell.status == CellStatus::Skipped));
    assert!(of(&findings, NATIVE).iter().all(|cell| cell.measured.is_some()));
    assert_eq!(findings.curves.len(), 1);
}

#[test]
fn ratios_are_relative_to_the_native_engine() {
    let findings = bench(square, |n| Ok(3.0 * square(n)?)).0.unwrap();
    for (engine, expected) in [(NATIVE, 1.0), ("other", 3.0)] {
        for cell in of(&findings, engine) {
            let ratio = cell.measured.as_ref().unwrap().fit_ratio.unwrap();
            approx::assert_relative_eq!(ratio, expected, max_relative = 1e-12);
        }
    }
    let broken = |_| Err(Failure::OverLimit);
    let findings = bench(broken, square).0.unwrap();
    let ratios = of(&findings, "other").into_iter().map(|c| c.measured.as_ref().unwrap().fit_ratio);
    assert!(ratios.flatten().next().is_none(), "relative to what?");
}

#[test]
fn an_interruption_ends_the_bench() {
    let (found, calls) = bench(square, |_| Err(Failure::Interrupted));
    assert!(matches!(found, Err(BenchError::Interrupted)));
    assert_eq!(calls.len(), 2);
}

#[test]
fn sizes_are_sorted_and_those_the_data_cannot_give_are_refused() {
    assert_eq!(check_sizes(&[50, 20, 50], "d", 60, 10).unwrap(), [20, 50]);
    for size in [0, 19, 61] {
        let error = check_sizes(&[30, size], "d", 60, 10).unwrap_err();
        assert!(error.is_usage() && error.hint().is_some());
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }
}

#[test]
fn a_fit_in_this_process_ends_at_the_limit() {
    let data = BenchData::new(garments::generate(400, 20, 1), 1);
    let fixed = Map::from_iter([("c".to_owned(), json!(1.0))]);
    let mut subject = SVM.subject(&["rbf".to_owned()], &fixed, vec![Engine::Native], &data, 1);
    let mut run = |limit| subject.engines[0].run(&subject.variants[0], 400, limit, &Silent);
    assert_eq!(run(Duration::ZERO), Err(Failure::OverLimit));
    let done = run(Duration::from_secs(600)).unwrap();
    assert!(done.fit_seconds > 0.0 && done.n_right > 2 && done.details.contains_key("n_support"));
}

const LIBRARY: Library = Library { engine: "scikit-learn", root: "sklearn" };

/// A Python that is a shell script. Written by another process: a file that this one has open for
/// writing could not be run.
#[cfg(unix)]
fn script(place: &Path, body: &str) -> PathBuf {
    let path = place.join("python");
    let mut writer = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod +x \"$0\""])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    write!(writer.stdin.take().unwrap(), "#!/bin/sh\n{body}\n").unwrap();
    assert!(writer.wait().unwrap().success());
    path
}

const HELLO: &str = r#"echo '{"python": "3", "libraries": {"sklearn": {"version": "1.0"}}}'"#;
const ANSWERS: &str = r#"
echo '{"done": "fit", "seconds": 1.5, "cpu_seconds": 2.5}'
echo '{"done": "predict", "seconds": 0.5, "cpu_seconds": 0.75, "n_right": 7, "details": {"n_support": 3}}'"#;

/// What asking such a Python so often gives.
#[cfg(unix)]
fn ask<const N: usize>(body: &str, limit: Duration) -> [Result<Run, Failure>; N] {
    let place = tempfile::tempdir().unwrap();
    let path = script(place.path(), &body.replace("PLACE", &place.path().display().to_string()));
    let data = BenchData::new(garments::generate(40, 10, 1), 1);
    let python = Python::start(&path, &[LIBRARY], &data, 1, &Silent).unwrap();
    let mut engine = PythonEngine {
        python: Rc::new(RefCell::new(python)),
        library: LIBRARY,
        estimator: ("svm", "SVC"),
        arguments: |_| json!({}),
    };
    let variant = Variant { name: "rbf".to_owned(), params: Map::new() };
    [(); N].map(|()| engine.run(&variant, 40, limit, &Silent))
}

#[cfg(unix)]
#[test]
fn answers_of_a_python_are_its_figures() {
    let [first, second] =
        ask(&format!("{HELLO}\nwhile read line; do {ANSWERS}\ndone"), Duration::from_secs(60));
    let run = first.unwrap();
    assert_eq!((run.fit_seconds, run.predict_seconds, run.n_right), (1.5, 0.5, 7));
    assert_eq!(run.details["n_support"], 3);
    assert!(second.is_ok());
}

#[cfg(unix)]
#[test]
fn a_missing_module_is_said_in_pythons_words() {
    let hello = HELLO.replace(r#""version": "1.0""#, r#""error": "No module named sklearn""#);
    let [found] = ask(&format!("{hello}\ncat >/dev/null"), Duration::from_secs(60));
    assert_eq!(found, Err(Failure::Refused("No module named sklearn".to_owned())));
}

#[cfg(unix)]
#[test]
fn a_crash_is_said_with_its_last_words_and_the_next_fit_gets_a_new_python() {
    let body = format!(
        "{HELLO}\nread line\nif [ ! -e PLACE/tried ]; then touch PLACE/tried; \
         echo 'out of memory' >&2; exit 3; fi{ANSWERS}\ncat >/dev/null"
    );
    let [first, second] = ask(&body, Duration::from_secs(60));
    let Err(Failure::Refused(reason)) = first else { panic!("{first:?}") };
    assert!(reason.contains("out of memory") && reason.contains('3'), "{reason}");
    assert!(second.is_ok(), "{second:?}");
}

#[cfg(unix)]
#[test]
fn a_python_that_takes_too_long_is_ended() {
    let body = format!("{HELLO}\nread line\nexec sleep 600");
    let found = ask(&body, Duration::from_millis(300));
    assert_eq!(found, [Err(Failure::OverLimit), Err(Failure::OverLimit)]);
}

#[cfg(unix)]
#[test]
fn an_error_and_an_answer_that_is_none_are_refusals() {
    for (answer, expected) in [
        (r#"echo '{"error": "ValueError: C"}'"#, "ValueError: C"),
        ("echo Traceback", "Traceback"),
        (r#"echo '{"done": "fit"}'; echo '{"done": "predict"}'"#, "seconds"),
    ] {
        let body = format!("{HELLO}\nread line\n{answer}\ncat >/dev/null");
        let [found] = ask(&body, Duration::from_secs(60));
        let Err(Failure::Refused(reason)) = found else { panic!("{found:?}") };
        assert!(reason.contains(expected), "{reason}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_python_is_refused_before_anything_runs() {
    let place = tempfile::tempdir().unwrap();
    let data = BenchData::new(garments::generate(40, 10, 1), 1);
    let start = |path: &Path| {
        Python::start(path, &[LIBRARY], &data, 1, &Silent).err().expect("it is no Python")
    };
    let error = start(&place.path().join("nothing"));
    assert!(matches!(error, BenchError::NoPython { .. }), "{error}");
    for body in ["exit 0", "echo hello", "echo '{}'"] {
        let error = start(&script(place.path(), body));
        assert!(matches!(error, BenchError::NotPython { .. }) && error.is_usage(), "{error}");
    }
}
