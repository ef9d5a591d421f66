//! Hashes the sources of every crate of the workspace, so that a run's id changes when the code that makes its
//! numbers does; and what every crate that links libtorch needs.
use std::{
    fs,
    path::{Path, PathBuf},
};

#[path = "../../build/rpath.rs"]
mod rpath;

/// Exported name and what is hashed, relative to `crates/`.
const SOURCES: &[(&str, &[&str])] = &[
    ("DATA", &["data"]),
    ("TRAIN", &["train"]),
    ("BACKBONES", &["backbones"]),
    ("CONTRASTIVE", &["contrastive"]),
    ("BASELINES", &["baselines"]),
    ("DIFFUSION", &["diffusion"]),
    ("RECIPES", &["experiments/src/recipes"]),
];

/// Folders of a crate that cannot change a number.
const LEFT_OUT: &[&str] = &["tests", "golden", "benches", "examples", "fixtures"];

fn main() {
    rpath::main();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../build/rpath.rs");
    println!("cargo:rustc-env=SCENAREC_RUSTC={}", rustc_version());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in crates/");
    let lock = crates.parent().expect("crates/ lies in the project").join("Cargo.lock");
    println!("cargo:rustc-env=SCENAREC_SOURCE_DEPENDENCIES={}", dependencies(&lock));
    for (name, folders) in SOURCES {
        let mut files = Vec::new();
        for folder in *folders {
            collect(&crates.join(folder), &mut files);
        }
        files.sort();
        let mut hash = blake3::Hasher::new();
        for file in files {
            let text = fs::read(&file).unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()));
            let relative = file.strip_prefix(crates).expect("collected below crates/");
            hash.update(relative.to_string_lossy().as_bytes());
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(&text);
        }
        println!("cargo:rustc-env=SCENAREC_SOURCE_{name}={}", &hash.finalize().to_hex()[..16]);
    }
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

/// Rust and C++ files below `folder`. Cargo looks at every folder's own time stamp and at every file's.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|l| name == *l) {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|e| ["rs", "cpp", "cc", "h", "hpp"].iter().any(|k| e == *k)) {
            println!("cargo:rerun-if-changed={}", path.display());
            files.push(path);
        }
    }
}

/// `rustc --version` of the compiler that builds this.
fn rustc_version() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    match std::process::Command::new(rustc).arg("--version").output() {
        Ok(out) => String::from_utf8_lossy(&out.stdout).trim().to_string(),
        Err(_) => "unknown".into(),
    }
}
