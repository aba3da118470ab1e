//! The rounds of boosting.
//!
//! ```text
//! w_i   weight of sample i, sum 1
//! K     classes
//! eta   learning rate
//!
//! SAMME     err   = sum of w_i that member h misses
//!           alpha = eta (ln((1 - err) / err) + ln(K - 1))
//!           w_i  <- w_i exp(alpha) where h misses i
//! SAMME.R   p_k   = probability of class k by h, at least 2.2e-16
//!           w_i  <- w_i exp(-eta (K - 1) / K sum_k y_k ln p_k)   y_k = 1 of the class, else -1 / (K - 1)
//! ```
//!
//! Ends early, as in scikit-learn, once a member misses nothing, is no better than chance (SAMME;
//! it is dropped), or the weights are no longer finite.

use ndarray::Array2;

use super::model::{AdaBoost, AdaBoostReport, Member};
use super::params::{AdaBoostValidParams, Algorithm};
use crate::data::{Features, Labels, Rng};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::check_samples;
use crate::learn::{Classifier, LearnError, Meaning, Samples};
use crate::progress::{Part, Progress};

linfa_traits!(AdaBoostValidParams, AdaBoost);

/// What a member said of the samples of the fit.
struct Round {
    classifier: Box<dyn Classifier>,
    predicted: Labels,
    /// `[n_samples, n_classes]`, of the classes that occur; SAMME.R alone.
    probabilities: Option<Array2<f64>>,
}

impl AdaBoostValidParams {
    /// Fits the members one after another. A label that no sample has is never predicted.
    ///
    /// # Errors
    /// Samples that cannot be fitted, a first member no better than chance, SAMME.R over a learner
    /// without probabilities, an interruption, or what the learner says.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<AdaBoost, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let labels = samples.labels;
        let classes: Vec<usize> =
            (0..checked.n_classes).filter(|&class| checked.is_present[class]).collect();
        let n_classes = classes.len() as f64;
        let mut weights = match samples.weights {
            Some(weights) => weights.to_vec(),
            None => vec![1.0; labels.len()],
        };
        normalise(&mut weights);
        let mut session = self.base.session(&checked.features, labels, progress)?;
        let mut members: Vec<Member> = Vec::new();
        let mut seeds = Rng::new(seed, &["adaboost"]);
        for round in 0..self.n_estimators {
            let part = Part::new(progress, round, round + 1, self.n_estimators);
            for weight in weights.iter_mut().filter(|weight| **weight > 0.0) {
                *weight = weight.max(f64::EPSILON);
            }
            let member_seed = seeds.next_u64();
            let classifier = match &mut session {
                Some(session) => session.fit(&weights, member_seed, &part)?,
                None => {
                    let weighted =
                        Samples { features: &checked.features, labels, weights: Some(&weights) };
                    self.base.fit(weighted, member_seed, &part)?
                }
            };
            let found = self.judge(classifier, &checked.features, &classes, &part.at_end())?;
            let misses = |row: usize| found.predicted[row] != labels[row];
            let all: f64 = weights.iter().sum();
            let missed: f64 =
                (0..labels.len()).filter(|&row| misses(row)).map(|row| weights[row]).sum();
            let error = missed / all;
            if error <= 0.0 {
                members.push(Member { classifier: found.classifier, weight: 1.0, error: 0.0 });
                break;
            }
            let vote = match &found.probabilities {
                None => {
                    if error >= 1.0 - 1.0 / n_classes {
                        if members.is_empty() {
                            return Err(LearnError::NoBetterThanChance {
                                learner: self.base_name,
                                error,
                            });
                        }
                        break;
                    }
                    let odds = ((1.0 - error) / error).ln() + (n_classes - 1.0).ln();
                    let vote = self.learning_rate * odds;
                    for row in (0..labels.len()).filter(|&row| misses(row)) {
                        weights[row] *= vote.exp();
                    }
                    vote
                }
                Some(probabilities) => {
                    let factor = -self.learning_rate * (n_classes - 1.0) / n_classes;
                    for (row, p) in probabilities.rows().into_iter().enumerate() {
                        let coded = p.iter().zip(&classes).map(|(&p, &class)| {
                            let of_class = class == labels[row];
                            let y = if of_class { 1.0 } else { -1.0 / (n_classes - 1.0) };
                            y * p.max(f64::EPSILON).ln()
                        });
                        weights[row] *= (factor * coded.sum::<f64>()).exp();
                    }
                    1.0
                }
            };
            members.push(Member { classifier: found.classifier, weight: vote, error });
            let sum: f64 = weights.iter().sum();
            if !(sum.is_finite() && sum > 0.0) {
                break;
            }
            normalise(&mut weights);
        }
        let report = AdaBoostReport {
            algorithm: self.algorithm,
            learner: self.base_name.to_owned(),
            asked: self.n_estimators,
            n_features: checked.features.n_features(),
            classes,
        };
        Ok(AdaBoost { members, report })
    }

    /// What a member says of the samples.
    fn judge(
        &self,
        classifier: Box<dyn Classifier>,
        features: &Features,
        classes: &[usize],
        progress: &dyn Progress,
    ) -> Result<Round, LearnError> {
        if self.algorithm == Algorithm::Samme {
            let predicted = classifier.predict(features, progress)?;
            return Ok(Round { classifier, predicted, probabilities: None });
        }
        let scores = classifier.scores(features, progress)?;
        if scores.meaning != Meaning::Probability {
            return Err(LearnError::NoProbabilities { learner: self.base_name.to_owned() });
        }
        let probabilities = scores.values.select(ndarray::Axis(1), classes);
        let winner = |row: ndarray::ArrayView1<f64>| {
            let better = |best: usize, k: usize| if row[k] > row[best] { k } else { best };
            classes[(0..row.len()).fold(0, better)]
        };
        let predicted = probabilities.rows().into_iter().map(winner).collect();
        Ok(Round { classifier, predicted, probabilities: Some(probabilities) })
    }
}

/// Divides weights by their sum.
fn normalise(weights: &mut [f64]) {
    // By the largest first: the sum may overflow.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    weights.iter_mut().for_each(|weight| *weight /= largest);
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
}
