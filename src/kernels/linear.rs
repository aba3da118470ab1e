//! Products and updates of one weight vector with rows of bytes or floats: the inner loops of the
//! linear support vector solvers.
//!
//! Rows stay in their type and are widened in registers; weights and sums are `f64`, so that tens of
//! millions of updates leave no drift. Sums have one order (32 interleaved chains of multiply-adds,
//! folded in pairs), so all levels give the same bits.

use super::cpu::per_level;

/// Interleaved sums of a product.
const LANES: usize = 32;

/// A type of feature that widens exactly.
trait Feature: Copy {
    fn wide(self) -> f64;
}

impl Feature for u8 {
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(i32::from(self))
    }
}

impl Feature for f32 {
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

#[inline(always)]
fn dot<T: Feature>(row: &[T], weights: &[f64]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (rows, rest) = row.as_chunks::<LANES>();
    let (all, weights_rest) = weights.as_chunks::<LANES>();
    for (values, weights) in rows.iter().zip(all) {
        for lane in 0..LANES {
            sums[lane] = values[lane].wide().mul_add(weights[lane], sums[lane]);
        }
    }
    for (lane, (value, weight)) in rest.iter().zip(weights_rest).enumerate() {
        sums[lane] = value.wide().mul_add(*weight, sums[lane]);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

#[inline(always)]
fn add<T: Feature>(row: &[T], step: f64, weights: &mut [f64]) {
    for (weight, value) in weights.iter_mut().zip(row) {
        *weight = value.wide().mul_add(step, *weight);
    }
}

per_level! {
    /// `<row, weights>` over the common length; the bytes count as 0 to 255.
    pub fn dot_bytes(row: &[u8], weights: &[f64]) -> f64 {
        dot(row, weights)
    }
}

per_level! {
    /// `<row, weights>` over the common length.
    pub fn dot_floats(row: &[f32], weights: &[f64]) -> f64 {
        dot(row, weights)
    }
}

per_level! {
    /// `weights += step * row` over the common length; the bytes count as 0 to 255.
    pub fn add_bytes(row: &[u8], step: f64, weights: &mut [f64]) {
        add(row, step, weights);
    }
}

per_level! {
    /// `weights += step * row` over the common length.
    pub fn add_floats(row: &[f32], step: f64, weights: &mut [f64]) {
        add(row, step, weights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;
    use crate::kernels::Cpu;

    #[test]
    fn every_level_gives_the_bits_of_the_definition_at_every_length() {
        for n in [0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 784] {
            let mut rng = Rng::new(n as u64, &["linear"]);
            let weights: Vec<f64> = (0..n).map(|_| f64::from(rng.normal_f32())).collect();
            // An odd start: the slices are not aligned to a register.
            let bytes: Vec<u8> = (0..n + 1).map(|_| rng.next_u32() as u8).collect();
            let bytes = &bytes[1..];
            let floats: Vec<f32> = bytes.iter().map(|&v| f32::from(v)).collect();
            let naive: f64 = bytes.iter().zip(&weights).map(|(&v, w)| f64::from(v) * w).sum();
            let size: f64 =
                bytes.iter().zip(&weights).map(|(&v, w)| (f64::from(v) * w).abs()).sum();
            let mut first = None;
            for cpu in Cpu::all() {
                let products =
                    (dot_bytes(cpu, bytes, &weights), dot_floats(cpu, &floats, &weights));
                assert!((products.0 - naive).abs() <= 1e-13 * size, "{cpu:?}, {n}");
                assert_eq!(products.0, products.1, "{cpu:?}, {n}");
                let mut from_bytes = weights.clone();
                add_bytes(cpu, bytes, 0.3, &mut from_bytes);
                let mut from_floats = weights.clone();
                add_floats(cpu, &floats, 0.3, &mut from_floats);
                assert_eq!(from_bytes, from_floats, "{cpu:?}, {n}");
                for i in 0..n {
                    assert_eq!(from_bytes[i], f64::from(bytes[i]).mul_add(0.3, weights[i]));
                }
                let found = (products, from_bytes);
                assert_eq!(first.get_or_insert(found.clone()), &found, "{cpu:?}, {n}");
            }
        }
    }
}
