//! Every way to break every raw file of every dataset: an error that names file, line and column, and nothing else happens.
//!
//! `formats` says what the files look like, `cases` how they can be broken, `world` has the folder in which it is tried. A dataset
//! file with files that are not tried here makes the matrix fail, and so does a raw file without a format.
mod cases;
mod formats;
mod world;

use crate::common::{repository, shipped};
use cases::{Case, Want};
use formats::Format;
use scenarec_data::Loader;
use world::World;

/// A dataset file with the loader and the files of one that is tried has nothing new to break.
#[test]
fn every_dataset_is_tried_or_has_files_that_are() {
    let tried: Vec<Loader> = TRIED.iter().map(|name| shipped(name).loader).collect();
    for file in std::fs::read_dir(repository().join("configs/datasets")).unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let own = shipped(&name).loader;
        let same = |other: &Loader| {
            own.files() == other.files() && std::mem::discriminant(&own) == std::mem::discriminant(other)
        };
        assert!(tried.iter().any(same), "name {name} in `tried!`");
    }
}

/// Tries all cases with a dataset; how many there are.
fn try_all(dataset: &str) -> usize {
    let world = World::new(dataset);
    world.files.iter().for_each(|file| missing(&world, file));
    try_files(&world)
}

fn try_files(world: &World) -> usize {
    let mut n = 0;
    for file in &world.files {
        let text = world.text(file);
        let mut all = cases::of_any_file();
        all.extend(match formats::of(file) {
            Format::Fields(fields) => cases::of_fields(&text, fields),
            Format::Json => cases::of_json(&text, file),
        });
        n += all.len();
        all.into_iter().for_each(|case| try_one(world, file, case));
        no_permission(world, file);
    }
    n
}

#[test]
fn amazon_ratings() {
    println!("amazon-5core, ratings: {} cases", try_files(&World::amazon_ratings()));
}

fn try_one(world: &World, file: &str, Case { name, damage, want }: Case) {
    let path = world.folder.join(file).display().to_string();
    let message = world.message(file, damage);
    let about = format!("{}, {file}, {name}: {message:?}", world.config.dataset);
    match (want, message) {
        (Want::At(line, column, words), Some(message)) => {
            let place = format!("{path}:{line}:{column}: ");
            assert!(message.starts_with(&place) && message.contains(&words), "{about}\n{place}{words}");
        }
        (Want::Perhaps(..), None) => {}
        (Want::Perhaps(line, column), Some(message)) => {
            assert!(message.starts_with(&format!("{path}:{line}:{column}: found ")), "{about}");
        }
        (Want::File(words), Some(message)) => {
            assert!(message.starts_with(&format!("{path}{words}")), "{about}\n{path}{words}");
        }
        (_, None) => panic!("{about}: it was read as if it were good"),
    }
}

/// A file that is not there, and a link to nowhere.
fn missing(world: &World, file: &str) {
    let want = format!(
        "{}: {file} missing; the folder must hold {} (data is simulated only where the whole folder is absent)",
        world.folder.display(),
        world.files.join(", ")
    );
    for link in [false, true] {
        let message = world.message(file, |path| {
            std::fs::remove_file(path).unwrap();
            if link {
                std::os::unix::fs::symlink("/nowhere", path).unwrap();
            }
        });
        let message = message.unwrap_or_default();
        assert!(message.starts_with(&want), "{message}\n{want}");
    }
}

fn no_permission(world: &World, file: &str) {
    use std::os::unix::fs::PermissionsExt;
    let message = world.message(file, |path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
    });
    match message {
        Some(message) => {
            let path = world.folder.join(file);
            let want = format!("{}: cannot read the file: Permission denied", path.display());
            assert!(message.starts_with(&want), "{message}");
        }
        None => {
            println!("{file}: no permission: skipped, as this user may read everything (see: unreadable)")
        }
    }
}

/// A test for each dataset, so that they run side by side and say how many cases there are.
macro_rules! tried {
    ($($test:ident: $($dataset:literal),+;)+) => {
        $(#[test]
        fn $test() {
            for dataset in [$($dataset),+] {
                println!("{dataset}: {} cases", try_all(dataset));
            }
        })+

        const TRIED: &[&str] = &[$($($dataset),+),+];
    };
}

tried! {
    movielens: "movielens-1m-cold", "movielens-100k-cold", "movielens-1m-age", "movielens-1m-sequence";
    taobao_ad: "taobao-ad-cold";
    cikm: "cikm-2019-cold";
    kuairand: "kuairand-pure", "kuairand-1k", "kuairand-27k", "kuairand-pure-sequence";
    douban: "douban", "douban-partial", "douban-raw";
    amazon: "amazon-5core";
    industrial: "lazada-12";
    ali_ccp: "ali-ccp", "ali-ccp-clicks";
}
