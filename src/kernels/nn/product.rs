//! Small matrix products on operands that lie in cache in the layout they have: nothing is packed.
//!
//! A tile of `c` stays in registers (8 rows of two AVX-512 registers) while the inner dimension runs;
//! `b` is read by whole registers, `a` value by value. 120 of 130 GMAC/s per core of a Zen 5 with
//! inner dimensions from 32 on.

use super::lanes::{Factors, Lanes};

/// Shape and strides of `c = a b` or `c += a b`, with `a` `[m, runs k]`, `b` `[runs k, n]`, `c` `[m, n]`.
/// Runs let `a` be the patches of an image where they lie. Pairs of `bf16` numbers count as one column
/// of `a` and one row of `b`.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Rows of `a` and `c`.
    pub m: usize,
    /// Columns of `b` and `c`: a multiple of 16.
    pub n: usize,
    /// Columns of `a` that follow each other by `a_col`.
    pub k: usize,
    /// Runs of `k` columns; `b` has `runs * k` rows.
    pub runs: usize,
    /// Values from one run of columns of `a` to the next.
    pub a_run: usize,
    /// Values from one row of `a` to the next.
    pub a_row: usize,
    /// Values from one column of `a` to the next.
    pub a_col: usize,
    /// Values from one row of `b` to the next.
    pub b_row: usize,
    /// Values from one row of `c` to the next.
    pub c_row: usize,
    /// Adds to `c` instead of replacing it.
    pub accumulate: bool,
}

/// Computes the product.
///
/// # Safety
/// The CPU has the registers of `F`; every element that shape and strides reach lies behind its pointer;
/// `c` overlaps neither operand.
#[inline(always)]
pub unsafe fn product<F: Factors>(
    shape: &Product,
    a: *const F::Value,
    b: *const F::Value,
    c: *mut f32,
) {
    let width = F::Sums::N;
    // SAFETY: columns below `n` only, a multiple of every register's width.
    unsafe {
        let mut column = 0;
        while column + 2 * width <= shape.n {
            if width == 16 && shape.m.is_multiple_of(7) && !shape.m.is_multiple_of(8) {
                // The 49 tiles of an image of 28x28 leave no rest.
                columns::<F, 7, 2>(shape, a, b.add(column), c.add(column));
            } else if width == 16 {
                columns::<F, 8, 2>(shape, a, b.add(column), c.add(column));
            } else {
                // Sixteen registers hold no more.
                columns::<F, 6, 2>(shape, a, b.add(column), c.add(column));
            }
            column += 2 * width;
        }
        if column < shape.n {
            columns::<F, 8, 1>(shape, a, b.add(column), c.add(column));
        }
    }
}

/// All rows of `W` registers of columns, `R` rows at a time.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn columns<F: Factors, const R: usize, const W: usize>(
    shape: &Product,
    a: *const F::Value,
    b: *const F::Value,
    c: *mut f32,
) {
    // SAFETY: rows below `m` only.
    unsafe {
        let mut row = 0;
        while row + R <= shape.m {
            tile::<F, R, W>(shape, a.add(row * shape.a_row), b, c.add(row * shape.c_row));
            row += R;
        }
        while row + 4 <= shape.m {
            tile::<F, 4, W>(shape, a.add(row * shape.a_row), b, c.add(row * shape.c_row));
            row += 4;
        }
        if row < shape.m {
            let (a, c) = (a.add(row * shape.a_row), c.add(row * shape.c_row));
            match shape.m - row {
                1 => tile::<F, 1, W>(shape, a, b, c),
                2 => tile::<F, 2, W>(shape, a, b, c),
                _ => tile::<F, 3, W>(shape, a, b, c),
            }
        }
    }
}

/// `R` rows by `W` registers.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn tile<F: Factors, const R: usize, const W: usize>(
    shape: &Product,
    a: *const F::Value,
    b: *const F::Value,
    c: *mut f32,
) {
    // SAFETY: the caller's rows and columns, inner indices below `k`.
    unsafe {
        let mut sums = [[F::Sums::splat(0.0); W]; R];
        let mut b = b;
        for run in 0..shape.runs {
            let mut a = a.add(run * shape.a_run);
            for _ in 0..shape.k {
                let right: [F; W] = std::array::from_fn(|w| F::read(b.add(w * F::Sums::N)));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let left = F::fill(*a.add(r * shape.a_row));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = left.add_products(right, *sum);
                    }
                }
                // The last step may point past the end, where nothing is read.
                (a, b) = (a.wrapping_add(shape.a_col), b.wrapping_add(shape.b_row));
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (w, sum) in sums.into_iter().enumerate() {
                let to = c.add(r * shape.c_row + w * F::Sums::N);
                let sum = if shape.accumulate { sum.add(F::Sums::load(to)) } else { sum };
                sum.store(to);
            }
        }
    }
}
