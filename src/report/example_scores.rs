//! Made-up scores, disputed images and points of the made-up run.

use ndarray::Array2;

use super::example::{Row, picture};
use super::{Disagreements, DisputedImage, ScatterCard, ScoreFigures};
use crate::data::Rng;
use crate::metrics::{calibration, ranking};

/// Scores that are highest for the answers: probabilities of networks, decisions of all others.
pub(super) fn scores(row: &Row, predicted: &[usize], labels: &[usize]) -> ScoreFigures {
    let mut rng = Rng::new(5, &["example", "scores", row.0]);
    let mut values = Array2::from_shape_fn((labels.len(), 10), |_| f64::from(rng.normal_f32()));
    for (at, (&guess, &label)) in predicted.iter().zip(labels).enumerate() {
        values[[at, label]] += 2.0;
        let most = values.row(at).fold(f64::NEG_INFINITY, |most, &v| most.max(v));
        values[[at, guess]] = most + f64::from(rng.unit_f32());
    }
    let is_probability = row.2 == "neural";
    if is_probability {
        values.mapv_inplace(|v| (1.4 * v).exp());
        for mut of_image in values.rows_mut() {
            let sum = of_image.sum();
            of_image /= sum;
        }
    }
    ScoreFigures {
        is_probability,
        ranking: ranking(labels, values.view()).unwrap(),
        calibration: is_probability.then(|| calibration(labels, values.view()).unwrap()).flatten(),
    }
}

/// The first images on which not all models agree.
pub(super) fn disagreements(
    rows: &[Row],
    predictions: &[Vec<usize>],
    labels: &[usize],
    n_images: usize,
) -> Disagreements {
    let mut rng = Rng::new(6, &["example", "disagreements"]);
    let is_disputed = |at: &usize| predictions.iter().any(|of| of[*at] != predictions[0][*at]);
    let disputed: Vec<usize> = (0..labels.len()).filter(is_disputed).collect();
    let mut neighbors = Vec::new();
    let images = disputed.iter().take(n_images).map(|&at| {
        let nearest = (0..3).map(|nth| {
            let class = if nth == 0 { predictions[0][at] } else { labels[at] };
            neighbors.push(picture(10_000 + neighbors.len(), class, None));
            neighbors.len() - 1
        });
        let nearest = nearest.collect();
        let ring = |pixel: usize| {
            let (y, x) = ((pixel / 28) as f32 - 13.5, (pixel % 28) as f32 - 13.5);
            (255.0 * (-((y.hypot(x) - 6.0) / 3.0).powi(2)).exp()) as u8
        };
        DisputedImage {
            image: picture(at, labels[at], None),
            answers: predictions.iter().map(|of| of[at]).collect(),
            scores: rows
                .iter()
                .map(|row| (row.0 != "raw_linear").then(|| rng.unit_f32()))
                .collect(),
            nearest,
            heat_maps: vec![("a3".to_owned(), (0..28 * 28).map(ring).collect())],
        }
    });
    Disagreements {
        models: rows.iter().map(|row| row.0.to_owned()).collect(),
        n_all: disputed.len(),
        images: images.collect(),
        neighbors,
    }
}

/// Clouds around a point for each class.
pub(super) fn scatter(id: &str, labels: &[usize]) -> ScatterCard {
    let mut rng = Rng::new(8, &["example", "scatter", id]);
    let centers: Vec<[f32; 2]> = (0..10).map(|_| [0, 1].map(|_| 3.0 * rng.normal_f32())).collect();
    let shown = &labels[..labels.len().min(2000)];
    ScatterCard {
        id: id.to_owned(),
        description: format!("pixels, {id}"),
        n_all: labels.len(),
        points: shown.iter().map(|&label| centers[label].map(|v| v + rng.normal_f32())).collect(),
        labels: shown.to_vec(),
    }
}
