//! Finished runs and stages on disk. A folder appears complete or not at all: it is written under another name and
//! renamed.
//!
//! ```text
//! runs/<id>/           job.json  environment.json  log.txt  measures.jsonl
//! runs/stages/<id>/    the same, and the stage's own files
//! runs/.tmp-<id>-xxxx  being written; removed at the next start where its process is dead
//! runs/.locks/<id>.lock, runs/.logs/<id>.log, runs/.failed/<id>.json
//! ```
use crate::{id, job::Job, spec::Best};
use anyhow::{Context, Result};
use scenarec_train::Measure;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The folders with finished work.
#[derive(Clone, Debug)]
pub struct Store {
    runs: PathBuf,
    committed: PathBuf,
}

/// Why a run or stage failed the last time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What it was: dataset, model, method, seed, stage.
    pub what: String,
    /// Its error, or how its process ended.
    pub message: String,
    /// The log, where there is one.
    pub log: Option<PathBuf>,
}

/// A finished run or stage found on disk.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Name of its folder.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it lies in the repository and not under `runs/`.
    pub committed: bool,
    /// Its settings.
    pub job: Job,
}

impl Store {
    /// Opens `runs` (made where it does not exist) and the measures that are part of the repository.
    pub fn open(runs: &Path, committed: &Path) -> Result<Self> {
        for folder in ["stages", ".locks", ".logs", ".failed"] {
            let folder = runs.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(Self { runs: runs.into(), committed: committed.into() })
    }

    /// The folder of runs.
    pub fn runs(&self) -> &Path {
        &self.runs
    }

    /// Where a run or stage lies when it is finished.
    pub fn folder(&self, id: &str, is_stage: bool) -> PathBuf {
        if is_stage { self.runs.join("stages").join(id) } else { self.runs.join(id) }
    }

    /// The folder of a finished run or stage.
    pub fn find(&self, id: &str, is_stage: bool) -> Option<PathBuf> {
        let own = self.folder(id, is_stage);
        let committed = self.committed.join(id);
        if own.join("job.json").is_file() {
            Some(own)
        } else if !is_stage && committed.join("measures.jsonl").is_file() {
            Some(committed)
        } else {
            None
        }
    }

    /// The log of the process that works on `id`.
    pub fn log(&self, id: &str) -> PathBuf {
        self.runs.join(".logs").join(format!("{id}.log"))
    }

    /// Locks `id` for this process until the file is dropped; `wait` is called where another process has it.
    pub fn lock(&self, id: &str, wait: impl FnOnce()) -> Result<File> {
        let path = self.runs.join(".locks").join(format!("{id}.lock"));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => wait(),
            Err(TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }

    /// The id's lock, where no process has it.
    fn try_lock(&self, id: &str) -> Option<File> {
        let file = File::create(self.runs.join(".locks").join(format!("{id}.lock"))).ok()?;
        file.try_lock().ok()?;
        Some(file)
    }

    /// Folders that dead processes left half-written.
    pub fn dead_folders(&self) -> Result<Vec<PathBuf>> {
        let mut dead = Vec::new();
        for (name, path) in entries(&self.runs)? {
            let Some(rest) = name.strip_prefix(".tmp-") else { continue };
            let id = rest.split('-').next().unwrap_or_default();
            if self.try_lock(id).is_some() {
                dead.push(path);
            }
        }
        Ok(dead)
    }

    /// Removes what dead processes left half-written.
    pub fn remove_dead_folders(&self) -> Result<()> {
        for (name, path) in entries(&self.runs)? {
            let Some(rest) = name.strip_prefix(".tmp-") else { continue };
            // The lock is held while the folder goes: no worker can start to fill it.
            if let Some(_lock) = self.try_lock(rest.split('-').next().unwrap_or_default()) {
                match fs::remove_dir_all(&path) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(e).with_context(|| format!("cannot remove {}", path.display()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The numbers of a finished run.
    pub fn measures(&self, folder: &Path) -> Result<Vec<Measure>> {
        let path = folder.join("measures.jsonl");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        text.lines()
            .enumerate()
            .map(|(i, line)| {
                serde_json::from_str(line)
                    .with_context(|| format!("{}:{}: not a measure", path.display(), i + 1))
            })
            .collect()
    }

    /// What a search's trial is worth, once all its runs are finished.
    pub fn score(&self, best: &Best, jobs: &[Job]) -> Result<Option<f64>> {
        let mut runs = Vec::new();
        for job in jobs {
            let Some(folder) = self.find(&id::of(job)?, false) else { return Ok(None) };
            runs.push(self.measures(&folder)?);
        }
        best.score(&runs).map(Some)
    }

    /// Everything finished, stages included where asked for. Folders of older programs whose job no longer reads are
    /// left out.
    pub fn finished(&self, stages: bool) -> Result<Vec<Finished>> {
        let mut folders = vec![(self.runs.clone(), false), (self.committed.clone(), true)];
        if stages {
            folders.push((self.runs.join("stages"), false));
        }
        let mut all = Vec::new();
        for (folder, committed) in folders {
            for (name, path) in entries(&folder)? {
                if !is_id(&name) {
                    continue;
                }
                let job = fs::read(path.join("job.json")).ok().and_then(|t| serde_json::from_slice(&t).ok());
                if let Some(job) = job {
                    all.push(Finished { id: name, folder: path, committed, job });
                }
            }
        }
        Ok(all)
    }

    /// Folders under `runs/` whose job this program cannot read.
    pub fn unreadable(&self) -> Result<Vec<PathBuf>> {
        let mut all = Vec::new();
        for folder in [self.runs.clone(), self.runs.join("stages")] {
            for (name, path) in entries(&folder)? {
                let job =
                    fs::read(path.join("job.json")).ok().and_then(|t| serde_json::from_slice::<Job>(&t).ok());
                if is_id(&name) && job.is_none() {
                    all.push(path);
                }
            }
        }
        Ok(all)
    }

    /// Copies job and measures of finished runs on data that is not simulated into the repository; returns how many.
    pub fn publish<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<usize> {
        let mut copied = 0;
        for id in ids {
            let from = self.folder(id, false);
            let to = self.committed.join(id);
            if !from.join("job.json").is_file() || to.is_dir() {
                continue;
            }
            if self.measures(&from)?.iter().any(|m| m.provenance == "simulated") {
                continue;
            }
            fs::create_dir_all(&self.committed)
                .with_context(|| format!("cannot make {}", self.committed.display()))?;
            let tmp = tempfile::Builder::new()
                .prefix(".publishing-")
                .permissions(PermissionsExt::from_mode(0o777)) // Less the umask.
                .tempdir_in(&self.committed)
                .with_context(|| format!("cannot write to {}", self.committed.display()))?;
            for file in ["job.json", "environment.json", "measures.jsonl"] {
                fs::copy(from.join(file), tmp.path().join(file))
                    .with_context(|| format!("cannot copy {file} of {id} to {}", self.committed.display()))?;
            }
            fs::rename(tmp.keep(), &to).with_context(|| format!("cannot make {}", to.display()))?;
            copied += 1;
        }
        Ok(copied)
    }

    /// Remembers why `id` failed.
    pub fn set_failure(&self, id: &str, failure: &Failure) -> Result<()> {
        let path = self.runs.join(".failed").join(format!("{id}.json"));
        fs::write(&path, serde_json::to_vec_pretty(failure)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Forgets that `id` failed.
    pub fn clear_failure(&self, id: &str) {
        // It may well not exist.
        let _ = fs::remove_file(self.runs.join(".failed").join(format!("{id}.json")));
    }

    /// Why `id` failed the last time.
    pub fn failure(&self, id: &str) -> Option<Failure> {
        let text = fs::read(self.runs.join(".failed").join(format!("{id}.json"))).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

fn is_id(name: &str) -> bool {
    name.len() == id::DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Entries of a folder, sorted; none where it does not exist.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let read = match fs::read_dir(folder) {
        Ok(read) => read,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", folder.display())),
    };
    let mut all: Vec<_> =
        read.flatten().map(|e| (e.file_name().to_string_lossy().into_owned(), e.path())).collect();
    all.sort();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_dead_processes_go() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &dir.path().join("none")).unwrap();
        let alive = dir.path().join(".tmp-00000000000000aa-x1");
        let dead = dir.path().join(".tmp-00000000000000bb-x2");
        fs::create_dir(&alive).unwrap();
        fs::create_dir(&dead).unwrap();
        let _lock = store.lock("00000000000000aa", || panic!("nobody else has it")).unwrap();
        assert_eq!(store.dead_folders().unwrap(), vec![dead.clone()]);
        store.remove_dead_folders().unwrap();
        assert!(alive.exists() && !dead.exists());
    }
}
