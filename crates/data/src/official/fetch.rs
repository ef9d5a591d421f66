//! From an entry of the registry to a raw folder.
//!
//! All that is not finished lies under `<raw root>/.download/<folder>/`: parts of downloads (`<name>.part`), checked
//! downloads (`<name>`) and, in `files/`, whole official files. A call that ends early, for whatever reason, leaves it
//! there, and the next one goes on from it. The raw folder appears complete, by a rename.
use super::checksum::check;
use super::download::{Client, discard};
use super::problem::{problem, written};
use super::unpack::unpack;
use super::{Access, Archive, Entry, Progress};
use crate::{Error, Result};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// Where unfinished downloads lie, under the raw root.
const UNFINISHED: &str = ".download";

/// What a call of [`fetch()`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The raw folder.
    pub folder: PathBuf,
    /// The files that were put there.
    pub written: Vec<&'static str>,
    /// The files that were there already, and were left alone.
    pub kept: Vec<&'static str>,
}

/// Downloads what is missing of a raw folder, checks it, unpacks it and puts it there. Files that are there already are
/// never touched. May be called again after any error, and after the program was ended: it goes on where it stopped.
///
/// Where files are missing that can be had by hand only, that is an error that says how.
///
/// # Errors
/// Downloads that fail or are not the official files, archives that do not unpack, folders that cannot be written, files that can
/// be had by hand only.
pub fn fetch(entry: &Entry, raw_root: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Fetched> {
    fetch_with(&Client::new(), entry, raw_root, progress)
}

pub(super) fn fetch_with(
    client: &Client,
    entry: &Entry,
    raw_root: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched> {
    let folder = raw_root.join(entry.folder);
    let (kept, missing): (Vec<_>, Vec<_>) =
        entry.files.iter().map(|f| f.name).partition(|name| is_there(&folder.join(name)));
    if missing.is_empty() {
        return Ok(Fetched { folder, written: missing, kept });
    }
    let (from, archives) = match entry.access {
        Access::Download { from, archives } => (from, archives),
        Access::ByHand { steps } => return Err(by_hand(entry, &folder, &missing, steps)),
    };

    let unfinished = raw_root.join(UNFINISHED).join(entry.folder);
    let files = unfinished.join("files");
    std::fs::create_dir_all(&files).map_err(written(&files, "cannot make the folder"))?;
    let _alone = alone(&unfinished)?;
    for archive in archives {
        let wanted: Vec<&str> = archive.files().into_iter().filter(|f| missing.contains(f)).collect();
        let wanted: Vec<&str> = wanted.into_iter().filter(|name| !is_there(&files.join(name))).collect();
        if !wanted.is_empty() {
            let whole = download(client, from, archive, &unfinished, progress)?;
            unpack(&whole, archive, &wanted, &files, progress)?;
        }
        remove(&unfinished.join(local_name(archive)))?;
    }
    let (written, too_late) = place(&files, &folder, missing)?;
    // What is left are empty folders and the lock.
    std::fs::remove_dir_all(&unfinished).map_err(Error::io(&unfinished, "cannot delete the folder"))?;
    let _ = std::fs::remove_dir(raw_root.join(UNFINISHED)); // Another dataset's downloads may lie there.
    Ok(Fetched { folder, written, kept: [kept, too_late].concat() })
}

/// The path with one more ending.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// The checked download of an archive, which may be here from an earlier call.
fn download(
    client: &Client,
    from: &str,
    archive: &Archive,
    unfinished: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf> {
    let whole = unfinished.join(local_name(archive));
    if is_there(&whole) {
        return Ok(whole);
    }
    let part = with_ending(&whole, "part");
    client.download(&format!("{from}{}", archive.name), archive.name, &part, progress)?;
    check(&part, archive, progress)?;
    std::fs::rename(&part, &whole).map_err(Error::io(&whole, "cannot rename the download"))?;
    discard(&part)?;
    Ok(whole)
}

/// The archive's name without folders.
fn local_name(archive: &Archive) -> String {
    archive.name.replace('/', "-")
}

/// Puts whole files into the raw folder: which came there, and which had come there meanwhile.
fn place(
    files: &Path,
    folder: &Path,
    names: Vec<&'static str>,
) -> Result<(Vec<&'static str>, Vec<&'static str>)> {
    if !is_there(folder) && std::fs::rename(files, folder).is_ok() {
        return Ok((names, Vec::new()));
    }
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    for name in names {
        let target = folder.join(name);
        let parent = target.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(Error::io(parent, "cannot make the folder"))?;
        match moved(&files.join(name), &target)? {
            true => written.push(name),
            false => kept.push(name),
        }
    }
    Ok((written, kept))
}

/// Whether a file could be moved to where nothing was.
fn moved(from: &Path, to: &Path) -> Result<bool> {
    let failed = || Error::io(to, "cannot put the file there");
    let result = match TempPath::try_from_path(from).map_err(failed())?.persist_noclobber(to) {
        // The raw folder is a link to another disk.
        Err(e) if e.error.kind() == ErrorKind::CrossesDevices => {
            let near = with_ending(to, "part");
            e.path.keep().map_err(|e| failed()(e.error))?;
            std::fs::copy(from, &near).map_err(written(&near, "cannot copy the file"))?;
            TempPath::try_from_path(&near).map_err(failed())?.persist_noclobber(to)
        }
        result => result,
    };
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => {
            let _ = e.path.keep(); // It would be deleted, and the next call needs it.
            Err(failed()(e.error))
        }
    }
}

fn by_hand(entry: &Entry, folder: &Path, missing: &[&str], steps: &[&str]) -> Error {
    let steps: Vec<String> =
        steps.iter().enumerate().map(|(i, step)| format!("\n{}. {step}", i + 1)).collect();
    problem(
        folder.display().to_string(),
        format!("{} missing, which cannot be downloaded from here", missing.join(", ")),
        format!("this is how to get them ({}):{}", entry.home, steps.concat()),
    )
}

/// Two downloads into one part would spoil it.
fn alone(unfinished: &Path) -> Result<File> {
    let path = unfinished.join("lock");
    let file = File::create(&path).map_err(written(&path, "cannot make the lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(problem(
            path.display().to_string(),
            "another process fetches this dataset",
            "wait until it has ended, or end it and run the same command again, which goes on where it stopped",
        )),
        Err(TryLockError::Error(e)) => Err(Error::io(path, "cannot lock")(e)),
    }
}

/// A path that is there but leads nowhere is there, too.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io(path, "cannot delete the archive")(e)),
        _ => Ok(()),
    }
}
