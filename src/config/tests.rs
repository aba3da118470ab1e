//! Pipeline files against small kinds of stages that are never run.

mod matrix;
mod search;
mod seeds;

use serde_json::{Map, Value, json};

use super::*;
use crate::nearest::nearest;
use crate::stage::{
    Accepts, ArtifactType, Condition, Context, Field, InputSpec, Inputs, Output, StageError,
};

struct Never;

impl Stage for Never {
    fn run(&self, _inputs: &Inputs, _context: &Context) -> Result<Output, StageError> {
        Err(StageError::Interrupted)
    }
}

fn never(_params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Never)
}

const fn field(name: &'static str, accepts: Accepts, default: Option<&'static str>) -> Field {
    Field { name, doc: "a parameter", accepts, default, read_if: None }
}

const DATA: InputSpec = InputSpec {
    name: "data",
    accepts: &[ArtifactType::Dataset],
    many: false,
    required: true,
    doc: "images",
};

static DATASET: Kind = Kind {
    name: "dataset",
    doc: "Images.",
    version: 1,
    seeded: true,
    inputs: &[],
    fields: &[
        field("name", Accepts::Text, None),
        field("fallback", Accepts::Choice(&["none", "garments"]), Some("\"garments\"")),
    ],
    cost_only: &[],
    produces: ArtifactType::Dataset,
    build: never,
};

static CNN: Kind = Kind {
    name: "cnn",
    doc: "Network.",
    version: 1,
    seeded: true,
    inputs: &[DATA],
    fields: &[
        field("architecture", Accepts::ChoiceOf(|| vec!["a1".into(), "a3".into()]), None),
        field("epochs", Accepts::Integer { min: 1, max: 1000 }, Some("10")),
        field(
            "learning_rate",
            Accepts::Number { min: 0.0, max: 1.0, above_min: true },
            Some("1e-3"),
        ),
        field("early_stop", Accepts::Boolean, Some("false")),
        field(
            "augment",
            Accepts::Table(&[
                field("crop", Accepts::Integer { min: 0, max: 10 }, Some("0")),
                field("flip", Accepts::Number { min: 0.0, max: 1.0, above_min: false }, Some("0")),
            ]),
            Some("{}"),
        ),
    ],
    cost_only: &[],
    produces: ArtifactType::Network,
    build: never,
};

static SVM: Kind = Kind {
    name: "svm",
    doc: "Machine.",
    version: 1,
    seeded: false,
    inputs: &[DATA],
    fields: &[
        field("kernel", Accepts::Choice(&["linear", "rbf", "polynomial"]), Some("\"rbf\"")),
        field("c", Accepts::Number { min: 0.0, max: f64::MAX, above_min: true }, Some("1.0")),
        Field {
            read_if: Some(Condition { field: "kernel", is_one_of: &["rbf", "polynomial"] }),
            ..field(
                "gamma",
                Accepts::WordOrNumber { words: &["scale", "auto"], above: 0.0 },
                Some("\"scale\""),
            )
        },
        Field {
            read_if: Some(Condition { field: "kernel", is_one_of: &["polynomial"] }),
            ..field("degree", Accepts::Integer { min: 1, max: 9 }, None)
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Classifier,
    build: never,
};

static EVALUATE: Kind = Kind {
    name: "evaluate",
    doc: "Metrics.",
    version: 1,
    seeded: false,
    inputs: &[
        DATA,
        InputSpec {
            name: "models",
            accepts: &[ArtifactType::Network, ArtifactType::Classifier],
            many: true,
            required: true,
            doc: "models",
        },
    ],
    fields: &[],
    cost_only: &[],
    produces: ArtifactType::Evaluation,
    build: never,
};

static KINDS: [&Kind; 4] = [&DATASET, &CNN, &SVM, &EVALUATE];

const GOOD: &str = r#"name = "demo"
title = "A \"demo\""
seed = 7

[stage.evaluation]
kind = "evaluate"
inputs = { models = ["a1", "svm"], data = "data" }

[stage.data]
kind = "dataset"
name = "fashion-mnist"

[stage.a1]
kind = "cnn"
title = "A1 CNN, softmax"
inputs = { data = "data" }
architecture = "a1"
epochs = 3

[stage.svm]
kind = "svm"
inputs = { data = "data" }
kernel = "linear"
c = 10
gamma = 0.5
"#;

fn parse_with(text: &str, overrides: &Overrides) -> Result<Pipeline, ConfigError> {
    Pipeline::parse(text, "demo.toml", &KINDS, overrides)
}

fn parse(text: &str) -> Result<Pipeline, ConfigError> {
    parse_with(text, &Overrides::default())
}

fn set(values: &[&str]) -> Overrides {
    Overrides { set: values.iter().map(|&v| v.to_owned()).collect(), ..Overrides::default() }
}

/// `line:column message` of every mistake; arguments stand in place of the line.
fn mistakes(result: Result<Pipeline, ConfigError>) -> Vec<String> {
    let error = result.expect_err("the pipeline is wrong");
    let place = |place: &Place| match place {
        Place::File { line, column, .. } => format!("{line}:{column}"),
        Place::Argument(argument) => argument.clone(),
    };
    error.problems().iter().map(|p| format!("{} {}", place(&p.place), p.message)).collect()
}

/// A pipeline of one data set and one more stage.
fn with_stage(stage: &str) -> String {
    format!("name = \"demo\"\n[stage.data]\nkind = \"dataset\"\nname = \"x\"\n{stage}")
}

#[test]
fn stages_come_after_their_inputs_else_in_file_order() {
    let pipeline = parse(GOOD).unwrap();
    let ids: Vec<&str> = pipeline.stages.iter().map(|stage| stage.id.as_str()).collect();
    assert_eq!(ids, ["data", "a1", "svm", "evaluation"]);
    assert_eq!((pipeline.name.as_str(), pipeline.seed), ("demo", 7));
    assert_eq!(pipeline.source, "demo.toml");
    assert_eq!(pipeline.stage("a1").unwrap().label(), "A1 CNN, softmax");
}

#[test]
fn defaults_are_filled_in_and_unread_parameters_removed() {
    let pipeline = parse(GOOD).unwrap();
    let params = |id| Value::Object(pipeline.stage(id).unwrap().params.clone());
    assert_eq!(
        params("a1"),
        json!({
            "architecture": "a1", "epochs": 3, "learning_rate": 1e-3, "early_stop": false,
            "augment": {},
        })
    );
    assert_eq!(params("svm"), json!({"kernel": "linear", "c": 10.0}));
}

#[test]
fn inputs_follow_the_order_of_the_kind() {
    let pipeline = parse(GOOD).unwrap();
    let expected = vec![
        ("data".to_owned(), vec!["data".to_owned()]),
        ("models".to_owned(), vec!["a1".to_owned(), "svm".to_owned()]),
    ];
    assert_eq!(pipeline.stage("evaluation").unwrap().inputs, expected);
}

#[test]
fn resolved_toml_parses_back_to_an_equal_pipeline() {
    let text = GOOD.replace("seed = 7", "seed = 7\ndescription = \"two\\nlines, \\\\ and é\"");
    let overrides = Overrides { seed: Some(u64::MAX), ..set(&["svm.c=1e-7", "svm.kernel=rbf"]) };
    let pipeline = parse_with(&text, &overrides).unwrap();
    let again = parse(&pipeline.to_toml()).unwrap();
    assert_eq!(again, pipeline, "{}", pipeline.to_toml());
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let text = r#"name = "Demo"
sed = 3
[stage.data]
kind = "dataset"
name = 3
[stage.a1]
kind = "cnn"
inputs = { dat = "data" }
architecture = "a2"
epoch = 10
epochs = 0
learning_rate = nan
[stage.svm]
kind = "swm"
[stage.last]
kind = "evaluate"
inputs = { data = "a1", models = ["a1", "a1", "smv"] }
"#;
    let expected = [
        "1:8 pipeline name `Demo` must be 1 to 100 of `a-z`, `0-9`, `_`, `-`",
        "2:1 unknown key `sed`",
        "5:8 parameter `name` of stage `data` (dataset) must be text, found `3`",
        "8:1 stage `a1` (cnn) has no input `data`: images",
        "8:12 unknown input `dat` of stage `a1` (cnn)",
        "9:16 parameter `architecture` of stage `a1` (cnn) must be one of `a1`, `a3`, found `a2`",
        "10:1 unknown parameter `epoch` of stage `a1` (cnn)",
        "11:10 parameter `epochs` of stage `a1` (cnn) must be a whole number from 1 to 1000, \
         found `0`",
        "12:17 parameter `learning_rate` of stage `a1` (cnn) must be a number above 0, at most 1, \
         found `NaN`",
        "14:8 unknown kind `swm` of stage `svm`",
        "17:19 input `data` of stage `last` (evaluate) takes a data set, but stage `a1` (cnn) \
         makes a network",
        "17:41 input `models` of stage `last` (evaluate) must be a list of stage names, found \
         `a1` twice",
        "17:47 input `models` of stage `last` (evaluate) names an unknown stage `smv`",
    ];
    assert_eq!(mistakes(parse(text)), expected);
}

#[test]
fn a_mistake_is_shown_with_its_line_and_the_nearest_name() {
    let text = with_stage("[stage.a1]\nkind = \"cnn\"\ninputs.data = \"data\"\n  epoch = 10\n");
    let text = format!("{text}architecture = \"a1\"\n");
    let expected = "\
error: unknown parameter `epoch` of stage `a1` (cnn)
  --> demo.toml:8:3
   | epoch = 10
  hint: did you mean `epochs`? allowed: `architecture`, `epochs`, `learning_rate`, `early_stop`, `augment`, \
         `kind`, `title`, `inputs`, `reported`, `cell`";
    assert_eq!(parse(&text).unwrap_err().to_string(), expected);
}

#[test]
fn arguments_are_checked_like_the_file_and_named_as_typed() {
    let overrides = set(&[
        "a1.epochs=abc",
        "a1.epoch=3",
        "b1.epochs=3",
        "epochs=3",
        "a1.epochs",
        "a1.title=[",
        "svm.c=true",
        "seed=-1",
    ]);
    let expected = [
        "--set a1.epoch=3 unknown parameter `epoch` of stage `a1` (cnn)",
        "--set a1.epochs `a1.epochs` has no `=`",
        "--set a1.epochs=abc parameter `epochs` of stage `a1` (cnn) must be a whole number from 1 \
         to 1000, found `abc`",
        "--set a1.title=[ the value of `a1.title` is not valid TOML: ",
        "--set b1.epochs=3 unknown stage `b1`",
        "--set epochs=3 `epochs` names no parameter of a stage",
        "--set seed=-1 `seed` must be a whole number from 0 to 18446744073709551615, found `-1`",
        "--set svm.c=true parameter `c` of stage `svm` (svm) must be a number above 0, found \
         `true`",
    ];
    let found = mistakes(parse_with(GOOD, &overrides));
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn arguments_replace_what_the_file_says() {
    let overrides = Overrides {
        seed: Some(1),
        dataset: Some("digits".to_owned()),
        ..set(&["a1.epochs=4", "a1.epochs = 5", "seed=9", "svm.kernel=rbf", "svm.gamma=auto"])
    };
    let pipeline = parse_with(GOOD, &overrides).unwrap();
    assert_eq!(pipeline.seed, 9);
    assert_eq!(pipeline.stage("a1").unwrap().params["epochs"], 5);
    assert_eq!(pipeline.stage("svm").unwrap().params["gamma"], "auto");
    let data = &pipeline.stage("data").unwrap().params;
    assert_eq!(Value::Object(data.clone()), json!({"name": "digits", "fallback": "none"}));
}

#[test]
fn a_data_set_argument_needs_a_data_set_stage() {
    let overrides = Overrides { dataset: Some("digits".to_owned()), ..Overrides::default() };
    let found = mistakes(parse_with("name = \"x\"\n[stage.a]\nkind = \"svm\"", &overrides));
    assert!(found.iter().any(|m| m.contains("no stage of kind `dataset`")), "{found:?}");
}

#[test]
fn inputs_can_be_set_and_must_fit() {
    assert!(parse_with(GOOD, &set(&["evaluation.inputs.models=[\"svm\"]"])).is_ok());
    let found = mistakes(parse_with(GOOD, &set(&["evaluation.inputs.models=svm"])));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("must be a list of stage names, found `svm`"), "{found:?}");
}

#[test]
fn a_list_where_one_stage_is_wanted_is_refused() {
    let text = with_stage("[stage.svm]\nkind = \"svm\"\ninputs = { data = [\"data\"] }\n");
    assert_eq!(
        mistakes(parse(&text)),
        ["7:19 input `data` of stage `svm` (svm) must be one stage name, found a list"]
    );
}

#[test]
fn a_missing_parameter_is_named_only_where_it_is_read() {
    let stage = "[stage.svm]\nkind = \"svm\"\ninputs = { data = \"data\" }\n";
    assert!(parse(&with_stage(stage)).is_ok());
    let text = with_stage(&format!("{stage}kernel = \"polynomial\"\n"));
    assert_eq!(mistakes(parse(&text)), ["5:8 stage `svm` (svm) has no `degree`: a parameter"]);
    let text = with_stage(&format!("{stage}kernel = \"polynomal\"\n"));
    assert_eq!(mistakes(parse(&text)).len(), 1, "the kernel is wrong, its degree undecided");
}

#[test]
fn a_cycle_is_printed() {
    static LINK: Kind = Kind {
        name: "link",
        inputs: &[InputSpec {
            name: "from",
            accepts: &[ArtifactType::Features],
            many: false,
            required: true,
            doc: "another",
        }],
        fields: &[],
        cost_only: &[],
        produces: ArtifactType::Features,
        doc: "Passes on.",
        version: 1,
        seeded: false,
        build: never,
    };
    static LINKS: [&Kind; 1] = [&LINK];
    let link =
        |id, from| format!("[stage.{id}]\nkind = \"link\"\ninputs = {{ from = \"{from}\" }}\n");
    let found = |text: String| {
        mistakes(Pipeline::parse(&text, "x", &LINKS, &Overrides::default())).join("; ")
    };
    let three = format!(
        "name = \"x\"\n{}{}{}{}",
        link("d", "c"),
        link("a", "c"),
        link("b", "a"),
        link("c", "b")
    );
    assert_eq!(found(three), "5:8 the stages form a cycle: c -> a -> b -> c");
    let one = format!("name = \"x\"\n{}", link("a", "a"));
    assert_eq!(found(one), "2:8 the stages form a cycle: a -> a");
}

#[test]
fn empty_and_malformed_files_are_refused() {
    assert_eq!(
        mistakes(parse("")),
        ["1:1 the pipeline has no `name`", "1:1 the pipeline has no stages"]
    );
    assert_eq!(mistakes(parse("name = \"x\"\n[stage]\n")), ["2:2 the pipeline has no stages"]);
    assert_eq!(
        mistakes(parse("name = \"x\"\nstage = 3\n")),
        ["2:9 `stage` must be a table, found `3`"]
    );
    let found = mistakes(parse("name = \"x\nseed = = 3\n[stage.a]\nkind = 'k'\nkind = 'k'\n"));
    assert!(found.len() >= 3, "{found:?}");
    assert!(found.iter().all(|mistake| mistake.contains("not valid TOML")), "{found:?}");
}

#[test]
fn no_text_makes_the_parser_panic() {
    for end in (0..GOOD.len()).filter(|&end| GOOD.is_char_boundary(end)) {
        let _ = parse(&GOOD[..end]);
    }
    for (at, _) in GOOD.char_indices() {
        for other in ["\"", "[", "]", "{", "}", "=", ",", ".", "\n", "0", "é", ""] {
            let mut text = GOOD.to_owned();
            text.replace_range(at..at + 1, other);
            let _ = parse(&text).map_err(|error| error.to_string());
        }
    }
    for text in ["stage.a.b = 1", "[[stage]]\nkind = 1", "stage.é = { kind = 'cnn' }", "[stage.a]"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn equal_numbers_have_one_form() {
    let param = |value: &str| {
        let overrides = set(&[&format!("svm.c={value}")]);
        parse_with(GOOD, &overrides).unwrap().stage("svm").unwrap().params["c"].to_string()
    };
    assert_eq!(param("10"), param("10.0"));
    assert_eq!(param("1e1"), param("10"));
    assert_eq!(param("0x0a"), param("1_0"));
    for refused in ["0", "-0.0", "inf", "nan", "1e999", "99999999999999999999999999999999999999999"]
    {
        let overrides = set(&[&format!("svm.c={refused}")]);
        assert!(parse_with(GOOD, &overrides).is_err(), "{refused}");
    }
}

#[test]
fn a_default_and_the_same_value_written_out_are_equal() {
    static SCALE: Kind = Kind {
        name: "scale",
        doc: "Scales.",
        version: 1,
        seeded: false,
        inputs: &[],
        fields: &[field(
            "factor",
            Accepts::Number { min: 0.0, max: 9.0, above_min: false },
            Some("2"),
        )],
        cost_only: &[],
        produces: ArtifactType::Features,
        build: never,
    };
    static SCALES: [&Kind; 1] = [&SCALE];
    let parse = |text: &str| {
        let text = format!("name = \"x\"\n[stage.a]\nkind = \"scale\"\n{text}");
        Pipeline::parse(&text, "x", &SCALES, &Overrides::default()).unwrap()
    };
    assert_eq!(parse(""), parse("factor = 2\n"));
    assert_eq!(parse(""), parse("factor = 2.0\n"));
}

#[test]
fn a_list_of_whole_numbers_is_read_and_a_wrong_one_says_which_item() {
    static LISTS: Kind = Kind {
        name: "lists",
        doc: "Lists.",
        version: 1,
        seeded: false,
        inputs: &[],
        cost_only: &[],
        fields: &[field(
            "cells",
            Accepts::IntegerList { min: 1, max: 64, distinct: true },
            Some("[4, 7]"),
        )],
        produces: ArtifactType::Features,
        build: never,
    };
    static KINDS: [&Kind; 1] = [&LISTS];
    let parse = |value: &str| {
        let text = format!("name = \"x\"\n[stage.a]\nkind = \"lists\"\n{value}");
        Pipeline::parse(&text, "x", &KINDS, &Overrides::default())
    };
    let read = parse("cells = [4, 7]").unwrap();
    assert_eq!(read, parse("").unwrap());
    assert_eq!(Pipeline::parse(&read.to_toml(), "x", &KINDS, &Overrides::default()), Ok(read));
    for (value, hint) in [
        ("cells = [4, 0]", "hint: the list holds `0`"),
        ("cells = [4, 4]", "hint: `4` stands twice"),
        ("cells = []", "hint: the list is empty"),
        ("cells = [4, 7.5]", "hint: the list holds `7.5`"),
        ("cells = 4", "hint: write `[4]`"),
        ("cells = \"4,7\"", "a list of different whole numbers from 1 to 64, found `4,7`"),
    ] {
        let error = parse(value).unwrap_err().to_string();
        assert!(error.contains(hint), "{value}: {error}");
    }
}

#[test]
fn nearest_finds_slips_and_parts_but_no_strangers() {
    let names = ["fashion-mnist", "garments", "svm_rbf"];
    for (typed, meant) in [
        ("fashion_mnist", Some("fashion-mnist")),
        ("mnist", Some("fashion-mnist")),
        ("Garment", Some("garments")),
        ("svm_rfb", Some("svm_rbf")),
        ("iris", None),
    ] {
        assert_eq!(nearest(typed, names), meant, "{typed}");
    }
}

#[test]
fn a_table_of_fields_holds_those_that_are_not_off() {
    let augment = |overrides: &[&str], text: &str| {
        let text = GOOD.replace("epochs = 3", text);
        let pipeline = parse_with(&text, &set(overrides)).unwrap();
        pipeline.stage("a1").unwrap().params["augment"].clone()
    };
    assert_eq!(augment(&[], "epochs = 3"), json!({}));
    assert_eq!(augment(&[], "augment = { flip = 0, crop = 0 }"), json!({}));
    assert_eq!(augment(&[], "augment = { flip = 1 }"), json!({ "flip": 1.0 }));
    let changed = augment(&["a1.augment.crop=4", "a1.augment.flip=0"], "augment = { flip = 1 }");
    assert_eq!(changed, json!({ "crop": 4 }));
}

#[test]
fn a_table_of_fields_is_checked_key_by_key() {
    let text = GOOD.replace("epochs = 3", "augment = { flpi = 0.5, crop = 11 }");
    assert_eq!(
        mistakes(parse(&text)),
        [
            "18:13 unknown parameter `augment.flpi` of stage `a1` (cnn)",
            "18:32 parameter `augment.crop` of stage `a1` (cnn) must be a whole number from 0 to 10, found `11`",
        ]
    );
    let text = GOOD.replace("epochs = 3", "augment = \"all\"");
    assert_eq!(
        mistakes(parse(&text)),
        [
            "18:11 parameter `augment` of stage `a1` (cnn) must be a table of any of `crop`, `flip`, found `all`"
        ]
    );
}

#[test]
fn fields_of_one_argument_are_checked_as_those_of_a_file() {
    static FIELDS: [Field; 1] = [field("crop", Accepts::Integer { min: 0, max: 10 }, Some("0"))];
    let read = parse_fields("crop=4", "--augment", &FIELDS).unwrap();
    assert_eq!(Value::Object(read), json!({ "crop": 4 }));
    for (typed, expected) in [
        ("crpo=4", "unknown parameter `--augment.crpo` of the command line"),
        ("crop=40", "must be a whole number from 0 to 10, found `40`"),
        ("crop", "`crop` is not a list of values"),
    ] {
        let error = parse_fields(typed, "--augment", &FIELDS).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
