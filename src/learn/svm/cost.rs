//! What a fit costs by arithmetic, before it is done.
//!
//! ```text
//! fit       = factor(kernel, C) row(d) n (1 + n / 51,000) / threads
//! predict   = n_test d prepare + n_test n_support value(d) / threads
//! n_support = 2.5 n^0.82     a linear kernel predicts without support vectors
//! ```
//!
//! `n` training rows of `d` features. The term in `n` is the rows that every working set meets once,
//! the term in `n^2` their kernel values with the others. The constants are CPU seconds of one
//! thread on Fashion-MNIST, 1,000 to 60,000 rows of 784 bytes and of 128 and 5,408 features of a
//! network, C = 1 and 10. Within a factor of 1.3 for RBF there; a linear kernel on features hangs on
//! how well they separate the classes, within a factor of 3. Forecasts scale by what was measured.

use super::params::{Engine, Kernel, SvcValidParams};
use crate::data::TableShape;
use crate::learn::NominalCost;

/// Share of all kernel values that a fit has in its cache at the end, if the cache holds them.
const CACHED_SHARE: f64 = 0.2;

impl SvcValidParams {
    /// Cost of a fit on rows of this shape and of predicting its test rows; none for engines other
    /// than ours, nor with probabilities, whose folds were not measured.
    pub(super) fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        if self.engine != Engine::Native || self.probability {
            return None;
        }
        let (n, n_test) = (shape.n_train as f64, shape.n_test as f64);
        let (d, is_bytes) = (shape.n_features as f64, shape.is_bytes);
        let is_linear = self.kernel == Kernel::Linear;
        let n_threads = n_threads.clamp(1, shape.n_classes.max(2)) as f64;

        let (row, value) = match is_bytes {
            true => (4e-7 + 4.4e-8 * d, 1e-9 + 2.2e-12 * d),
            false => (4e-7 + 7.5e-8 * d, 1e-9 + 1.1e-11 * d),
        };
        let factor = match (is_linear, is_bytes) {
            (false, _) => 1.0,
            (true, true) => 1.05 * self.c.powf(0.2),
            // The more features, the better they separate the classes, the sooner a fit ends.
            (true, false) => 1.0 + (2.0 * self.c.powf(0.8) - 1.0).max(0.0) * (128.0 / d).min(1.0),
        };
        let fit = factor * row * n * (1.0 + n / 51_000.0) / n_threads;
        let n_support = if is_linear { 0.0 } else { 2.5 * n.powf(0.82) };
        let predict = n_test * d * 1e-8 + n_test * n_support * value / n_threads;

        let cache = self.cache_bytes();
        let cached = if is_linear { 0 } else { (CACHED_SHARE * 4.0 * n * n) as u64 };
        let rows = shape.n_train as u64 * shape.n_features as u64;
        let packed = if is_bytes { rows } else { 4 * rows };
        Some(NominalCost { seconds: fit + predict, peak_bytes: 2 * packed + cache.min(cached) })
    }
}
