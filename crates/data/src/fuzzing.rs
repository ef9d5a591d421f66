//! What the fuzz targets call (`docs/fuzzing.md`): one raw file of a small valid set holds any bytes and is loaded, as are dataset
//! files and cache files. An error is fine; a panic is a finding.
use crate::cache::{self, Header};
use crate::raw::{RawFile, RawFiles};
use crate::simulate::{SimulateConfig, simulate};
use crate::view::{Loaded, View};
use crate::{Dataset, DatasetConfig, Loader, Provenance, Result, Rows, Schema, Stored};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folder of a small valid set of raw files.
pub struct Set {
    folder: TempDir,
    config: DatasetConfig,
    /// Names and contents, those with a line per row first.
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Set {
    /// The raw files of a dataset, whose file has this text. `rows` are the names of those with a line per row.
    pub fn new(text: &str, rows: &[&str]) -> Set {
        let config = DatasetConfig::from_text(Path::new("dataset.yaml"), text).expect("a good dataset file");
        let simulator = config.loader.simulator();
        let size = smallest(&config);
        let made = tempfile::tempdir_in(memory()).expect("a folder for the raw files");
        let made = made.path().join("made");
        simulate(simulator, size, &made).expect("a small simulation");
        // As few lines of the files with a line per row as do, so that a load is fast.
        let sets = (3..20).map(|power| Set::of(&config, &made, rows, 1 << power));
        let good = |set: &Set| set.raw().and_then(|raw| set.check(&raw)).is_ok();
        sets.into_iter().find(good).expect("a good set")
    }

    fn of(config: &DatasetConfig, made: &Path, rows: &[&str], most: usize) -> Set {
        let folder = tempfile::tempdir_in(memory()).expect("a folder for the raw files");
        let name = |name: &'static str| {
            let raw = RawFiles::read(made, &[name]).expect("a simulated file");
            let mut bytes = raw.file(name).bytes.clone();
            if rows.contains(&name) {
                let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
                // From everywhere in the file, in its order; the first may name the columns.
                let step = lines.len().div_ceil(most);
                bytes = lines.iter().step_by(step).copied().collect::<Vec<_>>().concat();
            }
            let name = name.strip_suffix(".gz").unwrap_or(name);
            let path = folder.path().join(name);
            if let Some(own) = path.parent() {
                std::fs::create_dir_all(own).expect("a folder for the raw files");
            }
            std::fs::write(path, &bytes).expect("room for the raw files");
            (name, bytes)
        };
        let files: Vec<(&str, Vec<u8>)> = config.loader.simulator().files().into_iter().map(name).collect();
        let mut set = Set { folder, config: config.clone(), files };
        if let Loader::AliCcp(_) = config.loader {
            set.drop_common_rows();
        }
        set
    }

    /// Leaves out what no impression refers to, which is much.
    fn drop_common_rows(&mut self) {
        let field = |line: &[u8], n: usize| line.split(|b| *b == b',').nth(n).map(<[u8]>::to_vec);
        for (samples, common) in [(0, 2), (1, 3)] {
            let referred: Vec<Vec<u8>> =
                self.files[samples].1.split(|b| *b == b'\n').filter_map(|line| field(line, 3)).collect();
            let (name, bytes) = &mut self.files[common];
            let lines = bytes.split_inclusive(|b| *b == b'\n');
            let kept = lines.filter(|line| field(line, 0).is_some_and(|index| referred.contains(&index)));
            *bytes = kept.collect::<Vec<_>>().concat();
            std::fs::write(self.folder.path().join(name), bytes).expect("room for the raw files");
        }
    }

    /// The files' names and contents.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (*name, &bytes[..]))
    }

    /// Loads the set, the file at this place with other content.
    pub fn load(&self, file: usize, content: &[u8]) {
        let (name, _) = self.files[file];
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("room for the raw files");
        let _ = self.raw().and_then(|raw| self.check(&raw));
        std::fs::write(&path, &self.files[file].1).expect("room for the raw files");
    }

    fn raw(&self) -> Result<RawFiles> {
        self.config.loader.format().raw_files(self.folder.path())
    }

    /// What `prepare` does, without a cache.
    fn check(&self, raw: &RawFiles) -> Result<()> {
        let good = |schema: &Schema, rows: &Rows| {
            schema.validate().expect("a schema that fits itself");
            crate::rows::check(schema, &rows.columns, rows.len()).expect("columns that fit the schema");
            let lengths = [rows.time.as_ref().map(Vec::len), rows.session.as_ref().map(Vec::len)];
            assert!(lengths.into_iter().flatten().all(|n| n == rows.len()));
            assert!(rows.labels.iter().all(|l| l.len() == rows.len() && l.iter().all(|l| *l < 2)));
            assert!(rows.scenario.iter().all(|s| usize::from(*s) < schema.scenarios.len()));
        };
        match self.config.loader.format().load(raw)? {
            Loaded::View(View { schema, rows, chosen, .. }) => {
                good(&schema, &rows);
                assert!(chosen.is_none_or(
                    |c| c.rows.len() == rows.len() && c.rows.iter().all(|r| (*r as usize) < c.of)
                ));
                let data = Dataset::new(header(schema), rows);
                let _ = self.config.split.apply(&data);
            }
            Loaded::Stream(stream) => {
                let (schema, of) = (stream.schema.clone(), stream.of);
                (stream.rows)(&mut |rows, chosen| {
                    good(&schema, &rows);
                    assert!(chosen.len() == rows.len() && chosen.iter().all(|r| (*r as usize) < of));
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// KuaiRand's tables of users and videos, over which the simulator makes logs.
pub fn load_tables(text: &str, users: &[u8], videos: &[u8]) {
    let config = DatasetConfig::from_text(Path::new("dataset.yaml"), text).expect("a good dataset file");
    let simulator = config.loader.simulator();
    let [users, videos] = [(0, users), (1, videos)].map(|(place, bytes)| {
        let name = simulator.tables()[place].to_string();
        RawFile { path: name.clone().into(), name, bytes: bytes.to_vec() }
    });
    let [n, m] = [&users, &videos].map(RawFile::rows_below_header);
    let size = SimulateConfig { users: n, items: m, rows: 1000, seed: 1 };
    if simulator.check(size).is_ok() {
        let _ = simulator.over_tables(size, &RawFiles::of(vec![users, videos]));
    }
}

/// Reads a dataset file.
pub fn dataset_file(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        let _ = DatasetConfig::from_text(Path::new("dataset.yaml"), text).map_err(|e| e.to_string());
    }
}

fn header(schema: Schema) -> Header {
    Header {
        name: "fuzzed".into(),
        provenance: Provenance::Simulated,
        note: String::new(),
        fingerprint: FINGERPRINT.into(),
        schema,
        item_vocabulary: None,
    }
}

const FINGERPRINT: &str = "0123456789abcdef";

/// A cache file of a small dataset.
pub fn small_cache(set: &Set) -> Vec<u8> {
    let raw = set.raw().expect("the files that were just written");
    let Ok(Loaded::View(view)) = set.config.loader.format().load(&raw) else {
        panic!("rows that are streamed")
    };
    let path = set.folder.path().join("cache");
    cache::write(header(view.schema), &view.rows, &path).expect("room for a cache");
    std::fs::read(path).expect("the file that was just written")
}

/// Reads a cache file with this content, as it is and with a checksum of its footer that fits it.
pub fn cache_file(set: &Set, content: &[u8]) {
    let path = set.folder.path().join("cache");
    std::fs::write(&path, content).expect("room for a cache");
    let _ = Stored::open(&path, FINGERPRINT).map_err(|e| e.to_string());
    let _ = Stored::fuzz(&path, FINGERPRINT).map_err(|e| e.to_string());
}

/// Where files are in memory.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn smallest(config: &DatasetConfig) -> SimulateConfig {
    let simulator = config.loader.simulator();
    let mut sizes = (7..25).map(|power| simulator.with_rows(config.simulate, 1 << power));
    sizes.find(|size| simulator.check(*size).is_ok()).expect("a size that is possible")
}
