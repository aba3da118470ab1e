//! Radial kernels from products: `exp(-gamma * distance)` of many squared distances.

use super::cpu::per_level;

/// Below this power of two the result would be subnormal; it is 0 instead.
const LOWEST: f32 = -126.0;

/// `2^x` for `x <= 0`: `x = n + r` (exact), a polynomial in `r` (Cephes `exp2f`), `n` added to the
/// exponent. Within 2 ulp of the exact value; the same bits at every instruction level.
#[inline(always)]
fn exp2_one(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > LOWEST { x } else { LOWEST };
    let shifted = clamped + ROUND;
    let r = clamped - (shifted - ROUND);
    let p = 1.535_336_2e-4_f32;
    let p = p.mul_add(r, 1.339_887_5e-3);
    let p = p.mul_add(r, 9.618_437e-3);
    let p = p.mul_add(r, 5.550_332_5e-2);
    let p = p.mul_add(r, 0.240_226_48);
    let p = p.mul_add(r, std::f32::consts::LN_2);
    let p = p.mul_add(r, 1.0);
    let scaled = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x >= LOWEST { scaled } else { 0.0 }
}

/// The factor of a squared distance in the power of two that is `exp(-gamma * distance)`.
fn exponent(gamma: f64) -> f32 {
    (-gamma * std::f64::consts::LOG2_E) as f32
}

/// Radial kernel from exact integer products of bytes, a line of 32 rows a query:
/// `exp(-gamma * (row_square + query_square - 2 product))`; line `q` of `out` starts at
/// `q * stride`. The squared distance is exact; the exponent is rounded twice, which costs its
/// magnitude in units of the last place.
///
/// # Panics
/// If `out` is too short.
pub fn rbf_of_bytes(
    cpu: super::Cpu,
    products: &[[i32; 32]],
    query_squares: &[i32],
    row_squares: &[i32; 32],
    gamma: f64,
    out: &mut [f32],
    stride: usize,
) {
    lines_of_bytes(cpu, products, query_squares, row_squares, exponent(gamma), out, stride);
}

per_level! {
    fn lines_of_bytes(
        products: &[[i32; 32]],
        query_squares: &[i32],
        row_squares: &[i32; 32],
        exponent: f32,
        out: &mut [f32],
        stride: usize,
    ) {
        for ((products, &query_square), out) in
            products.iter().zip(query_squares).zip(out.chunks_mut(stride))
        {
            let Some(out) = out.first_chunk_mut::<32>() else { return };
            for lane in 0..32 {
                let both = query_square.wrapping_add(row_squares[lane]);
                let distance = both.wrapping_sub(products[lane].wrapping_mul(2));
                out[lane] = exp2_one(exponent * distance as f32);
            }
        }
    }
}

/// As [`rbf_of_bytes`] from rounded products, which it replaces, of any number of rows; a distance
/// that rounding made negative is 0.
pub fn rbf_of_floats(
    cpu: super::Cpu,
    lines: &mut [f32],
    stride: usize,
    query_squares: &[f32],
    row_squares: &[f32],
    gamma: f64,
) {
    lines_of_floats(cpu, lines, stride, query_squares, row_squares, exponent(gamma));
}

per_level! {
    fn lines_of_floats(
        lines: &mut [f32],
        stride: usize,
        query_squares: &[f32],
        row_squares: &[f32],
        exponent: f32,
    ) {
        for (line, &query_square) in lines.chunks_mut(stride).zip(query_squares) {
            let value_of = |product: f32, row_square: f32| {
                let distance = product.mul_add(-2.0, query_square + row_square);
                let distance = if distance > 0.0 { distance } else { 0.0 };
                exp2_one(exponent * distance)
            };
            let (rows, rows_rest) = row_squares.as_chunks::<32>();
            let (whole, rest) = line.as_chunks_mut::<32>();
            for (values, row_squares) in whole.iter_mut().zip(rows) {
                for lane in 0..32 {
                    values[lane] = value_of(values[lane], row_squares[lane]);
                }
            }
            for (value, &row_square) in rest.iter_mut().zip(rows_rest) {
                *value = value_of(*value, row_square);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Cpu;

    per_level! {
        fn exp2_of(values: &mut [f32]) {
            for value in values {
                *value = exp2_one(*value);
            }
        }
    }

    #[test]
    fn powers_are_within_two_units_in_the_last_place_at_every_level() {
        let arguments: Vec<f32> = (0..=1_260_000).map(|i| i as f32 * -1e-4).collect();
        let mut first = None;
        for cpu in Cpu::all() {
            let mut found = arguments.clone();
            exp2_of(cpu, &mut found);
            for (&x, &y) in arguments.iter().zip(&found) {
                let exact = f64::from(x).exp2();
                let ulp = f64::from(f32::from_bits((exact as f32).to_bits() + 1) - exact as f32);
                assert!((f64::from(y) - exact).abs() <= 2.0 * ulp, "{cpu:?}: 2^{x} = {y}");
            }
            assert_eq!(first.get_or_insert(found.clone()), &found, "{cpu:?} differs");
        }
    }

    #[test]
    fn ends_are_exact() {
        let mut values = [0.0, -0.0, -126.0, -126.1, -1e30, f32::NEG_INFINITY];
        exp2_of(Cpu::detect(), &mut values);
        assert_eq!(values, [1.0, 1.0, f32::MIN_POSITIVE, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn every_level_gives_the_same_bits_at_every_length() {
        for n in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 784] {
            let arguments: Vec<f32> = (0..n).map(|i| i as f32 * -0.37).collect();
            let expected: Vec<f32> = arguments.iter().map(|&x| exp2_one(x)).collect();
            for cpu in Cpu::all() {
                // An odd start: the slice is not aligned to a register.
                let mut found = vec![0.0];
                found.extend(&arguments);
                exp2_of(cpu, &mut found[1..]);
                assert_eq!(&found[1..], expected, "{cpu:?}, length {n}");
            }
        }
    }

    /// Tolerance: 2 ulp of the power, and two roundings of an exponent below 2^7.
    #[test]
    fn radial_kernels_are_the_exponential_of_the_scaled_distance() {
        const STRIDE: usize = 70;
        let row_squares: [i32; 32] = std::array::from_fn(|lane| 40 * lane as i32);
        // Two whole runs of 32 and five rows more.
        let more: Vec<f32> = (0..69).map(|row| row_squares[row % 32] as f32).collect();
        for n_queries in [0, 1, 11, 12] {
            let query_squares: Vec<i32> = (0..n_queries).map(|q| 300 * q).collect();
            let products: Vec<[i32; 32]> = (0..n_queries)
                .map(|q| std::array::from_fn(|lane| (q * lane as i32) % 17 - 8))
                .collect();
            let real: Vec<f32> = query_squares.iter().map(|&v| v as f32).collect();
            let mut first = None;
            for cpu in Cpu::all() {
                let mut bytes = vec![7.0; products.len() * STRIDE];
                let gamma = 0.01;
                rbf_of_bytes(
                    cpu,
                    &products,
                    &query_squares,
                    &row_squares,
                    gamma,
                    &mut bytes,
                    STRIDE,
                );
                let mut floats = vec![7.0; products.len() * STRIDE];
                for (line, products) in floats.chunks_mut(STRIDE).zip(&products) {
                    for (value, &product) in line.iter_mut().take(69).zip(products.iter().cycle()) {
                        *value = product as f32;
                    }
                }
                rbf_of_floats(cpu, &mut floats, STRIDE, &real, &more, gamma);
                for (query, products) in products.iter().enumerate() {
                    for lane in 0..STRIDE {
                        let at = query * STRIDE + lane;
                        let Some(product) = products.get(lane % 32).filter(|_| lane < 69) else {
                            assert_eq!((bytes[at], floats[at]), (7.0, 7.0), "beyond the rows");
                            continue;
                        };
                        let distance = query_squares[query] + row_squares[lane % 32] - 2 * product;
                        let near = |found: f32, distance: i32| {
                            let exact = (-gamma * f64::from(distance)).exp();
                            (f64::from(found) - exact).abs() <= 1e-5 * exact
                        };
                        assert!(near(floats[at], distance.max(0)), "{cpu:?}, {query}, {lane}");
                        if lane < 32 {
                            assert!(near(bytes[at], distance), "{cpu:?}, {query}, {lane}");
                        }
                    }
                }
                assert_eq!(first.get_or_insert((bytes.clone(), floats.clone())), &(bytes, floats));
            }
        }
    }
}
