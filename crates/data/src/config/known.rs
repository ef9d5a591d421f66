//! The key `known_files` of a dataset file.
use super::place::Place;
use crate::raw::{Checksum, KnownFile};
use crate::{Provenance, Result};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKnownFile {
    file: String,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    git_blob: Option<String>,
    #[serde(default)]
    lines: Option<usize>,
    provenance: Provenance,
    #[serde(default)]
    note: String,
}

impl RawKnownFile {
    /// The `i`-th known file, where it is one of the loader's `files` and has one criterion.
    pub fn check(&self, place: &Place, i: usize, files: &[&str]) -> Result<KnownFile> {
        let hex = |key: &str, value: &str, digits: usize| {
            if value.len() == digits
                && value.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            {
                return Ok(value.to_string());
            }
            let nth = place.nth_with_value(key, value);
            Err(place.at(&["known_files", key], nth, format!("{value:?} should be {digits} digits 0-9, a-f")))
        };
        if !files.contains(&self.file.as_str()) {
            let message = format!("{:?} is none of the raw files {}", self.file, files.join(", "));
            return Err(place.at(&["known_files", "file"], i, message));
        }
        let checksum = match (&self.sha256, &self.git_blob, self.lines) {
            (Some(v), None, None) => Checksum::Sha256(hex("sha256", v, 64)?),
            (None, Some(v), None) => Checksum::GitBlob(hex("git_blob", v, 40)?),
            (None, None, Some(n)) => Checksum::Lines(n),
            _ => {
                let message = "needs one of sha256, git_blob and lines".into();
                return Err(place.at(&["known_files", "file"], i, message));
            }
        };
        Ok(KnownFile {
            file: self.file.clone(),
            checksum,
            provenance: self.provenance,
            note: self.note.clone(),
        })
    }
}
