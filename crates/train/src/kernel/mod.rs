//! Kernels in Rust: loops over plain numbers, compiled for the processor's best instruction set, as nodes of autograd's graph. For what
//! libtorch's operations do in many small steps.
//!
//! `nn::attention` and CSDM's reverse pass are written so. A [`Kernel`] has loops forward and back; they run as [`Job`]s, of which everything is inlined.
mod functions;
mod isa;
mod node;

pub use functions::{exp, tanh};
pub(crate) use isa::prefetch;
pub use isa::{Isa, Job, isa, limit_isa, run};
pub use node::{Kernel, View, node};

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
