//! Several networks that vote with their probabilities.

use ndarray::{Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::error::NnError;
use super::network::Network;
use super::ops::softmax;
use crate::data::{ImageShape, TensorFile};
use crate::progress::Progress;

/// Images labelled between two looks at the progress.
const N_IMAGES_PER_CHUNK: usize = 512;

/// How probabilities of several networks become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Their mean.
    Arithmetic,
    /// The mean of their logarithms, scaled to sum to 1: a network that is sure that a class is
    /// wrong counts for more.
    Geometric,
}

/// Networks of the same images and classes, all of equal weight.
#[derive(Clone, Debug)]
pub struct Ensemble {
    members: Vec<Network>,
    average: Average,
    flip_views: bool,
}

#[derive(Serialize, Deserialize)]
struct Document {
    average: Average,
    flip_views: bool,
    documents: Vec<serde_json::Value>,
}

impl Ensemble {
    /// An ensemble. With `flip_views` each network also labels the mirrored image, which counts as
    /// much as the image itself.
    ///
    /// # Errors
    /// [`NnError::NoMembers`]; [`NnError::MembersDiffer`] for networks of other images or numbers of
    /// classes.
    pub fn new(members: Vec<Network>, average: Average, flip_views: bool) -> Result<Self, NnError> {
        let reads = |network: &Network| (network.shape(), network.n_classes());
        let first = members.first().map(reads).ok_or(NnError::NoMembers)?;
        match members.iter().map(reads).position(|other| other != first) {
            Some(nth) => {
                let words = |(shape, n_classes): (ImageShape, usize)| {
                    let ImageShape { height, width, channels } = shape;
                    format!("{n_classes} classes of {height}x{width}x{channels} images")
                };
                let (found, expected) = (words(reads(&members[nth])), words(first));
                Err(NnError::MembersDiffer { nth: nth + 1, found, expected })
            }
            None => Ok(Ensemble { members, average, flip_views }),
        }
    }

    /// The networks.
    pub fn members(&self) -> &[Network] {
        &self.members
    }

    /// How their probabilities become one.
    pub fn average(&self) -> Average {
        self.average
    }

    /// Whether each network also labels the mirrored image.
    pub fn flip_views(&self) -> bool {
        self.flip_views
    }

    /// Probabilities of the classes, `[n_images, n_classes]`, of images `[n_images, n_pixels]`.
    ///
    /// # Errors
    /// [`NnError::PixelCount`] for images of another size, [`NnError::Interrupted`].
    /// # Cost     that of its networks, twice with mirrored images
    pub fn probabilities(
        &self,
        pixels: ArrayView2<'_, u8>,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, NnError> {
        let n_images = pixels.nrows();
        let mut found = Array2::zeros((n_images, self.members[0].n_classes()));
        for start in (0..n_images).step_by(N_IMAGES_PER_CHUNK) {
            if progress.interrupted() {
                return Err(NnError::Interrupted);
            }
            let end = n_images.min(start + N_IMAGES_PER_CHUNK);
            let chunk = self.of_chunk(pixels.slice(s![start..end, ..]))?;
            found.slice_mut(s![start..end, ..]).assign(&chunk);
            progress.update(end as u64, n_images as u64, "");
        }
        Ok(found)
    }

    fn of_chunk(&self, pixels: ArrayView2<'_, u8>) -> Result<Array2<f32>, NnError> {
        let mirrored = self.flip_views.then(|| self.mirrored(pixels)).transpose()?;
        let mut sums = Array2::<f64>::zeros((pixels.nrows(), self.members[0].n_classes()));
        let views: Vec<_> =
            std::iter::once(pixels.view()).chain(mirrored.as_ref().map(Array2::view)).collect();
        for (member, &view) in
            self.members.iter().flat_map(|member| views.iter().map(move |view| (member, view)))
        {
            let mut scores = member.logits(view)?;
            for (mut scores, mut sums) in scores.rows_mut().into_iter().zip(sums.rows_mut()) {
                let Some(scores) = scores.as_slice_mut() else { continue };
                self.vote(scores);
                sums.iter_mut().zip(scores).for_each(|(sum, vote)| *sum += f64::from(*vote));
            }
        }
        let n_votes = (self.members.len() * views.len()) as f64;
        let mut mean = sums.mapv(|sum| (sum / n_votes) as f32);
        if self.average == Average::Geometric {
            mean.rows_mut().into_iter().filter_map(|row| row.into_slice()).for_each(|row| {
                softmax(row);
            });
        }
        Ok(mean)
    }

    /// Scores of one image to probabilities, or to their logarithms.
    fn vote(&self, scores: &mut [f32]) {
        match self.average {
            Average::Arithmetic => {
                softmax(scores);
            }
            Average::Geometric => {
                let mut probabilities = scores.to_vec();
                let (log_sum, max) = softmax(&mut probabilities);
                for score in scores {
                    *score = (f64::from(*score - max) - log_sum) as f32;
                }
            }
        }
    }

    fn mirrored(&self, pixels: ArrayView2<'_, u8>) -> Result<Array2<u8>, NnError> {
        let ImageShape { height, width, channels } = self.members[0].shape();
        let (n_images, n_pixels) = pixels.dim();
        let sides = (n_images, height, width, channels);
        let expected = height * width * channels;
        let wrong = |_| NnError::PixelCount { found: n_pixels, expected };
        let mut images = pixels.to_owned().into_shape_with_order(sides).map_err(wrong)?;
        images.invert_axis(Axis(2));
        // A copy in standard order.
        let values = images.iter().copied().collect();
        Array2::from_shape_vec((n_images, n_pixels), values).map_err(wrong)
    }

    /// The ensemble as a file: that of each network, under its number.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let files: Vec<TensorFile<'_>> = self.members.iter().map(Network::to_tensors).collect();
        let document = Document {
            average: self.average,
            flip_views: self.flip_views,
            documents: files.iter().map(|file| file.document.clone()).collect(),
        };
        let mut all = TensorFile::new(serde_json::to_value(document).unwrap_or_default());
        for (nth, file) in files.into_iter().enumerate() {
            all.insert_prefixed(&format!("member_{nth}"), file);
        }
        all
    }

    /// Reads what [`Ensemble::to_tensors`] wrote.
    ///
    /// # Errors
    /// As [`Network::from_tensors`] and [`Ensemble::new`].
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, NnError> {
        let Document { documents, average, flip_views } =
            serde_json::from_value(std::mem::take(&mut file.document))
                .map_err(|error| NnError::Weights { problem: error.to_string() })?;
        let members = documents.into_iter().enumerate().map(|(nth, document)| {
            let mut member = file.take_prefixed(&format!("member_{nth}"));
            member.document = document;
            Network::from_tensors(member)
        });
        Ensemble::new(members.collect::<Result<_, _>>()?, average, flip_views)
    }
}
