//! Several seeds: what is drawn at random is written out once for each.

use serde_json::json;

use super::{GOOD, mistakes, parse, parse_with, set};
use crate::config::{Overrides, Pipeline};

fn seeded() -> String {
    GOOD.replace("seed = 7", "seeds = [7, 8]")
}

fn ids(pipeline: &Pipeline) -> Vec<&str> {
    pipeline.stages.iter().map(|stage| stage.id.as_str()).collect()
}

#[test]
fn what_is_drawn_and_all_that_stands_on_it_is_made_with_each_seed() {
    let pipeline = parse(&seeded()).unwrap();
    // The data set is drawn once, and the machine draws nothing.
    assert_eq!(ids(&pipeline), ["data", "a1@7", "a1@8", "svm", "evaluation@7", "evaluation@8"]);
    let inputs = |id: &str| pipeline.stage(id).unwrap().inputs.clone();
    assert_eq!(inputs("evaluation@8")[0].1, ["data"]);
    assert_eq!(inputs("evaluation@8")[1].1, ["a1@8", "svm"]);
    assert_eq!((pipeline.seed, pipeline.seeds()), (7, vec![7, 8]));
    let own: Vec<Option<u64>> = pipeline.stages.iter().map(|stage| stage.own_seed()).collect();
    assert_eq!(own, [None, Some(7), Some(8), None, Some(7), Some(8)]);
    assert_eq!(pipeline.stage("a1@8").unwrap().label(), "A1 CNN, softmax");
    let named: Vec<&str> = pipeline.named("a1").map(|stage| stage.id.as_str()).collect();
    assert_eq!(named, ["a1@7", "a1@8"]);
}

#[test]
fn one_seed_makes_no_copies() {
    let one = parse(&GOOD.replace("seed = 7", "seeds = [7]")).unwrap();
    assert_eq!(one, parse(GOOD).unwrap());
    assert!(one.seeds().is_empty());
    for overrides in [Overrides { seed: Some(7), ..Overrides::default() }, set(&["seed=7"])] {
        assert_eq!(parse_with(&seeded(), &overrides).unwrap(), one);
    }
}

#[test]
fn the_command_line_may_name_the_seeds() {
    let overrides = Overrides { seeds: vec![8, 9, 10], ..Overrides::default() };
    for text in [GOOD.to_owned(), seeded()] {
        let pipeline = parse_with(&text, &overrides).unwrap();
        assert_eq!((pipeline.seed, pipeline.seeds()), (8, vec![8, 9, 10]));
    }
    let overrides = Overrides { seeds: vec![8, 8], ..Overrides::default() };
    assert_eq!(
        mistakes(parse_with(GOOD, &overrides)),
        [format!(
            "--seeds 8,8 `seeds` must be a list of different whole numbers from 0 to {}, found \
             `8` twice",
            u64::MAX
        )]
    );
}

#[test]
fn all_copies_may_fill_one_list() {
    let text = seeded().replace("[\"a1\", \"svm\"]", "[\"a1@*\", \"svm\"]");
    let pipeline = parse(&text).unwrap();
    assert_eq!(ids(&pipeline), ["data", "a1@7", "a1@8", "svm", "evaluation"]);
    let models = &pipeline.stage("evaluation").unwrap().inputs[1].1;
    assert_eq!(models, &["a1@7", "a1@8", "svm"]);
    let with_one = text.replace("seeds = [7, 8]", "seed = 7");
    let models = parse(&with_one).unwrap().stage("evaluation").unwrap().inputs[1].1.clone();
    assert_eq!(models, ["a1", "svm"]);
}

#[test]
fn a_change_of_a_stage_changes_all_its_copies_and_one_of_a_copy_only_it() {
    let pipeline = parse_with(&seeded(), &set(&["a1.epochs=5", "a1@8.epochs=6"])).unwrap();
    let epochs = |id: &str| pipeline.stage(id).unwrap().params["epochs"].clone();
    assert_eq!((epochs("a1@7"), epochs("a1@8")), (json!(5), json!(6)));
}

#[test]
fn a_stage_that_names_its_seed_is_made_once() {
    let text = seeded()
        .replace("[stage.a1]", "[stage.\"a1@3\"]")
        .replace("[\"a1\", \"svm\"]", "[\"a1@3\", \"svm\"]");
    let pipeline = parse(&text).unwrap();
    assert_eq!(ids(&pipeline), ["data", "a1@3", "svm", "evaluation"]);
    assert_eq!(pipeline.stage("a1@3").unwrap().own_seed(), Some(3));
}

#[test]
fn copies_written_out_parse_back_to_an_equal_pipeline() {
    let pipeline = parse(&seeded()).unwrap();
    assert_eq!(parse(&pipeline.to_toml()).unwrap(), pipeline, "{}", pipeline.to_toml());
}

#[test]
fn a_mistake_in_a_copied_stage_is_one_mistake() {
    let text = seeded().replace("epochs = 3", "epochs = 0\nepoch = 2");
    let found = mistakes(parse(&text));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("of stage `a1` (cnn) must be"), "{found:?}");
}

#[test]
fn wrong_seeds_are_refused() {
    let refused = |line: &str| mistakes(parse(&GOOD.replace("seed = 7", line)))[0].clone();
    for (line, expected) in [
        ("seeds = 7", "found `7`"),
        ("seeds = []", "found an empty one"),
        ("seeds = [7, -1]", "found `-1` in it"),
        ("seeds = [7, \"x\"]", "found `x` in it"),
        ("seeds = [7, 7]", "found `7` twice"),
    ] {
        assert!(refused(line).ends_with(expected), "{}", refused(line));
    }
    let both = refused("seed = 7\nseeds = [7, 8]");
    assert!(both.ends_with("the pipeline has both `seed` and `seeds`"), "{both}");
    for name in ["a1@07", "a1@x", "@7"] {
        let text = GOOD.replace("[stage.a1]", &format!("[stage.\"{name}\"]"));
        let found = mistakes(parse(&text));
        let is_refused = found.iter().any(|mistake| mistake.contains("must be 1 to 100 of"));
        assert!(is_refused, "{name}: {found:?}");
    }
}
