//! `gc`: removes what nothing refers to.
use super::print;
use crate::{
    id,
    recipes::RECIPES,
    roots::Roots,
    spec::Catalog,
    store::{Finished, Store},
};
use anyhow::{Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Shows what nothing refers to, and removes it where `yes`.
pub(super) fn run(roots: &Roots, yes: bool) -> Result<()> {
    let store = Store::open(&roots.runs, &roots.published())?;
    let mut doomed: Vec<(PathBuf, &str)> = Vec::new();
    doomed.extend(store.dead_folders()?.into_iter().map(|p| (p, "left by a killed process")));
    doomed.extend(store.unreadable()?.into_iter().map(|p| (p, "of another version of this program")));
    let (stages, runs): (Vec<Finished>, Vec<Finished>) =
        store.finished(true)?.into_iter().partition(|f| f.job.stage.is_some());
    let catalog = Catalog::open(&roots.configs());
    let mut fingerprints = BTreeMap::new();
    let mut needed = BTreeSet::new();
    for run in runs {
        // What is part of the repository is not ours to remove, nor are its stages kept for it.
        let Some(folder) = &run.folder else { continue };
        if is_current(&run, roots, &catalog, &mut fingerprints)? {
            if let Some(recipe) = RECIPES.iter().find(|r| r.name == run.job.recipe) {
                for stage in (recipe.stages)(&run.job)? {
                    needed.insert(id::of(&stage)?);
                }
            }
        } else {
            doomed.push((folder.clone(), "of older code or data"));
        }
    }
    for stage in stages {
        let Some(folder) = &stage.folder else { continue };
        if !is_current(&stage, roots, &catalog, &mut fingerprints)? {
            doomed.push((folder.clone(), "of older code or data"));
        } else if !needed.contains(&stage.id) {
            doomed.push((folder.clone(), "a stage that no finished run needs"));
        }
    }
    for (id, folder, job) in store.idle_checkpoints()? {
        let finished = store.is_finished(&id);
        let job = job.map(|job| Finished { id, folder: Some(folder.clone()), job });
        let why = match job {
            _ if finished => "checkpoints of a finished run",
            None => "checkpoints of another version of this program",
            Some(job) if !is_current(&job, roots, &catalog, &mut fingerprints)? => {
                "checkpoints of older code or data"
            }
            Some(_) => continue,
        };
        doomed.push((folder, why));
    }
    let mut bytes = 0;
    let mut out = String::new();
    for (path, why) in &doomed {
        let size = size(path);
        bytes += size;
        out += &format!("{:>10}  {} ({why})\n", mebibytes(size), path.display());
        if yes {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    let verb = if yes { "removed" } else { "would be removed; --yes does it" };
    out += &format!("{} folders, {} {verb}\n", doomed.len(), mebibytes(bytes));
    print(&out)
}

/// Whether today's program on today's data would file the job under the same id.
fn is_current(
    f: &Finished,
    roots: &Roots,
    catalog: &Catalog,
    fingerprints: &mut BTreeMap<String, Option<String>>,
) -> Result<bool> {
    // A job of a method that is gone has no id.
    if id::of(&f.job).ok().as_deref() != Some(&f.id) || !catalog.has("dataset", &f.job.dataset.config.dataset)
    {
        return Ok(false);
    }
    let d = &f.job.dataset;
    let key = serde_json::to_string(&(&d.config, &d.quick))?;
    let now = fingerprints.entry(key).or_insert_with(|| {
        scenarec_data::identify(&d.config, &roots.data, &d.quick).ok().map(|i| i.fingerprint)
    });
    // Data that cannot be read at the moment is no reason to throw its results away.
    Ok(now.as_ref().is_none_or(|n| *n == d.fingerprint))
}

fn size(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return fs::metadata(path).map_or(0, |m| m.len()) };
    entries.flatten().map(|e| size(&e.path())).sum()
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
