//! Batch normalisation: sums by channel, and the maps that follow from them.
//!
//! Rows are `[n, n_channels]`. A caller adds the sums of chunks of rows in `f64`; within a chunk
//! they are `f32`, taken about a shift, so that a large mean costs no digits.
//!
//! Rows of few channels are handled several at a time (`n_joined`), under values repeated as often.

use super::{WIDE, n_joined, per_level};
use crate::kernels::Cpu;

/// Adds up joined sums to those of the channels.
fn fold(joined: &[f32], sums: &mut [f32]) {
    for part in joined.chunks_exact(sums.len()) {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

/// Adds `sum(x - shift)` and `sum((x - shift)^2)` of every channel.
///
/// # Panics
/// If `rows` is not whole rows of `shift.len()` values.
pub fn channel_sums(cpu: Cpu, rows: &[f32], shift: &[f32], sums: &mut [f32], squares: &mut [f32]) {
    let times = n_joined(shift.len());
    let (joined, rest) = rows.split_at(rows.len() / (shift.len() * times) * shift.len() * times);
    if times > 1 {
        let (mut wide_sums, mut wide_squares) = ([0.0; WIDE], [0.0; WIDE]);
        sum_rows(cpu, joined, &shift.repeat(times), &mut wide_sums, &mut wide_squares);
        fold(&wide_sums, sums);
        fold(&wide_squares, squares);
    } else {
        sum_rows(cpu, joined, shift, sums, squares);
    }
    sum_rows(cpu, rest, shift, sums, squares);
}

per_level! {
    fn sum_rows(rows: &[f32], shift: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        let n = shift.len();
        assert!(sums.len() == n && squares.len() == n && rows.len().is_multiple_of(n), "lengths");
        for row in rows.chunks_exact(n) {
            for i in 0..n {
                let difference = row[i] - shift[i];
                sums[i] += difference;
                squares[i] += difference * difference;
            }
        }
    }
}

/// `x -> scale x + shift` of every channel, and ReLU if it follows.
#[derive(Clone, Copy)]
pub struct Affine<'a> {
    /// Factors.
    pub scale: &'a [f32],
    /// Summands.
    pub shift: &'a [f32],
    /// ReLU follows.
    pub relu: bool,
}

impl Affine<'_> {
    /// What a value of a channel becomes.
    #[inline(always)]
    pub(super) fn of(&self, x: f32, channel: usize) -> f32 {
        let value = x * self.scale[channel] + self.shift[channel];
        if self.relu && value < 0.0 { 0.0 } else { value }
    }
}

/// Rows, and a map of them that their reader applies.
#[derive(Clone, Copy)]
pub struct Pending<'a> {
    /// Before the map.
    pub rows: &'a [f32],
    /// None where the rows are to be read as they are.
    pub map: Option<Affine<'a>>,
}

/// Writes the mapped rows.
///
/// # Panics
/// If the lengths differ.
pub fn affine(cpu: Cpu, rows: &[f32], map: Affine<'_>, out: &mut [f32]) {
    let (n, times) = (map.scale.len(), n_joined(map.scale.len()));
    let cut = rows.len() / (n * times) * n * times;
    let ((joined, rest), (joined_out, rest_out)) = (rows.split_at(cut), out.split_at_mut(cut));
    let (scale, shift) = (map.scale.repeat(times), map.shift.repeat(times));
    map_rows(cpu, joined, Affine { scale: &scale, shift: &shift, ..map }, joined_out);
    map_rows(cpu, rest, map, rest_out);
}

per_level! {
    fn map_rows(rows: &[f32], map: Affine<'_>, out: &mut [f32]) {
        affine_inline(rows, map, out);
    }
}

/// [`affine`], compiled for the level of its caller.
#[inline(always)]
pub(super) fn affine_inline(rows: &[f32], map: Affine<'_>, out: &mut [f32]) {
    let n = map.scale.len();
    assert!(map.shift.len() == n && rows.len() == out.len(), "lengths");
    for (row, out) in rows.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        for i in 0..n {
            out[i] = map.of(row[i], i);
        }
    }
}

/// Adds `sum(g)` and `sum(g (x - mean))` of every channel, where `g` is the gradient that the
/// map's ReLU lets through.
///
/// # Panics
/// If the lengths differ.
pub fn gradient_sums(
    cpu: Cpu,
    rows: &[f32],
    grad: &[f32],
    map: Affine<'_>,
    mean: &[f32],
    sums: &mut [f32],
    products: &mut [f32],
) {
    let (n, times) = (mean.len(), n_joined(mean.len()));
    let cut = rows.len() / (n * times) * n * times;
    let ((joined, rest), (joined_grad, rest_grad)) = (rows.split_at(cut), grad.split_at(cut));
    if times > 1 {
        let (mut wide_sums, mut wide_products) = ([0.0; WIDE], [0.0; WIDE]);
        let (scale, shift) = (map.scale.repeat(times), map.shift.repeat(times));
        let wide = Affine { scale: &scale, shift: &shift, ..map };
        let mean = mean.repeat(times);
        sum_gradients(cpu, joined, joined_grad, wide, &mean, &mut wide_sums, &mut wide_products);
        fold(&wide_sums, sums);
        fold(&wide_products, products);
    } else {
        sum_gradients(cpu, joined, joined_grad, map, mean, sums, products);
    }
    sum_gradients(cpu, rest, rest_grad, map, mean, sums, products);
}

per_level! {
    fn sum_gradients(
        rows: &[f32],
        grad: &[f32],
        map: Affine<'_>,
        mean: &[f32],
        sums: &mut [f32],
        products: &mut [f32],
    ) {
        let n = mean.len();
        assert!(map.scale.len() == n && map.shift.len() == n, "lengths");
        assert!(sums.len() == n && products.len() == n && rows.len() == grad.len(), "lengths");
        for (row, grad) in rows.chunks_exact(n).zip(grad.chunks_exact(n)) {
            for i in 0..n {
                let is_open = !map.relu || row[i] * map.scale[i] + map.shift[i] > 0.0;
                let g = if is_open { grad[i] } else { 0.0 };
                sums[i] += g;
                products[i] += g * (row[i] - mean[i]);
            }
        }
    }
}

/// What the gradient of a row follows from, by channel.
#[derive(Clone, Copy)]
pub struct GradientMap<'a> {
    /// The map of the forward pass.
    pub forward: Affine<'a>,
    /// Mean of the batch.
    pub mean: &'a [f32],
    /// Mean gradient.
    pub mean_gradient: &'a [f32],
    /// `sum(g (x - mean)) / (n variance)`.
    pub slope: &'a [f32],
}

impl GradientMap<'_> {
    /// The first `n` channels: loops over them know that there are as many.
    #[inline(always)]
    pub(super) fn first(self, n: usize) -> Self {
        let Affine { scale, shift, relu } = self.forward;
        GradientMap {
            forward: Affine { scale: &scale[..n], shift: &shift[..n], relu },
            mean: &self.mean[..n],
            mean_gradient: &self.mean_gradient[..n],
            slope: &self.slope[..n],
        }
    }

    /// The gradient of `x`, given that of what it became.
    #[inline(always)]
    pub(super) fn of(&self, x: f32, grad: f32, i: usize) -> f32 {
        let Affine { scale, shift, relu } = self.forward;
        let is_open = !relu || x * scale[i] + shift[i] > 0.0;
        let g = if is_open { grad } else { 0.0 };
        scale[i] * (g - self.mean_gradient[i] - self.slope[i] * (x - self.mean[i]))
    }
}

/// Writes `scale (g - mean_gradient - slope (x - mean))`, with `g` as in [`gradient_sums`].
///
/// # Panics
/// If the lengths differ.
pub fn gradient(cpu: Cpu, rows: &[f32], grad: &[f32], map: GradientMap<'_>, out: &mut [f32]) {
    let (n, times) = (map.mean.len(), n_joined(map.mean.len()));
    let cut = rows.len() / (n * times) * n * times;
    let ((joined, rest), (joined_grad, rest_grad)) = (rows.split_at(cut), grad.split_at(cut));
    let (joined_out, rest_out) = out.split_at_mut(cut);
    let forward = map.forward;
    let (scale, shift) = (forward.scale.repeat(times), forward.shift.repeat(times));
    let wide = GradientMap {
        forward: Affine { scale: &scale, shift: &shift, ..forward },
        mean: &map.mean.repeat(times),
        mean_gradient: &map.mean_gradient.repeat(times),
        slope: &map.slope.repeat(times),
    };
    map_gradients(cpu, joined, joined_grad, wide, joined_out);
    map_gradients(cpu, rest, rest_grad, map, rest_out);
}

per_level! {
    fn map_gradients(rows: &[f32], grad: &[f32], map: GradientMap<'_>, out: &mut [f32]) {
        let n = map.mean.len();
        let map = map.first(n);
        assert!(rows.len() == grad.len() && rows.len() == out.len(), "lengths");
        let chunks = rows.chunks_exact(n).zip(grad.chunks_exact(n)).zip(out.chunks_exact_mut(n));
        for ((row, grad), out) in chunks {
            for i in 0..n {
                out[i] = map.of(row[i], grad[i], i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_gives_the_same_bits() {
        for n_channels in [1, 5, 16, 33] {
            let n = 7 * n_channels;
            let at = |i: usize, salt: f32| ((i as f32 + salt) * 0.7).sin();
            let draw = |n: usize, salt: f32| (0..n).map(|i| at(i, salt)).collect::<Vec<f32>>();
            let (rows, grad) = (draw(n, 0.0), draw(n, 3.0));
            let (scale, shift, mean) =
                (draw(n_channels, 5.0), draw(n_channels, 6.0), draw(n_channels, 7.0));
            let run = |level| {
                let mut sums = vec![vec![0.0; n_channels]; 4];
                let [a, b, c, d] = &mut sums[..] else { unreachable!("four sums") };
                channel_sums(level, &rows, &shift, a, b);
                let forward = Affine { scale: &scale, shift: &shift, relu: true };
                gradient_sums(level, &rows, &grad, forward, &mean, c, d);
                let (mut out, mut back) = (vec![9.0; n], vec![9.0; n]);
                affine(level, &rows, forward, &mut out);
                let map = GradientMap { forward, mean: &mean, mean_gradient: &shift, slope: &mean };
                gradient(level, &rows, &grad, map, &mut back);
                (sums, out, back)
            };
            let expected = run(Cpu::SCALAR);
            let has_both = expected.1.contains(&0.0) && expected.1.iter().any(|v| *v > 0.0);
            assert!(has_both || n_channels < 16);
            for level in Cpu::all() {
                assert_eq!(run(level), expected, "{level:?} {n_channels}");
            }
        }
    }
}
