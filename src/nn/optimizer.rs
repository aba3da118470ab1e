//! Steps of gradient descent on the weights, in place, with a state that can be saved.

use rayon::prelude::*;

use super::params::{Optimizer, TrainParams};
use super::plan::Parameter;
use super::tape::Weights;
use crate::kernels::Cpu;
use crate::kernels::nn::adam::{AdamStep, SgdStep, adam, sgd};

const EPS: f64 = 1e-8;
/// Values per parallel task.
pub const N_PER_TASK: usize = 32_768;

/// Steps taken and the moments of every parameter; those of one that is not trained are empty.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Steps taken.
    pub n_steps: u64,
    /// First moments (Adam) or velocities (SGD).
    pub m: Weights,
    /// Second moments; unused by SGD.
    pub v: Weights,
}

impl State {
    /// The state before the first step.
    pub fn new(parameters: &[Parameter]) -> Self {
        let n_values = |p: &Parameter| if p.is_trained { p.n_values() } else { 0 };
        let m: Weights = parameters.iter().map(|p| vec![0.0; n_values(p)]).collect();
        State { n_steps: 0, v: m.clone(), m }
    }

    /// Takes one step of this learning rate with every parameter that is trained.
    pub fn step(
        &mut self,
        params: &TrainParams,
        learning_rate: f64,
        parameters: &[Parameter],
        weights: &mut Weights,
        grads: &Weights,
    ) {
        self.n_steps += 1;
        let level = Cpu::detect();
        let moments = self.m.iter_mut().zip(self.v.iter_mut());
        let tensors = weights.iter_mut().zip(grads).zip(moments);
        for (parameter, ((weights, grad), (m, v))) in parameters.iter().zip(tensors) {
            if !parameter.is_trained {
                continue;
            }
            // Biases, scales and shifts are vectors, kernels have more axes.
            let decays = params.decay_bias_and_norm || parameter.shape.len() > 1;
            let decay = if decays { params.weight_decay } else { 0.0 };
            let rule = Rule::new(params.optimizer, learning_rate, decay, self.n_steps);
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
    fn new(optimizer: Optimizer, learning_rate: f64, decay: f64, n_steps: u64) -> Self {
        let (beta1, beta2, is_decoupled) = match optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                return Rule::Sgd(SgdStep {
                    learning_rate: learning_rate as f32,
                    momentum: momentum as f32,
                    l2: decay as f32,
                    nesterov,
                });
            }
            Optimizer::Adam { beta1, beta2 } => (beta1, beta2, false),
            Optimizer::AdamW { beta1, beta2 } => (beta1, beta2, true),
        };
        let correction = |beta: f64| 1.0 - beta.powf(n_steps as f64);
        Rule::Adam(AdamStep {
            share1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            share2: (1.0 - beta2) as f32,
            eps: EPS as f32,
            step_size: (learning_rate / correction(beta1)) as f32,
            root_correction2: correction(beta2).sqrt() as f32,
            l2: if is_decoupled { 0.0 } else { decay as f32 },
            shrink: if is_decoupled { (1.0 - learning_rate * decay) as f32 } else { 1.0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::architecture::Penalty;
    use crate::nn::plan::Start;
    use crate::nn::test_fixture::{assert_close, cosines, sines, training_recipe};

    fn parameter(shape: Vec<usize>, is_trained: bool) -> Parameter {
        let (start, penalty) = (Start::Constant(0.0), Penalty::default());
        Parameter { name: "dense_1.weight".into(), shape, start, is_trained, penalty }
    }

    fn five_steps(params: &TrainParams, parameters: &[Parameter]) -> Weights {
        let (mut weights, mut state) = (sines(), State::new(parameters));
        for step in 1..=5 {
            state.step(params, params.learning_rate, parameters, &mut weights, &cosines(step));
        }
        weights
    }

    // The fixture is made by tests/reference/training_recipe.py (library version inside).
    #[test]
    fn five_steps_of_every_optimizer_are_pytorchs() {
        let fixture = training_recipe();
        let sgd = |momentum, nesterov| Optimizer::Sgd { momentum, nesterov };
        for (name, optimizer, weight_decay) in [
            ("sgd", sgd(0.0, false), 0.0),
            ("sgd, momentum and decay", sgd(0.9, false), 0.1),
            ("sgd, nesterov and decay", sgd(0.8, true), 0.1),
            ("adam", Optimizer::Adam { beta1: 0.9, beta2: 0.999 }, 0.0),
            ("adam, betas and decay", Optimizer::Adam { beta1: 0.8, beta2: 0.95 }, 0.1),
            ("adamw", Optimizer::AdamW { beta1: 0.9, beta2: 0.99 }, 0.1),
        ] {
            let learning_rate = fixture["learning_rate"].as_f64().unwrap();
            let params =
                TrainParams { optimizer, weight_decay, learning_rate, ..TrainParams::default() };
            let parameters = [parameter(vec![1, 7], true), parameter(vec![3], true)];
            let found = five_steps(&params, &parameters);
            assert_close(&found, &fixture["optimizers"][name], 1e-6, name);
        }
    }

    #[test]
    fn decay_can_leave_vectors_out_and_what_is_not_trained_stays() {
        let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false };
        let params = |weight_decay, decay_bias_and_norm| TrainParams {
            optimizer,
            weight_decay,
            decay_bias_and_norm,
            ..TrainParams::default()
        };
        let parameters = [parameter(vec![1, 7], true), parameter(vec![3], true)];
        let plain = five_steps(&params(0.0, true), &parameters);
        let decayed = five_steps(&params(0.5, false), &parameters);
        assert!(plain[0] != decayed[0] && plain[1] == decayed[1]);
        let frozen = [parameter(vec![1, 7], false), parameter(vec![3], true)];
        let found = five_steps(&params(0.0, true), &frozen);
        assert!(found[0] == sines()[0] && found[1] == plain[1]);
    }
}
