//! What a page names is there: files, things in them, recipes, tests.
use super::page;
use crate::project::repository;
use std::{fs, path::Path};

/// Pages that say where things are.
const PAGES: [&str; 4] =
    ["docs/add-a-model.md", "docs/add-a-dataset.md", "docs/add-a-table.md", "examples/own-model/README.md"];
/// Folders of the repository in which these things are.
const FOLDERS: [&str; 8] =
    ["build", "configs", "crates", "data/fixtures", "docs", "examples", "fuzz", "golden"];
/// Names that a page gives to what it makes.
const INVENTED: [&str; 3] = ["my_model", "my-ratings", "my-backbones"];

/// The lines outside of blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    page.lines().filter(move |line| {
        inside ^= line.starts_with("```");
        !inside && !line.starts_with("```")
    })
}

/// What stands between backticks.
fn ticked(page: &str) -> Vec<&str> {
    prose(page)
        .filter(|line| !line.starts_with("    "))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`.
fn expanded(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (names, after))) => {
            names.split(',').map(|name| format!("{before}{name}{after}")).collect()
        }
        None => vec![path.into()],
    }
}

/// All files below a folder, relative to the repository.
fn files(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(repository().join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = folder.join(&name);
        if !repository().join(&path).is_dir() {
            all.push(path.to_str().unwrap().into());
        } else if name != "target" {
            files(&path, all);
        }
    }
}

/// Whether a text has this as a word of its own.
fn has_word(text: &str, word: &str) -> bool {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(of_name) && !text[at + word.len()..].starts_with(of_name))
}

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

#[test]
fn what_pages_name_exists() {
    let mut all = Vec::new();
    FOLDERS.iter().for_each(|folder| files(Path::new(folder), &mut all));
    let sources: Vec<String> =
        all.iter().filter(|file| file.ends_with(".rs")).map(|file| read(file)).collect();
    let mut found = 0;
    for name in PAGES {
        let text = read(name);
        let named = ticked(&text).into_iter().filter(|own| !INVENTED.iter().any(|new| own.contains(new)));
        for token in named.filter(|own| !own.contains([' ', '<', '"', '*']) && !own.starts_with("data/raw")) {
            let extension = token.rsplit_once('.').map(|(_, end)| end);
            let is_file = extension.is_some_and(|e| ["rs", "yaml", "py", "md", "csv", "toml"].contains(&e));
            if is_file && !token.starts_with('.') {
                for path in expanded(token) {
                    let here = |file: &String| *file == path || file.ends_with(&format!("/{path}"));
                    let beside = Path::new(name).parent().unwrap().join(&path);
                    let top = repository().join(&path).is_file() || repository().join(beside).is_file();
                    assert!(top || all.iter().any(here), "{name}: there is no {path}");
                    found += 1;
                }
            } else if FOLDERS.iter().any(|folder| token.starts_with(&format!("{folder}/"))) {
                assert!(repository().join(token).exists(), "{name}: there is no {token}");
                found += 1;
            } else if token.contains("::") {
                for word in
                    token.split("::").map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()))
                {
                    let known = ["scenarec_train", "scenarec_data"].contains(&word);
                    assert!(
                        known || sources.iter().any(|s| has_word(s, word)),
                        "{name}: there is no {token}"
                    );
                    found += 1;
                }
            }
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let file = link.split('#').next().unwrap();
            let target = repository().join(name).parent().unwrap().join(file);
            assert!(link.contains("://") || target.exists(), "{name}: there is no {link}");
        }
    }
    assert!(found > 60, "only {found} names were looked up");
}

/// Rows of tables that end in a file and, behind a colon, what is in it.
#[test]
fn files_hold_what_tables_of_steps_say() {
    let text = page("add-a-dataset.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    for row in &rows {
        let cell = row.trim_end_matches(" |").rsplit_once("| ").expect("a row has two cells").1;
        let mut names = cell.split('`').skip(1).step_by(2);
        for file in expanded(names.next().expect("a file")) {
            let content = read(&file);
            for name in names.clone() {
                assert!(content.contains(name), "{file} has no {name}: {row}");
            }
        }
    }
    assert!(rows.len() > 12, "{rows:?}");
}

/// Excerpts in the page are the files' own lines.
#[test]
fn excerpts_are_what_files_say() {
    let text = page("add-a-model.md");
    let lines = |text: &str| text.lines().map(|l| l.trim().to_string() + "\n").collect::<String>();
    let mut blocks = 0;
    for (language, file) in
        [("```rust\n", "crates/backbones/src/wide_deep.rs"), ("```yaml\n", "configs/models/wide-deep.yaml")]
    {
        let source = lines(&read(file));
        for block in text.split(language).skip(1) {
            let (block, _) = block.split_once("```").expect("a block ends");
            assert!(source.contains(&lines(block)), "{file} has no such lines:\n{block}");
            blocks += 1;
        }
    }
    assert_eq!(blocks, 4);
    let registry = read("crates/backbones/src/lib.rs");
    for line in ["mod wide_deep;", "pub use wide_deep::WideDeep;", "wide_deep::ENTRY"] {
        assert!(text.contains(&format!("`{line}`")) && registry.contains(line), "{line}");
    }
}

/// Commands that are no commands of the program call recipes and tests that there are.
#[test]
fn commands_call_what_there_is() {
    let (recipes, tests) = (read("justfile"), read("crates/experiments/tests/main.rs"));
    let mut found = 0;
    for name in PAGES {
        let text = read(name);
        for command in prose(&text).filter_map(|line| line.strip_prefix("    ")) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let known = match words[..] {
                ["scripts/just", recipe, ..] => recipes
                    .lines()
                    .any(|line| line.strip_prefix(recipe).is_some_and(|rest| rest.starts_with([' ', ':']))),
                ["cargo", "test", "-p", "scenarec-experiments", module] => {
                    tests.lines().any(|line| line == format!("mod {module};"))
                }
                ["cargo", "bench", "-p", "scenarec-backbones", ..] => {
                    command.ends_with("'^step/'")
                        && read("crates/backbones/benches/steps.rs").contains("\"step\"")
                }
                ["scenarec", ..] | ["cp", ..] => continue,
                _ => panic!("{name}: an unknown kind of command: {command}"),
            };
            assert!(known, "{name}: {command}");
            found += 1;
        }
    }
    assert!(found > 5, "only {found} commands");
}
