//! A cache that cannot be written to its end: an error, no temporary file, and what was there before is as it was.
//!
//! A limit on the length of files stands in for a disk without room, which needs rights to make: both end in a write that fails.
//! The limit holds for a whole process, so the test starts itself again, in a shell that sets it.
use crate::common::{Place, config, shipped};
use scenarec_data::{DatasetConfig, Override, Roots, SplitPlan, prepare};
use std::path::Path;
use std::process::Command;

/// Says what the process that has the limit should prepare, and where.
const ROOTS: &str = "SCENAREC_TEST_LIMITED";

/// Prepares datasets in a process whose files cannot be longer than 512 bytes; what it says.
fn limited(roots: &Roots) -> String {
    let program = std::env::current_exe().unwrap();
    let command = "trap '' XFSZ; ulimit -f 1; exec \"$0\" disk_full::in_a_limited_process --exact --nocapture --ignored";
    let out = Command::new("sh")
        .args(["-c", command])
        .arg(program)
        .env(ROOTS, format!("{}\n{}", roots.raw.display(), roots.cache.display()))
        .output()
        .unwrap();
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}

/// A dataset that is parsed at once, and one that is streamed.
fn datasets() -> [(DatasetConfig, Override); 2] {
    let cikm = shipped("cikm-2019-cold");
    let split = Some(SplitPlan::Ratio { train: 0.8, valid: 0.1, test: 0.1, seed: 1 });
    [(config("1m"), Override::default()), (cikm, Override { split, ..Override::default() })]
}

#[test]
#[ignore = "started by the tests below, in a process of its own"]
fn in_a_limited_process() {
    let roots = std::env::var(ROOTS).unwrap();
    let (raw, cache) = roots.split_once('\n').unwrap();
    let roots = Roots { raw: raw.into(), cache: cache.into() };
    for (config, over) in datasets() {
        println!("{}: {}", config.dataset, prepare(&config, &roots, &over).unwrap_err());
    }
}

/// Names and contents of a folder's files.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap());
    let mut all: Vec<_> = files
        .map(|f| (f.file_name().to_string_lossy().into_owned(), std::fs::read(f.path()).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn a_cache_that_finds_no_room_is_an_error_and_leaves_nothing_behind() {
    let place = Place::new();
    // Caches of other content, and a damaged one under the name that the new one would have.
    for (config, over) in datasets() {
        prepare(&config, &place.roots, &over).unwrap();
    }
    let names = place.cached();
    assert_eq!(names.len(), 2);
    for name in names {
        let path = place.roots.cache.join(name);
        std::fs::copy(&path, path.with_extension("old")).unwrap();
        std::fs::write(path, "damaged").unwrap();
    }
    let before = content(&place.roots.cache);
    let said = limited(&place.roots);
    for (config, _) in datasets() {
        let cache = place.roots.cache.join(format!("{}-", config.dataset));
        let line = said.lines().find(|line| line.starts_with(&format!("{}: ", config.dataset)));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(line.starts_with(&format!("{}: {}", config.dataset, cache.display())), "{line}");
        assert!(line.contains(": cannot write: ") && line.contains("File too large"), "{line}");
        assert!(line.ends_with(&format!("(is there room in {}?)", place.roots.cache.display())), "{line}");
    }
    assert!(content(&place.roots.cache) == before, "{said}");
    // Where there is room again, it goes on.
    for (config, over) in datasets() {
        prepare(&config, &place.roots, &over).unwrap();
    }
    let good = |name: &str| name.ends_with(".parquet") || name.ends_with(".old");
    assert!(place.cached().iter().all(|name| good(name)) && place.cached().len() == 4);
}

/// The same on a disk that is really full, where this user may make one.
#[test]
fn a_full_disk() {
    let place = Place::new();
    let cache = place.roots.cache.display();
    std::fs::create_dir(&place.roots.cache).unwrap();
    let program = std::env::current_exe().unwrap();
    let command = format!(
        "mount -t tmpfs -o size=16k none '{cache}' || exit 77
         dd if=/dev/zero of='{cache}/other' bs=1k count=12 2>/dev/null || exit 77
         \"$0\" disk_full::in_a_limited_process --exact --nocapture --ignored
         ls -A '{cache}'"
    );
    let out = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &command])
        .arg(program)
        .env(ROOTS, format!("{}\n{cache}", place.roots.raw.display()))
        .output();
    let out = match out {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout).into_owned(),
        Ok(out) => {
            println!("skipped: no disk of its own here: {}", String::from_utf8_lossy(&out.stderr).trim());
            return;
        }
        Err(e) => {
            println!("skipped: unshare cannot be started: {e}");
            return;
        }
    };
    assert_eq!(out.matches("No space left on device").count(), 2, "{out}");
    assert_eq!(out.lines().last(), Some("other"), "only what was there before is left: {out}");
}
