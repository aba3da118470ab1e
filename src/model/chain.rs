//! The way from pixels to features.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ModelError;
use crate::data::hog::Hog;
use crate::data::{Features, ImageInput, ImageShape, TensorFile, TensorFileError};
use crate::learn::{Transformer, read_transformer};
use crate::nn::Network;
use crate::progress::{Part, Progress};

/// One step of a chain.
pub enum Link {
    /// The output of a layer.
    Layer {
        /// The network, trained.
        network: Arc<Network>,
        /// As [`Network::layer_output`] takes it.
        layer: String,
    },
    /// Histograms of oriented gradients of images of one shape.
    Hog {
        /// What is counted.
        hog: Hog,
        /// Shape of the images.
        shape: ImageShape,
    },
    /// A fitted map of rows.
    Map(Box<dyn Transformer>),
    /// Pixels as real values from 0 to 1.
    Unit,
}

/// From rows of pixels to rows of features, link by link; cheap to copy.
#[derive(Clone, Debug)]
pub struct Chain {
    /// What it expects of an image.
    pub input: ImageInput,
    /// In the order in which they are applied; none for raw pixels.
    pub links: Vec<Arc<Link>>,
}

/// A link as it is stored, its tensors apart.
#[derive(Deserialize)]
struct StoredLink {
    kind: String,
    layer: String,
    document: Value,
}

impl Chain {
    /// Raw pixels.
    pub fn pixels(input: ImageInput) -> Self {
        Chain { input, links: Vec::new() }
    }

    /// This chain with one more link.
    pub fn then(&self, link: Link) -> Self {
        let mut longer = self.clone();
        longer.links.push(Arc::new(link));
        longer
    }

    /// The map that makes its features, if the last link is one.
    pub fn last_map(&self) -> Option<&dyn Transformer> {
        match self.links.last()?.as_ref() {
            Link::Map(map) => Some(map.as_ref()),
            _ => None,
        }
    }

    /// The network of its first link, if it begins with one, and the layer that is read.
    pub fn network(&self) -> Option<(&Network, &str)> {
        match self.links.first()?.as_ref() {
            Link::Layer { network, layer } => Some((network, layer)),
            _ => None,
        }
    }

    /// Features of images `[n_images, n_pixels]`, row by row.
    ///
    /// # Errors
    /// [`ModelError::PixelCount`] for rows of another width; what a link says; an interruption.
    pub fn features(
        &self,
        pixels: ArrayView2<'_, u8>,
        progress: &dyn Progress,
    ) -> Result<Features, ModelError> {
        let (found, expected) = (pixels.ncols(), self.input.shape.n_pixels());
        if found != expected {
            return Err(ModelError::PixelCount { found, expected });
        }
        let mut features = Features::Bytes(pixels.to_owned());
        for (nth, link) in self.links.iter().enumerate() {
            let part = Part::new(progress, nth, nth + 1, self.links.len());
            features = link.apply(&features, &part)?;
        }
        Ok(features)
    }

    /// The chain as named tensors.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let mut documents = Vec::new();
        let mut file = TensorFile::new(Value::Null);
        for (nth, link) in self.links.iter().enumerate() {
            let tensors = match link.as_ref() {
                Link::Layer { network, .. } => network.to_tensors(),
                Link::Map(map) => map.to_tensors(),
                Link::Hog { hog, shape } => TensorFile::new(json!({ "hog": hog, "shape": shape })),
                Link::Unit => TensorFile::new(Value::Null),
            };
            let (kind, layer) = match link.as_ref() {
                Link::Layer { layer, .. } => ("layer", layer.as_str()),
                Link::Hog { .. } => ("hog", ""),
                Link::Map(_) => ("map", ""),
                Link::Unit => ("unit", ""),
            };
            documents.push(json!({ "kind": kind, "layer": layer, "document": tensors.document }));
            file.insert_prefixed(&format!("link_{nth}"), tensors);
        }
        file.document = json!({ "input": self.input, "links": documents });
        file
    }

    /// Reads what [`Chain::to_tensors`] wrote.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, TensorFileError> {
        let malformed = |error: &dyn fmt::Display| TensorFileError::Malformed(error.to_string());
        let input: ImageInput =
            serde_json::from_value(file.document["input"].take()).map_err(|e| malformed(&e))?;
        let stored: Vec<StoredLink> =
            serde_json::from_value(file.document["links"].take()).map_err(|e| malformed(&e))?;
        let mut links = Vec::with_capacity(stored.len());
        for (nth, StoredLink { kind, document, layer }) in stored.into_iter().enumerate() {
            let mut tensors = file.take_prefixed(&format!("link_{nth}"));
            tensors.document = document;
            links.push(Arc::new(match kind.as_str() {
                "layer" => {
                    let network = Network::from_tensors(tensors).map_err(|e| malformed(&e))?;
                    Link::Layer { network: Arc::new(network), layer }
                }
                "hog" => {
                    let mut part = |name: &str| tensors.document[name].take();
                    let hog = serde_json::from_value(part("hog")).map_err(|e| malformed(&e))?;
                    let shape = serde_json::from_value(part("shape")).map_err(|e| malformed(&e))?;
                    Link::Hog { hog, shape }
                }
                "map" => Link::Map(read_transformer(tensors).map_err(|e| malformed(&e))?),
                "unit" => Link::Unit,
                other => return Err(malformed(&format!("no link of kind `{other}`"))),
            }));
        }
        Ok(Chain { input, links })
    }
}

impl Link {
    /// What it makes of rows.
    fn apply(&self, features: &Features, progress: &dyn Progress) -> Result<Features, ModelError> {
        Ok(match self {
            Link::Layer { network, layer } => {
                Features::Floats(network.layer_output(bytes(features)?.view(), layer)?)
            }
            Link::Hog { hog, shape } => {
                Features::Floats(hog.features(bytes(features)?.view(), *shape, progress)?)
            }
            Link::Map(map) => map.transform(features, progress)?,
            Link::Unit => match features {
                Features::Bytes(rows) => Features::Floats(rows.mapv(|v| f32::from(v) / 255.0)),
                Features::Floats(rows) => Features::Floats(rows.clone()),
            },
        })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Link::Layer { layer, .. } => write!(f, "layer {layer}"),
            Link::Hog { hog, .. } => write!(f, "{hog:?}"),
            Link::Map(map) => f.write_str(&map.label()),
            Link::Unit => f.write_str("unit"),
        }
    }
}

/// Rows of pixels, which layers and HOG read.
fn bytes(features: &Features) -> Result<&Array2<u8>, ModelError> {
    match features {
        Features::Bytes(rows) => Ok(rows),
        Features::Floats(_) => Err(ModelError::NotPixels),
    }
}
