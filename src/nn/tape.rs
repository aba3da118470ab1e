//! Runs a plan forward, and backward over what was recorded.
//!
//! The backward sweep calls the `bwd` of each operation itself, last to first. candle's own
//! `backward()` gives the same gradients (tested) but adds every one to a fresh tensor of zeros:
//! for the 5,408 inputs of a3's first dense layer that is 33 MB of traffic per batch of 512.

use std::sync::Arc;

use candle_core::{CustomOp1, CustomOp3, Result, Tensor};

use super::ops::{Buffers, Conv, Dense, Dropout, MaxPool, Relu};
use super::plan::{Operation, Plan};

/// Draws of dropout belong to this step of training.
#[derive(Clone, Copy)]
pub struct Moment {
    pub seed: u64,
    pub epoch: usize,
    pub batch: usize,
}

/// One operation as it ran.
struct Record {
    operation: Recorded,
    x: Tensor,
    y: Tensor,
    needs_input_grad: bool,
}

enum Recorded {
    One(Arc<Box<dyn CustomOp1 + Send + Sync>>),
    Three(Arc<Box<dyn CustomOp3 + Send + Sync>>, usize),
}

/// The operations of one forward pass.
pub struct Tape {
    records: Vec<Record>,
    buffers: Buffers,
}

impl Tape {
    /// Runs `plan` on `x` (`[n_images, n_values]`) while training; returns scores and the tape.
    pub fn record(
        plan: &Plan,
        weights: &[Tensor],
        x: Tensor,
        moment: Moment,
        buffers: &Buffers,
    ) -> Result<(Tensor, Tape)> {
        let mut tape = Tape { records: Vec::new(), buffers: buffers.clone() };
        let mut x = x;
        for (position, step) in plan.steps.iter().enumerate() {
            let Some(operation) = operation(plan, position, x.dims()[0], Some(moment), buffers)
            else {
                continue;
            };
            let y = apply(&operation, &x, weights)?;
            let needs_input_grad = step.needs_input_grad;
            tape.records.push(Record { operation, x, y: y.clone(), needs_input_grad });
            x = y;
        }
        Ok((x, tape))
    }

    /// Gradients of every parameter, given the gradient of the scores.
    pub fn backward(self, weights: &[Tensor], grad: Tensor) -> Result<Vec<Tensor>> {
        let mut grads: Vec<Option<Tensor>> = vec![None; weights.len()];
        let (mut grad, mut first_x) = (grad, None);
        for record in self.records.into_iter().rev() {
            let Record { operation, x, y, needs_input_grad } = record;
            let input_grad = match &operation {
                Recorded::One(op) if needs_input_grad => op.bwd(&x, &y, &grad)?,
                Recorded::One(_) => None,
                Recorded::Three(op, parameter) => {
                    let (kernel, bias) = (&weights[*parameter], &weights[*parameter + 1]);
                    let (x_grad, kernel_grad, bias_grad) = op.bwd(&x, kernel, bias, &y, &grad)?;
                    (grads[*parameter], grads[*parameter + 1]) = (kernel_grad, bias_grad);
                    x_grad
                }
            };
            // `x` is the output of the record before, or the batch itself: reclaimed in its turn.
            self.buffers.reclaim(&y)?;
            self.buffers.reclaim(&grad)?;
            first_x = Some(x);
            match input_grad {
                Some(input_grad) => grad = input_grad,
                None => break,
            }
        }
        if let Some(x) = first_x {
            self.buffers.reclaim(&x)?;
        }
        let absent = || candle_core::Error::Msg("a parameter has no gradient".into());
        grads.into_iter().map(|grad| grad.ok_or_else(absent)).collect()
    }
}

/// Runs the first `n_steps` steps of `plan` on `x` without recording; `x`'s memory is reused.
pub fn infer(
    plan: &Plan,
    n_steps: usize,
    weights: &[Tensor],
    x: Tensor,
    buffers: &Buffers,
) -> Result<Tensor> {
    let mut x = x;
    for position in 0..n_steps {
        if let Some(operation) = operation(plan, position, x.dims()[0], None, buffers) {
            let y = apply(&operation, &x, weights)?;
            buffers.reclaim(&x)?;
            x = y;
        }
    }
    Ok(x)
}

/// The operation of a step; none if it changes nothing. `moment` is given while training.
fn operation(
    plan: &Plan,
    position: usize,
    n_images: usize,
    moment: Option<Moment>,
    buffers: &Buffers,
) -> Option<Recorded> {
    let step = &plan.steps[position];
    let needs_input_grad = step.needs_input_grad;
    Some(match step.operation {
        Operation::Conv { shape, relu, pool, parameter } => {
            let conv = Conv::new(shape, relu, pool, needs_input_grad, buffers);
            Recorded::Three(Arc::new(Box::new(conv)), parameter)
        }
        Operation::Dense { relu, parameter } => {
            let dense = Dense { relu, needs_input_grad, buffers: buffers.clone() };
            Recorded::Three(Arc::new(Box::new(dense)), parameter)
        }
        Operation::Relu => Recorded::One(Arc::new(Box::new(Relu { buffers: buffers.clone() }))),
        Operation::MaxPool { shape } => {
            Recorded::One(Arc::new(Box::new(MaxPool::new(shape, buffers))))
        }
        Operation::Dropout { rate } => {
            let Moment { seed, epoch, batch } = moment?;
            let purpose = format!("{} {epoch} {batch}", step.last_layer);
            let n = n_images * step.n_in;
            let dropout = Dropout::new(n, rate, seed, &purpose, buffers);
            Recorded::One(Arc::new(Box::new(dropout)))
        }
        Operation::Flatten => return None,
    })
}

fn apply(operation: &Recorded, x: &Tensor, weights: &[Tensor]) -> Result<Tensor> {
    match operation {
        Recorded::One(op) => x.apply_op1_arc(Arc::clone(op)),
        Recorded::Three(op, parameter) => {
            x.apply_op3_arc(&weights[*parameter], &weights[*parameter + 1], Arc::clone(op))
        }
    }
}
