//! Histograms of packed sums over features of 256 bins, and the best cut of each.
//!
//! A histogram of a boosted tree's node has, for each bin of each feature, the number `n` of the
//! node's rows in it and the sums of their gradients `g` and second derivatives `h`. All three are
//! whole numbers in one word, `g h n` from the top, so one addition counts a row, sums are exact in
//! any order, and a sibling is its parent minus the other child, exactly. `g` and `h` are rounded to
//! units that the sum of all rows still fits into ([`Packing`]).
//!
//! 16 features make a block, `[bin][feature]`: 32 KiB, which stay in the first cache while rows are
//! added, and whose prefix sums over bins run 8 features to a register.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod quads;

use super::cpu::{Cpu, Level, per_level};

pub use quads::{Quad, count_quads};

/// Features of a block.
pub const LANES: usize = 16;
/// Bins of a feature.
pub const N_BINS: usize = 256;
/// Words of a block.
pub const BLOCK_LEN: usize = N_BINS * LANES;

/// Most rows of a histogram: with 2^25 the sums have 19 and 20 bits.
pub const MAX_ROWS: usize = (1 << 25) - 1;

/// A histogram of 16 features, `[bin][feature]`.
pub type Block = [u64; BLOCK_LEN];

/// Rows ahead whose bins are fetched: far enough for memory when a node has few rows.
const AHEAD: usize = 32;

/// How many bits each part of a word has: just enough for the number of rows, the rest for the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Bits of the number of rows.
    n_bits: u32,
    /// Bits of the sum of second derivatives.
    h_bits: u32,
}

/// A word taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Sum of gradients, in its unit.
    pub g: i64,
    /// Sum of second derivatives, in its unit.
    pub h: u64,
    /// Number of rows.
    pub n: u64,
}

impl Packing {
    /// For sums of up to `n_rows` rows.
    ///
    /// # Panics
    /// If there are more than [`MAX_ROWS`].
    pub fn of(n_rows: usize) -> Self {
        assert!(n_rows <= MAX_ROWS, "{n_rows} rows do not fit into a packed sum");
        let n_bits = usize::BITS - n_rows.leading_zeros();
        Packing { n_bits, h_bits: (64 - n_bits) / 2 - 1 }
    }

    /// Units of gradients and second derivatives, given the sums of their absolute values over all
    /// rows: the smallest such that the sums fit into their bits, though rounding may add up to
    /// `slack` units to them.
    pub fn units(self, sum_abs_g: f64, sum_h: f64, slack: usize) -> (f64, f64) {
        let g_bits = 64 - self.n_bits - self.h_bits;
        let unit = |sum: f64, n_bits: u32| {
            let room = 2f64.powi(n_bits as i32) - 1.0 - slack as f64;
            if sum > 0.0 { sum / room } else { 1.0 }
        };
        (unit(sum_abs_g, g_bits - 1), unit(sum_h, self.h_bits))
    }

    /// One row.
    #[inline(always)]
    pub fn pack(self, g: i64, h: u64) -> u64 {
        (g << (self.n_bits + self.h_bits)) as u64 + (h << self.n_bits) + 1
    }

    /// The parts of a sum.
    #[inline(always)]
    pub fn parts(self, sum: u64) -> Parts {
        Parts {
            g: (sum as i64) >> (self.n_bits + self.h_bits),
            h: sum >> self.n_bits & ((1 << self.h_bits) - 1),
            n: sum & ((1 << self.n_bits) - 1),
        }
    }
}

/// Adds `sums[i]` to the bins of row `rows[i]`, for all `i`; `bins` has the 16 bins of every row.
///
/// Cost: about a cycle for each row and feature, bound by stores.
///
/// # Panics
/// If a row has no bins, or lengths differ.
pub fn add_rows(bins: &[[u8; LANES]], rows: &[u32], sums: &[u64], block: &mut Block) {
    assert_eq!(rows.len(), sums.len(), "one sum a row");
    let n_ahead = rows.len().saturating_sub(AHEAD);
    for ((&row, &sum), &ahead) in rows.iter().zip(sums).zip(rows.iter().skip(AHEAD)) {
        prefetch(bins, ahead as usize);
        add_row(&bins[row as usize], sum, block);
    }
    for (&row, &sum) in rows[n_ahead..].iter().zip(&sums[n_ahead..]) {
        add_row(&bins[row as usize], sum, block);
    }
}

#[inline(always)]
fn add_row(bins: &[u8; LANES], sum: u64, block: &mut Block) {
    for (lane, &bin) in bins.iter().enumerate() {
        let cell = &mut block[usize::from(bin) * LANES + lane];
        *cell = cell.wrapping_add(sum);
    }
}

#[inline(always)]
fn prefetch(bins: &[[u8; LANES]], row: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and cannot fault; `wrapping_add` makes no claim on the
        // address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(bins.as_ptr().wrapping_add(row).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bins, row);
}

per_level! {
    /// `block -= other`.
    pub fn subtract(block: &mut Block, other: &Block) {
        for (sum, &other) in block.iter_mut().zip(other) {
            *sum = sum.wrapping_sub(other);
        }
    }
}

/// What the cuts of a node must obey.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sum of all rows of the node.
    pub total: u64,
    /// Fewest rows of a child, at least 1.
    pub min_n: u64,
    /// Least sum of second derivatives of a child, in their unit, at least 1.
    pub min_h: u64,
    /// What is added to a child's sum of second derivatives, in their unit.
    pub lambda: f64,
    /// How sums are packed.
    pub packing: Packing,
}

/// The best cut of each feature of a block: the highest `num / den`, the lowest bin of equals.
///
/// With `G`, `H` the sums of the node, `l` the left and `r` the right child, the gain is
/// `G_l^2 / (H_l + lambda) + G_r^2 / (H_r + lambda) - G^2 / (H + lambda)`. What depends on the cut
/// in it is `(H + 2 lambda) D^2 / ((H_l + lambda) (H_r + lambda))` with
/// `D = G_l - (H_l + lambda) G / (H + 2 lambda)`, which cancels no large terms and compares without
/// a division.
#[derive(Clone, Debug, PartialEq)]
pub struct BestCuts {
    /// `D^2`; 0 if no cut is allowed.
    pub num: [f64; LANES],
    /// `(H_l + lambda) (H_r + lambda)`
    pub den: [f64; LANES],
    /// Rows up to this bin go left.
    pub bin: [u64; LANES],
    /// Their sum.
    pub left: [u64; LANES],
}

impl BestCuts {
    const NONE: BestCuts =
        BestCuts { num: [0.0; LANES], den: [1.0; LANES], bin: [0; LANES], left: [0; LANES] };
}

/// What the scan of a node needs of its limits.
struct Scan {
    packing: Packing,
    min_n: u64,
    min_h: u64,
    /// Most rows of the left child, less `min_n`: both limits are one unsigned comparison.
    n_room: u64,
    /// The same of second derivatives.
    h_room: u64,
    lambda: f64,
    /// `H + 2 lambda`
    h_both: f64,
    /// `G / (H + 2 lambda)`
    mean: f64,
}

impl Scan {
    /// None if there are too few rows or too little weight for two children.
    fn of(limits: &Limits) -> Option<Scan> {
        let Limits { total, min_n, min_h, lambda, packing } = *limits;
        let node = packing.parts(total);
        let h_both = node.h as f64 + 2.0 * lambda;
        Some(Scan {
            packing,
            min_n,
            min_h,
            n_room: node.n.checked_sub(2 * min_n)?,
            h_room: node.h.checked_sub(2 * min_h)?,
            lambda,
            h_both,
            mean: node.g as f64 / h_both,
        })
    }
}

/// The best cut of each feature; the same bits at every level.
///
/// Cost: about 16 cycles a bin for all features.
pub fn best_cuts(cpu: Cpu, block: &Block, limits: &Limits) -> BestCuts {
    let Some(scan) = Scan::of(limits) else { return BestCuts::NONE };
    match cpu.0 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features.
        Level::Avx512 => unsafe { avx512::best_cuts(block, &scan) },
        _ => scan_scalar(cpu, block, &scan),
    }
}

per_level! {
    /// The definition that the other variants are tested against.
    fn scan_scalar(block: &Block, scan: &Scan) -> BestCuts {
        let BestCuts { mut num, mut den, mut bin, mut left } = BestCuts::NONE;
        let mut sums = [0u64; LANES];
        for (at, cells) in block.as_chunks::<LANES>().0.iter().enumerate() {
            for lane in 0..LANES {
                sums[lane] = sums[lane].wrapping_add(cells[lane]);
                let Parts { g, h, n } = scan.packing.parts(sums[lane]);
                let allowed = (n.wrapping_sub(scan.min_n) <= scan.n_room)
                    & (h.wrapping_sub(scan.min_h) <= scan.h_room);
                let h_left = h as i64 as f64 + scan.lambda;
                let d = (-scan.mean).mul_add(h_left, g as f64);
                let num_here = d * d;
                let den_here = h_left * (scan.h_both - h_left);
                let better = allowed & (num_here * den[lane] > num[lane] * den_here);
                num[lane] = if better { num_here } else { num[lane] };
                den[lane] = if better { den_here } else { den[lane] };
                bin[lane] = if better { at as u64 } else { bin[lane] };
                left[lane] = if better { sums[lane] } else { left[lane] };
            }
        }
        BestCuts { num, den, bin, left }
    }
}

#[cfg(test)]
mod tests;
