//! What `plan` foresees, in words; and that a run does just that.

use super::*;

/// `stage status: reason` of every stage.
fn plan_of(store: &Store, text: &str, set: &[&str], force: &Force) -> Vec<String> {
    let plan = plan(&pipeline(text, set), store, force).unwrap();
    let line = |s: &PlannedStage| format!("{} {}: {}", s.id, s.status.as_str(), s.reason());
    plan.stages.iter().map(line).collect()
}

#[test]
fn everything_runs_the_first_time() {
    let (_dir, store) = open();
    let expected = [
        "a run: first time",
        "b run: first time; input `a` runs first",
        "c run: first time; input `b` runs first",
        "d run: first time; input `b` runs first; input `c` runs first",
    ];
    assert_eq!(plan_of(&store, DIAMOND, &[], &Force::Nothing), expected);
}

#[test]
fn nothing_runs_the_second_time() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    let planned = plan_of(&store, DIAMOND, &[], &Force::Nothing);
    assert!(planned.iter().all(|line| line.ends_with(" cached: nothing changed")), "{planned:?}");
}

#[test]
fn changed_parameters_are_named_with_both_values() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &["b.factor=0.1"]);
    let set = ["b.factor=10", "b.mode=clamped"];
    let expected = [
        "a cached: nothing changed",
        "b run: parameter `factor` changed from 0.1 to 10; parameter `mode` changed from plain to \
         clamped; parameter `limit` is now read: 100",
        "c run: input `b` runs first",
        "d run: input `b` runs first; input `c` runs first",
    ];
    assert_eq!(plan_of(&store, DIAMOND, &set, &Force::Nothing), expected);
}

#[test]
fn changed_inputs_and_kinds_are_named() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    let expected = [
        "a cached: nothing changed",
        "b cached: nothing changed",
        "c run: input `from` changed",
        "d run: input `c` runs first",
    ];
    let set = ["c.inputs.from=a"];
    assert_eq!(plan_of(&store, DIAMOND, &set, &Force::Nothing), expected);
    let expected = "c run: kind changed from `sign` to `scale`";
    assert_eq!(plan_of(&store, DIAMOND, &["c.kind=scale"], &Force::Nothing)[2], expected);
}

#[test]
fn a_changed_seed_and_a_new_version_are_named() {
    static NEWER: Kind = Kind { version: 2, ..KIND_OF_SEEDED };
    const KIND_OF_SEEDED: Kind = Kind {
        name: "seeded",
        seeded: true,
        build: |params| build(params, |_, _, _| Ok(output(array![[0.0]]))),
        ..KIND
    };
    static NEWER_KINDS: [&Kind; 1] = [&NEWER];
    let (_dir, store) = open();
    let text = "name = 'x'\nseed = 1\n[stage.z]\nkind = 'seeded'\n";
    run_with(&store, text, &[]);
    let expected = ["z run: seed changed from 1 to 2"];
    assert_eq!(plan_of(&store, text, &["seed=2"], &Force::Nothing), expected);
    let newer = Pipeline::parse(text, "x", &NEWER_KINDS, &Overrides::default()).unwrap();
    let planned = plan(&newer, &store, &Force::Nothing).unwrap();
    assert_eq!(planned.stages[0].reason(), "kind version changed from 1 to 2");
}

#[test]
fn damage_and_removal_are_named() {
    let (_dir, store) = open();
    let first = run_with(&store, DIAMOND, &[]);
    std::fs::write(object(&store, &first, "b"), "short").unwrap();
    let planned = plan_of(&store, DIAMOND, &[], &Force::Nothing);
    assert!(planned[1].starts_with("b run: damaged: it has 5 bytes"), "{planned:?}");
    assert_eq!(planned[2], "c cached if unchanged: if `b` makes the same artifact again");
    for entry in std::fs::read_dir(store.root().join("keys")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let planned = plan_of(&store, DIAMOND, &[], &Force::Nothing);
    assert_eq!(planned[0], "a run: no longer in the cache");
}

#[test]
fn forced_stages_leave_the_rest_cached_if_unchanged() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    let expected = [
        "a cached: nothing changed",
        "b run: forced",
        "c cached if unchanged: if `b` makes the same artifact again",
        "d cached if unchanged: if `b` makes the same artifact again; if `c` makes the same \
         artifact again",
    ];
    let force = Force::Stages(vec!["b".to_owned()]);
    assert_eq!(plan_of(&store, DIAMOND, &[], &force), expected);
}

#[test]
fn a_stage_that_is_not_reusable_is_foreseen_to_run() {
    let (dir, store) = open();
    let path = dir.path().join("number");
    std::fs::write(&path, "4").unwrap();
    let text = format!("name = 'x'\n[stage.f]\nkind = 'file'\npath = '{}'\n", path.display());
    run_with(&store, &text, &[]);
    let expected = ["f run: checked in every run"];
    assert_eq!(plan_of(&store, &text, &[], &Force::Nothing), expected);
}

#[test]
fn a_plan_changes_nothing_and_a_run_does_what_it_says() {
    let (_dir, store) = open();
    run_with(&store, DIAMOND, &[]);
    for set in [&["a.value=4"], &["b.factor=7"], &["c.kind=scale"], &["d.title=D"]] {
        let before = plan(&pipeline(DIAMOND, set), &store, &Force::Nothing).unwrap();
        assert_eq!(plan(&pipeline(DIAMOND, set), &store, &Force::Nothing).unwrap(), before);
        let ran = run_with(&store, DIAMOND, set).started;
        let planned: Vec<&str> = before
            .stages
            .iter()
            .filter(|stage| stage.status == PlanStatus::Run)
            .map(|stage| stage.id.as_str())
            .collect();
        // A plan cannot know that the sign stays the same; it may only promise too much.
        for id in ran.split_whitespace() {
            assert!(planned.contains(&id), "{set:?}: `{id}` ran, planned {planned:?}");
        }
        run_with(&store, DIAMOND, &[]);
    }
}
