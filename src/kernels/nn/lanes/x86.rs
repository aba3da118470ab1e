//! The registers of x86-64.

use std::arch::x86_64::*;

use super::Lanes;
use super::bf16::{HALF, HIGH};

// SAFETY: each method is one instruction (or two) of the register; pointers are the caller's.
unsafe impl Lanes for __m256 {
    const N: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm256_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm256_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm256_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn rectify(self) -> Self {
        // The second operand is returned if either is not a number.
        // SAFETY: the trait's.
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), self) }
    }

    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u16) {
        // SAFETY: the trait's.
        unsafe {
            let bits = _mm256_add_epi32(_mm256_castps_si256(self), _mm256_set1_epi32(HALF as i32));
            let words = _mm256_packus_epi32(_mm256_srli_epi32::<16>(bits), _mm256_setzero_si256());
            // The halves of the register are packed apart.
            let words = _mm256_permute4x64_epi64::<0b1000>(words);
            _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(words));
        }
    }

    #[inline(always)]
    unsafe fn store_pairs(self, high: Self, to: *mut u32) {
        // SAFETY: the trait's.
        unsafe {
            let half = _mm256_set1_epi32(HALF as i32);
            let low = _mm256_add_epi32(_mm256_castps_si256(self), half);
            let high = _mm256_add_epi32(_mm256_castps_si256(high), half);
            let high = _mm256_and_si256(high, _mm256_set1_epi32(HIGH as i32));
            let pairs = _mm256_or_si256(_mm256_srli_epi32::<16>(low), high);
            _mm256_storeu_si256(to.cast(), pairs);
        }
    }
}

// SAFETY: each method is one instruction (or two) of the register; pointers are the caller's.
unsafe impl Lanes for __m512 {
    const N: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { _mm512_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn rectify(self) -> Self {
        // The second operand is returned if either is not a number.
        // SAFETY: the trait's.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), self) }
    }

    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u16) {
        // SAFETY: the trait's.
        unsafe {
            let bits = _mm512_add_epi32(_mm512_castps_si512(self), _mm512_set1_epi32(HALF as i32));
            let words = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(bits));
            _mm256_storeu_si256(to.cast(), words);
        }
    }

    #[inline(always)]
    unsafe fn store_pairs(self, high: Self, to: *mut u32) {
        // SAFETY: the trait's.
        unsafe {
            let half = _mm512_set1_epi32(HALF as i32);
            let low = _mm512_add_epi32(_mm512_castps_si512(self), half);
            let high = _mm512_add_epi32(_mm512_castps_si512(high), half);
            let high = _mm512_and_si512(high, _mm512_set1_epi32(HIGH as i32));
            let pairs = _mm512_or_si512(_mm512_srli_epi32::<16>(low), high);
            _mm512_storeu_si512(to.cast(), pairs);
        }
    }
}
