//! Kernel support vector classifiers: the training images that speak loudest.

use std::any::Any;

use super::{Decision, ExplainError, Subject};
use crate::data::{Features, Picture};
use crate::learn::LearnError;
use crate::learn::svm::{Kernel, Svc};
use crate::progress::{Progress, Silent};
use crate::report::{Exhibit, Figure};

/// Shown on each side.
const N_SHOWN: usize = 6;

pub(super) fn exhibit(
    subject: &Subject<'_>,
    decision: &Decision,
    progress: &dyn Progress,
) -> Result<Option<Exhibit>, ExplainError> {
    let svc = subject.classifier().and_then(|head| (head as &dyn Any).downcast_ref::<Svc>());
    let Some((svc, other)) = svc.zip(decision.runner_up) else { return Ok(None) };
    if svc.kernel() == Kernel::Linear {
        return Ok(None);
    }
    let features = subject.model.chain.features(super::batch(subject.image), progress)?;
    let pair = (decision.class, other);
    let found = svc.contributions(&features, 0, pair).map_err(LearnError::from)?;
    let Some(found) = found else { return Ok(None) };
    let mut ranked = found.terms.clone();
    // A stable sort: of equals the smaller row comes first.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let for_it = ranked.iter().filter(|(_, term)| *term > 0.0).take(N_SHOWN);
    let against = ranked.iter().rev().filter(|(_, term)| *term < 0.0).take(N_SHOWN);
    let (winner, loser) = (subject.class_name(pair.0), subject.class_name(pair.1));
    let mut figures = Vec::new();
    for (&(support, term), side) in for_it.map(|t| (t, winner)).chain(against.map(|t| (t, loser))) {
        let Some(pixels) = image_of(subject, svc, support)? else { continue };
        let picture = Picture::Photo { pixels, shape: subject.shape() };
        figures.push(Figure::new(format!("{:.4} for {side}", term.abs()), picture));
    }
    let sum = |sign: f64| -> f64 {
        found.terms.iter().map(|(_, term)| term).filter(|term| **term * sign > 0.0).sum()
    };
    let unknown = match figures.is_empty() {
        true => " Which training images they are is not known here, so they are not shown.",
        false => "",
    };
    let note = format!(
        "{winner} against {loser} is decided by {} support vectors: coefficient times kernel adds \
         {:.3} for {winner} and {:.3} for {loser}, with the constant {:+.3} the decision is {:+.3}. \
         The ones that add most on each side are shown.{unknown}",
        found.terms.len(),
        sum(1.0),
        -sum(-1.0),
        found.bias,
        found.decision(),
    );
    let title = "The support vectors that speak loudest";
    Ok(Some(Exhibit::new("support_vectors", title, note, figures)))
}

/// The pixels of a support vector: its own row where the model reads pixels, else the training image
/// whose features it is.
fn image_of(
    subject: &Subject<'_>,
    svc: &Svc,
    support: usize,
) -> Result<Option<Vec<u8>>, ExplainError> {
    if let (Features::Bytes(rows), true) = (svc.support(), subject.model.chain.links.is_empty()) {
        return Ok(Some(rows.row(support).to_vec()));
    }
    let Some((data, &row)) = subject.data.zip(svc.support_idx().get(support)) else {
        return Ok(None);
    };
    if row >= data.train.len() {
        return Ok(None);
    }
    // The classifier may have been fitted on a part or a copy of the data: the features tell.
    let image = data.train.pixels.row(row);
    let features = subject.model.chain.features(super::batch(image), &Silent)?;
    let (found, expected) = (features.row_f32(0), svc.support().row_f32(support));
    let scale = expected.iter().fold(1e-6f32, |most, v| most.max(v.abs()));
    let is_same = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-4 * scale);
    Ok(is_same.then(|| image.to_vec()))
}
