//! Raw folders: their files' bytes, and what checksums say about them.
use crate::{Error, Provenance, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha1::Digest;
use std::cell::OnceCell;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Beside simulated raw files lie the true click probabilities: little-endian `f32`, one per row of the main file.
pub(crate) const CLICK_PROBABILITY: &str = "click_probability.f32";

/// A raw file in memory.
pub struct RawFile {
    /// Name inside the raw folder.
    pub name: String,
    /// Where it was read.
    pub path: PathBuf,
    /// Its content, decompressed where the name ends in `.gz`.
    pub bytes: Vec<u8>,
}

impl RawFile {
    /// How many rows a file has whose first line names its columns.
    pub(crate) fn rows_below_header(&self) -> usize {
        memchr::memchr_iter(b'\n', &self.bytes).count().saturating_sub(1)
    }
}

/// The raw files of a dataset, in memory.
pub struct RawFiles {
    files: Vec<RawFile>,
    /// Content of `click_probability.f32`, where there is one.
    pub(crate) click_probability: Option<RawFile>,
}

impl RawFiles {
    /// Reads the files called `names`. That some are missing is an error that names all the missing ones.
    pub fn read(folder: &Path, names: &[&str]) -> Result<RawFiles> {
        if !folder.is_dir() {
            let (found, expected) = ("something that is no folder", "a folder with raw files");
            return Err(Error::WrongKind { path: folder.into(), found, expected });
        }
        let missing: Vec<String> =
            names.iter().filter(|n| !folder.join(n).exists()).map(|n| n.to_string()).collect();
        if !missing.is_empty() {
            let expected = format!(
                "the folder must hold {} (data is simulated only where the whole folder is absent)",
                names.join(", ")
            );
            return Err(Error::MissingFiles { folder: folder.into(), missing, expected });
        }
        // Side by side, for decompression takes time; the first error in the order of the names is reported.
        let files: Vec<Result<RawFile>> = names.par_iter().map(|n| read(folder, n)).collect();
        let files = files.into_iter().collect::<Result<_>>()?;
        let click_probability = match folder.join(CLICK_PROBABILITY).exists() {
            true => Some(read(folder, CLICK_PROBABILITY)?),
            false => None,
        };
        Ok(RawFiles { files, click_probability })
    }

    /// Files that were not read but made.
    pub(crate) fn of(files: Vec<RawFile>) -> RawFiles {
        RawFiles { files, click_probability: None }
    }

    /// The file called `name`, one of those that were read.
    pub fn file(&self, name: &str) -> &RawFile {
        self.files.iter().find(|f| f.name == name).expect("a file that was read")
    }

    /// The file that was read of those that have one of these names.
    pub(crate) fn one_of(&self, names: &[&str]) -> &RawFile {
        self.files.iter().find(|f| names.contains(&f.name.as_str())).expect("a file that was read")
    }

    /// All files, the click probabilities last.
    fn all(&self) -> impl Iterator<Item = &RawFile> {
        self.files.iter().chain(&self.click_probability)
    }

    /// BLAKE3 hash of all contents, in hexadecimal.
    pub(crate) fn hash(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for file in self.all() {
            hash.update(&(file.bytes.len() as u64).to_le_bytes());
            hash.update_rayon(&file.bytes);
        }
        hash.finalize().to_hex().to_string()
    }

    /// The click probabilities, one for each of `rows` rows.
    pub(crate) fn probabilities(&self, rows: usize) -> Result<Option<Vec<f32>>> {
        let Some(file) = &self.click_probability else { return Ok(None) };
        let p: Vec<f32> =
            file.bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default())).collect();
        let bad = p.iter().position(|p| !(0.0..=1.0).contains(p));
        if file.bytes.len() != 4 * rows || bad.is_some() {
            return Err(Error::Input {
                file: file.path.clone(),
                line: 1,
                column: bad.map_or(file.bytes.len(), |row| 4 * row) + 1,
                found: match bad.filter(|_| file.bytes.len() == 4 * rows) {
                    Some(row) => format!("{} for row {}", p[row], row + 1),
                    None => format!("{} bytes", file.bytes.len()),
                },
                expected: format!("{rows} probabilities of 4 bytes each, one per row"),
            });
        }
        Ok(Some(p))
    }

    /// What the checksums say: the worst provenance of all files that `known` has entries for, and what must be told.
    /// A file of which only other checksums are known counts as `unknown`.
    pub(crate) fn recognise(&self, known: &[KnownFile], unknown: Provenance) -> (Provenance, String) {
        if self.click_probability.is_some() {
            return (Provenance::Simulated, "the raw files are simulated".into());
        }
        let judged: Vec<(Provenance, String)> = self
            .files
            .par_iter()
            .filter(|f| known.iter().any(|k| k.file == f.name))
            .map(|f| {
                // Each kind of checksum is computed at most once per file.
                let (sha256, git_blob) = (OnceCell::new(), OnceCell::new());
                let lines = || memchr::memchr_iter(b'\n', &f.bytes).count();
                let matches = |checksum: &Checksum| match checksum {
                    Checksum::Lines(n) => *n == lines(),
                    Checksum::Sha256(hex) => hex == sha256.get_or_init(|| sha256_hex(&f.bytes)),
                    Checksum::GitBlob(hex) => hex == git_blob.get_or_init(|| git_blob_hex(&f.bytes)),
                };
                match known.iter().find(|k| k.file == f.name && matches(&k.checksum)) {
                    Some(k) => (k.provenance, k.note.clone()),
                    None => (unknown, unknown_copy(f, known)),
                }
            })
            .collect();
        let worst = judged.iter().map(|j| j.0).max_by_key(|p| p.distance()).unwrap_or(unknown);
        let notes: Vec<String> = judged.into_iter().map(|j| j.1).filter(|n| !n.is_empty()).collect();
        (worst, notes.join("; "))
    }
}

/// Why a file is no known copy.
fn unknown_copy(file: &RawFile, known: &[KnownFile]) -> String {
    let name = &file.name;
    let lengths = known.iter().filter(|k| k.file == *name).map(|k| match k.checksum {
        Checksum::Lines(n) => Some(n.to_string()),
        Checksum::Sha256(_) | Checksum::GitBlob(_) => None,
    });
    match lengths.collect::<Option<Vec<String>>>() {
        Some(known) => {
            let lines = memchr::memchr_iter(b'\n', &file.bytes).count();
            format!("{name} has {lines} lines, not {}", known.join(" or "))
        }
        None => format!("the checksum of {name} is not a known one"),
    }
}

fn read(folder: &Path, name: &str) -> Result<RawFile> {
    let path = folder.join(name);
    if path.is_dir() {
        return Err(Error::WrongKind { path, found: "a folder", expected: "a file" });
    }
    let mut bytes = std::fs::read(&path).map_err(Error::io(&path, "cannot read the file"))?;
    if name.ends_with(".gz") {
        bytes = decompressed(&path, &bytes)?;
    }
    Ok(RawFile { name: name.into(), path, bytes })
}

/// The content of a gzip file. The place of an error is that in the text up to which it could be decompressed.
fn decompressed(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let result = flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out);
    result.map(|_| ()).map_err(|e| Error::Input {
        file: path.into(),
        line: 1 + memchr::memchr_iter(b'\n', &out).count(),
        column: 1 + out.len() - memchr::memrchr(b'\n', &out).map_or(0, |i| i + 1),
        found: format!("compressed data that end or break here ({e})"),
        expected: "a whole gzip file".into(),
    })?;
    Ok(out)
}

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

fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&sha2::Sha256::digest(bytes))
}

fn git_blob_hex(bytes: &[u8]) -> String {
    let mut h = sha1::Sha1::new();
    h.update(format!("blob {}\0", bytes.len()));
    h.update(bytes);
    to_hex(&h.finalize())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_known_content() {
        // Published test vectors: SHA-256 of "abc"; git's id of the empty file and of "hello\n".
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(git_blob_hex(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(git_blob_hex(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn the_weakest_file_decides() {
        let file =
            |name: &str, text: &str| RawFile { name: name.into(), path: name.into(), bytes: text.into() };
        let raw = RawFiles {
            files: vec![file("a", "abc"), file("b", "hello\n"), file("c", "")],
            click_probability: None,
        };
        let known = |file: &str, checksum, provenance, note: &str| KnownFile {
            file: file.into(),
            checksum,
            provenance,
            note: note.into(),
        };
        let abc = Checksum::Sha256(sha256_hex(b"abc"));
        let hello = Checksum::GitBlob(git_blob_hex(b"hello\n"));
        let a = known("a", abc.clone(), Provenance::Real, "");
        let b = known("b", hello.clone(), Provenance::Partial, "half of it");
        let unknown = Provenance::Approximated;
        let as_is = raw.recognise(&[a.clone(), b.clone()], unknown);
        assert_eq!(as_is, (Provenance::Partial, "half of it".into()));
        assert_eq!(raw.recognise(std::slice::from_ref(&a), unknown), (Provenance::Real, String::new()));
        let other = known("a", hello, Provenance::Real, "");
        let note = "the checksum of a is not a known one; half of it";
        assert_eq!(raw.recognise(&[other, b], unknown), (unknown, note.into()));
        assert_eq!(raw.recognise(&[], unknown), (unknown, String::new()));
    }
}
