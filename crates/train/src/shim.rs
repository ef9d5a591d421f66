//! What all of the C++ shim's functions have in common: they return null, or an error's text.
#![allow(unsafe_code)]

use anyhow::{Result, bail};
use std::ffi::{CStr, c_char};

/// The error that a function of the shim returned, if it did.
pub(crate) fn checked(error: *mut c_char) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the shim returned a text made by `strdup`, which is ours to read and to free once.
    let text = unsafe {
        let text = CStr::from_ptr(error).to_string_lossy().into_owned();
        scenarec_free(error);
        text
    };
    bail!("libtorch: {text}")
}

unsafe extern "C" {
    fn scenarec_free(text: *mut c_char);
}
