//! A run that is killed inside goes on from its checkpoint, in a new process, to the same numbers.
use crate::project::Project;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Small enough for seconds. Of several models one after the other, with validation steps and outer optimisers; of
/// sequences; of a frozen net and a generator.
const TABLES: [(&str, &[&str], &str); 3] = [
    (
        "m3oe-table2",
        &["--only", "model=m3oe,shared-bottom-mtl", "--only", "dataset=movielens-1m-age"],
        "bilevel",
    ),
    ("sfpnet-table3", &["--only", "model=sfpnet"], "fit"),
    ("csdm-table1-100k", &["--only", "method=csdm"], "cold_item"),
];

fn command(project: &Project, table: &str, only: &[&str], every: &str) -> Command {
    let mut command =
        project.command(&[&["run", table, "--quick", "--seeds", "1", "--jobs", "1"], only].concat());
    command.env("SCENAREC_CHECKPOINT_SECONDS", every).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Checkpoints that there are, by the place of their loops: folder and file.
fn kept(project: &Project) -> Vec<PathBuf> {
    let read = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut all: Vec<PathBuf> = read(&project.path("runs/.checkpoints"))
        .flat_map(|run| read(&run).collect::<Vec<_>>())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    all.sort();
    all
}

/// Everything measured in finished runs and stages but times and memory, by id.
fn measures(project: &Project) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for folder in ["runs", "runs/stages"] {
        for entry in fs::read_dir(project.path(folder)).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let Ok(text) = fs::read_to_string(entry.path().join("measures.jsonl")) else { continue };
            let timed = |line: &&str| {
                ["seconds", "samples_per_second", "peak_rss_bytes"].iter().any(|t| line.contains(t))
            };
            all.push((name, text.lines().filter(|l| !timed(l)).map(String::from).collect()));
        }
    }
    all.sort();
    all
}

#[test]
fn killed_inside_a_loop_and_between_loops() {
    for (table, only, what) in TABLES {
        let whole = Project::new();
        assert!(command(&whole, table, only, "30").status().unwrap().success(), "{what}");
        assert!(kept(&whole).is_empty());
        let expected = measures(&whole);
        assert!(!expected.is_empty());

        let killed = Project::new();
        let mut kills = 0;
        // As soon as another loop has a checkpoint, and a moment later.
        for delay in [0, 40].into_iter().cycle().take(10) {
            let before = kept(&killed);
            let mut child = command(&killed, table, only, "0").spawn().unwrap();
            let start = Instant::now();
            while kept(&killed).iter().all(|path| before.contains(path))
                && child.try_wait().unwrap().is_none()
            {
                assert!(start.elapsed().as_secs() < 300, "{what}: nothing is written");
                sleep(Duration::from_millis(2));
            }
            sleep(Duration::from_millis(delay));
            kills += usize::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
            killed.wait_for_workers();
        }
        assert!(command(&killed, table, only, "30").status().unwrap().success(), "{what}");
        assert_eq!(measures(&killed), expected, "{what}, after {kills} kills");
        assert!(kills > 0 && kept(&killed).is_empty(), "{what}: {kills} kills");
        let resumed = fs::read_dir(killed.path("runs"))
            .unwrap()
            .flatten()
            .chain(fs::read_dir(killed.path("runs/stages")).unwrap().flatten());
        let environments = resumed.filter_map(|e| fs::read_to_string(e.path().join("environment.json")).ok());
        assert!(
            environments.into_iter().any(|text| text.contains("\"resumed\": ")),
            "{what}: nothing was resumed"
        );
    }
}
