//! Whether what came over the network is what the publisher put there.
use super::problem::problem;
use super::{Archive, Progress};
use crate::raw::pieces_of;
use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;

/// What a download is recognised by, in lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// MD5: tells a broken download, not a forged one. Some publishers give no other.
    Md5(&'static str),
    /// SHA-256.
    Sha256(&'static str),
    /// The id that git gives the content.
    GitBlob(&'static str),
}

impl Checksum {
    fn expected(self) -> (&'static str, &'static str) {
        match self {
            Checksum::Md5(hex) => ("MD5", hex),
            Checksum::Sha256(hex) => ("SHA-256", hex),
            Checksum::GitBlob(hex) => ("git's id", hex),
        }
    }
}

/// Checks a whole download, and deletes one that is wrong. Where no checksum is known, a `.gz` file has one of its own.
pub(super) fn check(path: &Path, archive: &Archive, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    let wrong = match archive.checksum {
        Some(checksum) => compare(path, archive.name, checksum, progress)?,
        None if archive.name.ends_with(".gz") => read_gzip(path)?,
        None => None,
    };
    let Some(wrong) = wrong else { return Ok(()) };
    std::fs::remove_file(path).map_err(Error::io(path, "cannot delete the download"))?;
    let advice = "it was deleted: run the same command again; if that does not help, the publisher has changed the file, or \
                  something on the way puts another in its place";
    Err(problem(archive.name, wrong, advice))
}

/// What is wrong, if anything is.
fn compare(
    path: &Path,
    name: &str,
    checksum: Checksum,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<String>> {
    let (kind, expected) = checksum.expected();
    let found = match checksum {
        Checksum::Md5(_) => hex_of(Md5::new(), path, name, progress),
        Checksum::Sha256(_) => hex_of(Sha256::new(), path, name, progress),
        Checksum::GitBlob(_) => {
            let len = path.metadata().map_err(Error::io(path, "cannot look at the file"))?.len();
            hex_of(Sha1::new_with_prefix(format!("blob {len}\0")), path, name, progress)
        }
    }?;
    let wrong = || format!("{kind} of what was downloaded is {found}, not {expected}");
    Ok((found != expected).then(wrong))
}

fn hex_of(
    mut hash: impl Digest,
    path: &Path,
    name: &str,
    progress: &mut dyn FnMut(Progress),
) -> Result<String> {
    let of = path.metadata().map_err(Error::io(path, "cannot look at the file"))?.len();
    let mut done = 0;
    pieces_of(path, |piece| {
        hash.update(piece);
        done += piece.len() as u64;
        progress(Progress::Checking { name, done, of });
        Ok(())
    })?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

fn read_gzip(path: &Path) -> Result<Option<String>> {
    let file = File::open(path).map_err(Error::io(path, "cannot open the file"))?;
    let copied = std::io::copy(&mut MultiGzDecoder::new(file), &mut std::io::sink());
    Ok(copied.err().map(|e| format!("what was downloaded is no whole gzip file ({e})")))
}
