//! Test images on which models disagree, with the training images that look most like them.

use super::evaluate::gallery_image;
use super::{Context, FittedModel, InputArtifact, StageError};
use crate::data::{Dataset, Features, largest_of};
use crate::explain;
use crate::learn::knn::{Knn, Metric};
use crate::model::Head;
use crate::report::{Disagreements, DisputedImage};

/// Training images shown beside each.
const N_NEIGHBORS: usize = 3;
/// Pairs of models that images are spread over.
const MAX_PAIRS: usize = 500;
/// Pixels of all images and neighbours kept.
const MAX_BYTES: usize = 6 << 20;
/// Values of all heat maps kept.
const MAX_HEAT_BYTES: usize = 4 << 20;
/// Training pixels up to which neighbours are searched, which holds them twice.
const MAX_TRAIN_BYTES: usize = 512 << 20;

/// At most `n_wanted` of the test images that not all `models` (by stage id) agree on.
///
/// # Errors
/// An interruption.
pub(super) fn disagreements(
    data: &Dataset,
    models: &[(&str, &FittedModel)],
    n_wanted: usize,
    context: &Context,
) -> Result<Option<Disagreements>, StageError> {
    let n_kept = n_wanted.min(MAX_BYTES / ((1 + N_NEIGHBORS) * data.test.shape.n_pixels()).max(1));
    if models.len() < 2 || n_kept == 0 {
        return Ok(None);
    }
    let answers: Vec<&[usize]> =
        models.iter().filter_map(|(_, model)| model.predicted.as_slice()).collect();
    let is_disputed = |row: usize| answers.iter().any(|of| of[row] != answers[0][row]);
    let n_all = (0..data.test.len()).filter(|&row| is_disputed(row)).count();
    let rows = spread(&answers, n_kept);
    let images = rows.iter().map(|&row| DisputedImage {
        image: gallery_image(&data.test, row, None),
        answers: answers.iter().map(|of| of[row]).collect(),
        scores: models.iter().map(|(_, model)| answer_score(model, row)).collect(),
        nearest: Vec::new(),
        heat_maps: Vec::new(),
    });
    let mut found = Disagreements {
        models: models.iter().map(|(id, _)| (*id).to_owned()).collect(),
        n_all,
        images: images.collect(),
        neighbors: Vec::new(),
    };
    add_neighbors(&mut found, data, &rows, context)?;
    Ok(Some(found))
}

/// What a model scores the label that it gives.
fn answer_score(model: &FittedModel, row: usize) -> Option<f32> {
    let scores = model.scores.as_ref()?;
    let score = *scores.values.get((row, model.predicted[row]))?;
    score.is_finite().then_some(score)
}

/// Rows in ascending order, each pair of models having its share of those that it disagrees on.
fn spread(answers: &[&[usize]], n_wanted: usize) -> Vec<usize> {
    let pairs: Vec<(usize, usize)> =
        (1..answers.len()).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let step = pairs.len().div_ceil(MAX_PAIRS);
    let n_test = answers[0].len();
    let of_pairs: Vec<Vec<usize>> = pairs
        .into_iter()
        .step_by(step)
        .map(|(a, b)| (0..n_test).filter(|&row| answers[a][row] != answers[b][row]).collect())
        .collect();
    let mut is_chosen = vec![false; n_test];
    let mut n_chosen = 0;
    let longest = of_pairs.iter().map(Vec::len).max().unwrap_or(0);
    'rounds: for round in 0..longest {
        for rows in of_pairs.iter().filter(|rows| round < rows.len()) {
            if n_chosen == n_wanted {
                break 'rounds;
            }
            let row = rows[far_apart(round, rows.len())];
            n_chosen += usize::from(!is_chosen[row]);
            is_chosen[row] = true;
        }
    }
    (0..n_test).filter(|&row| is_chosen[row]).collect()
}

/// The `nth` of `0..n` in an order whose beginning is spread over all of it and that meets each once.
fn far_apart(nth: usize, n: usize) -> usize {
    let is_coprime = |step: usize| {
        let (mut a, mut b) = (n, step);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    let golden = (n as f64 * 0.618) as usize;
    let step = (golden.max(1)..=n).find(|&step| is_coprime(step)).unwrap_or(1);
    nth * step % n
}

/// Where each network sees what speaks for its answer, for every image kept; the first networks only,
/// where there is too much to keep.
///
/// # Errors
/// Of a network, or an interruption.
pub(super) fn add_heat_maps(
    found: &mut Disagreements,
    data: &Dataset,
    models: &[&InputArtifact],
    context: &Context,
) -> Result<(), StageError> {
    let n_values = data.test.shape.height * data.test.shape.width * found.images.len();
    let n_networks = MAX_HEAT_BYTES / n_values.max(1);
    let predictors = models.iter().filter_map(|entry| Some((entry, entry.artifact.predictor()?)));
    let networks = predictors.filter(|(_, model)| !matches!(model.head, Head::Classifier(_)));
    for (entry, network) in networks.take(n_networks) {
        for disputed in &mut found.images {
            if context.progress.interrupted() {
                return Err(StageError::Interrupted);
            }
            let row = disputed.image.row;
            let answer = entry.artifact.model().predicted[row];
            let pixels = data.test.pixels.row(row);
            let Some(heat) = explain::grad_cam(&network, pixels, answer)? else { break };
            let scale = 255.0 / largest_of(heat.view());
            let values = heat.iter().map(|value| (value * scale).round() as u8).collect();
            disputed.heat_maps.push((entry.stage_id.clone(), values));
        }
    }
    Ok(())
}

/// The exact nearest training images by their pixels, unless there are too many to hold twice.
fn add_neighbors(
    found: &mut Disagreements,
    data: &Dataset,
    rows: &[usize],
    context: &Context,
) -> Result<(), StageError> {
    let train = &data.train;
    let k = N_NEIGHBORS.min(train.len());
    if rows.is_empty() || k == 0 || train.len() * train.shape.n_pixels() > MAX_TRAIN_BYTES {
        return Ok(());
    }
    let rows_of_train = Features::Bytes(train.pixels.clone());
    let index = Knn::of_rows(&rows_of_train, Metric::Euclidean, context.progress)?;
    let queries = Features::Bytes(data.test.pixels.select(ndarray::Axis(0), rows));
    let nearest = index.kneighbors(&queries, k, context.progress)?;
    for (disputed, of_query) in found.images.iter_mut().zip(nearest.idx.rows()) {
        for &row in of_query {
            let known = found.neighbors.iter().position(|image| image.row == row);
            disputed.nearest.push(known.unwrap_or_else(|| {
                found.neighbors.push(gallery_image(train, row, None));
                found.neighbors.len() - 1
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_met_once() {
        for n in [1, 2, 3, 7, 10, 144, 1000] {
            let mut met: Vec<usize> = (0..n).map(|nth| far_apart(nth, n)).collect();
            met.sort_unstable();
            assert_eq!(met, (0..n).collect::<Vec<_>>(), "{n}");
        }
    }

    #[test]
    fn each_pair_has_its_share_and_agreement_none() {
        // Model 2 differs from 0 and 1 on hundreds of rows, these from each other on three.
        let first = vec![0; 1000];
        let mut second = first.clone();
        second[..3].fill(1);
        let third: Vec<usize> = (0..1000).map(|row| usize::from(row >= 400) * 2).collect();
        let rows = spread(&[&first, &second, &third], 30);
        assert_eq!(rows.len(), 30);
        assert_eq!(rows[..3], [0, 1, 2]);
        assert!(rows[3..].iter().all(|&row| row >= 400), "{rows:?}");
        assert!(rows[3..].windows(2).all(|pair| pair[1] - pair[0] < 100), "{rows:?}");
        assert_eq!(spread(&[&first, &first], 30), [0usize; 0]);
    }
}
