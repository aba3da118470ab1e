//! What speaks for a decision, as plain pictures, one exhibit after another.
//!
//! | model | exhibits |
//! |---|---|
//! | any | occlusion; nearest training images; where classes meet in a plane |
//! | networks, and linear classifiers on their features | Grad-CAM |
//! | networks | activation maps, filters |
//! | linear classifiers whose weights reach back to pixels | weights, contributions |
//! | support vectors with a kernel | the ones that speak loudest for and against |
//! | trees and their ensembles, on pixels | importance of every pixel |
//!
//! [`heat_map`] is the one picture that every model has.

mod decision;
mod error;
mod importance;
mod linear;
mod neighbors;
mod network;
mod occlusion;
mod patterns;
mod plane;
mod reach;
mod support;
#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayView1, Axis};

pub use decision::{Decision, Score};
pub use error::ExplainError;
pub use importance::importances;
pub use occlusion::occlusion;
pub use patterns::{Pattern, patterns};

use crate::data::{Dataset, ImageShape};
use crate::learn::Classifier;
use crate::model::{Head, Model};
use crate::progress::{Part, Progress, Silent};
use crate::report::Exhibit;

/// What is to be explained.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Who decides.
    pub model: &'a Model,
    /// `[n_pixels]`, as the model reads it.
    pub image: ArrayView1<'a, u8>,
    /// The data that the model was fitted on, for neighbours and planes; without them these are left
    /// out.
    pub data: Option<&'a Dataset>,
}

/// How much is shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// Layer of a network that Grad-CAM reads and whose maps are shown; by default the last
    /// convolution for the one and every rectifier for the other.
    pub layer: Option<String>,
    /// Nearest training images; 0 leaves them out.
    pub n_neighbors: usize,
    /// Cells along each side of the map of a plane; 0 leaves it out.
    pub n_cells: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { layer: None, n_neighbors: 8, n_cells: 96 }
    }
}

/// A decision and what speaks for it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The class and all scores.
    pub decision: Decision,
    /// In the order in which they are shown.
    pub exhibits: Vec<Exhibit>,
}

/// Everything that is known to speak for the model's decision on an image.
///
/// # Errors
/// What the model says of the image; [`ExplainError::Interrupted`]; a layer that is not there.
/// # Cost
/// About 200 predictions for the occlusion, `n_cells^2` for the plane; a distance (and for models on
/// features, these) for every training image.
pub fn explain(
    subject: Subject<'_>,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Explanation, ExplainError> {
    const N_PARTS: usize = 5;
    let part = |nth: usize| Part::new(progress, nth, nth + 1, N_PARTS);
    let decision = Decision::of(subject.model, subject.image, progress)?;
    let mut exhibits = Vec::new();
    exhibits.extend(network::grad_cam(&subject, &decision, options)?);
    exhibits.push(occlusion::exhibit(&subject, &decision, &part(0))?);
    exhibits.extend(linear::exhibits(&subject, &decision, &part(1))?);
    exhibits.extend(support::exhibit(&subject, &decision, &part(2))?);
    exhibits.extend(importance::exhibit(&subject));
    exhibits.extend(neighbors::exhibit(&subject, options.n_neighbors, &part(3))?);
    exhibits.extend(plane::exhibit(&subject, options.n_cells, &part(4))?);
    exhibits.extend(network::activations(&subject, options)?);
    exhibits.extend(network::filters(&subject)?);
    Ok(Explanation { decision, exhibits })
}

/// What in an image speaks for a class: Grad-CAM through the network where there is one and its head
/// follows the features by weights, else occlusion.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// `[height, width]` of the image, not negative.
    pub values: Array2<f32>,
    /// `Grad-CAM` or `occlusion`.
    pub method: &'static str,
}

/// The heat map of a class, whatever the model.
///
/// # Errors
/// What the model says of the image; [`ExplainError::Interrupted`].
/// # Panics   if `class` is not one of the model's
pub fn heat_map(
    model: &Model,
    image: ArrayView1<'_, u8>,
    class: usize,
    progress: &dyn Progress,
) -> Result<HeatMap, ExplainError> {
    if let Some(values) = grad_cam(model, image, class)? {
        return Ok(HeatMap { values, method: "Grad-CAM" });
    }
    let drops = occlusion(model, image, class, progress)?;
    Ok(HeatMap { values: drops.mapv(|drop| drop.max(0.0)), method: "occlusion" })
}

/// Grad-CAM of a class by the model's own score, `[height, width]` of the image, not negative; none where
/// no network with convolutions decides or a classifier that is not linear does.
///
/// # Errors
/// What the model says of the image.
pub fn grad_cam(
    model: &Model,
    image: ArrayView1<'_, u8>,
    class: usize,
) -> Result<Option<Array2<f32>>, ExplainError> {
    let map = network::class_map(model, image, class, (None, None), &Silent)?;
    Ok(map.map(|(values, _)| values))
}

impl Subject<'_> {
    fn shape(&self) -> ImageShape {
        self.model.chain.input.shape
    }

    fn class_name(&self, class: usize) -> &str {
        self.model.chain.input.class_names.get(class).map_or("?", String::as_str)
    }

    fn pixels(&self) -> Vec<u8> {
        self.image.to_vec()
    }

    /// The image under a heat map.
    fn over(&self) -> Option<(Vec<u8>, ImageShape)> {
        Some((self.pixels(), self.shape()))
    }

    /// The classical head, if it has one.
    fn classifier(&self) -> Option<&dyn Classifier> {
        match &self.model.head {
            Head::Classifier(classifier) => Some(classifier.as_ref()),
            Head::Network(_) | Head::Ensemble(_) => None,
        }
    }
}

/// Sums over the channels of values for every pixel value, `[height, width]`.
///
/// # Panics   if there are not as many as the shape has
fn over_channels(values: &[f64], shape: ImageShape) -> Array2<f32> {
    let sums = values.chunks(shape.channels.max(1)).map(|pixel| pixel.iter().sum::<f64>() as f32);
    Array2::from_shape_vec((shape.height, shape.width), sums.collect())
        .expect("as many values as pixels")
}

/// One image as a batch.
fn batch(image: ArrayView1<'_, u8>) -> ndarray::ArrayView2<'_, u8> {
    image.insert_axis(Axis(0))
}
