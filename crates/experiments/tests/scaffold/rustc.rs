//! A copy of the backbones crate compiled against what cargo has compiled for the workspace. A copy of the workspace would compile
//! everything again, for minutes; this takes seconds.
use crate::project::{repository, text};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A program of the toolchain that compiles these tests.
pub fn tool(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO")).with_file_name(name))
}

/// The libraries that the backbones crate and the program use, by name and file.
pub struct Libraries(Vec<(String, PathBuf)>);

impl Libraries {
    const USED: [&str; 6] = ["anyhow", "scenarec_data", "scenarec_train", "serde", "serde_yaml", "tch"];

    /// Those that the workspace's tests are compiled with. No program is among what is asked for: other tests run the one that is
    /// there, which must stay.
    pub fn of_the_workspace() -> Self {
        let out = tool("cargo")
            .args(["test", "--workspace", "--lib", "--no-run", "--offline", "--locked"])
            .arg("--message-format=json")
            .current_dir(repository())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
        let messages = text(&out.stdout);
        let artifacts = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // What build scripts use is not optimised.
        let own = artifacts.filter(|m| m["profile"]["opt_level"] == "3");
        let found = own.filter_map(|m| {
            let name = m["target"]["name"].as_str()?;
            let mut files = m["filenames"].as_array()?.iter().filter_map(Value::as_str);
            let file = files.rfind(|file| file.ends_with(".rlib"))?;
            Self::USED.contains(&name).then(|| (name.to_string(), file.into()))
        });
        let libraries = Self(found.collect());
        assert_eq!(libraries.0.len(), Self::USED.len(), "one of each: {:?}", libraries.0);
        libraries
    }

    /// Compiles the backbones crate, which is one of the libraries from then on.
    pub fn add_backbones(&mut self, root: &Path, out: &Path) {
        self.compile("scenarec_backbones", "rlib", root, out);
        self.0.push(("scenarec_backbones".into(), out.join("libscenarec_backbones.rlib")));
    }

    /// Compiles a crate of one kind, without optimisation; a warning is an error.
    pub fn compile(&self, name: &str, kind: &str, file: &Path, out: &Path) {
        let libtorch = repository().join(".libtorch/lib").canonicalize().expect("libtorch");
        let mut command = tool("rustc");
        command.args(["--edition", "2024", "--crate-name", name, "--crate-type", kind, "-D", "warnings"]);
        command.arg(file).arg("--out-dir").arg(out);
        command.arg("-L").arg(format!("native={}", libtorch.display()));
        command.arg("-C").arg(format!("link-arg=-Wl,-rpath,{}", libtorch.display()));
        for (name, file) in &self.0 {
            command.arg("--extern").arg(format!("{name}={}", file.display()));
            command.arg("-L").arg(format!("dependency={}", file.parent().unwrap().join("deps").display()));
            command.arg("-L").arg(format!("dependency={}", file.parent().unwrap().display()));
        }
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}: {}", file.display(), text(&out.stderr));
    }
}
