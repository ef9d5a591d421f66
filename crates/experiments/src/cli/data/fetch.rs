//! `data fetch`: official raw files from where their publishers keep them.
use super::{DataArgs, choose, print};
use crate::roots::Roots;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use scenarec_data::official::{Entry, Fetched, Progress, fetch as fetch_entry};

/// Fetches what may be downloaded; of the rest the error tells how it is had.
pub(super) fn fetch(roots: &Roots, args: &DataArgs) -> Result<()> {
    let (config, _) = choose(roots, args, false)?;
    let entry = Entry::of(&config.raw)
        .with_context(|| format!("{} was never published: its rows are always simulated", config.dataset))?;
    print(&format!("{}\nterms: {}\ncite: {}\n", entry.home, entry.terms, entry.cite))?;
    let bar = Bar::new();
    let Fetched { folder, written, kept } =
        fetch_entry(entry, &roots.data.raw, &mut |progress| bar.show(progress))?;
    drop(bar);
    let said = |what: &str, files: &[&str]| match files {
        [] => String::new(),
        files => format!("{what}: {}\n", files.join(", ")),
    };
    print(&format!(
        "{}\n{}{}",
        folder.display(),
        said("fetched", &written),
        said("there already, and left as they are", &kept)
    ))
}

/// A bar on standard error, where that is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template(
            "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        );
        Self(ProgressBar::no_length().with_style(style.expect("the template is valid")))
    }

    fn show(&self, progress: Progress<'_>) {
        let (what, name, done, of) = match progress {
            Progress::Downloading { name, done, of } => ("downloading", name, done, of),
            Progress::Checking { name, done, of } => ("checking", name, done, Some(of)),
            Progress::Unpacking { name, done, of } => ("unpacking", name, done, Some(of)),
            Progress::Waiting { name, why, pause } => {
                let seconds = pause.as_secs();
                return self.0.suspend(|| eprintln!("{name}: {why}; trying again in {seconds} s"));
            }
        };
        let message = format!("{what} {name}");
        if self.0.message() != message {
            self.0.reset();
            self.0.set_message(message);
        }
        match of {
            Some(of) => self.0.set_length(of),
            None => self.0.unset_length(),
        }
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
