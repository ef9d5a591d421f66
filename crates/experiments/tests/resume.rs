//! Killed at any moment and started again, a table is the same.
use crate::project::{Project, text};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const RUN: [&str; 3] = ["run", "small", "--quick"];
const CSV: &str = "runs/reports/small-quick.csv";

fn quiet(mut command: Command) -> Command {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Names in `runs` that begin like `prefix`.
fn names(project: &Project, prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(project.path("runs")).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n.starts_with(prefix)).collect()
}

#[test]
fn the_program_that_began_a_table_finishes_it() {
    let project = Project::with_small_table();
    let program = project.path("scenarec");
    fs::copy(env!("CARGO_BIN_EXE_scenarec"), &program).unwrap();
    let mut command = Command::new(&program);
    let mut child = command
        .args(RUN)
        .current_dir(project.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    // It runs, and no worker of its has been started.
    said.read_line(&mut String::new()).unwrap();
    fs::remove_file(&program).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(project.ok(&["plan", "small", "--quick"]).contains(" 0 to do"), "{rest}");
}

#[test]
fn killed_again_and_again() {
    let whole = Project::with_small_table();
    let start = Instant::now();
    whole.ok(&RUN);
    let took = start.elapsed();
    let shown = whole.read("runs/reports/small-quick.md");
    assert!(shown.contains("](small-quick.svg)") && shown.contains(" of computing, at most "), "{shown}");
    assert!(whole.path("runs/reports/small-quick.png").is_file());
    let expected = whole.read(CSV);
    assert!(expected.contains(",done,simulated,false"), "{expected}");

    let killed = Project::with_small_table();
    // Moments spread over everything the program does.
    for share in [0.05, 0.6, 0.2, 0.45, 0.3, 0.7, 0.15] {
        let mut child = quiet(killed.command(&RUN)).spawn().unwrap();
        sleep(took.mul_f64(share * 0.8));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    killed.wait_for_workers();
    let out = killed.ok(&RUN);
    assert_eq!(killed.read(CSV), expected);
    assert!(names(&killed, ".tmp-").is_empty(), "{:?}", names(&killed, ".tmp-"));

    // Finished runs are never run again.
    let before = fs::metadata(killed.path("runs/stages")).unwrap().modified().unwrap();
    assert_eq!(killed.ok(&RUN), out);
    assert_eq!(fs::metadata(killed.path("runs/stages")).unwrap().modified().unwrap(), before);

    // Measures that are part of the repository count as finished.
    let published = "docs/results/small-quick.jsonl";
    let publish = ["report", "small", "--quick", "--publish"];
    killed.ok(&publish);
    assert!(!killed.path(published).exists(), "simulated data was published");
    for id in names(&killed, "").into_iter().filter(|n| n.len() == 16) {
        let measures = format!("runs/{id}/measures.jsonl");
        killed.edit(&measures, "\"simulated\"", "\"real\"");
    }
    killed.ok(&publish);
    let lines = killed.read(published);
    // A run that older code published under another id gives way.
    let id = &lines[..lines.find("\"job\"").unwrap()];
    killed.write(published, &lines.replace(id, "{\"id\":\"0000000000000000\","));
    killed.ok(&publish);
    let again = killed.read(published);
    assert_eq!(sorted(&again), sorted(&lines));
    fs::remove_dir_all(killed.path("runs")).unwrap();
    let expected = expected.replace(",simulated,", ",real,");
    assert_eq!(killed.ok(&["report", "small", "--quick", "--format", "csv"]), expected);
    assert!(killed.ok(&["plan", "small", "--quick"]).contains(" 0 to do"));

    killed.write(published, &lines.replacen("\"job\"", "\"jib\"", 1));
    let error = killed.error(&["plan", "small", "--quick"]);
    assert!(error.contains("small-quick.jsonl:1: not a published run"), "{error}");
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn two_processes_share_the_work() {
    let project = Project::with_small_table();
    let children: Vec<_> = (0..2)
        .map(|_| project.command(&RUN).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    let tables: Vec<String> = children
        .into_iter()
        .map(|c| {
            let out = c.wait_with_output().unwrap();
            assert!(out.status.success(), "{}", text(&out.stderr));
            text(&out.stdout)
        })
        .collect();
    assert_eq!(tables[0], tables[1]);
    assert!(names(&project, ".tmp-").is_empty());
}

#[test]
fn an_interrupted_one_says_how_to_go_on() {
    let project = Project::with_small_table();
    // Enough for it to be at work still when it is told to stop.
    let many = [&RUN[..], &["--seeds", "20"]].concat();
    let child = project.command(&many).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let logs = project.path("runs/.logs");
    let start = Instant::now();
    while fs::read_dir(&logs).map_or(0, Iterator::count) == 0 && start.elapsed().as_secs() < 60 {
        sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(130), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("the same command goes on"), "{}", text(&out.stderr));
}

#[test]
fn a_failure_costs_one_run_and_is_told() {
    let project = Project::with_small_table();
    project.ok(&[&RUN[..], &["--only", "method=none", "--seeds", "1"]].concat());
    // The other methods' runs need the stage; without its files they fail, the finished run stays.
    for entry in fs::read_dir(project.path("runs/stages")).unwrap() {
        for file in fs::read_dir(entry.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if !["job.json", "measures.jsonl"].iter().any(|n| path.ends_with(n)) {
                fs::remove_file(path).unwrap();
            }
        }
    }
    let out = project
        .command(&[&RUN[..], &["--only", "method=none,cvar", "--seeds", "1"]].concat())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let (shown, told) = (text(&out.stdout), text(&out.stderr));
    assert!(
        told.contains("1 failed:") && told.contains("deepfm cvar seed 1") && told.contains("log: "),
        "{told}"
    );
    assert!(shown.contains("failed: ") && shown.contains("cells: 4 of 8 computed"), "{shown}");
}

#[test]
fn a_number_of_older_code_is_shown_only_on_demand_and_marked() {
    let project = Project::with_small_table();
    let one = ["--quick", "--only", "method=none", "--seeds", "1"];
    project.ok(&[&["run", "small"], &one[..]].concat());
    // What the run would be called had other code made it.
    let name = names(&project, "").into_iter().find(|n| n.len() == 16).unwrap();
    fs::rename(project.path("runs").join(name), project.path("runs/0123456789abcdef")).unwrap();
    let report = |more: &[&str]| project.ok(&[&["report", "small"], &one[..], more].concat());
    assert!(report(&[]).contains("not run") && !report(&[]).contains("(stale)"), "{}", report(&[]));
    assert!(report(&[]).contains("1 of the missing runs exist of older code"), "{}", report(&[]));
    assert!(report(&["--stale"]).contains(" (stale)"), "{}", report(&["--stale"]));
    assert!(report(&["--stale"]).contains("numbers marked (stale) come from older code or data"));
    let board = project.ok(&["leaderboard", "movielens-100k-cold", "--quick"]);
    assert!(board.contains("simulated, older code"), "{board}");

    // Of several the last one.
    for (copy, ended, auc) in [("0123456789abcdee", 1, 0.25), ("0123456789abcdf0", u64::MAX, 0.75)] {
        let folder = project.path("runs").join(copy);
        fs::create_dir(&folder).unwrap();
        for file in ["job.json", "environment.json", "measures.jsonl"] {
            let text = project.read(&format!("runs/0123456789abcdef/{file}"));
            let lines = if file == "measures.jsonl" { text.lines().collect() } else { vec![&text[..]] };
            let changed = lines.into_iter().map(|line| {
                let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
                if value["metric"] == "auc" {
                    value["value"] = auc.into();
                } else if file == "environment.json" {
                    value["ended"] = ended.into();
                }
                value.to_string()
            });
            fs::write(folder.join(file), changed.collect::<Vec<_>>().join("\n")).unwrap();
        }
    }
    let last = report(&["--stale"]);
    assert!(last.contains("0.7500") && !last.contains("0.2500"), "{last}");
    let gone = project.ok(&["gc", "--yes"]);
    assert!(gone.contains("0123456789abcdef (of older code or data)"), "{gone}");
    assert!(!project.path("runs/0123456789abcdef").exists());
}
