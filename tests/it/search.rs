//! A stage of kind `search`, as a user runs it.

use serde_json::Value;

use crate::project::Project;

/// Exit code of a wrong command line or pipeline file, and of a failed run.
const USAGE: i32 = 2;
const FAILED: i32 = 1;

const SEARCH: &str = r#"
name = "search"
seed = 7

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.best]
kind = "search"
title = "Best SVM"
inputs = { data = "data" }
learner = "svm"
grid = { c = [0.1, 10], kernel = ["linear", "rbf"] }
folds = 3

[stage.plain]
kind = "svm"
inputs = { data = "data" }
kernel = "rbf"
c = 10

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["best", "plain"] }
"#;

fn project() -> Project {
    let project = Project::empty();
    project.write("search.toml", SEARCH);
    project
}

fn digest(results: &Value, id: &str) -> String {
    let stages = results["stages"].as_array().unwrap();
    let stage = stages.iter().find(|stage| stage["id"] == id).unwrap();
    stage["digest"].as_str().unwrap().to_owned()
}

fn status(results: &Value, id: &str) -> String {
    let stages = results["stages"].as_array().unwrap();
    let stage = stages.iter().find(|stage| stage["id"] == id).unwrap();
    stage["status"].as_str().unwrap().to_owned()
}

#[test]
fn the_best_candidate_is_fitted_on_all_rows_and_every_candidate_is_told() {
    let project = project();
    let run = project.run(&["run", "./search.toml"]).ok();
    assert!(
        run.stdout().contains("chose c = 10, kernel = rbf of 4 candidates"),
        "{}",
        run.stdout()
    );
    let results = project.results("search");
    let [best, plain] = results["models"].as_array().unwrap().as_slice() else { panic!("models") };
    assert_eq!(best["confusion"], plain["confusion"], "the same learner on the same rows");
    assert_eq!(best["details"]["c"], 10.0);
    assert_eq!(best["details"]["objective"], plain["details"]["objective"]);
    let search = &best["details"]["search"];
    assert_eq!(search["searched"], serde_json::json!(["c", "kernel"]));
    let candidates = search["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 4);
    let chosen = &candidates[search["best"].as_u64().unwrap() as usize];
    assert_eq!(chosen["rank"], 1);
    assert_eq!(chosen["params"], serde_json::json!({ "c": 10.0, "kernel": "rbf" }));
    for candidate in candidates {
        assert_eq!(candidate["scores"].as_array().unwrap().len(), 3);
        assert!(candidate["mean"].as_f64() <= chosen["mean"].as_f64(), "{candidate}");
    }
    let times = &best["details"]["search_times"];
    assert_eq!(times["fit_seconds"].as_array().unwrap().len(), 4);
    assert!(times["seconds"].as_f64().unwrap() > 0.0);
    let page = std::fs::read_to_string(project.path("reports/search/latest/report.html")).unwrap();
    for text in ["Search for parameters", "Mean accuracy by c and kernel", "class=\"chosen\""] {
        assert!(page.contains(text), "no `{text}` on the page");
    }
}

#[test]
fn a_search_is_the_same_for_any_number_of_threads_and_restored_when_nothing_changed() {
    let digests: Vec<String> = ["1", "2", "3"]
        .iter()
        .map(|threads| {
            let project = project();
            project.run(&["run", "./search.toml", "--threads", threads]).ok();
            project.run(&["run", "./search.toml", "--threads", threads]).ok();
            let results = project.results("search");
            assert_eq!(status(&results, "best"), "cached");
            digest(&results, "best")
        })
        .collect();
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

#[test]
fn arguments_change_the_grid_and_the_folds_and_plan_says_so() {
    let project = project();
    project.run(&["run", "./search.toml"]).ok();
    let changes = ["--set", "best.grid.c=[1]", "--set", "best.folds=4"];
    let plan = project.run(&[&["plan", "./search.toml"], &changes[..]].concat()).ok().stdout();
    for text in ["parameter `grid` changed", "parameter `folds` changed from 3 to 4"] {
        assert!(plan.contains(text), "no `{text}` in:\n{plan}");
    }
    project.run(&[&["run", "./search.toml"], &changes[..]].concat()).ok();
    let results = project.results("search");
    let search = &results["models"][0]["details"]["search"];
    assert_eq!(search["candidates"].as_array().unwrap().len(), 2);
    assert_eq!(search["n_folds"], 4);
    assert_eq!(status(&results, "plain"), "cached");
    // Another order of the same grid is the same search.
    let toml = SEARCH
        .replace("[0.1, 10], kernel = [\"linear\", \"rbf\"]", "[0.1, 10.0]")
        .replace("grid = { c", "grid = { kernel = [\"linear\", \"rbf\"], c");
    project.write("search.toml", toml);
    project.run(&["run", "./search.toml"]).ok();
    assert_eq!(status(&project.results("search"), "best"), "cached");
}

#[test]
fn random_candidates_and_halving_give_rounds() {
    let project = project();
    let args = [
        "run",
        "./search.toml",
        "--set",
        "best.strategy=halving",
        "--set",
        "best.n_candidates=5",
        "--set",
        "best.grid.c={ log_uniform = [0.1, 100] }",
        "--set",
        "best.grid.kernel=[\"rbf\"]",
    ];
    project.run(&args).ok();
    let results = project.results("search");
    let search = &results["models"][0]["details"]["search"];
    let rounds = serde_json::json!([
        { "n_candidates": 5, "n_samples": 666 },
        { "n_candidates": 2, "n_samples": 1998 },
    ]);
    assert_eq!(search["rounds"], rounds);
    assert_eq!(search["candidates"][search["best"].as_u64().unwrap() as usize]["round"], 1);
    project.run(&[&args[..], &["--threads", "1"]].concat()).ok();
    assert_eq!(digest(&results, "best"), digest(&project.results("search"), "best"));
}

#[test]
fn wrong_searches_are_refused_with_a_reason() {
    let project = project();
    for (set, fragments) in [
        ("best.grid.c=[1, -1]", &["`grid.c[1]`", "above 0", "`-1`"][..]),
        ("best.grid.kernal=[\"rbf\"]", &["`grid.kernal`", "did you mean `kernel`?"]),
        ("best.learner=svn", &["`learner`", "`svn`", "`svm`"]),
        ("best.folds=1", &["`folds`", "from 2"]),
    ] {
        project.run(&["run", "./search.toml", "--set", set]).fails(USAGE, fragments);
    }
    assert!(!project.path("reports").exists());
    // 200 images a class are found only when the data are there.
    project.run(&["run", "./search.toml", "--set", "best.folds=300"]).fails(
        FAILED,
        &["stage `best`", "samples, 300 stratified folds need at least 300", "hint: use at most"],
    );
}
