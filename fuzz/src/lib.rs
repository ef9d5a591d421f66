//! What the targets share: small sets of raw files, of which one holds what the fuzzer makes up.
use scenarec_data::fuzzing::Set;
use std::path::Path;

/// A dataset file's text, and which of its raw files have a line per row.
pub type Dataset = (&'static str, &'static [&'static str]);

/// A dataset file of this repository.
#[macro_export]
macro_rules! dataset {
    ($name:literal $(, $rows:literal)*) => {
        (include_str!(concat!("../../configs/datasets/", $name, ".yaml")), &[$($rows),*])
    };
}

/// A target whose first byte chooses a raw file of one of the datasets, which the other bytes are put into.
#[macro_export]
macro_rules! raw_files {
    ($target:literal: $($dataset:expr),+ $(,)?) => {
        static SETS: std::sync::LazyLock<Vec<scenarec_data::fuzzing::Set>> =
            std::sync::LazyLock::new(|| $crate::sets($target, &[$($dataset),+]));

        libfuzzer_sys::fuzz_target!(init: std::sync::LazyLock::force(&SETS), |data: &[u8]| {
            if let Some((file, content)) = data.split_first() {
                $crate::load(&SETS, usize::from(*file), content);
            }
        });
    };
}

/// The sets; their files are the target's first inputs.
pub fn sets(target: &str, datasets: &[Dataset]) -> Vec<Set> {
    let sets: Vec<Set> = datasets.iter().map(|(text, rows)| Set::new(text, rows)).collect();
    let files = sets.iter().flat_map(Set::files);
    for (place, (name, bytes)) in files.enumerate() {
        let place = u8::try_from(place).expect("few files");
        // Some lines are enough.
        let end = bytes
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b'\n')
            .nth(7)
            .map_or(bytes.len(), |(at, _)| at + 1);
        seed(target, &format!("{place}-{}", name.replace('/', "-")), &[&[place], &bytes[..end]].concat());
        if end < bytes.len() {
            seed(target, &format!("{place}-{}-whole", name.replace('/', "-")), &[&[place], bytes].concat());
        }
    }
    sets
}

/// Writes an input to the target's corpus.
pub fn seed(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).expect("a folder for the inputs");
    std::fs::write(folder.join(name), bytes).expect("room for the inputs");
}

/// Loads a set, the file of this number (counted over all sets, from the start again behind the last) with other content.
pub fn load(sets: &[Set], file: usize, content: &[u8]) {
    let all = sets.iter().flat_map(|set| (0..set.files().count()).map(move |file| (set, file)));
    let all: Vec<(&Set, usize)> = all.collect();
    let (set, file) = all[file % all.len()];
    set.load(file, content);
}
