//! How clusters and classes agree.

use super::MetricsError;

/// Samples of each class in each cluster, `[class][cluster]`.
fn counts(labels: &[usize], clusters: &[usize]) -> Result<Vec<Vec<u64>>, MetricsError> {
    if labels.len() != clusters.len() {
        let (n_labels, n_predicted) = (labels.len(), clusters.len());
        return Err(MetricsError::LengthMismatch { n_labels, n_predicted });
    }
    let size = |values: &[usize]| values.iter().max().map(|&largest| largest + 1);
    let (Some(n_classes), Some(n_clusters)) = (size(labels), size(clusters)) else {
        return Err(MetricsError::Empty);
    };
    let mut counts = vec![vec![0; n_clusters]; n_classes];
    for (&label, &cluster) in labels.iter().zip(clusters) {
        counts[label][cluster] += 1;
    }
    Ok(counts)
}

/// Share of samples whose class is the most frequent one of their cluster, `0..=1`.
///
/// # Errors   if the lengths differ or are 0
pub fn purity(labels: &[usize], clusters: &[usize]) -> Result<f64, MetricsError> {
    let counts = counts(labels, clusters)?;
    let n_clusters = counts.first().map_or(0, Vec::len);
    let largest = |cluster: usize| counts.iter().map(|row| row[cluster]).max().unwrap_or(0);
    Ok((0..n_clusters).map(largest).sum::<u64>() as f64 / labels.len() as f64)
}

/// The Rand index adjusted for chance (Hubert and Arabie, Journal of Classification 2 (1985),
/// 193-218): 1 for the same partition, about 0 for independent ones, at least -0.5.
///
/// # Errors   if the lengths differ or are 0
pub fn adjusted_rand_index(labels: &[usize], clusters: &[usize]) -> Result<f64, MetricsError> {
    let counts = counts(labels, clusters)?;
    let n_clusters = counts.first().map_or(0, Vec::len);
    let pairs = |n: u64| n as f64 * (n as f64 - 1.0) / 2.0;
    let within = |sums: &mut dyn Iterator<Item = u64>| sums.map(pairs).sum::<f64>();
    let both = within(&mut counts.iter().flatten().copied());
    let of_labels = within(&mut counts.iter().map(|row| row.iter().sum()));
    let of_clusters =
        within(&mut (0..n_clusters).map(|cluster| counts.iter().map(|row| row[cluster]).sum()));
    let all = pairs(labels.len() as u64);
    let expected = if all > 0.0 { of_labels * of_clusters / all } else { 0.0 };
    let largest = (of_labels + of_clusters) / 2.0;
    // Both are one cluster, or both are all apart: the same partition.
    Ok(if largest == expected { 1.0 } else { (both - expected) / (largest - expected) })
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    // scikit-learn 1.9.1: adjusted_rand_score and contingency_matrix(a, b).max(0).sum() / n.
    #[test]
    fn both_are_those_of_scikit_learn() {
        let cases: [(&[usize], &[usize], f64, f64); 4] = [
            (&[0, 0, 1, 1, 2, 2, 2], &[1, 1, 0, 0, 0, 3, 3], 0.475, 6.0 / 7.0),
            (&[0, 0, 1, 1], &[0, 1, 0, 1], -0.5, 0.5),
            (&[0, 1, 2, 3], &[0, 0, 0, 0], 0.0, 0.25),
            (&[0, 1, 1, 4, 4, 4], &[2, 2, 0, 0, 1, 1], 2.0 / 27.0, 4.0 / 6.0),
        ];
        for (labels, clusters, rand, pure) in cases {
            let found = adjusted_rand_index(labels, clusters).unwrap();
            assert_relative_eq!(found, rand, epsilon = 1e-12);
            assert_relative_eq!(purity(labels, clusters).unwrap(), pure, epsilon = 1e-12);
        }
    }

    #[test]
    fn the_same_partition_under_other_names_is_perfect() {
        for (labels, clusters) in
            [(vec![0, 0, 1, 2], vec![5, 5, 0, 1]), (vec![3; 4], vec![0; 4]), (vec![7], vec![1])]
        {
            assert_eq!(adjusted_rand_index(&labels, &clusters), Ok(1.0));
            assert_eq!(purity(&labels, &clusters), Ok(1.0));
        }
    }

    #[test]
    fn nothing_to_compare_is_refused() {
        assert_eq!(purity(&[], &[]), Err(MetricsError::Empty));
        assert_eq!(
            adjusted_rand_index(&[0], &[0, 1]),
            Err(MetricsError::LengthMismatch { n_labels: 1, n_predicted: 2 })
        );
    }
}
