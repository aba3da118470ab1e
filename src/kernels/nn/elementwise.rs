//! Small loops over values: pixel scaling, bias, ReLU, their gradients.
//!
//! ReLU's gradient at 0 is 0, as in PyTorch. Not-a-number passes through every kernel, so that a
//! diverged training is seen in its loss.

use super::{n_joined, per_level};
use crate::kernels::Cpu;

per_level! {
    /// `out = (pixels / 255 - mean) / std`.
    pub fn scale_pixels(pixels: &[u8], mean: f32, std: f32, out: &mut [f32]) {
        for (value, &pixel) in out.iter_mut().zip(pixels) {
            *value = (f32::from(pixel) / 255.0 - mean) / std;
        }
    }
}

/// Adds `bias` to every row of `rows` (`[n, bias.len()]`), then ReLU if asked.
pub fn add_bias(cpu: Cpu, rows: &mut [f32], bias: &[f32], relu: bool) {
    let times = n_joined(bias.len());
    let cut = rows.len() / (bias.len() * times).max(1) * bias.len() * times;
    let (joined, rest) = rows.split_at_mut(cut);
    add_to_rows(cpu, joined, &bias.repeat(times), relu);
    add_to_rows(cpu, rest, bias, relu);
}

per_level! {
    fn add_to_rows(rows: &mut [f32], bias: &[f32], relu: bool) {
        for row in rows.chunks_exact_mut(bias.len()) {
            if relu {
                for (value, &b) in row.iter_mut().zip(bias) {
                    let sum = *value + b;
                    *value = if sum < 0.0 { 0.0 } else { sum };
                }
            } else {
                for (value, &b) in row.iter_mut().zip(bias) {
                    *value += b;
                }
            }
        }
    }
}

per_level! {
    /// `out = max(values, 0)`.
    pub fn relu(values: &[f32], out: &mut [f32]) {
        for (o, &v) in out.iter_mut().zip(values) {
            *o = if v < 0.0 { 0.0 } else { v };
        }
    }
}

per_level! {
    /// `out = grad` where the ReLU's output is positive, else 0.
    pub fn relu_backward(output: &[f32], grad: &[f32], out: &mut [f32]) {
        for ((o, &g), &y) in out.iter_mut().zip(grad).zip(output) {
            *o = if y > 0.0 { g } else { 0.0 };
        }
    }
}

per_level! {
    /// Keeps the values whose random `bits` are no less than `threshold`: `out = scale * values` and
    /// `kept` is 1; else both are 0.
    pub fn drop_out(
        values: &[f32],
        bits: &[u16],
        threshold: u32,
        scale: f32,
        out: &mut [f32],
        kept: &mut [u8],
    ) {
        let pairs = values.iter().zip(bits).zip(out.iter_mut().zip(kept));
        for ((&value, &bits), (o, kept)) in pairs {
            let is_kept = u32::from(bits) >= threshold;
            *o = if is_kept { value * scale } else { 0.0 };
            *kept = u8::from(is_kept);
        }
    }
}

per_level! {
    /// `out = scale * values` where `kept` is 1, 0 where it is 0.
    pub fn keep(values: &[f32], kept: &[u8], scale: f32, out: &mut [f32]) {
        for ((o, &value), &kept) in out.iter_mut().zip(values).zip(kept) {
            *o = if kept == 0 { 0.0 } else { value * scale };
        }
    }
}

per_level! {
    /// `out = a + b`, then ReLU if asked.
    pub fn add(a: &[f32], b: &[f32], relu: bool, out: &mut [f32]) {
        for ((o, &x), &y) in out.iter_mut().zip(a).zip(b) {
            let sum = x + y;
            *o = if relu && sum < 0.0 { 0.0 } else { sum };
        }
    }
}

per_level! {
    /// Adds every row of `rows` (`[n, sums.len()]`) to `sums`, first row first.
    pub fn add_rows(rows: &[f32], sums: &mut [f32]) {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_gives_the_same_bits_at_every_length() {
        for level in Cpu::all() {
            for n in [0, 1, 7, 8, 9, 15, 16, 17, 33, 784] {
                let pixels: Vec<u8> = (0..n).map(|i| (i * 37 % 256) as u8).collect();
                let mut scaled = vec![0.0; n + 1];
                scale_pixels(level, &pixels, 0.0, 1.0, &mut scaled[1..]);
                for i in 0..n {
                    assert_eq!(scaled[i + 1], f32::from(pixels[i]) / 255.0, "{level:?} {n}");
                }
                let values: Vec<f32> = scaled[1..].iter().map(|v| v - 0.5).collect();
                let mut out = vec![9.0; n];
                relu(level, &values, &mut out);
                assert!(out.iter().zip(&values).all(|(o, v)| *o == v.max(0.0)), "{level:?} {n}");
                let mut back = vec![9.0; n];
                relu_backward(level, &out, &scaled[1..], &mut back);
                for i in 0..n {
                    let expected = if values[i] > 0.0 { scaled[i + 1] } else { 0.0 };
                    assert_eq!(back[i], expected, "{level:?} {n}");
                }
            }
        }
    }

    #[test]
    fn values_whose_bits_are_below_the_threshold_are_dropped() {
        for level in Cpu::all() {
            for n in [0, 1, 15, 16, 17, 33, 784] {
                let values: Vec<f32> = (0..n).map(|i| i as f32 - 7.5).collect();
                let bits: Vec<u16> = (0..n).map(|i| (i * 40_503 % 65_536) as u16).collect();
                for threshold in [0, 1, 32_768, 65_535, 65_536] {
                    let (mut out, mut kept) = (vec![9.0; n], vec![9; n]);
                    drop_out(level, &values, &bits, threshold, 2.0, &mut out, &mut kept);
                    for i in 0..n {
                        let is_kept = u32::from(bits[i]) >= threshold;
                        let expected = if is_kept { (values[i] * 2.0, 1) } else { (0.0, 0) };
                        assert_eq!((out[i], kept[i]), expected, "{level:?} {n} {threshold}");
                    }
                }
            }
        }
    }

    #[test]
    fn bias_is_added_to_every_row_before_the_relu() {
        for level in Cpu::all() {
            let mut rows = vec![1.0, -3.0, 0.5, 2.0];
            add_bias(level, &mut rows, &[-1.0, 1.0], true);
            assert_eq!(rows, [0.0, 0.0, 0.0, 3.0]);
            let mut sums = vec![1.0, 1.0];
            add_rows(level, &[1.0, 2.0, 3.0, 4.0], &mut sums);
            assert_eq!(sums, [5.0, 7.0]);
        }
    }

    #[test]
    fn not_a_number_passes_through_the_relu() {
        for level in Cpu::all() {
            let mut out = [0.0; 1];
            relu(level, &[f32::NAN], &mut out);
            assert!(out[0].is_nan());
        }
    }
}
