//! Which vector instructions this machine has, found once.

use std::sync::OnceLock;

/// Instruction level that a kernel may use. Made only by [`Cpu::detect`] and [`Cpu::all`], so that
/// a value proves that the machine has the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu(pub(super) Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Cpu {
    /// The definition, on every machine.
    pub const SCALAR: Cpu = Cpu(Level::Scalar);

    /// The best level of this machine.
    pub fn detect() -> Cpu {
        static BEST: OnceLock<Cpu> = OnceLock::new();
        *BEST.get_or_init(|| *Cpu::all().last().unwrap_or(&Cpu::SCALAR))
    }

    /// Every level that this machine can run, slowest first. AVX-512 counts with VNNI only; CPUs
    /// that have it without (before 2019) run at AVX2.
    pub fn all() -> Vec<Cpu> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "one level"))]
        let mut levels = vec![Cpu::SCALAR];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Cpu(Level::Avx2));
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                levels.push(Cpu(Level::Avx512));
            }
        }
        levels
    }
}

/// Compiles one safe body once per level; the compiler vectorises each. The body must not depend
/// on the level, so all variants give the same bits.
macro_rules! per_level {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(cpu: $crate::kernels::Cpu, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            #[allow(clippy::too_many_arguments)]
            fn avx512($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }

            match cpu.0 {
                $crate::kernels::cpu::Level::Scalar => body($($arg),*),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Cpu` of this level is made only after its features were seen.
                $crate::kernels::cpu::Level::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Cpu` of this level is made only after its features were seen.
                $crate::kernels::cpu::Level::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}
pub(super) use per_level;
