//! Kernel values shared by all pairs: blocks (sample, class), least recently used go first.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::block::Block;
use super::gram::{Panel, Resolved};
use super::params::{Kernel, SvcError};
use crate::data::Features;
use crate::progress::Progress;

type Key = (usize, usize);

/// Samples of a problem, packed by class, with the cache of their kernel values.
pub(super) struct KernelCache<'a> {
    pub resolved: Resolved,
    pub features: &'a Features,
    panels: Vec<Panel>,
    limit_bytes: u64,
    entries: Mutex<Entries>,
    n_hits: AtomicU64,
    n_misses: AtomicU64,
    n_values: AtomicU64,
}

/// What the cache did.
pub(super) struct Cost {
    pub kernel_evaluations: u64,
    /// Fraction of requests that found their block.
    pub cache_hit_rate: f64,
}

#[derive(Default)]
struct Entries {
    blocks: HashMap<Key, (Arc<[f32]>, u64)>,
    /// Uses in time order; only the latest use of a key counts.
    uses: VecDeque<(Key, u64)>,
    now: u64,
    n_bytes: u64,
}

impl<'a> KernelCache<'a> {
    /// Packs the rows of each class. A linear kernel needs no rows of kernel values: there is
    /// nothing to fetch then.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn new(
        resolved: Resolved,
        features: &'a Features,
        rows_of: &[Vec<usize>],
        limit_bytes: u64,
        progress: &dyn Progress,
    ) -> Result<Self, SvcError> {
        let fetched = if resolved.kernel == Kernel::Linear { &[] } else { rows_of };
        let panels = fetched
            .par_iter()
            .map(|rows| Panel::pack(features, rows, progress))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(KernelCache {
            resolved,
            features,
            panels,
            limit_bytes,
            entries: Mutex::default(),
            n_hits: AtomicU64::new(0),
            n_misses: AtomicU64::new(0),
            n_values: AtomicU64::new(0),
        })
    }

    /// Frees all kernel values and packed rows.
    pub fn into_cost(self) -> Cost {
        let (n_hits, n_misses) = (self.n_hits.into_inner(), self.n_misses.into_inner());
        Cost {
            kernel_evaluations: self.n_values.into_inner(),
            cache_hit_rate: n_hits as f64 / (n_hits + n_misses).max(1) as f64,
        }
    }

    /// Counts values that were computed elsewhere.
    pub fn count(&self, n_values: usize) {
        self.n_values.fetch_add(n_values as u64, Ordering::Relaxed);
    }

    /// Kernel values of each sample with every sample of `class`. Missing blocks are computed
    /// together, outside the lock, in `block`.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn fetch(
        &self,
        samples: &[usize],
        class: usize,
        block: &mut Block,
        progress: &dyn Progress,
    ) -> Result<Vec<Arc<[f32]>>, SvcError> {
        let mut found: Vec<Option<Arc<[f32]>>> = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            samples.iter().map(|&sample| entries.get((sample, class))).collect()
        };
        let missing: Vec<usize> = (0..samples.len()).filter(|&i| found[i].is_none()).collect();
        self.n_hits.fetch_add((samples.len() - missing.len()) as u64, Ordering::Relaxed);
        self.n_misses.fetch_add(missing.len() as u64, Ordering::Relaxed);
        if !missing.is_empty() {
            let panel = &self.panels[class];
            self.count(missing.len() * panel.len());
            let queries: Vec<usize> = missing.iter().map(|&i| samples[i]).collect();
            block.compute(&self.resolved, self.features, &queries, panel, progress)?;
            for (query, &i) in missing.iter().enumerate() {
                let mut values: Arc<[f32]> = std::iter::repeat_n(0.0, panel.len()).collect();
                if let Some(values) = Arc::get_mut(&mut values) {
                    let mut start = 0;
                    for piece in block.pieces(query) {
                        values[start..start + piece.len()].copy_from_slice(piece);
                        start += piece.len();
                    }
                }
                found[i] = Some(values);
            }
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            for i in missing {
                if let Some(values) = &found[i] {
                    entries.insert((samples[i], class), values.clone(), self.limit_bytes);
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

impl Entries {
    fn get(&mut self, key: Key) -> Option<Arc<[f32]>> {
        self.now += 1;
        let now = self.now;
        let (values, used) = self.blocks.get_mut(&key)?;
        *used = now;
        let values = values.clone();
        self.uses.push_back((key, now));
        if self.uses.len() > 4 * self.blocks.len() + 1024 {
            let blocks = &self.blocks;
            self.uses.retain(|(key, used)| blocks.get(key).is_some_and(|b| b.1 == *used));
        }
        Some(values)
    }

    fn insert(&mut self, key: Key, values: Arc<[f32]>, limit_bytes: u64) {
        self.now += 1;
        self.n_bytes += size_of_val(&*values) as u64;
        self.uses.push_back((key, self.now));
        if let Some((replaced, _)) = self.blocks.insert(key, (values, self.now)) {
            self.n_bytes -= size_of_val(&*replaced) as u64;
        }
        while self.n_bytes > limit_bytes {
            let Some((oldest, used)) = self.uses.pop_front() else { break };
            if self.blocks.get(&oldest).is_some_and(|b| b.1 == used)
                && let Some((values, _)) = self.blocks.remove(&oldest)
            {
                self.n_bytes -= size_of_val(&*values) as u64;
            }
        }
    }
}
