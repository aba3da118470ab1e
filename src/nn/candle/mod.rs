//! The same networks run by candle: its tensors, its operations, its automatic differentiation.
//!
//! An oracle for our kernels, a rival to compare with, and the way to a GPU. Weights and optimiser
//! stay ours: each pass takes the weights along and brings gradients back.
//!
//! Images are `[n, channels, height, width]` inside; weights keep our layout, the change of layout is
//! part of what is differentiated.

mod operations;
#[cfg(test)]
mod tests;

use candle_core::{Device, Result, Tensor, Var};

use super::architecture::{Architecture, Layer, LayerSpec, conv_shape};
use super::error::NnError;
use super::ops::{Buffers, cross_entropy, dropout};
use super::params::Engine;
use super::plan::Plan;
use super::tape::{Gradients, Moment, Weights};
use crate::data::ImageShape;

/// A network on a device.
pub struct Candle<'a> {
    architecture: &'a Architecture,
    plan: &'a Plan,
    shape: ImageShape,
    device: Device,
}

impl<'a> Candle<'a> {
    /// Finds the device.
    ///
    /// # Errors
    /// [`NnError::Device`] if the program was built without CUDA, or there is no device.
    pub fn new(
        engine: Engine,
        architecture: &'a Architecture,
        plan: &'a Plan,
        shape: ImageShape,
    ) -> std::result::Result<Self, NnError> {
        let device = match engine {
            Engine::CandleCuda => {
                Device::new_cuda(0).map_err(|source| NnError::Device { source })?
            }
            Engine::Native | Engine::Candle => Device::Cpu,
        };
        Ok(Candle { architecture, plan, shape, device })
    }

    /// Scores `[n, n_classes]` of images `[n, n_pixels]`, outside training.
    pub fn scores(&self, weights: &Weights, x: &[f32]) -> Result<Vec<f32>> {
        let weights = self.weights(weights)?;
        Walk::new(self.plan, &weights, None).scores(self, x)?.flatten_all()?.to_vec1()
    }

    /// As [`super::tape::gradients`].
    pub fn gradients(
        &self,
        weights: &Weights,
        x: &[f32],
        labels: &[usize],
        smoothing: f64,
        moment: Moment,
    ) -> Result<Gradients> {
        let vars = self.weights(weights)?.into_iter().map(|tensor| Var::from_tensor(&tensor));
        let vars: Vec<Var> = vars.collect::<Result<_>>()?;
        let weights: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let mut walk = Walk::new(self.plan, &weights, Some(moment));
        let scores = walk.scores(self, x)?;
        let loss = cross_entropy(&scores.flatten_all()?.to_vec1::<f32>()?, labels, smoothing);
        let grad = Tensor::from_vec(loss.gradient, scores.dims(), &self.device)?;
        let store = scores.mul(&grad)?.sum_all()?.backward()?;
        let grads = vars.iter().map(|var| match store.get(var) {
            Some(grad) => grad.flatten_all()?.to_vec1(),
            None => Ok(Vec::new()),
        });
        let running = walk.running.iter().map(|(at, values)| Ok((*at, values.to_vec1()?)));
        Ok(Gradients {
            loss_sum: loss.sum,
            n_right: loss.n_right,
            grads: grads.collect::<Result<_>>()?,
            running: running.collect::<Result<_>>()?,
        })
    }

    fn images(&self, x: &[f32]) -> Result<Tensor> {
        let ImageShape { height, width, channels } = self.shape;
        let n = x.len() / self.shape.n_pixels();
        let x = Tensor::from_slice(x, (n, height, width, channels), &self.device)?;
        x.permute((0, 3, 1, 2))?.contiguous()
    }

    fn weights(&self, weights: &Weights) -> Result<Vec<Tensor>> {
        let parameters = self.plan.parameters.iter().zip(weights);
        let tensors = parameters.map(|(parameter, values)| {
            Tensor::from_slice(values, parameter.shape.as_slice(), &self.device)
        });
        tensors.collect()
    }
}

/// A pass over the layers; parameters are met in the order of the plan.
struct Walk<'a> {
    plan: &'a Plan,
    weights: &'a [Tensor],
    next: usize,
    /// While training.
    moment: Option<Moment>,
    /// Running statistics after this batch, by position.
    running: Vec<(usize, Tensor)>,
}

impl<'a> Walk<'a> {
    fn new(plan: &'a Plan, weights: &'a [Tensor], moment: Option<Moment>) -> Self {
        Walk { plan, weights, next: 0, moment, running: Vec::new() }
    }

    fn scores(&mut self, network: &Candle<'_>, x: &[f32]) -> Result<Tensor> {
        self.layers(network.architecture.layers(), network.images(x)?)
    }

    fn parameter(&mut self) -> &'a Tensor {
        self.next += 1;
        &self.weights[self.next - 1]
    }

    fn layers(&mut self, layers: &[Layer], x: Tensor) -> Result<Tensor> {
        layers.iter().try_fold(x, |x, layer| self.layer(layer, x))
    }

    fn layer(&mut self, layer: &Layer, x: Tensor) -> Result<Tensor> {
        match &layer.spec {
            // The batch comes normalised.
            LayerSpec::Normalize { .. } => Ok(x),
            LayerSpec::Conv { filters, kernel, padding, stride, bias, .. } => {
                let (_, channels, height, width) = x.dims4()?;
                let image = ImageShape { height, width, channels };
                let shape = conv_shape(image, (*filters, *kernel), *padding, *stride);
                let border = (shape.pad_before, shape.pad_after);
                let weights = self.parameter();
                let bias = bias.then(|| self.parameter());
                operations::conv(&x, weights, bias, border, *stride)
            }
            LayerSpec::Dense { bias, .. } => {
                let y = x.matmul(self.parameter())?;
                if *bias { y.broadcast_add(self.parameter()) } else { Ok(y) }
            }
            LayerSpec::BatchNorm { momentum, eps } => self.batch_norm(&x, *momentum, *eps),
            LayerSpec::Relu {} => operations::relu(&x),
            LayerSpec::MaxPool { size, stride } => {
                operations::max_pool(&x, *size, stride.unwrap_or(*size))
            }
            LayerSpec::AvgPool { size, stride } => {
                operations::avg_pool(&x, *size, stride.unwrap_or(*size))
            }
            LayerSpec::GlobalAvgPool {} => operations::global_avg_pool(&x),
            LayerSpec::Flatten {} => operations::flatten(&x),
            LayerSpec::Dropout { rate } => self.dropout(&layer.name, &x, *rate),
            LayerSpec::Residual { .. } => {
                let y = self.layers(&layer.body, x.clone())?;
                y + self.layers(&layer.shortcut, x)?
            }
        }
    }

    fn batch_norm(&mut self, x: &Tensor, momentum: f64, eps: f64) -> Result<Tensor> {
        let is_frozen = !self.plan.parameters[self.next].is_trained;
        let affine = (self.parameter(), self.parameter());
        let position = self.next;
        let running = [self.parameter(), self.parameter()];
        if self.moment.is_none() || is_frozen {
            return operations::normalise(x, (running[0], running[1]), affine, eps);
        }
        let (mean, variance) = operations::moments(x)?;
        // The running variance is the unbiased one.
        let n = (x.elem_count() / mean.elem_count()) as f64;
        let found = [mean.detach(), (variance.detach() * (n / (n.max(2.0) - 1.0)))?];
        for (i, (running, found)) in running.into_iter().zip(found).enumerate() {
            let moved = ((running.detach() * (1.0 - momentum))? + (found * momentum)?)?;
            self.running.push((position + i, moved));
        }
        operations::normalise(x, (&mean, &variance), affine, eps)
    }

    /// Drops what our kernels drop.
    fn dropout(&self, layer: &str, x: &Tensor, rate: f64) -> Result<Tensor> {
        let Some(Moment { seed, epoch, batch }) = self.moment else { return Ok(x.clone()) };
        let (ones, purpose) = (vec![1.0; x.elem_count()], format!("{layer} {epoch} {batch}"));
        let (mask, _) = dropout::forward(&ones, rate, seed, &purpose, &Buffers::default());
        let mask = Tensor::from_vec(mask, x.elem_count(), x.device())?;
        x.mul(&operations::unflatten(&mask, x)?)
    }
}
