//! Compiles the shim against the same libtorch as torch-sys, and lets this crate's tests find libtorch.
#[path = "../../build/rpath.rs"]
#[allow(dead_code)]
mod rpath;

fn main() {
    rpath::main();
    println!("cargo:rerun-if-changed=shim");
    let libtorch = std::path::PathBuf::from(std::env::var("LIBTORCH").expect("checked above"));
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(libtorch.join("include"))
        .include(libtorch.join("include/torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .files(["shim/node.cpp", "shim/optimizers.cpp", "shim/trace.cpp"])
        .compile("scenarec_shim");
}
