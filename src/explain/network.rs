//! Inside a network: Grad-CAM for the class and the runner-up, activation maps, filters.

use ndarray::{Array2, ArrayView1, Axis, s};

use super::{Decision, ExplainError, Options, Subject, linear};
use crate::data::{ImageShape, Picture, largest_of};
use crate::model::{Head, Model};
use crate::nn::{Network, NnError, Toward};
use crate::progress::{Progress, Silent};
use crate::report::{Exhibit, Figure};

/// Most maps of a layer, filters of a convolution.
const N_MAPS: usize = 64;
/// Most layers whose maps are shown.
const N_LAYERS: usize = 8;
/// Tiles in a row.
const N_COLUMNS: usize = 16;

/// What score a Grad-CAM follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The network's own, which is the model's.
    Own,
    /// Mean over the networks of an ensemble.
    Members,
    /// That of a linear classifier on the network's features.
    Head,
    /// The network's own, because the classifier on its features is not linear.
    NotTheHead,
}

/// Grad-CAM of a class; none where there is no network, it has no maps, or the score is not that of the
/// model: see [`own_map`].
pub fn class_map(
    model: &Model,
    image: ArrayView1<'_, u8>,
    class: usize,
    (against, layer): (Option<usize>, Option<&str>),
    progress: &dyn Progress,
) -> Result<Option<(Array2<f32>, Followed)>, ExplainError> {
    let map = match &model.head {
        Head::Network(network) => {
            Some((network.grad_cam(image, Toward::Class(class), layer), Followed::Own))
        }
        Head::Ensemble(ensemble) => {
            let maps: Result<Vec<_>, NnError> = ensemble
                .members()
                .iter()
                .map(|member| member.grad_cam(image, Toward::Class(class), layer))
                .collect();
            let mean = maps.map(|maps| {
                let n = maps.len() as f32;
                maps.into_iter().reduce(|a, b| a + b).unwrap_or_default() / n
            });
            Some((mean, Followed::Members))
        }
        Head::Classifier(classifier) => match model.chain.network() {
            None => None,
            Some((network, read)) => {
                let head = classifier.as_ref();
                let weights = linear::on_layer(model, head, class, against, progress)?;
                weights.map(|weights| {
                    let toward = Toward::Features { layer: read, weights: &weights };
                    (network.grad_cam(image, toward, layer), Followed::Head)
                })
            }
        },
    };
    match map {
        None => Ok(None),
        Some((Ok(map), followed)) => Ok(Some((map, followed))),
        Some((Err(NnError::NoMaps { .. }), _)) if layer.is_none() => Ok(None),
        Some((Err(error), _)) => Err(error.into()),
    }
}

/// Grad-CAM of the network behind a classifier by the network's own score of a class.
fn own_map(
    model: &Model,
    image: ArrayView1<'_, u8>,
    class: usize,
    layer: Option<&str>,
) -> Result<Option<(Array2<f32>, Followed)>, ExplainError> {
    let Some((network, _)) = model.chain.network() else { return Ok(None) };
    if class >= network.n_classes() {
        return Ok(None);
    }
    match network.grad_cam(image, Toward::Class(class), layer) {
        Ok(map) => Ok(Some((map, Followed::NotTheHead))),
        Err(NnError::NoMaps { .. }) if layer.is_none() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn grad_cam(
    subject: &Subject<'_>,
    decision: &Decision,
    options: &Options,
) -> Result<Option<Exhibit>, ExplainError> {
    let layer = options.layer.as_deref();
    let pairs =
        [(Some(decision.class), decision.runner_up), (decision.runner_up, Some(decision.class))];
    let mut found = Vec::new();
    for (class, against) in pairs {
        let Some(class) = class else { continue };
        let map = class_map(subject.model, subject.image, class, (against, layer), &Silent)?;
        let map = match map {
            Some(map) => Some(map),
            None => own_map(subject.model, subject.image, class, layer)?,
        };
        found.extend(map.map(|map| (class, map)));
    }
    let Some((_, (_, followed))) = found.first() else { return Ok(None) };
    let whose = match followed {
        Followed::Own => "the network's score of a class",
        Followed::Members => "the scores of its networks, whose maps are averaged",
        Followed::Head => {
            "the score of the linear classifier, taken back through the network's features"
        }
        Followed::NotTheHead => {
            "the network's own score of a class: the classifier on its features is not linear and \
             may decide otherwise"
        }
    };
    let note = format!(
        "Grad-CAM: where {} sees what raises {whose}. Bright: more. Its maps are coarser than the \
         image, so the edges are blurred; each picture has a scale of its own.",
        layer.unwrap_or("the last convolution")
    );
    let figures = found.into_iter().map(|(class, (values, _))| {
        let most = values.iter().copied().fold(0.0, f32::max);
        let name = subject.class_name(class);
        let caption = match most > 0.0 {
            true => format!("for {name}"),
            false => format!("nothing speaks for {name}"),
        };
        let largest = largest_of(values.view());
        Figure::new(caption, Picture::Heat { values, over: subject.over(), largest })
    });
    let figures = figures.collect();
    Ok(Some(Exhibit::new("grad_cam", "What the network looks at", note, figures)))
}

/// The network of a model, if it has one, and whether all of it is used.
fn network_of(model: &Model) -> Option<&Network> {
    match &model.head {
        Head::Network(network) => Some(network),
        Head::Ensemble(_) => None,
        Head::Classifier(_) => model.chain.network().map(|(network, _)| network),
    }
}

pub(super) fn activations(
    subject: &Subject<'_>,
    options: &Options,
) -> Result<Vec<Exhibit>, ExplainError> {
    let Some(network) = network_of(subject.model) else { return Ok(Vec::new()) };
    let layers = match &options.layer {
        Some(layer) => vec![layer.clone()],
        None => shown_layers(network),
    };
    let mut found = Vec::new();
    for layer in layers {
        let maps = network.activation_maps(subject.image, &layer)?;
        let (height, width, n_maps) = maps.dim();
        let low = maps.iter().copied().fold(0.0, f32::min);
        let largest = maps.iter().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
        let tiles: Vec<Picture> = (0..n_maps.min(N_MAPS))
            .map(|nth| maps.slice(s![.., .., nth]).to_owned())
            .map(|values| match low < 0.0 {
                true => Picture::Signed { values, largest },
                false => Picture::Gray { values, range: [0.0, largest] },
            })
            .collect();
        let shown = match n_maps > N_MAPS {
            true => format!("the first {N_MAPS} of {n_maps} maps"),
            false => format!("{n_maps} maps"),
        };
        let caption = format!("{layer}: {shown} of {height}x{width}");
        let picture = Picture::Sheet { tiles, columns: N_COLUMNS };
        let note = match low < 0.0 {
            true => "What every filter of the layer answers: red above 0, blue below.",
            false => "What every filter of the layer answers: the brighter, the more.",
        };
        let title = format!("Activation maps of {layer}");
        let figures = vec![Figure::new(caption, picture)];
        found.push(Exhibit::new(&format!("maps_{layer}"), &title, note.to_owned(), figures));
    }
    Ok(found)
}

/// Rectifiers that give images, or convolutions where there are none; of many, some from first to last.
fn shown_layers(network: &Network) -> Vec<String> {
    let layers = network.image_layers();
    let rectified: Vec<String> =
        layers.into_iter().filter(|layer| layer.starts_with("relu_")).collect();
    let layers = if rectified.is_empty() { network.convolutions() } else { rectified };
    let n_shown = layers.len().min(N_LAYERS);
    let step = |nth: usize| nth * (layers.len() - 1) / (n_shown - 1).max(1);
    (0..n_shown).map(|nth| layers[step(nth)].clone()).collect()
}

/// The filters of the first convolution, which reads the image: one picture a filter.
fn first_filters(network: &Network) -> Result<Option<(String, Picture)>, ExplainError> {
    let Some(layer) = network.convolutions().into_iter().next() else { return Ok(None) };
    let kernel = network.filters(&layer)?;
    let (height, width, n_in, n_filters) = kernel.dim();
    let largest = kernel.iter().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
    let tiles = (0..n_filters.min(N_MAPS)).map(|nth| {
        let filter = kernel.index_axis(Axis(3), nth);
        if n_in == 3 {
            let shade = |w: &f32| (127.5 * (1.0 + w / largest)).round() as u8;
            let shape = ImageShape { height, width, channels: 3 };
            Picture::Photo { pixels: filter.iter().map(shade).collect(), shape }
        } else {
            Picture::Signed { values: filter.sum_axis(Axis(2)), largest }
        }
    });
    Ok(Some((layer, Picture::Sheet { tiles: tiles.collect(), columns: N_COLUMNS })))
}

pub(super) fn filters(subject: &Subject<'_>) -> Result<Option<Exhibit>, ExplainError> {
    let Some(network) = network_of(subject.model) else { return Ok(None) };
    let Some((layer, picture)) = first_filters(network)? else { return Ok(None) };
    let note = "The weights of the first convolution, a square a filter. Of gray images red adds \
                and blue subtracts; of colour images mid-gray is 0."
        .to_owned();
    let figures = vec![Figure::new(layer, picture)];
    Ok(Some(Exhibit::new("filters", "Filters of the first convolution", note, figures)))
}
