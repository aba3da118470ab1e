//! Fitted models outside their run: shown, exported, read from files.

use serde_json::Value;

use crate::project::{Project, Run};

const SVM: &str = r#"
name = "one"

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.svm]
kind = "svm"
title = "SVM"
inputs = { data = "data" }
c = 10.0

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["svm"] }
"#;

/// A project with a finished run of [`SVM`] after some changes.
fn finished(set: &[&str]) -> Project {
    let project = Project::empty();
    project.write("one.toml", SVM);
    let mut args = vec!["run", "./one.toml"];
    set.iter().for_each(|set| args.extend(["--set", set]));
    project.run(&args).ok();
    project
}

/// A pipeline that compares the exported model with the one it was.
fn compared(project: &Project) -> Run {
    let stage = "[stage.read]\nkind = \"svm_file\"\ninputs = { data = \"data\" }\n\
        path = \"svm.model\"\n\n[stage.evaluation]";
    let text = SVM.replace("[stage.evaluation]", stage).replace("[\"svm\"]", "[\"svm\", \"read\"]");
    project.write("two.toml", text.replace("\"one\"", "\"two\""));
    project.run(&["run", "./two.toml"])
}

#[test]
fn an_exported_model_is_read_back_as_a_stage_and_labels_the_same() {
    let project = finished(&["svm.probability=true"]);
    project.run(&["model", "export", "one", "--model", "svm", "svm.model"]).ok();
    compared(&project).ok();
    let results = project.results("two");
    let models = results["models"].as_array().unwrap();
    assert_eq!(models[0]["confusion"], models[1]["confusion"]);
    assert_eq!(models[1]["details"]["n_support"], models[0]["details"]["n_support"]);
    assert_eq!(models[1]["details"].get("converged"), None, "a file does not tell");
    // Files may change, so the stage is looked at again; what it made is the same.
    compared(&project).ok();
    let again = project.results("two");
    assert_eq!(again["stages"][2]["status"], "ran");
    assert_eq!(again["stages"][2]["digest"], results["stages"][2]["digest"]);
    assert_eq!(again["stages"][3]["status"], "cached");
}

#[test]
fn show_tells_what_a_model_is() {
    let project = finished(&[]);
    let show = |args: &[&str]| {
        project.run(&[&["model", "show", "one", "--model", "svm"], args].concat()).ok().stdout()
    };
    let document: Value = serde_json::from_str(&show(&["--json"])).unwrap();
    assert_eq!(document["kernel"], "rbf");
    assert_eq!(document["c"], 10.0);
    assert_eq!(document["converged"], true);
    assert_eq!(document["classes"].as_array().unwrap().len(), 10);
    let per_class = document["n_support_per_class"].as_array().unwrap();
    let sum: u64 = per_class.iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(document["n_support"], sum);
    let text = show(&[]);
    for line in ["kernel", "gamma", "max_kkt_gap", "n_support_per_class"] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
}

#[test]
fn models_that_are_not_there_are_named() {
    let project = finished(&[]);
    let show = |args: &[&str]| project.run(&[&["model", "show"], args].concat());
    show(&["one", "--model", "svn"]).fails(2, &["`svn`", "`svm`"]);
    show(&["one", "--model", "data"]).fails(2, &["`data`", "svm"]);
    show(&["none", "--model", "svm"]).fails(2, &["`none`"]);
    show(&["one", "--model", "svm", "--cache", "nowhere"]).fails(1, &["nowhere", "--cache"]);
    assert!(!project.path("nowhere").exists(), "looking made a cache");
    let export = ["model", "export", "one", "--model", "svm", "absent/svm.model"];
    project.run(&export).fails(1, &["absent/svm.model"]);
    let digest = project.results("one")["stages"][1]["digest"].as_str().unwrap().to_owned();
    std::fs::write(project.path(".pipeline/v2/objects").join(digest), "damaged").unwrap();
    show(&["one", "--model", "svm"]).fails(1, &["`svm`", "digest", "run the pipeline again"]);
}

#[test]
fn a_digest_that_is_none_reaches_no_file() {
    let project = finished(&[]);
    project.write("victim", "keep me");
    let path = project.path("reports/one/latest/results.json");
    let mut results = project.results("one");
    results["stages"][1]["digest"] = "../../../victim".into();
    std::fs::write(&path, results.to_string()).unwrap();
    let show = ["model", "show", "one", "--model", "svm"];
    project.run(&show).fails(1, &["`../../../victim`"]);
    assert!(project.path("victim").is_file());
}

#[test]
fn a_damaged_or_unlike_model_file_is_refused_with_its_line() {
    let project = finished(&["svm.kernel=linear"]);
    compared(&project).fails(1, &["svm.model", "cannot be read"]);
    project.run(&["model", "export", "one", "--model", "svm", "svm.model"]).ok();
    let text = std::fs::read_to_string(project.path("svm.model")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| *line == "SV").unwrap() + 1;
    for (changed, fragments) in [
        (text.replace("nr_class 10", "nr_class ten"), &["line 3", "`ten`"][..]),
        (text.replace("label 0 1", "label 0 12"), &["class 12", "0 to 9"]),
        (
            text.replace(lines[first], &format!("{} 785:1", lines[first])),
            &["at most 784 features", "`785:1`"],
        ),
        (lines[..lines.len() - 3].join("\n"), &["svm.model", "the end of the file"]),
        ("{}".to_owned(), &["line 1", "svm_type"]),
        (String::new(), &["line 1", "the end of the file"]),
    ] {
        assert_ne!(changed, text);
        project.write("svm.model", changed);
        compared(&project).fails(1, fragments);
    }
}

#[test]
fn a_fit_that_did_not_converge_says_so_wherever_its_figures_are() {
    let project = finished(&["svm.max_iter=3"]);
    let table = project.run(&["compare", "one"]).ok().stdout();
    assert!(table.contains("SVM (did not converge)"), "{table}");
    assert_eq!(project.results("one")["models"][0]["details"]["converged"], false);
    let latest = project.path("reports/one/latest");
    let page = std::fs::read_to_string(latest.join("report.html")).unwrap();
    assert!(page.contains("did not converge"));
    let csv = std::fs::read_to_string(latest.join("results.csv")).unwrap();
    assert!(csv.lines().next().unwrap().contains("converged"));
}

#[test]
fn the_size_of_the_cache_is_no_part_of_a_key() {
    let project = finished(&["svm.cache_mib=1"]);
    let run = project.run(&["run", "./one.toml", "--set", "svm.cache_mib=64"]).ok();
    assert!(run.stdout().contains("3 of 3 stages from the cache"), "{}", run.stdout());
    let run = project.run(&["run", "./one.toml", "--set", "svm.break_ties=true"]).ok();
    assert!(run.stdout().contains("1 of 3 stages from the cache"), "{}", run.stdout());
}

/// IDX files of 28x28 images whose pixels and classes are told by functions of their row.
fn idx(project: &Project, pixel: impl Fn(usize, usize) -> u8, class: impl Fn(usize) -> u8) {
    for (prefix, n) in [("train", 24usize), ("t10k", 12)] {
        let mut images = vec![0, 0, 8, 3];
        [n as u32, 28, 28].iter().for_each(|size| images.extend(size.to_be_bytes()));
        images.extend((0..n * 784).map(|at| pixel(at / 784, at % 784)));
        project.write(&format!("data/{prefix}-images-idx3-ubyte"), images);
        let mut labels = vec![0, 0, 8, 1];
        labels.extend((n as u32).to_be_bytes());
        labels.extend((0..n).map(&class));
        project.write(&format!("data/{prefix}-labels-idx1-ubyte"), labels);
    }
}

fn run_idx(project: &Project, set: &[&str]) -> Run {
    project.write("one.toml", SVM);
    let mut args = vec!["run", "./one.toml", "--dataset", "idx", "--data", "data"];
    set.iter().for_each(|set| args.extend(["--set", set]));
    project.run(&args)
}

#[test]
fn one_class_alone_is_refused_with_the_file_that_holds_it() {
    let project = Project::empty();
    idx(&project, |row, at| ((row * 7 + at) % 256) as u8, |_| 0);
    run_idx(&project, &[]).fails(1, &["train-labels-idx1-ubyte", "1 class", "at least 2"]);
    assert!(!project.path("reports").exists());
}

#[test]
fn a_class_with_one_sample_is_fitted_with_all_that_an_svm_gives() {
    let project = Project::empty();
    let class = |row: usize| if row == 5 { 2 } else { (row % 2) as u8 };
    idx(&project, |row, at| ((row % 2) * 90 + (row * 31 + at * 7) % 100) as u8, class);
    run_idx(&project, &["svm.probability=true", "svm.class_weight=balanced"]).ok();
    assert_eq!(project.results("one")["models"][0]["details"]["converged"], true);
}

#[test]
fn constant_features_are_fitted_with_gamma_scale_as_in_scikit_learn() {
    let project = Project::empty();
    idx(&project, |_, _| 77, |row| (row % 2) as u8);
    run_idx(&project, &[]).ok();
    assert_eq!(project.results("one")["models"][0]["details"]["gamma"], 1.0);
}

#[test]
fn penalties_and_caches_of_nothing_are_refused_before_anything_runs() {
    let project = Project::empty();
    project.write("one.toml", SVM);
    for set in ["svm.c=0", "svm.c=-1", "svm.c=nan", "svm.cache_mib=0", "svm.class_weight=half"] {
        let name = set.split(['.', '=']).nth(1).unwrap();
        project.run(&["run", "./one.toml", "--set", set]).fails(2, &[&format!("`{name}`")]);
    }
    assert!(!project.path("reports").exists());
}
