//! Damage, failures, kills, interruption, and two processes at once.

use std::sync::Barrier;

use super::*;

#[test]
fn an_artifact_damaged_on_disk_is_made_again_when_it_is_read() {
    let (_dir, store) = open();
    let first = run_with(&store, DIAMOND, &[]);
    flip(&object(&store, &first, "b"));
    // `c` changed, so that `b` is read; `b` in turn reads `a` again.
    let ran = run_with(&store, DIAMOND, &["c.kind=scale"]);
    assert_eq!((ran.started.as_str(), ran.value), ("b c d", 18.0));
    assert!(ran.warnings[0].contains("`b` is damaged"), "{:?}", ran.warnings);
    let again = run_with(&store, DIAMOND, &["c.kind=scale"]);
    assert_eq!((again.started.as_str(), again.warnings.len()), ("", 0));
}

#[test]
fn a_chain_of_damage_is_repaired_from_its_start() {
    let (_dir, store) = open();
    let first = run_with(&store, DIAMOND, &[]);
    for id in ["a", "b", "c", "d"] {
        flip(&object(&store, &first, id));
    }
    // The last stage is read by the caller.
    let ran = run_with(&store, DIAMOND, &[]);
    assert_eq!((ran.started.as_str(), ran.value), ("a b c d", 7.0));
    assert_eq!(ran.warnings.len(), 4, "{:?}", ran.warnings);
}

#[test]
fn removed_and_unreadable_entries_are_made_again() {
    let (_dir, store) = open();
    let first = run_with(&store, DIAMOND, &[]);
    std::fs::remove_file(object(&store, &first, "c")).unwrap();
    for entry in std::fs::read_dir(store.root().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("\"source\"") {
            std::fs::write(&path, &text[..20]).unwrap();
        }
    }
    let ran = run_with(&store, DIAMOND, &[]);
    assert_eq!((ran.started.as_str(), ran.value), ("a c", 7.0));
    assert_eq!(ran.warnings.len(), 2, "{:?}", ran.warnings);
}

#[test]
fn a_whole_object_of_another_format_is_made_again() {
    let (_dir, store) = open();
    let first = run_with(&store, DIAMOND, &[]);
    let path = object(&store, &first, "d");
    // The right digest for bytes that are no artifact, as a program of another version might leave.
    let bytes = b"not a tensor file";
    let digest = blake3::hash(bytes).to_hex().to_string();
    std::fs::write(store.object_path(&digest), bytes).unwrap();
    let old = path.file_name().unwrap().to_str().unwrap();
    for entry in std::fs::read_dir(store.root().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains(&format!("\"digest\": \"{old}\"")) {
            let n_bytes = std::fs::metadata(store.object_path(old)).unwrap().len();
            let text = text
                .replace(old, &digest)
                .replace(&format!("\"bytes\": {n_bytes}"), &format!("\"bytes\": {}", bytes.len()));
            std::fs::write(&path, text).unwrap();
        }
    }
    let ran = run_with(&store, DIAMOND, &[]);
    assert_eq!((ran.started.as_str(), ran.value), ("d", 7.0));
}

#[test]
fn a_failing_stage_is_named_and_what_came_before_is_kept() {
    let (_dir, store) = open();
    let text = format!("{DIAMOND}[stage.e]\nkind = \"fail\"\ninputs = {{ from = \"d\" }}\n");
    let error = try_run(&store, &pipeline(&text, &[]), Force::Nothing).err().unwrap();
    assert!(error.to_string().starts_with("stage `e` failed: "), "{error}");
    assert_eq!(run_with(&store, DIAMOND, &[]).started, "");
}

#[test]
fn an_interrupted_stage_goes_on_from_its_checkpoint() {
    let (_dir, store) = open();
    let text = "name = 'x'\n[stage.slow]\nkind = 'count'\n";
    let slow = pipeline(text, &[]);
    let options = RunOptions::default();
    let recorder = Recorder { interrupt_at: Some(4), ..Recorder::default() };
    let error = run(&slow, &store, &options, &recorder).err().unwrap();
    assert!(matches!(&error, EngineError::Interrupted { stage } if stage == "slow"), "{error}");
    // Were it to start from the first step, it would be interrupted at step 2.
    let recorder = Recorder { interrupt_at: Some(2), ..Recorder::default() };
    assert!(run(&slow, &store, &options, &recorder).is_ok());
    let scratch = store.root().join("scratch");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "removed once stored");
}

#[test]
fn forcing_does_not_go_on_from_a_checkpoint() {
    let (_dir, store) = open();
    let slow = pipeline("name = 'x'\n[stage.slow]\nkind = 'count'\n", &[]);
    let options = RunOptions::default();
    let recorder = Recorder { interrupt_at: Some(4), ..Recorder::default() };
    assert!(run(&slow, &store, &options, &recorder).is_err());
    let options = RunOptions { force: Force::All, ..options };
    let recorder = Recorder { interrupt_at: Some(2), ..Recorder::default() };
    assert!(run(&slow, &store, &options, &recorder).is_err(), "step 2 is done again");
}

#[test]
fn what_a_killed_process_leaves_is_cleared_and_its_checkpoint_used() {
    let (dir, store) = open();
    let text = "name = 'x'\n[stage.slow]\nkind = 'count'\n";
    let slow = pipeline(text, &[]);
    let key = provenance::of(&slow.stages[0], slow.seed, |_| None).unwrap().key();
    let half = store.root().join("tmp").join(format!("{key}.1.2.3"));
    std::fs::write(&half, "half an artif").unwrap();
    let scratch = store.root().join("scratch").join(&key);
    std::fs::create_dir_all(&scratch).unwrap();
    std::fs::write(scratch.join("checkpoint"), "7").unwrap();
    std::fs::write(store.root().join("locks").join(&key), "").unwrap();

    let store = Store::open(dir.path()).unwrap();
    assert!(!half.exists());
    let recorder = Recorder { interrupt_at: Some(6), ..Recorder::default() };
    assert!(run(&slow, &store, &RunOptions::default(), &recorder).is_ok());
}

/// A count that holds at step 3 while the file `hold` is in `dir`.
fn held_count(dir: &std::path::Path) -> String {
    let hold = dir.join("hold");
    format!("name = 'x'\n[stage.slow]\nkind = 'count'\nhold = '{}'\n", hold.display())
}

/// The part of the next test that is killed; does nothing by itself.
#[test]
fn counts_where_the_environment_says() {
    if let Some(dir) = std::env::var_os("PIPELINE_TEST_KILLED_CACHE") {
        let dir = std::path::PathBuf::from(dir);
        run_with(&Store::open(&dir).unwrap(), &held_count(&dir), &[]);
    }
}

#[test]
fn a_killed_process_loses_at_most_the_running_stage() {
    let (dir, store) = open();
    let hold = dir.path().join("hold");
    std::fs::write(&hold, "").unwrap();
    let held = pipeline(&held_count(dir.path()), &[]);
    let key = provenance::of(&held.stages[0], held.seed, |_| None).unwrap().key();
    let checkpoint = store.root().join("scratch").join(&key).join("checkpoint");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine::tests::trouble::counts_where_the_environment_says"])
        .env("PIPELINE_TEST_KILLED_CACHE", dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !std::fs::read_to_string(&checkpoint).is_ok_and(|step| step == "3") {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(store.lock(&key, &mut || false).is_err(), "the child holds the key");
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&hold).unwrap();

    // Were it to start from the first step, it would be interrupted at step 2.
    let recorder = Recorder { interrupt_at: Some(2), ..Recorder::default() };
    let options = RunOptions::default();
    let outcome = run(&held, &store, &options, &recorder).unwrap();
    assert_eq!(outcome.stages()[0].status, Status::Ran);
}

#[test]
fn two_processes_at_once_share_the_work() {
    let (dir, _store) = open();
    let text = "name = 'x'\n[stage.slow]\nkind = 'count'\nstep_ms = 20\n\
                [stage.after]\nkind = 'scale'\ninputs = { from = 'slow' }\n";
    let barrier = Barrier::new(4);
    let started: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let store = Store::open(dir.path()).unwrap();
                    barrier.wait();
                    let ran = run_with(&store, text, &[]);
                    assert_eq!(ran.value, 20.0);
                    ran.started
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut ran: Vec<&str> = started.iter().flat_map(|ids| ids.split_whitespace()).collect();
    ran.sort_unstable();
    assert_eq!(ran, ["after", "slow"], "{started:?}");
}

#[test]
fn waiting_for_another_process_can_be_interrupted() {
    let (_dir, store) = open();
    let slow = pipeline("name = 'x'\n[stage.slow]\nkind = 'count'\n", &[]);
    let key = provenance::of(&slow.stages[0], slow.seed, |_| None).unwrap().key();
    let _held = store.lock(&key, &mut || false).unwrap();
    let recorder = Recorder::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            recorder.interrupt.store(true, Ordering::Relaxed);
        });
        let error = run(&slow, &store, &RunOptions::default(), &recorder).err().unwrap();
        assert!(matches!(error, EngineError::Interrupted { .. }), "{error}");
    });
}

#[test]
fn stages_with_the_same_key_run_once() {
    let (_dir, store) = open();
    let text = "name = 'x'\n[stage.a]\nkind = 'source'\n[stage.b]\nkind = 'sign'\n\
                inputs = { from = 'a' }\n[stage.c]\nkind = 'sign'\ninputs = { from = 'b' }\n";
    // The sign of a sign is itself: `c` has the key of `b`, also when both are made again.
    let ran = run_with(&store, text, &[]);
    assert_eq!(ran.started, "a b");
    flip(&object(&store, &ran, "b"));
    let again = try_run(&store, &pipeline(text, &[]), Force::Stages(vec!["c".to_owned()])).unwrap();
    assert_eq!(again.value, 1.0);
}
