//! One source per kernel, compiled for several instruction sets, chosen at run time.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// What every target of the platform has (SSE2 on x86-64). Slow: each fused multiplication and addition is a call.
    Portable = 1,
    /// AVX2 with FMA: 8 floats at a time.
    Avx2 = 2,
    /// AVX-512 F and VL: 16 floats at a time.
    Avx512 = 3,
}

/// 0: not asked yet.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The instruction set in use: the best one the processor has, unless [`limit_isa`] says less.
pub fn isa() -> Isa {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => Isa::Portable,
        2 => Isa::Avx2,
        3 => Isa::Avx512,
        _ => {
            let best = detect();
            CHOSEN.store(best as u8, Ordering::Relaxed);
            best
        }
    }
}

/// Uses at most `most` from now on, in the whole process. Results do not depend on it: for tests and measurements.
pub fn limit_isa(most: Isa) {
    CHOSEN.store(detect().min(most) as u8, Ordering::Relaxed);
}

fn detect() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        let fused = is_x86_feature_detected!("fma");
        if fused && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            return Isa::Avx512;
        }
        if fused && is_x86_feature_detected!("avx2") {
            return Isa::Avx2;
        }
    }
    Isa::Portable
}

/// A kernel: a struct of its arguments. `run` and everything it calls must be `#[inline(always)]`, or it is compiled
/// for the portable instruction set only.
pub trait Job {
    /// Does it.
    fn run(self);
}

/// Runs a job with the instruction set in use.
pub fn run<J: Job>(job: J) {
    run_within(Isa::Avx512, job);
}

/// [`run`] with `most` at most, for jobs that the compiler makes slower with more.
pub fn run_within<J: Job>(most: Isa, job: J) {
    match isa().min(most) {
        // SAFETY: `isa` returns only what `detect` found on this processor, or less.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(job) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(job) },
        _ => job.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
fn avx512<J: Job>(job: J) {
    job.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<J: Job>(job: J) {
    job.run();
}

/// Asks for the cache line at `at[index]` ahead of its use; nothing happens beyond the end.
#[inline(always)]
pub(crate) fn prefetch<T>(at: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if index < at.len() {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that reads nothing; the address is inside the slice.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.as_ptr().add(index).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, index);
}
