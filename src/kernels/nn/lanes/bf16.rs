//! Registers of pairs of `bf16` numbers, whose products are added up in `f32`.
//!
//! A `bf16` number is the upper half of an `f32`: 8 bits of mantissa instead of 24. CPUs with AVX512-BF16
//! add both products of a pair in one instruction; elsewhere the halves are taken apart, so that every
//! machine multiplies the same numbers, and only the rounding of sums differs.

use super::{Factors, Plain};

/// What rounds to the nearest `bf16` when it is added to the bits of an `f32`.
pub const HALF: u32 = 0x8000;
/// The bits of the number in the high half of a pair.
pub const HIGH: u32 = 0xffff_0000;

/// The bits of `value` with those of the nearest `bf16` number on top, ties away from zero.
#[inline(always)]
pub fn rounded(value: f32) -> u32 {
    value.to_bits().wrapping_add(HALF)
}

/// Eight pairs that the compiler turns into what the machine has.
#[derive(Clone, Copy)]
pub struct PlainPairs([u32; 8]);

// SAFETY: plain arithmetic on arrays; the pointers are the caller's.
unsafe impl Factors for PlainPairs {
    type Value = u32;
    type Sums = Plain;

    #[inline(always)]
    unsafe fn fill(value: u32) -> Self {
        PlainPairs([value; 8])
    }

    #[inline(always)]
    unsafe fn read(from: *const u32) -> Self {
        // SAFETY: eight values lie there, as the trait asks.
        PlainPairs(unsafe { from.cast::<[u32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn add_products(self, other: Self, sums: Plain) -> Plain {
        std::array::from_fn(|i| {
            let (a, b) = (self.0[i], other.0[i]);
            let high = f32::from_bits(a & HIGH) * f32::from_bits(b & HIGH);
            let low = f32::from_bits(a << 16) * f32::from_bits(b << 16);
            sums[i] + high + low
        })
    }
}

#[cfg(target_arch = "x86_64")]
pub mod x86 {
    //! Pairs in the registers of x86-64.

    use std::arch::x86_64::*;

    use super::super::Factors;
    use super::HIGH;

    /// Eight pairs.
    #[derive(Clone, Copy)]
    pub struct Pairs256(__m256i);

    // SAFETY: each method is a few instructions of the register; pointers are the caller's.
    unsafe impl Factors for Pairs256 {
        type Value = u32;
        type Sums = __m256;

        #[inline(always)]
        unsafe fn fill(value: u32) -> Self {
            // SAFETY: the trait's.
            Pairs256(unsafe { _mm256_set1_epi32(value as i32) })
        }

        #[inline(always)]
        unsafe fn read(from: *const u32) -> Self {
            // SAFETY: the trait's.
            Pairs256(unsafe { _mm256_loadu_si256(from.cast()) })
        }

        #[inline(always)]
        unsafe fn add_products(self, other: Self, sums: __m256) -> __m256 {
            // SAFETY: the trait's.
            unsafe {
                let mask = _mm256_set1_epi32(HIGH as i32);
                let high = |pairs| _mm256_castsi256_ps(_mm256_and_si256(pairs, mask));
                let low = |pairs| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs));
                let sums = _mm256_fmadd_ps(high(self.0), high(other.0), sums);
                _mm256_fmadd_ps(low(self.0), low(other.0), sums)
            }
        }
    }

    /// Sixteen pairs, on CPUs that do not multiply them.
    #[derive(Clone, Copy)]
    pub struct Pairs512(__m512i);

    // SAFETY: each method is a few instructions of the register; pointers are the caller's.
    unsafe impl Factors for Pairs512 {
        type Value = u32;
        type Sums = __m512;

        #[inline(always)]
        unsafe fn fill(value: u32) -> Self {
            // SAFETY: the trait's.
            Pairs512(unsafe { _mm512_set1_epi32(value as i32) })
        }

        #[inline(always)]
        unsafe fn read(from: *const u32) -> Self {
            // SAFETY: the trait's.
            Pairs512(unsafe { _mm512_loadu_si512(from.cast()) })
        }

        #[inline(always)]
        unsafe fn add_products(self, other: Self, sums: __m512) -> __m512 {
            // SAFETY: the trait's.
            unsafe {
                let mask = _mm512_set1_epi32(HIGH as i32);
                let high = |pairs| _mm512_castsi512_ps(_mm512_and_si512(pairs, mask));
                let low = |pairs| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs));
                let sums = _mm512_fmadd_ps(high(self.0), high(other.0), sums);
                _mm512_fmadd_ps(low(self.0), low(other.0), sums)
            }
        }
    }

    /// Sixteen pairs, on CPUs with AVX512-BF16.
    #[derive(Clone, Copy)]
    pub struct Native512(__m512i);

    // SAFETY: each method is one instruction of the register; pointers are the caller's.
    unsafe impl Factors for Native512 {
        type Value = u32;
        type Sums = __m512;

        #[inline(always)]
        unsafe fn fill(value: u32) -> Self {
            // SAFETY: the trait's.
            Native512(unsafe { _mm512_set1_epi32(value as i32) })
        }

        #[inline(always)]
        unsafe fn read(from: *const u32) -> Self {
            // SAFETY: the trait's.
            Native512(unsafe { _mm512_loadu_si512(from.cast()) })
        }

        #[inline(always)]
        unsafe fn add_products(self, other: Self, sums: __m512) -> __m512 {
            // SAFETY: the trait's; both types are 512 bits of any value.
            unsafe {
                let bf16 = |pairs: __m512i| std::mem::transmute::<__m512i, __m512bh>(pairs);
                _mm512_dpbf16_ps(sums, bf16(self.0), bf16(other.0))
            }
        }
    }
}

/// Compiles one unsafe body, generic over a register of pairs, once per level, and dispatches on a
/// [`crate::kernels::Cpu`], and on whether it multiplies `bf16` numbers.
macro_rules! per_pairs {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident<$f:ident>($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name(cpu: $crate::kernels::Cpu, $($arg: $ty),*) {
            #[inline(always)]
            unsafe fn body<$f>($($arg: $ty),*)
            where
                $f: $crate::kernels::nn::lanes::Factors<Value = u32>,
            {
                // SAFETY: the caller of the outer function vouches for the arguments.
                unsafe { $body }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: as in `body`; the registers are this function's.
                unsafe { body::<$crate::kernels::nn::lanes::bf16::x86::Pairs256>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: as in `body`; the registers are this function's.
                unsafe { body::<$crate::kernels::nn::lanes::bf16::x86::Pairs512>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
            unsafe fn native($($arg: $ty),*) {
                // SAFETY: as in `body`; the registers are this function's.
                unsafe { body::<$crate::kernels::nn::lanes::bf16::x86::Native512>($($arg),*) }
            }

            // SAFETY: a `Cpu` of a level is made only after its features were seen, `bf16` products
            // are asked for here; the rest is the caller's word.
            unsafe {
                match cpu.0 {
                    $crate::kernels::cpu::Level::Scalar => {
                        body::<$crate::kernels::nn::lanes::bf16::PlainPairs>($($arg),*)
                    }
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::cpu::Level::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::cpu::Level::Avx512 => {
                        if std::arch::is_x86_feature_detected!("avx512bf16") {
                            native($($arg),*)
                        } else {
                            avx512($($arg),*)
                        }
                    }
                }
            }
        }
    };
}
pub(in super::super) use per_pairs;
