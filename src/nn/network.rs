//! A trained network: scores, features, and its form on disk.

use std::borrow::Cow;

use ndarray::{Array2, ArrayD, ArrayView2, IxDyn};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::architecture::Architecture;
use super::augmentation::{Augmentation, Changed};
use super::candle::Candle;
use super::error::NnError;
use super::ops::{Buffers, softmax};
use super::params::{Engine, Precision};
use super::plan::{Fusion, Parameter, PixelScale, Plan};
use super::tape::{self, Weights};
use crate::data::{ImageShape, TensorFile};
use crate::kernels::Cpu;
use crate::kernels::nn::elementwise;

/// Fewest and most images that one thread takes through all layers.
const N_IMAGES_PER_CHUNK: (usize, usize) = (16, 256);
/// Values of the largest layer for all images of a chunk: they stay in cache from layer to layer.
const N_VALUES_PER_CHUNK: usize = 1 << 19;
/// Images that candle computes together.
const N_IMAGES_FOR_CANDLE: usize = 512;
/// Images scaled to `[0, 1]` by one task.
const N_IMAGES_PER_SCALING: usize = 64;

/// An architecture with weights for images of one shape. Layer outputs are flattened in the order
/// height, width, channel.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) architecture: Architecture,
    pub(super) shape: ImageShape,
    pub(super) n_classes: usize,
    pub(super) plan: Plan,
    pub(super) weights: Weights,
}

/// The document of a stored network.
#[derive(Serialize, Deserialize)]
struct Document {
    architecture: String,
    layers: String,
    shape: ImageShape,
    n_classes: usize,
    #[serde(default)]
    precision: Precision,
}

impl Network {
    pub(super) fn new(
        architecture: &Architecture,
        shape: ImageShape,
        n_classes: usize,
        precision: Precision,
        weights: Weights,
    ) -> Result<Self, NnError> {
        let mut plan = Plan::new(architecture, shape, n_classes, Fusion::On)?;
        plan.precision = precision;
        Ok(Network { architecture: architecture.clone(), shape, n_classes, plan, weights })
    }

    /// Layers of the network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Shape of the images that it reads.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Trainable values.
    pub fn n_parameters(&self) -> usize {
        let trained = self.plan.parameters.iter().filter(|parameter| parameter.is_trained);
        trained.map(|parameter| parameter.n_values()).sum()
    }

    /// What its convolutions multiply.
    pub fn precision(&self) -> Precision {
        self.plan.precision
    }

    /// Parameters and their values.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&Parameter, &[f32])> {
        self.plan.parameters.iter().zip(self.weights.iter().map(Vec::as_slice))
    }

    /// Checks that the network can read images of this shape.
    ///
    /// # Errors
    /// [`NnError::ImageShape`] for another height, width or number of channels.
    pub fn check_images(&self, found: ImageShape) -> Result<(), NnError> {
        if found == self.shape {
            return Ok(());
        }
        let text = |shape: ImageShape| {
            format!("{}x{} pixels in {} channels", shape.height, shape.width, shape.channels)
        };
        Err(NnError::ImageShape { found: text(found), expected: text(self.shape) })
    }

    /// Scores before the softmax, `[n_images, n_classes]`, of images `[n_images, n_pixels]`.
    ///
    /// # Errors
    /// [`NnError::PixelCount`] for images of another size.
    pub fn logits(&self, pixels: ArrayView2<'_, u8>) -> Result<Array2<f32>, NnError> {
        self.run(&self.plan, self.plan.steps.len(), pixels)
    }

    /// As [`Network::logits`], computed by another engine.
    ///
    /// # Errors
    /// As there; [`NnError::Device`].
    pub fn logits_by(
        &self,
        engine: Engine,
        pixels: ArrayView2<'_, u8>,
    ) -> Result<Array2<f32>, NnError> {
        if engine == Engine::Native {
            return self.logits(pixels);
        }
        let candle = Candle::new(engine, &self.architecture, &self.plan, self.shape)?;
        let rows: Vec<usize> = (0..pixels.nrows()).collect();
        let (buffers, mut out) = (Buffers::default(), Vec::new());
        for rows in rows.chunks(N_IMAGES_FOR_CANDLE) {
            let n_pixels = self.shape.n_pixels();
            let x = images(pixels, rows, n_pixels, self.plan.pixels, None, &buffers)?;
            out.extend(candle.scores(&self.weights, &x)?);
            buffers.keep_floats(x);
        }
        table(out, pixels.nrows(), self.n_classes)
    }

    /// Probabilities of the classes, `[n_images, n_classes]`.
    ///
    /// # Errors
    /// As [`Network::logits`].
    pub fn probabilities(&self, pixels: ArrayView2<'_, u8>) -> Result<Array2<f32>, NnError> {
        let mut scores = self.logits(pixels)?;
        for mut row in scores.rows_mut() {
            if let Some(row) = row.as_slice_mut() {
                softmax(row);
            }
        }
        Ok(scores)
    }

    /// What a layer gives, `[n_images, n_values]`: by the layer's name, or `penultimate` (what
    /// enters the last dense layer), or `last_pool` (what the last pooling gives, flattened).
    ///
    /// # Errors
    /// [`NnError::UnknownLayer`] with the nearest name; [`NnError::PixelCount`].
    pub fn layer_output(
        &self,
        pixels: ArrayView2<'_, u8>,
        layer: &str,
    ) -> Result<Array2<f32>, NnError> {
        let name = self.architecture.resolve(layer)?;
        if let Some(value) = self.plan.value_of(&name) {
            return self.run(&self.plan, value, pixels);
        }
        // The layer is inside a fused step.
        let mut plan = Plan::new(&self.architecture, self.shape, self.n_classes, Fusion::Off)?;
        plan.precision = self.plan.precision;
        let value = plan.value_of(&name).unwrap_or(plan.steps.len());
        self.run(&plan, value, pixels)
    }

    /// Takes chunks of scaled images through `plan` up to `value`, each on one thread.
    fn run(
        &self,
        plan: &Plan,
        value: usize,
        pixels: ArrayView2<'_, u8>,
    ) -> Result<Array2<f32>, NnError> {
        let n_values = plan.n_values(value);
        let largest = (0..=value).map(|value| plan.n_values(value)).max().unwrap_or(1);
        let (fewest, most) = N_IMAGES_PER_CHUNK;
        let n_images = (N_VALUES_PER_CHUNK / largest.max(1)).clamp(fewest, most);
        let rows: Vec<usize> = (0..pixels.nrows()).collect();
        let buffers = Buffers::default();
        let mut out = vec![0.0; pixels.nrows() * n_values];
        out.par_chunks_mut(n_images * n_values).zip(rows.par_chunks(n_images)).try_for_each(
            |(out, rows)| -> Result<(), NnError> {
                let n_pixels = self.shape.n_pixels();
                let x = images(pixels, rows, n_pixels, plan.pixels, None, &buffers)?;
                let y = tape::infer(plan, value, &self.weights, x, rows.len(), &buffers);
                out.copy_from_slice(&y);
                buffers.keep_floats(y);
                Ok(())
            },
        )?;
        table(out, pixels.nrows(), n_values)
    }

    /// The network as a file: architecture in the document, one tensor per parameter.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let document = Document {
            architecture: self.architecture.name().to_owned(),
            layers: self.architecture.to_toml().unwrap_or_default(),
            shape: self.shape,
            n_classes: self.n_classes,
            precision: self.plan.precision,
        };
        let mut file = TensorFile::new(serde_json::to_value(document).unwrap_or_default());
        insert_weights(&mut file, "", &self.plan, &self.weights);
        file
    }

    /// Reads what [`Network::to_tensors`] wrote.
    ///
    /// # Errors
    /// [`NnError::Weights`] or [`NnError::TensorFile`] if something is missing or does not fit.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Network, NnError> {
        let document: Document = serde_json::from_value(std::mem::take(&mut file.document))
            .map_err(|error| NnError::Weights { problem: error.to_string() })?;
        let architecture = Architecture::parse(&document.architecture, &document.layers)?;
        let plan = Plan::new(&architecture, document.shape, document.n_classes, Fusion::On)?;
        let weights = take_weights(&mut file, "", &plan)?;
        let Document { shape, n_classes, precision, .. } = document;
        Network::new(&architecture, shape, n_classes, precision, weights)
    }
}

/// Values of `n` images as a table.
fn table(values: Vec<f32>, n: usize, n_values: usize) -> Result<Array2<f32>, NnError> {
    let n_found = values.len();
    Array2::from_shape_vec((n, n_values), values).map_err(|_| {
        let problem = format!("{n_found} values for {n} images");
        NnError::Weights { problem }
    })
}

/// The images at `rows`, changed if they are to be, scaled, `[rows.len(), n_pixels]`.
pub(super) fn images(
    pixels: ArrayView2<'_, u8>,
    rows: &[usize],
    n_pixels: usize,
    scale: PixelScale,
    augmentation: Option<&Augmentation>,
    buffers: &Buffers,
) -> Result<Vec<f32>, NnError> {
    if pixels.ncols() != n_pixels {
        return Err(NnError::PixelCount { found: pixels.ncols(), expected: n_pixels });
    }
    let mut values = buffers.floats(rows.len() * n_pixels);
    let (level, mean, std) = (Cpu::detect(), scale.mean as f32, scale.std as f32);
    values
        .par_chunks_mut(N_IMAGES_PER_SCALING * n_pixels)
        .zip(rows.par_chunks(N_IMAGES_PER_SCALING))
        .for_each(|(values, rows)| {
            let mut changed = Changed::default();
            for (values, &row) in values.chunks_exact_mut(n_pixels).zip(rows) {
                let image = pixels.row(row);
                let image = image.as_slice().map_or_else(|| image.to_vec().into(), Cow::Borrowed);
                let image = match augmentation {
                    Some(augmentation) => augmentation.change(row, &image, &mut changed),
                    None => &*image,
                };
                elementwise::scale_pixels(level, image, mean, std, values);
            }
        });
    Ok(values)
}

/// Adds a copy of every parameter to `file`, under `prefix` and its name.
pub(super) fn insert_weights(
    file: &mut TensorFile<'_>,
    prefix: &str,
    plan: &Plan,
    weights: &Weights,
) {
    for (parameter, weights) in plan.parameters.iter().zip(weights) {
        if let Ok(values) = ArrayD::from_shape_vec(IxDyn(&parameter.shape), weights.clone()) {
            file.insert_f32(&format!("{prefix}{}", parameter.name), values);
        }
    }
}

/// Takes every parameter out of `file`.
pub(super) fn take_weights(
    file: &mut TensorFile<'static>,
    prefix: &str,
    plan: &Plan,
) -> Result<Weights, NnError> {
    plan.parameters
        .iter()
        .map(|parameter| {
            let values: ArrayD<f32> = file.take_f32(&format!("{prefix}{}", parameter.name))?;
            if values.shape() != parameter.shape {
                return Err(NnError::Weights {
                    problem: format!(
                        "`{}` has shape {:?}, the architecture needs {:?}",
                        parameter.name,
                        values.shape(),
                        parameter.shape
                    ),
                });
            }
            let (values, _) = values.into_raw_vec_and_offset();
            Ok(values)
        })
        .collect()
}
