//! Convolution with bias, and ReLU and 2x2 maximum pooling if they follow.
//!
//! Kernels are `[kernel, kernel, in_channels, out_channels]`, as Keras lays them out. The backward
//! pass computes patches again rather than keep them: they are nine times the image.

use std::cell::Cell;
use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{Buffers, lock, matrix, values, with_values};
use crate::kernels::Cpu;
use crate::kernels::gemm::{Mat, gemm};
use crate::kernels::nn::conv_direct::{self, DirectShape};
use crate::kernels::nn::im2col::{ConvShape, col2im_add, im2col};
use crate::kernels::nn::{elementwise, pool};

/// Fewest and most images that one matrix product covers. Few, so that their patches stay in a
/// core's second-level cache; more where an image has few positions, because every product packs
/// the kernel again.
const N_IMAGES_PER_PRODUCT: (usize, usize) = (4, 16);
/// Positions that are enough for one product.
const N_ROWS_PER_PRODUCT: usize = 256;
/// Most partial sums of a kernel gradient.
const N_PARTIALS: usize = 16;
/// Fewest images behind one partial sum.
const MIN_IMAGES_PER_PARTIAL: usize = 8;

/// The operation on `(images, kernel, bias)`.
pub struct Conv {
    shape: ConvShape,
    relu: bool,
    pool: bool,
    needs_input_grad: bool,
    level: Cpu,
    buffers: Buffers,
    /// Position of the maximum of every pooled window, for the backward pass.
    winners: Mutex<Vec<u8>>,
}

impl Conv {
    /// A convolution of `shape`; ReLU and pooling follow if asked, in this order.
    pub fn new(
        shape: ConvShape,
        relu: bool,
        pool: bool,
        needs_input_grad: bool,
        buffers: &Buffers,
    ) -> Self {
        let (level, winners) = (Cpu::detect(), Mutex::default());
        Conv { shape, relu, pool, needs_input_grad, level, buffers: buffers.clone(), winners }
    }

    /// Values of one output image.
    fn n_out(&self) -> usize {
        let shape = &self.shape;
        match self.pool {
            true => (shape.out_height() / 2) * (shape.out_width() / 2) * shape.out_channels,
            false => shape.n_positions() * shape.out_channels,
        }
    }

    /// Images of one matrix product and of one parallel task of the forward pass.
    fn n_images_per_product(&self) -> usize {
        let (fewest, most) = N_IMAGES_PER_PRODUCT;
        N_ROWS_PER_PRODUCT.div_ceil(self.shape.n_positions()).clamp(fewest, most)
    }

    /// Shape before pooling.
    fn full_shape(&self) -> (usize, usize, usize) {
        (self.shape.out_height(), self.shape.out_width(), self.shape.out_channels)
    }

    /// The shape of the fused kernel, where it applies.
    fn direct(&self) -> Option<DirectShape> {
        let border = self.shape.pad_before + self.shape.pad_after;
        let direct = DirectShape {
            height: self.shape.height + border,
            width: self.shape.width + border,
            kernel: self.shape.kernel,
            out_channels: self.shape.out_channels,
        };
        let applies = self.pool && self.shape.in_channels == 1 && !self.needs_input_grad;
        (applies && direct.is_fast()).then_some(direct)
    }

    fn forward(&self, x: &[f32], weights: &[f32], bias: &[f32], n: usize) -> (Vec<f32>, Vec<u8>) {
        let (n_in, n_out) = (self.shape.n_in(), self.n_out());
        let mut out = self.buffers.floats(n * n_out);
        let mut winners = self.buffers.bytes(if self.pool { n * n_out } else { 0 });
        let n_images = self.n_images_per_product();
        let mut no_winners = vec![[0u8; 0]; n.div_ceil(n_images)];
        let winner_chunks: Vec<&mut [u8]> = if self.pool {
            winners.chunks_mut(n_images * n_out).collect()
        } else {
            no_winners.iter_mut().map(|none| none.as_mut_slice()).collect()
        };
        let direct = self.direct();
        x.par_chunks(n_images * n_in)
            .zip(out.par_chunks_mut(n_images * n_out))
            .zip(winner_chunks)
            .for_each(|((x, out), winners)| match &direct {
                Some(direct) => {
                    let windows = winners.chunks_exact_mut(n_out);
                    let images = x.chunks_exact(n_in).zip(out.chunks_exact_mut(n_out)).zip(windows);
                    for ((image, out), winners) in images {
                        self.padded(image, |image| {
                            conv_direct::forward(
                                self.level, direct, image, weights, bias, self.relu, out, winners,
                            );
                        });
                    }
                }
                None => self.forward_by_product(x, weights, bias, out, winners),
            });
        (out, winners)
    }

    fn forward_by_product(
        &self,
        x: &[f32],
        weights: &[f32],
        bias: &[f32],
        out: &mut [f32],
        winners: &mut [u8],
    ) {
        let shape = &self.shape;
        let n_full = shape.n_positions() * shape.out_channels;
        let n_rows = x.len() / shape.n_in() * shape.n_positions();
        let kernel = Mat::new(weights, shape.n_patch(), shape.out_channels);
        self.with_patches(x, |cols| {
            let cols = Mat::new(cols, n_rows, shape.n_patch());
            if !self.pool {
                gemm(cols, kernel, out, false);
                elementwise::add_bias(self.level, out, bias, self.relu);
                return;
            }
            with_scratch(&SUMS, n_rows * shape.out_channels, |sums| {
                gemm(cols, kernel, sums, false);
                elementwise::add_bias(self.level, sums, bias, self.relu);
                let n_out = self.n_out();
                let pooled = out.chunks_exact_mut(n_out).zip(winners.chunks_exact_mut(n_out));
                for (sums, (out, winners)) in sums.chunks_exact(n_full).zip(pooled) {
                    pool::max_pool(self.level, sums, self.full_shape(), self.relu, out, winners);
                }
            });
        });
    }

    /// Calls `use_image` with the image and its border of zeros.
    fn padded(&self, image: &[f32], use_image: impl FnOnce(&[f32])) {
        let ConvShape { height, width, pad_before, pad_after, .. } = self.shape;
        let border = pad_before + pad_after;
        if border == 0 {
            return use_image(image);
        }
        with_scratch(&PATCHES, (height + border) * (width + border), |padded| {
            padded.fill(0.0);
            for (y, row) in image.chunks_exact(width).enumerate() {
                let start = (y + pad_before) * (width + border) + pad_before;
                padded[start..start + width].copy_from_slice(row);
            }
            use_image(padded);
        });
    }

    fn with_patches(&self, x: &[f32], use_patches: impl FnOnce(&[f32])) {
        let n_cols = self.shape.n_positions() * self.shape.n_patch();
        let n = x.len() / self.shape.n_in();
        with_scratch(&PATCHES, n * n_cols, |cols| {
            let images = x.chunks_exact(self.shape.n_in());
            for (image, cols) in images.zip(cols.chunks_exact_mut(n_cols)) {
                im2col(&self.shape, image, cols);
            }
            use_patches(cols);
        });
    }

    /// Adds one part's gradients to `part`, writes the gradient of its images.
    fn backward_part(&self, part: &mut Part<'_>, weights: &[f32]) {
        let (n_in, n_out) = (self.shape.n_in(), self.n_out());
        let Part { x, y, grad, winners, grad_x, grad_weights, grad_bias } = part;
        if let Some(direct) = self.direct() {
            let windows = grad.chunks_exact(n_out).zip(winners.chunks_exact(n_out));
            for (image, (grad, winners)) in x.chunks_exact(n_in).zip(windows) {
                self.padded(image, |image| {
                    let (w, b) = (&mut *grad_weights, &mut *grad_bias);
                    conv_direct::backward(self.level, &direct, image, grad, winners, w, b);
                });
            }
            return;
        }
        let n_images = x.len() / n_in;
        let n_per_product = self.n_images_per_product();
        for first in (0..n_images).step_by(n_per_product) {
            let end = (first + n_per_product).min(n_images);
            let out_range = first * n_out..end * n_out;
            let n_full = self.shape.n_positions() * self.shape.out_channels;
            with_scratch(&SUMS, (end - first) * n_full, |full| {
                let grad = &grad[out_range.clone()];
                if self.pool {
                    let winners = winners[out_range.clone()].chunks_exact(n_out);
                    let pooled = grad.chunks_exact(n_out).zip(winners);
                    for (full, (grad, winners)) in full.chunks_exact_mut(n_full).zip(pooled) {
                        let shape = self.full_shape();
                        pool::max_pool_backward(self.level, grad, winners, shape, full);
                    }
                } else if self.relu {
                    elementwise::relu_backward(self.level, &y[out_range], grad, full);
                } else {
                    full.copy_from_slice(grad);
                }
                let x = &x[first * n_in..end * n_in];
                let grad_x = grad_x.as_mut().map(|grad_x| &mut grad_x[first * n_in..end * n_in]);
                self.backward_by_product(x, weights, full, grad_x, grad_weights, grad_bias);
            });
        }
    }

    fn backward_by_product(
        &self,
        x: &[f32],
        weights: &[f32],
        full: &[f32],
        grad_x: Option<&mut [f32]>,
        grad_weights: &mut [f32],
        grad_bias: &mut [f32],
    ) {
        let shape = &self.shape;
        let n_rows = full.len() / shape.out_channels;
        let grads = Mat::new(full, n_rows, shape.out_channels);
        elementwise::add_rows(self.level, full, grad_bias);
        self.with_patches(x, |cols| {
            gemm(Mat::new(cols, n_rows, shape.n_patch()).t(), grads, grad_weights, true);
        });
        let Some(grad_x) = grad_x else { return };
        let n_cols = shape.n_positions() * shape.n_patch();
        with_scratch(&PATCHES, n_rows * shape.n_patch(), |grad_cols| {
            let kernel = Mat::new(weights, shape.n_patch(), shape.out_channels);
            gemm(grads, kernel.t(), grad_cols, false);
            grad_x.fill(0.0);
            let images = grad_x.chunks_exact_mut(shape.n_in());
            for (image, cols) in images.zip(grad_cols.chunks_exact(n_cols)) {
                col2im_add(self.level, shape, cols, image);
            }
        });
    }
}

/// Images of one partial sum.
struct Part<'a> {
    x: &'a [f32],
    y: &'a [f32],
    grad: &'a [f32],
    winners: &'a [u8],
    grad_x: Option<&'a mut [f32]>,
    grad_weights: Vec<f32>,
    grad_bias: Vec<f32>,
}

impl CustomOp3 for Conv {
    fn name(&self) -> &'static str {
        "conv"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let n = x_layout.dims()[0];
        let (x, weights) = (values(x, x_layout)?, values(weights, weights_layout)?);
        let (out, winners) = self.forward(x, weights, values(bias, bias_layout)?, n);
        *lock(&self.winners) = winners;
        Ok((CpuStorage::F32(out), Shape::from((n, self.n_out()))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n_in, n_out) = (self.shape.n_in(), self.n_out());
        let n = x.dims()[0];
        let winners = lock(&self.winners);
        let n_input_grad = if self.needs_input_grad { n * n_in } else { 0 };
        let mut grad_x = self.buffers.floats(n_input_grad);
        let n_weights = self.shape.n_patch() * self.shape.out_channels;
        let size = n.div_ceil(N_PARTIALS).max(MIN_IMAGES_PER_PARTIAL);
        let (grad_weights, grad_bias) =
            with_values([x, weights, y, grad], |[x, weights, y, grad]| {
                let mut images = grad_x.chunks_mut(size * n_in);
                let mut parts: Vec<Part<'_>> = (0..n)
                    .step_by(size)
                    .map(|first| {
                        let end = (first + size).min(n);
                        let range = first * n_out..end * n_out;
                        Part {
                            x: &x[first * n_in..end * n_in],
                            y: &y[range.clone()],
                            grad: &grad[range.clone()],
                            winners: if self.pool { &winners[range] } else { &[] },
                            grad_x: images.next(),
                            grad_weights: vec![0.0; n_weights],
                            grad_bias: vec![0.0; self.shape.out_channels],
                        }
                    })
                    .collect();
                parts.par_iter_mut().for_each(|part| self.backward_part(part, weights));
                let mut parts = parts.into_iter().map(|part| (part.grad_weights, part.grad_bias));
                let (mut grad_weights, mut grad_bias) = parts.next().unwrap_or_default();
                for (weights, bias) in parts {
                    elementwise::add_rows(self.level, &weights, &mut grad_weights);
                    elementwise::add_rows(self.level, &bias, &mut grad_bias);
                }
                (grad_weights, grad_bias)
            })?;
        let cpu = &candle_core::Device::Cpu;
        let grad_x = self.needs_input_grad.then(|| matrix(grad_x, n, n_in)).transpose()?;
        Ok((
            grad_x,
            Some(Tensor::from_vec(grad_weights, weights.shape(), cpu)?),
            Some(Tensor::from_vec(grad_bias, bias.shape(), cpu)?),
        ))
    }
}

impl Drop for Conv {
    fn drop(&mut self) {
        self.buffers.keep_bytes(std::mem::take(&mut *lock(&self.winners)));
    }
}

thread_local! {
    static PATCHES: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    static SUMS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Calls `work` with `n` unspecified values of this thread's scratch memory.
fn with_scratch(
    scratch: &'static std::thread::LocalKey<Cell<Vec<f32>>>,
    n: usize,
    work: impl FnOnce(&mut [f32]),
) {
    let mut values = scratch.take();
    if values.len() < n {
        values.resize(n, 0.0);
    }
    work(&mut values[..n]);
    scratch.set(values);
}
