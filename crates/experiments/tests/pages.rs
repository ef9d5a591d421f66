//! Pages that lead somewhere are followed to the letter: files are written as they stand there, commands are called in their order.
mod named;

use crate::project::{Project, copy, repository, text};
use std::{fs, iter::Peekable};

/// What a page asks for.
#[derive(Debug, PartialEq)]
enum Step {
    /// A file with its content.
    Write(String, String),
    /// Lines that are put before a line of the last YAML file which begins with this key.
    Insert(String, String),
    /// A folder of the repository that is copied.
    Copy(String, String),
    /// A command of the program.
    Call(Vec<String>),
}

/// The lines of a block that begins with the line that was just taken.
fn block<'a>(lines: &mut Peekable<impl Iterator<Item = &'a str>>) -> String {
    lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
}

/// A block belongs to the last name between backticks that ends a line before it: a file's, or the key it goes before.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = page.lines().peekable();
    let mut named: Option<String> = None;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let content = block(&mut lines);
            match named.take() {
                Some(name) if name.contains('/') => steps.push(Step::Write(name, content)),
                Some(key) => steps.push(Step::Insert(key, content)),
                None => panic!("a block that belongs to no file: {content}"),
            }
        } else if let Some(command) = line.strip_prefix("    scenarec ") {
            let command = command.split(" #").next().unwrap();
            steps.push(Step::Call(command.split_whitespace().map(String::from).collect()));
        } else if let Some(copy) = line.strip_prefix("    cp -r ") {
            let (from, to) = copy.split_once(' ').expect("a folder and where it goes");
            steps.push(Step::Copy(from.into(), to.into()));
        } else if let Some((before, end)) = line.rsplit_once('`')
            && (end == ":" || end == ",")
        {
            named = before.rsplit_once('`').map(|(_, name)| name.to_string());
        }
    }
    steps
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

/// Follows the page; what each command says.
fn follow(project: &Project, name: &str) -> Vec<String> {
    let (mut said, mut last) = (Vec::new(), String::new());
    for step in steps(&page(name)) {
        match step {
            Step::Copy(from, to) => copy(&repository().join(from), &project.path(&to)),
            Step::Write(name, content) => {
                fs::create_dir_all(project.path(&name).parent().unwrap()).unwrap();
                project.write(&name, &content);
                if name.ends_with(".yaml") {
                    last = name;
                }
            }
            Step::Insert(key, content) => {
                let (line, own) = (format!("\n{key}:"), project.read(&last));
                assert_eq!(own.matches(&line).count(), 1, "{last} has one line with {key}");
                project.write(&last, &own.replace(&line, &format!("\n{content}{line}")));
            }
            Step::Call(words) => {
                let out =
                    project.command(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
                assert!(out.status.success(), "{words:?}: {}", text(&out.stderr));
                said.push(text(&out.stdout));
            }
        }
    }
    said
}

#[test]
fn a_table_is_added() {
    let project = Project::new();
    let said = follow(&project, "add-a-table.md");
    let [show, plan, first, all, _page, csv] = &said[..] else { panic!("{} commands", said.len()) };
    assert_eq!(show.matches("recipe: cold_item").count(), 12, "as many combinations as the page says");
    assert!(plan.contains("0 of 54 exist"), "three seeds of twelve runs and six nets: {plan}");
    assert!(first.contains("cells: 16 of 16 computed") && all.contains("cells: 48 of 48 computed"), "{all}");
    assert!(project.read("backbones.html").contains("CVAR before three backbones"));
    let own = csv.lines().filter(|line| line.contains(",0.61,") || line.contains(",0.64,"));
    assert_eq!(own.count(), 2, "{csv}");
}

#[test]
fn a_dataset_is_added() {
    let project = Project::new();
    let said = follow(&project, "add-a-dataset.md");
    let [verify, head, prepare, quick, all] = &said[..] else { panic!("{} commands", said.len()) };
    assert!(verify.contains("u.data") && verify.contains("37        37  partial: invented"), "{verify}");
    let positive: Vec<&str> = head.lines().filter(|line| line.contains("label click")).collect();
    assert!(positive.len() == 1 && head.contains("my-ratings: partial (invented), 37 rows"), "{head}");
    assert!(prepare.starts_with("my-ratings: 37 rows, partial; fingerprint "), "{prepare}");
    assert!(quick.contains("my-ratings: simulated data: 4000 rows"), "{quick}");
    assert!(all.contains("my-ratings: partial data: invented"), "{all}");
    for table in [quick, all] {
        assert!(table.contains("cells: 2 of 2 computed"), "{table}");
    }

    // As its first lines promise: what is not the loader's is refused with its place.
    project.edit("configs/datasets/my-ratings.yaml", "layout: 100k", "max_len: 5\nlayout: 100k");
    let error = project.error(&["data", "prepare", "my-ratings"]);
    assert!(error.contains("my-ratings.yaml:4:1: max_len: this loader has no such key"), "{error}");
}
