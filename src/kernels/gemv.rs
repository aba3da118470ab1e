//! A linear decision kept as one weight a feature: sums of rows, and rows times weights.
//!
//! Sums have one order, so all instruction levels give the same bits.

use super::cpu::per_level;

const LANES: usize = 16;

macro_rules! of_type {
    ($feature:ty, $add:ident, $dot:ident, $dot_exact:ident) => {
        per_level! {
            /// `weights += change * row`
            pub fn $add(weights: &mut [f64], change: f64, row: &[$feature]) {
                for (weight, &feature) in weights.iter_mut().zip(row) {
                    *weight += change * f64::from(feature);
                }
            }
        }

        per_level! {
            /// `weights . row` in four times 16 interleaved single precision sums.
            pub fn $dot(weights: &[f32], row: &[$feature]) -> f32 {
                let mut sums = [[0.0f32; LANES]; 4];
                let (whole, rest) = weights.as_chunks::<{ 4 * LANES }>();
                let (features, features_rest) = row.as_chunks::<{ 4 * LANES }>();
                for (w, x) in whole.iter().zip(features) {
                    for part in 0..4 {
                        for l in 0..LANES {
                            let at = part * LANES + l;
                            sums[part][l] = w[at].mul_add(f32::from(x[at]), sums[part][l]);
                        }
                    }
                }
                for (at, (w, x)) in rest.iter().zip(features_rest).enumerate() {
                    let sum = &mut sums[at / LANES][at % LANES];
                    *sum = w.mul_add(f32::from(*x), *sum);
                }
                let mut total = [0.0f32; LANES];
                for l in 0..LANES {
                    total[l] = (sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]);
                }
                total.iter().sum()
            }
        }

        per_level! {
            /// `weights . row` in 16 interleaved double precision sums.
            pub fn $dot_exact(weights: &[f64], row: &[$feature]) -> f64 {
                let mut sums = [0.0f64; LANES];
                let (whole, rest) = weights.as_chunks::<LANES>();
                let (features, features_rest) = row.as_chunks::<LANES>();
                for (w, x) in whole.iter().zip(features) {
                    for l in 0..LANES {
                        sums[l] += w[l] * f64::from(x[l]);
                    }
                }
                for (l, (w, x)) in rest.iter().zip(features_rest).enumerate() {
                    sums[l] += w * f64::from(*x);
                }
                sums.iter().sum()
            }
        }
    };
}

of_type!(u8, add_bytes, dot_bytes, dot_bytes_f64);
of_type!(f32, add_floats, dot_floats, dot_floats_f64);
