//! Decisions as sums over the support vectors.
//!
//! The samples take the place of rows and the support vectors that of queries: these are packed
//! once, and the lines of kernel values are one support vector with all samples of a chunk. Most
//! support vectors count in one or two of their pairs, so each line is added to those alone.

use std::ops::Range;

use rayon::prelude::*;

use super::block::{Block, GROUP};
use super::gram::{Panel, Queries};
use super::model::{Svc, pair_idx};
use super::params::SvcError;
use crate::data::Features;
use crate::kernels::{Cpu, smo};
use crate::progress::Progress;

/// Samples decided together; fixed, so that results never depend on the threads.
pub(super) const CHUNK: usize = GROUP;

/// Support vectors whose values with a chunk are computed together; these are 480 KiB, which the
/// second cache holds.
const BATCH: usize = 480;

/// The support vectors of a classifier, packed by class.
pub(super) struct PackedSupport {
    batches: Vec<Batch>,
}

/// Some support vectors of a class.
struct Batch {
    vectors: Queries,
    /// Pairs of the class, each with the vectors that count in it and their coefficients.
    pairs: Vec<(usize, Vec<(u32, f64)>)>,
}

impl PackedSupport {
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn new(svc: &Svc, progress: &dyn Progress) -> Result<Self, SvcError> {
        let n_classes = svc.classes.len();
        let batches: Vec<(usize, Range<usize>)> = svc
            .support_ranges()
            .enumerate()
            .flat_map(|(class, range)| {
                let end = range.end;
                range.step_by(BATCH).map(move |start| (class, start..(start + BATCH).min(end)))
            })
            .collect();
        let first_of: Vec<usize> = svc.support_ranges().map(|range| range.start).collect();
        let pack = |(class, range): (usize, Range<usize>)| {
            super::block::stop_if(progress)?;
            let within = range.start - first_of[class]..range.end - first_of[class];
            let pairs = (0..n_classes)
                .filter(|&other| other != class)
                .map(|other| {
                    let coefficients = &svc.coefficients(class, other)[within.clone()];
                    let entries = (0..).zip(coefficients.iter().copied());
                    let entries = entries.filter(|&(_, coefficient)| coefficient != 0.0);
                    (pair_idx(n_classes, class, other), entries.collect())
                })
                .collect();
            let mut vectors = Queries::default();
            vectors.repack(&svc.support, &range.collect::<Vec<_>>());
            Ok(Batch { vectors, pairs })
        };
        let batches = batches.into_par_iter().map(pack).collect::<Result<_, SvcError>>()?;
        Ok(PackedSupport { batches })
    }

    /// Adds the decisions of at most [`CHUNK`] samples to `sums`, `[query][pair]`.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn add_decisions(
        &self,
        svc: &Svc,
        features: &Features,
        samples: &[usize],
        block: &mut Block,
        sums: &mut [f64],
        progress: &dyn Progress,
    ) -> Result<(), SvcError> {
        let (cpu, n_pairs) = (Cpu::detect(), svc.bias.len());
        let panel = Panel::pack(features, samples, progress)?;
        let mut turned = vec![0.0; n_pairs * CHUNK];
        for batch in &self.batches {
            block.compute_packed(&svc.resolved, &batch.vectors, &panel, progress)?;
            for (pair, entries) in &batch.pairs {
                let sums = &mut turned[pair * CHUNK..][..CHUNK];
                smo::add_expansion(cpu, entries, block.lines(), GROUP, sums);
            }
        }
        for (query, sums) in sums.chunks_exact_mut(n_pairs).enumerate() {
            for (pair, sum) in sums.iter_mut().enumerate() {
                *sum += turned[pair * CHUNK + query];
            }
        }
        Ok(())
    }
}
