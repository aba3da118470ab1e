//! All unsafe and SIMD code: scalar definitions, one variant per instruction level, chosen at run
//! time.
#![expect(unsafe_code, reason = "the one room for SIMD; every block names why it is sound")]

pub mod bytes;
pub mod cos;
mod cpu;
pub mod exp;
pub mod floats;
pub mod gemm;
pub mod gemv;
pub mod histogram;
pub mod manhattan;
pub mod nearest;
pub mod nn;
pub mod occupied;
pub mod smo;
pub mod weights;

pub use cpu::Cpu;

/// Instruction sets of this CPU that the kernels know, for provenance.
pub fn instruction_sets() -> Vec<&'static str> {
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! note {
            ($($feature:tt),*) => {
                $(if is_x86_feature_detected!($feature) { found.push($feature); })*
            };
        }
        note!("avx2", "fma", "avx512f", "avx512vnni", "avx512bf16");
    }
    #[cfg(target_arch = "aarch64")]
    found.push("neon");
    found
}
