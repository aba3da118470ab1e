//! Steps of gradient descent on the weights, in place, with a state that can be saved.

use std::sync::Mutex;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};
use rayon::prelude::*;

use super::ops::with_values;
use super::params::{Optimizer, TrainParams};
use crate::kernels::Cpu;
use crate::kernels::nn::adam::{AdamStep, SgdStep, adam, sgd};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;
/// Values per parallel task.
const N_PER_TASK: usize = 32_768;

/// Steps taken and the moments of every parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Steps taken.
    pub n_steps: u64,
    /// First moments (Adam) or velocities (SGD).
    pub m: Vec<Vec<f32>>,
    /// Second moments; unused by SGD.
    pub v: Vec<Vec<f32>>,
}

impl State {
    /// The state before the first step.
    pub fn new(sizes: impl Iterator<Item = usize>) -> Self {
        let m: Vec<Vec<f32>> = sizes.map(|n| vec![0.0; n]).collect();
        State { n_steps: 0, v: m.clone(), m }
    }

    /// Takes one step.
    pub fn step(
        &mut self,
        params: &TrainParams,
        weights: &[Tensor],
        grads: &[Tensor],
    ) -> Result<()> {
        self.n_steps += 1;
        let rule = Rule::new(params, self.n_steps);
        let moments = self.m.iter_mut().zip(self.v.iter_mut());
        for ((weights, grad), moments) in weights.iter().zip(grads).zip(moments) {
            weights.inplace_op1(&Step { rule, grad, moments: Mutex::new(moments) })?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Rule {
    Adam(AdamStep),
    Sgd(SgdStep),
}

impl Rule {
    fn new(params: &TrainParams, n_steps: u64) -> Self {
        let (learning_rate, decay) = (params.learning_rate, params.weight_decay);
        let is_decoupled = params.optimizer == Optimizer::AdamW;
        if let Optimizer::Sgd { momentum } = params.optimizer {
            return Rule::Sgd(SgdStep {
                learning_rate: learning_rate as f32,
                momentum: momentum as f32,
                l2: decay as f32,
            });
        }
        let correction = |beta: f64| 1.0 - beta.powf(n_steps as f64);
        Rule::Adam(AdamStep {
            beta1: BETA1 as f32,
            beta2: BETA2 as f32,
            eps: EPS as f32,
            step_size: (learning_rate / correction(BETA1)) as f32,
            root_correction2: correction(BETA2).sqrt() as f32,
            l2: if is_decoupled { 0.0 } else { decay as f32 },
            shrink: if is_decoupled { (1.0 - learning_rate * decay) as f32 } else { 1.0 },
        })
    }
}

/// One parameter's step, in place.
struct Step<'a> {
    rule: Rule,
    grad: &'a Tensor,
    moments: Mutex<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
}

impl InplaceOp1 for Step<'_> {
    fn name(&self) -> &'static str {
        "optimizer_step"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(weights), Some((from, to))) = (storage, layout.contiguous_offsets())
        else {
            return Err(candle_core::Error::Msg("weights are not contiguous f32".into()));
        };
        let level = Cpu::detect();
        let mut moments = super::ops::lock(&self.moments);
        let (m, v) = &mut *moments;
        with_values([self.grad], |[grad]| {
            weights[from..to]
                .par_chunks_mut(N_PER_TASK)
                .zip(grad.par_chunks(N_PER_TASK))
                .zip(m.par_chunks_mut(N_PER_TASK))
                .zip(v.par_chunks_mut(N_PER_TASK))
                .for_each(|(((weights, grad), m), v)| match self.rule {
                    Rule::Adam(step) => adam(level, step, weights, grad, m, v),
                    Rule::Sgd(step) => sgd(level, step, weights, grad, m),
                });
        })
    }
}
