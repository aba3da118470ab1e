//! Trees on pixels: which of them the cuts read.

use std::any::Any;

use super::{Subject, over_channels};
use crate::data::{Picture, largest_of};
use crate::learn::Classifier;
use crate::learn::adaboost::AdaBoost;
use crate::learn::forest::Forest;
use crate::learn::gradient_boosting::GradientBoosting;
use crate::learn::tree::DecisionTree;
use crate::report::{Exhibit, Figure};

/// Importance of every feature of a tree or an ensemble of trees, `[n_features]`, summing to 1.
pub fn importances(classifier: &dyn Classifier) -> Option<Vec<f64>> {
    let any = classifier as &dyn Any;
    let of_tree =
        any.downcast_ref::<DecisionTree>().map(|tree| tree.feature_importances().to_vec());
    of_tree
        .or_else(|| Some(any.downcast_ref::<Forest>()?.feature_importances().to_vec()))
        .or_else(|| Some(any.downcast_ref::<GradientBoosting>()?.feature_importances().to_vec()))
        .or_else(|| Some(any.downcast_ref::<AdaBoost>()?.feature_importances()?.to_vec()))
}

pub(super) fn exhibit(subject: &Subject<'_>) -> Option<Exhibit> {
    // Importances of features that are no pixels have no place in the image.
    if !subject.model.chain.links.is_empty() {
        return None;
    }
    let shares = importances(subject.classifier()?)?;
    if shares.len() != subject.shape().n_pixels() {
        return None;
    }
    let n_used = shares.iter().filter(|share| **share > 0.0).count();
    let values = over_channels(&shares, subject.shape());
    let largest = largest_of(values.view());
    let figures = vec![
        Figure::new(
            "over this image",
            Picture::Heat { values: values.clone(), over: subject.over(), largest },
        ),
        Figure::new("alone", Picture::Heat { values, over: None, largest }),
    ];
    let note = format!(
        "How much the cuts at every pixel separate the classes, summed over all trees ({n_used} of \
         {} pixel values are read at all). It holds for every image, not for this one alone.",
        shares.len()
    );
    Some(Exhibit::new("importance", "Which pixels the trees read", note, figures))
}
