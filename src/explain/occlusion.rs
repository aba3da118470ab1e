//! What is lost when a part of the image is covered (Zeiler & Fergus, ECCV 2014); needs nothing of the
//! model but its scores.

use std::any::Any;

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::{Decision, ExplainError, Subject, batch};
use crate::data::{ImageShape, Picture, largest_of};
use crate::learn::svm::Svc;
use crate::learn::{LearnError, Meaning};
use crate::model::{Head, Model};
use crate::progress::Progress;
use crate::report::{Exhibit, Figure};

/// Patches that would stand side by side.
const N_PATCHES: usize = 7;

/// What the score of `class` (a probability, or else a mean margin) loses for every pixel, `[height, width]`: the mean over the patches that
/// cover it, where a patch is a square of a seventh of the longer side in the mean colour of the image,
/// moved by half of itself. Negative where the covered part spoke against the class.
///
/// # Errors
/// As [`Model::scores`].
/// # Panics   if `class` is not one of the model's
/// # Cost     about 200 predictions, whatever the size of the image
pub fn occlusion(
    model: &Model,
    image: ArrayView1<'_, u8>,
    class: usize,
    progress: &dyn Progress,
) -> Result<Array2<f32>, ExplainError> {
    let shape = model.chain.input.shape;
    let side = (shape.height.max(shape.width) / N_PATCHES).max(1);
    let (rows, columns) = (starts(shape.height, side), starts(shape.width, side));
    let places: Vec<(usize, usize)> =
        rows.iter().flat_map(|&top| columns.iter().map(move |&left| (top, left))).collect();
    let fill = mean_colour(image, shape);
    let mut covered = Array2::zeros((places.len(), shape.n_pixels()));
    for (mut copy, &(top, left)) in covered.rows_mut().into_iter().zip(&places) {
        copy.assign(&image);
        for y in top..(top + side).min(shape.height) {
            for x in left..(left + side).min(shape.width) {
                for (channel, &mean) in fill.iter().enumerate() {
                    copy[(y * shape.width + x) * shape.channels + channel] = mean;
                }
            }
        }
    }
    let strength = Strength::of(model);
    let whole = strength.values(model, batch(image), class, progress)?[0];
    let scores = strength.values(model, covered.view(), class, progress)?;
    let mut sums = Array2::<f64>::zeros((shape.height, shape.width));
    let mut counts = Array2::<f64>::zeros(sums.dim());
    for (&(top, left), score) in places.iter().zip(&scores) {
        for y in top..(top + side).min(shape.height) {
            for x in left..(left + side).min(shape.width) {
                // Of a class that the fit did not meet there is nothing to lose.
                let drop = whole - score;
                sums[[y, x]] += if drop.is_finite() { drop } else { 0.0 };
                counts[[y, x]] += 1.0;
            }
        }
    }
    Ok((sums / counts).mapv(|drop| drop as f32))
}

/// What stands for how sure a model is of a class.
#[derive(Clone, Copy)]
enum Strength<'a> {
    /// Its score.
    Score,
    /// The mean decision for the class against each other class: votes of pairs, which are the scores of
    /// a support vector classifier without probabilities, change by whole numbers only.
    Margin(&'a Svc),
}

impl<'a> Strength<'a> {
    fn of(model: &'a Model) -> Self {
        let Head::Classifier(classifier) = &model.head else { return Strength::Score };
        match (classifier.as_ref() as &dyn Any).downcast_ref::<Svc>() {
            Some(svc) if svc.sigmoids().is_none() => Strength::Margin(svc),
            _ => Strength::Score,
        }
    }

    fn values(
        self,
        model: &Model,
        pixels: ArrayView2<'_, u8>,
        class: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, ExplainError> {
        let Strength::Margin(svc) = self else {
            return Ok(model.scores(pixels, progress)?.values.column(class).to_vec());
        };
        let features = model.chain.features(pixels, progress)?;
        let margins = svc.mean_margins(&features, class, progress).map_err(LearnError::from)?;
        Ok(margins.unwrap_or_else(|| vec![f64::NEG_INFINITY; pixels.nrows()]))
    }
}

/// Where patches of `side` begin along `length`, so that all of it is covered.
fn starts(length: usize, side: usize) -> Vec<usize> {
    let last = length.saturating_sub(side);
    let mut starts: Vec<usize> = (0..=last).step_by((side / 2).max(1)).collect();
    if starts.last() != Some(&last) {
        starts.push(last);
    }
    starts
}

/// Mean of every channel.
fn mean_colour(image: ArrayView1<'_, u8>, shape: ImageShape) -> Vec<u8> {
    let n = (shape.height * shape.width).max(1) as u64;
    (0..shape.channels)
        .map(|channel| {
            let values = image.iter().skip(channel).step_by(shape.channels);
            (values.map(|&v| u64::from(v)).sum::<u64>() / n) as u8
        })
        .collect()
}

pub(super) fn exhibit(
    subject: &Subject<'_>,
    decision: &Decision,
    progress: &dyn Progress,
) -> Result<Exhibit, ExplainError> {
    let values = occlusion(subject.model, subject.image, decision.class, progress)?;
    let most = values.iter().copied().fold(0.0, f32::max);
    let unit = match (Strength::of(subject.model), decision.meaning) {
        (Strength::Margin(_), _) => "mean margin",
        (Strength::Score, Meaning::Probability) => "probability",
        (Strength::Score, Meaning::Decision) => "score",
    };
    let name = subject.class_name(decision.class);
    let caption = match most > 0.0 {
        true => format!("up to {most:.3} of the {unit} of {name} is lost"),
        false => format!("no covered part lowers the {unit} of {name}"),
    };
    let largest = largest_of(values.view());
    let note = format!(
        "A patch in the image's mean shade is moved over the image. Red: covering it lowers the \
         {unit} of {name}, so it speaks for the class; blue: covering it raises the {unit}."
    );
    let heat = values.mapv(|drop| drop.max(0.0));
    let figures = vec![
        Figure::new(caption, Picture::Heat { values: heat, over: subject.over(), largest }),
        Figure::new("for (red) and against (blue)", Picture::Signed { values, largest }),
    ];
    Ok(Exhibit::new("occlusion", "What is missed when it is covered", note, figures))
}
