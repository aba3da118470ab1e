//! Which features a fitted classifier uses, whatever its kind.

use ndarray::{Array2, Axis};

use super::{Classifier, LearnError};
use crate::data::{Features, Labels, Rng};
use crate::progress::{Part, Progress};

/// How much accuracy is lost when the rows of a feature are shuffled among themselves (Breiman,
/// Machine Learning 45 (2001), 5-32), for each group of features that are shuffled together.
/// Neighbouring pixels say nearly the same: shuffled one by one, each seems to be of no use, so
/// give blocks of an image.
///
/// # Shapes
/// `groups`: column numbers of each group; the result: `[n_groups, n_repeats]`, accuracy before
/// minus accuracy after.
///
/// # Errors
/// Rows unlike those of the fit, or an interruption.
///
/// # Panics
/// If a group names a column that there is not, or `labels` has another length.
///
/// # Cost
/// `1 + n_groups * n_repeats` predictions of all rows: 49 blocks of 4 x 4 pixels, five times, are
/// 246 of them. Give a thousand rows or so.
pub fn permutation_importance(
    classifier: &dyn Classifier,
    features: &Features,
    labels: &Labels,
    groups: &[Vec<usize>],
    n_repeats: usize,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Array2<f64>, LearnError> {
    assert_eq!(features.n_samples(), labels.len(), "one label a row");
    let accuracy = |features: &Features, progress: &dyn Progress| {
        let predicted = classifier.predict(features, progress)?;
        let n_right = predicted.iter().zip(labels).filter(|(a, b)| a == b).count();
        Ok::<f64, LearnError>(n_right as f64 / labels.len().max(1) as f64)
    };
    let n_all = 1 + groups.len() * n_repeats;
    let before = accuracy(features, &Part::new(progress, 0, 1, n_all))?;
    let mut lost = Array2::zeros((groups.len(), n_repeats));
    for (nth, group) in groups.iter().enumerate() {
        for repeat in 0..n_repeats {
            let mut rng = Rng::new(seed, &["permutation", &nth.to_string(), &repeat.to_string()]);
            let mut order: Vec<usize> = (0..labels.len()).collect();
            rng.shuffle(&mut order);
            let shuffled = shuffled(features, group, &order);
            let done = 1 + nth * n_repeats + repeat;
            let part = Part::new(progress, done, done + 1, n_all);
            lost[[nth, repeat]] = before - accuracy(&shuffled, &part)?;
        }
    }
    Ok(lost)
}

/// The features with some columns taken from other rows.
fn shuffled(features: &Features, columns: &[usize], order: &[usize]) -> Features {
    fn shuffle<T: Copy>(rows: &Array2<T>, columns: &[usize], order: &[usize]) -> Array2<T> {
        let mut shuffled = rows.clone();
        for &column in columns {
            let from = rows.index_axis(Axis(1), column);
            for (to, &row) in shuffled.index_axis_mut(Axis(1), column).iter_mut().zip(order) {
                *to = from[row];
            }
        }
        shuffled
    }
    match features {
        Features::Bytes(rows) => Features::Bytes(shuffle(rows, columns, order)),
        Features::Floats(rows) => Features::Floats(shuffle(rows, columns, order)),
    }
}

#[cfg(test)]
mod tests {
    use linfa::ParamGuard;

    use super::*;
    use crate::learn::Samples;
    use crate::learn::tree::DecisionTreeParams;
    use crate::progress::Silent;

    #[test]
    fn only_features_that_the_model_uses_cost_accuracy() {
        let mut rng = Rng::new(1, &["importance"]);
        let rows = Array2::from_shape_fn((400, 3), |_| rng.next_u32() as u8);
        let labels: Labels = rows.column(1).iter().map(|&v| usize::from(v > 127)).collect();
        let features = Features::Bytes(rows);
        let samples = Samples { features: &features, labels: &labels, weights: None };
        let tree = DecisionTreeParams::new().check().unwrap();
        let tree = tree.fit_model(samples, 0, &Silent).unwrap();
        let groups = [vec![0, 2], vec![1], vec![]];
        let find = |seed| {
            permutation_importance(&tree, &features, &labels, &groups, 3, seed, &Silent).unwrap()
        };
        let lost = find(1);
        assert!(lost.row(0).iter().chain(&lost.row(2)).all(|&lost| lost == 0.0));
        // Half of the labels are right by chance.
        assert!(lost.row(1).iter().all(|&lost| (lost - 0.5).abs() < 0.1), "{lost}");
        assert_eq!(lost, find(1));
        assert_ne!(lost, find(2));
    }
}
