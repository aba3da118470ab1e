//! The same search by linfa-nn, to compare with.

use linfa_nn::distance::{L1Dist, L2Dist};
use linfa_nn::{CommonNearestNeighbour, NearestNeighbour};
use ndarray::Array2;
use rayon::prelude::*;

use super::model::Neighbors;
use super::params::{Engine, Metric};
use crate::data::Features;
use crate::learn::{LearnError, ParamError};
use crate::progress::Progress;

/// Refuses more rows than the engine can search in reasonable time.
pub(super) fn check_size(engine: Engine, n_samples: usize) -> Result<(), LearnError> {
    match engine.max_samples() {
        Some(limit) if n_samples > limit => {
            let expected = format!("`native` for more than {limit} samples");
            let found = format!("an engine of linfa for {n_samples}");
            Err(ParamError::new("engine", expected, found).into())
        }
        _ => Ok(()),
    }
}

fn reals(features: &Features) -> Array2<f64> {
    match features {
        Features::Bytes(rows) => rows.mapv(|v| f64::from(v) / 255.0),
        Features::Floats(rows) => rows.mapv(f64::from),
    }
}

/// The `k` nearest rows to each query. The tree is built at each call: it borrows its rows. Which of
/// rows at equal distance it finds is linfa's choice; those it finds come smallest row first.
pub(super) fn search(
    engine: Engine,
    metric: Metric,
    rows: &Features,
    queries: &Features,
    k: usize,
    progress: &dyn Progress,
) -> Result<Neighbors, LearnError> {
    let refused = |error: &dyn std::fmt::Display| LearnError::Linfa(error.to_string());
    let rows = reals(rows);
    let queries = reals(queries);
    let algorithm = match engine {
        Engine::LinfaBallTree => CommonNearestNeighbour::BallTree,
        Engine::LinfaKdTree => CommonNearestNeighbour::KdTree,
        Engine::LinfaLinear | Engine::Native => CommonNearestNeighbour::LinearSearch,
    };
    let tree = match metric {
        Metric::Manhattan => algorithm.from_batch(&rows, L1Dist),
        Metric::Euclidean | Metric::Cosine => algorithm.from_batch(&rows, L2Dist),
    };
    let tree = tree.map_err(|error| refused(&error))?;
    let one = |query: usize| -> Result<Vec<(f64, usize)>, LearnError> {
        if progress.interrupted() {
            return Err(LearnError::Interrupted);
        }
        let query = queries.row(query);
        let nearest = tree.k_nearest(query, k).map_err(|error| refused(&error))?;
        let mut found: Vec<(f64, usize)> = nearest
            .into_iter()
            .map(|(row, idx)| {
                let differences = query.iter().zip(row).map(|(a, b)| (a - b).abs());
                match metric {
                    Metric::Manhattan => (differences.sum(), idx),
                    Metric::Euclidean | Metric::Cosine => {
                        (differences.map(|d| d * d).sum::<f64>().sqrt(), idx)
                    }
                }
            })
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        Ok(found)
    };
    let found: Result<Vec<_>, LearnError> = (0..queries.nrows()).into_par_iter().map(one).collect();
    Ok(Neighbors::from_rows(&found?, k))
}
