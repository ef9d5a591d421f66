//! Raw folders: their files' bytes, and what checksums say about them.
#[cfg(test)]
mod changing;
mod known;
mod large;
mod memo;

pub(crate) use known::Judgement;
pub use known::{Checksum, KnownFile};
pub use large::LargeFile;
pub(crate) use large::{PIECE, pieces_of};
pub(crate) use memo::{Found, Memo};

use crate::{Error, Provenance, Result, memory};
use known::{Content, judge};
use rayon::prelude::*;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
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

/// The raw files of a dataset, in memory but for those that are too large for that.
pub struct RawFiles {
    files: Vec<RawFile>,
    large: Vec<LargeFile>,
    /// Content of `click_probability.f32`, where there is one.
    pub(crate) click_probability: Option<RawFile>,
}

impl RawFiles {
    /// Reads the files called `names`. That some are missing is an error that names all the missing ones.
    ///
    /// # Errors
    /// Files that are missing, cannot be read or decompressed, or do not fit into memory.
    pub fn read(folder: &Path, names: &[&str]) -> Result<RawFiles> {
        check_present(folder, names)?;
        let bytes = memory::size(folder, names);
        memory::check(folder, bytes, bytes)?;
        // Side by side, for decompression takes time; the first error in the order of the names is reported.
        let files: Vec<Result<RawFile>> = names.par_iter().map(|n| read(folder, n)).collect();
        let files = files.into_iter().collect::<Result<_>>()?;
        Ok(RawFiles { files, large: Vec::new(), click_probability: click_probability(folder)? })
    }

    /// [`RawFiles::read`] for files of which memory need not hold those that are `large`: they are gone through here, and again
    /// when they are parsed.
    ///
    /// # Errors
    /// As [`RawFiles::read`], but that large files need not fit.
    pub fn open(folder: &Path, large: &[&str], names: &[&str]) -> Result<RawFiles> {
        check_present(folder, &[large, names].concat())?;
        let large = large.iter().map(|n| LargeFile::open(folder, n)).collect::<Result<_>>()?;
        Ok(RawFiles { large, ..RawFiles::read(folder, names)? })
    }

    /// Files that were not read but made.
    pub(crate) fn of(files: Vec<RawFile>) -> RawFiles {
        RawFiles { files, large: Vec::new(), click_probability: None }
    }

    /// The file called `name`, one of those that were read.
    ///
    /// # Panics
    /// Where no file of the name was read.
    pub fn file(&self, name: &str) -> &RawFile {
        self.files.iter().find(|f| f.name == name).expect("a file that was read")
    }

    /// The file called `name`, one of those that were opened.
    ///
    /// # Panics
    /// Where no file of the name was opened.
    pub fn large(&self, name: &str) -> &LargeFile {
        self.large.iter().find(|f| f.name == name).expect("a file that was opened")
    }

    /// The file that was read of those that have one of these names.
    pub(crate) fn one_of(&self, names: &[&str]) -> &RawFile {
        self.files.iter().find(|f| names.contains(&f.name.as_str())).expect("a file that was read")
    }

    /// BLAKE3 hash of all contents, in hexadecimal.
    pub(crate) fn hash(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for file in &self.large {
            hash.update(&file.len.to_le_bytes());
            hash.update(file.hash.as_bytes());
        }
        for file in self.files.iter().chain(&self.click_probability) {
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
    pub(crate) fn recognise(&self, known: &[KnownFile], unknown: Provenance) -> Result<(Provenance, String)> {
        if self.click_probability.is_some() {
            return Ok((Provenance::Simulated, "the raw files are simulated".into()));
        }
        let files: Vec<FileContent> = self.contents().collect();
        let judged = files.par_iter().filter_map(|file| file.judge(known, unknown).transpose());
        let judged = judged.collect::<Result<Vec<Judgement>>>()?;
        let worst = judged.iter().map(|j| j.provenance).max_by_key(|p| p.distance()).unwrap_or(unknown);
        let mut notes: Vec<String> = Vec::new();
        for Judgement { note, .. } in judged {
            // Files that are parts of one copy have one note.
            if !note.is_empty() && !notes.contains(&note) {
                notes.push(note);
            }
        }
        Ok((worst, notes.join("; ")))
    }

    /// The files that a loader parses.
    pub(crate) fn contents(&self) -> impl Iterator<Item = FileContent<'_>> {
        let in_memory = self.files.iter().map(|f| FileContent {
            name: &f.name,
            path: &f.path,
            content: Content::Memory(&f.bytes),
        });
        let large = self.large.iter().map(|f| FileContent {
            name: &f.name,
            path: &f.path,
            content: Content::Large(f),
        });
        in_memory.chain(large)
    }
}

/// A raw file, wherever its content is.
pub(crate) struct FileContent<'a> {
    /// Name inside the raw folder.
    pub name: &'a str,
    path: &'a Path,
    content: Content<'a>,
}

impl FileContent<'_> {
    /// What the checksums that are known of it say; none where none is known.
    pub fn judge(&self, known: &[KnownFile], unknown: Provenance) -> Result<Option<Judgement>> {
        let some = known.iter().any(|k| k.file == self.name);
        some.then(|| judge(self.name, &self.content, known, unknown)).transpose()
    }

    /// How many lines end in the content.
    pub fn lines(&self) -> usize {
        self.content.lines()
    }

    /// The size of the file, which may be compressed.
    pub fn bytes_on_disk(&self) -> Result<u64> {
        Ok(self.path.metadata().map_err(Error::io(self.path, "cannot read the file"))?.len())
    }
}

/// An error where the folder is none or lacks some of the files.
fn check_present(folder: &Path, names: &[&str]) -> Result<()> {
    let kind = std::fs::metadata(folder).map_err(Error::io(folder, "cannot read the folder"))?;
    if !kind.is_dir() {
        let (found, expected) = ("something that is no folder", "a folder with raw files");
        return Err(Error::WrongKind { path: folder.into(), found, expected });
    }
    let mut missing = Vec::new();
    for name in names {
        if !is_there(&folder.join(name))? {
            missing.push(name.to_string());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let expected = format!(
        "the folder must hold {} (data is simulated only where the whole folder is absent)",
        names.join(", ")
    );
    Err(Error::MissingFiles { folder: folder.into(), missing, expected })
}

/// Whether there is a file. One that cannot be looked at is not missing: the reason must come to light.
fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().map_err(Error::io(path, FAILED))
}

/// An error where the path is anything but a file: a pipe would be waited for, and could be read only once.
fn check_kind(path: &Path) -> Result<()> {
    let kind = std::fs::metadata(path).map_err(Error::io(path, FAILED))?.file_type();
    let found = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a folder",
        _ => "something that is no file",
    };
    Err(Error::WrongKind { path: path.into(), found, expected: "a file" })
}

/// What is said of files that cannot be read.
const FAILED: &str = "cannot read the file";

fn click_probability(folder: &Path) -> Result<Option<RawFile>> {
    match is_there(&folder.join(CLICK_PROBABILITY))? {
        true => read(folder, CLICK_PROBABILITY).map(Some),
        false => Ok(None),
    }
}

fn read(folder: &Path, name: &str) -> Result<RawFile> {
    let path = folder.join(name);
    check_kind(&path)?;
    let mut bytes = content(&path).map_err(Error::io(&path, FAILED))?;
    if name.ends_with(".gz") {
        bytes = decompressed(&path, &bytes)?;
    }
    Ok(RawFile { name: name.into(), path, bytes })
}

/// The content of a file. Its pieces are read side by side: a large one costs the kernel's fresh pages more than the reading.
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    let read = |(place, piece): (usize, &mut [u8])| file.read_exact_at(piece, (place * PIECE) as u64);
    bytes.par_chunks_mut(PIECE).enumerate().try_for_each(read)?;
    // What was appended meanwhile.
    file.seek(SeekFrom::Start(bytes.len() as u64))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of a gzip file. The place of an error is that in the text up to which it could be decompressed.
fn decompressed(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    // A thousand times the file's length can come out. The vector doubles as it grows, so half of what is free is the most.
    let most = memory::available()? / 2;
    let result = flate2::read::MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut out);
    memory::check(path, out.len() as u64, 2 * out.len() as u64)?;
    result.map(|_| ()).map_err(|e| Error::Input {
        file: path.into(),
        line: 1 + memchr::memchr_iter(b'\n', &out).count(),
        column: 1 + out.len() - memchr::memrchr(b'\n', &out).map_or(0, |i| i + 1),
        found: format!("compressed data that end or break here ({e})"),
        expected: "a whole gzip file".into(),
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_file_decides() {
        let file =
            |name: &str, text: &str| RawFile { name: name.into(), path: name.into(), bytes: text.into() };
        let raw = RawFiles {
            files: vec![file("a", "abc"), file("b", "hello\n"), file("c", "")],
            large: Vec::new(),
            click_probability: None,
        };
        let known = |file: &str, checksum, provenance, note: &str| KnownFile {
            file: file.into(),
            checksum,
            provenance,
            note: note.into(),
        };
        let abc = Checksum::Sha256(Content::Memory(b"abc").sha256().unwrap());
        let hello = Checksum::GitBlob(Content::Memory(b"hello\n").git_blob().unwrap());
        let a = known("a", abc.clone(), Provenance::Real, "");
        let b = known("b", hello.clone(), Provenance::Partial, "half of it");
        let unknown = Provenance::Approximated;
        let recognise = |known: &[KnownFile]| raw.recognise(known, unknown).unwrap();
        let as_is = recognise(&[a.clone(), b.clone()]);
        assert_eq!(as_is, (Provenance::Partial, "half of it".into()));
        assert_eq!(recognise(std::slice::from_ref(&a)), (Provenance::Real, String::new()));
        let same = known("a", abc, Provenance::Partial, "half of it");
        assert_eq!(recognise(&[same, b.clone()]), as_is, "a note is told once");
        let other = known("a", hello, Provenance::Real, "");
        let note = "the checksum of a is not a known one; half of it";
        assert_eq!(recognise(&[other, b]), (unknown, note.into()));
        assert_eq!(recognise(&[]), (unknown, String::new()));
    }

    #[test]
    fn large_files_are_recognised_as_others_are() {
        let folder = tempfile::tempdir().unwrap();
        let text = "hello\n".repeat(PIECE / 6 + 10); // More than a piece.
        std::fs::write(folder.path().join("a"), &text).unwrap();
        let (read, open) =
            (RawFiles::read(folder.path(), &["a"]), RawFiles::open(folder.path(), &["a"], &[]));
        let (read, open) = (read.unwrap(), open.unwrap());
        let content = Content::Memory(text.as_bytes());
        let checksums = [
            Checksum::Lines(PIECE / 6 + 10),
            Checksum::Sha256(content.sha256().unwrap()),
            Checksum::GitBlob(content.git_blob().unwrap()),
            Checksum::Lines(7),
        ];
        for checksum in checksums {
            let (file, provenance, note) = ("a".to_string(), Provenance::Real, String::new());
            let known = [KnownFile { file, checksum, provenance, note }];
            let of = |raw: &RawFiles| raw.recognise(&known, Provenance::Partial).unwrap();
            assert_eq!(of(&read), of(&open));
        }
        assert_eq!(open.large("a").lines, PIECE / 6 + 10);
        std::fs::write(folder.path().join("a"), text + "\n").unwrap();
        assert_ne!(RawFiles::open(folder.path(), &["a"], &[]).unwrap().hash(), open.hash());
        let missing = RawFiles::open(folder.path(), &["a", "b"], &[]).err().unwrap().to_string();
        assert!(missing.contains("b missing; the folder must hold a, b"), "{missing}");
    }
}
