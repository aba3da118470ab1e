//! The fitted classifier: its training rows, the search among them, the vote, storage.

use std::borrow::Cow;
use std::sync::OnceLock;

use ndarray::{Array1, Array2};
use serde_json::{Map, Value, json};

use super::index::{self, Index};
use super::linfa_engine;
use super::params::{Engine, KnnParams, KnnValidParams, Weights};
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::kernels::Cpu;
use crate::learn::classifier::linfa_traits;
use crate::learn::input::{check_rows, check_samples};
use crate::learn::{Classifier, InputError, LearnError, Meaning, ParamError, Samples, Scores};
use crate::progress::{Part, Progress};

/// Queries whose neighbours are in memory at a time while classes are predicted.
const CHUNK: usize = 16_384;

/// The nearest rows of several queries, nearest first; of equal distances the smaller row first.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbors {
    /// `[n_queries, n_neighbors]`, ascending, in units where a byte counts as itself / 255.
    pub distances: Array2<f64>,
    /// Rows of the fit, `[n_queries, n_neighbors]`.
    pub idx: Array2<usize>,
}

impl Neighbors {
    /// # Panics   if a row has other than `k` entries
    pub(super) fn from_rows(rows: &[Vec<(f64, usize)>], k: usize) -> Self {
        assert!(rows.iter().all(|row| row.len() == k), "k neighbours each");
        let at = |(query, nth): (usize, usize)| rows[query][nth];
        Neighbors {
            distances: Array2::from_shape_fn((rows.len(), k), |at_| at(at_).0),
            idx: Array2::from_shape_fn((rows.len(), k), |at_| at(at_).1),
        }
    }
}

/// A fitted classifier: the training rows.
pub struct Knn {
    params: KnnValidParams,
    /// Row-major.
    rows: Features,
    labels: Array1<u32>,
    n_labels: usize,
    /// Of `rows` as they are.
    index: OnceLock<Index>,
    /// Real values of byte rows, for queries that are real numbers.
    reals: OnceLock<(Features, Index)>,
}

impl std::fmt::Debug for Knn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knn").field("params", &self.params).finish_non_exhaustive()
    }
}

/// As real numbers: a byte is itself / 255.
fn reals(features: &Features) -> Cow<'_, Features> {
    match features {
        Features::Bytes(rows) => Cow::Owned(Features::Floats(rows.mapv(|v| f32::from(v) / 255.0))),
        Features::Floats(_) => Cow::Borrowed(features),
    }
}

impl KnnValidParams {
    /// Keeps the samples and packs them for the search.
    ///
    /// # Errors
    /// Samples that cannot be fitted, weights, fewer samples than neighbours, or more than the
    /// engine holds.
    /// # Cost   a copy or two of the rows
    pub fn fit_model(
        &self,
        samples: Samples,
        _seed: u64,
        _progress: &dyn Progress,
    ) -> Result<Knn, LearnError> {
        if samples.weights.is_some() {
            return Err(InputError::NoWeights { learner: "knn" }.into());
        }
        let checked = check_samples(&samples, 1)?;
        let n_samples = samples.labels.len();
        check_k(self.n_neighbors, n_samples)?;
        linfa_engine::check_size(self.engine, n_samples)?;
        let labels = samples.labels.iter().map(|&label| label as u32).collect();
        let model = Knn::new(*self, checked.features.into_owned(), labels, checked.n_classes);
        if self.engine == Engine::Native {
            model.pack();
        }
        Ok(model)
    }
}

fn check_k(n_neighbors: usize, n_samples: usize) -> Result<(), ParamError> {
    if n_neighbors == 0 || n_neighbors > n_samples {
        let expected = format!("from 1 to the {n_samples} training samples");
        return Err(ParamError::new("n_neighbors", expected, n_neighbors));
    }
    Ok(())
}

impl Knn {
    /// Rows without classes, for [`Knn::kneighbors`] alone.
    ///
    /// # Errors
    /// No rows, or some that are not finite.
    pub fn of_rows(
        rows: &Features,
        metric: super::Metric,
        progress: &dyn Progress,
    ) -> Result<Knn, LearnError> {
        let params = KnnParams::new().n_neighbors(1).metric(metric);
        let labels = Labels::zeros(rows.n_samples());
        let samples = Samples { features: rows, labels: &labels, weights: None };
        linfa::ParamGuard::check(params)?.fit_model(samples, 0, progress)
    }

    fn new(params: KnnValidParams, rows: Features, labels: Array1<u32>, n_labels: usize) -> Self {
        let (index, reals) = (OnceLock::new(), OnceLock::new());
        Knn { params, rows, labels, n_labels, index, reals }
    }

    /// Whether the rows are searched as they are: as floats, or as bytes that exact integers can hold.
    fn keeps_bytes(&self) -> bool {
        let is_bytes = matches!(self.rows, Features::Bytes(_));
        !is_bytes || index::takes_bytes(self.params.metric, self.rows.n_features())
    }

    /// Packs the rows for the search now, not at the first one.
    pub fn pack(&self) {
        if self.keeps_bytes() {
            self.index();
        }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(Cpu::detect(), self.params.metric, &self.rows))
    }

    /// Rows and index for queries of a type.
    fn rows_for(&self, queries: &Features) -> (&Features, &Index) {
        let as_they_are = match (&self.rows, queries) {
            (Features::Floats(_), _) => true,
            (Features::Bytes(_), Features::Bytes(_)) => self.keeps_bytes(),
            (Features::Bytes(_), Features::Floats(_)) => false,
        };
        if as_they_are {
            return (&self.rows, self.index());
        }
        let (rows, index) = self.reals.get_or_init(|| {
            let rows = reals(&self.rows).into_owned();
            let index = Index::new(Cpu::detect(), self.params.metric, &rows);
            (rows, index)
        });
        (rows, index)
    }

    /// Parameters of the fit.
    pub fn params(&self) -> &KnnValidParams {
        &self.params
    }

    /// Class of each training row, `[n_samples]`.
    pub fn labels(&self) -> &Array1<u32> {
        &self.labels
    }

    /// The `n_neighbors` training rows nearest to each query.
    ///
    /// Exact: rows of bytes are compared as whole numbers where queries are bytes too; all else as
    /// real numbers, by distances summed in `f64`. Of rows at equal distance the smaller comes
    /// first.
    ///
    /// # Errors
    /// Queries unlike the rows of the fit, `n_neighbors` of none or more than these, or an
    /// interruption.
    /// # Cost
    /// `n_queries * n_samples * n_features`, on all threads: 10,000 queries among 60,000 rows of 784
    /// bytes take 0.5 s (Euclidean), on [`crate::learn::REFERENCE_MACHINE`].
    pub fn kneighbors(
        &self,
        features: &Features,
        n_neighbors: usize,
        progress: &dyn Progress,
    ) -> Result<Neighbors, LearnError> {
        let queries = check_rows(features, self.rows.n_features())?;
        self.search(&queries, 0..queries.n_samples(), n_neighbors, progress)
    }

    /// As [`Knn::kneighbors`] of some of the queries, which are checked.
    fn search(
        &self,
        queries: &Features,
        which: std::ops::Range<usize>,
        k: usize,
        progress: &dyn Progress,
    ) -> Result<Neighbors, LearnError> {
        check_k(k, self.labels.len())?;
        if self.params.engine != Engine::Native {
            let KnnValidParams { engine, metric, .. } = self.params;
            let queries = queries.select(&which.collect::<Vec<_>>());
            return linfa_engine::search(engine, metric, &self.rows, &queries, k, progress);
        }
        let (rows, index) = self.rows_for(queries);
        let as_stored;
        let queries = match (rows, queries) {
            (Features::Floats(_), Features::Bytes(_)) => {
                as_stored = reals(queries);
                as_stored.as_ref()
            }
            _ => queries,
        };
        let found = index.search(rows, queries, which, k, progress)?;
        let read = |entry: super::top::Entry| (index.distance(entry), entry.1 as usize);
        let found: Vec<Vec<(f64, usize)>> =
            found.into_iter().map(|row| row.into_iter().map(read).collect()).collect();
        Ok(Neighbors::from_rows(&found, k))
    }

    /// Share of each class among the votes, `[n_queries, n_labels]`.
    pub(super) fn votes(&self, near: &Neighbors, k: usize, weights: Weights) -> Array2<f64> {
        let mut votes = Array2::zeros((near.idx.nrows(), self.n_labels));
        let neighbours = near.idx.rows().into_iter().zip(near.distances.rows());
        for (mut votes, (idx, distances)) in votes.rows_mut().into_iter().zip(neighbours) {
            let is_near = weights == Weights::Distance && distances[0] == 0.0;
            let mut total = 0.0;
            for (&row, &distance) in idx.iter().zip(distances).take(k) {
                let vote = match weights {
                    Weights::Uniform => 1.0,
                    Weights::Distance if is_near => f64::from(u8::from(distance == 0.0)),
                    Weights::Distance => 1.0 / distance,
                };
                votes[self.labels[row] as usize] += vote;
                total += vote;
            }
            votes.mapv_inplace(|vote| vote / total);
        }
        votes
    }

    /// Calls `take` with the votes for each chunk of queries.
    fn vote_all(
        &self,
        features: &Features,
        progress: &dyn Progress,
        mut take: impl FnMut(Array2<f64>),
    ) -> Result<(), LearnError> {
        let queries = check_rows(features, self.rows.n_features())?;
        let n_queries = queries.n_samples();
        let KnnValidParams { n_neighbors, weights, .. } = self.params;
        for start in (0..n_queries).step_by(CHUNK) {
            let end = (start + CHUNK).min(n_queries);
            let part = Part::new(progress, start, end, n_queries);
            let near = self.search(&queries, start..end, n_neighbors, &part)?;
            take(self.votes(&near, n_neighbors, weights));
        }
        Ok(())
    }

    /// The model of stored tensors.
    ///
    /// # Errors   if a part is missing or parts do not fit together
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let params: KnnValidParams = serde_json::from_value(file.document["params"].take())
            .map_err(|_| malformed("parameters of the classifier"))?;
        linfa::ParamGuard::check(KnnParams::from(params))?;
        let labels: Array1<u32> = file.take_u32("labels")?;
        let rows = match file.take_u8("rows") {
            Ok(rows) => Features::Bytes(rows),
            Err(_) => Features::Floats(file.take_f32("rows")?),
        };
        let n_labels = labels.iter().max().map_or(0, |&label| label as usize + 1);
        let n_samples = rows.n_samples();
        let fits = n_samples == labels.len()
            && rows.n_features() > 0
            && n_labels <= n_samples.max(1 << 16)
            && check_k(params.n_neighbors, n_samples).is_ok()
            && check_rows(&rows, rows.n_features()).is_ok();
        if !fits {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        Ok(Knn::new(params, rows, labels, n_labels))
    }
}

/// The class with most votes, the first of equals.
pub(super) fn winners(votes: &Array2<f64>) -> impl Iterator<Item = usize> {
    votes.rows().into_iter().map(|votes| {
        let best = votes.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
        best.map_or(0, |(class, _)| class)
    })
}

impl Classifier for Knn {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        let mut labels = Vec::with_capacity(features.n_samples());
        self.vote_all(features, progress, |votes| labels.extend(winners(&votes)))?;
        Ok(labels.into())
    }

    /// Probabilities: the share of each class among the votes.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let mut all = Array2::zeros((features.n_samples(), self.n_labels));
        let mut start = 0;
        self.vote_all(features, progress, |votes| {
            let end = start + votes.nrows();
            all.slice_mut(ndarray::s![start..end, ..]).assign(&votes);
            start = end;
        })?;
        Ok(Scores { values: all, meaning: Meaning::Probability })
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({ "type": "knn", "params": self.params }));
        match &self.rows {
            Features::Bytes(rows) => file.insert_u8("rows", rows.view()),
            Features::Floats(rows) => file.insert_f32("rows", rows.view()),
        }
        file.insert_u32("labels", self.labels.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        let details = json!({
            "n_neighbors": self.params.n_neighbors,
            "metric": self.params.metric,
            "weights": self.params.weights,
            "engine": self.params.engine,
            "n_samples": self.labels.len(),
        });
        details.as_object().cloned().unwrap_or_default()
    }
}

linfa_traits!(KnnValidParams, Knn);
