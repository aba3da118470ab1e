//! An architecture on images of a given shape: steps with sizes, and the parameters they read.
//!
//! Layers that one operation computes together are one step: convolution with ReLU and pooling,
//! dense with ReLU.

use super::NnError;
use super::architecture::{Architecture, Flow, LayerSpec, Padding};
use crate::data::{ImageShape, Rng};
use crate::kernels::nn::im2col::ConvShape;

/// Steps in order, and parameters in the order of their layers: kernel, bias, kernel, bias, …
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub parameters: Vec<Parameter>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Step {
    pub operation: Operation,
    /// The last layer that the step computes.
    pub last_layer: String,
    /// Values per image that enter.
    pub n_in: usize,
    /// True if something before this step learns.
    pub needs_input_grad: bool,
}

/// What a step computes; `parameter` is the position of its kernel, the bias follows.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Conv { shape: ConvShape, relu: bool, pool: bool, parameter: usize },
    Dense { relu: bool, parameter: usize },
    Relu,
    MaxPool { shape: (usize, usize, usize) },
    Dropout { rate: f64 },
    Flatten,
}

/// Weights of a layer: name, shape, and the inputs behind one output.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub fan_in: usize,
    /// False for what the optimiser leaves alone.
    pub is_trained: bool,
    pub penalty: Penalty,
}

/// `l1 sum |w| + l2 sum w^2`, added to the loss of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    pub l1: f32,
    pub l2: f32,
}

impl Parameter {
    pub fn n_values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Uniform within `1 / sqrt(fan_in)`, PyTorch's default for weights and biases (He et al.,
    /// 2015, with a = sqrt 5).
    pub fn initialise(&self, seed: u64) -> Vec<f32> {
        let mut rng = Rng::new(seed, &["initialise", &self.name]);
        let bound = (1.0 / (self.fan_in as f64).sqrt()) as f32;
        (0..self.n_values()).map(|_| rng.uniform_f32(-bound, bound)).collect()
    }
}

impl Plan {
    /// Plans `architecture`; `fuse` joins layers, without it every layer is a step.
    pub fn new(
        architecture: &Architecture,
        shape: ImageShape,
        n_classes: usize,
        fuse: bool,
    ) -> Result<Self, NnError> {
        let flows = architecture.flows(shape, n_classes)?;
        let layers = architecture.layers();
        let (mut steps, mut parameters) = (Vec::new(), Vec::new());
        let mut next = 0;
        while next < layers.len() {
            let first = next;
            let mut take = |spec: LayerSpec| {
                let taken = fuse && layers.get(next + 1).is_some_and(|layer| layer.spec == spec);
                next += usize::from(taken);
                taken
            };
            let needs_input_grad = !parameters.is_empty();
            let parameter = parameters.len();
            let name = &layers[first].name;
            let operation = match (layers[first].spec, flows[first]) {
                (LayerSpec::Conv { filters, kernel, padding }, Flow::Image(image)) => {
                    let shape = conv_shape(image, filters, kernel, padding);
                    let weights = vec![kernel, kernel, image.channels, filters];
                    parameters.extend(kernel_and_bias(name, weights, shape.n_patch()));
                    let relu = take(LayerSpec::Relu {});
                    let pool = take(LayerSpec::MaxPool {});
                    Operation::Conv { shape, relu, pool, parameter }
                }
                (LayerSpec::Dense { units }, flow) => {
                    let n_in = flow.n_values();
                    let weights = vec![n_in, units.resolve(n_classes)];
                    parameters.extend(kernel_and_bias(name, weights, n_in));
                    Operation::Dense { relu: take(LayerSpec::Relu {}), parameter }
                }
                (LayerSpec::MaxPool {}, Flow::Image(image)) => {
                    Operation::MaxPool { shape: (image.height, image.width, image.channels) }
                }
                (LayerSpec::Relu {}, _) => Operation::Relu,
                (LayerSpec::Dropout { rate }, _) => Operation::Dropout { rate },
                (LayerSpec::Flatten {}, _) => Operation::Flatten,
                (LayerSpec::Conv { .. } | LayerSpec::MaxPool {}, Flow::Vector(_)) => {
                    unreachable!("`flows` refuses images after `flatten`")
                }
            };
            steps.push(Step {
                operation,
                last_layer: layers[next].name.clone(),
                n_in: flows[first].n_values(),
                needs_input_grad,
            });
            next += 1;
        }
        Ok(Plan { steps, parameters })
    }
}

fn conv_shape(image: ImageShape, filters: usize, kernel: usize, padding: Padding) -> ConvShape {
    let border = if padding == Padding::Same { kernel - 1 } else { 0 };
    ConvShape {
        height: image.height,
        width: image.width,
        in_channels: image.channels,
        kernel,
        pad_before: border / 2,
        pad_after: border - border / 2,
        out_channels: filters,
    }
}

fn kernel_and_bias(layer: &str, shape: Vec<usize>, fan_in: usize) -> [Parameter; 2] {
    let n_out = shape.last().copied().unwrap_or(0);
    let parameter = |name, shape| Parameter {
        name: format!("{layer}.{name}"),
        shape,
        fan_in,
        is_trained: true,
        penalty: Penalty::default(),
    };
    [parameter("weight", shape), parameter("bias", vec![n_out])]
}
