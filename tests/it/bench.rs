//! `pipeline bench` on small generated data: documents, tables, errors, and what `plan` learns.

use serde_json::Value;

use crate::project::{Project, SMALL, read_json};

const SMALL_BENCH: &[&str] = &[
    "bench",
    "svm",
    "--dataset",
    "garments-small",
    "--sizes",
    "100,200,400",
    "--kernels",
    "rbf",
    "--repeats",
    "2",
];

fn bench(project: &Project, more: &[&str]) -> crate::project::Run {
    project.run(&[SMALL_BENCH, more].concat())
}

#[test]
fn a_bench_prints_its_tables_and_writes_page_document_and_rows() {
    let project = Project::empty();
    let stdout = bench(&project, &[]).ok().stdout();
    for text in ["SYNTHETIC", "foretold", "native", "linfa", "grows as n to the", "support vectors"]
    {
        assert!(stdout.contains(text), "no `{text}` in:\n{stdout}");
    }
    let latest = project.path("reports/bench_svm/latest");
    let page = std::fs::read_to_string(latest.join("bench.html")).unwrap();
    assert!(page.contains("</html>"));
    let csv = std::fs::read_to_string(latest.join("bench.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 6, "a header, three sizes by two engines:\n{csv}");
    let results = read_json(&latest.join("bench.json"));
    assert_eq!(results["dataset"]["synthetic"], true);
    let cells = results["cells"].as_array().unwrap();
    let names: Vec<String> =
        cells.iter().map(|cell| format!("{} {}", cell["n_train"], cell["engine"])).collect();
    let expected = ["native", "linfa"];
    let expected: Vec<String> = [100, 200, 400]
        .iter()
        .flat_map(|n| expected.map(|engine| format!("{n} \"{engine}\"")))
        .collect();
    assert_eq!(names, expected);
    for cell in cells {
        let measured = &cell["measured"];
        assert_eq!(measured["fit_seconds"]["runs"].as_array().unwrap().len(), 2);
        // Ten balanced classes: a model that learned nothing is at 0.1.
        assert!(measured["accuracy"].as_f64().unwrap() > 0.3, "{cell}");
        assert!(measured["details"]["n_support"].as_u64().unwrap() > 10, "{cell}");
    }
    // Both engines find the same model.
    for pair in cells.chunks(2) {
        assert_eq!(pair[0]["measured"]["accuracy"], pair[1]["measured"]["accuracy"]);
    }
    assert_eq!(results["curves"].as_array().unwrap().len(), 2);
    assert!(cells[4]["forecast"]["seconds"].as_f64().unwrap() > 0.0, "{}", cells[4]);
}

#[test]
fn a_bench_in_json_is_one_document_and_leaves_compare_alone() {
    let project = Project::small();
    let run = bench(&project, &["--engines", "native", "--json"]).ok();
    let document: Value = serde_json::from_str(&run.stdout()).unwrap();
    assert_eq!(document["bench"], "svm");
    project.run(&["run", "./small.toml"]).ok();
    let table = project.run(&["compare"]).ok().stdout();
    assert!(table.contains("SVM on pixels"), "{table}");
}

#[test]
fn neighbours_and_forests_are_compared_like_support_vector_machines() {
    let project = Project::empty();
    let small = ["--dataset", "garments-small", "--sizes", "200,400", "--repeats", "1"];
    for (learner, variant, n_engines) in
        [("knn", ["--metrics", "manhattan"], 2), ("forest", ["--trees", "20"], 1)]
    {
        let args = [&["bench", learner][..], &variant, &small].concat();
        let stdout = project.run(&args).ok().stdout();
        assert!(!stdout.contains("support vectors"), "{stdout}");
        let results =
            read_json(&project.path(&format!("reports/bench_{learner}/latest/bench.json")));
        let cells = results["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 2 * n_engines, "two sizes by engines");
        for cell in cells {
            assert!(cell["measured"]["accuracy"].as_f64().unwrap() > 0.3, "{cell}");
        }
    }
    project.run(&["bench", "knn", "--metrics", "euclidian"]).fails(2, &["euclidian", "euclidean"]);
    project.run(&["bench", "forest", "--trees", "0"]).fails(2, &["0"]);
    project.run(&["bench", "forest", "--engines", "linfa"]).fails(2, &["linfa", "forest", "hint"]);
}

#[test]
fn networks_are_trained_for_an_epoch_by_our_kernels_and_by_candle() {
    let project = Project::empty();
    let small = ["--dataset", "garments-small", "--sizes", "200,400", "--repeats", "1"];
    let chosen = ["bench", "cnn", "--architectures", "a4", "--batch-size", "40"];
    project.run(&[&chosen[..], &small].concat()).ok();
    let results = read_json(&project.path("reports/bench_cnn/latest/bench.json"));
    let cells = results["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 2 * 2, "two sizes by two engines");
    for pair in cells.chunks(2) {
        assert_eq!((&pair[0]["engine"], &pair[1]["engine"]), (&"native".into(), &"candle".into()));
        // The same weights but for rounding: of 500 test images few are labelled otherwise.
        let accuracy = |cell: &Value| cell["measured"]["accuracy"].as_f64().unwrap();
        assert!((accuracy(&pair[0]) - accuracy(&pair[1])).abs() < 0.02, "{pair:?}");
    }
    project.run(&["bench", "cnn", "--architectures", "c11"]).fails(2, &["c11", "`c1`"]);
    project.run(&["bench", "cnn", "--batch-size", "0"]).fails(2, &["0"]);
}

#[test]
fn wrong_arguments_are_refused_with_what_to_do_before_anything_runs() {
    let project = Project::empty();
    for (args, fragments) in [
        (&["--sizes", "100,2001"][..], &["2001", "2000", "hint"][..]),
        (&["--sizes", "10"], &["10", "20", "hint"]),
        (&["--engines", "natve"], &["natve", "native"]),
        (&["--kernels", "rfb"], &["rfb", "rbf"]),
        (&["--engines", "scikit-learn"], &["scikit-learn", "--peer-python"]),
        (&["--peer-python", "./nothing/python"], &["./nothing/python", "hint"]),
        (&["--c", "-1"], &["-1"]),
        (&["--limit", "0"], &["above 0"]),
        (&["--dataset", "garmets"], &["garmets", "garments"]),
    ] {
        // The last of a repeated argument counts.
        let mut all = vec!["bench", "svm"];
        if !args.contains(&"--dataset") {
            all.extend(["--dataset", "garments-small"]);
        }
        all.extend(args);
        project.run(&all).fails(2, fragments);
    }
    assert!(!project.path("reports").exists());
}

#[test]
fn plan_foretells_a_fit_from_a_bench_and_from_earlier_runs() {
    let project = Project::small();
    let plan = |args: &[&str]| -> Value {
        let args = [&["plan", "./small.toml", "--json"], args].concat();
        serde_json::from_str(&project.run(&args).ok().stdout()).unwrap()
    };
    let stage = |plan: &Value, id: &str| -> Value {
        let stages = plan["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["id"] == id).unwrap().clone()
    };
    // Nothing was run yet: arithmetic, and for a network nothing at all.
    let first = plan(&[]);
    for id in ["svm", "svm_pixels"] {
        let foretold = stage(&first, id);
        assert!(foretold["predicted_seconds"].as_f64().unwrap() > 0.0, "{foretold}");
        assert!(foretold["predicted_peak_bytes"].as_u64().unwrap() > 1 << 20, "{foretold}");
        assert!(foretold["prediction_basis"].as_str().unwrap().contains("nothing alike"));
    }
    assert_eq!(stage(&first, "net")["predicted_seconds"], Value::Null);

    // A bench of half the rows scales the arithmetic.
    let sizes = ["--sizes", "1000", "--engines", "native", "--repeats", "1"];
    let dataset = ["bench", "svm", "--kernels", "rbf", "--dataset", "garments-small"];
    project.run(&[&dataset[..], &sizes].concat()).ok();
    let basis = stage(&plan(&[]), "svm_pixels")["prediction_basis"].clone();
    assert!(basis.as_str().unwrap().contains("1000 rows"), "{basis}");

    // After a run, what would run again costs what it did.
    project.run(&["run", "./small.toml"]).ok();
    let again = plan(&["--force"]);
    for id in ["net", "svm", "svm_pixels"] {
        let foretold = stage(&again, id);
        let basis = foretold["prediction_basis"].as_str().unwrap();
        assert!(basis.contains("same stage"), "{foretold}");
    }
    let results = project.results("small");
    let stages = results["stages"].as_array().unwrap();
    let ran = stages.iter().find(|stage| stage["id"] == "svm_pixels").unwrap();
    assert_eq!(stage(&again, "svm_pixels")["predicted_seconds"], ran["seconds"]);
    // What is cached costs nothing, and nothing is foretold of it.
    assert_eq!(stage(&plan(&[]), "svm_pixels")["predicted_seconds"], Value::Null);
    let text = project.run(&["plan", "./small.toml", "--force", "svm_pixels"]).ok().stdout();
    assert!(text.contains("about "), "{text}");
}

const GROWING: &str = r#"
name = "growing"

[stage.data]
kind = "dataset"
name = "garments-small"
validation = 0.1

[stage.less]
kind = "subset"
inputs = { data = "data" }
n_samples = 500

[stage.svm_500]
kind = "svm"
title = "SVM, 500"
inputs = { data = "less" }

[stage.svm_2000]
kind = "svm"
title = "SVM, 2,000"
inputs = { data = "data" }

[stage.other]
kind = "svm"
title = "Another"
inputs = { data = "data" }
c = 10.0

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["svm_500", "svm_2000", "other"] }
"#;

#[test]
fn models_on_subsets_of_growing_size_are_a_series_of_the_report() {
    let project = Project::empty();
    project.write("growing.toml", GROWING);
    project.run(&["run", "./growing.toml"]).ok();
    let results = project.results("growing");
    let models = results["models"].as_array().unwrap();
    let figures: Vec<(&Value, &Value)> =
        models.iter().map(|m| (&m["n_train"], &m["series"])).collect();
    let (series, none) = (Value::from("SVM"), Value::Null);
    let sizes = [500, 2000].map(Value::from);
    assert_eq!(figures, [(&sizes[0], &series), (&sizes[1], &series), (&sizes[1], &none)]);
    let page = std::fs::read_to_string(project.path("reports/growing/latest/report.html")).unwrap();
    assert!(page.contains("<section id=\"growth\""));
}

#[test]
fn a_subset_larger_than_its_data_set_is_refused_with_both_sizes() {
    let project = Project::empty();
    project.write("growing.toml", GROWING.replace("n_samples = 500", "n_samples = 2001"));
    project.run(&["run", "./growing.toml"]).fails(1, &["`less`", "2001", "2000", "hint"]);
    project.write("growing.toml", GROWING.replace("n_samples = 500", "n_samples = 1"));
    project.run(&["run", "./growing.toml"]).fails(2, &["`n_samples`", "1"]);
}

#[test]
fn a_damaged_bench_memory_is_no_trouble() {
    let project = Project::empty();
    project.write("small.toml", SMALL);
    project.run(&["plan", "./small.toml"]).ok();
    project.write(".pipeline/v2/bench/svm.json", "[{\"kind\": 7}, ");
    project.write(".pipeline/v2/keys/broken.json", "{}");
    project.run(&["plan", "./small.toml"]).ok();
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_bench_without_a_report() {
    let project = Project::empty();
    let args = ["bench", "svm", "--dataset", "garments", "--engines", "native", "--kernels", "rbf"];
    let mut command = project.command(&args);
    let child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(800));
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("interrupted") && !stderr.contains("panicked"), "{stderr}");
    assert!(!project.path("reports/bench_svm").exists());
}
