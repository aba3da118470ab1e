//! Convolution with bias, and ReLU and 2x2 maximum pooling if they follow.
//!
//! Kernels are `[kernel, kernel, in_channels, out_channels]`, as Keras lays them out. Four ways,
//! by shape: the fused kernel for gray images with pooling, Winograd's filtering for sides of 3
//! between whole registers of channels, patches where they lie for whole registers of filters, patches
//! written out for all others. The backward pass
//! computes patches and points again rather than keep them.

use std::ops::Range;

use rayon::prelude::*;

use super::super::params::Precision;
use super::norm::Map;
use super::scratch::{PATCHES, SUMS, with_scratch};
use super::{Buffers, Input};
use crate::kernels::Cpu;
use crate::kernels::gemm::{Mat, gemm};
use crate::kernels::nn::conv_direct::{self, DirectShape};
use crate::kernels::nn::im2col::{ConvShape, col2im_add, im2col, pad};
use crate::kernels::nn::norm::{self, GradientMap, Pending};
use crate::kernels::nn::winograd::Format;
use crate::kernels::nn::{conv_rows, elementwise, pool, winograd};

/// Fewest and most images that one matrix product of patches covers. Few, so that their patches stay
/// in a core's second-level cache; more where an image has few positions, because every product
/// packs the kernel again.
const N_IMAGES_PER_PRODUCT: (usize, usize) = (4, 16);
/// Positions that are enough for one product.
const N_ROWS_PER_PRODUCT: usize = 256;
/// Most tiles of Winograd's filtering in a block of images: their points stay in a core's
/// second-level cache.
const N_TILES_PER_BLOCK: usize = 48;
/// Most partial sums of a kernel gradient.
const N_PARTIALS: usize = 16;
/// The same with Winograd's filtering and many weights, whose sums are four times as large.
const N_LARGE_PARTIALS: usize = 8;
/// From so many weights on.
const LARGE_KERNEL: usize = 9 * 64 * 96;
/// Fewest images behind one partial sum.
const MIN_IMAGES_PER_PARTIAL: usize = 8;

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Direct(DirectShape),
    Winograd,
    Rows,
    Product,
}

/// One convolution; ReLU and pooling follow if asked, in this order.
pub struct Conv<'a> {
    shape: ConvShape,
    relu: bool,
    pool: bool,
    way: Way,
    format: Format,
    level: Cpu,
    buffers: &'a Buffers,
}

/// What the forward pass gives.
pub struct Output {
    pub values: Vec<f32>,
    /// Position of the maximum of every pooled window.
    pub winners: Vec<u8>,
    /// Sums of every channel about the shift that was asked for, by blocks of images:
    /// [`norm::channel_sums`].
    pub sums: Vec<Vec<f32>>,
}

impl Output {
    /// Values and winners.
    pub fn pooled(self) -> (Vec<f32>, Vec<u8>) {
        (self.values, self.winners)
    }
}

/// Gradients of the kernel, and of the bias and the images where asked.
pub struct Gradients {
    pub images: Option<Vec<f32>>,
    pub kernel: Vec<f32>,
    pub bias: Vec<f32>,
    /// [`Map::gradient_sums`] of the images and their gradient, by blocks of images.
    pub sums: Vec<Vec<f32>>,
}

/// Gradients that are asked for besides the kernel's.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub images: bool,
    pub bias: bool,
    /// Sums for the images' pending map, taken while their gradient is in cache.
    pub sums: bool,
}

/// What the backward pass reads.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub x: Input<'a>,
    pub y: &'a [f32],
    /// Of the pooling that follows, if one does.
    pub winners: &'a [u8],
    pub grad: &'a [f32],
    /// A batch normalisation that follows, before the pooling; `y` is what enters it.
    pub norm: Option<GradientMap<'a>>,
}

impl<'a> Conv<'a> {
    /// A convolution of `shape`; `needs_input_grad` is false for the first of a network.
    pub fn new(
        shape: ConvShape,
        (relu, pool): (bool, bool),
        needs_input_grad: bool,
        precision: Precision,
        buffers: &'a Buffers,
    ) -> Self {
        let way = way(&shape, pool, needs_input_grad);
        let format = match precision {
            Precision::F32 => Format::F32,
            Precision::Bf16 => Format::Bf16,
        };
        Conv { shape, relu, pool, way, format, level: Cpu::detect(), buffers }
    }

    /// True if it applies the pending map of the images that it reads.
    pub fn applies_maps(&self) -> bool {
        matches!(self.way, Way::Winograd | Way::Rows)
    }

    /// Values of one output image.
    fn n_out(&self) -> usize {
        if self.pool { self.n_pooled() } else { self.n_full() }
    }

    /// Values of one output image after pooling.
    fn n_pooled(&self) -> usize {
        let (height, width, channels) = self.full_shape();
        (height / 2) * (width / 2) * channels
    }

    /// Values of one output image before pooling.
    fn n_full(&self) -> usize {
        self.shape.n_positions() * self.shape.out_channels
    }

    /// Images of one product or block, and of one parallel task of the forward pass.
    fn n_images_per_block(&self) -> usize {
        if self.way == Way::Winograd {
            // A power of two cuts usual batches into equal blocks.
            let n_images = (N_TILES_PER_BLOCK / winograd::n_tiles(&self.shape)).clamp(1, 16);
            return 1 << n_images.ilog2();
        }
        let (fewest, most) = N_IMAGES_PER_PRODUCT;
        N_ROWS_PER_PRODUCT.div_ceil(self.shape.n_positions()).clamp(fewest, most)
    }

    /// Shape before pooling.
    fn full_shape(&self) -> (usize, usize, usize) {
        (self.shape.out_height(), self.shape.out_width(), self.shape.out_channels)
    }

    /// Runs forward over `n` images; an absent bias is zero. With a `shift` the channels are summed
    /// about it.
    pub fn forward(
        &self,
        x: Input<'_>,
        (weights, bias): (&[f32], Option<&[f32]>),
        shift: Option<&[f32]>,
        n: usize,
    ) -> Output {
        let (n_in, n_out, map) = (self.shape.n_in(), self.n_out(), x.affine());
        let no_bias = vec![0.0; self.shape.out_channels];
        let bias = bias.unwrap_or(&no_bias);
        let points = match self.way {
            Way::Winograd => self.points(weights, false),
            _ => Vec::new(),
        };
        let kernel = if points.is_empty() { weights } else { points.as_slice() };
        let mut out = self.buffers.floats(n * n_out);
        let mut winners = self.buffers.bytes(if self.pool { n * n_out } else { 0 });
        let n_images = self.n_images_per_block();
        let mut no_winners = vec![[0u8; 0]; n.div_ceil(n_images)];
        let winner_chunks: Vec<&mut [u8]> = if self.pool {
            winners.chunks_mut(n_images * n_out).collect()
        } else {
            no_winners.iter_mut().map(|none| none.as_mut_slice()).collect()
        };
        let n_sums = shift.map_or(0, |shift| 2 * shift.len());
        let mut sums = vec![vec![0.0; n_sums]; n.div_ceil(n_images)];
        let convolve = |x: &[f32], out: &mut [f32], winners: &mut [u8]| match self.way {
            Way::Direct(direct) => {
                let windows = winners.chunks_exact_mut(n_out);
                let images = x.chunks_exact(n_in).zip(out.chunks_exact_mut(n_out)).zip(windows);
                for ((image, out), winners) in images {
                    self.padded(image, |image| {
                        conv_direct::forward(
                            self.level, &direct, image, kernel, bias, self.relu, out, winners,
                        );
                    });
                }
            }
            Way::Winograd => self.pooled(x, out, winners, |x, out| {
                self.with_points(x.len() / n_in, |scratch| {
                    winograd::forward(
                        self.level,
                        &self.shape,
                        self.format,
                        Pending { rows: x, map },
                        kernel,
                        bias,
                        self.relu,
                        scratch,
                        out,
                    );
                });
            }),
            Way::Rows => self.pooled(x, out, winners, |x, out| {
                let images = x.chunks_exact(n_in).zip(out.chunks_exact_mut(self.n_full()));
                with_scratch(&PATCHES, conv_rows::n_padded(&self.shape), |padded| {
                    for (rows, out) in images {
                        let image = Pending { rows, map };
                        conv_rows::forward(self.level, &self.shape, image, kernel, padded, out);
                    }
                });
                elementwise::add_bias(self.level, out, bias, self.relu);
            }),
            Way::Product => self.pooled(x, out, winners, |x, out| {
                self.forward_by_product(x, kernel, bias, out);
            }),
        };
        x.rows
            .par_chunks(n_images * n_in)
            .zip(out.par_chunks_mut(n_images * n_out))
            .zip(winner_chunks)
            .zip(&mut sums)
            .for_each(|(((x, out), winners), sums)| {
                convolve(x, out, winners);
                if let Some(shift) = shift {
                    let (sums, squares) = sums.split_at_mut(shift.len());
                    norm::channel_sums(self.level, out, shift, sums, squares);
                }
            });
        self.buffers.keep_floats(points);
        Output { values: out, winners, sums }
    }

    /// Calls `convolve` on images and their outputs, and pools these if asked.
    fn pooled(
        &self,
        x: &[f32],
        out: &mut [f32],
        winners: &mut [u8],
        convolve: impl Fn(&[f32], &mut [f32]),
    ) {
        if !self.pool {
            return convolve(x, out);
        }
        let (n_full, n_out) = (self.n_full(), self.n_out());
        with_scratch(&SUMS, x.len() / self.shape.n_in() * n_full, |sums| {
            convolve(x, sums);
            let pooled = out.chunks_exact_mut(n_out).zip(winners.chunks_exact_mut(n_out));
            for (sums, (out, winners)) in sums.chunks_exact(n_full).zip(pooled) {
                pool::max_pool(self.level, sums, self.full_shape(), self.relu, out, winners);
            }
        });
    }

    fn forward_by_product(&self, x: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
        let shape = &self.shape;
        let n_rows = x.len() / shape.n_in() * shape.n_positions();
        let kernel = Mat::new(weights, shape.n_patch(), shape.out_channels);
        self.with_patches(x, |cols| {
            gemm(Mat::new(cols, n_rows, shape.n_patch()), kernel, out, false);
        });
        elementwise::add_bias(self.level, out, bias, self.relu);
    }

    /// The kernel at Winograd's points; its channels may have been exchanged.
    fn points(&self, weights: &[f32], is_turned: bool) -> Vec<f32> {
        let (level, shape, format) = (self.level, &self.shape, self.format);
        let mut points = self.buffers.floats(winograd::n_kernel_values(shape));
        winograd::transform_kernel(level, shape, format, is_turned, weights, &mut points);
        points
    }

    /// The kernel with its channels exchanged, at Winograd's points.
    fn turned_points(&self, weights: &[f32]) -> Vec<f32> {
        let (n_in, n_out) = (self.shape.in_channels, self.shape.out_channels);
        let mut turned = self.buffers.floats(weights.len());
        let taps = weights.chunks_exact(n_in * n_out).zip(turned.chunks_exact_mut(n_in * n_out));
        for (tap, turned) in taps {
            for (a, row) in tap.chunks_exact(n_out).enumerate() {
                for (b, &weight) in row.iter().enumerate() {
                    turned[b * n_in + a] = weight;
                }
            }
        }
        let points = self.points(&turned, true);
        self.buffers.keep_floats(turned);
        points
    }

    fn with_points(&self, n: usize, use_scratch: impl FnOnce(&mut [f32])) {
        with_scratch(&PATCHES, winograd::n_scratch(&self.shape, n), use_scratch);
    }

    /// Calls `use_image` with the image and its border of zeros.
    fn padded(&self, image: &[f32], use_image: impl FnOnce(&[f32])) {
        let ConvShape { height, width, pad_before, pad_after, .. } = self.shape;
        let border = pad_before + pad_after;
        if border == 0 {
            return use_image(image);
        }
        with_scratch(&PATCHES, (height + border) * (width + border), |padded| {
            let image = Pending { rows: image, map: None };
            pad(&self.shape, image, width + border, padded);
            use_image(padded);
        });
    }

    fn with_patches(&self, x: &[f32], use_patches: impl FnOnce(&[f32])) {
        let shape = &self.shape;
        if shape.kernel == 1 && shape.stride == 1 && shape.pad_before + shape.pad_after == 0 {
            return use_patches(x);
        }
        let n_cols = shape.n_positions() * shape.n_patch();
        let n = x.len() / shape.n_in();
        with_scratch(&PATCHES, n * n_cols, |cols| {
            let images = x.chunks_exact(shape.n_in());
            for (image, cols) in images.zip(cols.chunks_exact_mut(n_cols)) {
                im2col(shape, image, cols);
            }
            use_patches(cols);
        });
    }

    /// Runs backward over what the forward pass saw.
    pub fn backward(&self, seen: Seen<'_>, weights: &[f32], wanted: Wanted) -> Gradients {
        let n_in = self.shape.n_in();
        let n = seen.x.rows.len() / n_in;
        let mut grad_x = self.buffers.floats(if wanted.images { n * n_in } else { 0 });
        let n_weights = self.shape.n_patch() * self.shape.out_channels;
        let is_winograd = self.way == Way::Winograd;
        let is_large = is_winograd && n_weights >= LARGE_KERNEL;
        let n_parts = if is_large { N_LARGE_PARTIALS } else { N_PARTIALS };
        let size = n.div_ceil(n_parts).max(MIN_IMAGES_PER_PARTIAL);
        let turned =
            if is_winograd && wanted.images { self.turned_points(weights) } else { Vec::new() };
        // The fused kernel sums it in any case.
        let sums_bias = wanted.bias || matches!(self.way, Way::Direct(_));
        let n_bias = if sums_bias { self.shape.out_channels } else { 0 };
        let mut images = grad_x.chunks_mut(size * n_in);
        let mut parts: Vec<Part<'_>> = (0..n)
            .step_by(size)
            .map(|first| {
                let end = (first + size).min(n);
                Part {
                    seen: seen.images(first..end, n),
                    sums_of: seen.x.map.filter(|_| wanted.sums),
                    sums: Vec::new(),
                    images: images.next(),
                    kernel: self.buffers.floats(n_weights),
                    bias: vec![0.0; n_bias],
                }
            })
            .collect();
        parts.par_iter_mut().for_each(|part| {
            if is_winograd {
                self.backward_by_points(part, &turned);
            } else {
                self.backward_part(part, weights);
            }
        });
        let mut parts = parts.into_iter().map(|part| (part.kernel, part.bias, part.sums));
        let (mut kernel, mut bias, mut sums) = parts.next().unwrap_or_default();
        for (more, more_bias, more_sums) in parts {
            elementwise::add_rows(self.level, &more, &mut kernel);
            self.add_bias_gradient(&more_bias, &mut bias);
            self.buffers.keep_floats(more);
            sums.extend(more_sums);
        }
        self.buffers.keep_floats(turned);
        Gradients { images: wanted.images.then_some(grad_x), kernel, bias, sums }
    }

    /// Adds the rows of `grad` to the gradient of the bias, if there is one.
    fn add_bias_gradient(&self, grad: &[f32], bias: &mut [f32]) {
        if !bias.is_empty() {
            elementwise::add_rows(self.level, grad, bias);
        }
    }

    /// Writes the gradient before pooling, ReLU and normalisation of some images to `full`.
    fn unpool(&self, seen: Seen<'_>, full: &mut [f32]) {
        match seen.norm {
            Some(map) if seen.winners.is_empty() => {
                norm::gradient(self.level, seen.y, seen.grad, map, full);
            }
            Some(map) => with_scratch(&PATCHES, full.len(), |unpooled| {
                self.unpool_rows(seen, unpooled);
                norm::gradient(self.level, seen.y, unpooled, map, full);
            }),
            None if self.pool => self.unpool_rows(seen, full),
            None if self.relu => {
                elementwise::relu_backward(self.level, seen.y, seen.grad, full);
            }
            None => full.copy_from_slice(seen.grad),
        }
    }

    /// Writes the gradient before pooling of some images to `full`.
    fn unpool_rows(&self, seen: Seen<'_>, full: &mut [f32]) {
        let (n_full, n_pooled) = (self.n_full(), self.n_pooled());
        let pooled = seen.grad.chunks_exact(n_pooled).zip(seen.winners.chunks_exact(n_pooled));
        for (full, (grad, winners)) in full.chunks_exact_mut(n_full).zip(pooled) {
            pool::max_pool_backward(self.level, grad, winners, self.full_shape(), full);
        }
    }

    /// Calls `work` for every block of images of a part: whether it is the first, what was seen of
    /// it, its gradient before pooling, ReLU and normalisation, and where that of the images goes. Adds
    /// to the gradient of the bias, and takes the sums for a pending map while all this is in cache.
    fn blocks(
        &self,
        part: &mut Part<'_>,
        mut work: impl FnMut(bool, Seen<'_>, &[f32], Option<&mut [f32]>),
    ) {
        let (n_in, n_full) = (self.shape.n_in(), self.n_full());
        let n_images = part.seen.x.rows.len() / n_in;
        let n_per_block = self.n_images_per_block();
        for first in (0..n_images).step_by(n_per_block) {
            let end = (first + n_per_block).min(n_images);
            let seen = part.seen.images(first..end, n_images);
            let images = part.images.as_mut();
            let mut images = images.map(|images| &mut images[first * n_in..end * n_in]);
            let mut use_full = |full: &[f32]| {
                self.add_bias_gradient(full, &mut part.bias);
                work(first == 0, seen, full, images.as_deref_mut());
            };
            if !self.pool && !self.relu && seen.norm.is_none() {
                use_full(seen.grad);
            } else {
                with_scratch(&SUMS, (end - first) * n_full, |full| {
                    self.unpool(seen, full);
                    use_full(full);
                });
            }
            if let (Some(map), Some(grad)) = (part.sums_of, images) {
                let mut sums = vec![0.0; 2 * map.n_channels()];
                map.add_gradient_sums(seen.x.rows, grad, &mut sums);
                part.sums.push(sums);
            }
        }
    }

    fn backward_by_points(&self, part: &mut Part<'_>, turned: &[f32]) {
        let mut points = self.buffers.floats(winograd::n_kernel_values(&self.shape));
        self.blocks(part, |is_first, seen, full, images| {
            self.with_points(seen.x.rows.len() / self.shape.n_in(), |scratch| {
                let points = points.as_mut_slice();
                winograd::backward(
                    self.level,
                    &self.shape,
                    self.format,
                    seen.x.pending(),
                    full,
                    turned,
                    scratch,
                    !is_first,
                    points,
                    images,
                );
            });
        });
        winograd::kernel_gradient(self.level, &self.shape, &points, &mut part.kernel);
        self.buffers.keep_floats(points);
    }

    fn backward_part(&self, part: &mut Part<'_>, weights: &[f32]) {
        let mut kernel = std::mem::take(&mut part.kernel);
        kernel.fill(0.0);
        if let Way::Direct(direct) = self.way {
            let (n_in, n_out) = (self.shape.n_in(), self.n_out());
            let Part { seen, bias, .. } = part;
            let windows = seen.grad.chunks_exact(n_out).zip(seen.winners.chunks_exact(n_out));
            for (image, (grad, winners)) in seen.x.rows.chunks_exact(n_in).zip(windows) {
                self.padded(image, |image| {
                    let kernel = kernel.as_mut_slice();
                    conv_direct::backward(self.level, &direct, image, grad, winners, kernel, bias);
                });
            }
        } else {
            self.blocks(part, |_, seen, full, images| {
                self.backward_by_product(seen.x, weights, full, images, &mut kernel);
            });
        }
        part.kernel = kernel;
    }

    fn backward_by_product(
        &self,
        x: Input<'_>,
        weights: &[f32],
        full: &[f32],
        grad_x: Option<&mut [f32]>,
        grad_weights: &mut [f32],
    ) {
        let shape = &self.shape;
        let n_rows = full.len() / shape.out_channels;
        let grads = Mat::new(full, n_rows, shape.out_channels);
        if self.way == Way::Rows {
            let n_full = self.n_full();
            let images = x.rows.chunks_exact(shape.n_in()).zip(full.chunks_exact(n_full));
            with_scratch(&PATCHES, conv_rows::n_padded(shape), |padded| {
                for (rows, grad) in images {
                    let image = Pending { rows, map: x.affine() };
                    conv_rows::kernel_gradient(
                        self.level,
                        shape,
                        image,
                        grad,
                        padded,
                        grad_weights,
                    );
                }
            });
        } else {
            self.with_patches(x.rows, |cols| {
                gemm(Mat::new(cols, n_rows, shape.n_patch()).t(), grads, grad_weights, true);
            });
        }
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

/// The way of a convolution. The fused kernel gives no gradient to images.
fn way(shape: &ConvShape, pool: bool, needs_input_grad: bool) -> Way {
    let border = shape.pad_before + shape.pad_after;
    let direct = DirectShape {
        height: shape.height + border,
        width: shape.width + border,
        kernel: shape.kernel,
        out_channels: shape.out_channels,
    };
    let is_plain = pool && shape.in_channels == 1 && shape.stride == 1 && !needs_input_grad;
    if is_plain && direct.is_fast() {
        Way::Direct(direct)
    } else if winograd::applies(shape) {
        Way::Winograd
    } else if conv_rows::applies(shape) {
        Way::Rows
    } else {
        Way::Product
    }
}

impl<'a> Seen<'a> {
    /// What was seen of some of `n` images.
    fn images(&self, range: Range<usize>, n: usize) -> Seen<'a> {
        Seen {
            x: Input { rows: of_images(self.x.rows, &range, n), ..self.x },
            y: of_images(self.y, &range, n),
            winners: of_images(self.winners, &range, n),
            grad: of_images(self.grad, &range, n),
            norm: self.norm,
        }
    }
}

/// The part of some of `n` images in `values`.
fn of_images<'a, T>(values: &'a [T], range: &Range<usize>, n: usize) -> &'a [T] {
    let size = values.len() / n;
    &values[range.start * size..range.end * size]
}

/// Images of one partial sum.
struct Part<'a> {
    seen: Seen<'a>,
    /// The pending map of the images, if sums are asked for.
    sums_of: Option<&'a Map>,
    sums: Vec<Vec<f32>>,
    images: Option<&'a mut [f32]>,
    kernel: Vec<f32>,
    bias: Vec<f32>,
}
