//! From a dataset file to columns and row lists.
use crate::cache::{Header, Writer};
use crate::identity::{Identity, Material};
use crate::ids::counts;
use crate::loader::CountRows;
use crate::raw::RawFiles;
use crate::view::{Loaded, View, gather, min_max};
use crate::{
    Column, Columns, Dataset, DatasetConfig, Error, Memory, Override, Result, Roots, Rows, Schema, Splits,
    Stored, Streamed, cache, leaks,
};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A dataset and its row lists.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The columns.
    pub dataset: Dataset,
    /// The row lists of the dataset's split plan.
    pub splits: Splits,
}

/// Loads a dataset and splits it: from the cache where that is current, else from the raw files, which are simulated
/// first where the raw folder is absent. Of a dataset that is too large to be held in memory the columns stay in the cache
/// ([`Memory`]).
///
/// # Errors
/// Raw files that are missing, cannot be read or are not in the official format (file, line and column); a split that cannot
/// keep its promise; a field that tells a label; changes to a dataset that is not simulated; a cache that cannot be written.
///
/// # Panics
/// Where another program removes the cache file in the moment in which it has been written.
pub fn prepare(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<Prepared> {
    let (material, identity) = Material::of(config, roots, over)?;
    let path = cache_path(config, roots, &identity);
    let open = || match Stored::open(&path, &identity.fingerprint)? {
        Some(stored) => dataset(config, stored, None).map(Some),
        None => Ok(None),
    };
    let cached = open().unwrap_or_else(|e| {
        tracing::warn!("{e}; it is made anew");
        None
    });
    let current = cached.is_some();
    let mut dataset = match cached {
        Some(dataset) => dataset,
        None => {
            let _alone = Lock::wait(&path)?;
            // Another process may have made it meanwhile.
            match open().ok().flatten() {
                Some(dataset) => dataset,
                None => {
                    let rows = build(config, material.files(config, roots)?, identity.clone(), &path)?;
                    let stored = Stored::open(&path, &identity.fingerprint)?;
                    dataset(config, stored.expect("a cache that was just written"), rows)?
                }
            }
        }
    };
    let split = over.split.as_ref().unwrap_or(&config.split);
    let checked = split.apply(&dataset).and_then(|splits| {
        if config.loader.count() == Some(CountRows::TrainOnly) {
            count_training_rows(&mut dataset, &splits);
        }
        if !current {
            leaks::check(config, &dataset, &splits)?;
        }
        Ok(splits)
    });
    let splits = checked.inspect_err(|_| {
        // A cache that is there passes for one whose split and fields are right.
        let _ = std::fs::remove_file(&path);
    })?;
    Ok(Prepared { dataset, splits })
}

/// Fills the cache, so that [`prepare`] finds it. Where it is current its rows are not read.
///
/// # Errors
/// As [`prepare`].
///
/// # Panics
/// As [`prepare`].
pub fn fill_cache(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<()> {
    let (_, identity) = Material::of(config, roots, over)?;
    let current = Stored::open(&cache_path(config, roots, &identity), &identity.fingerprint);
    if matches!(current, Ok(Some(_))) { Ok(()) } else { prepare(config, roots, over).map(drop) }
}

/// Held by the one process that makes a cache file; the others wait for it, then find the file.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn wait(cache: &Path) -> Result<Lock> {
        let folder = cache.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "cannot make the cache folder"))?;
        let name = cache.file_stem().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!(".{name}.lock"));
        let file = File::create(&path).map_err(Error::io(&path, "cannot make the lock file"))?;
        if file.try_lock().is_err() {
            tracing::info!("waiting for another process that makes {}", cache.display());
            file.lock().map_err(Error::io(&path, "cannot lock"))?;
        }
        Ok(Lock { path, _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who waits for it holds the same file, which has no name any more, and will find the cache.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The dataset of a cache file, whose rows may be at hand.
fn dataset(config: &DatasetConfig, stored: Stored, rows: Option<Rows>) -> Result<Dataset> {
    let header = stored.header().clone();
    let size = stored.size();
    let streamed = match config.memory {
        Memory::Auto => size > Memory::RESIDENT,
        Memory::Resident => false,
        Memory::Streamed => true,
    };
    if !streamed {
        return Ok(Dataset::new(header, rows.map_or_else(|| stored.all(), Ok)?));
    }
    tracing::info!(
        "{}: {:.1} GiB of columns stay in the cache file, of which row groups are read as they are needed",
        config.dataset,
        size as f64 / f64::from(1u32 << 30)
    );
    let mut dataset = Dataset::new(header, stored.about_rows()?);
    let items = dataset.schema.item_id.as_ref().and_then(|name| dataset.schema.field(name)).map(|f| f.0);
    let resident = items.map(|at| Ok((at, Column::Id(stored.ids(&dataset.schema.fields[at].name)?))));
    dataset.columns =
        Columns::Streamed(Arc::new(Streamed::new(stored, resident.into_iter().collect::<Result<_>>()?)));
    Ok(dataset)
}

/// Where the cache of a dataset lies.
fn cache_path(config: &DatasetConfig, roots: &Roots, identity: &Identity) -> PathBuf {
    roots.cache.join(format!("{}-{}.parquet", config.dataset, &identity.fingerprint[..16]))
}

/// Writes the cache file of a dataset; its rows, unless they went there as they came.
fn build(config: &DatasetConfig, raw: RawFiles, identity: Identity, path: &Path) -> Result<Option<Rows>> {
    let header = |schema: Schema, item_vocabulary: Option<Vec<usize>>| Header {
        name: config.dataset.clone(),
        provenance: identity.provenance,
        note: identity.note.clone(),
        fingerprint: identity.fingerprint.clone(),
        schema,
        item_vocabulary,
    };
    let View { schema, mut rows, item_vocabulary, chosen } = match config.loader.format().load(&raw)? {
        Loaded::View(view) => view,
        Loaded::Stream(stream) => {
            let probabilities = raw.probabilities(stream.of)?;
            let mut writer = Writer::new(path, header(stream.schema, None))?;
            (stream.rows)(&mut |mut rows, chosen| {
                rows.click_probability = probabilities.as_ref().map(|p| gather(p, chosen));
                writer.append(&rows)
            })?;
            writer.finish()?;
            return Ok(None);
        }
    };
    let probabilities = raw.probabilities(chosen.as_ref().map_or(rows.len(), |c| c.of))?;
    rows.click_probability = match &chosen {
        Some(chosen) => probabilities.map(|p| gather(&p, &chosen.rows)),
        None => probabilities,
    };
    drop(raw); // Writing the cache takes memory of its own.
    cache::write(header(schema, item_vocabulary), &rows, path)?;
    Ok(Some(rows))
}

/// The feature `count` over the rows that a model may have seen: an item's popularity among rows to be predicted is
/// not known beforehand. Scaled as before.
fn count_training_rows(data: &mut Dataset, splits: &Splits) {
    let items = data.item_ids().to_vec();
    let known = splits.parts.iter().filter(|p| p.0 != "valid" && p.0 != "test").flat_map(|p| &p.1);
    let known: Vec<u32> = known.map(|r| items[*r as usize]).collect();
    let count = counts(&known, items.iter().max().map_or(0, |m| *m as usize + 1));
    let scaled = min_max(items.iter().map(|i| f64::from(count[*i as usize])));
    let (at, _) = data.schema.field("count").expect("a field of every loader with this key");
    data.replace(at, Column::Real(scaled));
}
