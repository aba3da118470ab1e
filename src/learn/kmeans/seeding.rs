//! Rows at which clusters start.

use ndarray::Array2;
use rayon::prelude::*;

use super::lloyd::{Data, distances_to};
use super::params::Init;
use crate::data::Rng;
use crate::learn::LearnError;
use crate::progress::Progress;

/// Draws start centres, `[n_clusters, n_features]` as stored.
///
/// # Cost   `n_clusters (2 + ln n_clusters) n_samples n_features` for k-means++
pub(super) fn draw(
    init: Init,
    n_clusters: usize,
    data: &Data,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Array2<f64>, LearnError> {
    let chosen = match init {
        Init::Random => random(n_clusters, data, rng),
        Init::KMeansPlusPlus => plus_plus(n_clusters, data, rng, progress)?,
    };
    Ok(data.rows_as_vectors(&chosen))
}

/// Different rows that count.
fn random(n_clusters: usize, data: &Data, rng: &mut Rng) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..data.n_rows()).filter(|&row| data.weight(row) > 0.0).collect();
    rng.shuffle(&mut rows);
    rows.truncate(n_clusters);
    rows
}

/// scikit-learn's greedy k-means++: each next centre is the best of a few rows drawn with
/// probability proportional to weight times squared distance to the nearest centre so far.
fn plus_plus(
    n_clusters: usize,
    data: &Data,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Vec<usize>, LearnError> {
    let n_trials = 2 + (n_clusters as f64).ln() as usize;
    let n_rows = data.n_rows();
    let weights: Vec<f64> = (0..n_rows).map(|row| data.weight(row)).collect();
    let mut chosen = vec![pick(&weights, unit(rng))];
    let mut nearest = distances_to(data, &chosen, progress)?.remove(0);
    while chosen.len() < n_clusters {
        let potentials: Vec<f64> = nearest.iter().zip(&weights).map(|(d, w)| d * w).collect();
        let candidates: Vec<usize> = (0..n_trials).map(|_| pick(&potentials, unit(rng))).collect();
        let found = distances_to(data, &candidates, progress)?;
        let with_candidate: Vec<(f64, Vec<f64>)> = found
            .into_par_iter()
            .map(|mut distances| {
                let mut total = 0.0;
                for ((distance, &before), &weight) in
                    distances.iter_mut().zip(&nearest).zip(&weights)
                {
                    *distance = distance.min(before);
                    total += *distance * weight;
                }
                (total, distances)
            })
            .collect();
        let mut best = 0;
        for (candidate, (total, _)) in with_candidate.iter().enumerate() {
            if *total < with_candidate[best].0 {
                best = candidate;
            }
        }
        chosen.push(candidates[best]);
        nearest = with_candidate.into_iter().nth(best).map_or_else(Vec::new, |(_, d)| d);
    }
    Ok(chosen)
}

/// Uniform in `[0, 1)`, 53 bits.
fn unit(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * 0.5f64.powi(53)
}

/// The row at which the running sum of the shares passes `at` of the whole; the last that has a
/// share if rounding keeps it below, row 0 if none has.
fn pick(shares: &[f64], at: f64) -> usize {
    let goal = at * shares.iter().sum::<f64>();
    let mut sum = 0.0;
    for (row, &share) in shares.iter().enumerate() {
        sum += share;
        if share > 0.0 && sum > goal {
            return row;
        }
    }
    shares.iter().rposition(|&share| share > 0.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn rows_are_picked_by_their_share_and_never_without_one() {
        let shares = [0.0, 1.0, 0.0, 3.0, 0.0];
        assert_eq!(pick(&shares, 0.0), 1);
        assert_eq!(pick(&shares, 0.24), 1);
        assert_eq!(pick(&shares, 0.25), 3);
        assert_eq!(pick(&shares, 1.0), 3);
        assert_eq!(pick(&[0.0, 0.0], 0.5), 0);
    }
}
