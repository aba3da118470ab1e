//! `cos` of many arguments, as random Fourier features need it.

use super::cpu::per_level;

/// `cos(x)`: whole turns are taken off in `f64`, the rest is a sine of an angle within a quarter turn
/// (its series up to the 13th power). Within 2e-7 of the exact value for `|x| <= 1e6`; the same bits at every
/// instruction level.
#[inline(always)]
fn cos_one(x: f32) -> f32 {
    // Adding 1.5 * 2^52 rounds to an integer in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let turns = f64::from(x) * (0.5 * std::f64::consts::FRAC_1_PI);
    let rest = (turns - ((turns + ROUND) - ROUND)) as f32;
    let angle = (0.25 - rest.abs()) * std::f32::consts::TAU;
    let square = angle * angle;
    let p = 1.0 / 6_227_020_800.0_f32;
    let p = p.mul_add(square, -1.0 / 39_916_800.0);
    let p = p.mul_add(square, 1.0 / 362_880.0);
    let p = p.mul_add(square, -1.0 / 5_040.0);
    let p = p.mul_add(square, 1.0 / 120.0);
    let p = p.mul_add(square, -1.0 / 6.0);
    p.mul_add(square * angle, angle)
}

per_level! {
    /// Replaces each line's `x[j]` by `scale * cos(x[j] + shift[j])`; lines are as long as `shift`.
    pub fn shifted_cos(lines: &mut [f32], shift: &[f32], scale: f32) {
        for line in lines.chunks_exact_mut(shift.len().max(1)) {
            for (value, &shift) in line.iter_mut().zip(shift) {
                *value = scale * cos_one(*value + shift);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Cpu;

    #[test]
    fn every_level_is_within_the_stated_error_and_gives_the_same_bits() {
        for n in [0, 1, 7, 8, 9, 15, 16, 17, 784, 20_001] {
            let arguments: Vec<f32> =
                (0..n).map(|i| (i as f32 - 0.5 * n as f32) * (0.37 + n as f32 * 2e-3)).collect();
            let mut first = None;
            for cpu in Cpu::all() {
                // An odd start: the slice is not aligned to a register.
                let mut found = vec![0.0];
                found.extend(&arguments);
                shifted_cos(cpu, &mut found[1..], &vec![0.0; n], 1.0);
                for (&x, &y) in arguments.iter().zip(&found[1..]) {
                    let error = (f64::from(y) - f64::from(x).cos()).abs();
                    assert!(error < 2e-7, "{cpu:?}: cos({x}) = {y}");
                }
                assert_eq!(first.get_or_insert(found.clone()), &found, "{cpu:?}, {n}");
            }
        }
    }

    #[test]
    fn every_line_is_shifted_and_scaled() {
        let mut lines = [0.0, 0.0, 1.0, 2.0];
        shifted_cos(Cpu::detect(), &mut lines, &[0.0, 0.5], 3.0);
        for (found, x) in lines.iter().zip([0.0f32, 0.5, 1.0, 2.5]) {
            assert!((found - 3.0 * x.cos()).abs() < 1e-6);
        }
    }
}
