//! Steps of gradient descent on the weights, in place, with a state that can be saved.

use rayon::prelude::*;

use super::params::{Optimizer, TrainParams};
use super::tape::Weights;
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

    /// Takes one step on the weights that have a gradient.
    pub fn step(&mut self, params: &TrainParams, weights: &mut Weights, grads: &Weights) {
        self.n_steps += 1;
        let rule = Rule::new(params, self.n_steps);
        let level = Cpu::detect();
        let moments = self.m.iter_mut().zip(&mut self.v);
        for ((weights, grad), (m, v)) in weights.iter_mut().zip(grads).zip(moments) {
            weights
                .par_chunks_mut(N_PER_TASK)
                .zip(grad.par_chunks(N_PER_TASK))
                .zip(m.par_chunks_mut(N_PER_TASK))
                .zip(v.par_chunks_mut(N_PER_TASK))
                .for_each(|(((weights, grad), m), v)| match rule {
                    Rule::Adam(step) => adam(level, step, weights, grad, m, v),
                    Rule::Sgd(step) => sgd(level, step, weights, grad, m),
                });
        }
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
