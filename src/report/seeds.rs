//! Models over several seeds: mean and deviation, and paired comparisons over seeds.

use serde::{Deserialize, Serialize};

use super::{Comparison, ModelResult, Results};
use crate::metrics::{MeanSd, mcnemar_p_value, paired_t};

/// One model over all seeds of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedSummary {
    /// Name of its stage, without a seed.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// The fitted models ([`ModelResult::id`]), in the order of `seeds`.
    pub models: Vec<String>,
    /// Seed of each; empty for a model that no seed changes.
    pub seeds: Vec<u64>,
    /// Accuracy of each.
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub mean_accuracy: f64,
    /// Their standard deviation, divided by n - 1; absent for a single one.
    pub sd_accuracy: Option<f64>,
    /// 95 % interval of the mean over seeds (Student's t); absent for a single one.
    pub mean_accuracy_ci95: Option<[f64; 2]>,
    /// Mean of the macro F1.
    pub mean_macro_f1: f64,
    /// Mean wall time of the fit, seconds.
    pub mean_fit_seconds: f64,
}

/// Two models compared over seeds: the accuracies of each seed are a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedComparison {
    /// First model, [`SeedSummary::id`].
    pub a: String,
    /// Second model.
    pub b: String,
    /// `paired_t`.
    pub test: String,
    /// Number of seeds.
    pub n_seeds: usize,
    /// Two-sided p value of Student's paired test.
    pub p_value: f64,
    /// Mean accuracy of `a` minus that of `b`.
    pub difference: f64,
    /// 95 % interval of the mean difference over seeds.
    pub difference_ci95: [f64; 2],
    /// Test images that only `a` labels right, summed over seeds.
    pub n_only_a: u64,
    /// Test images that only `b` labels right, summed over seeds.
    pub n_only_b: u64,
    /// Two-sided p value of McNemar's test of these sums.
    pub mcnemar_p_value: f64,
    /// True if this is a hybrid against the softmax head of the network whose features it reads.
    pub against_own_softmax: bool,
}

/// Name of a model's stage without a seed, and the seed that it was made with.
pub type SplitSeed<'a> = &'a dyn Fn(&str) -> (String, Option<u64>);

/// The models of one stage with their seeds.
type Copies<'a> = Vec<(Option<u64>, &'a ModelResult)>;

/// Every model over its seeds, in the order of the pipeline file.
pub fn summarise(models: &[ModelResult], split_seed: SplitSeed) -> Vec<SeedSummary> {
    let mut groups: Vec<(String, Copies)> = Vec::new();
    for model in models {
        let (base, seed) = split_seed(&model.id);
        match groups.iter_mut().find(|(id, _)| *id == base) {
            Some((_, copies)) => copies.push((seed, model)),
            None => groups.push((base, vec![(seed, model)])),
        }
    }
    let summary = |(id, copies): (String, Copies)| {
        let each = |pick: fn(&ModelResult) -> f64| -> Vec<f64> {
            copies.iter().map(|(_, model)| pick(model)).collect()
        };
        let mean = |pick| MeanSd::of(&each(pick)).map_or(0.0, |of| of.mean);
        let accuracies = each(|model| model.accuracy);
        SeedSummary {
            id,
            title: copies[0].1.title.clone(),
            models: copies.iter().map(|(_, model)| model.id.clone()).collect(),
            seeds: copies.iter().filter_map(|(seed, _)| *seed).collect(),
            mean_accuracy: mean(|model| model.accuracy),
            sd_accuracy: MeanSd::of(&accuracies).and_then(|of| of.sd),
            mean_accuracy_ci95: paired_t(&accuracies).map(|test| test.mean_ci95),
            mean_macro_f1: mean(|model| model.macro_f1),
            mean_fit_seconds: mean(|model| model.fit_seconds),
            accuracies,
        }
    };
    groups.into_iter().map(summary).collect()
}

/// Pairs of models that were compared under at least two seeds.
pub fn compare_over_seeds(
    comparisons: &[Comparison],
    split_seed: SplitSeed,
) -> Vec<SeedComparison> {
    let mut groups: Vec<([String; 2], Vec<&Comparison>)> = Vec::new();
    for pair in comparisons {
        let [(a, seed_a), (b, seed_b)] = [&pair.a, &pair.b].map(|id| split_seed(id));
        let are_of_two_seeds = seed_a.is_some() && seed_b.is_some() && seed_a != seed_b;
        if a == b || are_of_two_seeds {
            continue;
        }
        let names = [a, b];
        match groups.iter_mut().find(|(of, _)| *of == names) {
            Some((_, pairs)) => pairs.push(pair),
            None => groups.push((names, vec![pair])),
        }
    }
    let compared = groups.into_iter().filter_map(|([a, b], pairs)| {
        let differences: Vec<f64> = pairs.iter().map(|pair| pair.difference).collect();
        let test = paired_t(&differences)?;
        let sum = |pick: fn(&Comparison) -> u64| pairs.iter().map(|pair| pick(pair)).sum();
        let (n_only_a, n_only_b) = (sum(|pair| pair.n_only_a), sum(|pair| pair.n_only_b));
        Some(SeedComparison {
            a,
            b,
            test: "paired_t".to_owned(),
            n_seeds: pairs.len(),
            p_value: test.p_value,
            difference: test.mean,
            difference_ci95: test.mean_ci95,
            n_only_a,
            n_only_b,
            mcnemar_p_value: mcnemar_p_value(n_only_a, n_only_b),
            against_own_softmax: pairs.iter().any(|pair| pair.against_own_softmax),
        })
    });
    compared.collect()
}

impl Results {
    /// The summary over seeds that a model belongs to, in a run with several seeds.
    pub fn summary_of(&self, model: &ModelResult) -> Option<&SeedSummary> {
        self.summaries.iter().find(|summary| summary.models.contains(&model.id))
    }

    /// Accuracy of a model, the mean over seeds if there are several.
    pub fn mean_accuracy(&self, model: &ModelResult) -> f64 {
        self.summary_of(model).map_or(model.accuracy, |summary| summary.mean_accuracy)
    }

    /// The seed that a model was made with.
    pub fn seed_of(&self, model: &ModelResult) -> u64 {
        let summary = self.summary_of(model);
        let of_model = summary.and_then(|summary| {
            let nth = summary.models.iter().position(|id| *id == model.id)?;
            summary.seeds.get(nth).copied()
        });
        of_model.unwrap_or(self.seed)
    }

    /// These results with one fitted model of each summary, the first; all of them in a run with
    /// one seed. Summaries stay as they are.
    pub fn of_first_seed(&self) -> Results {
        let mut results = self.clone();
        if self.summaries.is_empty() {
            return results;
        }
        let is_first =
            |id: &str| self.summaries.iter().any(|of| of.models.first().is_some_and(|m| m == id));
        results.models.retain(|model| is_first(&model.id));
        results.comparisons.retain(|pair| is_first(&pair.a) && is_first(&pair.b));
        let models = &results.models;
        results.evaluations.retain(|of| models.iter().any(|model| model.evaluation == of.id));
        results
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    use super::super::example::split_seed;

    /// A network with three seeds, and a machine that none changes.
    fn small() -> Results {
        let mut results = example::run_output().results;
        let model = |of: &str, id: &str, accuracy: f64, evaluation: &str| {
            let mut model = results.model(of).unwrap().clone();
            (model.id, model.accuracy) = (id.to_owned(), accuracy);
            model.evaluation = evaluation.to_owned();
            model
        };
        let models = vec![
            model("a3", "a3@42", 0.91, "evaluation@42"),
            model("raw_rbf", "machine", 0.9, "evaluation@42"),
            model("a3", "a3@43", 0.92, "evaluation@43"),
            model("a3", "a3@44", 0.93, "evaluation@44"),
        ];
        let pair = |network: &str, difference: f64, n_only_b: u64| Comparison {
            a: "machine".to_owned(),
            b: network.to_owned(),
            difference,
            n_only_a: 20,
            n_only_b,
            ..results.comparisons[0].clone()
        };
        let comparisons =
            vec![pair("a3@42", -0.01, 60), pair("a3@43", -0.02, 100), pair("a3@44", -0.03, 140)];
        let evaluation = results.evaluations[0].clone();
        let evaluations = [42, 43, 44].map(|seed| super::super::EvaluationRecord {
            id: format!("evaluation@{seed}"),
            ..evaluation.clone()
        });
        results.evaluations = evaluations.to_vec();
        results.summaries = summarise(&models, &split_seed);
        results.seed_comparisons = compare_over_seeds(&comparisons, &split_seed);
        (results.models, results.comparisons) = (models, comparisons);
        results.seeds = vec![42, 43, 44];
        results
    }

    #[test]
    fn copies_of_a_model_are_summed_up_in_one_row() {
        let results = small();
        let [network, machine] = &results.summaries[..] else { panic!("two models") };
        assert_eq!((network.id.as_str(), &network.seeds[..]), ("a3", &[42, 43, 44][..]));
        assert_eq!(network.accuracies, [0.91, 0.92, 0.93]);
        approx::assert_relative_eq!(network.mean_accuracy, 0.92, epsilon = 1e-14);
        approx::assert_relative_eq!(network.sd_accuracy.unwrap(), 0.01, epsilon = 1e-14);
        // 0.92 ± t(2, 0.975) 0.01 / sqrt 3
        let [lo, hi] = network.mean_accuracy_ci95.unwrap();
        approx::assert_relative_eq!(lo, 0.92 - 0.024_841_377, epsilon = 1e-8);
        approx::assert_relative_eq!(hi, 0.92 + 0.024_841_377, epsilon = 1e-8);
        assert_eq!((machine.id.as_str(), machine.models.len()), ("machine", 1));
        assert_eq!((machine.sd_accuracy, machine.mean_accuracy_ci95), (None, None));
    }

    #[test]
    fn pairs_of_all_seeds_make_one_comparison() {
        let results = small();
        let [pair] = &results.seed_comparisons[..] else { panic!("one pair") };
        assert_eq!((pair.a.as_str(), pair.b.as_str(), pair.n_seeds), ("machine", "a3", 3));
        approx::assert_relative_eq!(pair.difference, -0.02, epsilon = 1e-14);
        assert_eq!((pair.n_only_a, pair.n_only_b), (60, 300));
        assert_eq!(pair.mcnemar_p_value, mcnemar_p_value(60, 300));
        let one = &results.comparisons[..1];
        assert_eq!(compare_over_seeds(one, &split_seed), []);
        // Where one evaluation has all copies, pairs of two seeds say nothing of two models.
        let mut mixed = results.comparisons.clone();
        for (pair, [a, b]) in mixed.iter_mut().zip([["a3@43", "a3@42"], ["x@43", "a3@42"]]) {
            (pair.a, pair.b) = (a.to_owned(), b.to_owned());
        }
        assert_eq!(compare_over_seeds(&mixed, &split_seed), []);
    }

    #[test]
    fn one_seed_stands_for_all_in_figures_of_single_models() {
        let results = small();
        let first = results.of_first_seed();
        let ids: Vec<&str> = first.models.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(ids, ["a3@42", "machine"]);
        assert_eq!((first.evaluations.len(), first.comparisons.len()), (1, 1));
        assert_eq!(first.summaries.len(), 2);
        let seeds: Vec<u64> = results.models.iter().map(|m| results.seed_of(m)).collect();
        assert_eq!(seeds, [42, 42, 43, 44]);
    }
}
