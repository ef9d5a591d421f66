//! Hashes the sources that numbers come from, so that a run's id changes when they do; and what every crate that links libtorch
//! needs.
use std::{collections::BTreeMap, fs, path::Path};

#[path = "../../build/rpath.rs"]
mod rpath;

#[path = "../../build/sources.rs"]
mod sources;

fn main() {
    rpath::main();
    println!("cargo:rerun-if-changed=build.rs");
    for part in ["rpath.rs", "sources.rs"] {
        println!("cargo:rerun-if-changed=../../build/{part}");
    }
    println!("cargo:rustc-env=SCENAREC_RUSTC={}", rustc_version());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in crates/");
    let lock = crates.parent().expect("crates/ lies in the project").join("Cargo.lock");
    let mut hashes: BTreeMap<String, String> = [("dependencies".to_string(), dependencies(&lock))].into();
    for source in sources::SOURCES {
        let (files, folders) = source.files(crates);
        // Cargo looks at every folder's own time stamp and at every file's.
        for path in files.iter().chain(&folders) {
            println!("cargo:rerun-if-changed={}", path.display());
        }
        let root = crates.join(source.folder);
        let texts = files.iter().map(|file| {
            let text =
                fs::read_to_string(file).unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()));
            (file.strip_prefix(&root).expect("found below it").to_string_lossy().into_owned(), text)
        });
        hashes.extend(source.hashes(&texts.collect()));
    }
    let hashes: Vec<String> = hashes.iter().map(|(name, hash)| format!("{name}={hash}")).collect();
    println!("cargo:rustc-env=SCENAREC_SOURCES={}", hashes.join(" "));
}

/// Libraries whose version a number can depend on: random streams, and libtorch's arithmetic.
const LIBRARIES: &[&str] = &["rand", "rand_core", "rand_distr", "rand_xoshiro", "tch", "torch-sys"];

/// Hash of the locked versions of [`LIBRARIES`].
fn dependencies(lock: &Path) -> String {
    println!("cargo:rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(lock).unwrap_or_else(|e| panic!("cannot read {}: {e}", lock.display()));
    let mut hash = blake3::Hasher::new();
    for package in text.split("[[package]]") {
        let value = |key: &str| package.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default();
        let name = value("name = ").trim_matches('"');
        if LIBRARIES.contains(&name) {
            hash.update(format!("{name} {}\n", value("version = ")).as_bytes());
        }
    }
    hash.finalize().to_hex()[..16].to_string()
}

/// `rustc --version` of the compiler that builds this.
fn rustc_version() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    match std::process::Command::new(rustc).arg("--version").output() {
        Ok(out) => String::from_utf8_lossy(&out.stdout).trim().to_string(),
        Err(_) => "unknown".into(),
    }
}
