//! Runs a plan forward, and backward over what was recorded.

use super::ops::conv::{self, Conv, Seen, Wanted};
use super::ops::dense::Dense;
use super::ops::norm::{BatchNorm, Statistics};
use super::ops::{Buffers, Value, cross_entropy, dropout, elementwise};
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
    /// Of a convolution with a normalisation behind it.
    Normalised(Normalised),
}

/// What the normalisation behind a convolution keeps; its map is the value's.
struct Normalised {
    statistics: Statistics,
    /// The convolution's outputs, if they are pooled; else the value has them.
    rows: Vec<f32>,
    /// Of the pooling.
    winners: Vec<u8>,
}

/// Who reads a value.
#[derive(Clone, Copy, Default)]
struct Readers {
    n: usize,
    /// Some reader cannot apply a pending map: the loss, or an operation that is no convolution.
    needs_mapped: bool,
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
    let readers = run.readers();
    let mut values = vec![Value::plain(x)];
    let mut saved = Vec::with_capacity(plan.steps.len());
    for (step, readers) in plan.steps.iter().zip(&readers[1..]) {
        let (value, kept) = run.forward(step, &values, readers.needs_mapped);
        values.push(value);
        saved.push(kept);
    }
    let scores = values.last().map(Value::mapped).unwrap_or_default();
    let loss = cross_entropy(scores, labels, smoothing);
    let running = run.running(&saved);
    let (grads, _) = run.backward(values, saved, &readers, loss.gradient, 0);
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
    let mut values = vec![Value::plain(x)];
    for (position, step) in plan.steps[..value].iter().enumerate() {
        let (y, kept) = match step.operation {
            // Nothing is dropped: the value moves on.
            Operation::Dropout { .. } if last_reads[step.input] == Some(position) => {
                (std::mem::take(&mut values[step.input]), Saved::Nothing)
            }
            // Normalisations are folded into kernels: no map is ever pending.
            _ => run.forward(step, &values, false),
        };
        run.release(kept);
        values.push(y);
        for (read, last) in last_reads.iter().enumerate().take(values.len() - 1) {
            if *last == Some(position) {
                std::mem::take(&mut values[read]).release(buffers);
            }
        }
    }
    values.pop().unwrap_or_default().into_rows()
}

/// The stretch of a network that a gradient goes back through: from one of its values to an earlier one.
#[derive(Clone, Copy)]
pub struct Stretch {
    /// The later value, or the same.
    pub from: usize,
    /// The earlier value.
    pub to: usize,
}

/// Runs `n` images up to `stretch.from` outside training, and `slope`, the gradient of something by that
/// value, back to `stretch.to`. Returns the value there and its gradient.
///
/// `plan` joins no layers; its flags of what learns are of no account, and its normalisations use their
/// running statistics.
pub fn pull_back(
    plan: &Plan,
    weights: &Weights,
    (x, n): (Vec<f32>, usize),
    stretch: Stretch,
    slope: Vec<f32>,
    buffers: &Buffers,
) -> (Vec<f32>, Vec<f32>) {
    let mut plan = plan.clone();
    plan.steps.truncate(stretch.from);
    plan.learns = vec![false; stretch.from + 1];
    plan.learns[stretch.to] = true;
    for (position, step) in plan.steps.iter_mut().enumerate() {
        let mut follows = plan.learns[step.input];
        match &mut step.operation {
            Operation::BatchNorm { norm, .. } => norm.is_frozen = true,
            Operation::Add { other, .. } => follows |= plan.learns[*other],
            _ => {}
        }
        plan.learns[position + 1] |= follows;
    }
    let run = Run { plan: &plan, weights, n, moment: None, buffers };
    let readers = run.readers();
    let mut values = vec![Value::plain(x)];
    let mut saved = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let (value, kept) = run.forward(step, &values, true);
        values.push(value);
        saved.push(kept);
    }
    let found = values[stretch.to].mapped().to_vec();
    let (_, gradient) = run.backward(values, saved, &readers, slope, stretch.to);
    (found, gradient)
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
    /// The readers of every value.
    fn readers(&self) -> Vec<Readers> {
        let mut readers = vec![Readers::default(); self.plan.steps.len() + 1];
        for step in &self.plan.steps {
            let applies_map = match step.operation {
                Operation::Conv { shape, relu, pool, norm, .. } => {
                    let followers = if norm.is_some() { (false, false) } else { (relu, pool) };
                    self.conv(step, shape, followers).applies_maps()
                }
                _ => false,
            };
            readers[step.input].n += 1;
            readers[step.input].needs_mapped |= !applies_map;
            if let Operation::Add { other, .. } = step.operation {
                readers[other].n += 1;
                readers[other].needs_mapped = true;
            }
        }
        if let Some(loss) = readers.last_mut() {
            loss.needs_mapped = true;
        }
        readers
    }

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
        let map = self.batch_norm(norm, false).map(&self.running_statistics(norm));
        let (scale, shift) = map.into_parts();
        let n = scale.len();
        let kernel = kernel.iter().enumerate().map(|(i, weight)| weight * scale[i % n]).collect();
        let bias = match bias {
            Some(bias) => (0..n).map(|i| bias[i] * scale[i] + shift[i]).collect(),
            None => shift,
        };
        (kernel, bias)
    }

    /// A convolution and the normalisation of its outputs, in training: their sums are taken while
    /// they are in cache, and the map stays pending.
    fn conv_and_norm(
        &self,
        step: &Step,
        shape: ConvShape,
        x: &Value,
        kernel: (&[f32], Option<&[f32]>),
        (norm, relu, pool): (Norm, bool, bool),
        needs_mapped: bool,
    ) -> (Value, Saved) {
        let shift = &self.weights[norm.parameter + 2];
        let sums_about = (!norm.is_frozen).then_some(shift.as_slice());
        let conv = self.conv(step, shape, (false, false));
        let conv::Output { values, sums, .. } = conv.forward(x.input(), kernel, sums_about, self.n);
        let statistics = if norm.is_frozen {
            self.running_statistics(norm)
        } else {
            Statistics::of_chunks(&sums, shift, self.n * shape.n_positions())
        };
        let map = self.batch_norm(norm, relu).map(&statistics);
        let (y, rows, winners) = if pool {
            let size = (shape.out_height(), shape.out_width(), shape.out_channels);
            let (y, winners) =
                elementwise::max_pool_pending(&values, map.affine(), size, self.buffers);
            (y, values, winners)
        } else {
            (values, Vec::new(), Vec::new())
        };
        let y = Value::pending(y, map, needs_mapped, self.buffers);
        (y, Saved::Normalised(Normalised { statistics, rows, winners }))
    }

    fn conv(&self, step: &Step, shape: ConvShape, followers: (bool, bool)) -> Conv<'_> {
        let learns = self.plan.learns[step.input];
        Conv::new(shape, followers, learns, self.plan.precision, self.buffers)
    }

    fn dense(&self, step: &Step, relu: bool) -> Dense<'_> {
        Dense { n_in: step.n_in, n_out: step.n_out, relu, buffers: self.buffers }
    }

    /// Runs one step on values before it; `needs_mapped` is of its own value.
    fn forward(&self, step: &Step, values: &[Value], needs_mapped: bool) -> (Value, Saved) {
        let with_bytes = |(y, bytes): (Vec<f32>, Vec<u8>)| (Value::plain(y), Saved::Bytes(bytes));
        let alone = |y: Vec<f32>| (Value::plain(y), Saved::Nothing);
        let value = &values[step.input];
        let x = value.mapped();
        match step.operation {
            Operation::Conv { shape, bias, norm, relu, pool, parameter } => {
                let (kernel, bias) = self.kernel(parameter, bias);
                let kernel = (kernel, bias);
                match (norm, self.moment) {
                    (Some(norm), Some(_)) => {
                        let followers = (norm, relu, pool);
                        self.conv_and_norm(step, shape, value, kernel, followers, needs_mapped)
                    }
                    (Some(norm), None) => {
                        let (kernel, bias) = self.folded(kernel, norm);
                        let conv = self.conv(step, shape, (relu, pool));
                        let kernel = (kernel.as_slice(), Some(bias.as_slice()));
                        with_bytes(conv.forward(value.input(), kernel, None, self.n).pooled())
                    }
                    (None, _) => {
                        let conv = self.conv(step, shape, (relu, pool));
                        with_bytes(conv.forward(value.input(), kernel, None, self.n).pooled())
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
                let y = self.batch_norm(norm, relu).map(&statistics).apply(x, self.buffers);
                (Value::plain(y), Saved::Statistics(statistics))
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
                alone(elementwise::add(x, values[other].mapped(), relu, self.buffers))
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
                (Operation::Conv { norm: Some(norm), shape, .. }, Saved::Normalised(kept)) => {
                    (norm, self.n * shape.n_positions(), &kept.statistics)
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

    /// The gradients of the weights behind the value `to`, and that of the value itself if it learns.
    fn backward(
        &self,
        mut values: Vec<Value>,
        mut saved: Vec<Saved>,
        readers: &[Readers],
        grad: Vec<f32>,
        to: usize,
    ) -> (Weights, Vec<f32>) {
        let mut grads: Weights = vec![Vec::new(); self.weights.len()];
        // The gradient of each value, as far as its readers have been visited.
        let mut flowing: Vec<Flowing> = values.iter().map(|_| Flowing::default()).collect();
        if let Some(last) = flowing.last_mut() {
            last.grad = grad;
        }
        for (position, step) in self.plan.steps.iter().enumerate().skip(to).rev() {
            let flow = std::mem::take(&mut flowing[position + 1]);
            let kept = saved.pop().unwrap_or(Saved::Nothing);
            if self.plan.learns[position + 1] {
                let (x, y) = (&values[step.input], &values[position + 1]);
                let is_only = readers[step.input].n == 1;
                match self.backward_step(step, (x, is_only), y, &kept, &flow, &mut grads) {
                    Back::Input(back) => self.flow(&mut flowing, step.input, back),
                    Back::Both(other, back) => {
                        if self.plan.learns[other] {
                            let mut copy = self.buffers.floats(back.len());
                            copy.copy_from_slice(&back);
                            self.flow(&mut flowing, other, copy.into());
                        }
                        self.flow(&mut flowing, step.input, back.into());
                    }
                    Back::Nothing => {}
                }
            }
            self.buffers.keep_floats(flow.grad);
            self.release(kept);
            // The values behind this step's are read by steps before it only.
            if let Some(y) = values.pop() {
                y.release(self.buffers);
            }
        }
        values.into_iter().for_each(|x| x.release(self.buffers));
        (grads, std::mem::take(&mut flowing[to].grad))
    }

    /// Adds a gradient to that of a value.
    fn flow(&self, flowing: &mut [Flowing], value: usize, more: Flowing) {
        if !self.plan.learns[value] {
            return self.buffers.keep_floats(more.grad);
        }
        let flow = &mut flowing[value];
        if flow.grad.is_empty() {
            *flow = more;
        } else {
            elementwise::add_to(&more.grad, &mut flow.grad);
            self.buffers.keep_floats(more.grad);
        }
    }

    /// `is_only` is true if no other step reads the input.
    fn backward_step(
        &self,
        step: &Step,
        (input, is_only): (&Value, bool),
        output: &Value,
        kept: &Saved,
        flow: &Flowing,
        grads: &mut Weights,
    ) -> Back {
        let learns = self.plan.learns[step.input];
        let (x, y, grad) = (input.mapped(), output.mapped(), flow.grad.as_slice());
        let back = |grad: Vec<f32>| Back::Input(grad.into());
        let bytes = match kept {
            Saved::Bytes(bytes) => bytes.as_slice(),
            _ => &[],
        };
        match step.operation {
            Operation::Conv { shape, bias, norm, relu, pool, parameter } => {
                let wanted = Wanted { images: learns, bias, sums: learns && is_only };
                let (kernel, x) = (&self.weights[parameter], input.input());
                let found = match (norm, kept, output.map()) {
                    (Some(norm), Saved::Normalised(kept), Some(map)) => {
                        let Normalised { statistics, rows, winners } = kept;
                        let n_rows = self.n * shape.n_positions();
                        let layer = self.batch_norm(norm, relu);
                        // Behind a pooling, only its winners have a gradient.
                        let sums = match flow.sums.as_slice() {
                            [] => &map.gradient_sums(output.rows(), grad),
                            sums => sums,
                        };
                        let slopes = layer.slopes(statistics, sums, n_rows);
                        let y = if pool { rows } else { output.rows() };
                        let norm_map = Some(slopes.map(map));
                        let seen = Seen { x, y, winners, grad, norm: norm_map };
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
                let sums = found.sums;
                found.images.map_or(Back::Nothing, |grad| Back::Input(Flowing { grad, sums }))
            }
            Operation::Dense { bias, relu, parameter } => {
                let dense = self.dense(step, relu);
                let found = dense.backward((x, y, grad), &self.weights[parameter], learns);
                grads[parameter] = found.weights;
                if bias {
                    grads[parameter + 1] = found.bias;
                }
                found.inputs.map_or(Back::Nothing, back)
            }
            Operation::BatchNorm { norm, relu, .. } => {
                let Saved::Statistics(statistics) = kept else { return Back::Nothing };
                let layer = self.batch_norm(norm, relu);
                let map = layer.map(statistics);
                let n_rows = x.len() / map.n_channels();
                let slopes = layer.slopes(statistics, &map.gradient_sums(x, grad), n_rows);
                let rows = learns.then(|| layer.backward(x, grad, slopes.map(&map)));
                grads[norm.parameter] = slopes.weight;
                grads[norm.parameter + 1] = slopes.bias;
                rows.map_or(Back::Nothing, back)
            }
            Operation::Relu => back(elementwise::relu_backward(y, grad, self.buffers)),
            Operation::MaxWindows { windows } => {
                back(elementwise::max_windows_backward(grad, bytes, &windows, self.buffers))
            }
            Operation::MeanWindows { windows } => {
                back(elementwise::mean_windows_backward(grad, &windows, self.buffers))
            }
            Operation::Dropout { rate } if self.moment.is_some() => {
                back(dropout::backward(grad, bytes, rate, self.buffers))
            }
            Operation::Dropout { .. } => back(grad.to_vec()),
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
            Saved::Normalised(kept) => {
                self.buffers.keep_floats(kept.rows);
                self.buffers.keep_bytes(kept.winners);
            }
            Saved::Nothing | Saved::Statistics(_) => {}
        }
    }
}

/// Where a step's gradient goes.
enum Back {
    Nothing,
    Input(Flowing),
    /// To the input and to another value alike.
    Both(usize, Vec<f32>),
}

/// The gradient of a value, and [`Map::gradient_sums`](super::ops::norm::Map::gradient_sums) of it where
/// its only reader took them.
#[derive(Default)]
struct Flowing {
    grad: Vec<f32>,
    sums: Vec<Vec<f32>>,
}

impl From<Vec<f32>> for Flowing {
    fn from(grad: Vec<f32>) -> Self {
        Flowing { grad, sums: Vec::new() }
    }
}
