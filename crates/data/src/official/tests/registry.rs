//! The registry against the dataset files and the README.
use super::*;
use crate::{DatasetConfig, Loader};
use std::collections::BTreeSet;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn dataset_files() -> Vec<DatasetConfig> {
    let entries = std::fs::read_dir(repository().join("configs/datasets")).unwrap();
    entries.map(|e| DatasetConfig::from_file(e.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_official_dataset_has_an_entry_with_its_files() {
    let mut used = BTreeSet::new();
    for config in dataset_files() {
        if let Loader::Industrial(_) = config.loader {
            continue; // Never published.
        }
        let entry = Entry::of(&config.raw).unwrap_or_else(|| panic!("{}: no entry", config.raw));
        used.insert(entry.folder);
        let known: BTreeSet<&str> =
            entry.files.iter().map(|f| f.name).chain(entry.instead.iter().copied()).collect();
        for file in config.loader.files() {
            assert!(known.contains(file), "{}: {file} of {} has no place", entry.folder, config.dataset);
        }
    }
    let all: BTreeSet<&str> = ENTRIES.iter().map(|e| e.folder).collect();
    assert_eq!(used, all, "a dataset file for every entry");
    assert_eq!(all.len(), ENTRIES.len(), "no folder twice");
}

#[test]
fn archives_hold_every_file_once() {
    for entry in ENTRIES {
        assert!(!entry.files.is_empty() && !entry.terms.is_empty() && !entry.cite.is_empty());
        assert!(entry.home.starts_with("https://"), "{}", entry.home);
        match entry.access {
            Access::ByHand { steps } => assert!(!steps.is_empty()),
            Access::Download { from, archives } => {
                assert!(from.starts_with("https://") && from.ends_with('/'), "{from}");
                let held: Vec<&str> = archives.iter().flat_map(Archive::files).collect();
                let files: Vec<&str> = entry.files.iter().map(|f| f.name).collect();
                assert_eq!(held, files, "{}", entry.folder);
            }
        }
        for archive in entry.archives() {
            let (hex, digits) = match archive.checksum {
                Some(Checksum::Md5(hex)) => (hex, 32),
                Some(Checksum::GitBlob(hex)) => (hex, 40),
                Some(Checksum::Sha256(hex)) => (hex, 64),
                None => {
                    assert!(archive.name.ends_with(".gz"), "{}: nothing checks it", archive.name);
                    continue;
                }
            };
            assert!(hex.len() == digits && hex.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{hex}");
        }
    }
}

#[test]
fn checksums_are_those_of_the_dataset_files() {
    let mut compared = 0;
    for config in dataset_files() {
        let Some(entry) = Entry::of(&config.raw) else { continue };
        for known in &config.known_files {
            let (crate::Checksum::GitBlob(expected), false) =
                (&known.checksum, matches!(entry.archives(), [_] | []))
            else {
                continue;
            };
            let archive = entry.archives().iter().find(|a| a.name == known.file).unwrap();
            assert_eq!(archive.checksum.map(|c| format!("{c:?}")), Some(format!("GitBlob({expected:?})")));
            compared += 1;
        }
    }
    assert_eq!(compared, 9 + 8 + 3, "both Douban folders");
}

#[test]
fn the_readme_names_every_folder() {
    let readme = std::fs::read_to_string(repository().join("data/README.md")).unwrap();
    let table = readme.split("\n## ").find(|s| s.starts_with("Where the raw files go")).unwrap();
    for entry in ENTRIES {
        let row = table.lines().find(|line| line.contains(&format!("`data/raw/{}`", entry.folder)));
        let row = row.unwrap_or_else(|| panic!("{} is not in the table", entry.folder));
        let site = entry.home.trim_start_matches("https://").split('/').next().unwrap();
        assert!(row.contains(site), "{row} does not name {site}");
    }
}

#[test]
fn the_half_is_made_by_its_command() {
    let place = tempfile::tempdir().unwrap();
    let (whole, half) = (place.path().join("movielens-1m"), place.path().join("movielens-1m-half"));
    std::fs::create_dir(&whole).unwrap();
    for name in ["users.dat", "movies.dat"] {
        std::fs::write(whole.join(name), name).unwrap();
    }
    let lines = ["1::5::3::978311122\n", "2999::5::4::978311122\n", "3000::5::4::978311122\n"];
    std::fs::write(whole.join("ratings.dat"), lines.concat()).unwrap();
    let entry = Entry::of("movielens-1m-half").unwrap();
    let Access::ByHand { steps } = entry.access else { panic!("by hand") };
    let command = steps[1].split_once(": ").unwrap().1;
    let status = std::process::Command::new("sh").args(["-c", command]).current_dir(place.path()).status();
    assert!(status.unwrap().success());
    assert_eq!(std::fs::read_to_string(half.join("ratings.dat")).unwrap(), lines[..2].concat());
    for file in entry.files {
        assert!(half.join(file.name).is_file(), "{}", file.name);
    }
    // Then nothing is left to do.
    let fetched = fetch(entry, place.path(), &mut |_| ()).unwrap();
    assert_eq!((fetched.written.len(), fetched.kept.len()), (0, 3));
}
