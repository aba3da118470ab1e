//! What a stage's artifact will be made from.

use crate::cache::{InputProvenance, Provenance};
use crate::config::StageSpec;

/// The seed that a stage draws with, in a pipeline of `seed`; none if it draws nothing.
pub(super) fn seed_of(stage: &StageSpec, seed: u64) -> Option<u64> {
    stage.kind.seeded.then(|| stage.own_seed().unwrap_or(seed))
}

/// The provenance of `stage`; `None` if `digest_of` does not know one of its input stages.
pub(super) fn of(
    stage: &StageSpec,
    seed: u64,
    digest_of: impl Fn(&str) -> Option<String>,
) -> Option<Provenance> {
    let inputs = stage.inputs.iter().map(|(input, ids)| {
        let many = stage.kind.inputs.iter().any(|spec| spec.name == input && spec.many);
        let stages = ids.iter().map(|id| Some((id.clone(), digest_of(id)?)));
        Some(InputProvenance { input: input.clone(), many, stages: stages.collect::<Option<_>>()? })
    });
    Some(Provenance {
        kind: stage.kind.name.to_owned(),
        version: stage.version(),
        seed: seed_of(stage, seed),
        params: stage.kind.result_params(&stage.params),
        inputs: inputs.collect::<Option<_>>()?,
    })
}
