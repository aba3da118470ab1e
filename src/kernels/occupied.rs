//! Which of 256 flags are set, as bits.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::cpu::{Cpu, Level};

/// Bit `i` is whether flag `i` is not 0; 64 flags a word.
#[inline]
pub fn bits(cpu: Cpu, flags: &[u8; 256]) -> [u64; 4] {
    match cpu.0 {
        Level::Scalar => scalar(flags),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features.
        Level::Avx2 => unsafe { avx2(flags) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features.
        Level::Avx512 => unsafe { avx512(flags) },
    }
}

/// The definition that the other variants are tested against.
fn scalar(flags: &[u8; 256]) -> [u64; 4] {
    let word = |nth: usize| {
        let flags = flags[nth * 64..(nth + 1) * 64].iter().enumerate();
        flags.fold(0, |word, (bit, &flag)| word | u64::from(flag != 0) << bit)
    };
    std::array::from_fn(word)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(flags: &[u8; 256]) -> [u64; 4] {
    let half = |nth: usize| {
        // SAFETY: `nth` is below 8, so 32 flags follow.
        let flags = unsafe { _mm256_loadu_si256(flags.as_ptr().add(nth * 32).cast()) };
        let unset = _mm256_movemask_epi8(_mm256_cmpeq_epi8(flags, _mm256_setzero_si256()));
        u64::from(!unset as u32)
    };
    std::array::from_fn(|word| half(2 * word) | half(2 * word + 1) << 32)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn avx512(flags: &[u8; 256]) -> [u64; 4] {
    let word = |nth: usize| {
        // SAFETY: `nth` is below 4, so 64 flags follow.
        let flags = unsafe { _mm512_loadu_si512(flags.as_ptr().add(nth * 64).cast()) };
        _mm512_test_epi8_mask(flags, flags)
    };
    std::array::from_fn(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_finds_the_same_flags() {
        for step in [1, 2, 3, 31, 64, 255, 256] {
            let flags: [u8; 256] =
                std::array::from_fn(|i| if i % step == 0 { i as u8 | 1 } else { 0 });
            for cpu in Cpu::all() {
                assert_eq!(bits(cpu, &flags), scalar(&flags), "{cpu:?}, {step}");
            }
        }
    }
}
