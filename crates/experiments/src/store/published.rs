//! Finished runs that are part of the repository: `docs/results/<table>.jsonl`, a line per run.
use super::points::{self, Cloud};
use crate::{atomic::AtomicFile, environment::Environment, id, job::Job};
use anyhow::{Context, Result};
use scenarec_train::Measure;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A line. Its parts stay text until they are asked for: a plan looks at the ids only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PublishedRun {
    /// The run's id.
    pub id: String,
    job: Box<RawValue>,
    environment: Box<RawValue>,
    measures: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    points: Option<Box<RawValue>>,
}

impl PublishedRun {
    /// The finished run in `folder`.
    pub fn read(id: &str, folder: &Path) -> Result<Self> {
        let json = |file: &str| {
            let path = folder.join(file);
            let value: serde_json::Value = serde_json::from_slice(&read(&path)?)
                .with_context(|| format!("{}: not JSON", path.display()))?;
            anyhow::Ok(serde_json::value::to_raw_value(&value)?)
        };
        let (job, environment) = (json("job.json")?, json("environment.json")?);
        let measures = serde_json::value::to_raw_value(&super::read_measures(folder)?)?;
        let points = points::read(folder)?.map(points::rounded);
        let points = points.map(|p| serde_json::value::to_raw_value(&p)).transpose()?;
        Ok(Self { id: id.into(), job, environment, measures, points })
    }

    /// Its settings; none where an older program wrote them and this one cannot read them.
    pub fn job(&self) -> Option<Job> {
        serde_json::from_str(self.job.get()).ok()
    }

    /// The points that it made, where it makes some.
    pub fn points(&self) -> Result<Option<Vec<Cloud>>> {
        let points = self.points.as_ref().map(|p| serde_json::from_str(p.get()));
        points.transpose().with_context(|| format!("the published run {} has broken points", self.id))
    }

    /// Where and with what it was executed.
    pub fn environment(&self) -> Result<Environment> {
        serde_json::from_str(self.environment.get())
            .with_context(|| format!("the published run {} has a broken environment", self.id))
    }

    /// Its numbers.
    pub fn measures(&self) -> Result<Vec<Measure>> {
        serde_json::from_str(self.measures.get())
            .with_context(|| format!("the published run {} has broken measures", self.id))
    }
}

/// All files together.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    folder: PathBuf,
    /// File -> its runs. A run that several tables show lies in one of their files.
    files: Arc<BTreeMap<PathBuf, Vec<PublishedRun>>>,
}

impl Published {
    /// Reads the files of `folder`; there may be none.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for (name, path) in super::entries(folder)? {
            if name.ends_with(".jsonl") {
                files.insert(path.clone(), lines(&path)?);
            }
        }
        Ok(Self { folder: folder.into(), files: Arc::new(files) })
    }

    /// All runs.
    pub fn runs(&self) -> impl Iterator<Item = &PublishedRun> {
        self.files.values().flatten()
    }

    /// The run with this id.
    pub fn get(&self, id: &str) -> Option<&PublishedRun> {
        self.runs().find(|r| r.id == id)
    }

    /// Adds runs to the file `<stem>.jsonl`. Older runs that answer the same questions go, whatever file they are in.
    pub fn add(&mut self, stem: &str, new: Vec<PublishedRun>) -> Result<()> {
        let question = |run: &PublishedRun| run.job().map(|job| id::question(&job)).transpose();
        let answered: BTreeSet<String> =
            new.iter().map(question).filter_map(Result::transpose).collect::<Result<_>>()?;
        let place = self.folder.join(format!("{stem}.jsonl"));
        let files = Arc::make_mut(&mut self.files);
        files.entry(place.clone()).or_default();
        for (path, runs) in files {
            let before = runs.len();
            let mut kept = Vec::new();
            for run in runs.drain(..) {
                if !question(&run)?.is_some_and(|q| answered.contains(&q)) {
                    kept.push(run);
                }
            }
            *runs = kept;
            if *path == place {
                runs.extend(new.iter().cloned());
            } else if runs.len() == before {
                continue;
            }
            write(path, runs)?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn lines(path: &Path) -> Result<Vec<PublishedRun>> {
    let broken = |i: usize| format!("{}:{}: not a published run", path.display(), i + 1);
    let text = String::from_utf8(read(path)?).with_context(|| format!("{}: not UTF-8", path.display()))?;
    text.lines().enumerate().map(|(i, line)| serde_json::from_str(line).with_context(|| broken(i))).collect()
}

fn write(path: &Path, runs: &[PublishedRun]) -> Result<()> {
    if runs.is_empty() {
        return fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()));
    }
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut text = String::new();
    for run in runs {
        text += &serde_json::to_string(run)?;
        text.push('\n');
    }
    let file = AtomicFile::begin(path)?;
    fs::write(file.temporary(), text).with_context(|| format!("cannot write {}", path.display()))?;
    file.finish()
}
