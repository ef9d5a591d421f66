//! What `plan --format` writes for other engines, executed as they would.
use crate::project::{Project, text};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

/// Two runs that share a stage.
const SOME: [&str; 5] = ["--quick", "--only", "method=none,cvar", "--seeds", "1"];

fn plan(project: &Project, more: &[&str]) -> String {
    project.ok(&[&["plan", "small"], &SOME[..], more].concat())
}

/// A command that reads `input`; its standard output.
fn fed(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stdout));
    text(&out.stdout)
}

#[test]
fn a_line_is_enough_by_itself() {
    let project = Project::with_small_table();
    let lines = plan(&project, &["--format", "lines"]);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    // From another folder, the last one first: it makes the stage that the first one is there for.
    fed(Command::new("sh").current_dir("/"), lines.lines().last().unwrap());
    assert!(plan(&project, &[]).contains("2 of 3 exist; 1 to do"), "{}", plan(&project, &[]));
    let rest = plan(&project, &["--format", "lines"]);
    assert_eq!(rest.lines().count(), 1, "{rest}");
    fed(Command::new("sh").current_dir("/"), &lines);
    assert!(plan(&project, &[]).contains("3 of 3 exist; 0 to do"), "{}", plan(&project, &[]));
}

#[test]
fn lines_of_a_failing_stage_say_so() {
    let project = Project::with_small_table();
    let lines = plan(&project, &["--format", "lines", "--set", "run.pretrain.optim.lr=1e30"]);
    let mut child = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.lines().last().unwrap().as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let told = text(&out.stdout);
    assert!(!out.status.success() && told.contains("the stage ") && told.contains("failed ("), "{told}");
}

#[test]
fn slurm_is_told_what_needs_what() {
    let project = Project::with_small_table();
    let script = plan(&project, &["--format", "slurm"]);
    // Does what it is told at once, and numbers the jobs.
    let sbatch = project.path("bin/sbatch");
    fs::create_dir_all(project.path("bin")).unwrap();
    project
        .write("bin/sbatch", "#!/bin/bash\necho \"$@\" >> calls\nbash -s > out || exit 1\nwc -l < calls\n");
    fs::set_permissions(&sbatch, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", project.path("bin").display(), std::env::var("PATH").unwrap());
    fed(Command::new("bash").env("PATH", path).current_dir(project.path("bin")), &script);
    let calls = project.read("bin/calls");
    let calls: Vec<&str> = calls.lines().collect();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|c| c.starts_with("--parsable --job-name=small-")), "{calls:?}");
    let depends: Vec<bool> = calls.iter().map(|c| c.ends_with(" --dependency=afterok:1")).collect();
    assert_eq!(depends, [false, true, true], "{calls:?}");
    assert!(plan(&project, &[]).contains("3 of 3 exist; 0 to do"));
}

#[test]
fn a_hyperqueue_file_holds_the_whole_table() {
    let project = Project::with_small_table();
    let file: toml::Table = plan(&project, &["--format", "hyperqueue"]).parse().unwrap();
    assert_eq!(file["name"].as_str(), Some("small"));
    let tasks = file["task"].as_array().unwrap();
    assert_eq!(tasks.len(), 3);
    for (id, task) in tasks.iter().enumerate() {
        assert_eq!(task["id"].as_integer(), Some(id as i64));
        assert_eq!(task["request"][0]["resources"]["cpus"].as_integer(), Some(1));
        let needs: &[toml::Value] = if id == 0 { &[] } else { &[toml::Value::Integer(0)] };
        assert_eq!(task["deps"].as_array().unwrap(), needs);
        let words: Vec<&str> =
            task["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let env = task["env"].as_table().unwrap().iter().map(|(k, v)| (k, v.as_str().unwrap()));
        fed(
            Command::new(words[0]).args(&words[1..]).envs(env).current_dir("/"),
            task["stdin"].as_str().unwrap(),
        );
    }
    assert!(plan(&project, &[]).contains("3 of 3 exist; 0 to do"));
}
