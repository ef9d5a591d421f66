//! Raw files that are not held in memory, but gone through piece by piece.
use super::{FAILED, check_kind};
use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// Bytes that are read at a time; few where inputs are short, so that lines lie across pieces.
pub(crate) const PIECE: usize = if cfg!(feature = "fuzzing") { 1 << 12 } else { 1 << 24 };

/// A raw file of which only this is in memory.
pub struct LargeFile {
    /// Name inside the raw folder.
    pub name: String,
    /// Where it is read.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// How many lines end in it.
    pub lines: usize,
    /// BLAKE3 hash of its content.
    pub(super) hash: blake3::Hash,
    /// As it was when the hash was computed.
    stamp: Stamp,
}

/// By what another file, or another content, is noticed without reading it.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path, file: &File) -> Result<Stamp> {
        let m = file.metadata().map_err(Error::io(path, FAILED))?;
        Ok(Stamp { device: m.dev(), inode: m.ino(), len: m.size(), modified: (m.mtime(), m.mtime_nsec()) })
    }
}

impl LargeFile {
    /// The first line, without its line feed; of a long one the beginning.
    pub(crate) fn first_line(&self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let file = File::open(&self.path).map_err(Error::io(&self.path, FAILED))?;
        file.take(1 << 16).read_to_end(&mut text).map_err(Error::io(&self.path, FAILED))?;
        text.truncate(memchr::memchr(b'\n', &text).unwrap_or(text.len()));
        Ok(text)
    }

    /// Goes through the file once, for its hash and its lines.
    pub(crate) fn open(folder: &Path, name: &str) -> Result<LargeFile> {
        let path = folder.join(name);
        check_kind(&path)?;
        let (mut hash, mut len, mut lines) = (blake3::Hasher::new(), 0, 0);
        let stamp = pieces::<Error>(&path, None, |piece| {
            hash.update_rayon(piece);
            len += piece.len() as u64;
            lines += memchr::memchr_iter(b'\n', piece).count();
            Ok(())
        })?;
        Ok(LargeFile { name: name.into(), path, len, lines, hash: hash.finalize(), stamp })
    }

    /// Hands the content to `take`, piece by piece; the next piece is read meanwhile. A file that is not what it was when it was
    /// opened is an error: what was counted in one pass would not be true of another, nor the hash of the cache.
    pub(crate) fn pieces<E: From<Error>>(
        &self,
        take: impl FnMut(&[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        pieces(&self.path, Some(self.stamp), take).map(|_| ())
    }

    /// The error about a file that is not what it was.
    pub(crate) fn changed(&self) -> Error {
        Error::Changed { file: self.path.clone() }
    }
}

/// Hands the content of a file that nobody opened before to `take`, as [`LargeFile::pieces`].
pub(crate) fn pieces_of(path: &Path, take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    pieces(path, None, take).map(|_| ())
}

fn pieces<E: From<Error>>(
    path: &Path,
    before: Option<Stamp>,
    take: impl FnMut(&[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<Stamp, E> {
    let file = File::open(path).map_err(Error::io(path, FAILED))?;
    let stamp = Stamp::of(path, &file)?;
    let changed = || Error::Changed { file: path.into() }.into();
    if before.is_some_and(|before| before != stamp) {
        return Err(changed());
    }
    let result = read(path, &file, take);
    // Of a file that changes meanwhile any other error would say something that nobody finds in it any more.
    if Stamp::of(path, &file)? != stamp { Err(changed()) } else { result.map(|()| stamp) }
}

fn read<E: From<Error>>(
    path: &Path,
    mut file: &File,
    mut take: impl FnMut(&[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    std::thread::scope(|scope| {
        let (sender, pieces) = mpsc::sync_channel(1);
        let (giver, free) = mpsc::channel::<Vec<u8>>();
        scope.spawn(move || {
            loop {
                // Memory that was used before costs less than fresh memory.
                let mut piece = free.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
                piece.clear();
                let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                let more = read.as_ref().is_ok_and(|n| *n > 0);
                // Nobody listens any more where `take` has failed.
                if matches!(read, Ok(0)) || sender.send(read.map(|_| piece)).is_err() || !more {
                    return;
                }
            }
        });
        for piece in pieces {
            let piece = piece.map_err(Error::io(path, FAILED))?;
            take(&piece)?;
            let _ = giver.send(piece); // At the end of the file nobody needs it.
        }
        Ok(())
    })
}
