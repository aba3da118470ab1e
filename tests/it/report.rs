//! `pipeline report`: a page written again, and several runs in one page.

use crate::project::Project;

/// Two models of generated images, fitted at once.
const TINY: &str = r#"
name = "tiny"
title = "Tiny"

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.knn]
kind = "knn"
title = "Nearest neighbours"
inputs = { data = "data" }

[stage.mean]
kind = "discriminant"
title = "Nearest mean"
inputs = { data = "data" }
covariance = "spherical"

[stage.plane]
kind = "pca"
inputs = { data = "data" }
n_components = 3

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["knn", "mean"], reductions = ["plane"] }
disagreements = 20
"#;

#[test]
fn a_page_is_written_again_and_runs_are_joined() {
    let project = Project::empty();
    project.write("tiny.toml", TINY);
    project.write("other.toml", TINY.replace("\"tiny\"", "\"other\""));
    project.run(&["run", "./tiny.toml"]).ok();
    project.run(&["run", "./other.toml"]).ok();

    let results = project.results("tiny");
    let model = &results["models"][1];
    assert!(model["auc_macro"].as_f64().is_some_and(|auc| auc > 0.5 && auc <= 1.0), "{model}");
    assert!(model["log_loss"].as_f64().is_some(), "{model}");
    assert_eq!(results["stages"][1]["inputs"][0], "data");

    let run = project.path("reports/tiny/latest");
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    for id in ["pairs", "models", "scatter", "browser"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id} is missing");
    }
    assert!(run.join("figures/cost-1.svg").is_file());
    std::fs::write(run.join("report.html"), "spoilt").unwrap();
    project.run(&["report", "tiny"]).ok();
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap() == page, "another page");

    let joined = project.run(&["report", "tiny", "other", "--out", "both"]).ok();
    assert!(joined.stdout().contains("report.html"), "{}", joined.stdout());
    let page = std::fs::read_to_string(project.path("both/report.html")).unwrap();
    for title in ["tiny: Nearest mean", "other: Nearest mean"] {
        assert!(page.contains(title), "{title} is missing");
    }

    project.run(&["report", "tiny", "other"]).fails(2, &["need a place", "--out DIR"]);
    project.run(&["report", "tiny", "tiny", "--out", "twice"]).fails(2, &["named twice"]);
    project.run(&["report", "tiyn"]).fails(2, &["no run `tiyn`", "`tiny`"]);
    std::fs::remove_file(run.join("page.json.gz")).unwrap();
    project.run(&["report", "tiny"]).fails(1, &["page.json.gz", "run the pipeline again"]);
}
