//! Networks as lists of layers, read from TOML.
//!
//! ```toml
//! title = "CNN, one 3x3 convolution"
//!
//! [[layer]]
//! kind = "conv"      # filters, kernel (side); padding = "valid" (default), "same" or zeros on each
//! filters = 32       # side; stride = 1; bias = true; l1 and l2: penalties on the kernel
//! kernel = 3
//!
//! [[layer]]
//! kind = "relu"      # no parameters
//!
//! [[layer]]
//! kind = "residual"  # body(x) + shortcut(x); without a shortcut, body(x) + x
//!
//! [[layer.body]]
//! kind = "conv"
//! filters = 32
//! kernel = 3
//! padding = "same"
//!
//! [[layer]]
//! kind = "dense"     # units: a number, or "classes" for the last layer; bias, l1, l2 as `conv`
//! units = "classes"
//! ```
//!
//! | kind | parameters |
//! |---|---|
//! | `normalize` | `mean`, `std`: first layer only, `(pixel / 255 - mean) / std` |
//! | `batch_norm` | `momentum = 0.1`, `eps = 1e-5`, as PyTorch means them |
//! | `max_pool`, `avg_pool` | `size = 2`, `stride = size` |
//! | `global_avg_pool` | none; gives a vector |
//! | `dropout` | `rate` in [0, 1) |
//! | `flatten` | none; image to vector |
//!
//! Layers are named by kind and count over the whole file, a body before its shortcut before the
//! `residual` itself: `conv_1`, `batch_norm_1`, `residual_1`, `dense_2`.

mod layer;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::NnError;
use crate::data::ImageShape;
use crate::metrics::LayerRow;
use crate::nearest::nearest;

pub(super) use layer::{Flow, LayerSpec, Penalty, conv_shape, windows};

/// The shipped architectures, by name.
const SHIPPED: [(&str, &str); 20] = [
    ("a1", include_str!("architectures/a1.toml")),
    ("a3", include_str!("architectures/a3.toml")),
    ("a4", include_str!("architectures/a4.toml")),
    ("b1", include_str!("architectures/b1.toml")),
    ("b2", include_str!("architectures/b2.toml")),
    ("c1", include_str!("architectures/c1.toml")),
    ("c13", include_str!("architectures/c13.toml")),
    ("c2", include_str!("architectures/c2.toml")),
    ("c3", include_str!("architectures/c3.toml")),
    ("c4", include_str!("architectures/c4.toml")),
    ("c5", include_str!("architectures/c5.toml")),
    ("champion", include_str!("architectures/champion.toml")),
    ("d1", include_str!("architectures/d1.toml")),
    ("d2", include_str!("architectures/d2.toml")),
    ("e", include_str!("architectures/e.toml")),
    ("e_l1", include_str!("architectures/e_l1.toml")),
    ("e_l2", include_str!("architectures/e_l2.toml")),
    ("e_plain", include_str!("architectures/e_plain.toml")),
    ("resnet_small", include_str!("architectures/resnet_small.toml")),
    ("vgg_narrow", include_str!("architectures/vgg_narrow.toml")),
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

/// One layer with its name; `body` and `shortcut` are those of a `residual`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub name: String,
    pub spec: LayerSpec,
    pub body: Vec<Layer>,
    pub shortcut: Vec<Layer>,
}

/// A layer with what enters and what leaves it.
pub(super) struct Traced<'a> {
    pub layer: &'a Layer,
    pub input: Flow,
    pub output: Flow,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    layer: Vec<LayerSpec>,
}

impl Layer {
    /// Names `specs`, counting on in `counts`.
    fn list(
        specs: &[LayerSpec],
        counts: &mut BTreeMap<&'static str, usize>,
    ) -> Result<Vec<Layer>, String> {
        let mut layers = Vec::with_capacity(specs.len());
        for spec in specs {
            let (body, shortcut) = match spec {
                LayerSpec::Residual { body, shortcut } => {
                    (Layer::list(body, counts)?, Layer::list(shortcut, counts)?)
                }
                _ => (Vec::new(), Vec::new()),
            };
            let count = counts.entry(spec.kind()).or_insert(0usize);
            *count += 1;
            let name = format!("{}_{count}", spec.kind());
            if let Some(problem) = spec.problem() {
                return Err(format!("layer `{name}`: {problem}"));
            }
            layers.push(Layer { name, spec: spec.clone(), body, shortcut });
        }
        Ok(layers)
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
        let layers = Layer::list(&file.layer, &mut BTreeMap::new()).map_err(syntax)?;
        if !matches!(layers.last().map(|layer| &layer.spec), Some(LayerSpec::Dense { .. })) {
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
        let layer = self.layers.iter().map(|layer| layer.spec.clone()).collect();
        toml::to_string(&File { title: self.title.clone(), layer }).map_err(|error| {
            NnError::Syntax { name: self.name.clone(), message: error.to_string() }
        })
    }

    /// The rows of a summary, as Keras prints one.
    ///
    /// # Errors
    /// [`NnError::Shape`] as [`Architecture::check`].
    pub fn summary(&self, shape: ImageShape, n_classes: usize) -> Result<Vec<LayerRow>, NnError> {
        let rows = self.trace(shape, n_classes)?.into_iter().map(|traced| LayerRow {
            layer: format!("{} ({})", traced.layer.name, traced.layer.spec.describe()),
            output_shape: traced.output.dims(),
            n_parameters: traced.layer.spec.n_parameters(traced.input, n_classes),
        });
        Ok(rows.collect())
    }

    /// Checks that every layer can take what the one before gives.
    ///
    /// # Errors
    /// [`NnError::Shape`]: which layer, what arrives, what it needs.
    pub fn check(&self, shape: ImageShape, n_classes: usize) -> Result<(), NnError> {
        self.trace(shape, n_classes).map(|_| ())
    }

    /// The layer that `layer` names or stands for.
    pub(super) fn resolve(&self, layer: &str) -> Result<String, NnError> {
        let mut names: Vec<&str> = Vec::new();
        collect_names(&self.layers, &mut names);
        let found = match layer {
            PENULTIMATE => self.layers.len().checked_sub(2).map(|i| self.layers[i].name.as_str()),
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
        let traced = self.trace(shape, n_classes)?;
        let found = traced.iter().find(|traced| traced.layer.name == name);
        Ok(found.map_or(0, |traced| traced.output.n_values()))
    }

    /// Every layer with its shapes, in the order of their names.
    pub(super) fn trace(
        &self,
        shape: ImageShape,
        n_classes: usize,
    ) -> Result<Vec<Traced<'_>>, NnError> {
        let mut traced = Vec::new();
        let flow = self.trace_list(&self.layers, Flow::Image(shape), n_classes, &mut traced)?;
        if flow != Flow::Vector(n_classes) {
            return Err(NnError::Shape {
                architecture: self.name.clone(),
                layer: "output".into(),
                found: flow.describe(),
                expected: format!("one value for each of {n_classes} classes"),
            });
        }
        Ok(traced)
    }

    fn trace_list<'a>(
        &'a self,
        layers: &'a [Layer],
        input: Flow,
        n_classes: usize,
        traced: &mut Vec<Traced<'a>>,
    ) -> Result<Flow, NnError> {
        let mut flow = input;
        for layer in layers {
            let refused = |found: Flow, expected: String| NnError::Shape {
                architecture: self.name.clone(),
                layer: layer.name.clone(),
                found: found.describe(),
                expected,
            };
            let input = flow;
            if matches!(layer.spec, LayerSpec::Residual { .. }) {
                flow = self.trace_list(&layer.body, input, n_classes, traced)?;
                let other = self.trace_list(&layer.shortcut, input, n_classes, traced)?;
                if flow != other {
                    let expected = format!("{} from both branches", flow.describe());
                    return Err(refused(other, expected));
                }
            } else if matches!(layer.spec, LayerSpec::Normalize { .. })
                && !std::ptr::eq(layer, &self.layers[0])
            {
                return Err(refused(input, "to be the first layer".into()));
            } else {
                flow = layer
                    .spec
                    .output(input, n_classes)
                    .map_err(|expected| refused(input, expected))?;
            }
            traced.push(Traced { layer, input, output: flow });
        }
        Ok(flow)
    }
}

fn collect_names<'a>(layers: &'a [Layer], names: &mut Vec<&'a str>) {
    for layer in layers {
        collect_names(&layer.body, names);
        collect_names(&layer.shortcut, names);
        names.push(&layer.name);
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
