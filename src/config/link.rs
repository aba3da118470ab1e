//! The links between stages: they exist, carry the right artifacts and form no cycle.

use std::collections::HashMap;

use super::check::{Draft, DraftInput};
use super::error::Problems;
use super::nearest::hint;
use crate::stage::ArtifactType;

/// Indices of `drafts` with every stage after its inputs, in file order where that leaves a
/// choice; `None` if there is a cycle.
pub(super) fn order(drafts: &[Draft], problems: &mut Problems) -> Option<Vec<usize>> {
    let position: HashMap<&str, usize> =
        drafts.iter().enumerate().map(|(idx, draft)| (draft.id.as_str(), idx)).collect();
    let ids: Vec<&str> = drafts.iter().map(|draft| draft.id.as_str()).collect();
    let mut needs = vec![Vec::new(); drafts.len()];
    for (idx, draft) in drafts.iter().enumerate() {
        for input in &draft.inputs {
            for (id, origin) in &input.stages {
                let Some(&from) = position.get(id.as_str()) else {
                    let name = input.spec.name;
                    let message = format!(
                        "input `{name}` of {} names an unknown stage `{id}`",
                        draft.describe()
                    );
                    problems.add(origin, message, hint(id, &fitting(drafts, idx, input)));
                    continue;
                };
                if let Some(message) = wrong_type(draft, input, &drafts[from]) {
                    problems.add(origin, message, None);
                }
                needs[idx].push(from);
            }
        }
    }
    let mut ordered = Vec::with_capacity(drafts.len());
    let mut done = vec![false; drafts.len()];
    loop {
        let ready =
            (0..drafts.len()).find(|&idx| !done[idx] && needs[idx].iter().all(|&from| done[from]));
        match ready {
            Some(idx) => {
                done[idx] = true;
                ordered.push(idx);
            }
            None if ordered.len() == drafts.len() => return Some(ordered),
            None => break,
        }
    }
    let cycle = cycle(&needs, &done);
    // In the direction in which artifacts flow.
    let path: Vec<&str> = cycle.iter().rev().map(|&idx| ids[idx]).collect();
    let message = format!("the stages form a cycle: {}", path.join(" -> "));
    let first = cycle.iter().min().map_or(&drafts[0], |&idx| &drafts[idx]);
    problems.add(&first.origin, message, Some("an input must come from an earlier stage".into()));
    None
}

/// The stages that could fill an input: others that make what it takes.
fn fitting<'a>(drafts: &'a [Draft], idx: usize, input: &DraftInput) -> Vec<&'a str> {
    let others = drafts.iter().enumerate().filter(|(other, _)| *other != idx);
    others
        .filter(|(_, draft)| {
            draft.kind.is_some_and(|kind| input.spec.accepts.contains(&kind.produces))
        })
        .map(|(_, draft)| draft.id.as_str())
        .collect()
}

fn wrong_type(draft: &Draft, input: &DraftInput, from: &Draft) -> Option<String> {
    let produces = from.kind?.produces;
    if input.spec.accepts.contains(&produces) {
        return None;
    }
    let accepted: Vec<String> =
        input.spec.accepts.iter().map(|&accepted| with_article(accepted)).collect();
    Some(format!(
        "input `{}` of {} takes {}, but {} makes {}",
        input.spec.name,
        draft.describe(),
        accepted.join(" or "),
        from.describe(),
        with_article(produces)
    ))
}

fn with_article(artifact: ArtifactType) -> String {
    match artifact {
        ArtifactType::Dataset => "a data set",
        ArtifactType::Network => "a network",
        ArtifactType::Ensemble => "an ensemble",
        ArtifactType::Features => "features",
        ArtifactType::Classifier => "a classifier",
        ArtifactType::Evaluation => "an evaluation",
        ArtifactType::Robustness => "a robustness table",
    }
    .to_owned()
}

/// A cycle among the stages that are not `done`, each followed by one of its inputs; the first
/// stage stands at both ends.
///
/// Why it ends: each such stage needs another such stage, so walking repeats one at last.
fn cycle(needs: &[Vec<usize>], done: &[bool]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut next = done.iter().position(|&done| !done);
    while let Some(idx) = next {
        if let Some(start) = path.iter().position(|&seen| seen == idx) {
            let mut cycle = path.split_off(start);
            cycle.push(idx);
            return cycle;
        }
        path.push(idx);
        next = needs[idx].iter().copied().find(|&from| !done[from]);
    }
    path
}
