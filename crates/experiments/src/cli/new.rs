//! `new`.
use super::{print, report::write};
use crate::{roots::Roots, scaffold};
use anyhow::{Context, Result};
use clap::Subcommand;
use std::fs;

#[derive(Debug, Subcommand)]
pub(super) enum NewCommand {
    /// A model: its file, configuration, reference in PyTorch, golden cases and registry line, copied from one that exists
    /// (docs/add-a-model.md).
    Model {
        /// In snake case, as the registry will have it: my_model.
        name: String,
        /// The model that is copied.
        #[arg(long, default_value = scaffold::TEMPLATES[0], value_parser = scaffold::TEMPLATES)]
        like: String,
    },
}

/// Writes the files, and says what to do with them.
pub(super) fn new(roots: &Roots, command: &NewCommand) -> Result<()> {
    let NewCommand::Model { name, like } = command;
    let files = scaffold::new_model(&roots.project, name, like)?;
    let mut text = String::new();
    for (file, content) in files {
        let place = roots.project.join(&file);
        let verb = if place.exists() { "changed" } else { "new    " };
        let folder = place.parent().context("a file has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        write(&place, content)?;
        text += &format!("{verb}  {}\n", file.display());
    }
    text += &format!(
        "\n{name} is a copy of {like} and passes all tests. Now change\n\
         - crates/backbones/src/{name}.rs and configs/models/{}.yaml: the model (docs/add-a-model.md)\n\
         - golden/gen/{name}.py: the same in PyTorch; `scripts/just golden golden/gen/{name}.py` writes the golden cases\n\
         and check with `scripts/just fmt` and `cargo test -p scenarec-experiments -- golden contract`.\n",
        name.replace('_', "-")
    );
    print(&text)
}
