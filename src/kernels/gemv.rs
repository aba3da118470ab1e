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
                let (whole, rest) = rest.as_chunks::<LANES>();
                let (features, features_rest) = features_rest.as_chunks::<LANES>();
                for (part, (w, x)) in whole.iter().zip(features).enumerate() {
                    for l in 0..LANES {
                        sums[part][l] = w[l].mul_add(f32::from(x[l]), sums[part][l]);
                    }
                }
                for (l, (w, x)) in rest.iter().zip(features_rest).enumerate() {
                    sums[3][l] = w.mul_add(f32::from(*x), sums[3][l]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;
    use crate::kernels::Cpu;

    #[test]
    fn every_level_gives_the_same_bits_near_the_exact_sum_at_every_length() {
        for n in [0, 1, 15, 16, 17, 63, 64, 65, 784] {
            let mut rng = Rng::new(n as u64, &["gemv"]);
            let bytes: Vec<u8> = (0..n).map(|_| rng.below(256) as u8).collect();
            let floats: Vec<f32> = bytes.iter().map(|&v| f32::from(v)).collect();
            let weights: Vec<f32> = (0..n).map(|_| rng.normal_f32()).collect();
            let exact: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
            let naive: f64 = exact.iter().zip(&bytes).map(|(w, &x)| w * f64::from(x)).sum();
            let mut first = None;
            for cpu in Cpu::all() {
                let mut sum = exact.clone();
                add_bytes(cpu, &mut sum, -0.3, &bytes);
                let mut of_floats = exact.clone();
                add_floats(cpu, &mut of_floats, -0.3, &floats);
                assert_eq!(sum, of_floats, "{cpu:?}, {n}");
                for ((sum, w), &x) in sum.iter().zip(&exact).zip(&bytes) {
                    assert!((sum - (w - 0.3 * f64::from(x))).abs() < 1e-12, "{cpu:?}, {n}");
                }
                let single = dot_bytes(cpu, &weights, &bytes);
                let double = dot_bytes_f64(cpu, &exact, &bytes);
                assert_eq!(single, dot_floats(cpu, &weights, &floats), "{cpu:?}, {n}");
                assert_eq!(double, dot_floats_f64(cpu, &exact, &floats), "{cpu:?}, {n}");
                assert!((double - naive).abs() < 1e-9, "{cpu:?}, {n}: {double} and {naive}");
                assert!((f64::from(single) - naive).abs() < 0.05, "{cpu:?}, {n}: {single}");
                assert_eq!(first.get_or_insert((single, double)), &(single, double), "{cpu:?}");
            }
        }
    }
}
