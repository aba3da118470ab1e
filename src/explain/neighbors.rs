//! The training images that are most like the image, as the model sees it.

use std::any::Any;

use super::{ExplainError, Subject};
use crate::data::{Features, Picture};
use crate::learn::knn::{Knn, Metric};
use crate::progress::{Part, Progress};
use crate::report::{Exhibit, Figure};

pub(super) fn exhibit(
    subject: &Subject<'_>,
    n_neighbors: usize,
    progress: &dyn Progress,
) -> Result<Option<Exhibit>, ExplainError> {
    let Some(data) = subject.data else { return Ok(None) };
    let n_shown = n_neighbors.min(data.train.len());
    if n_shown == 0 {
        return Ok(None);
    }
    let own = subject.classifier().and_then(|head| (head as &dyn Any).downcast_ref::<Knn>());
    let metric = own.map_or(Metric::Euclidean, |knn| knn.params().metric());
    let chain = &subject.model.chain;
    let train = match chain.links.is_empty() {
        true => Features::Bytes(data.train.pixels.clone()),
        false => chain.features(data.train.pixels.view(), &Part::new(progress, 0, 9, 10))?,
    };
    let query = chain.features(super::batch(subject.image), progress)?;
    let near = Knn::of_rows(&train, metric, progress)?.kneighbors(&query, n_shown, progress)?;
    let figures = near.idx.iter().zip(&near.distances).map(|(&row, distance)| {
        let name = subject.class_name(data.train.labels[row]);
        let picture =
            Picture::Photo { pixels: data.train.pixels.row(row).to_vec(), shape: subject.shape() };
        Figure::new(format!("{name}, {distance:.3} away (training image {row})"), picture)
    });
    let space = match chain.links.is_empty() {
        true => "pixels".to_owned(),
        false => "the features that the classifier reads".to_owned(),
    };
    let votes = match own {
        Some(_) => {
            " These neighbours are what the model votes with, as far as it was fitted on them."
        }
        None => "",
    };
    let note = format!("The nearest of {} training images by {space}.{votes}", data.train.len());
    let (name, title) = ("neighbors", "The training images most like it");
    Ok(Some(Exhibit::new(name, title, note, figures.collect())))
}
