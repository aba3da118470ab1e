//! One pass over a parameter's values for each optimiser.

use super::per_level;

/// Constants of one Adam step (Kingma & Ba, 2015, in PyTorch's order of operations).
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// `1 - beta1`, rounded once: of 0.999, `1.0 - beta` in `f32` is off by 5e-5.
    pub share1: f32,
    /// Second-moment decay.
    pub beta2: f32,
    /// `1 - beta2`, rounded once.
    pub share2: f32,
    /// Added to the denominator.
    pub eps: f32,
    /// Learning rate over the first bias correction, `lr / (1 - beta1^t)`.
    pub step_size: f32,
    /// Root of the second bias correction, `sqrt(1 - beta2^t)`.
    pub root_correction2: f32,
    /// Added to the gradient, times the weight (Adam's L2).
    pub l2: f32,
    /// Weights are scaled by this first (AdamW: `1 - lr * weight_decay`).
    pub shrink: f32,
}

per_level! {
    /// Updates `weights` and the moments `m` and `v` in one pass.
    pub fn adam(step: AdamStep, weights: &mut [f32], grad: &[f32], m: &mut [f32], v: &mut [f32]) {
        let n = weights.len();
        assert!(grad.len() == n && m.len() == n && v.len() == n, "moments of another length");
        for i in 0..n {
            let weight = weights[i] * step.shrink;
            let g = grad[i] + step.l2 * weight;
            m[i] += step.share1 * (g - m[i]);
            v[i] = step.beta2 * v[i] + step.share2 * (g * g);
            let denominator = v[i].sqrt() / step.root_correction2 + step.eps;
            weights[i] = weight - step.step_size * (m[i] / denominator);
        }
    }
}

/// Constants of one step of gradient descent with momentum (PyTorch's form, no dampening).
#[derive(Clone, Copy, Debug)]
pub struct SgdStep {
    /// Learning rate.
    pub learning_rate: f32,
    /// Share of the last velocity that is kept.
    pub momentum: f32,
    /// Added to the gradient, times the weight.
    pub l2: f32,
    /// Steps along the gradient and the new velocity, not along the velocity alone.
    pub nesterov: bool,
}

per_level! {
    /// Updates `weights` and their `velocity` in one pass.
    pub fn sgd(step: SgdStep, weights: &mut [f32], grad: &[f32], velocity: &mut [f32]) {
        let n = weights.len();
        assert!(grad.len() == n && velocity.len() == n, "velocity of another length");
        for i in 0..n {
            let g = grad[i] + step.l2 * weights[i];
            velocity[i] = step.momentum * velocity[i] + g;
            let direction =
                if step.nesterov { g + step.momentum * velocity[i] } else { velocity[i] };
            weights[i] -= step.learning_rate * direction;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Cpu;

    #[test]
    fn every_level_gives_the_same_bits() {
        for n in [0, 1, 15, 16, 17, 784] {
            let at = |i: usize, salt: f32| ((i as f32 + salt) * 0.7).sin();
            let run = |level| {
                let mut weights: Vec<f32> = (0..n).map(|i| at(i, 0.0)).collect();
                let grad: Vec<f32> = (0..n).map(|i| at(i, 5.0)).collect();
                let (mut m, mut v) = (vec![0.1; n], vec![0.2; n]);
                let step = AdamStep {
                    share1: 0.1,
                    beta2: 0.999,
                    share2: 1e-3,
                    eps: 1e-8,
                    step_size: 1e-2,
                    root_correction2: 0.3,
                    l2: 1e-3,
                    shrink: 0.999,
                };
                adam(level, step, &mut weights, &grad, &mut m, &mut v);
                for nesterov in [false, true] {
                    let step = SgdStep { learning_rate: 0.1, momentum: 0.9, l2: 1e-3, nesterov };
                    sgd(level, step, &mut weights, &grad, &mut m);
                }
                (weights, m, v)
            };
            let expected = run(Cpu::SCALAR);
            for level in Cpu::all() {
                assert_eq!(run(level), expected, "{level:?} {n}");
            }
        }
    }
}
