//! Kernels of network layers. Images are stored height, width, channel (channel fastest).
//!
//! Each kernel has a scalar definition and is dispatched once per call on a [`Level`]; `ops` in
//! `nn` cuts the work into fixed chunks.

/// Compiles the body of an elementwise kernel once per level and dispatches on it. The body has no
/// fused multiply-add, so all levels give the same bits.
macro_rules! multiversion {
    ($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        pub fn $name(level: $crate::kernels::nn::Level, $($arg: $ty),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, reason = "as the kernel")]
            fn body($($arg: $ty),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            #[allow(clippy::too_many_arguments, reason = "as the kernel")]
            fn avx2($($arg: $ty),*) {
                body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            #[allow(clippy::too_many_arguments, reason = "as the kernel")]
            fn avx512($($arg: $ty),*) {
                body($($arg),*)
            }
            match level.0 {
                $crate::kernels::nn::Set::Scalar => body($($arg),*),
                // SAFETY: the level was made by `available`, which saw these features.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::nn::Set::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::nn::Set::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}

pub mod adam;
pub mod conv_direct;
pub mod elementwise;
pub mod im2col;
pub mod pool;

/// Instruction set that a kernel runs on; a value other than `Scalar` proves that the CPU has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The definition, on every CPU.
    pub const SCALAR: Level = Level(Set::Scalar);

    /// The best that this CPU has.
    pub fn detect() -> Level {
        *Level::available().last().unwrap_or(&Level::SCALAR)
    }

    /// All that this CPU has, worst first.
    pub fn available() -> Vec<Level> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "x86 only"))]
        let mut levels = vec![Level::SCALAR];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                levels.push(Level(Set::Avx2));
                let has_avx512 = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw");
                if has_avx512 {
                    levels.push(Level(Set::Avx512));
                }
            }
        }
        levels
    }
}
