//! Several runs as one, for a page of all their models.

use std::collections::HashSet;

use super::html::of_first_seed;
use super::{Results, RunOutput};

/// The models of all `outputs` under the title of their run; none if there are none.
///
/// Names of stages get the name of the run before them, so that none meets another. Models that
/// different runs tested on the same images are of one evaluation: their accuracies compare. Of a run
/// with several seeds the first is taken. What needs the answers to each image, a paired test or the
/// images on which two models disagree, is there for two models of one run only.
pub fn join(outputs: &[RunOutput]) -> Option<RunOutput> {
    let names = run_names(outputs);
    let mut parts = outputs.iter().zip(&names).map(|(output, name)| renamed(output, name));
    let mut whole = parts.next()?;
    for part in parts {
        append(&mut whole, part);
    }
    whole.title = names.join(" and ");
    whole.results.pipeline = "joined".to_owned();
    whole.results.run = names.join(", ");
    Some(whole)
}

/// The pipeline's name where it tells runs apart, else with the run.
fn run_names(outputs: &[RunOutput]) -> Vec<String> {
    let mut met = HashSet::new();
    let twice: HashSet<&str> = outputs
        .iter()
        .map(|output| output.results.pipeline.as_str())
        .filter(|pipeline| !met.insert(*pipeline))
        .collect();
    let name = |output: &RunOutput| {
        let Results { pipeline, run, .. } = &output.results;
        match twice.contains(pipeline.as_str()) {
            true => format!("{pipeline}/{run}"),
            false => pipeline.clone(),
        }
    };
    outputs.iter().map(name).collect()
}

/// The first seed of a run, its name before every name and title.
fn renamed(output: &RunOutput, run: &str) -> RunOutput {
    let mut output = of_first_seed(output);
    let rename = |id: &mut String| *id = format!("{run}:{id}");
    let results = &mut output.results;
    results.summaries.clear();
    results.seed_comparisons.clear();
    let is_first = !std::mem::take(&mut results.seeds).is_empty();
    for model in &mut results.models {
        let seed = if is_first { format!(", seed {}", results.seed) } else { String::new() };
        model.title = format!("{run}: {}{seed}", model.title);
        rename(&mut model.id);
        rename(&mut model.evaluation);
        if let Some(series) = &mut model.series {
            rename(series);
        }
        // Tables of learners by inputs are of one run.
        model.cell = None;
    }
    for evaluation in &mut results.evaluations {
        rename(&mut evaluation.id);
        rename(&mut evaluation.data);
    }
    for pair in &mut results.comparisons {
        rename(&mut pair.a);
        rename(&mut pair.b);
    }
    for stage in &mut results.stages {
        rename(&mut stage.id);
        stage.inputs.iter_mut().for_each(rename);
    }
    let records = results.robustness.iter_mut();
    for record in records.chain(output.robustness.iter_mut().map(|card| &mut card.record)) {
        rename(&mut record.data);
        record.models.iter_mut().for_each(|model| rename(&mut model.id));
    }
    output.networks.iter_mut().for_each(|network| rename(&mut network.id));
    output.axes.iter_mut().for_each(|card| rename(&mut card.id));
    output.scatters.iter_mut().for_each(|card| rename(&mut card.id));
    output.misclassified.iter_mut().for_each(|(id, _)| rename(id));
    output.scores.iter_mut().for_each(|(id, _)| rename(id));
    for (id, found) in &mut output.disagreements {
        rename(id);
        found.models.iter_mut().for_each(rename);
        let maps = found.images.iter_mut().flat_map(|of| &mut of.heat_maps);
        maps.for_each(|(id, _)| rename(id));
    }
    output.run_toml = format!("# {run}\n{}", output.run_toml);
    output
}

fn append(whole: &mut RunOutput, mut part: RunOutput) {
    for mut evaluation in part.results.evaluations {
        let known = whole.results.evaluations.iter().find(|known| {
            !known.tested_on.is_empty()
                && known.tested_on == evaluation.tested_on
                && known.dataset.name == evaluation.dataset.name
                && known.dataset.class_names == evaluation.dataset.class_names
                && known.dataset.synthetic == evaluation.dataset.synthetic
        });
        match known {
            Some(known) => {
                let of_it =
                    part.results.models.iter_mut().filter(|m| m.evaluation == evaluation.id);
                of_it.for_each(|model| model.evaluation.clone_from(&known.id));
            }
            None => {
                evaluation.title = format!("{} ({})", evaluation.title, evaluation.data);
                whole.results.evaluations.push(evaluation);
            }
        }
    }
    whole.results.models.append(&mut part.results.models);
    whole.results.comparisons.append(&mut part.results.comparisons);
    whole.results.stages.append(&mut part.results.stages);
    whole.results.robustness.append(&mut part.results.robustness);
    whole.robustness.append(&mut part.robustness);
    whole.networks.append(&mut part.networks);
    whole.axes.append(&mut part.axes);
    whole.scatters.append(&mut part.scatters);
    whole.misclassified.append(&mut part.misclassified);
    whole.scores.append(&mut part.scores);
    whole.disagreements.append(&mut part.disagreements);
    whole.run_toml = format!("{}\n\n{}", whole.run_toml, part.run_toml);
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn models_of_the_same_images_are_of_one_evaluation_and_keep_their_run() {
        let mut second = example::run_output();
        second.results.pipeline = "other".to_owned();
        let joined = join(&[example::run_output(), second]).unwrap();
        let results = &joined.results;
        assert_eq!((results.models.len(), results.evaluations.len()), (18, 1));
        assert_eq!(results.first_models().count(), 18);
        assert_eq!(results.models[9].title, "other: A1 softmax");
        let softmax = results.own_softmax(&results.models[11]).unwrap();
        assert_eq!(softmax.id, "other:a1", "a head is compared with the network of its own run");
        assert_eq!(joined.disagreements.len(), 2);
    }

    #[test]
    fn other_images_and_runs_of_one_pipeline_stay_apart() {
        let mut second = example::run_output();
        second.results.run = "later".to_owned();
        second.results.evaluations[0].tested_on = "others".to_owned();
        let joined = join(&[example::run_output(), second]).unwrap();
        assert_eq!(joined.results.evaluations.len(), 2);
        assert_eq!(joined.results.models[9].id, "cnn_svm/later:a1");
        let ids: HashSet<&str> = joined.results.models.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids.len(), 18);
    }

    #[test]
    fn of_several_seeds_the_first_is_taken() {
        let joined = join(&[example::seeds_output(), example::run_output()]).unwrap();
        assert_eq!(joined.results.models.len(), 18);
        assert!(joined.results.seeds.is_empty() && joined.results.summaries.is_empty());
        assert!(joined.results.models[0].title.ends_with("A1 softmax, seed 42"));
        assert!(join(&[]).is_none());
    }
}
