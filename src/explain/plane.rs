//! Where classes meet: what the model says of every point of a plane through two axes.

use ndarray::{Array2, ArrayView2, Axis};

use super::{ExplainError, Subject};
use crate::data::{Dataset, Features, Picture, Point};
use crate::learn::reduction::Pca;
use crate::learn::{Classifier, LearnError, Transformer};
use crate::model::ModelError;
use crate::progress::{Part, Progress};
use crate::report::{Exhibit, Figure};

/// Training images whose places are shown.
const N_POINTS: usize = 240;
/// Training images that axes are found from where the model has none.
const N_FITTED: usize = 5_000;
/// Values of the points that are labelled together.
const N_VALUES_PER_CHUNK: usize = 1 << 22;

/// A plane, and where images are on it.
struct Plane<'a> {
    made_by: Made<'a>,
    /// What its axes are.
    axes: String,
    /// `[n_points, 2]`, the image itself last.
    places: Array2<f32>,
    /// Of the points but the last.
    classes: Vec<usize>,
}

/// How a point of the plane is labelled.
enum Made<'a> {
    /// By the classifier, on features of which the first two are given and the others 0.
    Features { classifier: &'a dyn Classifier, n_features: usize },
    /// By the whole model, on an image made of the axes.
    Images { pca: Pca },
}

pub(super) fn exhibit(
    subject: &Subject<'_>,
    n_cells: usize,
    progress: &dyn Progress,
) -> Result<Option<Exhibit>, ExplainError> {
    let Some(data) = subject.data.filter(|data| n_cells > 1 && data.train.len() > 2) else {
        return Ok(None);
    };
    let plane = match reduced(subject, data, progress)? {
        Some(plane) => plane,
        None => match through_pixels(subject, data, progress)? {
            Some(plane) => plane,
            None => return Ok(None),
        },
    };
    let [x_range, y_range] = [0, 1].map(|axis| range(plane.places.index_axis(Axis(1), axis)));
    let at = |range: [f32; 2], share: f32| range[0] + (range[1] - range[0]) * share;
    let n = n_cells * n_cells;
    // The first line is the top: the largest coordinate.
    let points = Array2::from_shape_fn((n, 2), |(cell, axis)| {
        let middle = |nth: usize| (nth as f32 + 0.5) / n_cells as f32;
        match axis {
            0 => at(x_range, middle(cell % n_cells)),
            _ => at(y_range, 1.0 - middle(cell / n_cells)),
        }
    });
    let labels = plane.labels(subject, points.view(), progress)?;
    let Ok(classes) = Array2::from_shape_vec((n_cells, n_cells), labels) else { return Ok(None) };
    let cells = |[low, high]: [f32; 2], v: f32| (v - low) / (high - low) * n_cells as f32 - 0.5;
    let place = |nth: usize| {
        let (x, y) = (plane.places[[nth, 0]], plane.places[[nth, 1]]);
        [(n_cells - 1) as f32 - cells(y_range, y), cells(x_range, x)]
    };
    let last = plane.classes.len();
    let predicted = subject.model.predict(super::batch(subject.image), progress)?[0];
    let mut points: Vec<Point> = plane
        .classes
        .iter()
        .enumerate()
        .map(|(nth, &class)| Point { at: place(nth), class, is_marked: false })
        .collect();
    points.push(Point { at: place(last), class: predicted, is_marked: true });
    let n_classes = subject.model.n_classes();
    let slice = match &plane.made_by {
        Made::Features { n_features: 2, .. } => {
            "The model reads nothing but these two coordinates: the map is exact.".to_owned()
        }
        Made::Features { n_features, .. } => format!(
            "It is a slice: the other {} coordinates are 0, their mean. Points are training images \
             where they fall on the plane; most lie above or below it, so a point may differ from \
             the region it is drawn in.",
            n_features - 2
        ),
        Made::Images { .. } => {
            "It is a slice through the mean image: what the model says of images made of the mean \
             and these two axes, rounded to bytes. Points are training images where they fall on \
             the plane; nearly all lie off it, so a point may differ from the region it is drawn in."
                .to_owned()
        }
    };
    let note = format!(
        "Pale regions: the class that the model gives there. {slice} The ringed point is the image, \
         in the colour of its decision."
    );
    let picture = Picture::Regions { classes, n_classes, points };
    let figures = vec![Figure::new(plane.axes, picture)];
    let exhibit = Exhibit::new("plane", "Where classes meet", note, figures);
    Ok(Some(Exhibit { legend: true, ..exhibit }))
}

impl Plane<'_> {
    /// A class for every point, `points` `[n, 2]`.
    fn labels(
        &self,
        subject: &Subject<'_>,
        points: ArrayView2<'_, f32>,
        progress: &dyn Progress,
    ) -> Result<Vec<usize>, ExplainError> {
        let width = match &self.made_by {
            Made::Features { n_features, .. } => *n_features,
            Made::Images { .. } => subject.shape().n_pixels(),
        };
        let n_together = (N_VALUES_PER_CHUNK / width.max(1)).clamp(16, 1024);
        let mut labels = Vec::with_capacity(points.nrows());
        for chunk in points.axis_chunks_iter(Axis(0), n_together) {
            if progress.interrupted() {
                return Err(ExplainError::Interrupted);
            }
            let done = labels.len();
            let part = Part::new(progress, done, done + chunk.nrows(), points.nrows());
            let found = match &self.made_by {
                Made::Features { classifier, n_features } => {
                    let of = |(row, column): (usize, usize)| match column {
                        0 | 1 => chunk[[row, column]],
                        _ => 0.0,
                    };
                    let rows = Array2::from_shape_fn((chunk.nrows(), *n_features), of);
                    classifier.predict(&Features::Floats(rows), &part)?
                }
                Made::Images { pca } => {
                    let rows = pca.inverse_transform(&Features::Floats(chunk.to_owned()), &part)?;
                    let bytes = rows.mapv(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8);
                    subject.model.predict(bytes.view(), &part)?
                }
            };
            labels.extend(found);
        }
        Ok(labels)
    }
}

/// The plane of the first two coordinates of a reduction that the model ends with.
fn reduced<'a>(
    subject: &Subject<'a>,
    data: &Dataset,
    progress: &dyn Progress,
) -> Result<Option<Plane<'a>>, ExplainError> {
    let model = subject.model;
    let crate::model::Head::Classifier(classifier) = &model.head else { return Ok(None) };
    let Some(map) = model.chain.last_map() else { return Ok(None) };
    let n_features = map.axes().map_or(0, |axes| axes.patterns.nrows());
    if n_features < 2 {
        return Ok(None);
    }
    let rows = spread(data.train.len(), N_POINTS);
    let mut pixels = data.train.pixels.select(Axis(0), &rows);
    pixels.push_row(subject.image).map_err(|_| wrong_width(subject, data))?;
    let Features::Floats(features) = model.chain.features(pixels.view(), progress)? else {
        return Ok(None);
    };
    let places = features.slice(ndarray::s![.., ..2]).to_owned();
    Ok(Some(Plane {
        made_by: Made::Features { classifier: classifier.as_ref(), n_features },
        axes: format!("across: coordinate 1 of {}; up: coordinate 2", map.label()),
        places,
        classes: rows.iter().map(|&row| data.train.labels[row]).collect(),
    }))
}

/// The plane of the first two principal components of the training pixels; none if they do not vary.
fn through_pixels<'a>(
    subject: &Subject<'a>,
    data: &Dataset,
    progress: &dyn Progress,
) -> Result<Option<Plane<'a>>, ExplainError> {
    let pixels = data.train.pixels.select(Axis(0), &spread(data.train.len(), N_FITTED));
    let pca = match Pca::of_rows(&Features::Bytes(pixels), 2, progress) {
        Ok(pca) => pca,
        Err(LearnError::Interrupted) => return Err(ExplainError::Interrupted),
        Err(_) => return Ok(None),
    };
    let rows = spread(data.train.len(), N_POINTS);
    let mut pixels = data.train.pixels.select(Axis(0), &rows);
    pixels.push_row(subject.image).map_err(|_| wrong_width(subject, data))?;
    let Features::Floats(places) = pca.transform(&Features::Bytes(pixels), progress)? else {
        return Ok(None);
    };
    Ok(Some(Plane {
        made_by: Made::Images { pca },
        axes: "across: first principal component of the training pixels; up: the second".to_owned(),
        places,
        classes: rows.iter().map(|&row| data.train.labels[row]).collect(),
    }))
}

fn wrong_width(subject: &Subject<'_>, data: &Dataset) -> ModelError {
    let (found, expected) = (subject.image.len(), data.train.shape.n_pixels());
    ModelError::PixelCount { found, expected }
}

/// At most `n_wanted` rows of `n`, evenly spread.
fn spread(n: usize, n_wanted: usize) -> Vec<usize> {
    let n_shown = n_wanted.min(n);
    (0..n_shown).map(|nth| nth * n / n_shown).collect()
}

/// From the least to the greatest value, and a little more on both sides.
fn range(values: ndarray::ArrayView1<'_, f32>) -> [f32; 2] {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let margin = ((high - low) * 0.05).max(1e-3);
    [low - margin, high + margin]
}
