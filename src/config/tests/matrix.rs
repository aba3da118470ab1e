//! Several learners on several inputs, written once.

use serde_json::json;

use super::{mistakes, parse, parse_with, set};

fn pipeline(matrix: &str) -> String {
    format!(
        "name = \"demo\"\n\
         [stage.data]\nkind = \"dataset\"\nname = \"x\"\n\
         [stage.other]\nkind = \"dataset\"\nname = \"y\"\n\
         [stage.a1]\nkind = \"cnn\"\ninputs = {{ data = \"data\" }}\narchitecture = \"a1\"\n\
         [stage.evaluation]\nkind = \"evaluate\"\n\
         inputs = {{ data = \"data\", models = [\"a1\", \"heads\"] }}\n\
         {matrix}"
    )
}

const HEADS: &str = "[matrix.heads]\ndata = { raw = \"data\", Second_one = \"other\" }\n\
                     [matrix.heads.stage.linear]\nkind = \"svm\"\ntitle = \"Linear\"\n\
                     kernel = \"linear\"\n\
                     [matrix.heads.stage.rbf]\nkind = \"svm\"\nexcept = [\"raw\"]\n";

#[test]
fn a_matrix_makes_each_stage_on_each_input() {
    let pipeline = parse(&pipeline(HEADS)).unwrap();
    let of = |id: &str| {
        let stage = pipeline.stage(id).unwrap();
        (stage.label().to_owned(), stage.params["kernel"].clone(), stage.inputs[0].1.clone())
    };
    let expected = ("Linear on raw".to_owned(), json!("linear"), vec!["data".to_owned()]);
    assert_eq!(of("linear_raw"), expected);
    let expected = ("Linear on Second one".to_owned(), json!("linear"), vec!["other".to_owned()]);
    assert_eq!(of("linear_second_one"), expected);
    assert_eq!(of("rbf_second_one").2, ["other"]);
    assert!(pipeline.stage("rbf_raw").is_none());
    let models = &pipeline.stage("evaluation").unwrap().inputs[1].1;
    assert_eq!(models, &["a1", "linear_raw", "linear_second_one", "rbf_second_one"]);
}

#[test]
fn a_list_of_stages_names_the_inputs_itself() {
    let text =
        pipeline("[matrix.heads]\ndata = [\"data\"]\n[matrix.heads.stage.s]\nkind = \"svm\"\n");
    assert!(parse(&text).unwrap().stage("s_data").is_some());
}

#[test]
fn the_name_of_a_written_stage_stands_for_all_that_it_makes() {
    let text = pipeline(HEADS).replace("\"heads\"]", "\"linear\"]");
    let pipeline = parse_with(&text, &set(&["linear.c=3", "linear_raw.c=4"])).unwrap();
    let models = &pipeline.stage("evaluation").unwrap().inputs[1].1;
    assert_eq!(models, &["a1", "linear_raw", "linear_second_one"]);
    let c = |id: &str| pipeline.stage(id).unwrap().params["c"].clone();
    assert_eq!((c("linear_raw"), c("linear_second_one")), (json!(4.0), json!(3.0)));
    assert_eq!(c("rbf_second_one"), json!(1.0));
}

#[test]
fn a_wrong_matrix_says_what_is_wrong_with_it() {
    let cases = [
        ("matrix = 1\n", "`matrix` must be a table, found `1`"),
        ("[matrix.heads]\ndata = [\"data\"]\n", "matrix `heads` has no stages"),
        (
            "[matrix.heads]\n[matrix.heads.stage.s]\nkind = \"svm\"\n",
            "matrix `heads` has no `data`: the inputs that each stage reads",
        ),
        (
            "[matrix.heads]\ndata = 3\n[matrix.heads.stage.s]\nkind = \"svm\"\n",
            "`data` of matrix `heads` must be a table or a list of stages, found `3`",
        ),
        (
            "[matrix.heads]\ndata = [\"data\", 3]\n[matrix.heads.stage.s]\nkind = \"svm\"\n",
            "`data` of matrix `heads` must name stages, found `3` in it",
        ),
        (
            "[matrix.heads]\ndata = [\"data\", \"data\"]\n[matrix.heads.stage.s]\nkind = \"svm\"\n",
            "`data` of matrix `heads` has `data` twice",
        ),
        (
            "[matrix.heads]\ndata = [\"data\"]\nfoo = 1\n[matrix.heads.stage.s]\nkind = \"svm\"\n",
            "unknown key `foo` of matrix `heads`",
        ),
        (
            "[matrix.heads]\ndata = [\"data\"]\n\
             [matrix.heads.stage.s]\nkind = \"svm\"\nexcept = [\"dat\"]\n",
            "`except` of stage `s` names the unknown input `dat`",
        ),
        (
            "[matrix.heads]\ndata = [\"data\"]\n\
             [matrix.heads.stage.s]\nkind = \"svm\"\nexcept = [\"data\"]\n",
            "stage `s` of matrix `heads` excepts every input",
        ),
        (
            "[matrix.heads]\ndata = { one = \"data\" }\n[matrix.heads.stage.s]\nkind = \"svm\"\n\
             [stage.s_one]\nkind = \"dataset\"\nname = \"z\"\n",
            "a matrix makes the stage `s_one`, which is there",
        ),
        (
            "[matrix.heads]\ndata = { one = \"data\" }\n[matrix.heads.stage.a1]\nkind = \"svm\"\n",
            "`a1` names two things: stages of a matrix and another",
        ),
    ];
    for (matrix, expected) in cases {
        // A key at the top must stand before the tables.
        let text = match matrix.strip_prefix("matrix") {
            Some(_) => format!("{matrix}{}", pipeline("")),
            None => pipeline(matrix),
        };
        let found = mistakes(parse(&text));
        assert!(found.iter().any(|mistake| mistake.ends_with(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn a_mistake_within_a_matrix_is_shown_where_it_was_written() {
    let text = pipeline(&HEADS.replace("kernel = \"linear\"", "kernel = \"liner\""));
    let line = text.lines().position(|line| line.contains("liner")).unwrap() + 1;
    let found = mistakes(parse(&text));
    assert!(found[0].starts_with(&format!("{line}:10 ")), "{found:?}");
}

#[test]
fn a_stage_of_a_matrix_knows_its_place_and_survives_being_written_out() {
    let text =
        pipeline(HEADS).replace("kernel = \"linear\"", "kernel = \"linear\"\nreported = 0.84");
    let pipeline = parse(&text).unwrap();
    let linear = pipeline.stage("linear_second_one").unwrap();
    assert_eq!(linear.reported, Some(0.84));
    let cell = linear.cell.as_ref().unwrap();
    assert_eq!((cell.row.as_str(), cell.column.as_str()), ("Linear", "Second one"));
    assert_eq!(pipeline.stage("rbf_second_one").unwrap().cell.as_ref().unwrap().row, "rbf");
    assert_eq!(pipeline.stage("a1").unwrap().cell, None);
    let mut again = parse(&pipeline.to_toml()).unwrap();
    again.source = pipeline.source.clone();
    assert_eq!(again, pipeline);
}

#[test]
fn a_published_accuracy_must_be_one() {
    let text = pipeline(HEADS).replace("kernel = \"linear\"", "reported = 84");
    let found = mistakes(parse(&text));
    assert!(
        found[0].ends_with("`reported` must be an accuracy from 0 to 1, found `84`"),
        "{found:?}"
    );
}
