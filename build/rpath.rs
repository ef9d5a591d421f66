//! Build script shared by every crate that links libtorch: binaries and tests find it without `LD_LIBRARY_PATH`.
use std::{env, path::PathBuf};

/// Emits the rpath; called by build scripts that do more.
pub fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let libtorch =
        PathBuf::from(env::var("LIBTORCH").expect("LIBTORCH is not set: run `scripts/just setup`"));
    let lib = libtorch
        .join("lib")
        .canonicalize()
        .unwrap_or_else(|e| panic!("no libtorch in {} ({e}): run `scripts/just setup`", libtorch.display()));
    println!("cargo:rerun-if-changed={}", libtorch.join("build-version").display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}
