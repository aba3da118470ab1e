//! What a page lets its reader explore: curves of each model, images on which models disagree, and
//! points of the test images in a plane.

use serde::{Deserialize, Serialize};

use super::GalleryImage;
use crate::metrics::{Calibration, Ranking};

/// What one model's scores of the test images are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreFigures {
    /// True for probabilities, false for decisions of another scale.
    pub is_probability: bool,
    /// Curves and areas; none if no class has both images and others.
    pub ranking: Option<Ranking>,
    /// Calibration; none for decisions.
    pub calibration: Option<Calibration>,
}

/// Test images that some models of one evaluation label differently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disagreements {
    /// The models, by stage id.
    pub models: Vec<String>,
    /// Test images on which not all of them agree.
    pub n_all: usize,
    /// Some of these, spread over the pairs of models, by row.
    pub images: Vec<DisputedImage>,
    /// Training images that are nearest to one of these, each once.
    pub neighbors: Vec<GalleryImage>,
}

/// A test image and what every model says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisputedImage {
    /// Row in the test set, true class and pixels.
    pub image: GalleryImage,
    /// Label that each model gives, in the order of [`Disagreements::models`].
    pub answers: Vec<usize>,
    /// Score that each model gives to its answer; none of a model without scores.
    pub scores: Vec<Option<f32>>,
    /// Indices into [`Disagreements::neighbors`], nearest first.
    pub nearest: Vec<usize>,
    /// Where networks look: stage id, and one byte per pixel of height x width.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heat_maps: Vec<(String, Vec<u8>)>,
}

/// Test images in the plane of the first two axes of a reduction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScatterCard {
    /// Stage of the reduction.
    pub id: String,
    /// What it makes, such as `pixels, pca 50`.
    pub description: String,
    /// Test images there are.
    pub n_all: usize,
    /// Coordinates of some of these, evenly spaced over the rows.
    pub points: Vec<[f32; 2]>,
    /// True classes of the points.
    pub labels: Vec<usize>,
}
