//! Raw folders and dataset files for tests.
use scenarec_data::{Column, Dataset, DatasetConfig, Error, Override, Prepared, Roots, prepare};
use std::path::{Path, PathBuf};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A dataset file of this repository.
pub fn shipped(name: &str) -> DatasetConfig {
    DatasetConfig::from_file(repository().join("configs/datasets").join(name).with_extension("yaml")).unwrap()
}

/// A dataset over the fixtures, `layout` 1m or 100k.
pub fn config(layout: &str) -> DatasetConfig {
    config_with(layout, "split: { plan: cold_item, threshold: 7, k: 1 }")
}

pub fn config_with(layout: &str, split: &str) -> DatasetConfig {
    let text = format!(
        "dataset: fixture\nloader: movielens\nlayout: {layout}\nraw: movielens-{layout}\npositive_from: 4\n\
         count: all\nprovenance: approximated\n{split}\n\
         simulate: {{ users: 60, items: 100, ratings: 1500, seed: 1 }}\nfitted_on: all\n"
    );
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text).unwrap()
}

/// The raw folder of the fixtures of a loader without layouts, `taobao_ad` or `cikm_ecomm`.
pub fn shop_folder(loader: &str) -> &'static str {
    match loader {
        "taobao_ad" => "taobao-ad",
        "cikm_ecomm" => "cikm2019-ecomm",
        _ => panic!("{loader} has no fixtures"),
    }
}

/// A dataset over the fixtures of such a loader.
pub fn shop(loader: &str) -> DatasetConfig {
    shop_with(loader, "count: all\nsplit: { plan: cold_item, threshold: 7, k: 1 }")
}

pub fn shop_with(loader: &str, more: &str) -> DatasetConfig {
    let text = format!(
        "dataset: fixture\nloader: {loader}\nraw: {}\nprovenance: approximated\n{more}\n\
         simulate: {{ users: 60, items: 50, rows: 1500, seed: 1 }}\nfitted_on: all\n",
        shop_folder(loader)
    );
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text).unwrap()
}

/// An id column.
pub fn ids<'a>(data: &'a Dataset, name: &str) -> &'a [u32] {
    match data.column(name) {
        Some(Column::Id(v)) => v,
        other => panic!("{name}: {other:?}"),
    }
}

/// A column of real numbers.
pub fn reals<'a>(data: &'a Dataset, name: &str) -> &'a [f32] {
    match data.column(name) {
        Some(Column::Real(v)) => v,
        other => panic!("{name}: {other:?}"),
    }
}

/// The columns, which are in memory.
pub fn columns(data: &Dataset) -> &[Column] {
    data.resident().expect("columns in memory")
}

/// That columns and schema fit each other.
pub fn check_ids(data: &Dataset) {
    data.schema.validate().unwrap();
    for (field, column) in data.schema.fields.iter().zip(columns(data)) {
        assert_eq!(column.rows(), data.rows(), "{}", field.name);
        let values = match column {
            Column::Id(v) | Column::Ragged { values: v, .. } => v,
            Column::Sequence(s) => {
                let ends = s.spans.start.iter().zip(&s.spans.end);
                assert!(ends.clone().all(|(start, end)| start <= end), "{}", field.name);
                assert!(ends.clone().all(|(_, end)| *end as usize <= s.tokens.len()), "{}", field.name);
                &s.tokens.values
            }
            Column::Real(v) => {
                assert!(v.iter().all(|x| (0.0..=1.0).contains(x)), "{}", field.name);
                continue;
            }
        };
        let rows = data.schema.table(field.table.as_ref().unwrap()).unwrap().1.rows;
        assert!(values.iter().all(|i| (*i as usize) < rows), "{}", field.name);
    }
}

/// Names and rows of the id tables.
pub fn tables(data: &Dataset) -> Vec<(&str, usize)> {
    data.schema.tables.iter().map(|t| (t.name.as_str(), t.rows)).collect()
}

/// Puts another line in place of line `n` (from 1). The text is written in Latin-1.
pub fn line(n: usize, text: &str) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |bytes| {
        let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        lines[n - 1] = text.chars().map(|c| c as u8).collect();
        lines.join(&b'\n')
    }
}

/// The message after `edit` was applied to a fixture file, without the folder.
pub fn message(config: &DatasetConfig, file: &str, edit: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let place = Place::new();
    let folder = place.roots.raw.join(&config.raw);
    let path = folder.join(file);
    std::fs::write(&path, edit(std::fs::read(&path).unwrap())).unwrap();
    let message = place.prepare(config).unwrap_err().to_string();
    let folder = format!("{}/", folder.display());
    message.strip_prefix(&folder).unwrap_or_else(|| panic!("no path in {message}")).to_string()
}

/// Copies what is in a folder into another one.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = entry.map(|e| (e.path(), to.join(e.file_name()))).unwrap();
        if from.is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

/// A raw root and a cache root of their own; removed in the end.
pub struct Place {
    _folder: tempfile::TempDir,
    pub roots: Roots,
}

impl Place {
    pub fn empty() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots { raw: folder.path().join("raw"), cache: folder.path().join("cache") };
        std::fs::create_dir(&roots.raw).unwrap();
        Place { _folder: folder, roots }
    }

    /// With the fixtures in the raw root.
    pub fn new() -> Place {
        let place = Place::empty();
        copy(&repository().join("data/fixtures"), &place.roots.raw);
        place
    }

    pub fn raw(&self, layout: &str, file: &str) -> PathBuf {
        self.roots.raw.join(format!("movielens-{layout}")).join(file)
    }

    pub fn prepare(&self, config: &DatasetConfig) -> Result<Prepared, Error> {
        prepare(config, &self.roots, &Override::default())
    }

    /// Names of the files in the cache root.
    pub fn cached(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.roots.cache).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        // Notes about raw files come when these have not changed for some seconds.
        let mut names: Vec<String> = names.filter(|name| !name.starts_with(".raw-")).collect();
        names.sort();
        names
    }
}
