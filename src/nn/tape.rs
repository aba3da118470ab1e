//! Runs a plan forward, and backward over what was recorded.

use super::ops::conv::{self, Conv, Seen, Wanted};
use super::ops::dense::Dense;
use super::ops::norm::{BatchNorm, Statistics};
use super::ops::{Buffers, cross_entropy, dropout, elementwise};
use super::plan::{Norm, Operation, Plan, Step};
use crate::kernels::nn::im2col::ConvShape;

/// Numbers of every parameter of a plan, in its order.
pub type Weights = Vec<Vec<f32>>;

/// Draws of dropout belong to this step of training.
#[derive(Clone, Copy)]
pub struct Moment {
    pub seed: u64,
    pub epoch: usize,
    pub batch: usize,
}

/// What an operation keeps for its backward pass.
enum Saved {
    Nothing,
    /// Winners of a pooling, or which values dropout kept.
    Bytes(Vec<u8>),
    Statistics(Statistics),
    /// What entered a normalisation behind a convolution, and its statistics.
    Normalised(Vec<f32>, Statistics),
}

/// Loss and gradients of one batch.
pub struct Gradients {
    /// Sum of the losses of the images.
    pub loss_sum: f64,
    /// Images labelled right before the step.
    pub n_right: usize,
    /// One per parameter, empty where nothing is trained.
    pub grads: Weights,
    /// New values of parameters that the forward pass moves, by position.
    pub running: Vec<(usize, Vec<f32>)>,
}

/// Runs one batch forward and backward. The loss is the mean over the batch, with the label
/// smoothing of [`cross_entropy`].
pub fn gradients(
    plan: &Plan,
    weights: &Weights,
    x: Vec<f32>,
    labels: &[usize],
    smoothing: f64,
    moment: Moment,
    buffers: &Buffers,
) -> Gradients {
    let run = Run { plan, weights, n: labels.len(), moment: Some(moment), buffers };
    let mut values = vec![x];
    let mut saved = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let (value, kept) = run.forward(step, &values[step.input], &values);
        values.push(value);
        saved.push(kept);
    }
    let scores = values.last().map(Vec::as_slice).unwrap_or_default();
    let loss = cross_entropy(scores, labels, smoothing);
    let running = run.running(&saved);
    let grads = run.backward(values, saved, loss.gradient);
    Gradients { loss_sum: loss.sum, n_right: loss.n_right, grads, running }
}

/// Runs `plan` on `n` images without recording, up to `value`.
pub fn infer(
    plan: &Plan,
    value: usize,
    weights: &Weights,
    x: Vec<f32>,
    n: usize,
    buffers: &Buffers,
) -> Vec<f32> {
    let run = Run { plan, weights, n, moment: None, buffers };
    let last_reads = plan.last_reads();
    let mut values = vec![x];
    for (position, step) in plan.steps[..value].iter().enumerate() {
        let (y, kept) = match step.operation {
            // Nothing is dropped: the value moves on.
            Operation::Dropout { .. } if last_reads[step.input] == Some(position) => {
                (std::mem::take(&mut values[step.input]), Saved::Nothing)
            }
            _ => run.forward(step, &values[step.input], &values),
        };
        run.release(kept);
        values.push(y);
        for (read, last) in last_reads.iter().enumerate().take(values.len() - 1) {
            if *last == Some(position) {
                buffers.keep_floats(std::mem::take(&mut values[read]));
            }
        }
    }
    values.pop().unwrap_or_default()
}

struct Run<'a> {
    plan: &'a Plan,
    weights: &'a Weights,
    n: usize,
    /// None outside training.
    moment: Option<Moment>,
    buffers: &'a Buffers,
}

impl Run<'_> {
    /// The kernel at `parameter`, and the bias after it if there is one.
    fn kernel(&self, parameter: usize, bias: bool) -> (&[f32], Option<&[f32]>) {
        (&self.weights[parameter], bias.then(|| self.weights[parameter + 1].as_slice()))
    }

    fn batch_norm(&self, norm: Norm, relu: bool) -> BatchNorm<'_> {
        BatchNorm {
            weight: &self.weights[norm.parameter],
            bias: &self.weights[norm.parameter + 1],
            eps: norm.eps,
            is_frozen: norm.is_frozen,
            relu,
            buffers: self.buffers,
        }
    }

    fn running_statistics(&self, norm: Norm) -> Statistics {
        Statistics {
            mean: self.weights[norm.parameter + 2].clone(),
            variance: self.weights[norm.parameter + 3].clone(),
        }
    }

    /// Kernel and bias with a batch normalisation after them folded in.
    fn folded(&self, (kernel, bias): (&[f32], Option<&[f32]>), norm: Norm) -> (Vec<f32>, Vec<f32>) {
        let (scale, shift) = self.batch_norm(norm, false).map(&self.running_statistics(norm));
        let n = scale.len();
        let kernel = kernel.iter().enumerate().map(|(i, weight)| weight * scale[i % n]).collect();
        let bias = match bias {
            Some(bias) => (0..n).map(|i| bias[i] * scale[i] + shift[i]).collect(),
            None => shift,
        };
        (kernel, bias)
    }

    /// A convolution and the normalisation of its outputs, in training: their sums are taken while
    /// they are in cache.
    fn conv_and_norm(
        &self,
        step: &Step,
        shape: ConvShape,
        x: &[f32],
        kernel: (&[f32], Option<&[f32]>),
        (norm, relu): (Norm, bool),
    ) -> (Vec<f32>, Saved) {
        let shift = &self.weights[norm.parameter + 2];
        let sums_about = (!norm.is_frozen).then_some(shift.as_slice());
        let conv = self.conv(step, shape, (false, false));
        let conv::Output { values, sums, .. } = conv.forward(x, kernel, sums_about, self.n);
        let statistics = if norm.is_frozen {
            self.running_statistics(norm)
        } else {
            Statistics::of_chunks(&sums, shift, self.n * shape.n_positions())
        };
        let y = self.batch_norm(norm, relu).forward(&values, &statistics);
        (y, Saved::Normalised(values, statistics))
    }

    fn conv(&self, step: &Step, shape: ConvShape, followers: (bool, bool)) -> Conv<'_> {
        let learns = self.plan.learns[step.input];
        Conv::new(shape, followers, learns, self.plan.precision, self.buffers)
    }

    fn dense(&self, step: &Step, relu: bool) -> Dense<'_> {
        Dense { n_in: step.n_in, n_out: step.n_out, relu, buffers: self.buffers }
    }

    fn forward(&self, step: &Step, x: &[f32], values: &[Vec<f32>]) -> (Vec<f32>, Saved) {
        let with_bytes = |(y, bytes): (Vec<f32>, Vec<u8>)| (y, Saved::Bytes(bytes));
        let alone = |y: Vec<f32>| (y, Saved::Nothing);
        match step.operation {
            Operation::Conv { shape, bias, norm, relu, pool, parameter } => {
                let (kernel, bias) = self.kernel(parameter, bias);
                let kernel = (kernel, bias);
                match (norm, self.moment) {
                    (Some(norm), Some(_)) => {
                        self.conv_and_norm(step, shape, x, kernel, (norm, relu))
                    }
                    (Some(norm), None) => {
                        let (kernel, bias) = self.folded(kernel, norm);
                        let conv = self.conv(step, shape, (relu, pool));
                        with_bytes(conv.forward(x, (&kernel, Some(&bias)), None, self.n).pooled())
                    }
                    (None, _) => {
                        let conv = self.conv(step, shape, (relu, pool));
                        with_bytes(conv.forward(x, kernel, None, self.n).pooled())
                    }
                }
            }
            Operation::Dense { bias, relu, parameter } => {
                let (kernel, bias) = self.kernel(parameter, bias);
                alone(self.dense(step, relu).forward(x, kernel, bias))
            }
            Operation::BatchNorm { norm, n_channels, relu } => {
                let statistics = match self.moment {
                    Some(_) if !norm.is_frozen => Statistics::of(x, n_channels),
                    _ => self.running_statistics(norm),
                };
                let y = self.batch_norm(norm, relu).forward(x, &statistics);
                (y, Saved::Statistics(statistics))
            }
            Operation::Relu => alone(elementwise::relu(x, self.buffers)),
            Operation::MaxWindows { windows } => {
                with_bytes(elementwise::max_windows(x, &windows, self.buffers))
            }
            Operation::MeanWindows { windows } => {
                alone(elementwise::mean_windows(x, &windows, self.buffers))
            }
            Operation::Dropout { rate } => match self.moment {
                None => alone(x.to_vec()),
                Some(Moment { seed, epoch, batch }) => {
                    let purpose = format!("{} {epoch} {batch}", step.layer);
                    with_bytes(dropout::forward(x, rate, seed, &purpose, self.buffers))
                }
            },
            Operation::Add { other, relu } => {
                alone(elementwise::add(x, &values[other], relu, self.buffers))
            }
        }
    }

    /// New running statistics after this batch.
    fn running(&self, saved: &[Saved]) -> Vec<(usize, Vec<f32>)> {
        let mut moved = Vec::new();
        for (step, saved) in self.plan.steps.iter().zip(saved) {
            let (norm, n_rows, batch) = match (step.operation, saved) {
                (Operation::BatchNorm { norm, n_channels, .. }, Saved::Statistics(batch)) => {
                    (norm, self.n * step.n_in / n_channels, batch)
                }
                (Operation::Conv { norm: Some(norm), shape, .. }, Saved::Normalised(_, batch)) => {
                    (norm, self.n * shape.n_positions(), batch)
                }
                _ => continue,
            };
            if !norm.is_frozen {
                let at = norm.parameter + 2;
                let running = [self.weights[at].as_slice(), self.weights[at + 1].as_slice()];
                let [mean, variance] = batch.moved(running, norm.momentum, n_rows);
                moved.extend([(at, mean), (at + 1, variance)]);
            }
        }
        moved
    }

    fn backward(
        &self,
        mut values: Vec<Vec<f32>>,
        mut saved: Vec<Saved>,
        grad: Vec<f32>,
    ) -> Weights {
        let mut grads: Weights = vec![Vec::new(); self.weights.len()];
        // The gradient of each value, as far as its readers have been visited.
        let mut flowing: Vec<Vec<f32>> = vec![Vec::new(); values.len()];
        if let Some(last) = flowing.last_mut() {
            *last = grad;
        }
        for (position, step) in self.plan.steps.iter().enumerate().rev() {
            let grad = std::mem::take(&mut flowing[position + 1]);
            let kept = saved.pop().unwrap_or(Saved::Nothing);
            if self.plan.learns[position + 1] {
                let (x, y) = (&values[step.input], &values[position + 1]);
                match self.backward_step(step, x, y, &kept, &grad, &mut grads) {
                    Back::Input(back) => self.flow(&mut flowing, step.input, back),
                    Back::Both(other, back) => {
                        if self.plan.learns[other] {
                            let mut copy = self.buffers.floats(back.len());
                            copy.copy_from_slice(&back);
                            self.flow(&mut flowing, other, copy);
                        }
                        self.flow(&mut flowing, step.input, back);
                    }
                    Back::Nothing => {}
                }
            }
            self.buffers.keep_floats(grad);
            self.release(kept);
            // The values behind this step's are read by steps before it only.
            if let Some(y) = values.pop() {
                self.buffers.keep_floats(y);
            }
        }
        values.into_iter().for_each(|x| self.buffers.keep_floats(x));
        grads
    }

    /// Adds a gradient to that of a value.
    fn flow(&self, flowing: &mut [Vec<f32>], value: usize, grad: Vec<f32>) {
        if !self.plan.learns[value] {
            return self.buffers.keep_floats(grad);
        }
        if flowing[value].is_empty() {
            flowing[value] = grad;
        } else {
            elementwise::add_to(&grad, &mut flowing[value]);
            self.buffers.keep_floats(grad);
        }
    }

    fn backward_step(
        &self,
        step: &Step,
        x: &[f32],
        y: &[f32],
        kept: &Saved,
        grad: &[f32],
        grads: &mut Weights,
    ) -> Back {
        let learns = self.plan.learns[step.input];
        let bytes = match kept {
            Saved::Bytes(bytes) => bytes.as_slice(),
            _ => &[],
        };
        match step.operation {
            Operation::Conv { shape, bias, norm, relu, pool, parameter } => {
                let wanted = Wanted { images: learns, bias };
                let kernel = &self.weights[parameter];
                let found = match (norm, kept) {
                    (Some(norm), Saved::Normalised(rows, statistics)) => {
                        let slopes = self.batch_norm(norm, relu).slopes(rows, statistics, grad);
                        let map = Some(slopes.map());
                        let seen = Seen { x, y: rows, winners: &[], grad, norm: map };
                        let conv = self.conv(step, shape, (false, false));
                        let found = conv.backward(seen, kernel, wanted);
                        grads[norm.parameter] = slopes.weight;
                        grads[norm.parameter + 1] = slopes.bias;
                        found
                    }
                    _ => {
                        let seen = Seen { x, y, winners: bytes, grad, norm: None };
                        let conv = self.conv(step, shape, (relu, pool));
                        conv.backward(seen, kernel, wanted)
                    }
                };
                grads[parameter] = found.kernel;
                if bias {
                    grads[parameter + 1] = found.bias;
                }
                found.images.map_or(Back::Nothing, Back::Input)
            }
            Operation::Dense { bias, relu, parameter } => {
                let dense = self.dense(step, relu);
                let found = dense.backward((x, y, grad), &self.weights[parameter], learns);
                grads[parameter] = found.weights;
                if bias {
                    grads[parameter + 1] = found.bias;
                }
                found.inputs.map_or(Back::Nothing, Back::Input)
            }
            Operation::BatchNorm { norm, relu, .. } => {
                let Saved::Statistics(statistics) = kept else { return Back::Nothing };
                let layer = self.batch_norm(norm, relu);
                let slopes = layer.slopes(x, statistics, grad);
                let rows = learns.then(|| layer.backward(x, grad, &slopes));
                grads[norm.parameter] = slopes.weight;
                grads[norm.parameter + 1] = slopes.bias;
                rows.map_or(Back::Nothing, Back::Input)
            }
            Operation::Relu => Back::Input(elementwise::relu_backward(y, grad, self.buffers)),
            Operation::MaxWindows { windows } => {
                Back::Input(elementwise::max_windows_backward(grad, bytes, &windows, self.buffers))
            }
            Operation::MeanWindows { windows } => {
                Back::Input(elementwise::mean_windows_backward(grad, &windows, self.buffers))
            }
            Operation::Dropout { rate } => {
                Back::Input(dropout::backward(grad, bytes, rate, self.buffers))
            }
            Operation::Add { other, relu: true } => {
                Back::Both(other, elementwise::relu_backward(y, grad, self.buffers))
            }
            Operation::Add { other, relu: false } => {
                let mut copy = self.buffers.floats(grad.len());
                copy.copy_from_slice(grad);
                Back::Both(other, copy)
            }
        }
    }

    fn release(&self, saved: Saved) {
        match saved {
            Saved::Bytes(bytes) => self.buffers.keep_bytes(bytes),
            Saved::Normalised(rows, _) => self.buffers.keep_floats(rows),
            Saved::Nothing | Saved::Statistics(_) => {}
        }
    }
}

/// Where a step's gradient goes.
enum Back {
    Nothing,
    Input(Vec<f32>),
    /// To the input and to another value alike.
    Both(usize, Vec<f32>),
}
