//! Kernels in Rust: loops over plain numbers, compiled for the processor's best instruction set, as nodes of autograd's graph. For what
//! libtorch's operations do in many small steps.
//!
//! `nn::attention`, `nn::pairs` and CSDM's reverse pass are written so. A [`Kernel`] has loops forward and back; they run as [`Job`]s, of which
//! everything is inlined. A sum of products is made with `mul_add`, which is rounded once on every instruction set.
mod functions;
mod isa;
mod node;
mod threads;

pub use functions::{exp, tanh};
pub(crate) use isa::prefetch;
pub use isa::{Isa, Job, isa, limit_isa, run, run_within};
pub use node::{Kernel, View, node};
pub use threads::in_threads;

/// `body` for a width that is known to the compiler, one of the list: loops over it have no end to check.
///
/// # Panics
/// Where the width is none of the list.
#[macro_export]
macro_rules! with_width {
    ([$($n:literal),+], $width:expr, $w:ident => $body:expr) => {
        match $width {
            $($n => {
                const $w: usize = $n;
                $body
            })+
            other => unreachable!("a kernel was given the width {other}"),
        }
    };
}
