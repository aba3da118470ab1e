//! The clusters, the classes they stand for, storage.

use linfa::ParamGuard;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::linfa_engine;
use super::lloyd::{Centers, Clustering, Data, run, two_nearest};
use super::params::{Engine, KMeansParams, KMeansValidParams};
use super::seeding;
use crate::data::{Features, Labels, Rng, TensorFile, TensorFileError};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::{check_rows, check_samples};
use crate::learn::rows::Rows;
use crate::learn::{Classifier, LearnError, Meaning, ParamError, Samples, Scores};
use crate::metrics::{adjusted_rand_index, purity};
use crate::progress::{Part, Progress};

/// Rows predicted between two looks at [`Progress::interrupted`].
const CHUNK: usize = 512;

/// What was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KMeansReport {
    /// Parameters.
    pub params: KMeansValidParams,
    /// Sum of weighted squared distances of the training rows to their centres.
    pub inertia: f64,
    /// Iterations of the start that was kept; linfa does not tell.
    pub n_iter: Option<usize>,
    /// Whether its centres came to rest; linfa does not tell.
    pub converged: Option<bool>,
    /// Share of training rows of their cluster's most frequent class.
    pub purity: f64,
    /// Agreement of clusters and classes of the training rows.
    pub adjusted_rand_index: f64,
    /// Training rows of each cluster.
    pub cluster_sizes: Vec<u64>,
    /// The class that each cluster stands for; none for one without rows that count.
    pub cluster_classes: Vec<Option<usize>>,
    /// One more than the largest label.
    pub n_labels: usize,
}

/// Fitted clusters.
pub struct KMeans {
    /// Real, `[n_clusters, n_features]`.
    centers: Array2<f64>,
    report: KMeansReport,
}

impl std::fmt::Debug for KMeans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KMeans").field("report", &self.report).finish_non_exhaustive()
    }
}

impl KMeansValidParams {
    /// Clusters the samples and names each cluster by the class that weighs most in it, the smallest
    /// of equals.
    ///
    /// # Errors
    /// Samples that cannot be fitted, fewer samples that count than clusters, or an interruption.
    /// # Cost
    /// `n_samples * n_clusters * n_features` for the first iterations, ever less for later ones;
    /// k-means++ as much as `2 + ln n_clusters` iterations.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<KMeans, LearnError> {
        let checked = check_samples(&samples, 1)?;
        let features = checked.features.as_ref();
        let counts = |row: usize| samples.weights.is_none_or(|weights| weights[row] > 0.0);
        let n_counting = (0..samples.labels.len()).filter(|&row| counts(row)).count();
        if self.n_clusters > n_counting {
            let expected = format!("at most the {n_counting} training samples that count");
            return Err(ParamError::new("n_clusters", expected, self.n_clusters).into());
        }
        if self.engine == Engine::Linfa {
            linfa_engine::check_size(features)?;
            if samples.weights.is_some() {
                return Err(LearnError::Linfa("it has no weights of samples".to_owned()));
            }
        }
        let data = Data::new(features, samples.weights);
        let mut best: Option<Clustering> = None;
        for nth in 0..self.n_init {
            let part = Part::new(progress, nth, nth + 1, self.n_init);
            let mut rng = Rng::new(seed, &["kmeans", &nth.to_string()]);
            let start = seeding::draw(self.init, self.n_clusters, &data, &mut rng, &part)?;
            let found = match self.engine {
                Engine::Native => run(&data, start, self.max_iter, self.tol, &part)?,
                Engine::Linfa => {
                    let tol = self.tol * data.variance;
                    let centers = linfa_engine::run(features, &start, self.max_iter, tol, &part)?;
                    // One assignment to what linfa found.
                    Clustering { centers: centers.clone(), ..run(&data, centers, 1, 0.0, &part)? }
                }
            };
            if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
                best = Some(found);
            }
        }
        let Some(best) = best else { return Err(LearnError::Interrupted) };
        Ok(self.name(best, samples, &data, checked.n_classes))
    }

    /// Names the clusters and judges them.
    fn name(&self, found: Clustering, samples: Samples, data: &Data, n_labels: usize) -> KMeans {
        let clusters: Vec<usize> = found.clusters.iter().map(|&c| c as usize).collect();
        let labels = samples.labels.to_vec();
        let mut votes = Array2::<f64>::zeros((self.n_clusters, n_labels));
        let mut cluster_sizes = vec![0; self.n_clusters];
        for (row, (&cluster, &label)) in clusters.iter().zip(&labels).enumerate() {
            votes[[cluster, label]] += data.weight(row);
            cluster_sizes[cluster] += 1;
        }
        let class_of = |votes: ndarray::ArrayView1<f64>| {
            let best = votes.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
            best.filter(|(_, vote)| **vote > 0.0).map(|(class, _)| class)
        };
        let scale = data.scale();
        let report = KMeansReport {
            params: self.clone(),
            inertia: found.inertia * scale * scale,
            n_iter: (self.engine == Engine::Native).then_some(found.n_iter),
            converged: (self.engine == Engine::Native).then_some(found.converged),
            purity: purity(&labels, &clusters).unwrap_or(0.0),
            adjusted_rand_index: adjusted_rand_index(&labels, &clusters).unwrap_or(0.0),
            cluster_sizes,
            cluster_classes: votes.rows().into_iter().map(class_of).collect(),
            n_labels,
        };
        KMeans { centers: found.centers * scale, report }
    }
}

impl KMeans {
    /// Centres in real units (a byte counts as itself / 255), `[n_clusters, n_features]`.
    pub fn centers(&self) -> &Array2<f64> {
        &self.centers
    }

    /// What was fitted.
    pub fn report(&self) -> &KMeansReport {
        &self.report
    }

    /// The nearest cluster of each row, the first of equals.
    ///
    /// # Errors
    /// Rows unlike those of the fit, or an interruption.
    pub fn predict_clusters(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array1<usize>, LearnError> {
        let nearest = self.map_distances(features, progress, |distances, out| {
            out.push(two_nearest(distances).0);
        })?;
        Ok(nearest.into())
    }

    /// Calls `take` with the squared distances of each row to all centres, as stored.
    fn map_distances<T: Send>(
        &self,
        features: &Features,
        progress: &dyn Progress,
        take: impl Fn(&[f64], &mut Vec<T>) + Sync,
    ) -> Result<Vec<T>, LearnError> {
        let features = check_rows(features, self.centers.ncols())?;
        let rows = Rows::new(&features);
        let centers = Centers::new(&(&self.centers / rows.scale()));
        let n_rows = features.n_samples();
        let chunk = |start: usize| -> Result<Vec<T>, LearnError> {
            if progress.interrupted() {
                return Err(LearnError::Interrupted);
            }
            let which: Vec<usize> = (start..(start + CHUNK).min(n_rows)).collect();
            let mut distances = Vec::new();
            centers.distances(&rows, &which, &mut distances);
            let mut out = Vec::new();
            for distances in distances.chunks_exact(self.centers.nrows()) {
                take(distances, &mut out);
            }
            Ok(out)
        };
        let starts: Vec<usize> = (0..n_rows).step_by(CHUNK).collect();
        let parts: Result<Vec<Vec<T>>, LearnError> = starts.into_par_iter().map(chunk).collect();
        Ok(parts?.into_iter().flatten().collect())
    }

    /// Minus the squared distance to the nearest cluster of each class, as stored.
    fn by_class(&self, distances: &[f64], out: &mut Vec<f64>) {
        let start = out.len();
        out.resize(start + self.report.n_labels, f64::NEG_INFINITY);
        for (&distance, class) in distances.iter().zip(&self.report.cluster_classes) {
            if let Some(class) = *class {
                out[start + class] = out[start + class].max(-distance);
            }
        }
    }

    /// The model of stored tensors.
    ///
    /// # Errors   if a part is missing or parts do not fit together
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let report: KMeansReport = serde_json::from_value(file.document["report"].take())
            .map_err(|_| malformed("report of the clusters"))?;
        KMeansParams::from(report.params.clone()).check()?;
        let centers: Array2<f64> = file.take_f64("centers")?;
        let classes = || report.cluster_classes.iter().flatten();
        let fits = centers.nrows() == report.params.n_clusters
            && centers.ncols() > 0
            && report.cluster_classes.len() == centers.nrows()
            && report.cluster_sizes.len() == centers.nrows()
            && classes().count() > 0
            && report.n_labels <= 1 << 24
            && classes().all(|&class| class < report.n_labels)
            && centers.iter().all(|v| v.is_finite());
        if !fits {
            return Err(malformed("parts of the clusters do not fit together").into());
        }
        Ok(KMeans { centers, report })
    }
}

impl Classifier for KMeans {
    /// The class of the nearest cluster that has one.
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        let labels = self.map_distances(features, progress, |distances, out| {
            let mut best = (f64::INFINITY, 0);
            for (&distance, class) in distances.iter().zip(&self.report.cluster_classes) {
                if let Some(class) = *class
                    && distance < best.0
                {
                    best = (distance, class);
                }
            }
            out.push(best.1);
        })?;
        Ok(labels.into())
    }

    /// Decisions: minus the distance to the nearest cluster of the class.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let scale = match features {
            Features::Bytes(_) => 1.0 / 255.0,
            Features::Floats(_) => 1.0,
        };
        let values = self.map_distances(features, progress, |distances, out| {
            let start = out.len();
            self.by_class(distances, out);
            out[start..].iter_mut().for_each(|v: &mut f64| *v = -(-*v).sqrt() * scale);
        })?;
        let shape = (features.n_samples(), self.report.n_labels);
        let values = Array2::from_shape_vec(shape, values)
            .map_err(|error| TensorFileError::Malformed(error.to_string()))?;
        Ok(Scores { values, meaning: Meaning::Decision })
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({ "type": "kmeans", "report": self.report }));
        file.insert_f64("centers", self.centers.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        let report = &self.report;
        let details = json!({
            "n_clusters": report.params.n_clusters,
            "engine": report.params.engine,
            "inertia": report.inertia,
            "n_iter": report.n_iter,
            "converged": report.converged,
            "purity": report.purity,
            "adjusted_rand_index": report.adjusted_rand_index,
            "cluster_sizes": report.cluster_sizes,
            "cluster_classes": report.cluster_classes,
        });
        details.as_object().cloned().unwrap_or_default()
    }

    fn warning(&self) -> Option<String> {
        let report = &self.report;
        let n_empty = report.cluster_classes.iter().filter(|class| class.is_none()).count();
        if report.converged == Some(false) {
            return Some(format!(
                "k-means did not come to rest in {} iterations",
                report.params.max_iter
            ));
        }
        (n_empty > 0).then(|| {
            format!("{n_empty} of {} clusters have no rows that count", report.params.n_clusters)
        })
    }
}

linfa_traits!(KMeansValidParams, KMeans);
