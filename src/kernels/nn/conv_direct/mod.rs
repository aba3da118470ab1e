//! Convolution of a one-channel image with bias, ReLU and 2x2 maximum pooling in one pass.
//!
//! The first layer of every network here reads gray images: 9 or 16 multiply-adds per output value,
//! four outputs per value that survives the pooling. Written out as a convolution and a pooling,
//! it moves 86 KB per image through the cache; here a window's four outputs stay in registers and
//! only the maximum and its position are written (27 KB with 32 filters).
//!
//! ```text
//! forward:   for each block of 16 filters, its kernel in registers
//!              for each window: four sums, maximum, position       -> out, winner
//! backward:  for each block, its kernel gradient in registers
//!              for each window: the winner's patch is a permutation of the window's
//!              (kernel+1)^2 pixels, one per filter                 -> kernel += patch * gradient
//! ```
//!
//! Only the pooled winners with an active ReLU have a gradient; the image itself gets none.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
mod scalar;

use super::Cpu;

/// Shape of the fused layer: `image` is padded already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectShape {
    /// Rows of the padded image.
    pub height: usize,
    /// Columns of the padded image.
    pub width: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Filters.
    pub out_channels: usize,
}

impl DirectShape {
    /// Rows of the pooled output.
    pub fn pooled_height(&self) -> usize {
        (self.height + 1 - self.kernel) / 2
    }

    /// Columns of the pooled output.
    pub fn pooled_width(&self) -> usize {
        (self.width + 1 - self.kernel) / 2
    }

    /// Values of the pooled output, `[pooled_height, pooled_width, out_channels]`.
    pub fn n_out(&self) -> usize {
        self.pooled_height() * self.pooled_width() * self.out_channels
    }

    /// True where the fused kernel beats a convolution by im2col: whole blocks of filters and a
    /// kernel side that is compiled.
    pub fn is_fast(&self) -> bool {
        matches!(self.kernel, 3 | 4) && self.out_channels.is_multiple_of(blocks::LANES)
    }

    /// True where whole registers of AVX-512 apply.
    fn fits_avx512(&self, level: Cpu) -> bool {
        #[cfg(target_arch = "x86_64")]
        if level.0 == super::super::cpu::Level::Avx512 {
            return self.is_fast() && self.out_channels.is_multiple_of(16);
        }
        let _ = level;
        false
    }

    fn check(&self, image: &[f32], weights: usize, bias: usize, n_out: usize, n_winners: usize) {
        assert_eq!(image.len(), self.height * self.width, "image");
        assert!(self.kernel >= 1 && self.kernel <= self.height.min(self.width), "kernel");
        assert_eq!(weights, self.kernel * self.kernel * self.out_channels, "weights");
        assert_eq!(bias, self.out_channels, "bias");
        assert_eq!(n_out, self.n_out(), "pooled values");
        assert_eq!(n_winners, self.n_out(), "winners");
    }
}

/// One image forward. `weights` are `[kernel, kernel, out_channels]`; `winners` as in
/// [`super::pool`].
///
/// The AVX-512 code fuses multiply and add: it differs from the scalar definition by rounding
/// (relative 1e-6 of the sum of absolute products). The other levels give its bits.
///
/// # Panics
/// If a length does not fit the shape.
#[expect(clippy::too_many_arguments, reason = "two outputs and the layer's three inputs")]
pub fn forward(
    level: Cpu,
    shape: &DirectShape,
    image: &[f32],
    weights: &[f32],
    bias: &[f32],
    relu: bool,
    out: &mut [f32],
    winners: &mut [u8],
) {
    shape.check(image, weights.len(), bias.len(), out.len(), winners.len());
    #[cfg(target_arch = "x86_64")]
    if shape.fits_avx512(level) {
        // SAFETY: `fits_avx512` holds only for a level that proves AVX-512, whole blocks of 16
        // filters and kernel 3 or 4; `check` saw every length.
        return unsafe {
            match shape.kernel {
                3 => avx512::forward::<3, 9>(shape, image, weights, bias, relu, out, winners),
                _ => avx512::forward::<4, 16>(shape, image, weights, bias, relu, out, winners),
            }
        };
    }
    if shape.is_fast() {
        return blocks::forward(level, shape, image, weights, bias, relu, out, winners);
    }
    scalar::forward(shape, image, weights, bias, relu, out, winners);
}

/// One image backward: adds its part to the gradients of the kernel and of the bias.
///
/// # Panics
/// If a length does not fit the shape.
pub fn backward(
    level: Cpu,
    shape: &DirectShape,
    image: &[f32],
    grad: &[f32],
    winners: &[u8],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
) {
    shape.check(image, grad_weights.len(), grad_bias.len(), grad.len(), winners.len());
    #[cfg(target_arch = "x86_64")]
    if shape.fits_avx512(level) {
        // SAFETY: as in `forward`.
        return unsafe {
            match shape.kernel {
                3 => avx512::backward::<3, 9>(shape, image, grad, winners, grad_weights, grad_bias),
                _ => {
                    avx512::backward::<4, 16>(shape, image, grad, winners, grad_weights, grad_bias)
                }
            }
        };
    }
    if shape.is_fast() {
        return blocks::backward(level, shape, image, grad, winners, grad_weights, grad_bias);
    }
    scalar::backward(shape, image, grad, winners, grad_weights, grad_bias);
}

#[cfg(test)]
mod tests {
    use super::super::pool::DEAD;
    use super::*;
    use crate::data::Rng;

    /// Tolerance 1e-5 of sums of 9 to 16 products (fused or not) and 1e-4 of gradients.
    #[test]
    fn vector_code_agrees_with_the_definition() {
        for kernel in [1, 2, 3, 4, 5] {
            for (height, width) in
                [(kernel, kernel + 3), (kernel + 1, kernel + 2), (11, 12), (28, 28)]
            {
                for out_channels in [1, 8, 16, 24, 32] {
                    let shape = DirectShape { height, width, kernel, out_channels };
                    for level in Cpu::all() {
                        for relu in [true, false] {
                            compare(&shape, level, relu);
                        }
                    }
                }
            }
        }
        if Cpu::all().len() < 3 {
            eprintln!("skipped: levels that this CPU lacks");
        }
    }

    fn compare(shape: &DirectShape, level: Cpu, relu: bool) {
        let mut rng = Rng::new(7, &["direct"]);
        let mut draw =
            |n: usize| -> Vec<f32> { (0..n).map(|_| rng.uniform_f32(-1.0, 1.0)).collect() };
        let n_weights = shape.kernel * shape.kernel * shape.out_channels;
        let image = draw(shape.height * shape.width);
        let (weights, bias, grad) =
            (draw(n_weights), draw(shape.out_channels), draw(shape.n_out()));
        let run = |level| {
            let (mut out, mut winners) = (vec![9.0; shape.n_out()], vec![9u8; shape.n_out()]);
            match level {
                Some(level) => {
                    forward(level, shape, &image, &weights, &bias, relu, &mut out, &mut winners);
                }
                None => {
                    scalar::forward(shape, &image, &weights, &bias, relu, &mut out, &mut winners);
                }
            }
            (out, winners)
        };
        let ((out, winners), expected) = (run(Some(level)), run(None));
        assert_eq!(winners, expected.1, "{shape:?} {level:?}");
        // Only AVX-512 fuses multiply and add.
        let tolerance = if shape.fits_avx512(level) { 1e-5 } else { 0.0 };
        for (a, b) in out.iter().zip(&expected.0) {
            assert!((a - b).abs() <= tolerance, "{shape:?} {level:?}: {a} {b}");
        }
        let back = |level| {
            let (mut w, mut b) = (vec![0.25; n_weights], vec![0.5; shape.out_channels]);
            match level {
                Some(level) => {
                    backward(level, shape, &image, &grad, &winners, &mut w, &mut b);
                }
                None => scalar::backward(shape, &image, &grad, &winners, &mut w, &mut b),
            }
            (w, b)
        };
        let (found, expected) = (back(Some(level)), back(None));
        for (a, b) in found.0.iter().chain(&found.1).zip(expected.0.iter().chain(&expected.1)) {
            assert!((a - b).abs() <= 10.0 * tolerance, "{shape:?} {level:?}: {a} {b}");
        }
    }

    #[test]
    fn equal_sums_give_the_first_position_and_dead_ones_none() {
        for level in Cpu::all() {
            let shape = DirectShape { height: 4, width: 4, kernel: 3, out_channels: 16 };
            let (mut out, mut winners) = (vec![9.0; 16], vec![9u8; 16]);
            let (image, weights) = (vec![1.0; 16], vec![1.0; 144]);
            forward(level, &shape, &image, &weights, &[0.0; 16], true, &mut out, &mut winners);
            assert!(out.iter().all(|v| *v == 9.0) && winners.iter().all(|w| *w == 0));
            forward(level, &shape, &image, &weights, &[-9.0; 16], true, &mut out, &mut winners);
            assert!(out.iter().all(|v| *v == 0.0) && winners.iter().all(|w| *w == DEAD));
            forward(level, &shape, &image, &weights, &[f32::NAN; 16], true, &mut out, &mut winners);
            assert!(out.iter().all(|v| v.is_nan()), "{level:?}");
        }
    }
}
