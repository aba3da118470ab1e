//! How well scores order the images of one class before all others.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::curve::{Curve, MAX_POINTS, thin};
use super::{MetricsError, check_scores};

/// One class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRanking {
    /// Area under the receiver operating characteristic.
    pub auc: f64,
    /// Average precision.
    pub average_precision: f64,
    /// Share of the others taken for the class, share of the class found: `[x, y]`, at most 100.
    pub roc: Curve,
    /// Recall, precision: `[x, y]`, at most 100.
    pub precision_recall: Curve,
}

/// Every class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// By label; none for a class that all or no images are of, or whose scores are no numbers.
    pub classes: Vec<Option<ClassRanking>>,
    /// Unweighted mean over classes.
    pub auc_macro: f64,
    /// Unweighted mean over classes.
    pub average_precision_macro: f64,
    /// Mean of the classes' curves at 100 shares of the others taken for the class.
    pub roc_macro: Curve,
    /// Mean of the classes' precisions at 100 recalls.
    pub precision_recall_macro: Curve,
}

/// Ranks by each column of `scores`; none if no class has both images and others.
///
/// As scikit-learn's `roc_auc_score` and `average_precision_score` of each class against the rest:
/// equal scores are one threshold, areas under the ROC are trapezoids, average precision is the sum of
/// precisions weighted by the steps of recall. Scores may be of any scale, and minus infinity.
/// # Shapes   `labels`: `[n_images]`; `scores`: `[n_images, n_classes]`
/// # Errors   if the lengths differ, are zero, or a label has no column
/// # Cost     `O(n_classes * n_images * log n_images)`
pub fn ranking(
    labels: &[usize],
    scores: ArrayView2<'_, f64>,
) -> Result<Option<Ranking>, MetricsError> {
    check_scores(labels, scores)?;
    let steps: Vec<Option<Steps>> = scores
        .columns()
        .into_iter()
        .enumerate()
        .map(|(class, column)| {
            let of_class: Vec<(f64, bool)> =
                column.iter().zip(labels).map(|(&score, &label)| (score, label == class)).collect();
            Steps::of(of_class)
        })
        .collect();
    let there: Vec<&Steps> = steps.iter().flatten().collect();
    if there.is_empty() {
        return Ok(None);
    }
    let mean = |value: &dyn Fn(&Steps) -> f64| {
        there.iter().map(|steps| value(steps)).sum::<f64>() / there.len() as f64
    };
    let grid = (0..MAX_POINTS).map(|k| k as f64 / (MAX_POINTS - 1) as f64);
    // Squared: a good model's curve bends where few others are taken for the class.
    let roc = grid.clone().map(|x| x * x).map(|x| [x, mean(&|steps| steps.found_at(x))]);
    let precision_recall = grid.map(|x| [x, mean(&|steps| steps.precision_at(x))]);
    Ok(Some(Ranking {
        auc_macro: mean(&Steps::auc),
        average_precision_macro: mean(&Steps::average_precision),
        roc_macro: thin(&roc.collect::<Vec<_>>(), MAX_POINTS),
        precision_recall_macro: thin(&precision_recall.collect::<Vec<_>>(), MAX_POINTS),
        classes: steps.iter().map(|steps| steps.as_ref().map(Steps::class_ranking)).collect(),
    }))
}

/// Counts above each threshold, from the highest; `[0, 0]` first.
struct Steps {
    /// Images of the class and others with a score at or above the threshold.
    counts: Vec<[f64; 2]>,
    n_of_class: f64,
    n_others: f64,
}

impl Steps {
    fn of(mut scored: Vec<(f64, bool)>) -> Option<Self> {
        let n_of_class = scored.iter().filter(|(_, is_class)| *is_class).count();
        let n_others = scored.len() - n_of_class;
        if n_of_class == 0 || n_others == 0 || scored.iter().any(|(score, _)| score.is_nan()) {
            return None;
        }
        scored.sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut counts = vec![[0.0; 2]];
        let (mut found, mut taken) = (0.0, 0.0);
        // Zeros of either sign are one threshold.
        for equal in scored.chunk_by(|(a, _), (b, _)| a == b) {
            let n_found = equal.iter().filter(|(_, is_class)| *is_class).count();
            found += n_found as f64;
            taken += (equal.len() - n_found) as f64;
            counts.push([found, taken]);
        }
        Some(Steps { counts, n_of_class: n_of_class as f64, n_others: n_others as f64 })
    }

    fn roc(&self) -> impl Iterator<Item = [f64; 2]> {
        self.counts.iter().map(|[found, taken]| [taken / self.n_others, found / self.n_of_class])
    }

    /// Recall and precision; with nothing taken for the class, 0 and 1.
    fn precision_recall(&self) -> impl Iterator<Item = [f64; 2]> {
        let all = self.counts.iter().map(|[found, taken]| {
            let n_taken = found + taken;
            [found / self.n_of_class, if n_taken > 0.0 { found / n_taken } else { 1.0 }]
        });
        let full = self.counts.iter().position(|[found, _]| *found == self.n_of_class);
        // Past full recall, precision only falls.
        all.take(full.map_or(self.counts.len(), |at| at + 1))
    }

    fn auc(&self) -> f64 {
        let pairs = self.counts.windows(2).map(|ends| {
            let ([found, taken], [next_found, next_taken]) = (ends[0], ends[1]);
            (next_taken - taken) * (found + next_found) / 2.0
        });
        pairs.sum::<f64>() / (self.n_of_class * self.n_others)
    }

    fn average_precision(&self) -> f64 {
        let steps = self.counts.windows(2).map(|ends| {
            let [found, taken] = ends[1];
            (found - ends[0][0]) * found / (found + taken)
        });
        steps.sum::<f64>() / self.n_of_class
    }

    /// Share of the class found where the share `x` of the others is taken for it.
    fn found_at(&self, x: f64) -> f64 {
        let taken_at = |[_, taken]: &[f64; 2]| *taken / self.n_others;
        let after = self.counts.partition_point(|counts| taken_at(counts) <= x);
        let [from, to] = [after - 1, after.min(self.counts.len() - 1)].map(|at| self.counts[at]);
        let (lo, hi) = (taken_at(&from), taken_at(&to));
        let share = if hi > lo { (x - lo) / (hi - lo) } else { 0.0 };
        (from[0] + share * (to[0] - from[0])) / self.n_of_class
    }

    /// Precision where the share `x` of the class is found.
    fn precision_at(&self, x: f64) -> f64 {
        let wanted = x * self.n_of_class - 1e-9;
        let at = self.counts.partition_point(|[found, _]| *found < wanted);
        let [found, taken] = self.counts[at.min(self.counts.len() - 1)];
        if found + taken > 0.0 { found / (found + taken) } else { 1.0 }
    }

    fn class_ranking(&self) -> ClassRanking {
        ClassRanking {
            auc: self.auc(),
            average_precision: self.average_precision(),
            roc: thin(&self.roc().collect::<Vec<_>>(), MAX_POINTS),
            precision_recall: thin(&self.precision_recall().collect::<Vec<_>>(), MAX_POINTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::load_scores;
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    #[test]
    fn areas_and_curves_match_scikit_learn() {
        for case in load_scores().cases {
            let scores = case.matrix();
            let found = ranking(&case.labels, scores.view()).unwrap().unwrap();
            assert_relative_eq!(found.auc_macro, case.auc_macro, max_relative = 1e-12);
            for (class, expected) in case.classes.iter().enumerate() {
                let of = found.classes[class].as_ref().unwrap();
                assert_relative_eq!(of.auc, expected.auc, max_relative = 1e-12);
                assert_relative_eq!(
                    of.average_precision,
                    expected.average_precision,
                    max_relative = 1e-12
                );
                let lies_on = |curve: &Curve, line: &[[f64; 2]], what: &str| {
                    for [x, y] in curve.iter().map(|point| point.map(f64::from)) {
                        let near = line.iter().any(|p| (p[0] - x).hypot(p[1] - y) < 2e-4);
                        assert!(near, "{}: class {class}: {what} {x}, {y}", case.name);
                    }
                };
                lies_on(&of.roc, &expected.roc, "ROC");
                lies_on(&of.precision_recall, &expected.precision_recall, "PR");
            }
        }
    }

    #[test]
    fn curves_do_not_change_with_the_scale_of_the_scores() {
        let case = &load_scores().cases[0];
        let scores = case.matrix();
        let found = ranking(&case.labels, scores.view()).unwrap();
        let scaled = scores.mapv(|v| 3.0 * v - 7.0);
        assert_eq!(ranking(&case.labels, scaled.view()).unwrap(), found);
    }

    #[test]
    fn classes_without_images_and_scores_that_are_no_numbers_have_no_curve() {
        let scores = array![[0.9, f64::NEG_INFINITY, 0.1], [0.2, 0.0, f64::NAN], [0.1, 0.0, 0.9]];
        let found = ranking(&[0, 2, 2], scores.view()).unwrap().unwrap();
        assert_eq!(found.classes[0].as_ref().unwrap().auc, 1.0);
        assert!(found.classes[1].is_none() && found.classes[2].is_none());
        assert_eq!(found.auc_macro, 1.0);
        assert_eq!(ranking(&[0, 0], Array2::zeros((2, 2)).view()), Ok(None));
    }

    #[test]
    fn scores_of_other_images_and_labels_without_a_column_are_refused() {
        let scores = Array2::zeros((2, 2));
        assert_eq!(
            ranking(&[0], scores.view()),
            Err(MetricsError::LengthMismatch { n_labels: 1, n_predicted: 2 })
        );
        assert_eq!(
            ranking(&[0, 2], scores.view()),
            Err(MetricsError::ClassOutOfRange { row: 1, found: 2, n_classes: 2 })
        );
    }
}
