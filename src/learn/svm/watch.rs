//! What is shown of a fit while it runs.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::progress::Progress;

/// Problems done of all, steps taken, and the largest gap among the problems at work.
pub(super) struct Watch<'a> {
    pub progress: &'a dyn Progress,
    n_problems: usize,
    n_done: AtomicU64,
    n_steps: AtomicU64,
    /// Bits of the gap that each thread works on, and of one that is no thread of the pool.
    gaps: Vec<AtomicU64>,
}

impl<'a> Watch<'a> {
    pub fn new(progress: &'a dyn Progress, n_problems: usize) -> Self {
        let gaps = (0..=rayon::current_num_threads()).map(|_| AtomicU64::new(0)).collect();
        let (n_done, n_steps) = (AtomicU64::new(0), AtomicU64::new(0));
        Watch { progress, n_problems, n_done, n_steps, gaps }
    }

    /// After a round of steps of this thread's problem.
    pub fn round(&self, n_steps: u64, gap: f64) {
        self.n_steps.fetch_add(n_steps, Ordering::Relaxed);
        self.set_gap(gap);
        self.show(self.n_done.load(Ordering::Relaxed));
    }

    /// After a problem.
    pub fn done(&self) {
        self.set_gap(0.0);
        self.show(self.n_done.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn set_gap(&self, gap: f64) {
        let thread = rayon::current_thread_index().map_or(0, |idx| idx + 1);
        if let Some(slot) = self.gaps.get(thread) {
            slot.store(gap.to_bits(), Ordering::Relaxed);
        }
    }

    fn show(&self, n_done: u64) {
        let gaps = self.gaps.iter().map(|bits| f64::from_bits(bits.load(Ordering::Relaxed)));
        let note = note(self.n_steps.load(Ordering::Relaxed), gaps.fold(0.0, f64::max));
        self.progress.update(n_done, self.n_problems as u64, &note);
    }
}

/// `12,345 steps, gap 3.1e-3`
fn note(n_steps: u64, gap: f64) -> String {
    let digits = n_steps.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|three| std::str::from_utf8(three).unwrap_or_default())
        .collect();
    format!("{} steps, gap {gap:.1e}", grouped.join(","))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Last(Mutex<(u64, u64, String)>);

    impl Progress for Last {
        fn update(&self, done: u64, total: u64, note: &str) {
            *self.0.lock().unwrap() = (done, total, note.to_owned());
        }

        fn interrupted(&self) -> bool {
            false
        }

        fn warn(&self, _message: &str) {}
    }

    #[test]
    fn problems_steps_and_gap_are_shown() {
        let last = Last::default();
        let watch = Watch::new(&last, 45);
        watch.round(345, 0.5);
        assert_eq!(*last.0.lock().unwrap(), (0, 45, "345 steps, gap 5.0e-1".to_owned()));
        watch.round(1_234_000, 3.14e-3);
        assert_eq!(last.0.lock().unwrap().2, "1,234,345 steps, gap 3.1e-3");
        watch.done();
        assert_eq!(*last.0.lock().unwrap(), (1, 45, "1,234,345 steps, gap 0.0e0".to_owned()));
    }
}
