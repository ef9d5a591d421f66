//! Writes a forward pass down as a module in TorchScript. tch's own way keeps weights as nameless constants; here they are
//! parameters and buffers under their names, and the inputs have names, too.
#![allow(unsafe_code)]

use crate::shim::checked;
use anyhow::{Context, Result};
use std::{
    ffi::{CString, c_char},
    path::Path,
};
use tch::Tensor;
use torch_sys::C_tensor;

/// A tensor of the net, which the module has under this name.
pub(super) struct Weight {
    pub name: String,
    pub tensor: Tensor,
    /// A parameter; the others are buffers.
    pub trained: bool,
}

/// Writes the module whose forward, given `inputs` by name and in this order, does the operations of `forward` to `path`. Every
/// tensor that the operations read is an input, one of the `weights`, or a constant; none requires a gradient.
pub(super) fn trace(
    weights: &[Weight],
    inputs: &[(&str, Tensor)],
    path: &Path,
    forward: impl FnOnce() -> Tensor,
) -> Result<()> {
    let path = CString::new(path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?)?;
    let trace = Trace::begin(weights, inputs)?;
    let result = forward();
    trace.end(&result, &path)
}

/// While it lives, what libtorch does is written down.
struct Trace(*mut RawTrace);

impl Trace {
    fn begin(weights: &[Weight], inputs: &[(&str, Tensor)]) -> Result<Self> {
        let text = |name: &str| CString::new(name).with_context(|| format!("the name {name:?}"));
        let names: Vec<CString> = weights
            .iter()
            .map(|w| w.name.as_str())
            .chain(inputs.iter().map(|i| i.0))
            .map(text)
            .collect::<Result<_>>()?;
        let (of_weights, of_inputs) = names.split_at(weights.len());
        let named = |name: &CString, tensor: &Tensor, trained| NamedTensor {
            name: name.as_ptr(),
            tensor: tensor.as_ptr().cast_mut(),
            trained,
        };
        let weights: Vec<_> =
            of_weights.iter().zip(weights).map(|(name, w)| named(name, &w.tensor, w.trained)).collect();
        let inputs: Vec<_> = of_inputs.iter().zip(inputs).map(|(name, i)| named(name, &i.1, false)).collect();
        let mut out = std::ptr::null_mut();
        // SAFETY: names and tensors live until the call returns; the shim writes one pointer, unless it returns an error.
        checked(unsafe {
            scenarec_trace_begin(weights.as_ptr(), weights.len(), inputs.as_ptr(), inputs.len(), &raw mut out)
        })?;
        Ok(Self(out))
    }

    fn end(self, result: &Tensor, path: &CString) -> Result<()> {
        let trace = std::mem::ManuallyDrop::new(self).0;
        // SAFETY: the trace has begun and not ended; the shim frees it, whatever it returns.
        checked(unsafe { scenarec_trace_end(trace, result.as_ptr().cast_mut(), path.as_ptr()) })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // SAFETY: it has begun and not ended.
        unsafe { scenarec_trace_abandon(self.0) }
    }
}

/// The shim's `Trace`.
#[repr(C)]
struct RawTrace {
    _private: [u8; 0],
}

/// The shim's `NamedTensor`.
#[repr(C)]
struct NamedTensor {
    name: *const c_char,
    tensor: *mut C_tensor,
    trained: bool,
}

unsafe extern "C" {
    fn scenarec_trace_begin(
        weights: *const NamedTensor,
        n_weights: usize,
        inputs: *const NamedTensor,
        n_inputs: usize,
        out: *mut *mut RawTrace,
    ) -> *mut c_char;
    fn scenarec_trace_end(trace: *mut RawTrace, result: *mut C_tensor, path: *const c_char) -> *mut c_char;
    fn scenarec_trace_abandon(trace: *mut RawTrace);
}
