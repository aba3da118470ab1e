//! A register of `f32` values of any width: kernels are written once, over this trait.
//!
//! [`per_lanes!`] compiles a body for every level of this machine. All levels follow one algorithm;
//! those with fused multiply-add differ from the plain one by rounding.

#[cfg(target_arch = "x86_64")]
mod x86;

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
