//! What a search varies and fixes, checked against the learner's own fields.

use serde_json::{Value, json};

use super::{mistakes, set};
use crate::config::{ConfigError, Overrides, Pipeline};
use crate::stage::KINDS;

fn parse_with(lines: &str, overrides: &Overrides) -> Result<Pipeline, ConfigError> {
    let text = format!(
        "name = \"demo\"\n[stage.data]\nkind = \"dataset\"\nname = \"garments-small\"\n\
         [stage.s]\nkind = \"search\"\ninputs = {{ data = \"data\" }}\nlearner = \"svm\"\n{lines}"
    );
    Pipeline::parse(&text, "demo.toml", KINDS, overrides)
}

fn parse(lines: &str) -> Result<Pipeline, ConfigError> {
    parse_with(lines, &Overrides::default())
}

fn param(pipeline: &Pipeline, name: &str) -> Value {
    pipeline.stage("s").unwrap().params[name].clone()
}

/// The only mistake of the lines with its hint.
#[track_caller]
fn only_mistake(lines: &str) -> String {
    let error = parse(lines).expect_err("the search is wrong");
    let [problem] = error.problems() else { panic!("{error}") };
    format!("{} | {}", problem.message, problem.hint.as_deref().unwrap_or_default())
}

#[test]
fn a_grid_is_sorted_by_name_and_the_rest_takes_its_defaults() {
    let pipeline = parse("grid = { kernel = [\"rbf\"], c = [10, 0.1, 10.0] }\n").unwrap();
    let grid = param(&pipeline, "grid");
    assert_eq!(grid.to_string(), r#"{"c":[10.0,0.1],"kernel":["rbf"]}"#);
    let fixed = param(&pipeline, "params");
    assert_eq!((&fixed["gamma"], &fixed["tol"]), (&json!("scale"), &json!(0.001)));
    for absent in ["c", "kernel", "degree"] {
        assert_eq!(fixed.get(absent), None, "{absent} is searched or read by no candidate");
    }
}

#[test]
fn what_one_candidate_reads_is_fixed_for_all() {
    let lines = "grid = { kernel = [\"linear\", \"poly\"] }\nparams = { degree = 2, c = 5 }\n";
    let fixed = param(&parse(lines).unwrap(), "params");
    assert_eq!((&fixed["degree"], &fixed["c"]), (&json!(2), &json!(5.0)));
}

#[test]
fn values_of_a_grid_are_checked_as_in_the_learner_s_stage_with_their_place() {
    let lines = "grid = { c = [1, -1, true], kernal = [\"rbf\"], kernel = [\"rbff\"] }\n\
                 params = { tol = 2, title = 1 }\n";
    let expected = [
        "9:18 parameter `grid.c[1]` of stage `s` (search) must be a number above 0, at most \
         1000000000000, found `-1`",
        "9:22 parameter `grid.c[2]` of stage `s` (search) must be a number above 0, at most \
         1000000000000, found `true`",
        "9:29 unknown parameter `grid.kernal` of stage `s` (search)",
        "9:57 parameter `grid.kernel[0]` of stage `s` (search) must be one of `linear`, `rbf`, \
         `poly`, `sigmoid`, found `rbff`",
        "10:18 parameter `params.tol` of stage `s` (search) must be a number above 0, at most 1, \
         found `2`",
        "10:21 unknown parameter `params.title` of stage `s` (search)",
    ];
    let error = parse(lines);
    let hints: Vec<Option<String>> = match &error {
        Err(error) => error.problems().iter().map(|problem| problem.hint.clone()).collect(),
        Ok(_) => panic!("the search is wrong"),
    };
    assert!(hints[2].as_deref().unwrap().starts_with("did you mean `kernel`?"), "{hints:?}");
    assert_eq!(hints[3].as_deref(), Some("did you mean `rbf`?"));
    assert_eq!(mistakes(error), expected);
}

#[test]
fn a_grid_must_hold_lists() {
    let found = only_mistake("");
    assert!(found.contains("stage `s` (search) has no `grid`: values to try"), "{found}");
    for (grid, message) in [
        ("3", "`grid` of stage `s` (search) must be a table of lists, found `3`"),
        ("{}", "must be a table of lists, found an empty one"),
        ("{ c = 1 }", "`grid.c` of stage `s` (search) must be a list of values, each a number"),
        ("{ c = [] }", "`grid.c` of stage `s` (search) must be a list of values, each a number"),
    ] {
        let found = only_mistake(&format!("grid = {grid}\n"));
        assert!(found.contains(message), "{grid}: {found}");
    }
}

#[test]
fn distributions_are_checked_and_refused_where_candidates_are_enumerated() {
    let random = |grid: &str| format!("strategy = \"random\"\ngrid = {{ {grid} }}\n");
    let pipeline = parse(&random(
        "c = { log_uniform = [1, 100] }, degree = { uniform = [2, 5] }, \
                                  kernel = [\"poly\"]",
    ));
    let grid = param(&pipeline.unwrap(), "grid");
    assert_eq!(grid["c"].to_string(), r#"{"log_uniform":[1.0,100.0]}"#);
    assert_eq!(grid["degree"].to_string(), r#"{"uniform":[2,5]}"#);
    for (grid, message) in [
        ("c = { normal = [0, 1] }", "is of an unknown distribution `normal` | write `{ uniform"),
        ("c = { uniform = [1] }", "needs two bounds, found 1"),
        ("c = { uniform = 1 }", "needs two bounds"),
        ("c = {}", "must be one distribution"),
        ("c = { uniform = [5, 2] }", "wrong order: 5 is not below 2"),
        ("c = { uniform = [-5, 2] }", "`grid.c.uniform[0]` of stage `s` (search) must be a number"),
        ("gamma = { uniform = [1, \"scale\"] }", "needs bounds that are numbers"),
        ("kernel = { uniform = [1, 2] }", "has no distribution, for it is one of `linear`"),
    ] {
        let found = only_mistake(&random(grid));
        assert!(found.contains(message), "{grid}: {found}");
    }
    let coef0 = "coef0 = { log_uniform = [0, 2] }, kernel = [\"poly\"]";
    let found = only_mistake(&random(coef0));
    assert!(found.contains("needs bounds above 0 for `log_uniform`, found 0"), "{found}");
    let found = only_mistake("grid = { c = { uniform = [1, 2] } }\n");
    assert!(found.contains("is a distribution, which strategy `grid` cannot enumerate"), "{found}");
    assert!(found.ends_with("list its values, or write `strategy = \"random\"`"), "{found}");
}

#[test]
fn a_parameter_that_no_candidate_reads_or_that_is_also_fixed_is_refused() {
    let found = only_mistake("grid = { gamma = [1] }\nparams = { kernel = \"linear\" }\n");
    let expected = "parameter `grid.gamma` of stage `s` (search) is read by no candidate | it is \
                    read where `kernel` is one of `rbf`, `poly`, `sigmoid`";
    assert_eq!(found, expected);
    let found = only_mistake("grid = { c = [1] }\nparams = { c = 2 }\n");
    assert!(found.contains("`c` of stage `s` (search) is both searched and fixed"), "{found}");
    assert!(parse("grid = { gamma = [1], kernel = [\"linear\", \"rbf\"] }\n").is_ok());
}

#[test]
fn too_many_combinations_are_refused_with_their_number() {
    let list = (1..=101).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let found = only_mistake(&format!("grid = {{ c = [{list}], gamma = [{list}] }}\n"));
    assert!(found.contains("makes 10201 combinations, at most 10000 are tried"), "{found}");
}

#[test]
fn an_unknown_learner_is_the_only_mistake_of_a_search() {
    let text = "name = \"demo\"\n[stage.data]\nkind = \"dataset\"\nname = \"garments-small\"\n\
                [stage.s]\nkind = \"search\"\ninputs = { data = \"data\" }\nlearner = \"svn\"\n\
                grid = { c = [1] }\n";
    let found = mistakes(Pipeline::parse(text, "x", KINDS, &Overrides::default()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("`learner` of stage `s` (search) must be"), "{found:?}");
}

#[test]
fn arguments_reach_into_tables() {
    let lines = "grid = { c = [1, 10] }\n";
    let overrides = set(&["s.grid.c=[2, 3]", "s.grid.gamma=[0.5]", "s.params.tol=0.01"]);
    let pipeline = parse_with(lines, &overrides).unwrap();
    let expected = json!({ "c": [2.0, 3.0], "gamma": [0.5] });
    assert_eq!(param(&pipeline, "grid"), expected);
    assert_eq!(param(&pipeline, "params")["tol"], 0.01);
    let found = mistakes(parse_with(lines, &set(&["s.folds.n=3"])));
    assert!(found[0].contains("unknown parameter") || found[0].contains("`folds`"), "{found:?}");
    let found = mistakes(parse_with(lines, &set(&["s.learner.x=3"])));
    let expected = "--set s.learner.x=3 `learner` in `s.learner.x` is not a table";
    assert_eq!(found, [expected]);
}

#[test]
fn a_resolved_search_parses_back_to_an_equal_pipeline() {
    for lines in [
        "grid = { c = [0.1, 1e-7], kernel = [\"rbf\", \"linear\"] }\n",
        "strategy = \"halving\"\ngrid = { c = { log_uniform = [0.1, 10] } }\nfactor = 2\n",
    ] {
        let pipeline = parse(lines).unwrap();
        let text = pipeline.to_toml();
        let again = Pipeline::parse(&text, "demo.toml", KINDS, &Overrides::default()).unwrap();
        assert_eq!(again.stages, pipeline.stages, "{text}");
    }
}

#[test]
fn a_search_is_of_another_version_than_its_learner_alone() {
    let pipeline = parse("grid = { c = [1] }\n").unwrap();
    let search = pipeline.stage("s").unwrap();
    let of = |name: &str| KINDS.iter().find(|kind| kind.name == name).unwrap().version;
    assert_eq!(search.version(), of("search") + of("svm"));
    assert_eq!(pipeline.stage("data").unwrap().version(), of("dataset"));
}

/// The members' parameters of a stage that boosts.
fn boosted(lines: &str) -> Result<Value, ConfigError> {
    let text = format!(
        "name = \"demo\"\n[stage.data]\nkind = \"dataset\"\nname = \"garments-small\"\n\
         [stage.s]\nkind = \"adaboost\"\ninputs = {{ data = \"data\" }}\n{lines}"
    );
    let pipeline = Pipeline::parse(&text, "demo.toml", KINDS, &Overrides::default())?;
    Ok(param(&pipeline, "params"))
}

#[test]
fn boosted_trees_are_stumps_unless_the_file_says_otherwise() {
    assert_eq!(boosted("").unwrap()["max_depth"], json!(1));
    assert_eq!(boosted("params = { max_depth = 3 }\n").unwrap()["max_depth"], json!(3));
    let params = boosted("learner = \"linear_svm\"\nparams = { loss = \"hinge\" }\n").unwrap();
    assert_eq!((&params["c"], params.get("solver")), (&json!(1.0), None));
}

#[test]
fn mistakes_in_the_members_parameters_are_named() {
    for (lines, expected) in [
        ("params = { max_dept = 3 }\n", "unknown parameter `params.max_dept` of stage `s`"),
        (
            "params = { max_depth = 0 }\n",
            "parameter `params.max_depth` of stage `s` (adaboost) must be `none` or a whole \
             number, at least 1, found",
        ),
    ] {
        let error = boosted(lines).expect_err("the members are wrong");
        let [problem] = error.problems() else { panic!("{error}") };
        assert!(problem.message.starts_with(expected), "{}", problem.message);
    }
}
