//! Which rows may be nearer than the nearest found so far, and exact distances of those that may.
//!
//! All is integer, or summed in one order: every instruction level gives the same.

use super::cpu::per_level;

const LANES: usize = 16;

per_level! {
    /// For which queries some `query_term + row_term + factor * value` of 32 rows is below their
    /// limit: bit `q` for query `q`. The sums wrap and must end within `0..2^31`, limits too.
    pub fn any_below_ints(
        values: &[[i32; 32]],
        query_terms: &[i32],
        row_terms: &[i32; 32],
        factor: i32,
        limits: &[i32],
    ) -> u32 {
        let mut found = 0;
        for (q, ((values, &term), &limit)) in
            values.iter().zip(query_terms).zip(limits).enumerate()
        {
            // The sign of a difference tells; signs are gathered by `or`.
            let mut signs = 0;
            for lane in 0..32 {
                let sum = term.wrapping_add(row_terms[lane]);
                let sum = sum.wrapping_add(factor.wrapping_mul(values[lane]));
                signs |= sum.wrapping_sub(limit);
            }
            found |= u32::from(signs < 0) << q;
        }
        found
    }
}

per_level! {
    /// Whether some `query_term + row_term + factor * value` is below the limit, or not a number.
    pub fn any_below_floats(
        values: &[f32],
        query_term: f32,
        row_terms: &[f32],
        factor: f32,
        limit: f32,
    ) -> bool {
        let mut any = false;
        for (&value, &term) in values.iter().zip(row_terms) {
            let sum = factor.mul_add(value, query_term + term);
            // What is not a number is not far.
            let is_far = sum >= limit;
            any |= !is_far;
        }
        any
    }
}

per_level! {
    /// `value * factor` of each row; how integer products become similarities.
    pub fn scale_ints(values: &[i32; 32], factors: &[f32; 32], out: &mut [f32; 32]) {
        for lane in 0..32 {
            out[lane] = values[lane] as f32 * factors[lane];
        }
    }
}

/// A sum over two vectors in 16 interleaved sums of `f64`.
macro_rules! pair_sum {
    ($(#[$meta:meta])* $name:ident, $term:expr) => {
        per_level! {
            $(#[$meta])*
            pub fn $name(a: &[f32], b: &[f32]) -> f64 {
                let term = $term;
                let mut sums = [0.0f64; LANES];
                let (a_whole, a_rest) = a.as_chunks::<LANES>();
                let (b_whole, b_rest) = b.as_chunks::<LANES>();
                for (a, b) in a_whole.iter().zip(b_whole) {
                    for l in 0..LANES {
                        sums[l] = term(sums[l], f64::from(a[l]), f64::from(b[l]));
                    }
                }
                for (l, (&a, &b)) in a_rest.iter().zip(b_rest).enumerate() {
                    sums[l] = term(sums[l], f64::from(a), f64::from(b));
                }
                sums.iter().sum()
            }
        }
    };
}

pair_sum!(
    /// Sum of squared differences.
    squared_distance,
    |sum: f64, a: f64, b: f64| (a - b).mul_add(a - b, sum)
);
pair_sum!(
    /// Sum of absolute differences.
    absolute_distance,
    |sum: f64, a: f64, b: f64| sum + (a - b).abs()
);
pair_sum!(
    /// Sum of products.
    product,
    |sum: f64, a: f64, b: f64| a.mul_add(b, sum)
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;
    use crate::kernels::Cpu;

    #[test]
    fn queries_with_a_row_below_their_limit_are_told_at_every_level() {
        for cpu in Cpu::all() {
            for lane in 0..32 {
                let mut values = [[10; 32]; 3];
                values[1][lane] = 20;
                let terms = [100, 100, 100];
                let mut row_terms = [50; 32];
                // 100 + 50 - 2 * 10 = 130; 100 + 50 - 2 * 20 = 110.
                let limits = [130, 111, 131];
                let found = any_below_ints(cpu, &values, &terms, &row_terms, -2, &limits);
                assert_eq!(found, 0b110, "{cpu:?}, lane {lane}");
                row_terms[lane] = i32::MAX - 100 - 50;
                let limits = [130, i32::MAX, 0];
                let found = any_below_ints(cpu, &values, &terms, &row_terms, 1, &limits);
                assert_eq!(found, 0b010, "{cpu:?}, lane {lane}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_counts_as_below() {
        for cpu in Cpu::all() {
            for n in [1, 31, 32, 33, 128] {
                let mut values = vec![1.0; n];
                let terms = vec![2.0; n];
                let below =
                    |values: &[f32], limit| any_below_floats(cpu, values, 3.0, &terms, -2.0, limit);
                assert!(!below(&values, 3.0), "{cpu:?} {n}");
                assert!(below(&values, 3.1), "{cpu:?} {n}");
                assert!(below(&values, f32::NAN), "{cpu:?} {n}");
                values[n - 1] = f32::NAN;
                assert!(below(&values, 3.0), "{cpu:?} {n}");
            }
            assert!(!any_below_floats(cpu, &[], 0.0, &[], 1.0, 1.0));
        }
    }

    #[test]
    fn sums_of_pairs_have_the_same_bits_at_every_level() {
        for n in [0, 1, 15, 16, 17, 784] {
            let mut rng = Rng::new(n as u64, &["nearest"]);
            let mut draw = || -> Vec<f32> { (0..n).map(|_| rng.normal_f32()).collect() };
            let (a, b) = (draw(), draw());
            let pairs = || a.iter().zip(&b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
            let expected = (
                squared_distance(Cpu::SCALAR, &a, &b),
                absolute_distance(Cpu::SCALAR, &a, &b),
                product(Cpu::SCALAR, &a, &b),
            );
            assert!((expected.0 - pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>()).abs() < 1e-9);
            assert!((expected.1 - pairs().map(|(a, b)| (a - b).abs()).sum::<f64>()).abs() < 1e-9);
            assert!((expected.2 - pairs().map(|(a, b)| a * b).sum::<f64>()).abs() < 1e-9);
            for cpu in Cpu::all() {
                let found = (
                    squared_distance(cpu, &a, &b),
                    absolute_distance(cpu, &a, &b),
                    product(cpu, &a, &b),
                );
                assert_eq!(found, expected, "{cpu:?} {n}");
            }
            let factors = std::array::from_fn(|lane| 0.5 * lane as f32);
            let mut first = None;
            for cpu in Cpu::all() {
                let mut out = [0.0; 32];
                scale_ints(cpu, &[3; 32], &factors, &mut out);
                assert_eq!(out[31], 46.5);
                assert_eq!(*first.get_or_insert(out), out, "{cpu:?}");
            }
        }
    }
}
