//! What a search costs by arithmetic: every test row against every training row.

use super::params::{Engine, KnnValidParams, Metric};
use crate::data::TableShape;
use crate::learn::NominalCost;

impl KnnValidParams {
    /// Cost of packing the training rows and searching them for every test row; none of linfa's
    /// engines.
    pub(super) fn cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        if self.engine != Engine::Native {
            return None;
        }
        let (n, n_test, d) = (shape.n_train as f64, shape.n_test as f64, shape.n_features as f64);
        // Seconds of one thread a feature of a pair, and a pair.
        let (feature, pair) = match (self.metric, shape.is_bytes) {
            (Metric::Euclidean, true) => (2.0e-12, 1e-10),
            (Metric::Cosine, true) => (2.0e-12, 3e-10),
            (Metric::Manhattan, true) => (2.6e-12, 1e-10),
            (Metric::Manhattan, false) => (1.7e-11, 2e-10),
            (_, false) => (9e-12, 2e-10),
        };
        let seconds = n * n_test * (pair + feature * d) / n_threads.max(1) as f64;
        let packing = n * d * 2e-9;
        let n_bytes = shape.n_train as u64 * shape.n_features as u64;
        let peak_bytes = if shape.is_bytes { 2 * n_bytes } else { 8 * n_bytes };
        Some(NominalCost { seconds: seconds + packing, peak_bytes })
    }
}
