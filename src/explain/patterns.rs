//! What a model looks for in every image: weights of pixels, pixels that trees read, filters.

use ndarray::{Array2, Axis};

use super::linear::Linear;
use super::reach::{Reach, reach};
use super::{ExplainError, importances, over_channels};
use crate::model::{Head, Model};
use crate::progress::Progress;
use crate::report::PatternKind;

/// Most tiles of a pattern.
const N_TILES: usize = 32;
/// Most classes whose weights are given.
const N_CLASSES: usize = 10;

/// Tiles of one kind and size.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// What they are.
    pub kind: PatternKind,
    /// The class that each is of, if it is of one, and its values, `[height, width]`; channels are
    /// summed.
    pub tiles: Vec<(Option<usize>, Array2<f32>)>,
}

/// The pattern of a model; none where nothing has a place in the image.
///
/// # Errors
/// As the maps of the model's chain, or an interruption.
pub fn patterns(model: &Model, progress: &dyn Progress) -> Result<Option<Pattern>, ExplainError> {
    let shape = model.chain.input.shape;
    let classifier = match &model.head {
        Head::Classifier(classifier) => classifier.as_ref(),
        Head::Ensemble(_) => return Ok(None),
        Head::Network(network) => {
            let Some(layer) = network.convolutions().into_iter().next() else { return Ok(None) };
            let kernel = network.filters(&layer)?.sum_axis(Axis(2));
            let tiles = kernel.axis_iter(Axis(2)).take(N_TILES);
            let tiles = tiles.map(|filter| (None, filter.to_owned())).collect();
            return Ok(Some(Pattern { kind: PatternKind::Filters, tiles }));
        }
    };
    if let Some(Linear::PerClass { classes, weights }) = Linear::of(classifier) {
        let tiles = match reach(&model.chain, weights.view(), progress)? {
            Some(Reach::Pixels(weights)) => classes
                .iter()
                .zip(weights.rows())
                .take(N_CLASSES)
                .map(|(&class, row)| (Some(class), over_channels(&row.to_vec(), shape)))
                .collect(),
            _ => return Ok(None),
        };
        return Ok(Some(Pattern { kind: PatternKind::Weights, tiles }));
    }
    let is_on_pixels = model.chain.links.is_empty();
    let shares = importances(classifier).filter(|s| is_on_pixels && s.len() == shape.n_pixels());
    Ok(shares.map(|shares| Pattern {
        kind: PatternKind::Importance,
        tiles: vec![(None, over_channels(&shares, shape))],
    }))
}
