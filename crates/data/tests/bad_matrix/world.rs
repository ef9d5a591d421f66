//! A small valid raw folder with its cache, of which one file at a time is broken.
use crate::common::{Place, shipped};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use scenarec_data::simulate::{SimulateConfig, simulate};
use scenarec_data::{DatasetConfig, Override, SplitPlan, prepare};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::formats::{self, Format};

/// Lines that are enough of a file that no other refers to.
const LINES: usize = 400;

pub struct World {
    pub place: Place,
    pub config: DatasetConfig,
    pub folder: PathBuf,
    pub files: Vec<&'static str>,
    over: Override,
    /// Names and contents of the files in the cache folder.
    cache: Vec<(String, Vec<u8>)>,
}

impl World {
    /// A shipped dataset, as small as its simulator makes it and with a split that any number of rows has.
    pub fn new(dataset: &str) -> World {
        let config = shipped(dataset);
        let place = Place::empty();
        let folder = place.roots.raw.join(&config.raw);
        let simulator = config.loader.simulator();
        simulate(simulator, smallest(&config), &folder).unwrap();
        for of_simulation in ["click_probability.f32", "simulation.json"] {
            std::fs::remove_file(folder.join(of_simulation)).unwrap();
        }
        let split = Some(SplitPlan::Ratio { train: 0.8, valid: 0.1, test: 0.1, seed: 1 });
        let over = Override { split, ..Override::default() };
        let files = simulator.files();
        let mut world = World { place, config, folder, files, over, cache: Vec::new() };
        world.shorten();
        world.make_cache();
        world
    }

    /// Amazon with files of ratings alone in place of the reviews.
    pub fn amazon_ratings() -> World {
        let mut world = World::new("amazon-5core");
        let in_place_of = |file: &&str| {
            let text = String::from_utf8(world.text(file)).unwrap();
            let ratings: String = text.lines().map(rating).collect();
            std::fs::remove_file(world.folder.join(file)).unwrap();
            let category = file.strip_prefix("reviews_").unwrap().strip_suffix("_5.json.gz").unwrap();
            let name = format!("ratings_{category}.csv");
            std::fs::write(world.folder.join(&name), ratings).unwrap();
            world.config.loader.files().into_iter().find(|own| *own == name).unwrap()
        };
        world.files = world.files.iter().map(in_place_of).collect();
        std::fs::remove_dir_all(&world.place.roots.cache).unwrap();
        world.make_cache();
        world
    }

    fn make_cache(&mut self) {
        let dataset = &self.config.dataset;
        self.prepare().unwrap_or_else(|message| panic!("{dataset} as it should be: {message}"));
        self.cache = self.cached();
        assert_eq!(self.cache.len(), 1, "{}", self.config.dataset);
    }

    fn shorten(&self) {
        for file in &self.files {
            if matches!(formats::of(file), Format::Fields(f) if f.referred) {
                continue;
            }
            let text = self.text(file);
            let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
            // From everywhere in the file, in its order; the first may name the columns.
            let kept: Vec<&[u8]> = lines.iter().step_by(lines.len().div_ceil(LINES)).copied().collect();
            self.write(file, &kept.concat());
        }
    }

    /// What preparing the dataset comes to.
    pub fn prepare(&self) -> Result<(), String> {
        prepare(&self.config, &self.place.roots, &self.over).map(|_| ()).map_err(|e| e.to_string())
    }

    /// A file's text, decompressed where it is compressed.
    pub fn text(&self, file: &str) -> Vec<u8> {
        let bytes = std::fs::read(self.folder.join(file)).unwrap();
        if !file.ends_with(".gz") {
            return bytes;
        }
        let mut text = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
        text
    }

    /// Puts a text into a file, compressed where it should be.
    pub fn write(&self, file: &str, text: &[u8]) {
        let path = self.folder.join(file);
        match file.ends_with(".gz") {
            true => std::fs::write(path, gzip(text)).unwrap(),
            false => std::fs::write(path, text).unwrap(),
        }
    }

    /// The message after `damage` was done to a file, which is then mended; none where the file can be read as it is.
    pub fn message(&self, file: &str, damage: impl FnOnce(&Path)) -> Option<String> {
        let path = self.folder.join(file);
        let aside = self.place.roots.raw.join("aside");
        std::fs::rename(&path, &aside).unwrap();
        std::fs::copy(&aside, &path).unwrap();
        damage(&path);
        let message = self.prepare().err();
        if message.is_some() {
            let intact = self.cached() == self.cache;
            assert!(intact, "{file}: the cache was touched by what ended in: {message:?}");
        } else {
            self.restore_cache();
        }
        match path.symlink_metadata() {
            Ok(m) if m.is_dir() => std::fs::remove_dir(&path).unwrap(),
            Ok(_) => std::fs::remove_file(&path).unwrap(),
            Err(_) => {}
        }
        std::fs::rename(&aside, &path).unwrap();
        message
    }

    fn cached(&self) -> Vec<(String, Vec<u8>)> {
        let read = |name: String| {
            let bytes = std::fs::read(self.place.roots.cache.join(&name)).unwrap();
            (name, bytes)
        };
        self.place.cached().into_iter().map(read).collect()
    }

    fn restore_cache(&self) {
        for name in self.place.cached().iter().filter(|name| **name != self.cache[0].0) {
            std::fs::remove_file(self.place.roots.cache.join(name)).unwrap();
        }
    }
}

/// The line of a review in a file of ratings.
fn rating(review: &str) -> String {
    let value = |key: &str| {
        let start = review.find(&format!("\"{key}\": ")).unwrap() + key.len() + 4;
        let end = start + review[start..].find([',', '}']).unwrap();
        review[start..end].trim_matches('"')
    };
    let [user, item, rating, time] = ["reviewerID", "asin", "overall", "unixReviewTime"].map(value);
    format!("{user},{item},{rating},{time}\n")
}

/// The smallest simulation of a dataset.
fn smallest(config: &DatasetConfig) -> SimulateConfig {
    let simulator = config.loader.simulator();
    let sizes = (7..25).map(|power| simulator.with_rows(config.simulate, 1 << power));
    let mut possible = sizes.filter(|size| simulator.check(*size).is_ok());
    possible.next().unwrap_or_else(|| panic!("{}: no size is possible", config.dataset))
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
