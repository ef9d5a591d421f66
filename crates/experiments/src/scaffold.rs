//! A new model in a checkout: a copy of one that exists, under another name in every place that knows it, so that it compiles and
//! passes all tests before a line of it is changed.
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Models that are there to be copied: an MLP on embedded fields beside a linear part; an MLP that all share, below a tower for
/// each pair of a scenario and a task.
pub const TEMPLATES: [&str; 2] = ["wide_deep", "shared_bottom"];

/// Files that are written, relative to the project, with their new content.
pub type Files = Vec<(PathBuf, Vec<u8>)>;

/// What makes `like`, one of [`TEMPLATES`], a model called `name` too. Nothing is written yet.
///
/// # Errors
/// A name that is none in snake case or is taken; a project that is no checkout of the workspace.
pub fn new_model(project: &Path, name: &str, like: &str) -> Result<Files> {
    let signs = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(signs)
            && !name.contains("__")
            && !name.ends_with('_'),
        "{name:?} is no name of a model: small letters and digits, with _ between words"
    );
    ensure!(TEMPLATES.contains(&like), "--like {like}: no template (there are: {})", TEMPLATES.join(", "));
    let checkout = Checkout { project, name: Name::new(name), like: Name::new(like) };
    ensure!(
        project.join(MODELS).is_file(),
        "{} is no checkout of the workspace: there is no {MODELS}",
        project.display()
    );
    let mut files = vec![
        checkout.copy(&format!("crates/backbones/src/{like}.rs"))?,
        checkout.copy(&format!("configs/models/{}.yaml", checkout.like.hyphened))?,
        checkout.copy(&format!("golden/gen/{like}.py"))?,
        checkout.registry()?,
    ];
    files.extend(checkout.golden()?);
    for (file, _) in files.iter().filter(|(file, _)| file != Path::new(MODELS)) {
        ensure!(!project.join(file).exists(), "{} exists: the name {name:?} is taken", file.display());
    }
    Ok(files)
}

/// The registry of models, the one file that is changed.
const MODELS: &str = "crates/backbones/src/lib.rs";

/// A model's name in all its forms.
struct Name {
    /// `wide_deep`
    snake: String,
    /// `WideDeep`
    camel: String,
    /// `wide-deep`
    hyphened: String,
    /// `Wide Deep`
    spaced: String,
}

impl Name {
    fn new(snake: &str) -> Self {
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        let words: Vec<String> = snake.split('_').map(capital).collect();
        Self {
            snake: snake.into(),
            camel: words.concat(),
            hyphened: snake.replace('_', "-"),
            spaced: words.join(" "),
        }
    }
}

struct Checkout<'a> {
    project: &'a Path,
    name: Name,
    like: Name,
}

impl Checkout<'_> {
    fn read(&self, file: &str) -> Result<String> {
        let path = self.project.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// A text with the new model's names in place of the template's.
    fn renamed(&self, text: &str) -> String {
        let (own, like) = (&self.name, &self.like);
        text.replace(&like.snake, &own.snake)
            .replace(&like.hyphened, &own.hyphened)
            .replace(&like.camel, &own.camel)
            .lines()
            .map(|line| match line.starts_with("reported_as: ") {
                true => format!("reported_as: {}\n", own.spaced),
                false => format!("{line}\n"),
            })
            .collect()
    }

    fn copy(&self, file: &str) -> Result<(PathBuf, Vec<u8>)> {
        Ok((self.renamed(file).trim_end().into(), self.renamed(&self.read(file)?).into_bytes()))
    }

    /// The registry with a module, its types and an entry more.
    fn registry(&self) -> Result<(PathBuf, Vec<u8>)> {
        let mut text = self.read(MODELS)?;
        let (own, like) = (&self.name.snake, &self.like.snake);
        let line = |text: &str, begin: &str| {
            let found = text.lines().find(|line| line.starts_with(begin)).map(String::from);
            found.with_context(|| format!("{MODELS} has no line that begins with {begin:?}"))
        };
        for kind in ["mod ", "pub use "] {
            let theirs = line(&text, &format!("{kind}{like}{}", if kind == "mod " { ";" } else { "::" }))?;
            text = sorted_in(&text, kind, self.renamed(&theirs).trim_end())?;
        }
        let entry = format!("    {like}::ENTRY,\n");
        ensure!(text.contains(&entry), "{MODELS} has no line {:?}", entry.trim());
        text = text.replacen(&entry, &format!("{entry}    {own}::ENTRY,\n"), 1);
        Ok((MODELS.into(), text.into_bytes()))
    }

    /// The golden cases: with the same weights and inputs the copy gives the same numbers.
    fn golden(&self) -> Result<Files> {
        let folder = self.project.join("golden");
        let mut files = Files::new();
        let mut cases: Vec<String> = fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .filter_map(|case| case.ok()?.file_name().into_string().ok())
            .filter(|case| case.strip_prefix(&self.like.hyphened).is_some_and(is_variant))
            .collect();
        cases.sort();
        for case in cases.iter().filter(|case| folder.join(case).join("config.yaml").is_file()) {
            let place = PathBuf::from("golden").join(self.renamed(case).trim_end());
            for file in
                ["args", "batch.safetensors", "config.yaml", "expected.safetensors", "weights.safetensors"]
            {
                let path = folder.join(case).join(file);
                let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let bytes = match file {
                    "config.yaml" => self.renamed(&String::from_utf8(bytes)?).into_bytes(),
                    _ => bytes,
                };
                files.push((place.join(file), bytes));
            }
        }
        ensure!(!files.is_empty(), "{} has no golden case", self.like.snake);
        Ok(files)
    }
}

/// The template's own cases, not those of another model whose name begins so.
fn is_variant(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with("-batch-norm") || rest == "-train"
}

/// The text with a line more among those that begin so, in alphabetical order.
fn sorted_in(text: &str, begin: &str, new: &str) -> Result<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let Some(at) = lines
        .iter()
        .position(|line| line.starts_with(begin) && *line > new)
        .or_else(|| lines.iter().rposition(|line| line.starts_with(begin)).map(|last| last + 1))
    else {
        bail!("no line begins with {begin:?}")
    };
    lines.insert(at, new);
    Ok(lines.join("\n") + "\n")
}
