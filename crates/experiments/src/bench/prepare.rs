//! A dataset made from its raw files.
use super::Figure;
use crate::spec::{Catalog, Changes};
use anyhow::{Context, Result};
use scenarec_data::{Override, Roots, prepare};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, absolute},
    time::Instant,
};

/// Seconds from the raw files in a folder to columns, splits and a cache, which is made beside the others and removed.
pub fn measure(dataset: &str, files: &Path, cache: &Path, catalog: &Catalog) -> Result<Figure> {
    let config = catalog.dataset(dataset, &Changes::default())?;
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let folder = tempfile::tempdir_in(cache).context("no room for a cache")?;
    let roots = Roots { raw: folder.path().join("raw"), cache: folder.path().join("cache") };
    let place = roots.raw.join(&config.raw);
    fs::create_dir_all(place.parent().unwrap_or(&roots.raw))?;
    symlink(absolute(files)?, &place).with_context(|| format!("cannot link {}", files.display()))?;
    let start = Instant::now();
    prepare(&config, &roots, &Override::default())?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Figure { seconds: Some(seconds), peak_rss_bytes: crate::engine::peak_rss(), ..Figure::default() })
}
