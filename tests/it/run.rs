//! `pipeline run` and `plan` on a small pipeline: results, cache, reasons, determinism.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::project::{Project, SMALL};

fn statuses(results: &Value) -> BTreeMap<String, String> {
    let stages = results["stages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    stages.iter().map(|stage| (text(&stage["id"]), text(&stage["status"]))).collect()
}

/// Digest of every artifact by stage: equal digests are bit-identical models and predictions.
fn digests(results: &Value) -> BTreeMap<String, String> {
    let stages = results["stages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    stages.iter().map(|stage| (text(&stage["id"]), text(&stage["digest"]))).collect()
}

fn ran(results: &Value) -> Vec<String> {
    let all = statuses(results).into_iter();
    all.filter(|(_, status)| status == "ran").map(|(id, _)| id).collect()
}

/// Stages of the small pipeline.
fn n_stages() -> usize {
    SMALL.matches("\nkind = ").count()
}

#[test]
fn a_run_writes_its_directory_and_prints_the_table() {
    let project = Project::small();
    let run = project.run(&["run", "./small.toml"]).ok();
    for text in ["Net, softmax", "SVM on features", "SVM on pixels", "SYNTHETIC"] {
        assert!(run.stdout().contains(text), "no `{text}` in:\n{}", run.stdout());
    }
    let latest = project.path("reports/small/latest");
    for name in ["report.html", "results.json", "results.csv", "run.toml"] {
        assert!(latest.join(name).is_file(), "{name} is missing");
    }
    let results = project.results("small");
    assert_eq!(results["dataset"]["n_train"], 1800);
    assert_eq!(results["dataset"]["n_validation"], 200);
    assert_eq!(results["dataset"]["n_test"], 500);
    assert_eq!(results["dataset"]["synthetic"], true);
    assert_eq!(results["seed"], 7);
    let models = results["models"].as_array().unwrap();
    assert_eq!(models[0]["family"], "neural");
    for model in &models[1..] {
        let of_network = model["input"].as_str().unwrap().contains("penultimate");
        let family = match (model["id"].as_str(), of_network) {
            (Some("vote"), _) => "neural",
            (_, true) => "hybrid",
            (_, false) => "classical",
        };
        assert_eq!(model["family"], family, "{model}");
    }
    for model in models {
        let accuracy = model["accuracy"].as_f64().unwrap();
        let interval = model["accuracy_ci95"].as_array().unwrap();
        assert!(interval[0].as_f64().unwrap() < accuracy, "{model}");
        assert!(accuracy < interval[1].as_f64().unwrap(), "{model}");
        // Ten balanced classes: a model that learned nothing is at 0.1.
        assert!(accuracy > 0.3, "{} reaches {accuracy}", model["id"]);
        let counted: u64 = model["confusion"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|count| count.as_u64().unwrap())
            .sum();
        assert_eq!(counted, 500);
        for key in ["fit_seconds", "fit_cpu_seconds", "predict_seconds", "model_bytes"] {
            let has_no_fit = model["id"] == "vote" && key.starts_with("fit");
            let value = model[key].as_f64().unwrap();
            assert!(value > 0.0 || has_no_fit, "{key} of {}", model["id"]);
        }
    }
    let comparisons = results["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), models.len() * (models.len() - 1) / 2);
    let own: Vec<&Value> =
        comparisons.iter().filter(|c| c["against_own_softmax"] == true).collect();
    assert_eq!(own.len(), models.iter().filter(|model| model["family"] == "hybrid").count());
    assert_eq!((own[0]["a"].as_str(), own[0]["b"].as_str()), (Some("svm"), Some("net")));
    let csv = std::fs::read_to_string(latest.join("results.csv")).unwrap();
    assert_eq!(csv.lines().count(), models.len() + 1, "a header and every model:\n{csv}");
}

#[test]
fn a_second_run_restores_every_stage() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    let first = project.results("small");
    assert_eq!(ran(&first).len(), n_stages());
    project.run(&["run", "./small.toml"]).ok();
    let second = project.results("small");
    assert_eq!(ran(&second), Vec::<String>::new());
    assert_eq!(digests(&first), digests(&second));
    assert_eq!(first["models"], second["models"], "costs are those of the run that fitted");
    assert_ne!(first["run"], second["run"]);
}

#[test]
fn one_changed_parameter_reruns_only_what_depends_on_it_and_plan_says_why() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    let plan = project.run(&["plan", "./small.toml", "--set", "svm.c=1"]).ok().stdout();
    let line = plan.lines().find(|line| line.trim_start().starts_with("svm ")).unwrap();
    assert!(line.contains("parameter `c` changed from 10 to 1"), "{plan}");
    project.run(&["run", "./small.toml", "--set", "svm.c=1"]).ok();
    assert_eq!(ran(&project.results("small")), ["evaluation", "svm"]);
    // Back again: the first models are still there.
    project.run(&["run", "./small.toml"]).ok();
    assert_eq!(ran(&project.results("small")), Vec::<String>::new());
}

#[test]
fn parameters_that_a_stage_does_not_read_do_not_rerun_it() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    let args = ["run", "./small.toml", "--set", "svm.degree=5", "--set", "svm.title=Other"];
    project.run(&args).ok();
    let results = project.results("small");
    assert_eq!(ran(&results), Vec::<String>::new());
    assert_eq!(results["models"][1]["title"], "Other");
}

#[test]
fn one_and_two_threads_give_bit_identical_artifacts() {
    let one = Project::small();
    one.run(&["run", "./small.toml", "--threads", "1"]).ok();
    let two = Project::small();
    two.run(&["run", "./small.toml", "--threads", "2"]).ok();
    let three = Project::small();
    three.run(&["run", "./small.toml", "--threads", "3"]).ok();
    let expected = digests(&one.results("small"));
    assert_eq!(expected, digests(&two.results("small")));
    assert_eq!(expected, digests(&three.results("small")));
}

#[test]
fn another_seed_gives_another_network() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    let first = digests(&project.results("small"));
    project.run(&["run", "./small.toml", "--seed", "8"]).ok();
    let second = digests(&project.results("small"));
    assert_ne!(first["net"], second["net"]);
}

#[test]
fn force_runs_again_and_finds_the_same() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    let first = digests(&project.results("small"));
    project.run(&["run", "./small.toml", "--force", "net"]).ok();
    let results = project.results("small");
    assert_eq!(ran(&results), ["net"], "an equal artifact leaves what depends on it cached");
    assert_eq!(first, digests(&results));
    project.run(&["run", "./small.toml", "--force"]).ok();
    assert_eq!(ran(&project.results("small")).len(), n_stages());
    // The word after `--force` may be the pipeline.
    project.run(&["run", "--force", "./small.toml"]).ok();
    assert_eq!(ran(&project.results("small")).len(), n_stages());
}

#[test]
fn compare_joins_runs_in_every_format() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    project.run(&["run", "./small.toml", "--seed", "8"]).ok();
    let runs: Vec<String> = std::fs::read_dir(project.path("reports/small"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "latest")
        .map(|name| format!("small/{name}"))
        .collect();
    assert_eq!(runs.len(), 2);
    for format in ["table", "csv", "markdown"] {
        let args = ["compare", &runs[0], &runs[1], "--format", format];
        let text = project.run(&args).ok().stdout();
        assert_eq!(text.matches("SVM on features").count(), 2, "{format}:\n{text}");
    }
    let args = ["compare", &runs[0], &runs[1], "--format", "json"];
    let document: Value = serde_json::from_str(&project.run(&args).ok().stdout()).unwrap();
    assert_eq!(document["runs"].as_array().unwrap().len(), 2);
    let newest = project.run(&["compare", "small"]).ok().stdout();
    assert_eq!(newest.matches("SVM on features").count(), 1, "{newest}");
}

#[test]
fn json_is_one_document_and_nothing_else() {
    let project = Project::small();
    for args in [
        &["run", "./small.toml", "--json"][..],
        &["plan", "./small.toml", "--json"],
        &["list", "--json"],
    ] {
        let run = project.run(args).ok();
        let document: Value = serde_json::from_str(&run.stdout())
            .unwrap_or_else(|error| panic!("{args:?}: {error}\n{}", run.stdout()));
        assert!(document.is_object());
    }
}

#[test]
fn plan_runs_nothing() {
    let project = Project::small();
    let plan = project.run(&["plan", "./small.toml"]).ok().stdout();
    assert_eq!(plan.matches("first time").count(), n_stages(), "{plan}");
    assert!(!project.path("reports").exists());
    project.run(&["run", "./small.toml"]).ok();
    let plan = project.run(&["plan", "./small.toml"]).ok().stdout();
    assert_eq!(plan.matches("nothing changed").count(), n_stages(), "{plan}");
}

#[test]
fn the_resolved_pipeline_of_a_run_runs_again_from_the_cache() {
    let project = Project::small();
    project.run(&["run", "./small.toml", "--set", "svm.c=3"]).ok();
    let resolved = std::fs::read(project.path("reports/small/latest/run.toml")).unwrap();
    project.write("again.toml", resolved);
    project.run(&["run", "./again.toml"]).ok();
    assert_eq!(ran(&project.results("small")), Vec::<String>::new());
}

#[test]
fn a_damaged_artifact_is_a_warning_and_a_recomputation() {
    let project = Project::small();
    project.run(&["run", "./small.toml"]).ok();
    let first = project.results("small");
    let object = project.path(".pipeline/v2/objects").join(&digests(&first)["evaluation"]);
    let mut bytes = std::fs::read(&object).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    let run = project.run(&["run", "./small.toml"]).ok();
    assert!(run.stderr().contains("warning"), "{}", run.stderr());
    let second = project.results("small");
    assert_eq!(ran(&second), ["evaluation"]);
    assert_eq!(digests(&first), digests(&second));
}

#[test]
fn two_processes_at_once_share_work_and_both_succeed() {
    let project = Project::small();
    let spawn = |out: &str| {
        let mut command = project.command(&["run", "./small.toml", "--threads", "1", "--out", out]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let (first, second) = (spawn("one"), spawn("two"));
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let read =
        |out: &str| crate::project::read_json(&project.path(out).join("small/latest/results.json"));
    let (one, two) = (read("one"), read("two"));
    assert_eq!(digests(&one), digests(&two));
    let n_ran = ran(&one).len() + ran(&two).len();
    assert_eq!(n_ran, n_stages(), "each stage ran in one of the two");
}

#[test]
fn an_absent_data_set_falls_back_loudly_and_everything_says_synthetic() {
    let project = Project::empty();
    let text = SMALL.replace(
        "name = \"garments-small\"",
        "name = \"fashion-mnist\"\nfallback = \"garments-small\"",
    );
    project.write("small.toml", text);
    let run = project.run(&["run", "./small.toml"]).ok();
    assert!(run.stderr().contains("warning"), "{}", run.stderr());
    assert!(run.stdout().contains("SYNTHETIC"), "{}", run.stdout());
    let results = project.results("small");
    assert_eq!(results["dataset"]["synthetic"], true);
    let latest = project.path("reports/small/latest");
    for name in ["report.html", "results.csv"] {
        let text = std::fs::read_to_string(latest.join(name)).unwrap();
        assert!(text.contains("synthetic"), "{name}");
    }
    // What was fitted on it is found again although the fallback itself is made anew.
    project.run(&["run", "./small.toml"]).ok();
    assert_eq!(ran(&project.results("small")), ["data"]);
}
