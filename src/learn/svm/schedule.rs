//! Problems of one fit over the threads, the most expensive first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::block::stop_if;
use super::gram::{byte_row, float_row};
use super::params::SvcError;
use super::solver::Pair;
use crate::data::Features;
use crate::kernels::{Cpu, gemv};
use crate::progress::Progress;

/// What each pair may cost: pairs of `rows` samples whose classes lie near each other have many
/// support vectors. Only the order matters.
///
/// # Errors
/// [`SvcError::Interrupted`]
pub(super) fn costs(
    features: &Features,
    pairs: &[Pair],
    rows_of: &[Vec<usize>],
    progress: &dyn Progress,
) -> Result<Vec<f64>, SvcError> {
    let cpu = Cpu::detect();
    let means: Vec<Vec<f64>> = rows_of
        .par_iter()
        .map(|rows| {
            stop_if(progress)?;
            let mut mean = vec![0.0; features.n_features()];
            let share = 1.0 / rows.len() as f64;
            for &row in rows {
                match features {
                    Features::Bytes(all) => {
                        gemv::add_bytes(cpu, &mut mean, share, byte_row(all, row));
                    }
                    Features::Floats(all) => {
                        gemv::add_floats(cpu, &mut mean, share, float_row(all, row));
                    }
                }
            }
            Ok(mean)
        })
        .collect::<Result<_, SvcError>>()?;
    let cost = pairs
        .iter()
        .map(|pair| {
            let n = (pair.first_rows.len() + pair.second_rows.len()) as f64;
            let both = means[pair.first].iter().zip(&means[pair.second]);
            n * n / both.map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
        })
        .collect();
    Ok(cost)
}

/// Does every piece of work, the dearest first, each on one thread as soon as one is free. Results
/// are in the order of `costs`. After a failure nothing more is begun.
///
/// # Errors
/// The first of those that occurred.
pub(super) fn by_cost<T: Send>(
    costs: &[f64],
    work: impl Fn(usize) -> Result<T, SvcError> + Sync,
) -> Result<Vec<T>, SvcError> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[b].total_cmp(&costs[a]));
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<T, SvcError>>>> =
        costs.iter().map(|_| Mutex::new(None)).collect();
    // One job a thread, and none that a waiting thread could take up within another.
    rayon::broadcast(|_| {
        while let Some(&idx) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(idx);
            if result.is_err() {
                next.store(order.len(), Ordering::Relaxed);
            }
            *results[idx].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    });
    let done =
        results.into_iter().map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner));
    done.flatten().collect()
}
