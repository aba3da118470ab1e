//! What a fit costs by arithmetic, before it is done.
//!
//! ```text
//! kernel values   ~ n^p C^q              p below 2: the share of support vectors falls with n
//! fit seconds     = values (a + b d) / threads
//! predict seconds = n_test n_support (a + b d) / threads      n_support ~ n^0.85
//! ```
//!
//! `n` training rows of `d` features; a byte and a real number differ in `b`, kernels in all. The
//! constants are least squares over CPU seconds of fits of Fashion-MNIST at 1,000 to 60,000 rows
//! (`pipeline bench svm --threads 1`); other data differ, so a forecast scales them by what was
//! measured there.

use super::params::{Engine, Kernel, SvcValidParams};
use crate::data::TableShape;
use crate::learn::NominalCost;

impl SvcValidParams {
    /// Cost of a fit on rows of this shape and of predicting its test rows; none for engines other
    /// than ours, nor with probabilities, whose folds were not measured.
    pub(super) fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        if self.engine != Engine::Native || self.probability {
            return None;
        }
        let (n, n_test) = (shape.n_train as f64, shape.n_test as f64);
        let per_value = if shape.is_bytes {
            1.2e-9 + 3.4e-12 * shape.n_features as f64
        } else {
            1.2e-9 + 1.6e-11 * shape.n_features as f64
        };
        let (p, q) = match self.kernel {
            Kernel::Linear => (1.9, 0.3),
            _ => (1.8, 0.1),
        };
        let n_values = 12.0 * n.powf(p) * self.c.powf(q);
        let n_support = 2.2 * n.powf(0.85);
        let n_threads = n_threads.clamp(1, shape.n_classes.max(2)) as f64;
        let seconds = (n_values + n_test * n_support) * per_value / n_threads;

        let cache = self.cache_bytes();
        let all_values = match self.kernel {
            Kernel::Linear => 0,
            _ => 4 * shape.n_train as u64 * shape.n_train as u64,
        };
        let rows = shape.n_train as u64 * shape.n_features as u64;
        let packed = if shape.is_bytes { rows } else { 4 * rows };
        Some(NominalCost { seconds, peak_bytes: 2 * packed + cache.min(all_values) })
    }
}
