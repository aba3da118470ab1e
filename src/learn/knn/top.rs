//! The nearest rows of one query found so far.

use std::collections::BinaryHeap;

/// A distance whose order is that of its bits (a whole number, or an `f64` not below 0), and the row:
/// of equal distances the smaller row is the nearer.
pub(super) type Entry = (u64, u32);

/// Up to `k` entries.
pub(super) struct Top {
    k: usize,
    heap: BinaryHeap<Entry>,
}

impl Top {
    pub fn new(k: usize) -> Self {
        Top { k, heap: BinaryHeap::with_capacity(k) }
    }

    /// Distance that a row must be below, if `k` rows are known and it comes after all of them.
    pub fn limit(&self) -> Option<u64> {
        self.heap.peek().filter(|_| self.heap.len() == self.k).map(|&(distance, _)| distance)
    }

    pub fn offer(&mut self, entry: Entry) {
        if self.heap.len() < self.k {
            self.heap.push(entry);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
    }

    /// The entries, nearest first.
    pub fn into_sorted(self) -> Vec<Entry> {
        self.heap.into_sorted_vec()
    }
}
