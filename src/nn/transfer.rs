//! Weights that come from another network, and layers that do not learn.

use std::collections::HashMap;

use super::error::NnError;
use super::network::Network;
use super::params::Freeze;
use super::plan::{Operation, Parameter, Plan};
use super::tape::Weights;
use crate::nearest::nearest;

/// Replaces `weights` by those of `from`. The last layer keeps its own if the number of classes
/// differs, and nothing else may differ.
///
/// # Errors
/// [`NnError::OtherLayer`] for the first parameter that one of the networks lacks or has in another
/// shape.
pub fn adopt(
    plan: &Plan,
    n_classes: usize,
    weights: &mut Weights,
    from: &Network,
) -> Result<(), NnError> {
    let mut theirs: HashMap<&str, (&Parameter, &[f32])> =
        from.parameters().map(|(other, values)| (other.name.as_str(), (other, values))).collect();
    let shape = |parameter: &Parameter| format!("of shape {:?}", parameter.shape);
    let refuse = |parameter: &str, found: String, expected: String| {
        Err(NnError::OtherLayer { parameter: parameter.to_owned(), found, expected })
    };
    for (parameter, weights) in plan.parameters.iter().zip(weights) {
        match theirs.remove(parameter.name.as_str()) {
            Some((other, values)) if other.shape == parameter.shape => {
                weights.copy_from_slice(values);
            }
            Some((other, _))
                if from.n_classes() != n_classes && is_head(plan, parameter, other) => {}
            Some((other, _)) => return refuse(&parameter.name, shape(other), shape(parameter)),
            None => return refuse(&parameter.name, "absent".into(), shape(parameter)),
        }
    }
    let left = from.parameters().find(|(other, _)| theirs.contains_key(other.name.as_str()));
    left.map_or(Ok(()), |(other, _)| refuse(&other.name, shape(other), "none".into()))
}

/// True for a parameter of the last layer that differs in the number of outputs alone.
fn is_head(plan: &Plan, parameter: &Parameter, other: &Parameter) -> bool {
    let inputs = |parameter: &Parameter| parameter.shape.split_last().map(|(_, n)| n.to_vec());
    Some(parameter.layer()) == plan.parameters.last().map(Parameter::layer)
        && inputs(parameter) == inputs(other)
}

/// Marks the parameters of frozen layers as not trained; their batch normalisations read the running
/// statistics while training too, and nothing flows back to where nothing learns.
///
/// # Errors
/// [`NnError::UnknownLayer`] for a name that no layer with weights has; [`NnError::OutOfRange`] if
/// nothing is left to train.
pub fn freeze(plan: &mut Plan, architecture: &str, freeze: &Freeze) -> Result<(), NnError> {
    let mut layers: Vec<String> =
        plan.parameters.iter().map(|parameter| parameter.layer().to_owned()).collect();
    layers.dedup();
    let frozen = match freeze {
        Freeze::Layers(names) => names.as_slice(),
        Freeze::AllButLast => layers.split_last().map_or(&[][..], |(_, others)| others),
    };
    if let Some(unknown) = frozen.iter().find(|name| !layers.contains(name)) {
        return Err(NnError::UnknownLayer {
            architecture: architecture.to_owned(),
            layer: unknown.clone(),
            nearest: nearest(unknown, layers.iter().map(String::as_str)).map(str::to_owned),
            known: layers,
        });
    }
    for parameter in &mut plan.parameters {
        if frozen.iter().any(|name| name == parameter.layer()) {
            parameter.is_trained = false;
        }
    }
    if !plan.parameters.iter().any(|parameter| parameter.is_trained) {
        let (found, expected) = ("every layer".to_owned(), "fewer layers than have weights");
        return Err(NnError::OutOfRange { parameter: "freeze", found, expected });
    }
    for position in 0..plan.steps.len() {
        let step = &mut plan.steps[position];
        let is_trained = |first: usize| plan.parameters[first].is_trained;
        let learns = match &mut step.operation {
            Operation::Conv { parameter, norm, .. } => {
                let normalises = norm.as_mut().is_some_and(|norm| {
                    norm.is_frozen = !is_trained(norm.parameter);
                    !norm.is_frozen
                });
                normalises || is_trained(*parameter)
            }
            Operation::Dense { parameter, .. } => is_trained(*parameter),
            Operation::BatchNorm { norm, .. } => {
                norm.is_frozen = !is_trained(norm.parameter);
                !norm.is_frozen
            }
            Operation::Add { other, .. } => plan.learns[*other],
            _ => false,
        };
        plan.learns[position + 1] = learns || plan.learns[step.input];
    }
    Ok(())
}
