//! From logarithms of unnormalised probabilities to labels and probabilities.

use ndarray::Array2;

use crate::data::Labels;

/// The class with the largest value of each row, the first of equals.
pub(super) fn labels_of(logarithms: &Array2<f64>, classes: &[usize]) -> Labels {
    let winner = |row: ndarray::ArrayView1<f64>| {
        let mut best = 0;
        for (class, &value) in row.iter().enumerate() {
            if value > row[best] {
                best = class;
            }
        }
        classes[best]
    };
    logarithms.rows().into_iter().map(winner).collect()
}

/// Probabilities that sum to 1 in each row: `exp(v - max) / sum`, which cannot overflow.
pub(super) fn probabilities(mut logarithms: Array2<f64>) -> Array2<f64> {
    for mut row in logarithms.rows_mut() {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|value| (value - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    logarithms
}
