//! The classifier as tensors and a document, and back.

use ndarray::{Array1, Array2};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::gram::Resolved;
use super::model::{FitReport, Svc};
use super::params::SvcError;
use crate::data::{Features, Tensor, TensorFile, TensorFileError};
use crate::kernels::bytes;
use crate::learn::input::first_not_finite;

impl Svc {
    /// The model as tensors and a document.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "svc",
            "resolved": self.resolved,
            "classes": self.classes,
            "n_support": self.n_support,
            "break_ties": self.break_ties,
            "sigmoids": self.sigmoids,
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
        let resolved: Resolved = part(&mut file, "resolved")?;
        let classes: Vec<usize> = part(&mut file, "classes")?;
        let n_support: Vec<usize> = part(&mut file, "n_support")?;
        let break_ties = part(&mut file, "break_ties")?;
        let sigmoids = part(&mut file, "sigmoids")?;
        let report: Option<FitReport> = part(&mut file, "report")?;
        let is_bytes = file
            .tensors()
            .any(|(name, tensor)| name == "support" && matches!(tensor, Tensor::U8(_)));
        let support = if is_bytes {
            Features::Bytes(file.take_u8("support")?)
        } else {
            Features::Floats(file.take_f32("support")?)
        };
        let dual_coef: Array2<f64> = file.take_f64("dual_coef")?;
        let bias: Array1<f64> = file.take_f64("bias")?;
        let support_idx: Array1<u32> = file.take_u32("support_idx")?;
        let mut svc = Svc::new(resolved, classes, support, n_support, dual_coef, bias.to_vec());
        svc.break_ties = break_ties;
        svc.sigmoids = sigmoids;
        svc.report = report;
        svc.support_idx = support_idx.iter().map(|&i| i as usize).collect();
        if !svc.fits_together() {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        Ok(svc)
    }

    /// Whether lengths agree and every number can be computed with; what was read from a file may
    /// predict only then.
    pub(super) fn fits_together(&self) -> bool {
        let n_classes = self.classes.len();
        let n_support = self.support.n_samples();
        let mut distinct = self.classes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        n_classes >= 2
            && distinct.len() == n_classes
            && self.bias.len() == n_classes * (n_classes - 1) / 2
            && self.dual_coef.dim() == (n_classes - 1, n_support)
            && self.support_idx.len() == if self.report.is_some() { n_support } else { 0 }
            && self.sigmoids.as_ref().is_none_or(|sigmoids| sigmoids.len() == self.bias.len())
            && self.n_support.len() == n_classes
            && self.n_support.iter().try_fold(0usize, |a, &n| a.checked_add(n)) == Some(n_support)
            && self.resolved.gamma > 0.0
            && self.resolved.gamma.is_finite()
            && self.bias.iter().chain(&self.dual_coef).all(|v| v.is_finite())
            && first_not_finite(&self.support).is_none()
            && !matches!(&self.support, Features::Bytes(rows) if rows.ncols() > bytes::MAX_FEATURES)
    }
}

fn malformed(what: &str) -> TensorFileError {
    TensorFileError::Malformed(what.to_owned())
}

fn part<T: DeserializeOwned>(file: &mut TensorFile, name: &str) -> Result<T, TensorFileError> {
    let value = file.document.get_mut(name).map(serde_json::Value::take).unwrap_or_default();
    serde_json::from_value(value).map_err(|_| malformed(&format!("`{name}` of the classifier")))
}
