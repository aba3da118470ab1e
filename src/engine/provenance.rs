//! What a stage's artifact will be made from.

use serde_json::{Map, Value};

use crate::cache::{InputProvenance, Provenance};
use crate::config::StageSpec;

/// Parameters that the artifact depends on.
pub(super) fn params(stage: &StageSpec) -> Map<String, Value> {
    let mut params = stage.params.clone();
    params.retain(|name, _| !stage.kind.cost_only.contains(&name.as_str()));
    params
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
        version: stage.kind.version,
        seed: stage.kind.seeded.then_some(seed),
        params: params(stage),
        inputs: inputs.collect::<Option<_>>()?,
    })
}
