//! What a network sees in an image: activation maps, filters, and Grad-CAM (Selvaraju et al., ICCV 2017).
//!
//! Everything is computed as in inference: batch normalisation by its running statistics, nothing
//! dropped, in `f32` whatever the precision of the training.
//!
//! ```text
//! a_k = mean over positions of dy / dA_k        y: score of a class, A_k: map k of a layer
//! map = max(0, sum_k a_k A_k)                   section 3 of the paper
//! ```

use ndarray::{Array2, Array3, Array4, ArrayView1, ArrayView2, Axis};

use super::architecture::{Flow, LayerSpec};
use super::error::NnError;
use super::network::{Network, images};
use super::ops::Buffers;
use super::plan::{Fusion, Plan};
use super::tape::{self, Stretch};
use crate::data::ImageShape;

/// What a heat map speaks for.
#[derive(Clone, Copy, Debug)]
pub enum Toward<'a> {
    /// The network's own score of a class, before the softmax.
    Class(usize),
    /// A weighted sum of what a layer gives, such as the decision of a linear classifier on features.
    Features {
        /// Layer, named as in [`Network::layer_output`].
        layer: &'a str,
        /// `[n_values]` of the layer.
        weights: &'a [f32],
    },
}

impl Network {
    /// Names of the convolutions, in their order.
    pub fn convolutions(&self) -> Vec<String> {
        self.layers_that(|spec, _| matches!(spec, LayerSpec::Conv { .. }))
    }

    /// Names of the layers that give images of more than one pixel, in their order.
    pub fn image_layers(&self) -> Vec<String> {
        self.layers_that(|_, output| area(output) > 1)
    }

    /// What `layer` gives for one image, `[height, width, channels]`; any layer that gives images, by
    /// its name (`conv_1`, `relu_2`, `residual_1`).
    ///
    /// # Errors
    /// [`NnError::UnknownLayer`], [`NnError::NoMaps`], [`NnError::PixelCount`].
    pub fn activation_maps(
        &self,
        image: ArrayView1<'_, u8>,
        layer: &str,
    ) -> Result<Array3<f32>, NnError> {
        let (_, shape) = self.maps_of(layer)?;
        let values = self.layer_output(image.insert_axis(Axis(0)), layer)?;
        maps(values.into_raw_vec_and_offset().0, shape)
    }

    /// Kernels of a convolution, `[height, width, in_channels, n_filters]`.
    ///
    /// # Errors
    /// [`NnError::UnknownLayer`], [`NnError::NoFilters`].
    pub fn filters(&self, layer: &str) -> Result<Array4<f32>, NnError> {
        let name = self.architecture.resolve(layer)?;
        let weight = format!("{name}.weight");
        let found = self.parameters().find(|(parameter, _)| parameter.name == weight);
        let kernel = found.and_then(|(parameter, values)| match parameter.shape[..] {
            [height, width, n_in, n_filters] => {
                Array4::from_shape_vec((height, width, n_in, n_filters), values.to_vec()).ok()
            }
            _ => None,
        });
        kernel.ok_or_else(|| NnError::NoFilters {
            architecture: self.architecture.name().to_owned(),
            layer: name,
            known: self.convolutions(),
        })
    }

    /// Grad-CAM of one image at the size of the image, `[height, width]`, not negative: what in the
    /// picture raised the score. Read at `layer`, or by default at what the last convolution gives
    /// after its normalisation, rectifier and residual sum: the finest map that still knows classes.
    ///
    /// # Errors
    /// [`NnError::UnknownLayer`]; [`NnError::NoMaps`] if the layer (or, without one, any) gives no
    /// image; [`NnError::OutOfRange`] for a class or weights that the network does not have, or a
    /// layer behind the one whose features are weighted; [`NnError::PixelCount`].
    /// # Cost
    /// A pass forward and the part of one backward behind the layer.
    pub fn grad_cam(
        &self,
        image: ArrayView1<'_, u8>,
        toward: Toward<'_>,
        layer: Option<&str>,
    ) -> Result<Array2<f32>, NnError> {
        let coarse = self.coarse_grad_cam(image, toward, layer)?;
        Ok(enlarged(coarse.view(), (self.shape.height, self.shape.width)))
    }

    /// [`Network::grad_cam`] at the size of the layer's maps.
    pub(super) fn coarse_grad_cam(
        &self,
        image: ArrayView1<'_, u8>,
        toward: Toward<'_>,
        layer: Option<&str>,
    ) -> Result<Array2<f32>, NnError> {
        let plan = Plan::new(&self.architecture, self.shape, self.n_classes, Fusion::Off)?;
        let (from, slope) = self.slope(&plan, toward)?;
        let (to, shape) = match layer {
            Some(layer) => {
                let (name, shape) = self.maps_of(layer)?;
                (plan.value_of(&name).unwrap_or_default(), shape)
            }
            None => self.last_maps(&plan, from)?,
        };
        if to > from {
            return Err(NnError::OutOfRange {
                parameter: "layer",
                found: layer.unwrap_or_default().to_owned(),
                expected: "a layer before the one whose features are weighted",
            });
        }
        let buffers = Buffers::default();
        let pixels = image.insert_axis(Axis(0));
        let x = images(pixels, &[0], self.shape.n_pixels(), plan.pixels, None, &buffers)?;
        let stretch = Stretch { from, to };
        let (values, gradient) =
            tape::pull_back(&plan, &self.weights, (x, 1), stretch, slope, &buffers);
        let (values, gradient) = (maps(values, shape)?, maps(gradient, shape)?);
        let n_positions = (shape.height * shape.width) as f32;
        let weights = gradient.sum_axis(Axis(0)).sum_axis(Axis(0)) / n_positions;
        Ok(values.map_axis(Axis(2), |of_position| of_position.dot(&weights).max(0.0)))
    }

    /// The value that a gradient starts from, and the gradient there.
    fn slope(&self, plan: &Plan, toward: Toward<'_>) -> Result<(usize, Vec<f32>), NnError> {
        match toward {
            Toward::Class(class) if class < self.n_classes => {
                let mut slope = vec![0.0; self.n_classes];
                slope[class] = 1.0;
                Ok((plan.steps.len(), slope))
            }
            Toward::Class(class) => Err(NnError::OutOfRange {
                parameter: "class",
                found: class.to_string(),
                expected: "below the number of classes",
            }),
            Toward::Features { layer, weights } => {
                let name = self.architecture.resolve(layer)?;
                let value = plan.value_of(&name).unwrap_or_default();
                if plan.n_values(value) != weights.len() {
                    return Err(NnError::OutOfRange {
                        parameter: "weights",
                        found: weights.len().to_string(),
                        expected: "as many as the layer gives values",
                    });
                }
                Ok((value, weights.to_vec()))
            }
        }
    }

    /// What the last convolution before the value `from` gives, rectified and summed.
    fn last_maps(&self, plan: &Plan, from: usize) -> Result<(usize, ImageShape), NnError> {
        let traced = self.architecture.trace(self.shape, self.n_classes)?;
        let found = traced.iter().rev().find_map(|traced| {
            let is_read = matches!(
                traced.layer.spec,
                LayerSpec::Conv { .. }
                    | LayerSpec::BatchNorm { .. }
                    | LayerSpec::Relu {}
                    | LayerSpec::Residual { .. }
            );
            let value = plan.value_of(&traced.layer.name).filter(|&value| value <= from)?;
            match traced.output {
                Flow::Image(shape) if is_read && area(traced.output) > 1 => Some((value, shape)),
                _ => None,
            }
        });
        found.ok_or_else(|| NnError::NoMaps {
            architecture: self.architecture.name().to_owned(),
            layer: "any".to_owned(),
            found: "a vector".to_owned(),
            known: Vec::new(),
        })
    }

    /// The name of a layer that gives images, and their shape.
    fn maps_of(&self, layer: &str) -> Result<(String, ImageShape), NnError> {
        let name = self.architecture.resolve(layer)?;
        let traced = self.architecture.trace(self.shape, self.n_classes)?;
        match traced.iter().find(|traced| traced.layer.name == name).map(|traced| traced.output) {
            Some(Flow::Image(shape)) => Ok((name, shape)),
            other => Err(NnError::NoMaps {
                architecture: self.architecture.name().to_owned(),
                layer: name,
                found: other.map_or_else(|| "nothing".to_owned(), |flow| flow.describe()),
                known: self.image_layers(),
            }),
        }
    }

    fn layers_that(&self, is_wanted: impl Fn(&LayerSpec, Flow) -> bool) -> Vec<String> {
        let traced = self.architecture.trace(self.shape, self.n_classes).unwrap_or_default();
        let wanted = traced.iter().filter(|traced| is_wanted(&traced.layer.spec, traced.output));
        wanted.map(|traced| traced.layer.name.clone()).collect()
    }
}

/// Positions of an image; 0 of a vector.
fn area(flow: Flow) -> usize {
    match flow {
        Flow::Image(shape) => shape.height * shape.width,
        Flow::Vector(_) => 0,
    }
}

/// The values of one image as maps.
fn maps(values: Vec<f32>, shape: ImageShape) -> Result<Array3<f32>, NnError> {
    let n_found = values.len();
    Array3::from_shape_vec((shape.height, shape.width, shape.channels), values).map_err(|_| {
        let problem = format!("{n_found} values for {}", Flow::Image(shape).describe());
        NnError::Weights { problem }
    })
}

/// A map at another size, by bilinear interpolation between the centres of its values (PyTorch's
/// `interpolate` without `align_corners`); constant beyond the outermost centres.
///
/// # Shapes   `map`: [height, width], at least 1x1; the result: `size`
pub fn enlarged(map: ArrayView2<'_, f32>, size: (usize, usize)) -> Array2<f32> {
    /// Where position `i` of `n_to` lies among `n_from`: the two values around it, and its way between.
    fn between(i: usize, n_to: usize, n_from: usize) -> (usize, usize, f32) {
        let at = (i as f64 + 0.5) * n_from as f64 / n_to as f64 - 0.5;
        let at = at.clamp(0.0, (n_from - 1) as f64);
        let low = at.floor() as usize;
        (low, (low + 1).min(n_from - 1), (at - low as f64) as f32)
    }
    let (height, width) = map.dim();
    Array2::from_shape_fn(size, |(y, x)| {
        let (top, bottom, down) = between(y, size.0, height);
        let (left, right, along) = between(x, size.1, width);
        let line = |y: usize| map[[y, left]] * (1.0 - along) + map[[y, right]] * along;
        line(top) * (1.0 - down) + line(bottom) * down
    })
}
