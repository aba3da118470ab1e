//! The fitted classifier: prediction, report, storage.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use linfa::traits::{Predict, PredictInplace};
use ndarray::{Array1, Array2, ArrayView1};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::block::Block;
use super::gram::{Panel, Resolved, first_not_finite, normalised};
use super::params::{Engine, Kernel, SvcError};
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::kernels::{Cpu, bytes, smo};
use crate::progress::{Progress, Silent};

/// Samples predicted together, for which the support vectors are read once; fixed, so that results
/// never depend on the threads.
const CHUNK: usize = 480;

/// What a fit cost and how good its solution is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// One entry per pair, in LIBSVM's order.
    pub pairs: Vec<PairReport>,
    /// Sum of the dual objectives (minimised).
    pub objective: f64,
    /// Largest `m - M` of a pair, measured on the solution; 0 if it is exact.
    pub max_kkt_gap: f64,
    /// Steps of all pairs; none from the linfa engine, which does not tell them.
    pub n_iterations: Option<u64>,
    /// Distinct support vectors.
    pub n_support: usize,
    /// The same by class.
    pub n_support_per_class: Vec<usize>,
    /// Kernel values computed; varies with the timing of threads, so it is not stored.
    #[serde(skip)]
    pub kernel_evaluations: u64,
    /// Fraction of block requests that were in the cache; varies likewise, not stored.
    #[serde(skip)]
    pub cache_hit_rate: f64,
    /// True if every pair reached its tolerance, as measured on the solution.
    pub converged: bool,
    /// Gamma as a number.
    pub gamma: f64,
    /// Penalty.
    pub c: f64,
    /// Implementation that solved the pairs.
    pub engine: Engine,
}

/// Outcome of one pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairReport {
    /// The two classes.
    pub classes: [usize; 2],
    /// Dual objective.
    pub objective: f64,
    /// `m - M` at the end.
    pub kkt_gap: f64,
    /// SMO steps; none from the linfa engine.
    pub n_iterations: Option<u64>,
    /// Whether the gap reached the tolerance.
    pub converged: bool,
}

/// A fitted support vector classifier.
pub struct Svc {
    resolved: Resolved,
    classes: Vec<usize>,
    support: Features,
    support_idx: Vec<usize>,
    dual_coef: Array2<f64>,
    bias: Vec<f64>,
    report: FitReport,
    /// Support vectors by class, packed at the first prediction.
    panels: OnceLock<Vec<Panel>>,
}

impl Svc {
    pub(super) fn new(
        resolved: Resolved,
        classes: Vec<usize>,
        support: Features,
        support_idx: Vec<usize>,
        dual_coef: Array2<f64>,
        bias: Vec<f64>,
        report: FitReport,
    ) -> Self {
        let panels = OnceLock::new();
        Svc { resolved, classes, support, support_idx, dual_coef, bias, report, panels }
    }

    /// What the fit cost and how good the solution is.
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// Kernel function.
    pub fn kernel(&self) -> Kernel {
        self.resolved.kernel
    }

    /// Classes that occurred, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Training rows of the support vectors, by class.
    pub fn support_idx(&self) -> &[usize] {
        &self.support_idx
    }

    /// Signed multipliers `[n_classes - 1, n_support]`, laid out as scikit-learn's `dual_coef_`.
    pub fn dual_coef(&self) -> &Array2<f64> {
        &self.dual_coef
    }

    /// Constant of each pair's decision; minus LIBSVM's `rho`.
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }

    /// Decision of each pair `[n_samples, n_pairs]`, pairs as 01, 02, …, 12, …; positive means the
    /// first class.
    ///
    /// # Errors
    /// Samples of another type or number of features than those of the fit, or not finite.
    pub fn pairwise_decision(&self, features: &Features) -> Result<Array2<f32>, SvcError> {
        self.pairwise_decision_with(features, &Silent)
    }

    /// As [`Svc::pairwise_decision`], with progress in samples.
    ///
    /// # Errors
    /// As there, or [`SvcError::Interrupted`].
    pub fn pairwise_decision_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, SvcError> {
        let features = normalised(features);
        self.check(&features)?;
        let panels = self.panels(progress)?;
        let n_samples = features.n_samples();
        let n_done = AtomicU64::new(0);
        let chunks: Vec<Vec<f32>> = (0..n_samples.div_ceil(CHUNK))
            .into_par_iter()
            .with_max_len(1)
            .map_init(Block::default, |block, chunk| {
                let end = ((chunk + 1) * CHUNK).min(n_samples);
                let queries: Vec<usize> = (chunk * CHUNK..end).collect();
                let decided = self.decide(&features, &queries, panels, block, progress)?;
                let done = n_done.fetch_add(queries.len() as u64, Ordering::Relaxed);
                progress.update(done + queries.len() as u64, n_samples as u64, "predicting");
                Ok(decided)
            })
            .collect::<Result<_, SvcError>>()?;
        let n_pairs = self.bias.len();
        let mut decisions = Array2::zeros((n_samples, n_pairs));
        let lines = chunks.iter().flat_map(|chunk| chunk.chunks_exact(n_pairs));
        for (mut row, line) in decisions.rows_mut().into_iter().zip(lines) {
            row.assign(&ArrayView1::from(line));
        }
        Ok(decisions)
    }

    fn check(&self, features: &Features) -> Result<(), SvcError> {
        let type_of = |features: &Features| match features {
            Features::Bytes(_) => "bytes",
            Features::Floats(_) => "real numbers",
        };
        let (found, expected) = (features.n_features(), self.support.n_features());
        if found != expected {
            return Err(SvcError::FeatureMismatch { found, expected });
        }
        let (found, expected) = (type_of(features), type_of(&self.support));
        if found != expected {
            return Err(SvcError::TypeMismatch { found, expected });
        }
        match first_not_finite(features) {
            Some((row, column, found)) => Err(SvcError::NotFinite { row, column, found }),
            None => Ok(()),
        }
    }

    fn panels(&self, progress: &dyn Progress) -> Result<&[Panel], SvcError> {
        if let Some(panels) = self.panels.get() {
            return Ok(panels);
        }
        let mut start = 0;
        let mut rows_of = Vec::new();
        for &n in &self.report.n_support_per_class {
            rows_of.push((start..start + n).collect::<Vec<_>>());
            start += n;
        }
        let packed = rows_of
            .par_iter()
            .map(|rows| Panel::pack(&self.support, rows, progress))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.panels.get_or_init(|| packed))
    }

    /// Decisions `[query, pair]`.
    fn decide(
        &self,
        features: &Features,
        queries: &[usize],
        panels: &[Panel],
        block: &mut Block,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, SvcError> {
        let cpu = Cpu::detect();
        let n_classes = self.classes.len();
        let n_support = self.report.n_support;
        let coefficients = self.dual_coef.as_slice().unwrap_or(&[]);
        let mut sums: Vec<f64> = self.bias.repeat(queries.len());
        let mut start = 0;
        for (class, panel) in panels.iter().enumerate() {
            block.compute(&self.resolved, features, queries, panel, progress)?;
            for (query, sums) in sums.chunks_exact_mut(self.bias.len()).enumerate() {
                for other in (0..n_classes).filter(|&other| other != class) {
                    let (first, second) = (class.min(other), class.max(other));
                    let pair = first * (2 * n_classes - first - 1) / 2 + second - first - 1;
                    let line = if other > class { other - 1 } else { other };
                    let mut coefficients = &coefficients[line * n_support + start..][..panel.len()];
                    for piece in block.pieces(query) {
                        sums[pair] += smo::expansion(cpu, &coefficients[..piece.len()], piece);
                        coefficients = &coefficients[piece.len()..];
                    }
                }
            }
            start += panel.len();
        }
        Ok(sums.into_iter().map(|sum| sum as f32).collect())
    }

    /// Votes and summed decisions of one sample, `[n_classes]` each.
    fn vote(&self, decisions: &[f32]) -> (Vec<u32>, Vec<f64>) {
        let n_classes = self.classes.len();
        let (mut votes, mut confidence) = (vec![0; n_classes], vec![0.0; n_classes]);
        let mut pair = 0;
        for first in 0..n_classes {
            for second in first + 1..n_classes {
                let decision = decisions[pair];
                votes[if decision > 0.0 { first } else { second }] += 1;
                confidence[first] += f64::from(decision);
                confidence[second] -= f64::from(decision);
                pair += 1;
            }
        }
        (votes, confidence)
    }

    /// One-vs-rest shaped scores `[n_samples, n_classes]` as scikit-learn's: votes plus the summed
    /// decisions squashed into (-1/3, 1/3).
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision`].
    pub fn decision_function(&self, features: &Features) -> Result<Array2<f32>, SvcError> {
        let decisions = self.pairwise_decision(features)?;
        let mut scores = Array2::zeros((decisions.nrows(), self.classes.len()));
        for (decisions, mut scores) in decisions.rows().into_iter().zip(scores.rows_mut()) {
            let (votes, confidence) = self.vote(&decisions.to_vec());
            for (class, score) in scores.iter_mut().enumerate() {
                let squashed = confidence[class] / (3.0 * (confidence[class].abs() + 1.0));
                *score = (f64::from(votes[class]) + squashed) as f32;
            }
        }
        Ok(scores)
    }

    /// The class with most votes of each sample, the first of equals.
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision`].
    pub fn predict_labels(&self, features: &Features) -> Result<Labels, SvcError> {
        self.predict_labels_with(features, &Silent)
    }

    /// As [`Svc::predict_labels`], with progress in samples.
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision_with`].
    pub fn predict_labels_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Labels, SvcError> {
        let decisions = self.pairwise_decision_with(features, progress)?;
        let winner = |decisions: ArrayView1<f32>| {
            let (votes, _) = self.vote(&decisions.to_vec());
            let most = votes.iter().max().copied().unwrap_or(0);
            self.classes[votes.iter().position(|&n| n == most).unwrap_or(0)]
        };
        Ok(decisions.rows().into_iter().map(winner).collect())
    }

    /// The model as tensors and a document.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "svc",
            "resolved": self.resolved,
            "classes": self.classes,
            "report": self.report,
        }));
        match &self.support {
            Features::Bytes(rows) => file.insert_u8("support", rows.view()),
            Features::Floats(rows) => file.insert_f32("support", rows.view()),
        }
        file.insert_f64("dual_coef", self.dual_coef.view());
        file.insert_f64("bias", Array1::from(self.bias.clone()));
        file.insert_u32(
            "support_idx",
            self.support_idx.iter().map(|&i| i as u32).collect::<Array1<_>>(),
        );
        file
    }

    /// The model that [`Svc::to_tensors`] stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, SvcError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let read = |name: &str| file.document.get(name).cloned().unwrap_or_default();
        let resolved: Resolved = serde_json::from_value(read("resolved"))
            .map_err(|_| malformed("kernel of the classifier"))?;
        let classes: Vec<usize> = serde_json::from_value(read("classes"))
            .map_err(|_| malformed("classes of the classifier"))?;
        let report: FitReport = serde_json::from_value(read("report"))
            .map_err(|_| malformed("report of the classifier"))?;
        let is_bytes = file.tensors().any(|(name, tensor)| {
            name == "support" && matches!(tensor, crate::data::Tensor::U8(_))
        });
        let support = if is_bytes {
            Features::Bytes(file.take_u8("support")?)
        } else {
            Features::Floats(file.take_f32("support")?)
        };
        let dual_coef: Array2<f64> = file.take_f64("dual_coef")?;
        let bias: Array1<f64> = file.take_f64("bias")?;
        let support_idx: Array1<u32> = file.take_u32("support_idx")?;
        let n_classes = classes.len();
        let n_support = report.n_support;
        let fits = n_classes >= 2
            && bias.len() == n_classes * (n_classes - 1) / 2
            && dual_coef.dim() == (n_classes - 1, n_support)
            && support.n_samples() == n_support
            && support_idx.len() == n_support
            && report.n_support_per_class.len() == n_classes
            && report.n_support_per_class.iter().try_fold(0usize, |a, &n| a.checked_add(n))
                == Some(n_support);
        let fits = fits
            && classes.is_sorted_by(|a, b| a < b)
            && resolved.gamma > 0.0
            && resolved.gamma.is_finite()
            && bias.iter().chain(&dual_coef).all(|v| v.is_finite())
            && first_not_finite(&support).is_none()
            && !matches!(&support, Features::Bytes(rows) if rows.ncols() > bytes::MAX_FEATURES);
        if !fits {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        let support_idx = support_idx.iter().map(|&i| i as usize).collect();
        Ok(Svc::new(resolved, classes, support, support_idx, dual_coef, bias.to_vec(), report))
    }
}

impl PredictInplace<Features, Labels> for Svc {
    /// # Panics
    /// Where [`Svc::predict_labels`] gives an error: linfa's trait has no way to tell it.
    fn predict_inplace<'a>(&'a self, x: &'a Features, y: &mut Labels) {
        match self.predict_labels(x) {
            Ok(labels) => *y = labels,
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, x: &Features) -> Labels {
        Labels::zeros(x.n_samples())
    }
}

impl Predict<&Features, Labels> for Svc {
    fn predict(&self, x: &Features) -> Labels {
        let mut labels = self.default_target(x);
        self.predict_inplace(x, &mut labels);
        labels
    }
}
