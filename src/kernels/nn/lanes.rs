//! A register of `f32` values of any width: kernels are written once, over this trait.
//!
//! [`per_lanes!`] compiles a body for every level of this machine. All levels follow one algorithm;
//! those with fused multiply-add differ from the plain one by rounding.

pub mod bf16;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use bf16::per_pairs;

/// `N` values that are computed together.
///
/// # Safety
/// Every method needs a CPU that has the register; [`per_lanes!`] calls them only there. `load` and
/// `store` need `N` values at the pointer, at any alignment.
pub unsafe trait Lanes: Copy {
    /// Values of a register.
    const N: usize;
    /// `N` times `value`.
    unsafe fn splat(value: f32) -> Self;
    /// Reads `N` values.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes `N` values.
    unsafe fn store(self, to: *mut f32);
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// `self - other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self * other`.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * factor + sum`.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// `max(self, 0)`; not-a-number stays.
    unsafe fn rectify(self) -> Self;
    /// Writes the values as `bf16`, to the nearest, ties away from zero.
    unsafe fn store_bf16(self, to: *mut u16);
    /// Writes `N` pairs of `bf16` numbers, of `self` in the low halves and of `high` in the high ones.
    unsafe fn store_pairs(self, high: Self, to: *mut u32);
}

/// A register of factors of a product: [`Lanes`], or pairs of `bf16` numbers.
///
/// # Safety
/// As of [`Lanes`]; `read` reads `Sums::N` values.
pub unsafe trait Factors: Copy {
    /// What one lane holds.
    type Value: Copy;
    /// A register of sums.
    type Sums: Lanes;
    /// `value` in every lane.
    unsafe fn fill(value: Self::Value) -> Self;
    /// Reads a register.
    unsafe fn read(from: *const Self::Value) -> Self;
    /// `sums` and the products of each lane of `self` and `other`.
    unsafe fn add_products(self, other: Self, sums: Self::Sums) -> Self::Sums;
}

// SAFETY: those of `Lanes`.
unsafe impl<V: Lanes> Factors for V {
    type Value = f32;
    type Sums = V;

    #[inline(always)]
    unsafe fn fill(value: f32) -> Self {
        // SAFETY: the trait's.
        unsafe { V::splat(value) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: the trait's.
        unsafe { V::load(from) }
    }

    #[inline(always)]
    unsafe fn add_products(self, other: Self, sums: Self) -> Self {
        // SAFETY: the trait's.
        unsafe { self.mul_add(other, sums) }
    }
}

/// Eight values that the compiler turns into what the machine has.
type Plain = [f32; 8];

// SAFETY: plain arithmetic on arrays; the pointers are the caller's.
unsafe impl Lanes for Plain {
    const N: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; 8]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: eight values lie there, as the trait asks.
        unsafe { from.cast::<Plain>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<Plain>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] - other[i])
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] * other[i])
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        std::array::from_fn(|i| self[i] * factor[i] + sum[i])
    }

    #[inline(always)]
    unsafe fn rectify(self) -> Self {
        self.map(|value| if value < 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u16) {
        let values = self.map(|value| (bf16::rounded(value) >> 16) as u16);
        // SAFETY: as in `load`.
        unsafe { to.cast::<[u16; 8]>().write_unaligned(values) }
    }

    #[inline(always)]
    unsafe fn store_pairs(self, high: Self, to: *mut u32) {
        let pairs: [u32; 8] = std::array::from_fn(|i| {
            bf16::rounded(self[i]) >> 16 | bf16::rounded(high[i]) & bf16::HIGH
        });
        // SAFETY: as in `load`.
        unsafe { to.cast::<[u32; 8]>().write_unaligned(pairs) }
    }
}

/// Compiles one unsafe body, generic over a register `V`, once per level, and dispatches on a
/// [`crate::kernels::Cpu`]. The body is an unsafe block: what it needs is said at the function.
macro_rules! per_lanes {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident<$v:ident>($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name(cpu: $crate::kernels::Cpu, $($arg: $ty),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            unsafe fn body<$v: $crate::kernels::nn::lanes::Lanes>($($arg: $ty),*) {
                // SAFETY: the caller of the outer function vouches for the arguments.
                unsafe { $body }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: as in `body`; the registers are this function's.
                unsafe { body::<std::arch::x86_64::__m256>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: as in `body`; the registers are this function's.
                unsafe { body::<std::arch::x86_64::__m512>($($arg),*) }
            }

            // SAFETY: a `Cpu` of a level is made only after its features were seen; the rest is the
            // caller's word.
            unsafe {
                match cpu.0 {
                    $crate::kernels::cpu::Level::Scalar => body::<[f32; 8]>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::cpu::Level::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::cpu::Level::Avx512 => avx512($($arg),*),
                }
            }
        }
    };
}
pub(super) use per_lanes;
