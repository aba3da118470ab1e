//! Who computes a network: our kernels, or candle.

use super::architecture::Architecture;
use super::candle::Candle;
use super::error::NnError;
use super::ops::Buffers;
use super::params::Engine;
use super::plan::Plan;
use super::tape::{self, Gradients, Moment, Weights};
use crate::data::ImageShape;

/// A network's passes by one engine.
pub enum Backend<'a> {
    /// By our kernels.
    Native(&'a Plan),
    /// By candle's operations.
    Candle(Candle<'a>),
}

impl<'a> Backend<'a> {
    /// Of an architecture that is planned for images of `shape`.
    ///
    /// # Errors
    /// [`NnError::Device`] if the engine needs one that is not there.
    pub fn new(
        engine: Engine,
        architecture: &'a Architecture,
        plan: &'a Plan,
        shape: ImageShape,
    ) -> Result<Self, NnError> {
        Ok(match engine {
            Engine::Native => Backend::Native(plan),
            engine => Backend::Candle(Candle::new(engine, architecture, plan, shape)?),
        })
    }

    /// Loss and gradients of a batch, as [`tape::gradients`].
    pub fn gradients(
        &self,
        weights: &Weights,
        x: Vec<f32>,
        labels: &[usize],
        smoothing: f64,
        moment: Moment,
        buffers: &Buffers,
    ) -> Result<Gradients, NnError> {
        match self {
            Backend::Native(plan) => {
                Ok(tape::gradients(plan, weights, x, labels, smoothing, moment, buffers))
            }
            Backend::Candle(candle) => {
                let found = candle.gradients(weights, &x, labels, smoothing, moment)?;
                buffers.keep_floats(x);
                Ok(found)
            }
        }
    }

    /// Scores `[n, n_classes]` of `n` images, outside training.
    pub fn scores(
        &self,
        weights: &Weights,
        x: Vec<f32>,
        n: usize,
        buffers: &Buffers,
    ) -> Result<Vec<f32>, NnError> {
        match self {
            Backend::Native(plan) => {
                Ok(tape::infer(plan, plan.steps.len(), weights, x, n, buffers))
            }
            Backend::Candle(candle) => {
                let scores = candle.scores(weights, &x)?;
                buffers.keep_floats(x);
                Ok(scores)
            }
        }
    }
}
