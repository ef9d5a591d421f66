//! Raw files that are not held in memory, but gone through piece by piece.
use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// Bytes that are read at a time.
pub(crate) const PIECE: usize = 1 << 24;

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
}

impl LargeFile {
    /// The first line, without its line feed; of a long one the beginning.
    pub(crate) fn first_line(&self) -> Result<Vec<u8>> {
        let failed = "cannot read the file";
        let mut text = Vec::new();
        let file = File::open(&self.path).map_err(Error::io(&self.path, failed))?;
        file.take(1 << 16).read_to_end(&mut text).map_err(Error::io(&self.path, failed))?;
        text.truncate(memchr::memchr(b'\n', &text).unwrap_or(text.len()));
        Ok(text)
    }

    /// Goes through the file once, for its hash and its lines.
    pub(super) fn open(folder: &Path, name: &str) -> Result<LargeFile> {
        let path = folder.join(name);
        if path.is_dir() {
            return Err(Error::WrongKind { path, found: "a folder", expected: "a file" });
        }
        let (mut hash, mut len, mut lines) = (blake3::Hasher::new(), 0, 0);
        pieces(&path, |piece| {
            hash.update_rayon(piece);
            len += piece.len() as u64;
            lines += memchr::memchr_iter(b'\n', piece).count();
            Ok(())
        })?;
        Ok(LargeFile { name: name.into(), path, len, lines, hash: hash.finalize() })
    }
}

/// Hands a file's content to `take`, piece by piece; the next piece is read meanwhile.
pub(crate) fn pieces(path: &Path, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let failed = "cannot read the file";
    let mut file = File::open(path).map_err(Error::io(path, failed))?;
    std::thread::scope(|scope| {
        let (sender, pieces) = mpsc::sync_channel(1);
        let (giver, free) = mpsc::channel::<Vec<u8>>();
        scope.spawn(move || {
            loop {
                // Memory that was used before costs less than fresh memory.
                let mut piece = free.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
                piece.clear();
                let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
                let more = read.as_ref().is_ok_and(|n| *n > 0);
                // Nobody listens any more where `take` has failed.
                if matches!(read, Ok(0)) || sender.send(read.map(|_| piece)).is_err() || !more {
                    return;
                }
            }
        });
        for piece in pieces {
            let piece = piece.map_err(Error::io(path, failed))?;
            take(&piece)?;
            let _ = giver.send(piece); // At the end of the file nobody needs it.
        }
        Ok(())
    })
}
