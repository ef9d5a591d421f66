//! Which change of the sources changes which hash.
#[path = "../../../build/sources.rs"]
mod sources;

use crate::project::{Project, copy, repository};
use sources::{SOURCES, Source};
use std::{collections::BTreeMap, fs, path::Path};

type Files = BTreeMap<String, String>;

fn named(name: &str) -> &'static Source {
    SOURCES.iter().find(|s| s.name == name).unwrap()
}

fn crate_of(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
}

/// Names whose hashes differ.
fn changed(source: &Source, before: &Files, after: &Files) -> Vec<String> {
    let [before, after] = [before, after].map(|files| source.hashes(files));
    after.into_iter().filter(|(name, hash)| before.get(name) != Some(hash)).map(|(name, _)| name).collect()
}

#[test]
fn only_what_is_compiled_into_a_program_counts() {
    let source = named("train");
    let file = "//! Says what it is.\nuse a::{B, C};\n/// Doubles.\npub fn f(x: f64) -> f64 {\n    2.0 * x // twice\n}\n";
    let files = |text: &str| crate_of(&[("src/lib.rs", text), ("shim/node.cpp", "int i;")]);
    let before = files(file);
    for same in [
        file.replace("Doubles.", "Two times."),
        file.replace("// twice", "/* two times */"),
        file.replace("{\n    2.0 * x", "{ 2.0   * x"),
        format!("{file}#[cfg(test)]\nmod tests {{ fn g() {{ let a = 1; }} }}\n"),
        format!("{file}#[cfg(test)]\n#[path = \"t.rs\"]\nmod tests;\n"),
        file.replace("use a", "#[cfg(test)] const N: [u8; 2] = [1, 2];\nuse a"),
    ] {
        assert_eq!(changed(source, &before, &files(&same)), [""; 0], "{same}");
    }
    for other in [
        file.replace("2.0", "2.00001"),
        file.replace("2.0 *", "2.0 +"),
        file.replace("use a::{B, C}", "use b::{B, C}"),
        file.replace("pub fn", "#[inline] pub fn"),
        format!("#![deny(warnings)]{file}"),
        file.replace("pub fn", "#[cfg(test)] const N: u8 = 1; fn g() {} pub fn"),
        file.replace("pub fn", "#[cfg(not(test))] fn g() {} pub fn"),
        format!("{file}struct S {{ a: u8, #[cfg(test)] b: u8, c: u8 }}"),
        // No Rust: the text counts.
        format!("{file}\""),
    ] {
        assert_eq!(changed(source, &before, &files(&other)), ["train"], "{other}");
    }
    let mut shim = before.clone();
    shim.insert("shim/node.cpp".into(), "int j;".into());
    assert_eq!(changed(source, &before, &shim), ["train"]);
    let mut moved = before.clone();
    let text = moved.remove("shim/node.cpp").unwrap();
    moved.insert("shim/knot.cpp".into(), text);
    assert_eq!(changed(source, &before, &moved), ["train"]);
}

#[test]
fn a_module_counts_for_itself_and_for_those_that_name_it() {
    let source = named("backbones");
    let root = "mod base;\nmod deep;\nmod wide;\nmod alone;\nuse x::Y;\npub use base::Base;\npub use alone::Alone;\n\
                pub const MODELS: &[Y] = &[deep::E, wide::E, alone::E];\nfn build() -> Y { Y }\n";
    let before = crate_of(&[
        ("build.rs", "fn main() {}"),
        ("src/lib.rs", root),
        ("src/base.rs", "pub struct Base;"),
        ("src/deep.rs", "use crate::Base; mod part; pub const E: u8 = 1;"),
        ("src/deep/part.rs", "pub const P: u8 = 1;"),
        ("src/wide.rs", "use crate::deep; pub const E: u8 = 2;"),
        ("src/alone.rs", "pub struct Alone; pub const E: u8 = 3;"),
    ]);
    let with = |path: &str, from: &str, to: &str| {
        let mut files = before.clone();
        let text = files.get_mut(path).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        files
    };
    let all = ["backbones/alone", "backbones/base", "backbones/deep", "backbones/wide"];
    for (after, wanted) in [
        (with("src/alone.rs", "3", "4"), &all[..1]),
        (with("src/base.rs", "Base", "Base(u8)"), &all[1..]),
        (with("src/deep/part.rs", "1", "2"), &all[2..]),
        (with("src/deep.rs", "1", "2"), &all[2..]),
        (with("src/wide.rs", "2", "3"), &all[3..]),
        (with("src/lib.rs", "use x", "use z"), &all[..]),
        (with("src/lib.rs", "Y { Y }", "Y { base::Base }"), &all[..]),
        (with("build.rs", "{}", "{ f() }"), &all[..]),
        (with("src/lib.rs", "deep::E, wide::E", "wide::E, deep::E"), &[]),
    ] {
        assert_eq!(changed(source, &before, &after), wanted);
    }
    // A new model is its own matter.
    let mut more = with("src/lib.rs", "mod wide;", "mod wide;\nmod new;");
    let root = more.get_mut("src/lib.rs").unwrap();
    *root = root
        .replace("alone::E]", "alone::E, new::E]")
        .replace("pub use base", "pub use new::New;\npub use base");
    more.insert("src/new.rs".into(), "pub struct New(crate::Base);".into());
    assert_eq!(changed(source, &before, &more), ["backbones/new"]);
}

fn read(source: &Source, crates: &Path) -> Files {
    let root = crates.join(source.folder);
    let below = |file: &Path| file.strip_prefix(&root).unwrap().to_str().unwrap().to_string();
    source.files(crates).0.iter().map(|file| (below(file), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn a_new_model_leaves_the_others_runs() {
    let project = Project::new();
    for folder in ["crates/backbones/src", "golden"] {
        fs::create_dir_all(project.path(folder)).unwrap();
        copy(&repository().join(folder), &project.path(folder));
    }
    let (source, crates) = (named("backbones"), project.path("crates"));
    let before = read(source, &crates);
    project.ok(&["new", "model", "two_towers"]);
    assert_eq!(changed(source, &before, &read(source, &crates)), ["backbones/two_towers"]);
}

/// What is left out is there, and else nothing is.
#[test]
fn what_is_left_out_exists() {
    let crates = repository().join("crates");
    for source in SOURCES {
        let root = crates.join(source.folder);
        assert!(source.left_out.iter().all(|path| root.join(path).exists()), "{}", source.name);
        let files = read(source, &crates);
        assert!(
            !files.is_empty() && files.keys().all(|f| !f.contains("tests")),
            "{}: {files:?}",
            source.name
        );
    }
    let files = read(named("train"), &crates);
    assert!(files.contains_key("shim/node.cpp") && files.contains_key("src/fit.rs"), "{:?}", files.keys());
    assert!(!files.keys().any(|f| f.contains("serving") || f.ends_with("testing.rs")), "{:?}", files.keys());
}
