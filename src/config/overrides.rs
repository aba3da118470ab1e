//! Changes to a pipeline file from the command line, checked exactly like the file.

use super::error::{Origin, Problems};
use super::matrix::Groups;
use super::nearest::hint;
use super::tree::{self, Node, Shape};
use crate::stage::{Accepts, Kind};

/// What the command line changes. Precedence: the file, `dataset` and the seeds, then `set`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `STAGE.KEY=VALUE` (also `STAGE.TABLE.KEY=…` and `seed=…`) as typed; the last of a key
    /// wins. Values are TOML; a bare word is text.
    pub set: Vec<String>,
    /// `--seed N`: this seed alone, whatever `seed` or `seeds` the file has.
    pub seed: Option<u64>,
    /// `--seeds N,…`: as [`Overrides::seed`], several; empty if not given.
    pub seeds: Vec<u64>,
    /// `--dataset NAME`: replaces `name` in every stage of kind `dataset` and refuses a fallback.
    pub dataset: Option<String>,
    /// `--device cuda`: `engine` in every stage that has an engine of this name.
    pub engine: Option<String>,
}

/// One `--set`, parsed.
pub(super) struct Set {
    key: String,
    node: Node,
}

impl Overrides {
    /// Parses `set`, so that its syntax is checked even if the file's is broken.
    pub(super) fn parse(&self, problems: &mut Problems) -> Vec<Set> {
        let mut sets = Vec::with_capacity(self.set.len());
        for typed in &self.set {
            let origin = Origin::Argument(format!("--set {typed}"));
            let Some((key, value)) = typed.split_once('=') else {
                let message = format!("`{typed}` has no `=`");
                problems.add(&origin, message, Some("write `STAGE.KEY=VALUE`".to_owned()));
                continue;
            };
            match tree::parse_argument(value, &origin) {
                Ok(node) => sets.push(Set { key: key.trim().to_owned(), node }),
                Err(why) => problems.add(
                    &origin,
                    format!("the value of `{key}` is not valid TOML: {why}"),
                    None,
                ),
            }
        }
        sets
    }

    /// Writes the seeds into the tree; takes those out of `sets`.
    pub(super) fn apply_seeds(&self, root: &mut Node, sets: &mut Vec<Set>) {
        let typed = |argument: &str| Origin::Argument(argument.to_owned());
        let integer = |seed: u64, origin: &Origin| Node {
            value: Shape::Integer(i128::from(seed)),
            origin: origin.clone(),
        };
        let mut replace = |key: &str, node: Node| {
            root.take("seed");
            root.take("seeds");
            root.set(key, node);
        };
        if let Some(seed) = self.seed {
            replace("seed", integer(seed, &typed(&format!("--seed {seed}"))));
        }
        if !self.seeds.is_empty() {
            let words: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
            let origin = typed(&format!("--seeds {}", words.join(",")));
            let items = self.seeds.iter().map(|&seed| integer(seed, &origin)).collect();
            replace("seeds", Node { value: Shape::List(items), origin });
        }
        for set in sets.extract_if(.., |set| ["seed", "seeds"].contains(&set.key.as_str())) {
            replace(&set.key, set.node);
        }
    }

    /// Writes the other changes into the tree.
    pub(super) fn apply(
        &self,
        root: &mut Node,
        sets: Vec<Set>,
        kinds: &[&Kind],
        groups: &Groups,
        problems: &mut Problems,
    ) {
        if let Some(name) = &self.dataset {
            replace_dataset(root, name, kinds, problems);
        }
        if let Some(name) = &self.engine {
            replace_engine(root, name, kinds, problems);
        }
        for set in sets {
            apply_set(root, set, groups, problems);
        }
    }
}

fn replace_dataset(root: &mut Node, name: &str, kinds: &[&Kind], problems: &mut Problems) {
    let origin = Origin::Argument(format!("--dataset {name}"));
    let text = |value: &str| Node { value: Shape::Text(value.into()), origin: origin.clone() };
    let can_fall_back = kinds.iter().any(|kind| {
        kind.name == "dataset" && kind.fields.iter().any(|field| field.name == "fallback")
    });
    let mut n_replaced = 0;
    if let Some(Node { value: Shape::Table(stages), .. }) = root.get_mut("stage") {
        for stage in stages {
            let is_dataset = matches!(
                stage.node.get("kind").map(|entry| &entry.node.value),
                Some(Shape::Text(kind)) if kind == "dataset"
            );
            if is_dataset {
                n_replaced += 1;
                stage.node.set("name", text(name));
                if can_fall_back {
                    stage.node.set("fallback", text("none"));
                }
            }
        }
    }
    if n_replaced == 0 {
        problems.add(&origin, "the pipeline has no stage of kind `dataset`".to_owned(), None);
    }
}

fn replace_engine(root: &mut Node, name: &str, kinds: &[&Kind], problems: &mut Problems) {
    let origin = Origin::Argument("--device".to_owned());
    let has_engine = |kind: &&&Kind| {
        kind.fields.iter().any(|field| {
            field.name == "engine"
                && matches!(field.accepts, Accepts::Choice(names) if names.contains(&name))
        })
    };
    let able: Vec<&str> = kinds.iter().filter(has_engine).map(|kind| kind.name).collect();
    let mut n_replaced = 0;
    if let Some(Node { value: Shape::Table(stages), .. }) = root.get_mut("stage") {
        for stage in stages {
            let kind = stage.node.get("kind").map(|entry| &entry.node.value);
            if matches!(kind, Some(Shape::Text(kind)) if able.contains(&kind.as_str())) {
                n_replaced += 1;
                let value = Shape::Text(name.into());
                stage.node.set("engine", Node { value, origin: origin.clone() });
            }
        }
    }
    if n_replaced == 0 {
        let message = format!("the pipeline has no stage of kind `{}`", able.join("` or `"));
        problems.add(&origin, message, None);
    }
}

/// A name that stands for several stages changes each of them.
fn apply_set(root: &mut Node, set: Set, groups: &Groups, problems: &mut Problems) {
    let origin = set.node.origin.clone();
    let Some((id, key)) = set.key.split_once('.').filter(|(_, key)| !key.is_empty()) else {
        let message = format!("`{}` names no parameter of a stage", set.key);
        let hint = "write `STAGE.KEY=VALUE` or `seed=VALUE`".to_owned();
        problems.add(&origin, message, Some(hint));
        return;
    };
    let stages = root.get("stage").and_then(|entry| entry.node.entries()).unwrap_or_default();
    let ids: Vec<&str> = stages.iter().map(|entry| entry.key.as_str()).collect();
    if let Some(members) = groups.members(id) {
        for member in members {
            let key = format!("{member}.{key}");
            apply_set(root, Set { key, node: set.node.clone() }, groups, problems);
        }
        return;
    }
    if !ids.contains(&id) {
        problems.add(&origin, format!("unknown stage `{id}`"), hint(id, &ids));
        return;
    }
    let Some(stage) = root.get_mut("stage").and_then(|stages| stages.get_mut(id)) else { return };
    let (tables, last) = key.rsplit_once('.').map_or((None, key), |(path, key)| (Some(path), key));
    let mut place = stage;
    for name in tables.into_iter().flat_map(|path| path.split('.')) {
        if place.get(name).is_none() {
            place.set(name, Node { value: Shape::Table(Vec::new()), origin: origin.clone() });
        }
        match place.get_mut(name) {
            Some(table) if table.entries().is_some() => place = table,
            _ => {
                let message = format!("`{name}` in `{}` is not a table", set.key);
                problems.add(&origin, message, Some(format!("write `{id}.{name}=VALUE`")));
                return;
            }
        }
    }
    place.set(last, set.node);
}
