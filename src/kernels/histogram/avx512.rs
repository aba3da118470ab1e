//! AVX-512: prefix sums and cuts of 8 features a register, two registers side by side.

use std::arch::x86_64::*;

use super::{BestCuts, Block, LANES, Scan};

/// Features of a register.
const WIDTH: usize = 8;

/// What is carried from bin to bin of 8 features.
#[derive(Clone, Copy)]
struct State {
    sums: __m512i,
    num: __m512d,
    den: __m512d,
    bin: __m512i,
    left: __m512i,
}

#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn best_cuts(block: &Block, scan: &Scan) -> BestCuts {
    let zero = _mm512_setzero_si512();
    let start = State {
        sums: zero,
        num: _mm512_setzero_pd(),
        den: _mm512_set1_pd(1.0),
        bin: zero,
        left: zero,
    };
    let mut states = [start; LANES / WIDTH];
    let n_shift = _mm_cvtsi32_si128(scan.packing.n_bits as i32);
    let g_shift = _mm_cvtsi32_si128((scan.packing.n_bits + scan.packing.h_bits) as i32);
    let word = |value: u64| _mm512_set1_epi64(value as i64);
    let n_mask = word((1 << scan.packing.n_bits) - 1);
    let h_mask = word((1 << scan.packing.h_bits) - 1);
    let (min_n, n_room) = (word(scan.min_n), word(scan.n_room));
    let (min_h, h_room) = (word(scan.min_h), word(scan.h_room));
    let lambda = _mm512_set1_pd(scan.lambda);
    let (h_both, mean) = (_mm512_set1_pd(scan.h_both), _mm512_set1_pd(scan.mean));
    for (at, cells) in block.as_chunks::<LANES>().0.iter().enumerate() {
        let at = word(at as u64);
        for (state, cells) in states.iter_mut().zip(cells.as_chunks::<WIDTH>().0) {
            // SAFETY: 8 words are a register.
            let cells = unsafe { _mm512_loadu_si512(cells.as_ptr().cast()) };
            state.sums = _mm512_add_epi64(state.sums, cells);
            let n = _mm512_and_si512(state.sums, n_mask);
            let h = _mm512_and_si512(_mm512_srl_epi64(state.sums, n_shift), h_mask);
            let g = _mm512_cvtepi64_pd(_mm512_sra_epi64(state.sums, g_shift));
            let allowed = _mm512_cmple_epu64_mask(_mm512_sub_epi64(n, min_n), n_room);
            let allowed = _mm512_mask_cmple_epu64_mask(allowed, _mm512_sub_epi64(h, min_h), h_room);
            let h_left = _mm512_add_pd(_mm512_cvtepi64_pd(h), lambda);
            let d = _mm512_fnmadd_pd(mean, h_left, g);
            let num = _mm512_mul_pd(d, d);
            let den = _mm512_mul_pd(h_left, _mm512_sub_pd(h_both, h_left));
            let better = _mm512_mask_cmp_pd_mask::<_CMP_GT_OQ>(
                allowed,
                _mm512_mul_pd(num, state.den),
                _mm512_mul_pd(state.num, den),
            );
            state.num = _mm512_mask_mov_pd(state.num, better, num);
            state.den = _mm512_mask_mov_pd(state.den, better, den);
            state.bin = _mm512_mask_mov_epi64(state.bin, better, at);
            state.left = _mm512_mask_mov_epi64(state.left, better, state.sums);
        }
    }
    let mut best = BestCuts::NONE;
    for (nth, state) in states.iter().enumerate() {
        let at = nth * WIDTH;
        // SAFETY: each of the two registers is 8 of the 16 places.
        unsafe {
            _mm512_storeu_pd(best.num[at..].as_mut_ptr(), state.num);
            _mm512_storeu_pd(best.den[at..].as_mut_ptr(), state.den);
            _mm512_storeu_si512(best.bin[at..].as_mut_ptr().cast(), state.bin);
            _mm512_storeu_si512(best.left[at..].as_mut_ptr().cast(), state.left);
        }
    }
    best
}
