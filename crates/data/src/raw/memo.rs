//! What was found out about raw files, kept in the cache folder so that files that have not changed since are not read again.
use super::CLICK_PROBABILITY;
use crate::{Error, Provenance, Result};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What raw files are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Hash of all contents, [`RawFiles::hash`](super::RawFiles).
    pub hash: String,
    /// What the rows are.
    pub provenance: Provenance,
    /// What a reader of a number must know.
    pub note: String,
}

/// What the system says of a file, without reading it. The time of the last change to the inode cannot be set back by a program,
/// as that of the last change to the content can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stat {
    name: String,
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Serialize, Deserialize)]
struct Noted {
    files: Vec<Stat>,
    found: Found,
}

/// A note about a raw folder's files, and where it is.
pub(crate) struct Memo {
    path: PathBuf,
    files: Option<Vec<Stat>>,
}

/// A file that was changed only now could change again within the clock's grain: nothing is noted of it.
const SETTLED: Duration = Duration::from_secs(2);

impl Memo {
    /// Of the files called `names`; `about` is what else the finding depends on.
    pub fn of(cache: &Path, folder: &Path, names: &[&str], about: &impl Serialize) -> Memo {
        let key = serde_json::to_string(&(folder, names, about)).expect("names have a JSON form");
        let key = blake3::hash(key.as_bytes()).to_hex();
        Memo { path: cache.join(format!(".raw-{}.json", &key[..16])), files: stats(folder, names) }
    }

    /// What was noted, where the files are the same still.
    pub fn recall(&self) -> Option<Found> {
        let noted: Noted = serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()?;
        (Some(noted.files) == self.files).then_some(noted.found)
    }

    /// Notes what was found, where the files did not change meanwhile. That a note cannot be written is no reason to stop: the
    /// files are read again then.
    pub fn note(&self, folder: &Path, names: &[&str], found: &Found) {
        let now = stats(folder, names);
        let settled = |stat: &Stat| {
            let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(stat.changed.0.max(0) as u64);
            SystemTime::now().duration_since(changed).is_ok_and(|age| age > SETTLED)
        };
        if let Some(files) = now
            && Some(&files) == self.files.as_ref()
            && files.iter().all(settled)
        {
            let noted = serde_json::to_vec(&Noted { files, found: found.clone() }).expect("has a JSON form");
            if let Err(e) = write(&self.path, &noted) {
                tracing::debug!("{e}");
            }
        }
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let failed = "cannot write the note about raw files";
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::io(folder, failed))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(folder, failed))?;
    std::io::Write::write_all(&mut file, content).map_err(Error::io(path, failed))?;
    file.persist(path).map_err(|e| Error::io(path, failed)(e.error))?;
    Ok(())
}

/// None where a file cannot be looked at.
fn stats(folder: &Path, names: &[&str]) -> Option<Vec<Stat>> {
    let of = |name: &str| {
        let about = folder.join(name).metadata().ok()?;
        Some(Stat {
            name: name.into(),
            inode: (about.dev(), about.ino()),
            length: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    };
    let files: Option<Vec<Stat>> = names.iter().map(|name| of(name)).collect();
    // It need not be there, but it counts where it is.
    files.map(|files| files.into_iter().chain(of(CLICK_PROBABILITY)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_files_are_recalled() {
        let place = tempfile::tempdir().unwrap();
        let (raw, cache) = (place.path().join("raw"), place.path().join("cache"));
        std::fs::create_dir(&raw).unwrap();
        std::fs::write(raw.join("a"), "1\n").unwrap();
        let memo = |about: &str| Memo::of(&cache, &raw, &["a"], &about);
        let found = Found { hash: "0".into(), provenance: Provenance::Real, note: "half".into() };
        assert_eq!(memo("x").recall(), None);
        memo("x").note(&raw, &["a"], &found);
        assert_eq!(memo("x").recall(), None, "the file is too young");

        std::thread::sleep(SETTLED + Duration::from_millis(1100));
        memo("x").note(&raw, &["a"], &found);
        assert_eq!(memo("x").recall(), Some(found.clone()));
        assert_eq!(memo("y").recall(), None);

        let before = memo("x");
        let modified = raw.join("a").metadata().unwrap().modified().unwrap();
        std::fs::write(raw.join("a"), "2\n").unwrap();
        std::fs::File::options().write(true).open(raw.join("a")).unwrap().set_modified(modified).unwrap();
        assert_eq!(memo("x").recall(), None, "the content changed, though size and time say it did not");
        before.note(&raw, &["a"], &found);
        assert_eq!(memo("x").recall(), None, "it changed while it was read");
        std::fs::write(raw.join(CLICK_PROBABILITY), "").unwrap();
        assert_ne!(memo("x").files, before.files);
        std::fs::remove_file(raw.join("a")).unwrap();
        assert_eq!(memo("x").files, None);
    }
}
