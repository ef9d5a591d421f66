//! Files that appear complete or not at all.
use anyhow::{Context, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A file that is not at its place yet: what is written to [`temporary`](Self::temporary) gets there by
/// [`finish`](Self::finish), and is removed where that is never called.
#[derive(Debug)]
pub struct AtomicFile {
    place: PathBuf,
    temporary: NamedTempFile,
}

impl AtomicFile {
    /// Fails where the folder of `place` cannot be written to.
    pub fn begin(place: &Path) -> Result<Self> {
        let folder = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = NamedTempFile::new_in(folder).with_context(|| cannot_write(place))?;
        Ok(Self { place: place.into(), temporary })
    }

    /// Where to write.
    pub fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Moves the file to its place, where it replaces an older one. It can be read by everybody.
    pub fn finish(self) -> Result<()> {
        let Self { place, temporary } = self;
        let what = || cannot_write(&place);
        // A temporary file is for its owner only.
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o644)).with_context(what)?;
        temporary.persist(&place).with_context(what)?;
        Ok(())
    }
}

fn cannot_write(place: &Path) -> String {
    format!("cannot write {}", place.display())
}
