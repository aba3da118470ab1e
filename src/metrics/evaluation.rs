//! Confusion matrix and everything that is counted from it.

use serde::{Deserialize, Serialize};

use super::{ClassMetrics, MetricsError, wilson};

/// Precision, recall and F1 averaged over classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
}

/// How well one model labels one set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Share of images labelled right, `0..=1`.
    pub accuracy: f64,
    /// Wilson 95 % interval of the accuracy.
    pub accuracy_ci95: [f64; 2],
    /// Unweighted means over classes.
    pub macro_average: Averages,
    /// Means weighted by support.
    pub weighted_average: Averages,
    /// Per class, in label order.
    pub per_class: Vec<ClassMetrics>,
    /// `confusion[true][predicted]`, counts.
    pub confusion: Vec<Vec<u64>>,
}

/// Counts `predicted` against `labels`.
///
/// A ratio with an empty denominator is 0, as scikit-learn's `zero_division=0`. A class without
/// images still counts in the macro average, as in scikit-learn when all classes are listed.
/// # Shapes   `labels`, `predicted`: `[n_images]`, values below `class_names.len()`
/// # Errors   if the lengths differ, are zero, or a value names no class
pub fn evaluate(
    labels: &[usize],
    predicted: &[usize],
    class_names: &[String],
) -> Result<Evaluation, MetricsError> {
    let confusion = count(labels, predicted, class_names.len())?;
    let n_classes = class_names.len();
    let n_samples = labels.len() as u64;
    let n_right: u64 = (0..n_classes).map(|class| confusion[class][class]).sum();

    let per_class: Vec<ClassMetrics> = class_names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let true_positives = confusion[class][class];
            let support: u64 = confusion[class].iter().sum();
            let n_predicted: u64 = confusion.iter().map(|row| row[class]).sum();
            ClassMetrics {
                class: name.clone(),
                precision: ratio(true_positives, n_predicted),
                recall: ratio(true_positives, support),
                f1: ratio(2 * true_positives, support + n_predicted),
                support,
            }
        })
        .collect();

    Ok(Evaluation {
        accuracy: ratio(n_right, n_samples),
        accuracy_ci95: wilson(n_right, n_samples),
        macro_average: average(&per_class, |_| 1.0),
        weighted_average: average(&per_class, |class| class.support as f64),
        per_class,
        confusion,
    })
}

/// `confusion[true][predicted]`.
fn count(
    labels: &[usize],
    predicted: &[usize],
    n_classes: usize,
) -> Result<Vec<Vec<u64>>, MetricsError> {
    if labels.len() != predicted.len() {
        return Err(MetricsError::LengthMismatch {
            n_labels: labels.len(),
            n_predicted: predicted.len(),
        });
    }
    if labels.is_empty() {
        return Err(MetricsError::Empty);
    }
    let mut confusion = vec![vec![0; n_classes]; n_classes];
    for (row, (&label, &guess)) in labels.iter().zip(predicted).enumerate() {
        if let Some(&found) = [label, guess].iter().find(|&&class| class >= n_classes) {
            return Err(MetricsError::ClassOutOfRange { row, found, n_classes });
        }
        confusion[label][guess] += 1;
    }
    Ok(confusion)
}

fn ratio(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 { 0.0 } else { numerator as f64 / denominator as f64 }
}

fn average(per_class: &[ClassMetrics], weight: impl Fn(&ClassMetrics) -> f64) -> Averages {
    let total: f64 = per_class.iter().map(&weight).sum();
    let mean = |value: fn(&ClassMetrics) -> f64| {
        per_class.iter().map(|class| weight(class) * value(class)).sum::<f64>() / total
    };
    Averages {
        precision: mean(|class| class.precision),
        recall: mean(|class| class.recall),
        f1: mean(|class| class.f1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use approx::assert_relative_eq;

    fn names(n_classes: usize) -> Vec<String> {
        (0..n_classes).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn figures_match_scikit_learn() {
        for case in fixture::load().evaluations {
            let found = evaluate(&case.labels, &case.predicted, &names(case.n_classes)).unwrap();
            assert_eq!(found.confusion, case.confusion, "{}", case.name);
            let close = |found: f64, expected: f64, what: &str| {
                assert_relative_eq!(found, expected, max_relative = 1e-12);
                assert!(found.is_finite(), "{}: {what}", case.name);
            };
            close(found.accuracy, case.accuracy, "accuracy");
            for (average, expected) in [
                (found.macro_average, case.macro_average),
                (found.weighted_average, case.weighted_average),
            ] {
                close(average.precision, expected[0], "precision");
                close(average.recall, expected[1], "recall");
                close(average.f1, expected[2], "F1");
            }
            for (class, expected) in found.per_class.iter().zip(&case.per_class) {
                close(class.precision, expected[0], "class precision");
                close(class.recall, expected[1], "class recall");
                close(class.f1, expected[2], "class F1");
            }
        }
    }

    #[test]
    fn weighted_recall_is_accuracy_and_rows_sum_to_support() {
        let labels = [0, 0, 1, 2, 2, 2];
        let found = evaluate(&labels, &[0, 1, 1, 2, 0, 2], &names(3)).unwrap();
        assert_relative_eq!(found.weighted_average.recall, found.accuracy, epsilon = 1e-15);
        for (row, class) in found.confusion.iter().zip(&found.per_class) {
            assert_eq!(row.iter().sum::<u64>(), class.support);
        }
    }

    #[test]
    fn mismatched_empty_and_unknown_classes_are_refused() {
        assert_eq!(
            evaluate(&[0], &[], &names(2)),
            Err(MetricsError::LengthMismatch { n_labels: 1, n_predicted: 0 })
        );
        assert_eq!(evaluate(&[], &[], &names(2)), Err(MetricsError::Empty));
        assert_eq!(
            evaluate(&[0, 1], &[0, 2], &names(2)),
            Err(MetricsError::ClassOutOfRange { row: 1, found: 2, n_classes: 2 })
        );
    }
}
