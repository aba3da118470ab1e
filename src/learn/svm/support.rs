//! Decisions as sums over the support vectors.
//!
//! The samples take the place of rows and the support vectors that of queries: these are packed
//! once, and the lines of kernel values are one support vector with all samples of a chunk. Most
//! support vectors count in one or two of their pairs, so each line is added to those alone.

use std::ops::Range;

use rayon::prelude::*;

use super::block::{Block, GROUP, stop_if};
use super::gram::{Panel, Queries, Resolved};
use super::params::SvcError;
use crate::data::Features;
use crate::kernels::{Cpu, smo};
use crate::progress::Progress;

/// Samples decided together; fixed, so that results never depend on the threads.
pub(super) const CHUNK: usize = GROUP;

/// Support vectors whose values with a chunk are computed together; these are 480 KiB, which the
/// second cache holds.
const BATCH: usize = 480;

/// Support vectors of one class, with the decisions that they count in.
pub(super) struct ClassSupport {
    pub rows: Vec<usize>,
    /// Each with the places in `rows` that count in it, ascending, and their coefficients.
    pub decisions: Vec<(usize, Vec<(usize, f64)>)>,
}

/// All support vectors, packed in batches of one class each.
pub(super) struct PackedSupport {
    n_decisions: usize,
    batches: Vec<Batch>,
}

/// Some support vectors of a class.
struct Batch {
    vectors: Queries,
    /// Decisions of the class, each with the vectors that count in it and their coefficients.
    decisions: Vec<(usize, Vec<(u32, f64)>)>,
}

impl Batch {
    fn pack(features: &Features, class: &ClassSupport, range: Range<usize>) -> Self {
        let within = |entries: &[(usize, f64)]| {
            let start = entries.partition_point(|&(place, _)| place < range.start);
            let end = entries.partition_point(|&(place, _)| place < range.end);
            let shifted = entries[start..end].iter();
            shifted.map(|&(place, c)| ((place - range.start) as u32, c)).collect()
        };
        let decisions = class.decisions.iter().map(|(decision, all)| (*decision, within(all)));
        let decisions = decisions.collect();
        let mut vectors = Queries::default();
        vectors.repack(features, &class.rows[range]);
        Batch { vectors, decisions }
    }
}

impl PackedSupport {
    /// Packs rows of `features`.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn new(
        features: &Features,
        classes: &[ClassSupport],
        n_decisions: usize,
        progress: &dyn Progress,
    ) -> Result<Self, SvcError> {
        let ranges: Vec<(&ClassSupport, Range<usize>)> = classes
            .iter()
            .flat_map(|class| {
                let n = class.rows.len();
                (0..n).step_by(BATCH).map(move |start| (class, start..(start + BATCH).min(n)))
            })
            .collect();
        let pack = |(class, range)| {
            stop_if(progress)?;
            Ok(Batch::pack(features, class, range))
        };
        let batches = ranges.into_par_iter().map(pack).collect::<Result<_, SvcError>>()?;
        Ok(PackedSupport { n_decisions, batches })
    }

    /// Adds the decisions of at most [`CHUNK`] samples to `sums`, `[query][decision]`.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn add_decisions(
        &self,
        resolved: &Resolved,
        features: &Features,
        samples: &[usize],
        block: &mut Block,
        sums: &mut [f64],
        progress: &dyn Progress,
    ) -> Result<(), SvcError> {
        let (cpu, n_decisions) = (Cpu::detect(), self.n_decisions);
        let panel = Panel::pack(features, samples, progress)?;
        let mut turned = vec![0.0; n_decisions * CHUNK];
        for batch in &self.batches {
            block.compute_packed(resolved, &batch.vectors, &panel, progress)?;
            for (decision, entries) in &batch.decisions {
                let sums = &mut turned[decision * CHUNK..][..CHUNK];
                smo::add_expansion(cpu, entries, block.lines(), GROUP, sums);
            }
        }
        for (query, sums) in sums.chunks_exact_mut(n_decisions).enumerate() {
            for (decision, sum) in sums.iter_mut().enumerate() {
                *sum += turned[decision * CHUNK + query];
            }
        }
        Ok(())
    }
}
