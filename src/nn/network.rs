//! A trained network: scores, features, and its form on disk.

use std::borrow::Cow;

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayD, ArrayView2, IxDyn};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::architecture::Architecture;
use super::augmentation::{Augmentation, Changed};
use super::error::NnError;
use super::ops::{Buffers, matrix, softmax, with_values};
use super::plan::Plan;
use super::tape;
use crate::data::{ImageShape, TensorFile};
use crate::kernels::Cpu;
use crate::kernels::nn::elementwise;

/// Images computed together.
const N_IMAGES_PER_CHUNK: usize = 512;
/// Images scaled to `[0, 1]` by one task.
const N_IMAGES_PER_SCALING: usize = 64;

/// An architecture with weights for images of one shape. Layer outputs are flattened in the order
/// height, width, channel.
#[derive(Clone, Debug)]
pub struct Network {
    architecture: Architecture,
    shape: ImageShape,
    n_classes: usize,
    plan: Plan,
    weights: Vec<Tensor>,
}

/// The document of a stored network.
#[derive(Serialize, Deserialize)]
struct Document {
    architecture: String,
    layers: String,
    shape: ImageShape,
    n_classes: usize,
}

impl Network {
    pub(super) fn new(
        architecture: &Architecture,
        shape: ImageShape,
        n_classes: usize,
        weights: Vec<Tensor>,
    ) -> Result<Self, NnError> {
        let plan = Plan::new(architecture, shape, n_classes, true)?;
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
        self.plan.parameters.iter().map(|parameter| parameter.n_values()).sum()
    }

    /// Scores before the softmax, `[n_images, n_classes]`, of images `[n_images, n_pixels]`.
    ///
    /// # Errors
    /// [`NnError::PixelCount`] for images of another size.
    pub fn logits(&self, pixels: ArrayView2<'_, u8>) -> Result<Array2<f32>, NnError> {
        self.run(&self.plan, self.plan.steps.len(), pixels)
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
        let ends_at = |plan: &Plan| plan.steps.iter().position(|step| step.last_layer == name);
        if let Some(last) = ends_at(&self.plan) {
            return self.run(&self.plan, last + 1, pixels);
        }
        // The layer is inside a fused step.
        let plan = Plan::new(&self.architecture, self.shape, self.n_classes, false)?;
        let n_steps = ends_at(&plan).map_or(plan.steps.len(), |last| last + 1);
        self.run(&plan, n_steps, pixels)
    }

    fn run(
        &self,
        plan: &Plan,
        n_steps: usize,
        pixels: ArrayView2<'_, u8>,
    ) -> Result<Array2<f32>, NnError> {
        let rows: Vec<usize> = (0..pixels.nrows()).collect();
        let buffers = Buffers::default();
        let mut out: Vec<f32> = Vec::new();
        let mut n_values = plan.steps.get(n_steps).map_or(self.n_classes, |step| step.n_in);
        for rows in rows.chunks(N_IMAGES_PER_CHUNK) {
            let x = images(pixels, rows, self.shape.n_pixels(), None, &buffers)?;
            let y = rayon::scope(|_| tape::infer(plan, n_steps, &self.weights, x, &buffers))?;
            n_values = y.dims2()?.1;
            if out.is_empty() {
                out.reserve_exact(pixels.nrows() * n_values);
            }
            with_values([&y], |[values]| out.extend_from_slice(values))?;
            buffers.reclaim(&y)?;
        }
        let n_found = out.len();
        Array2::from_shape_vec((pixels.nrows(), n_values), out).map_err(|_| {
            let problem = format!("{n_found} values for {} images", pixels.nrows());
            NnError::Weights { problem }
        })
    }

    /// The network as a file: architecture in the document, one tensor per parameter.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let document = Document {
            architecture: self.architecture.name().to_owned(),
            layers: self.architecture.to_toml().unwrap_or_default(),
            shape: self.shape,
            n_classes: self.n_classes,
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
        let plan = Plan::new(&architecture, document.shape, document.n_classes, true)?;
        let weights = take_weights(&mut file, "", &plan)?;
        Network::new(&architecture, document.shape, document.n_classes, weights)
    }
}

/// The images at `rows`, changed if they are to be, divided by 255, `[rows.len(), n_pixels]`.
pub(super) fn images(
    pixels: ArrayView2<'_, u8>,
    rows: &[usize],
    n_pixels: usize,
    augmentation: Option<&Augmentation>,
    buffers: &Buffers,
) -> Result<Tensor, NnError> {
    if pixels.ncols() != n_pixels {
        return Err(NnError::PixelCount { found: pixels.ncols(), expected: n_pixels });
    }
    let mut values = buffers.floats(rows.len() * n_pixels);
    let level = Cpu::detect();
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
                elementwise::scale_pixels(level, image, values);
            }
        });
    Ok(matrix(values, rows.len(), n_pixels)?)
}

/// Adds a copy of every parameter to `file`, under `prefix` and its name.
pub(super) fn insert_weights(
    file: &mut TensorFile<'_>,
    prefix: &str,
    plan: &Plan,
    weights: &[Tensor],
) {
    for (parameter, weights) in plan.parameters.iter().zip(weights) {
        let values = with_values([weights], |[values]| values.to_vec()).unwrap_or_default();
        if let Ok(values) = ArrayD::from_shape_vec(IxDyn(&parameter.shape), values) {
            file.insert_f32(&format!("{prefix}{}", parameter.name), values);
        }
    }
}

/// Takes every parameter out of `file`.
pub(super) fn take_weights(
    file: &mut TensorFile<'static>,
    prefix: &str,
    plan: &Plan,
) -> Result<Vec<Tensor>, NnError> {
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
            Ok(Tensor::from_vec(values, parameter.shape.as_slice(), &Device::Cpu)?)
        })
        .collect()
}
