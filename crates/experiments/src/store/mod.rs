//! Finished runs and stages on disk. A folder appears complete or not at all: it is written under another name and
//! renamed.
//!
//! ```text
//! runs/<id>/           job.json  environment.json  log.txt  measures.jsonl, curves.jsonl of a run that trains, and
//!                      points.csv of a run that makes points
//! runs/stages/<id>/    the same, and the stage's own files
//! runs/.tmp-<id>-xxxx  being written; removed at the next start where its process is dead
//! runs/.checkpoints/<id>/   what a run or stage that is not finished goes on from; removed when it is, or at the next
//!                           start where its process died in between
//! runs/.locks/<id>.lock, runs/.logs/<id>.log, runs/.failed/<id>.json
//! ```
mod points;
mod published;

pub use points::Cloud;

use crate::{environment::Environment, id, job::Job, spec::Best};
use anyhow::{Context, Result};
use published::{Published, PublishedRun};
use scenarec_train::{CURVES, Epoch, Measure, checkpoint::ABOUT};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

/// Folder of the checkpoints.
const CHECKPOINTS: &str = ".checkpoints";

/// Finished work: that of this checkout, and what is part of the repository.
#[derive(Clone, Debug)]
pub struct Store {
    runs: PathBuf,
    published: Published,
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

/// A finished run or stage.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its id.
    pub id: String,
    /// Its folder; none where it is part of the repository.
    pub folder: Option<PathBuf>,
    /// Its settings.
    pub job: Job,
}

impl Store {
    /// Opens `runs` (made where it does not exist) and the folder of the runs that are part of the repository.
    pub fn open(runs: &Path, published: &Path) -> Result<Self> {
        Ok(Self { published: Published::open(published)?, ..Self::of_this_checkout(runs)? })
    }

    /// The same without the runs that are part of the repository.
    pub fn of_this_checkout(runs: &Path) -> Result<Self> {
        for folder in ["stages", ".locks", ".logs", ".failed"] {
            let folder = runs.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(Self { runs: runs.into(), published: Published::default() })
    }

    /// The folder of runs.
    pub fn runs(&self) -> &Path {
        &self.runs
    }

    /// Where a run or stage lies when it is finished.
    pub fn folder(&self, id: &str, is_stage: bool) -> PathBuf {
        if is_stage { self.runs.join("stages").join(id) } else { self.runs.join(id) }
    }

    /// The folder of a finished shared stage.
    pub fn stage(&self, id: &str) -> Option<PathBuf> {
        Some(self.folder(id, true)).filter(|f| f.join("job.json").is_file())
    }

    /// Whether a run or stage is finished.
    pub fn has(&self, id: &str, is_stage: bool) -> bool {
        self.folder(id, is_stage).join("job.json").is_file()
            || (!is_stage && self.published.get(id).is_some())
    }

    /// Whether `id` is that of a finished run or of a finished stage.
    pub fn is_finished(&self, id: &str) -> bool {
        [false, true].into_iter().any(|is_stage| self.has(id, is_stage))
    }

    /// The log of the process that works on `id`.
    pub fn log(&self, id: &str) -> PathBuf {
        self.runs.join(".logs").join(format!("{id}.log"))
    }

    /// Where a run or stage keeps its checkpoints.
    pub fn checkpoints(&self, id: &str) -> PathBuf {
        self.runs.join(CHECKPOINTS).join(id)
    }

    /// Removes the checkpoints of a run or stage, where there are any.
    pub fn remove_checkpoints(&self, id: &str) -> Result<()> {
        remove(&self.checkpoints(id))
    }

    /// Checkpoints that no process uses at the moment, with the job that goes on from them, where this program can read
    /// it.
    pub fn idle_checkpoints(&self) -> Result<Vec<(String, PathBuf, Option<Job>)>> {
        let all = entries(&self.runs.join(CHECKPOINTS))?.into_iter();
        let idle = all.filter(|(id, _)| self.try_lock(id).is_some());
        Ok(idle.map(|(id, path)| (id, path.clone(), read_json(&path.join(ABOUT)))).collect())
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

    /// Removes what dead processes left behind: folders half-written, and checkpoints of what is finished.
    pub fn remove_leftovers(&self) -> Result<()> {
        for (name, path) in entries(&self.runs)? {
            let Some(rest) = name.strip_prefix(".tmp-") else { continue };
            // The lock is held while the folder goes: no worker can start to fill it.
            if let Some(_lock) = self.try_lock(rest.split('-').next().unwrap_or_default()) {
                remove(&path)?;
            }
        }
        for (id, path) in entries(&self.runs.join(CHECKPOINTS))? {
            if self.is_finished(&id)
                && let Some(_lock) = self.try_lock(&id)
            {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// The numbers of a run or stage, once it is finished.
    pub fn measures(&self, id: &str, is_stage: bool) -> Result<Option<Vec<Measure>>> {
        let own = self.folder(id, is_stage);
        if own.join("job.json").is_file() {
            return read_measures(&own).map(Some);
        }
        let published = self.published.get(id).filter(|_| !is_stage);
        published.map(PublishedRun::measures).transpose()
    }

    /// The learning curves of a run or stage of this checkout, once it is finished.
    pub fn curves(&self, id: &str, is_stage: bool) -> Result<Option<Vec<Epoch>>> {
        let own = self.folder(id, is_stage);
        let path = own.join(CURVES);
        (own.join("job.json").is_file() && path.is_file()).then(|| read_lines(&path)).transpose()
    }

    /// Where and with what a run or stage was executed, once it is finished. None too where the file was removed: it says how
    /// numbers came about and is none of them.
    pub fn environment(&self, id: &str, is_stage: bool) -> Result<Option<Environment>> {
        let own = self.folder(id, is_stage);
        if own.join("job.json").is_file() {
            let path = own.join("environment.json");
            if !path.exists() {
                return Ok(None);
            }
            let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let of = serde_json::from_slice(&text);
            return of.map(Some).with_context(|| format!("{}: no environment", path.display()));
        }
        let published = self.published.get(id).filter(|_| !is_stage);
        published.map(PublishedRun::environment).transpose()
    }

    /// The points that a run made for a scatter plot, once it is finished; none where it makes none.
    pub fn points(&self, id: &str) -> Result<Option<Vec<Cloud>>> {
        let own = self.folder(id, false);
        if own.join("job.json").is_file() {
            return points::read(&own);
        }
        Ok(self.published.get(id).map(PublishedRun::points).transpose()?.flatten())
    }

    /// What a search's trial is worth, once all its runs are finished.
    pub fn score(&self, best: &Best, jobs: &[Job]) -> Result<Option<f64>> {
        let mut runs = Vec::new();
        for job in jobs {
            let Some(measures) = self.measures(&id::of(job)?, false)? else { return Ok(None) };
            runs.push(measures);
        }
        best.score(&runs).map(Some)
    }

    /// Everything finished, stages included where asked for. What older programs wrote and this one cannot read is left
    /// out.
    pub fn finished(&self, stages: bool) -> Result<Vec<Finished>> {
        let mut folders = vec![self.runs.clone()];
        if stages {
            folders.push(self.runs.join("stages"));
        }
        let mut all = Vec::new();
        for folder in folders {
            for (id, path) in entries(&folder)?.into_iter().filter(|(name, _)| is_id(name)) {
                if let Some(job) = read_job(&path) {
                    all.push(Finished { id, folder: Some(path), job });
                }
            }
        }
        for run in self.published.runs() {
            if let Some(job) = run.job() {
                all.push(Finished { id: run.id.clone(), folder: None, job });
            }
        }
        Ok(all)
    }

    /// Folders under `runs/` whose job this program cannot read.
    pub fn unreadable(&self) -> Result<Vec<PathBuf>> {
        let mut all = Vec::new();
        for folder in [self.runs.clone(), self.runs.join("stages")] {
            let ids = entries(&folder)?.into_iter().filter(|(name, _)| is_id(name));
            all.extend(ids.map(|(_, path)| path).filter(|path| read_job(path).is_none()));
        }
        Ok(all)
    }

    /// Copies finished runs on data that is not simulated into the repository, to the file `<stem>.jsonl`, in place of
    /// older ones of the same settings; returns how many.
    pub fn publish<'a>(&mut self, stem: &str, ids: impl Iterator<Item = &'a str>) -> Result<usize> {
        let mut new = Vec::new();
        for id in ids {
            let folder = self.folder(id, false);
            if !folder.join("job.json").is_file() || self.published.get(id).is_some() {
                continue;
            }
            let run = PublishedRun::read(id, &folder)?;
            if run.measures()?.iter().all(|m| m.provenance != "simulated") {
                new.push(run);
            }
        }
        let n = new.len();
        if n > 0 {
            self.published.add(stem, new)?;
        }
        Ok(n)
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

/// Removes a folder, where it exists.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn is_id(name: &str) -> bool {
    name.len() == id::DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The settings of the finished run or stage in a folder, where this program can read them.
fn read_job(folder: &Path) -> Option<Job> {
    read_json(&folder.join("job.json"))
}

fn read_json(path: &Path) -> Option<Job> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn read_measures(folder: &Path) -> Result<Vec<Measure>> {
    read_lines(&folder.join("measures.jsonl"))
}

/// A file's lines, an object of JSON each.
fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let broken = |i: usize| format!("{}:{}: not a line of this program", path.display(), i + 1);
    text.lines().enumerate().map(|(i, line)| serde_json::from_str(line).with_context(|| broken(i))).collect()
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

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &dir.path().join("none")).unwrap();
        (dir, store)
    }

    #[test]
    fn only_folders_of_dead_processes_go() {
        let (dir, store) = store();
        let alive = dir.path().join(".tmp-00000000000000aa-x1");
        let dead = dir.path().join(".tmp-00000000000000bb-x2");
        fs::create_dir(&alive).unwrap();
        fs::create_dir(&dead).unwrap();
        let _lock = store.lock("00000000000000aa", || panic!("nobody else has it")).unwrap();
        assert_eq!(store.dead_folders().unwrap(), vec![dead.clone()]);
        store.remove_leftovers().unwrap();
        assert!(alive.exists() && !dead.exists());
    }

    /// A process may be killed when its run is in its place and its checkpoints are not yet removed.
    #[test]
    fn only_checkpoints_of_what_is_finished_go() {
        let (_dir, store) = store();
        let ids = ["00000000000000aa", "00000000000000bb", "00000000000000cc", "00000000000000dd"];
        let [run, stage, locked, _] = ids;
        for (id, is_stage) in [(run, false), (stage, true), (locked, false)] {
            fs::create_dir(store.folder(id, is_stage)).unwrap();
            fs::write(store.folder(id, is_stage).join("job.json"), "{}").unwrap();
        }
        for id in ids {
            fs::create_dir_all(store.checkpoints(id)).unwrap();
            fs::write(store.checkpoints(id).join("000.safetensors"), "").unwrap();
        }
        let _lock = store.lock(locked, || panic!("nobody else has it")).unwrap();
        store.remove_leftovers().unwrap();
        assert_eq!(ids.map(|id| store.checkpoints(id).exists()), [false, false, true, true]);
        assert!(store.has(run, false) && store.has(stage, true));
    }
}
