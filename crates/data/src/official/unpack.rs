//! Takes the wanted files out of an archive.
//!
//! No path that stands in an archive becomes one on the disk: files are written under the registry's names. An archive
//! that names a path outside itself is refused all the same, for then it is not what it should be.
use super::problem::{problem, written};
use super::{Archive, Content, Members, Progress};
use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

/// Writes `wanted`, some of the archive's files, into a folder. A file has its name there once it is whole. An archive that
/// is not as it should be is deleted.
pub(super) fn unpack(
    path: &Path,
    archive: &Archive,
    wanted: &[&'static str],
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let mut unpacker = Unpacker { left: wanted.to_vec(), folder, progress };
    let file = BufReader::new(File::open(path).map_err(Error::io(path, "cannot open the archive"))?);
    let unpacked = match archive.content {
        Content::File => {
            let target = parent_made(folder, archive.name)?;
            return std::fs::rename(path, &target).map_err(Error::io(target, "cannot put the file there"));
        }
        Content::Zip(members) => unpacker.zip(file, members),
        Content::TarGz(members) => unpacker.tar(MultiGzDecoder::new(file), members),
    };
    let what = match unpacked {
        Ok(()) if unpacker.left.is_empty() => return Ok(()),
        Ok(()) => format!("it lacks {}", unpacker.left.join(", ")),
        Err(Failure::Broken(what)) => what,
        Err(Failure::Other(e)) => return Err(e),
    };
    std::fs::remove_file(path).map_err(Error::io(path, "cannot delete the archive"))?;
    Err(problem(
        archive.name,
        format!("the archive is not as it should be: {what}"),
        "it was deleted: run the same command again; if that does not help, the publisher has changed it, and the files must \
         be put into the raw folder by hand",
    ))
}

/// Why a file is not taken out.
enum Failure {
    /// The archive is to blame.
    Broken(String),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        Failure::Other(e)
    }
}

fn broken(what: impl ToString) -> Failure {
    Failure::Broken(what.to_string())
}

type Outcome = std::result::Result<(), Failure>;

struct Unpacker<'a> {
    /// Files that were not found yet.
    left: Vec<&'static str>,
    folder: &'a Path,
    progress: &'a mut dyn FnMut(Progress),
}

impl Unpacker<'_> {
    fn zip(&mut self, file: BufReader<File>, members: Members) -> Outcome {
        let mut zip = zip::ZipArchive::new(file).map_err(broken)?;
        for i in 0..zip.len() {
            let mut member = zip.by_index(i).map_err(broken)?;
            let path = PathBuf::from(member.name().map_err(broken)?.into_owned());
            let (regular, len) = (member.is_file(), member.size());
            self.member(&path, members, regular, len, &mut member)?;
        }
        Ok(())
    }

    fn tar(&mut self, file: impl Read, members: Members) -> Outcome {
        let mut tar = tar::Archive::new(file);
        for member in tar.entries().map_err(broken)? {
            let mut member = member.map_err(broken)?;
            let path = member.path().map_err(broken)?.into_owned();
            let (regular, len) = (member.header().entry_type().is_file(), member.size());
            self.member(&path, members, regular, len, &mut member)?;
            if self.left.is_empty() {
                break; // The rest may be gigabytes of compressed data.
            }
        }
        Ok(())
    }

    /// Writes a member of the archive if it is one of those that are wanted.
    fn member(
        &mut self,
        path: &Path,
        members: Members,
        regular: bool,
        len: u64,
        content: &mut dyn Read,
    ) -> Outcome {
        let inside = |c: &Component| matches!(c, Component::Normal(_) | Component::CurDir);
        if !path.components().all(|c| inside(&c)) {
            return Err(broken(format!("it names the path {}, outside itself", path.display())));
        }
        let path: PathBuf = path.components().filter(|c| *c != Component::CurDir).collect();
        let Some(at) = self.left.iter().position(|name| path == Path::new(members.within).join(name)) else {
            return Ok(());
        };
        if !regular {
            return Err(broken(format!("{} is no file in it", path.display())));
        }
        self.write(self.left[at], len, content)?;
        self.left.remove(at);
        Ok(())
    }

    fn write(&mut self, name: &'static str, of: u64, content: &mut dyn Read) -> Outcome {
        let target = parent_made(self.folder, name)?;
        let partial = super::fetch::with_ending(&target, "part");
        let mut out = File::create(&partial).map_err(written(&partial, "cannot make the file"))?;
        let mut buffer = vec![0; 1 << 18];
        let mut done = 0;
        loop {
            let n = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(broken(format!("{name} cannot be read: {e}"))),
            };
            out.write_all(&buffer[..n]).map_err(written(&partial, "cannot write the file"))?;
            done += n as u64;
            (self.progress)(Progress::Unpacking { name, done, of });
        }
        if done != of {
            return Err(broken(format!("{name} ends after {done} of {of} bytes")));
        }
        Ok(std::fs::rename(&partial, &target).map_err(Error::io(&target, "cannot put the file there"))?)
    }
}

/// The path of a file in a folder, which is made.
fn parent_made(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent).map_err(written(parent, "cannot make the folder"))?;
    Ok(path)
}
