//! What can go wrong with networks.

use std::path::PathBuf;

use crate::data::{DataError, TensorFileError};

/// Why a network could not be built, trained, read or applied.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// No shipped architecture has this name.
    #[error("unknown architecture `{name}`")]
    UnknownArchitecture {
        /// Name asked for.
        name: String,
        /// The shipped name that is most like it.
        nearest: Option<String>,
        /// All shipped names.
        known: Vec<String>,
    },
    /// The text of an architecture is not valid.
    #[error("architecture `{name}`: {message}")]
    Syntax {
        /// Architecture.
        name: String,
        /// What is wrong and where.
        message: String,
    },
    /// A layer cannot take what the layer before it gives.
    #[error("architecture `{architecture}`: layer `{layer}` gets {found}, needs {expected}")]
    Shape {
        /// Architecture.
        architecture: String,
        /// Layer.
        layer: String,
        /// Shape that arrives.
        found: String,
        /// What it can take.
        expected: String,
    },
    /// A training parameter is outside its range.
    #[error("`{parameter}` is {found}, must be {expected}")]
    OutOfRange {
        /// Parameter.
        parameter: &'static str,
        /// Value given.
        found: String,
        /// Allowed range.
        expected: &'static str,
    },
    /// Training images cannot be changed so.
    #[error("`augment`: {0}")]
    Augment(DataError),
    /// A batch holds more images than there are.
    #[error("`batch_size` is {batch_size}, there are {n_images} training images")]
    BatchTooLarge {
        /// Batch size asked for.
        batch_size: usize,
        /// Images to train on.
        n_images: usize,
    },
    /// The data hold no training image.
    #[error("data set `{dataset}` has no training images")]
    NoImages {
        /// Data set.
        dataset: String,
    },
    /// A label is not below the number of classes.
    #[error("label {label} of image {row} is not one of {n_classes} classes")]
    Label {
        /// Label found.
        label: usize,
        /// Row in the training set.
        row: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// The loss is infinite, not a number, or far beyond that of guessing.
    #[error("the {what} became {loss} in epoch {epoch}, batch {batch}")]
    Diverged {
        /// Of the training or the validation images.
        what: &'static str,
        /// Loss found.
        loss: f64,
        /// Epoch, counted from 1.
        epoch: usize,
        /// Batch, counted from 1.
        batch: usize,
    },
    /// A parameter asks for validation images, and there are none.
    #[error("`{setting}` needs validation images, data set `{dataset}` has none")]
    NoValidation {
        /// Parameter.
        setting: &'static str,
        /// Data set.
        dataset: String,
    },
    /// The network to start from differs in more than its number of classes.
    #[error("`{parameter}` is {found} in the network to start from, this one needs {expected}")]
    OtherLayer {
        /// Layer and which of its weights.
        parameter: String,
        /// Shape there.
        found: String,
        /// Shape here.
        expected: String,
    },
    /// Images of another height, width or number of channels than the network reads.
    #[error("images of {found}, the network was trained for {expected}")]
    ImageShape {
        /// Shape of the images.
        found: String,
        /// Shape that the network reads.
        expected: String,
    },
    /// The network has no such layer.
    #[error("architecture `{architecture}` has no layer `{layer}`")]
    UnknownLayer {
        /// Architecture.
        architecture: String,
        /// Layer asked for.
        layer: String,
        /// The name that is most like it.
        nearest: Option<String>,
        /// All names, aliases last.
        known: Vec<String>,
    },
    /// The layer has no maps to look at.
    #[error("layer `{layer}` of architecture `{architecture}` gives {found}, no image")]
    NoMaps {
        /// Architecture.
        architecture: String,
        /// Layer asked for.
        layer: String,
        /// What it gives.
        found: String,
        /// Layers that give images.
        known: Vec<String>,
    },
    /// Only convolutions have filters.
    #[error("layer `{layer}` of architecture `{architecture}` is no convolution")]
    NoFilters {
        /// Architecture.
        architecture: String,
        /// Layer asked for.
        layer: String,
        /// Its convolutions.
        known: Vec<String>,
    },
    /// Images of another size than the network reads.
    #[error("images of {found} pixels, the network reads {expected}")]
    PixelCount {
        /// Pixels per image.
        found: usize,
        /// Pixels that the network reads.
        expected: usize,
    },
    /// An ensemble has no network.
    #[error("an ensemble of no networks")]
    NoMembers,
    /// The networks of an ensemble are not of the same images and classes.
    #[error("network {nth} of the ensemble tells {found}, the first tells {expected}")]
    MembersDiffer {
        /// Which, counted from 1.
        nth: usize,
        /// Classes and images of it.
        found: String,
        /// Those of the first.
        expected: String,
    },
    /// A stored network does not hold what its architecture needs.
    #[error("stored weights: {problem}")]
    Weights {
        /// What is wrong.
        problem: String,
    },
    /// A stored network cannot be read.
    #[error("stored weights: {0}")]
    TensorFile(#[from] TensorFileError),
    /// A checkpoint cannot be written.
    #[error("cannot write checkpoint `{}`: {source}", path.display())]
    Checkpoint {
        /// File.
        path: PathBuf,
        /// Why.
        source: TensorFileError,
    },
    /// The device of an engine cannot be used.
    #[error("no CUDA device: {source}")]
    Device {
        /// Why.
        source: candle_core::Error,
    },
    /// candle could not run an operation: a broken contract inside this room, or a full GPU.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
    /// The user asked to stop; the last epoch's checkpoint is kept.
    #[error("interrupted")]
    Interrupted,
}

impl NnError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            NnError::UnknownArchitecture { nearest, known, .. } => Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? known: {}", known.join(", ")),
                None => format!("known: {}", known.join(", ")),
            }),
            NnError::UnknownLayer { nearest, known, .. } => Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? layers: {}", known.join(", ")),
                None => format!("layers: {}", known.join(", ")),
            }),
            NnError::NoMaps { known, .. } if known.is_empty() => {
                Some("this network has no convolution to look into".into())
            }
            NnError::NoMaps { known, .. } => {
                Some(format!("layers that give images: {}", known.join(", ")))
            }
            NnError::NoFilters { known, .. } => Some(format!("convolutions: {}", known.join(", "))),
            NnError::Shape { expected, .. } if expected.starts_with("at least") => {
                Some("use fewer poolings, a smaller kernel or `padding = \"same\"`".into())
            }
            NnError::BatchTooLarge { n_images, .. } => {
                Some(format!("set `batch_size` to at most {n_images}"))
            }
            NnError::Diverged { epoch, .. } => {
                let kept = match epoch - 1 {
                    0 => String::new(),
                    good => format!("; the checkpoint of epoch {good} is kept"),
                };
                Some(format!(
                    "lower `learning_rate`, set `clip_norm` or begin with `warmup_epochs`{kept}"
                ))
            }
            NnError::NoValidation { .. } => {
                Some("hold images out: `validation = 0.1` in the `dataset` stage".into())
            }
            NnError::OtherLayer { .. } => Some(
                "start from a network of the same architecture and image shape; only the number \
                 of classes may differ"
                    .into(),
            ),
            NnError::ImageShape { .. } => {
                Some("name the data set that the network was trained on, or one like it".into())
            }
            NnError::MembersDiffer { .. } => {
                Some("average networks that were trained on the same data".into())
            }
            NnError::Augment(error) => error.hint(),
            NnError::Weights { .. } | NnError::TensorFile(_) => {
                Some("train the network again".into())
            }
            NnError::Device { .. } => Some(
                "build with `cargo build --release --features cuda` and run where there is an \
                 NVIDIA GPU, or leave `--device cuda` and `engine = \"candle_cuda\"` out"
                    .into(),
            ),
            NnError::Checkpoint { .. } => {
                Some("check free space and permissions of the directory".into())
            }
            _ => None,
        }
    }
}
