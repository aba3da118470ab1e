//! Kernel values shared by all pairs: blocks (sample, class), least recently used go first.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::gram::{Panel, Resolved, block};
use crate::data::Features;

type Key = (usize, usize);

/// Samples of a problem, packed by class, with the cache of their kernel values.
pub(super) struct KernelCache<'a> {
    pub resolved: Resolved,
    pub features: &'a Features,
    pub panels: Vec<Panel>,
    limit_bytes: usize,
    entries: Mutex<Entries>,
    pub n_hits: AtomicU64,
    pub n_misses: AtomicU64,
    pub n_values: AtomicU64,
}

#[derive(Default)]
struct Entries {
    blocks: HashMap<Key, (Arc<[f32]>, u64)>,
    /// Uses in time order; only the latest use of a key counts.
    uses: VecDeque<(Key, u64)>,
    now: u64,
    n_bytes: usize,
}

impl<'a> KernelCache<'a> {
    pub fn new(
        resolved: Resolved,
        features: &'a Features,
        panels: Vec<Panel>,
        cache_mib: usize,
    ) -> Self {
        KernelCache {
            resolved,
            features,
            panels,
            limit_bytes: cache_mib.saturating_mul(1 << 20),
            entries: Mutex::default(),
            n_hits: AtomicU64::new(0),
            n_misses: AtomicU64::new(0),
            n_values: AtomicU64::new(0),
        }
    }

    /// Kernel values of each sample with every sample of `class`. Missing blocks are computed
    /// together, outside the lock.
    pub fn fetch(&self, samples: &[usize], class: usize) -> Vec<Arc<[f32]>> {
        let mut found: Vec<Option<Arc<[f32]>>> = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            samples.iter().map(|&sample| entries.get((sample, class))).collect()
        };
        let missing: Vec<usize> = (0..samples.len()).filter(|&i| found[i].is_none()).collect();
        self.n_hits.fetch_add((samples.len() - missing.len()) as u64, Ordering::Relaxed);
        self.n_misses.fetch_add(missing.len() as u64, Ordering::Relaxed);
        if !missing.is_empty() {
            let panel = &self.panels[class];
            self.n_values.fetch_add((missing.len() * panel.len()) as u64, Ordering::Relaxed);
            let queries: Vec<usize> = missing.iter().map(|&i| samples[i]).collect();
            let blocks = block(&self.resolved, self.features, &queries, panel);
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            for (i, values) in missing.into_iter().zip(blocks) {
                let values: Arc<[f32]> = values.into();
                entries.insert((samples[i], class), values.clone(), self.limit_bytes);
                found[i] = Some(values);
            }
        }
        found.into_iter().flatten().collect()
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

    fn insert(&mut self, key: Key, values: Arc<[f32]>, limit_bytes: usize) {
        self.now += 1;
        self.n_bytes += size_of_val(&*values);
        self.uses.push_back((key, self.now));
        if let Some((replaced, _)) = self.blocks.insert(key, (values, self.now)) {
            self.n_bytes -= size_of_val(&*replaced);
        }
        while self.n_bytes > limit_bytes {
            let Some((oldest, used)) = self.uses.pop_front() else { break };
            if self.blocks.get(&oldest).is_some_and(|b| b.1 == used)
                && let Some((values, _)) = self.blocks.remove(&oldest)
            {
                self.n_bytes -= size_of_val(&*values);
            }
        }
    }
}
