//! Large zeroed arrays, aligned to cache lines, whose pages come into being when first touched.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};

const LINE: usize = 64;
const HUGE: usize = 2 << 20;

/// Types for which all-zero bytes are a value and that need no drop.
///
/// # Safety
/// Both must hold.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: zero bytes are 0.0.
unsafe impl Plain for f32 {}
// SAFETY: zero bytes are 0.
unsafe impl Plain for u32 {}

/// A fixed-length array `[T]`, zero at first.
pub(super) struct Pages<T: Plain> {
    /// What the allocator returned, and for what.
    base: *mut u8,
    layout: Layout,
    /// The aligned start inside it.
    start: *mut T,
    len: usize,
}

// SAFETY: owns its memory, and `T: Copy` values hold no thread-bound resource.
unsafe impl<T: Plain + Send> Send for Pages<T> {}
// SAFETY: shared references only read.
unsafe impl<T: Plain + Sync> Sync for Pages<T> {}

impl<T: Plain> Pages<T> {
    /// `len` zeros. Costs no memory traffic for large arrays: the system hands out zeroed pages on first touch.
    pub(super) fn zeroed(len: usize) -> Self {
        let bytes = len.checked_mul(size_of::<T>()).expect("table size fits the address space");
        // Rust's allocator clears memory by hand where the alignment exceeds malloc's own (16 bytes), which would
        // touch every page. So ask for 16 and align inside a slightly larger block.
        let align = if bytes >= HUGE { HUGE } else { LINE };
        let layout = Layout::from_size_align(bytes + align, 16).expect("table size fits the address space");
        // SAFETY: the layout's size is not zero.
        let base = unsafe { alloc_zeroed(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        let skip = base.align_offset(align);
        assert!(skip <= align);
        // SAFETY: `skip <= align`, and the block is `align` bytes longer than the array.
        let start = unsafe { base.add(skip) };
        if align == HUGE {
            ask_for_huge_pages(start, bytes);
        }
        Self { base, layout, start: start.cast(), len }
    }

    /// All zeros again.
    pub(super) fn clear(&mut self) {
        // A new array is faster than clearing a large one, and gives its pages back.
        *self = Self::zeroed(self.len);
    }
}

impl<T: Plain> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this layout; `T` needs no drop.
        unsafe { dealloc(self.base, self.layout) };
    }
}

impl<T: Plain> Deref for Pages<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `start` is aligned, the block holds `len` values, and all were initialised with zeros (`Plain`).
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T: Plain> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `&mut self` makes it the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

/// Rows are read at random: with 4 kB pages nearly every read of a large table also misses the address cache, and the
/// first touches fault one by one.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(start: *mut u8, bytes: usize) {
    unsafe extern "C" {
        fn madvise(addr: *mut std::ffi::c_void, length: usize, advice: std::ffi::c_int) -> std::ffi::c_int;
    }
    const MADV_HUGEPAGE: std::ffi::c_int = 14;
    // SAFETY: `start` is page-aligned and the range lies inside our block; the advice changes no contents. Kernels
    // without transparent huge pages return an error, which changes nothing.
    unsafe { madvise(start.cast(), bytes / HUGE * HUGE, MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: *mut u8, _: usize) {}

/// What a table notes about each row; side by side, because a look-up needs both.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Mark {
    /// The step that the row was last brought up to date in; 0: before the first.
    pub last: u32,
    /// Where this step's gradients of the row are summed, if that place agrees.
    pub slot: u32,
}

// SAFETY: two integers, for which zero bytes are 0.
unsafe impl Plain for Mark {}
