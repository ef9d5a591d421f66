//! A project of its own for every test.
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of the repository's `configs`, without data.
pub struct Project(TempDir);

impl Project {
    pub fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        copy(&repository().join("configs"), &project.path("configs"));
        project
    }

    /// With a table `small` that runs in seconds.
    pub fn with_small_table() -> Self {
        let project = Self::new();
        let text = fs::read_to_string(project.path("configs/tables/csdm-table1-100k.yaml")).unwrap();
        let small = replace(&text, "table: csdm-table1-100k", "table: small");
        let small = replace(&small, "rows: 20000", "rows: 4000");
        let small = replace(&small, "threshold: 40, k: 4", "threshold: 30, k: 2");
        let small = replace(&small, "quick:\n  seeds: 1", "quick:\n  seeds: 2");
        let small =
            replace(&small, "kind: bars, x: phase, series: method", "kind: lines, x: phase, series: method");
        project.write("configs/tables/small.yaml", &small);
        project
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// Replaces `from`, which must be there, in a file.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        self.write(file, &replace(&self.read(file), from, to));
    }

    /// A command in the project's folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenarec"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    /// The command's output; it must end well.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let out = self.command(arguments).output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}\n{}", out.status, text(&out.stderr));
        text(&out.stdout)
    }

    /// Waits for the end of workers: they die with the process that started them, a moment later.
    pub fn wait_for_workers(&self) {
        for lock in fs::read_dir(self.path("runs/.locks")).into_iter().flatten().flatten() {
            File::open(lock.path()).unwrap().lock().unwrap();
        }
    }

    /// The command's error; it must fail with status 2.
    pub fn error(&self, arguments: &[&str]) -> String {
        let Output { status, stderr, .. } = self.command(arguments).output().unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}: {}", text(&stderr));
        text(&stderr)
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Replaces `from`, which must be there.
pub fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    text.replace(from, to)
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
