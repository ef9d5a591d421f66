//! Raw folders and dataset files for tests.
use scenarec_data::{DatasetConfig, Error, Override, Prepared, Roots, prepare};
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
         simulate: {{ users: 60, items: 100, ratings: 1500, seed: 1 }}\n"
    );
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text).unwrap()
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
        for folder in ["movielens-1m", "movielens-100k"] {
            let to = place.roots.raw.join(folder);
            std::fs::create_dir(&to).unwrap();
            for file in std::fs::read_dir(repository().join("data/fixtures").join(folder)).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
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
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
