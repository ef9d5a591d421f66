//! `new model`: a copy under another name, in every place that knows a model.
mod rustc;

use crate::project::{Project, copy, repository, text};
use rustc::{Libraries, tool};
use std::{fs, process::Command};

/// What a new model is made of, as in the repository.
fn checkout() -> Project {
    let project = Project::new();
    for folder in ["crates/backbones/src", "golden"] {
        fs::create_dir_all(project.path(folder)).unwrap();
        copy(&repository().join(folder), &project.path(folder));
    }
    project
}

#[test]
fn a_model_is_copied_into_every_place() {
    for (like, camel, cases) in [("wide_deep", "WideDeep", 2), ("shared_bottom", "SharedBottom", 1)] {
        let project = checkout();
        let said = project.ok(&["new", "model", "two_towers", "--like", like]);
        assert!(said.contains("new      crates/backbones/src/two_towers.rs"), "{said}");
        let model = project.read("crates/backbones/src/two_towers.rs");
        let original = project.read(&format!("crates/backbones/src/{like}.rs"));
        assert_eq!(model.lines().count(), original.lines().count());
        assert!(model.contains("\"two_towers\",") && model.contains("pub struct TwoTowers"), "{model}");
        assert!(!model.contains(camel) && !model.contains(like), "{model}");
        let registry = project.read("crates/backbones/src/lib.rs");
        for line in ["mod two_towers;", "    two_towers::ENTRY,"] {
            assert_eq!(registry.lines().filter(|l| *l == line).count(), 1, "{line}");
        }
        let uses: Vec<&str> = registry.lines().filter(|l| l.starts_with("pub use ")).collect();
        assert!(
            uses.is_sorted() && uses.iter().any(|l| l.contains("TwoTowers")),
            "as the formatter has it: {uses:?}"
        );
        let config = project.read("configs/models/two-towers.yaml");
        assert!(config.contains("model: two_towers\nreported_as: Two Towers\n"), "{config}");
        assert!(project.read("golden/gen/two_towers.py").contains("two"), "the reference");
        let golden = fs::read_dir(project.path("golden")).unwrap().map(|e| e.unwrap().file_name());
        let own: Vec<_> = golden.filter(|name| name.to_string_lossy().starts_with("two-towers")).collect();
        assert_eq!(own.len(), cases, "{own:?}");
        assert!(project.read("golden/two-towers/config.yaml").contains("name: two_towers"));

        let again = project.error(&["new", "model", "two_towers", "--like", like]);
        assert!(again.contains("two_towers.rs exists: the name \"two_towers\" is taken"), "{again}");
    }
    let project = checkout();
    for bad in ["TwoTowers", "2towers", "two__towers", "../two", ""] {
        let error = project.error(&["new", "model", bad]);
        assert!(error.contains("is no name of a model"), "{bad}: {error}");
    }
    let elsewhere = Project::new().error(&["new", "model", "two_towers"]);
    assert!(elsewhere.contains("is no checkout of the workspace"), "{elsewhere}");
}

/// The copies compile without a warning, are formatted, and are the models that they are copies of; so they pass what those pass: the
/// contract names none of them, and the golden cases are the same numbers.
#[test]
fn copies_compile_and_are_the_same_models() {
    let project = checkout();
    let pairs = [("wide_deep", "two_towers"), ("shared_bottom", "a_bottom_with_heads")];
    for (like, name) in pairs {
        project.ok(&["new", "model", name, "--like", like]);
    }
    let root = project.path("crates/backbones/src/lib.rs");
    let format = tool("rustfmt")
        .args(["--check", "--edition", "2024", "--config-path"])
        .arg(repository().join("rustfmt.toml"))
        .arg(&root)
        .output()
        .unwrap();
    assert!(format.status.success(), "{}{}", text(&format.stdout), text(&format.stderr));

    let (mut libraries, out) = (Libraries::of_the_workspace(), project.path("compiled"));
    fs::create_dir(&out).unwrap();
    libraries.add_backbones(&root, &out);
    let program = repository().join("crates/experiments/tests/scaffold/copies.rs");
    libraries.compile("copies", "bin", &program, &out);
    let names = pairs.iter().flat_map(|(like, name)| [like.replace('_', "-"), name.replace('_', "-")]);
    let run =
        Command::new(out.join("copies")).arg(project.path("configs/models")).args(names).output().unwrap();
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert_eq!(text(&run.stdout).lines().count(), pairs.len(), "{}", text(&run.stdout));

    for (like, name) in pairs {
        let [theirs, own] = [like, name].map(|name| project.path("golden").join(name.replace('_', "-")));
        for file in ["args", "batch.safetensors", "expected.safetensors", "weights.safetensors"] {
            assert_eq!(fs::read(theirs.join(file)).unwrap(), fs::read(own.join(file)).unwrap(), "{file}");
        }
    }
}
