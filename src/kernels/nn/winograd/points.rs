//! The transforms along one side, `F(4, 3)` with the points 0, 1, -1, 2, -2 and infinity.
//!
//! ```text
//! B^T = 4  0 -5  0  1  0    G = 1/4    0    0     A^T = 1  1  1  1  1  0
//!       0 -4 -4  1  1  0       -1/6 -1/6 -1/6           0  1 -1  2 -2  0
//!       0  4 -4 -1  1  0       -1/6  1/6 -1/6           0  1  1  4  4  0
//!       0 -2 -1  2  1  0       1/24 1/12  1/6           0  1 -1  8 -8  1
//!       0  2 -1 -2  1  0       1/24 -1/12 1/6
//!       0  4  0 -5  0  1         0    0    1
//! ```
//!
//! Each function is one of these matrices, or its transpose, times a vector of registers.
//!
//! # Safety
//! The CPU has the register `V`.

use super::super::lanes::Lanes;

/// `B^T d`: six image values to six points.
#[inline(always)]
pub unsafe fn image_to_points<V: Lanes>(d: [V; 6]) -> [V; 6] {
    // SAFETY: the module's.
    unsafe {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(5.0));
        let (even, odd) = (d[4].sub(four.mul(d[2])), d[3].sub(four.mul(d[1])));
        let (far_even, far_odd) = (d[4].sub(d[2]), two.mul(d[3].sub(d[1])));
        [
            four.mul_add(d[0], d[4].sub(five.mul(d[2]))),
            even.add(odd),
            even.sub(odd),
            far_even.add(far_odd),
            far_even.sub(far_odd),
            four.mul_add(d[1], d[5].sub(five.mul(d[3]))),
        ]
    }
}

/// `B v`: gradients of six points to those of six image values.
#[inline(always)]
pub unsafe fn points_to_image<V: Lanes>(v: [V; 6]) -> [V; 6] {
    // SAFETY: the module's.
    unsafe {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(5.0));
        let zero = V::splat(0.0);
        let (near_sum, near_difference) = (v[1].add(v[2]), v[2].sub(v[1]));
        let (far_sum, far_difference) = (v[3].add(v[4]), v[4].sub(v[3]));
        [
            four.mul(v[0]),
            four.mul_add(near_difference.add(v[5]), two.mul(far_difference)),
            zero.sub(five.mul_add(v[0], four.mul_add(near_sum, far_sum))),
            zero.sub(two.mul_add(far_difference, five.mul_add(v[5], near_difference))),
            v[0].add(near_sum).add(far_sum),
            v[5],
        ]
    }
}

/// `A^T m`: six points to four outputs.
#[inline(always)]
pub unsafe fn points_to_outputs<V: Lanes>(m: [V; 6]) -> [V; 4] {
    // SAFETY: the module's.
    unsafe {
        let (near_sum, near_difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (far_sum, far_difference) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(near_sum).add(far_sum),
            V::splat(2.0).mul_add(far_difference, near_difference),
            V::splat(4.0).mul_add(far_sum, near_sum),
            V::splat(8.0).mul_add(far_difference, near_difference).add(m[5]),
        ]
    }
}

/// `A y`: gradients of four outputs to those of six points.
#[inline(always)]
pub unsafe fn outputs_to_points<V: Lanes>(y: [V; 4]) -> [V; 6] {
    // SAFETY: the module's.
    unsafe {
        let (even, odd) = (y[0].add(y[2]), y[1].add(y[3]));
        let far_even = V::splat(4.0).mul_add(y[2], y[0]);
        let far_odd = V::splat(8.0).mul_add(y[3], V::splat(2.0).mul(y[1]));
        [y[0], even.add(odd), even.sub(odd), far_even.add(far_odd), far_even.sub(far_odd), y[3]]
    }
}

/// `G g`: three kernel values to six points.
#[inline(always)]
pub unsafe fn kernel_to_points<V: Lanes>(g: [V; 3]) -> [V; 6] {
    // SAFETY: the module's.
    unsafe {
        let outer = g[0].add(g[2]);
        let near = V::splat(-1.0 / 6.0);
        let far_even = V::splat(1.0 / 24.0).mul(V::splat(4.0).mul_add(g[2], g[0]));
        let far_odd = V::splat(1.0 / 12.0).mul(g[1]);
        [
            V::splat(0.25).mul(g[0]),
            near.mul(outer.add(g[1])),
            near.mul(outer.sub(g[1])),
            far_even.add(far_odd),
            far_even.sub(far_odd),
            g[2],
        ]
    }
}

/// `G^T u`: gradients of six points to those of three kernel values.
#[inline(always)]
pub unsafe fn points_to_kernel<V: Lanes>(u: [V; 6]) -> [V; 3] {
    // SAFETY: the module's.
    unsafe {
        let (near_sum, near_difference) = (u[1].add(u[2]), u[2].sub(u[1]));
        let (far_sum, far_difference) = (u[3].add(u[4]), u[3].sub(u[4]));
        let sixth = V::splat(1.0 / 6.0);
        let far = V::splat(1.0 / 24.0).mul(far_sum);
        [
            V::splat(0.25).mul_add(u[0], far.sub(sixth.mul(near_sum))),
            sixth.mul_add(near_difference, V::splat(1.0 / 12.0).mul(far_difference)),
            sixth.mul_add(far_sum.sub(near_sum), u[5]),
        ]
    }
}
