//! Networks as lists of layers, read from TOML.
//!
//! ```toml
//! title = "CNN, one 3x3 convolution"
//!
//! [[layer]]
//! kind = "conv"      # filters, kernel (side), padding = "valid" (default) or "same"; stride 1
//! filters = 32
//! kernel = 3
//!
//! [[layer]]
//! kind = "relu"      # no parameters; so are `max_pool` (2x2, stride 2) and `flatten`
//!
//! [[layer]]
//! kind = "dropout"   # rate in [0, 1)
//! rate = 0.25
//!
//! [[layer]]
//! kind = "dense"     # units: a number, or "classes" for the last layer
//! units = "classes"
//! ```
//!
//! Layers are named by kind and count: `conv_1`, `relu_1`, `max_pool_1`, `dense_2`.

use serde::{Deserialize, Serialize};

use super::error::NnError;
use crate::data::ImageShape;
use crate::metrics::LayerRow;
use crate::nearest::nearest;

/// The shipped architectures, by name.
const SHIPPED: [(&str, &str); 8] = [
    ("a1", include_str!("architectures/a1.toml")),
    ("a3", include_str!("architectures/a3.toml")),
    ("a4", include_str!("architectures/a4.toml")),
    ("b1", include_str!("architectures/b1.toml")),
    ("b2", include_str!("architectures/b2.toml")),
    ("c1", include_str!("architectures/c1.toml")),
    ("c2", include_str!("architectures/c2.toml")),
    ("c3", include_str!("architectures/c3.toml")),
];

/// Alias of what enters the last dense layer.
const PENULTIMATE: &str = "penultimate";

/// Alias of what leaves the last pooling, flattened.
const LAST_POOL: &str = "last_pool";

/// A list of layers; shapes and the number of classes come with the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    name: String,
    title: String,
    layers: Vec<Layer>,
}

/// One layer with its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub name: String,
    pub spec: LayerSpec,
}

/// What a layer does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum LayerSpec {
    /// Convolution of stride 1 with a square kernel.
    Conv {
        filters: usize,
        kernel: usize,
        #[serde(default)]
        padding: Padding,
    },
    /// `max(x, 0)`.
    Relu {},
    /// Maximum over 2x2 windows, stride 2.
    MaxPool {},
    /// While training, zeroes a share `rate` of the values and scales the others up.
    Dropout { rate: f64 },
    /// Image to vector; height, width, channel order.
    Flatten {},
    /// Fully connected.
    Dense { units: Units },
}

/// Border of a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Padding {
    /// No border: the output is smaller by `kernel - 1`.
    #[default]
    Valid,
    /// A border of zeros keeps the size; an odd remainder goes to the end.
    Same,
}

/// Size of a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Units {
    /// This many.
    Count(usize),
    /// As many as the data have classes.
    Word(ClassesWord),
}

/// The word `classes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClassesWord {
    /// As many units as classes.
    Classes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    layer: Vec<LayerSpec>,
}

/// Shape of what flows between two layers, without the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Image(ImageShape),
    Vector(usize),
}

impl Flow {
    pub fn n_values(&self) -> usize {
        match self {
            Flow::Image(shape) => shape.n_pixels(),
            Flow::Vector(n) => *n,
        }
    }

    /// As summaries print it: channels, height, width; or features.
    fn dims(&self) -> Vec<usize> {
        match self {
            Flow::Image(shape) => vec![shape.channels, shape.height, shape.width],
            Flow::Vector(n) => vec![*n],
        }
    }

    fn describe(&self) -> String {
        match self {
            Flow::Image(shape) => {
                format!("{}x{} pixels of {} channels", shape.height, shape.width, shape.channels)
            }
            Flow::Vector(n) => format!("a vector of {n} values"),
        }
    }
}

impl Architecture {
    /// Names of the shipped architectures, sorted.
    pub fn names() -> Vec<String> {
        SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    /// A shipped architecture.
    ///
    /// # Errors
    /// [`NnError::UnknownArchitecture`] with the nearest name.
    pub fn named(name: &str) -> Result<Self, NnError> {
        match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            Some((_, text)) => Architecture::parse(name, text),
            None => {
                let known = Architecture::names();
                let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                Err(NnError::UnknownArchitecture { name: name.to_owned(), nearest, known })
            }
        }
    }

    /// An architecture from its TOML text.
    ///
    /// # Errors
    /// [`NnError::Syntax`] for text, keys or values that are not as the module describes.
    pub fn parse(name: &str, text: &str) -> Result<Self, NnError> {
        let syntax = |message: String| NnError::Syntax { name: name.to_owned(), message };
        let file: File = toml::from_str(text).map_err(|error| syntax(error.to_string()))?;
        let mut counts = std::collections::BTreeMap::new();
        let mut layers = Vec::with_capacity(file.layer.len());
        for spec in file.layer {
            let count = counts.entry(spec.kind()).or_insert(0usize);
            *count += 1;
            let layer = Layer { name: format!("{}_{count}", spec.kind()), spec };
            if let Some(problem) = spec.problem() {
                return Err(syntax(format!("layer `{}`: {problem}", layer.name)));
            }
            layers.push(layer);
        }
        if !matches!(layers.last().map(|layer| layer.spec), Some(LayerSpec::Dense { .. })) {
            return Err(syntax(
                "the last layer must be `dense`: it gives one score per class".into(),
            ));
        }
        Ok(Architecture { name: name.to_owned(), title: file.title, layers })
    }

    /// Name it was asked for by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The text that [`Architecture::parse`] reads.
    pub(super) fn to_toml(&self) -> Result<String, NnError> {
        let layer = self.layers.iter().map(|layer| layer.spec).collect();
        toml::to_string(&File { title: self.title.clone(), layer }).map_err(|error| {
            NnError::Syntax { name: self.name.clone(), message: error.to_string() }
        })
    }

    /// The rows of a summary, as Keras prints one.
    ///
    /// # Errors
    /// [`NnError::Shape`] as [`Architecture::check`].
    pub fn summary(&self, shape: ImageShape, n_classes: usize) -> Result<Vec<LayerRow>, NnError> {
        let flows = self.flows(shape, n_classes)?;
        let rows = self.layers.iter().zip(flows.windows(2)).map(|(layer, flow)| {
            let kind = match layer.spec {
                LayerSpec::Conv { kernel, .. } => format!("Conv2d {kernel}x{kernel}"),
                LayerSpec::Relu {} => "ReLU".to_owned(),
                LayerSpec::MaxPool {} => "MaxPool2d 2x2".to_owned(),
                LayerSpec::Dropout { rate } => format!("Dropout {rate}"),
                LayerSpec::Flatten {} => "Flatten".to_owned(),
                LayerSpec::Dense { .. } => "Dense".to_owned(),
            };
            let n_parameters = match (layer.spec, flow[0]) {
                (LayerSpec::Conv { filters, kernel, .. }, Flow::Image(image)) => {
                    (kernel * kernel * image.channels + 1) * filters
                }
                (LayerSpec::Dense { units }, flow) => {
                    (flow.n_values() + 1) * units.resolve(n_classes)
                }
                _ => 0,
            };
            LayerRow {
                layer: format!("{} ({kind})", layer.name),
                output_shape: flow[1].dims(),
                n_parameters,
            }
        });
        Ok(rows.collect())
    }

    /// Checks that every layer can take what the one before gives.
    ///
    /// # Errors
    /// [`NnError::Shape`]: which layer, what arrives, what it needs.
    pub fn check(&self, shape: ImageShape, n_classes: usize) -> Result<(), NnError> {
        self.flows(shape, n_classes).map(|_| ())
    }

    /// The layer that `layer` names or stands for.
    pub(super) fn resolve(&self, layer: &str) -> Result<String, NnError> {
        let names: Vec<&str> = self.layers.iter().map(|layer| layer.name.as_str()).collect();
        let found = match layer {
            PENULTIMATE => names.len().checked_sub(2).map(|i| names[i]),
            LAST_POOL => names.iter().rev().find(|name| name.starts_with("max_pool_")).copied(),
            name => names.iter().find(|known| **known == name).copied(),
        };
        found.map(str::to_owned).ok_or_else(|| {
            let known: Vec<String> =
                names.iter().chain(&[PENULTIMATE, LAST_POOL]).map(|n| (*n).to_owned()).collect();
            NnError::UnknownLayer {
                architecture: self.name.clone(),
                layer: layer.to_owned(),
                nearest: nearest(layer, known.iter().map(String::as_str))
                    .filter(|name| *name != layer)
                    .map(str::to_owned),
                known,
            }
        })
    }

    /// Values that a layer, named as in [`super::Network::layer_output`], gives for an image.
    ///
    /// # Errors
    /// No such layer, or images that the architecture cannot take.
    pub fn n_outputs(
        &self,
        layer: &str,
        shape: ImageShape,
        n_classes: usize,
    ) -> Result<usize, NnError> {
        let name = self.resolve(layer)?;
        let flows = self.flows(shape, n_classes)?;
        let mut outputs = self.layers.iter().zip(flows.iter().skip(1));
        let output = outputs.find(|(layer, _)| layer.name == name);
        Ok(output.map_or(0, |(_, flow)| flow.n_values()))
    }

    /// What enters each layer, and last what leaves the network.
    pub(super) fn flows(&self, shape: ImageShape, n_classes: usize) -> Result<Vec<Flow>, NnError> {
        let mut flows = vec![Flow::Image(shape)];
        let mut flow = Flow::Image(shape);
        for layer in &self.layers {
            flow = layer.spec.output(flow, n_classes).map_err(|expected| NnError::Shape {
                architecture: self.name.clone(),
                layer: layer.name.clone(),
                found: flow.describe(),
                expected,
            })?;
            flows.push(flow);
        }
        if flow != Flow::Vector(n_classes) {
            return Err(NnError::Shape {
                architecture: self.name.clone(),
                layer: "output".into(),
                found: flow.describe(),
                expected: format!("one value for each of {n_classes} classes"),
            });
        }
        Ok(flows)
    }
}

impl Units {
    pub fn resolve(&self, n_classes: usize) -> usize {
        match self {
            Units::Count(count) => *count,
            Units::Word(ClassesWord::Classes) => n_classes,
        }
    }
}

impl LayerSpec {
    fn kind(&self) -> &'static str {
        match self {
            LayerSpec::Conv { .. } => "conv",
            LayerSpec::Relu {} => "relu",
            LayerSpec::MaxPool {} => "max_pool",
            LayerSpec::Dropout { .. } => "dropout",
            LayerSpec::Flatten {} => "flatten",
            LayerSpec::Dense { .. } => "dense",
        }
    }

    /// What is wrong with the layer's own values.
    fn problem(&self) -> Option<String> {
        match *self {
            LayerSpec::Conv { filters, .. } if !(1..=4096).contains(&filters) => {
                Some(format!("`filters` is {filters}, must be 1 to 4096"))
            }
            LayerSpec::Conv { kernel, .. } if !(1..=31).contains(&kernel) => {
                Some(format!("`kernel` is {kernel}, must be 1 to 31"))
            }
            LayerSpec::Dropout { rate } if !(0.0..1.0).contains(&rate) => {
                Some(format!("`rate` is {rate}, must be at least 0 and below 1"))
            }
            LayerSpec::Dense { units: Units::Count(units) } if !(1..=65536).contains(&units) => {
                Some(format!("`units` is {units}, must be 1 to 65536"))
            }
            _ => None,
        }
    }

    /// What leaves the layer, or what it would need.
    fn output(&self, flow: Flow, n_classes: usize) -> Result<Flow, String> {
        match (*self, flow) {
            (LayerSpec::Conv { filters, kernel, padding }, Flow::Image(image)) => {
                let border = if padding == Padding::Same { kernel - 1 } else { 0 };
                let side = |n: usize| {
                    (n + border + 1)
                        .checked_sub(kernel)
                        .filter(|side| *side > 0 && n > 0)
                        .ok_or_else(|| format!("at least {kernel}x{kernel} pixels"))
                };
                let (height, width) = (side(image.height)?, side(image.width)?);
                Ok(Flow::Image(ImageShape { height, width, channels: filters }))
            }
            (LayerSpec::MaxPool {}, Flow::Image(image)) => {
                let (height, width) = (image.height / 2, image.width / 2);
                if height == 0 || width == 0 {
                    return Err("at least 2x2 pixels".into());
                }
                Ok(Flow::Image(ImageShape { height, width, channels: image.channels }))
            }
            (LayerSpec::Conv { .. } | LayerSpec::MaxPool {}, Flow::Vector(_)) => {
                Err("an image; put it before `flatten`".into())
            }
            (LayerSpec::Flatten {}, flow) => Ok(Flow::Vector(flow.n_values())),
            (LayerSpec::Dense { units }, Flow::Vector(_)) => {
                Ok(Flow::Vector(units.resolve(n_classes)))
            }
            (LayerSpec::Dense { .. }, Flow::Image(_)) => {
                Err("a vector; put `flatten` before it".into())
            }
            (LayerSpec::Relu {} | LayerSpec::Dropout { .. }, flow) => Ok(flow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAY: ImageShape = ImageShape { height: 28, width: 28, channels: 1 };

    #[test]
    fn published_parameter_counts_are_met() {
        for (name, expected) in [("a1", 591_786), ("a3", 693_962), ("c1", 693_962)] {
            let rows = Architecture::named(name).unwrap().summary(GRAY, 10).unwrap();
            let total: usize = rows.iter().map(|row| row.n_parameters).sum();
            assert_eq!(total, expected, "{name}");
        }
    }

    #[test]
    fn every_shipped_architecture_fits_gray_28x28_and_survives_its_own_text() {
        for name in Architecture::names() {
            let architecture = Architecture::named(&name).unwrap();
            architecture.check(GRAY, 10).unwrap();
            let text = architecture.to_toml().unwrap();
            assert_eq!(Architecture::parse(&name, &text).unwrap(), architecture);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let error = Architecture::named("a33").unwrap_err();
        assert_eq!(error.to_string(), "unknown architecture `a33`");
        assert!(error.hint().unwrap().starts_with("did you mean `a3`?"), "{:?}", error.hint());
    }

    #[test]
    fn images_too_small_for_a_layer_are_refused_by_its_name() {
        let tiny = ImageShape { height: 8, width: 8, channels: 1 };
        let error = Architecture::named("a4").unwrap().check(tiny, 10).unwrap_err();
        assert_eq!(
            error.to_string(),
            "architecture `a4`: layer `max_pool_2` gets 1x1 pixels of 64 channels, \
             needs at least 2x2 pixels"
        );
    }

    #[test]
    fn text_with_unknown_keys_or_bad_values_is_refused() {
        for (text, part) in [
            ("title = \"x\"\n[[layer]]\nkind = \"dense\"\nunits = 3\nsize = 1\n", "size"),
            ("title = \"x\"\n[[layer]]\nkind = \"dens\"\n", "dens"),
            ("title = \"x\"\n[[layer]]\nkind = \"dropout\"\nrate = 1.0\n", "`rate` is 1"),
            (
                "title = \"x\"\n[[layer]]\nkind = \"conv\"\nfilters = 0\nkernel = 3\n",
                "`filters` is 0",
            ),
            ("title = \"x\"\nlayer = []\n", "last layer"),
        ] {
            let error = Architecture::parse("x", text).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
