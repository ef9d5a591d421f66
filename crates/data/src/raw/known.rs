//! Copies of raw files that are recognised by their checksums.
use super::LargeFile;
use crate::{Provenance, Result};
use serde::{Deserialize, Serialize};
use sha1::Digest;
use std::cell::OnceCell;

/// A copy of a raw file that is recognised by its checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFile {
    /// Name inside the raw folder.
    pub file: String,
    /// The checksum.
    pub checksum: Checksum,
    /// What the copy is.
    pub provenance: Provenance,
    /// What a reader of a number must know; empty for `Real`.
    pub note: String,
}

/// What a file's content is recognised by: a checksum, in lower-case hexadecimal, or its length in lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checksum {
    /// SHA-256.
    Sha256(String),
    /// The id that git gives the content; some official files are known by it alone.
    GitBlob(String),
    /// The number of lines, header included: for files of which the publisher tells no more. Weaker than a checksum.
    Lines(usize),
}

/// What checksums are computed of.
pub(super) enum Content<'a> {
    Memory(&'a [u8]),
    Large(&'a LargeFile),
}

/// What a raw file is found to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judgement {
    /// What the rows are.
    pub provenance: Provenance,
    /// What must be told.
    pub note: String,
    /// Whether it is one of the known copies.
    pub recognised: bool,
}

impl Content<'_> {
    fn len(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Large(file) => file.len,
        }
    }

    pub fn lines(&self) -> usize {
        match self {
            Content::Memory(bytes) => memchr::memchr_iter(b'\n', bytes).count(),
            Content::Large(file) => file.lines,
        }
    }

    pub fn sha256(&self) -> Result<String> {
        self.digest(sha2::Sha256::new())
    }

    pub fn git_blob(&self) -> Result<String> {
        let mut h = sha1::Sha1::new();
        h.update(format!("blob {}\0", self.len()));
        self.digest(h)
    }

    fn digest(&self, mut hash: impl Digest) -> Result<String> {
        match self {
            Content::Memory(bytes) => hash.update(bytes),
            Content::Large(file) => file.pieces(|piece| {
                hash.update(piece);
                Ok(())
            })?,
        }
        Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }
}

/// What the checksums that are known of a file say about this content, and what must be told.
pub(super) fn judge(
    name: &str,
    content: &Content,
    known: &[KnownFile],
    unknown: Provenance,
) -> Result<Judgement> {
    // Each kind of checksum is computed at most once.
    let (sha256, git_blob) = (OnceCell::new(), OnceCell::new());
    let mut lengths = Vec::new();
    for k in known.iter().filter(|k| k.file == name) {
        let matches = match &k.checksum {
            Checksum::Lines(n) => {
                lengths.push(n.to_string());
                *n == content.lines()
            }
            Checksum::Sha256(hex) => hex == once(&sha256, || content.sha256())?,
            Checksum::GitBlob(hex) => hex == once(&git_blob, || content.git_blob())?,
        };
        if matches {
            return Ok(Judgement { provenance: k.provenance, note: k.note.clone(), recognised: true });
        }
    }
    let only_lengths = lengths.len() == known.iter().filter(|k| k.file == name).count();
    let note = match only_lengths {
        true => format!("{name} has {} lines, not {}", content.lines(), lengths.join(" or ")),
        false => format!("the checksum of {name} is not a known one"),
    };
    Ok(Judgement { provenance: unknown, note, recognised: false })
}

/// What the cell holds; filled where it is empty.
fn once(cell: &OnceCell<String>, make: impl FnOnce() -> Result<String>) -> Result<&String> {
    if cell.get().is_none() {
        let _ = cell.set(make()?);
    }
    Ok(cell.get().expect("just set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_known_content() {
        let of = |bytes| Content::Memory(bytes);
        // Published test vectors: SHA-256 of "abc"; git's id of the empty file and of "hello\n".
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(b"abc").sha256().unwrap(), abc);
        assert_eq!(of(b"").git_blob().unwrap(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(of(b"hello\n").git_blob().unwrap(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
