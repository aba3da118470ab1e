//! `seeds = [42, 43, 44]`: what is drawn at random, once with each seed.
//!
//! A stage of a seeded kind with inputs, and every stage that stands on one, is written out once for
//! each seed: `a3` becomes `a3@42`, `a3@43` and `a3@44`, and so do the names in inputs. The name
//! carries the seed: `config::Pipeline` knows nothing else of it, and `[stage."split@7"]` is made
//! once, with seed 7, wherever it is written. A data set is drawn once, with the first seed: its
//! rows and those held out are the same for all. Where an input takes a list, `"a3@*"` stands for all
//! copies and makes no copies itself; `--set a3.KEY=VALUE` changes all copies.

use super::error::{Origin, Problems};
use super::matrix::Groups;
use super::tree::{Entry, Node, Shape};
use crate::stage::Kind;

/// Ends a name that stands for all copies of a stage.
const ALL_COPIES: &str = "@*";

/// A stage name without its seed, and the seed: `a3@42`.
pub(super) fn split_seed(id: &str) -> (&str, Option<u64>) {
    let parted = id.rsplit_once('@').and_then(|(base, seed)| {
        // One way to write a seed, so that a name is one stage.
        let value = seed.parse::<u64>().ok().filter(|value| value.to_string() == seed)?;
        Some((base, value))
    });
    parted.map_or((id, None), |(base, seed)| (base, Some(seed)))
}

/// Replaces the stages of a file by one for each seed, and `seeds` by `seed`, the first of them.
pub(super) fn expand(
    root: &mut Node,
    kinds: &[&Kind],
    groups: &mut Groups,
    problems: &mut Problems,
) {
    let seeds = seeds(root, problems);
    let Some(Node { value: Shape::Table(stages), .. }) = root.get_mut("stage") else { return };
    let copied = match seeds.as_slice() {
        [] | [_] => Vec::new(),
        _ => copied(stages, kinds),
    };
    let names = Names { copied: &copied, seeds: &seeds, groups };
    let mut written = Vec::with_capacity(stages.len());
    for stage in stages.drain(..) {
        let each: &[Option<u64>] = match copied.contains(&stage.key) {
            true => &seeds.iter().map(|&seed| Some(seed)).collect::<Vec<_>>(),
            false => &[None],
        };
        for &seed in each {
            let mut stage = stage.clone();
            if let Some(seed) = seed {
                stage.key = format!("{}@{seed}", stage.key);
            }
            names.write_inputs(&mut stage.node, seed);
            written.push(stage);
        }
    }
    *stages = written;
    for id in copied {
        let copies = seeds.iter().map(|seed| format!("{id}@{seed}")).collect();
        groups.push(id, copies);
    }
}

/// Takes `seeds` out and sets `seed`; none if they are wrong (reported) or not given.
fn seeds(root: &mut Node, problems: &mut Problems) -> Vec<u64> {
    let Some(entry) = root.take("seeds") else { return Vec::new() };
    if let Some(seed) = root.get("seed") {
        let hint = "keep one of them".to_owned();
        let message = "the pipeline has both `seed` and `seeds`".to_owned();
        problems.add(&seed.key_origin, message, Some(hint));
    }
    let mut wrong = |origin: &Origin, found: String| {
        let range = format!("a list of different whole numbers from 0 to {}", u64::MAX);
        problems.add(origin, format!("`seeds` must be {range}, found {found}"), None);
        Vec::new()
    };
    let Shape::List(items) = &entry.node.value else {
        return wrong(&entry.node.origin, entry.node.describe());
    };
    let mut seeds = Vec::with_capacity(items.len());
    for item in items {
        let seed = match item.value {
            Shape::Integer(seed) => u64::try_from(seed).ok(),
            _ => None,
        };
        match seed {
            Some(seed) if seeds.contains(&seed) => {
                return wrong(&item.origin, format!("`{seed}` twice"));
            }
            Some(seed) => seeds.push(seed),
            None => return wrong(&item.origin, format!("{} in it", item.describe())),
        }
    }
    let Some(&first) = seeds.first() else {
        return wrong(&entry.node.origin, "an empty one".to_owned());
    };
    let origin = entry.node.origin.clone();
    root.set("seed", Node { value: Shape::Integer(i128::from(first)), origin });
    seeds
}

/// Names of the stages that are made once for each seed.
fn copied(stages: &[Entry], kinds: &[&Kind]) -> Vec<String> {
    let draws = |stage: &Entry| {
        let name = stage.node.get("kind").and_then(|kind| kind.node.text());
        let kind = kinds.iter().find(|kind| Some(kind.name) == name);
        kind.is_some_and(|kind| kind.seeded && !kind.inputs.is_empty())
    };
    let mut copied: Vec<String> = Vec::new();
    loop {
        let stands_on = |stage: &Entry| {
            input_names(&stage.node).iter().any(|name| copied.iter().any(|id| id == name))
        };
        let more: Vec<String> = stages
            .iter()
            .filter(|stage| split_seed(&stage.key).1.is_none() && !copied.contains(&stage.key))
            .filter(|stage| draws(stage) || stands_on(stage))
            .map(|stage| stage.key.clone())
            .collect();
        if more.is_empty() {
            return copied;
        }
        copied.extend(more);
    }
}

/// Names in the inputs of a stage.
fn input_names(stage: &Node) -> Vec<&str> {
    let inputs = stage.get("inputs").and_then(|inputs| inputs.node.entries()).unwrap_or_default();
    let nodes = inputs.iter().flat_map(|input| match &input.node.value {
        Shape::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&input.node),
    });
    nodes.filter_map(Node::text).collect()
}

/// What names in inputs stand for.
struct Names<'a> {
    copied: &'a [String],
    seeds: &'a [u64],
    groups: &'a Groups,
}

impl Names<'_> {
    fn write_inputs(&self, stage: &mut Node, seed: Option<u64>) {
        let Some(Node { value: Shape::Table(inputs), .. }) = stage.get_mut("inputs") else {
            return;
        };
        for input in inputs {
            match &mut input.node.value {
                Shape::Text(name) => *name = self.of_seed(name, seed),
                Shape::List(items) => {
                    *items = items.drain(..).flat_map(|item| self.item(item, seed)).collect();
                }
                _ => {}
            }
        }
    }

    fn of_seed(&self, name: &str, seed: Option<u64>) -> String {
        match seed.filter(|_| self.copied.iter().any(|id| id == name)) {
            Some(seed) => format!("{name}@{seed}"),
            None => name.to_owned(),
        }
    }

    fn item(&self, item: Node, seed: Option<u64>) -> Vec<Node> {
        let Some(name) = item.text() else { return vec![item] };
        let names = match name.strip_suffix(ALL_COPIES) {
            None => vec![self.of_seed(name, seed)],
            Some(name) => self.all_copies(name),
        };
        let origin = &item.origin;
        let node = |name| Node { value: Shape::Text(name), origin: origin.clone() };
        names.into_iter().map(node).collect()
    }

    /// The copies of a stage or of the stages of a matrix.
    fn all_copies(&self, name: &str) -> Vec<String> {
        match self.groups.members(name) {
            Some(members) => members.iter().flat_map(|name| self.all_copies(name)).collect(),
            None if self.copied.iter().any(|id| id == name) => {
                self.seeds.iter().map(|seed| format!("{name}@{seed}")).collect()
            }
            None => vec![name.to_owned()],
        }
    }
}
