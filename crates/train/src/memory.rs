//! The memory of CPU tensors: reading and writing it in place, and keeping it from step to step.
#![allow(unsafe_code)]
use std::sync::Once;
use tch::{Device, Kind, Tensor};

/// Has malloc keep what is freed, in the heap of the process. Every step takes tensors of the same sizes again. By default
/// glibc gives large ones back to the kernel in between, which clears every page anew: up to two fifths of a run.
///
/// Not for the time of loading data, whose growing arrays are moved most cheaply as glibc does it by default.
pub(crate) fn keep_freed() {
    static ONCE: Once = Once::new();
    // SAFETY: sets two numbers of malloc's, which may happen at any time; if it refuses them, they stay as they are.
    ONCE.call_once(|| unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    });
}

/// Calls `f` with the values of a contiguous f32 tensor on the CPU.
pub(crate) fn with_slice_mut<R>(t: &Tensor, f: impl FnOnce(&mut [f32]) -> R) -> R {
    assert!(t.device() == Device::Cpu && t.kind() == Kind::Float && t.is_contiguous());
    if t.numel() == 0 {
        // It may have no address.
        return f(&mut []);
    }
    // SAFETY: a contiguous f32 tensor on the CPU owns `numel` floats from its data pointer on; nothing else reads or
    // writes them while `f` runs, since tensors are not shared between threads.
    f(unsafe { std::slice::from_raw_parts_mut(t.data_ptr().cast::<f32>(), t.numel()) })
}

/// Calls `f` with the values of an f32 matrix on the CPU whose rows are contiguous, and the distance between rows.
/// A matrix of another layout is copied first.
pub(crate) fn with_rows<R>(t: &Tensor, f: impl FnOnce(&[f32], usize) -> R) -> R {
    assert!(t.device() == Device::Cpu && t.kind() == Kind::Float && t.dim() == 2);
    let (rows, columns) = t.size2().expect("a matrix");
    let strides = t.stride();
    if rows == 0 || columns == 0 {
        return f(&[], columns as usize);
    }
    if strides[1] != 1 && columns > 1 || strides[0] < columns && rows > 1 {
        return with_rows(&t.contiguous(), f);
    }
    let stride = if rows > 1 { strides[0] } else { columns } as usize;
    let len = (rows as usize - 1) * stride + columns as usize;
    // SAFETY: the last element of the matrix lies `len - 1` floats behind its data pointer.
    f(unsafe { std::slice::from_raw_parts(t.data_ptr().cast::<f32>(), len) }, stride)
}

/// The values of an f32 tensor in row-major order.
pub fn to_vec(t: &Tensor) -> Vec<f32> {
    let t = t.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    with_slice_mut(&t, |values| values.to_vec())
}
