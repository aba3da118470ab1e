//! What runs, what is cached, and what is read.

use super::*;

#[test]
fn the_first_run_computes_everything_and_the_second_nothing() {
    let (_dir, store) = open();
    let first = run_with(&store, DIAMOND, &[]);
    assert_eq!((first.started.as_str(), first.value), ("a b c d", 7.0));
    let second = run_with(&store, DIAMOND, &[]);
    assert_eq!((second.started.as_str(), second.value), ("", 7.0));
    assert!(second.warnings.is_empty(), "{:?}", second.warnings);
    for (first, second) in first.journal.iter().zip(&second.journal) {
        assert_eq!((first.status, second.status), (Status::Ran, Status::Cached));
        assert_eq!((&first.digest, &first.created), (&second.digest, &second.created));
    }
}

#[test]
fn parameters_that_are_not_read_do_not_matter() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    assert_eq!(run_with(&store, DIAMOND, &["b.limit=5"]).started, "");
    assert_eq!(run_with(&store, DIAMOND, &["b.factor=2.0", "b.title=B"]).started, "");
    assert_eq!(run_with(&store, DIAMOND, &["b.limit=5", "b.mode=clamped"]).value, 6.0);
}

#[test]
fn parameters_that_change_the_cost_alone_do_not_matter() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    assert_eq!(run_with(&store, DIAMOND, &["b.buffer=64"]).started, "");
    let planned = plan(&pipeline(DIAMOND, &["b.buffer=9", "b.factor=5"]), &store, &Force::Nothing);
    let reasons = &planned.unwrap().stages[1].reasons;
    assert!(
        matches!(reasons.as_slice(), [Reason::ParameterChanged { name, .. }] if name == "factor"),
        "{reasons:?}"
    );
}

#[test]
fn a_seed_matters_only_to_seeded_stages() {
    let text = format!("{DIAMOND}[stage.z]\nkind = \"seeded\"\n");
    let (_dir, store) = open();
    run_with(&store, &text, &[]);
    assert_eq!(run_with(&store, &text, &["seed=7"]).started, "z");
    assert_eq!(run_with(&store, &text, &["seed=7"]).value, 7.0);
}

#[test]
fn a_changed_parameter_runs_only_what_depends_on_it() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    // The sign stays the same, but the sum reads the scaled number too.
    let changed = run_with(&store, DIAMOND, &["b.factor=5"]);
    assert_eq!((changed.started.as_str(), changed.value), ("b c d", 16.0));
}

#[test]
fn an_unchanged_artifact_stops_the_wave() {
    let (_dir, store) = open();
    let text = DIAMOND.replace("[\"b\", \"c\"]", "[\"c\"]");
    run_with(&store, &text, &[]);
    assert_eq!(run_with(&store, &text, &["b.factor=5"]).started, "b c");
}

#[test]
fn artifacts_are_shared_between_pipelines() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    let renamed = DIAMOND.replace("\"demo\"", "\"other\"").replace("stage.a]", "stage.input]");
    let ran = run_with(&store, &renamed.replace("from = \"a\"", "from = \"input\""), &[]);
    assert_eq!(ran.started, "", "names of single inputs are not part of a key");
}

#[test]
fn cached_artifacts_are_read_only_when_needed() {
    let (_dir, store) = open();
    let first = run_with(&store, DIAMOND, &[]);
    // Nobody reads `a` and `c`: their damage is not even noticed.
    flip(&object(&store, &first, "a"));
    flip(&object(&store, &first, "c"));
    let second = run_with(&store, DIAMOND, &[]);
    assert_eq!((second.started.as_str(), second.warnings.len()), ("", 0));
}

#[test]
fn artifacts_are_dropped_after_their_last_reader() {
    let (_dir, store) = open();
    let (diamond, options) = (pipeline(DIAMOND, &[]), RunOptions::default());
    let first = run(&diamond, &store, &options, &Unobserved).unwrap();
    assert_eq!(first.in_memory(), ["d"], "which nobody reads: it is the result");
    let mut second = run(&diamond, &store, &options, &Unobserved).unwrap();
    assert!(second.in_memory().is_empty());
    assert_eq!(value(&second.artifact("b").unwrap()), 6.0);
    assert!(second.in_memory().is_empty());
}

#[test]
fn forcing_runs_a_stage_and_leaves_the_rest_if_nothing_changes() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    let force = |force| try_run(&store, &pipeline(DIAMOND, &[]), force).unwrap().started;
    assert_eq!(force(Force::Stages(vec!["b".to_owned()])), "b");
    assert_eq!(force(Force::All), "a b c d");
}

#[test]
fn forcing_an_unknown_stage_is_refused_with_the_nearest_name() {
    let (_dir, store) = open();
    let text = DIAMOND.replace("[stage.a]", "[stage.source]").replace("\"a\"", "\"source\"");
    let force = Force::Stages(vec!["sorce".to_owned()]);
    let error = try_run(&store, &pipeline(&text, &[]), force).err().unwrap();
    assert_eq!(error.to_string(), "pipeline `demo` has no stage `sorce`");
    assert_eq!(error.hint().unwrap(), "did you mean `source`?");
}

#[test]
fn a_stage_that_is_not_reusable_runs_every_time_and_the_rest_only_if_it_changed() {
    let (dir, store) = open();
    let path = dir.path().join("number");
    std::fs::write(&path, "4").unwrap();
    let text = format!(
        "name = 'x'\n[stage.f]\nkind = 'file'\npath = '{}'\n\
         [stage.g]\nkind = 'scale'\ninputs = {{ from = 'f' }}\n",
        path.display()
    );
    assert_eq!(run_with(&store, &text, &[]).started, "f g");
    assert_eq!(run_with(&store, &text, &[]).started, "f");
    std::fs::write(&path, "5").unwrap();
    let changed = run_with(&store, &text, &[]);
    assert_eq!((changed.started.as_str(), changed.value), ("f g", 10.0));
    // Back to what it was: everything after it is still known.
    std::fs::write(&path, "4").unwrap();
    let back = run_with(&store, &text, &[]);
    assert_eq!((back.started.as_str(), back.value), ("f", 8.0));
}

#[test]
fn costs_are_measured_and_kept() {
    let (_dir, store) = open();
    let text = "name = 'x'\n[stage.slow]\nkind = 'count'\nstep_ms = 2\n";
    let cost = run_with(&store, text, &[]).journal[0].cost.clone();
    assert!(cost.seconds >= 0.02 && cost.cpu_seconds >= 0.0, "{cost:?}");
    let kept = run_with(&store, text, &[]).journal[0].cost.clone();
    // Reading a number from JSON may move it by its last bit.
    assert!((kept.seconds - cost.seconds).abs() < 1e-9, "{kept:?} {cost:?}");
    assert_eq!(kept.peak_rss_bytes, cost.peak_rss_bytes);
}
