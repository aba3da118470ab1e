//! `exp` of many arguments that are not positive, as radial kernels need it.

use super::cpu::per_level;

/// Below this the result would be subnormal; it is 0 instead.
const LOWEST: f32 = -87.336_54;

/// `exp(x)` for `x <= 0`: `x = n ln 2 + r`, a polynomial in `r` (Cephes `expf`), `n` added to the
/// exponent. Within 2 ulp of the exact value; the same bits at every instruction level.
#[inline(always)]
fn exp_one(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > LOWEST { x } else { LOWEST };
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, clamped);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4_f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 0.166_666_65);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r + 1.0);
    let scaled = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x > LOWEST { scaled } else { 0.0 }
}

per_level! {
    /// Replaces each `x <= 0` by `exp(x)`.
    pub fn exp_in_place(values: &mut [f32]) {
        for value in values {
            *value = exp_one(*value);
        }
    }
}

per_level! {
    /// Radial kernel from integer dot products, one line of 32 rows a query:
    /// `exp(-gamma * (row_square + query_square - 2 dot))`. The squared distance is exact. Queries
    /// are independent, so a whole tile hides the latency of the polynomial.
    pub fn rbf_of_bytes(
        dots: &[[i32; 32]],
        query_squares: &[i32],
        row_squares: &[i32; 32],
        gamma: f32,
        out: &mut [[f32; 32]],
    ) {
        for ((dots, &query_square), out) in dots.iter().zip(query_squares).zip(out) {
            for lane in 0..32 {
                let both = query_square.wrapping_add(row_squares[lane]);
                let distance = both.wrapping_sub(dots[lane].wrapping_mul(2));
                out[lane] = exp_one(-gamma * distance as f32);
            }
        }
    }
}

per_level! {
    /// As [`rbf_of_bytes`] from rounded dot products, which it replaces; a distance that rounding
    /// made negative is 0.
    pub fn rbf_of_floats(
        tile: &mut [[f32; 32]],
        query_squares: &[f32],
        row_squares: &[f32; 32],
        gamma: f32,
    ) {
        for (values, &query_square) in tile.iter_mut().zip(query_squares) {
            for lane in 0..32 {
                let distance = values[lane].mul_add(-2.0, query_square + row_squares[lane]);
                let distance = if distance > 0.0 { distance } else { 0.0 };
                values[lane] = exp_one(-gamma * distance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Cpu;

    #[test]
    fn exp_is_within_two_units_in_the_last_place_at_every_level() {
        let arguments: Vec<f32> = (0..870_001).map(|i| i as f32 * -1e-4).collect();
        let mut first = None;
        for cpu in Cpu::all() {
            let mut found = arguments.clone();
            exp_in_place(cpu, &mut found);
            for (&x, &y) in arguments.iter().zip(&found) {
                let exact = f64::from(x).exp();
                let ulp = f64::from(f32::from_bits((exact as f32).to_bits() + 1) - exact as f32);
                assert!((f64::from(y) - exact).abs() <= 2.0 * ulp, "{cpu:?}: exp({x}) = {y}");
            }
            assert_eq!(first.get_or_insert(found.clone()), &found, "{cpu:?} differs");
        }
    }

    #[test]
    fn ends_are_exact() {
        let mut values = [0.0, -0.0, -88.0, -1e30, f32::NEG_INFINITY];
        exp_in_place(Cpu::detect(), &mut values);
        assert_eq!(values, [1.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn every_level_gives_the_same_bits_at_every_length() {
        for n in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 784] {
            let arguments: Vec<f32> = (0..n).map(|i| i as f32 * -0.37).collect();
            let expected: Vec<f32> = arguments.iter().map(|&x| exp_one(x)).collect();
            for cpu in Cpu::all() {
                // An odd start: the slice is not aligned to a register.
                let mut found = vec![0.0];
                found.extend(&arguments);
                exp_in_place(cpu, &mut found[1..]);
                assert_eq!(&found[1..], expected, "{cpu:?}, length {n}");
            }
        }
    }

    #[test]
    fn radial_kernels_are_the_exponential_of_the_scaled_distance() {
        let row_squares: [i32; 32] = std::array::from_fn(|lane| 40 * lane as i32);
        for n_queries in [0, 1, 11, 12] {
            let query_squares: Vec<i32> = (0..n_queries).map(|q| 300 * q).collect();
            let dots: Vec<[i32; 32]> = (0..n_queries)
                .map(|q| std::array::from_fn(|lane| (q * lane as i32) % 17 - 8))
                .collect();
            for cpu in Cpu::all() {
                let mut from_bytes = vec![[0.0; 32]; dots.len()];
                rbf_of_bytes(cpu, &dots, &query_squares, &row_squares, 0.01, &mut from_bytes);
                let real: Vec<f32> = query_squares.iter().map(|&v| v as f32).collect();
                let mut tile: Vec<[f32; 32]> =
                    dots.iter().map(|dots| dots.map(|v| v as f32)).collect();
                rbf_of_floats(cpu, &mut tile, &real, &row_squares.map(|v| v as f32), 0.01);
                for (query, (bytes, floats)) in from_bytes.iter().zip(&tile).enumerate() {
                    for lane in 0..32 {
                        let distance =
                            query_squares[query] + row_squares[lane] - 2 * dots[query][lane];
                        let exact = exp_one(-0.01 * distance as f32);
                        assert_eq!(bytes[lane], exact, "{cpu:?}, {query}, {lane}");
                        let kept = exp_one(-0.01 * distance.max(0) as f32);
                        assert_eq!(floats[lane], kept, "{cpu:?}, {query}, {lane}");
                    }
                }
            }
        }
    }
}
