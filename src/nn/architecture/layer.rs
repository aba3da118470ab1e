//! What one layer is: its parameters, its ranges, what it makes of a shape.

use serde::{Deserialize, Serialize};

use crate::data::ImageShape;
use crate::kernels::nn::im2col::ConvShape;
use crate::kernels::nn::pool::Windows;

/// What a layer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::nn) enum LayerSpec {
    /// Pixels in `[0, 1]` to `(pixel - mean) / std`.
    Normalize { mean: f64, std: f64 },
    /// Convolution with a square kernel.
    Conv {
        filters: usize,
        kernel: usize,
        #[serde(default)]
        padding: Padding,
        #[serde(default = "one")]
        stride: usize,
        #[serde(default = "yes")]
        bias: bool,
        #[serde(default)]
        l1: f64,
        #[serde(default)]
        l2: f64,
    },
    /// Channels to zero mean and unit variance of the batch, then scaled and shifted (Ioffe &
    /// Szegedy, 2015); with running statistics outside training.
    BatchNorm {
        #[serde(default = "tenth")]
        momentum: f64,
        #[serde(default = "eps")]
        eps: f64,
    },
    /// `max(x, 0)`.
    Relu {},
    /// Maximum over square windows.
    MaxPool {
        #[serde(default = "two")]
        size: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
    },
    /// Mean over square windows.
    AvgPool {
        #[serde(default = "two")]
        size: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
    },
    /// Mean over all positions.
    GlobalAvgPool {},
    /// While training, zeroes a share `rate` of the values and scales the others up.
    Dropout { rate: f64 },
    /// Image to vector; height, width, channel order.
    Flatten {},
    /// Fully connected.
    Dense {
        units: Units,
        #[serde(default = "yes")]
        bias: bool,
        #[serde(default)]
        l1: f64,
        #[serde(default)]
        l2: f64,
    },
    /// `body(x) + shortcut(x)` (He et al., CVPR 2016).
    Residual {
        body: Vec<LayerSpec>,
        #[serde(default)]
        shortcut: Vec<LayerSpec>,
    },
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

fn yes() -> bool {
    true
}

fn tenth() -> f64 {
    0.1
}

fn eps() -> f64 {
    1e-5
}

/// Border of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::nn) enum Padding {
    /// Zeros on each side.
    Count(usize),
    /// By a word.
    Word(PaddingWord),
}

/// `valid` or `same`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::nn) enum PaddingWord {
    /// No border: the output is smaller by `kernel - 1`.
    Valid,
    /// A border of zeros keeps the size; an odd remainder goes to the end.
    Same,
}

impl Default for Padding {
    fn default() -> Self {
        Padding::Word(PaddingWord::Valid)
    }
}

impl Padding {
    /// Zeros before and after.
    fn border(self, kernel: usize) -> (usize, usize) {
        match self {
            Padding::Count(n) => (n, n),
            Padding::Word(PaddingWord::Valid) => (0, 0),
            Padding::Word(PaddingWord::Same) => ((kernel - 1) / 2, kernel / 2),
        }
    }
}

/// Size of a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::nn) enum Units {
    /// This many.
    Count(usize),
    /// As many as the data have classes.
    Word(ClassesWord),
}

/// The word `classes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::nn) enum ClassesWord {
    /// As many units as classes.
    Classes,
}

impl Units {
    pub fn resolve(&self, n_classes: usize) -> usize {
        match self {
            Units::Count(count) => *count,
            Units::Word(ClassesWord::Classes) => n_classes,
        }
    }
}

/// Added to the loss for a kernel: `l1 sum |w| + l2 sum w^2`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::nn) struct Penalty {
    pub l1: f32,
    pub l2: f32,
}

/// Shape of what flows between two layers, without the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nn) enum Flow {
    Image(ImageShape),
    Vector(usize),
}

impl Flow {
    pub fn n_values(&self) -> usize {
        match self {
            Flow::Image(shape) => shape.n_pixels(),
            Flow::Vector(n) => *n,
        }
    }

    /// Channels of an image, values of a vector.
    pub fn n_channels(&self) -> usize {
        match self {
            Flow::Image(shape) => shape.channels,
            Flow::Vector(n) => *n,
        }
    }

    /// As summaries print it: channels, height, width; or features.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Flow::Image(shape) => vec![shape.channels, shape.height, shape.width],
            Flow::Vector(n) => vec![*n],
        }
    }

    pub fn describe(&self) -> String {
        match self {
            Flow::Image(shape) => {
                format!("{}x{} pixels of {} channels", shape.height, shape.width, shape.channels)
            }
            Flow::Vector(n) => format!("a vector of {n} values"),
        }
    }
}

/// Shape of a convolution over `image`.
pub(in crate::nn) fn conv_shape(
    image: ImageShape,
    (filters, kernel): (usize, usize),
    padding: Padding,
    stride: usize,
) -> ConvShape {
    let (pad_before, pad_after) = padding.border(kernel);
    ConvShape {
        height: image.height,
        width: image.width,
        in_channels: image.channels,
        kernel,
        stride,
        pad_before,
        pad_after,
        out_channels: filters,
    }
}

/// Square windows over `image`; `stride` is `size` if none is given.
pub(in crate::nn) fn windows(image: ImageShape, size: usize, stride: Option<usize>) -> Windows {
    let stride = stride.unwrap_or(size);
    Windows {
        height: image.height,
        width: image.width,
        channels: image.channels,
        size: (size, size),
        stride: (stride, stride),
    }
}

impl LayerSpec {
    pub fn kind(&self) -> &'static str {
        match self {
            LayerSpec::Normalize { .. } => "normalize",
            LayerSpec::Conv { .. } => "conv",
            LayerSpec::BatchNorm { .. } => "batch_norm",
            LayerSpec::Relu {} => "relu",
            LayerSpec::MaxPool { .. } => "max_pool",
            LayerSpec::AvgPool { .. } => "avg_pool",
            LayerSpec::GlobalAvgPool {} => "global_avg_pool",
            LayerSpec::Dropout { .. } => "dropout",
            LayerSpec::Flatten {} => "flatten",
            LayerSpec::Dense { .. } => "dense",
            LayerSpec::Residual { .. } => "residual",
        }
    }

    /// As a summary prints it.
    pub fn describe(&self) -> String {
        match self {
            LayerSpec::Normalize { mean, std } => format!("Normalize {mean}, {std}"),
            LayerSpec::Conv { kernel, stride: 1, .. } => format!("Conv2d {kernel}x{kernel}"),
            LayerSpec::Conv { kernel, stride, .. } => {
                format!("Conv2d {kernel}x{kernel}, stride {stride}")
            }
            LayerSpec::BatchNorm { .. } => "BatchNorm".to_owned(),
            LayerSpec::Relu {} => "ReLU".to_owned(),
            LayerSpec::MaxPool { size, .. } => format!("MaxPool2d {size}x{size}"),
            LayerSpec::AvgPool { size, .. } => format!("AvgPool2d {size}x{size}"),
            LayerSpec::GlobalAvgPool {} => "GlobalAvgPool2d".to_owned(),
            LayerSpec::Dropout { rate } => format!("Dropout {rate}"),
            LayerSpec::Flatten {} => "Flatten".to_owned(),
            LayerSpec::Dense { .. } => "Dense".to_owned(),
            LayerSpec::Residual { .. } => "Add".to_owned(),
        }
    }

    /// Values that training changes.
    pub fn n_parameters(&self, input: Flow, n_classes: usize) -> usize {
        match self {
            LayerSpec::Conv { filters, kernel, bias, .. } => {
                (kernel * kernel * input.n_channels() + usize::from(*bias)) * filters
            }
            LayerSpec::Dense { units, bias, .. } => {
                (input.n_values() + usize::from(*bias)) * units.resolve(n_classes)
            }
            LayerSpec::BatchNorm { .. } => 2 * input.n_channels(),
            _ => 0,
        }
    }

    /// What is wrong with the layer's own values.
    pub fn problem(&self) -> Option<String> {
        let outside = |name: &str, value: usize, from: usize, to: usize| {
            let is_inside = (from..=to).contains(&value);
            (!is_inside).then(|| format!("`{name}` is {value}, must be {from} to {to}"))
        };
        let penalty = |name: &str, value: f64| {
            let is_good = value >= 0.0 && value.is_finite();
            (!is_good).then(|| format!("`{name}` is {value}, must be at least 0"))
        };
        match self {
            LayerSpec::Normalize { mean, std } => {
                let is_good = mean.is_finite() && std.is_finite() && *std > 0.0;
                (!is_good).then(|| {
                    format!("`mean` is {mean} and `std` {std}: they must be finite, `std` above 0")
                })
            }
            LayerSpec::Conv { filters, kernel, padding, stride, l1, l2, .. } => {
                let border = match padding {
                    Padding::Count(n) => *n,
                    Padding::Word(_) => 0,
                };
                outside("filters", *filters, 1, 4096)
                    .or_else(|| outside("kernel", *kernel, 1, 31))
                    .or_else(|| outside("padding", border, 0, 64))
                    .or_else(|| outside("stride", *stride, 1, 31))
                    .or_else(|| penalty("l1", *l1))
                    .or_else(|| penalty("l2", *l2))
            }
            LayerSpec::BatchNorm { momentum, eps } => {
                let is_good = *momentum > 0.0 && *momentum <= 1.0 && *eps > 0.0 && *eps <= 1.0;
                (!is_good).then(|| {
                    format!(
                        "`momentum` is {momentum} and `eps` {eps}: both must be above 0 and at most 1"
                    )
                })
            }
            LayerSpec::MaxPool { size, stride } | LayerSpec::AvgPool { size, stride } => {
                outside("size", *size, 1, 15)
                    .or_else(|| stride.and_then(|stride| outside("stride", stride, 1, 15)))
            }
            LayerSpec::Dropout { rate } if !(0.0..1.0).contains(rate) => {
                Some(format!("`rate` is {rate}, must be at least 0 and below 1"))
            }
            LayerSpec::Dense { units, l1, l2, .. } => {
                let count = match units {
                    Units::Count(count) => *count,
                    Units::Word(_) => 1,
                };
                outside("units", count, 1, 65_536)
                    .or_else(|| penalty("l1", *l1))
                    .or_else(|| penalty("l2", *l2))
            }
            LayerSpec::Residual { body, .. } if body.is_empty() => {
                Some("`body` has no layers".to_owned())
            }
            _ => None,
        }
    }

    /// What leaves the layer, or what it would need; a `residual` is its branches' business.
    pub fn output(&self, flow: Flow, n_classes: usize) -> Result<Flow, String> {
        let image = match (self, flow) {
            (
                LayerSpec::Conv { .. }
                | LayerSpec::MaxPool { .. }
                | LayerSpec::AvgPool { .. }
                | LayerSpec::GlobalAvgPool {},
                Flow::Vector(_),
            ) => return Err("an image; put it before `flatten`".into()),
            (LayerSpec::Dense { .. }, Flow::Image(_)) => {
                return Err("a vector; put `flatten` before it".into());
            }
            (_, Flow::Image(image)) => image,
            (_, Flow::Vector(_)) => ImageShape { height: 0, width: 0, channels: 0 },
        };
        Ok(match self {
            LayerSpec::Conv { filters, kernel, padding, stride, .. } => {
                let (before, after) = padding.border(*kernel);
                if image.height.min(image.width) + before + after < *kernel {
                    return Err(format!("at least {kernel}x{kernel} pixels"));
                }
                let shape = conv_shape(image, (*filters, *kernel), *padding, *stride);
                let (height, width) = (shape.out_height(), shape.out_width());
                Flow::Image(ImageShape { height, width, channels: *filters })
            }
            LayerSpec::MaxPool { size, stride } | LayerSpec::AvgPool { size, stride } => {
                if image.height.min(image.width) < *size {
                    return Err(format!("at least {size}x{size} pixels"));
                }
                let (height, width) = windows(image, *size, *stride).counts();
                Flow::Image(ImageShape { height, width, channels: image.channels })
            }
            LayerSpec::GlobalAvgPool {} => Flow::Vector(image.channels),
            LayerSpec::Flatten {} => Flow::Vector(flow.n_values()),
            LayerSpec::Dense { units, .. } => Flow::Vector(units.resolve(n_classes)),
            LayerSpec::Normalize { .. }
            | LayerSpec::BatchNorm { .. }
            | LayerSpec::Relu {}
            | LayerSpec::Dropout { .. }
            | LayerSpec::Residual { .. } => flow,
        })
    }
}
