//! Flushing denormal numbers to zero while a kernel runs.
#![allow(unsafe_code)]

/// State values below this are set to zero: 22 orders of magnitude under what Adam's `eps` hides, and far from the
/// denormal range, in which arithmetic is some twenty times slower.
pub(super) const TINY: f32 = 1e-30;

/// `x`, or zero if it is tiny.
#[inline(always)]
pub(super) fn snap(x: f32) -> f32 {
    if x.abs() < TINY { 0.0 } else { x }
}

/// While it lives, the thread's float operations take and give zero for denormal numbers.
pub(super) struct FlushDenormals {
    #[cfg(target_arch = "x86_64")]
    before: u32,
}

impl FlushDenormals {
    /// Switches flushing on; the previous setting comes back on drop, also after a panic.
    pub(super) fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            // MXCSR bits: 15 flushes results to zero (FTZ), 6 takes denormal inputs as zero (DAZ).
            let before = read();
            write(before | 1 << 15 | 1 << 6);
            Self { before }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self {}
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        write(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
fn read() -> u32 {
    let mut mxcsr = 0u32;
    // SAFETY: stores the 32-bit control register to a live, aligned variable.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut mxcsr, options(nostack, preserves_flags)) };
    mxcsr
}

#[cfg(target_arch = "x86_64")]
fn write(mxcsr: u32) {
    // SAFETY: loads a value that differs from the one read by two defined bits. The compiler assumes the default
    // float environment: what it folds or moves across this can differ only in denormal numbers, which the kernels
    // treat as zero anyway. Rounding and exception masks are unchanged.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack, preserves_flags)) };
}
