//! An architecture on images of a given shape: steps with sizes, and the parameters they read.
//!
//! Layers that one operation computes together are one step: convolution with batch normalisation, ReLU
//! and pooling, dense with ReLU, batch normalisation with ReLU. Value 0 is the batch; step `i` makes value
//! `i + 1`. Layers that change no value (`flatten`, `normalize`) make no step.

use super::NnError;
use super::architecture::{Architecture, Flow, Layer, LayerSpec, Penalty, conv_shape, windows};
use super::params::{Initialisation, Precision};
use crate::data::{ImageShape, Rng};
use crate::kernels::nn::im2col::ConvShape;
use crate::kernels::nn::pool::Windows;

/// Steps in order, and parameters in the order of their layers.
#[derive(Clone, Debug)]
pub struct Plan {
    pub pixels: PixelScale,
    pub steps: Vec<Step>,
    pub parameters: Vec<Parameter>,
    /// For each value, whether something before it learns.
    pub learns: Vec<bool>,
    /// What convolutions multiply; `f32` numbers unless it is set.
    pub precision: Precision,
    /// The value that each layer gives, where a step ends with it.
    names: Vec<(String, usize)>,
}

/// What a byte becomes: `(byte / 255 - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelScale {
    pub mean: f64,
    pub std: f64,
}

/// Which layers become one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fusion {
    /// None: every layer is a step, so that every output can be read.
    Off,
    /// All that one operation can compute together.
    On,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Step {
    pub operation: Operation,
    /// The layer whose name draws random numbers: the first one of the step.
    pub layer: String,
    /// The value it reads.
    pub input: usize,
    /// Values per image that enter and leave.
    pub n_in: usize,
    pub n_out: usize,
}

/// What a step computes; parameters are named by their first position.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Kernel at `parameter`, its bias after it if there is one.
    Conv {
        shape: ConvShape,
        bias: bool,
        norm: Option<Norm>,
        relu: bool,
        pool: bool,
        parameter: usize,
    },
    /// Kernel at `parameter`, its bias after it if there is one.
    Dense {
        bias: bool,
        relu: bool,
        parameter: usize,
    },
    BatchNorm {
        norm: Norm,
        n_channels: usize,
        relu: bool,
    },
    Relu,
    MaxWindows {
        windows: Windows,
    },
    MeanWindows {
        windows: Windows,
    },
    Dropout {
        rate: f64,
    },
    /// Adds another value.
    Add {
        other: usize,
        relu: bool,
    },
}

/// Batch normalisation: scale, shift, running mean and running variance from `parameter` on.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    pub parameter: usize,
    pub momentum: f64,
    pub eps: f64,
    /// Normalises by the running statistics while training too, and leaves them as they are.
    pub is_frozen: bool,
}

/// Numbers of a layer: name, shape, how they start and whether gradients move them.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub start: Start,
    /// False for running statistics, which the forward pass moves.
    pub is_trained: bool,
    /// Of the layer, for its kernel.
    pub penalty: Penalty,
}

/// First values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Kernels and biases, by an [`Initialisation`]; `fan_in` is the number of inputs behind one output.
    Drawn { fan_in: usize },
    /// All equal.
    Constant(f32),
}

impl Parameter {
    pub fn n_values(&self) -> usize {
        self.shape.iter().product()
    }

    /// The layer it belongs to.
    pub fn layer(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// First values, drawn by name.
    pub fn initialise(&self, seed: u64, rule: Initialisation) -> Vec<f32> {
        let n = self.n_values();
        let fan_in = match self.start {
            Start::Constant(value) => return vec![value; n],
            Start::Drawn { fan_in } => fan_in,
        };
        let bound = match (rule, self.shape.as_slice()) {
            (Initialisation::Pytorch, _) => (1.0 / fan_in as f64).sqrt(),
            (Initialisation::Glorot, [.., n_in, _]) => {
                let fan_out = n / n_in;
                (6.0 / (fan_in + fan_out) as f64).sqrt()
            }
            (Initialisation::Glorot, _) => return vec![0.0; n],
        } as f32;
        let mut rng = Rng::new(seed, &["initialise", &self.name]);
        (0..n).map(|_| rng.uniform_f32(-bound, bound)).collect()
    }
}

impl Plan {
    /// Plans `architecture`.
    pub fn new(
        architecture: &Architecture,
        shape: ImageShape,
        n_classes: usize,
        fusion: Fusion,
    ) -> Result<Self, NnError> {
        // Every shape is checked here; what follows relies on it.
        architecture.check(shape, n_classes)?;
        let mut planner = Planner {
            plan: Plan {
                pixels: PixelScale { mean: 0.0, std: 1.0 },
                steps: Vec::new(),
                parameters: Vec::new(),
                learns: vec![false],
                precision: Precision::default(),
                names: Vec::new(),
            },
            fusion,
            n_classes,
        };
        planner.list(architecture.layers(), 0, Flow::Image(shape));
        Ok(planner.plan)
    }

    /// Values per image of a value.
    pub fn n_values(&self, value: usize) -> usize {
        match value.checked_sub(1) {
            Some(step) => self.steps[step].n_out,
            None => self.steps.first().map_or(0, |step| step.n_in),
        }
    }

    /// The value that a layer gives, if a step ends with it.
    pub fn value_of(&self, layer: &str) -> Option<usize> {
        self.names.iter().find(|(name, _)| name == layer).map(|(_, value)| *value)
    }

    /// For each value, the last step that reads it; none for the result.
    pub fn last_reads(&self) -> Vec<Option<usize>> {
        let mut last = vec![None; self.steps.len() + 1];
        for (position, step) in self.steps.iter().enumerate() {
            last[step.input] = Some(position);
            if let Operation::Add { other, .. } = step.operation {
                last[other] = Some(position);
            }
        }
        last
    }
}

struct Planner {
    plan: Plan,
    fusion: Fusion,
    n_classes: usize,
}

impl Planner {
    /// Plans a list of layers on a value; returns the value and shape that leave it.
    fn list(&mut self, layers: &[Layer], value: usize, flow: Flow) -> (usize, Flow) {
        let (mut value, mut flow) = (value, flow);
        let mut next = 0;
        while next < layers.len() {
            let layer = &layers[next];
            let mut rest = Rest { layers: &layers[next + 1..], n_taken: 0 };
            (value, flow) = self.layer(layer, &mut rest, value, flow);
            next += 1 + rest.n_taken;
            let name = layers[next - 1].name.clone();
            self.plan.names.push((name, value));
        }
        (value, flow)
    }

    /// Plans one layer and those of `rest` that its step takes in.
    fn layer(
        &mut self,
        layer: &Layer,
        rest: &mut Rest<'_>,
        value: usize,
        flow: Flow,
    ) -> (usize, Flow) {
        let fuses = self.fusion == Fusion::On;
        let mut shape_out = layer.spec.output(flow, self.n_classes).unwrap_or(flow);
        let operation = match (&layer.spec, flow) {
            (
                LayerSpec::Conv { filters, kernel, padding, stride, bias, l1, l2 },
                Flow::Image(image),
            ) => {
                let shape = conv_shape(image, (*filters, *kernel), *padding, *stride);
                let weights = vec![*kernel, *kernel, image.channels, *filters];
                let penalty = Penalty { l1: *l1 as f32, l2: *l2 as f32 };
                let parameter = self.kernel(&layer.name, weights, shape.n_patch(), *bias, penalty);
                let mut norm = None;
                if fuses && let Some((next, momentum, eps)) = rest.batch_norm() {
                    norm = Some(self.norm(next, *filters, momentum, eps));
                }
                let relu = fuses && rest.take(&LayerSpec::Relu {});
                let pool = fuses && rest.take_pool();
                if pool {
                    let (height, width) = (shape.out_height() / 2, shape.out_width() / 2);
                    shape_out = Flow::Image(ImageShape { height, width, channels: *filters });
                }
                Operation::Conv { shape, bias: *bias, norm, relu, pool, parameter }
            }
            (LayerSpec::Dense { units, bias, l1, l2 }, flow) => {
                let n_in = flow.n_values();
                let weights = vec![n_in, units.resolve(self.n_classes)];
                let penalty = Penalty { l1: *l1 as f32, l2: *l2 as f32 };
                let parameter = self.kernel(&layer.name, weights, n_in, *bias, penalty);
                let relu = fuses && rest.take(&LayerSpec::Relu {});
                Operation::Dense { bias: *bias, relu, parameter }
            }
            (LayerSpec::BatchNorm { momentum, eps }, flow) => {
                let n_channels = flow.n_channels();
                let norm = self.norm(&layer.name, n_channels, *momentum, *eps);
                let relu = fuses && rest.take(&LayerSpec::Relu {});
                Operation::BatchNorm { norm, n_channels, relu }
            }
            (LayerSpec::Relu {}, _) => Operation::Relu,
            (LayerSpec::MaxPool { size, stride }, Flow::Image(image)) => {
                Operation::MaxWindows { windows: windows(image, *size, *stride) }
            }
            (LayerSpec::AvgPool { size, stride }, Flow::Image(image)) => {
                Operation::MeanWindows { windows: windows(image, *size, *stride) }
            }
            (LayerSpec::GlobalAvgPool {}, Flow::Image(image)) => {
                let size = (image.height, image.width);
                let windows = Windows { size, stride: size, ..windows(image, 1, None) };
                Operation::MeanWindows { windows }
            }
            (LayerSpec::Dropout { rate }, _) => Operation::Dropout { rate: *rate },
            (LayerSpec::Flatten {}, _) => return (value, shape_out),
            (LayerSpec::Normalize { mean, std }, _) => {
                self.plan.pixels = PixelScale { mean: *mean, std: *std };
                return (value, flow);
            }
            (LayerSpec::Residual { .. }, _) => {
                let (body, flow_out) = self.list(&layer.body, value, flow);
                let (other, _) = self.list(&layer.shortcut, value, flow);
                let relu = fuses && rest.take(&LayerSpec::Relu {});
                let operation = Operation::Add { other, relu };
                return (self.step(layer, operation, body, flow_out, flow_out), flow_out);
            }
            (
                LayerSpec::Conv { .. }
                | LayerSpec::MaxPool { .. }
                | LayerSpec::AvgPool { .. }
                | LayerSpec::GlobalAvgPool {},
                Flow::Vector(_),
            ) => unreachable!("`check` refuses images after `flatten`"),
        };
        (self.step(layer, operation, value, flow, shape_out), shape_out)
    }

    /// Adds a step; returns its value.
    fn step(
        &mut self,
        layer: &Layer,
        operation: Operation,
        input: usize,
        flow_in: Flow,
        flow_out: Flow,
    ) -> usize {
        let learns = match operation {
            Operation::Conv { .. } | Operation::Dense { .. } | Operation::BatchNorm { .. } => true,
            Operation::Add { other, .. } => self.plan.learns[input] || self.plan.learns[other],
            _ => self.plan.learns[input],
        };
        self.plan.learns.push(learns);
        self.plan.steps.push(Step {
            operation,
            layer: layer.name.clone(),
            input,
            n_in: flow_in.n_values(),
            n_out: flow_out.n_values(),
        });
        self.plan.steps.len()
    }

    fn kernel(
        &mut self,
        layer: &str,
        shape: Vec<usize>,
        fan_in: usize,
        bias: bool,
        penalty: Penalty,
    ) -> usize {
        let n_out = shape.last().copied().unwrap_or(0);
        let start = Start::Drawn { fan_in };
        let position = self.plan.parameters.len();
        let name = format!("{layer}.weight");
        self.plan.parameters.push(Parameter { name, shape, start, is_trained: true, penalty });
        if bias {
            self.plan.parameters.push(Parameter {
                name: format!("{layer}.bias"),
                shape: vec![n_out],
                start,
                is_trained: true,
                penalty: Penalty::default(),
            });
        }
        position
    }

    fn norm(&mut self, layer: &str, n_channels: usize, momentum: f64, eps: f64) -> Norm {
        let parameter = self.plan.parameters.len();
        let parts = [
            ("weight", 1.0, true),
            ("bias", 0.0, true),
            ("running_mean", 0.0, false),
            ("running_var", 1.0, false),
        ];
        self.plan.parameters.extend(parts.map(|(part, value, is_trained)| Parameter {
            name: format!("{layer}.{part}"),
            shape: vec![n_channels],
            start: Start::Constant(value),
            is_trained,
            penalty: Penalty::default(),
        }));
        Norm { parameter, momentum, eps, is_frozen: false }
    }
}

/// The layers after one, of which its step takes in the first few.
struct Rest<'a> {
    layers: &'a [Layer],
    n_taken: usize,
}

impl<'a> Rest<'a> {
    fn next(&self) -> Option<&'a Layer> {
        self.layers.get(self.n_taken)
    }

    /// Takes the next layer if it is this one.
    fn take(&mut self, spec: &LayerSpec) -> bool {
        let is_taken = self.next().is_some_and(|layer| layer.spec == *spec);
        self.n_taken += usize::from(is_taken);
        is_taken
    }

    /// Takes a maximum pooling of 2x2 at stride 2.
    fn take_pool(&mut self) -> bool {
        let is_taken = matches!(
            self.next().map(|layer| &layer.spec),
            Some(LayerSpec::MaxPool { size: 2, stride: None | Some(2) })
        );
        self.n_taken += usize::from(is_taken);
        is_taken
    }

    /// Takes a batch normalisation: its name and parameters.
    fn batch_norm(&mut self) -> Option<(&'a str, f64, f64)> {
        let layer = self.next()?;
        let LayerSpec::BatchNorm { momentum, eps } = layer.spec else { return None };
        self.n_taken += 1;
        Some((&layer.name, momentum, eps))
    }
}
