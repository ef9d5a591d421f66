//! Raw files beside what is known of the official ones.
use crate::raw::{Checksum, FileContent};
use crate::{DatasetConfig, Provenance, Result};
use std::path::Path;

/// A raw file beside what is known of the official one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// Name inside the raw folder.
    pub name: String,
    /// Its size, compressed where its name ends in `.gz`.
    pub bytes: u64,
    /// How many lines end in it, in its content where it is compressed.
    pub lines: usize,
    /// How many lines the official file has, where that is what is known.
    pub official_lines: Option<usize>,
    /// What it is, and what a reader of a number must know or why it is not recognised; none where neither a checksum nor a number of
    /// lines is known.
    pub verdict: Option<(Provenance, String)>,
    /// Whether it is one of the files that the dataset file lists.
    pub recognised: bool,
}

impl DatasetConfig {
    /// Looks at all raw files in this folder.
    ///
    /// # Errors
    /// Where files are missing or cannot be read.
    pub fn check_files(&self, folder: &Path) -> Result<Vec<FileCheck>> {
        let raw = self.open_raw(folder)?;
        let check = |file: FileContent| {
            let judgement = file.judge(&self.known_files, self.provenance)?;
            let lines = self.known_files.iter().filter(|known| known.file == file.name);
            let lines = lines.filter_map(|known| match known.checksum {
                Checksum::Lines(lines) => Some(lines),
                Checksum::Sha256(_) | Checksum::GitBlob(_) => None,
            });
            Ok(FileCheck {
                name: file.name.into(),
                bytes: file.bytes_on_disk()?,
                lines: file.lines(),
                official_lines: lines.max(),
                recognised: judgement.as_ref().is_some_and(|judgement| judgement.recognised),
                verdict: judgement.map(|judgement| (judgement.provenance, judgement.note)),
            })
        };
        raw.contents().map(check).collect()
    }
}
