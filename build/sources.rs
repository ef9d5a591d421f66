//! Hashes of the sources that numbers come from.
//!
//! What is hashed is what the compiler makes a program of: comments, documentation, formatting and tests change no hash. Crates in
//! which every module is a model or a method of its own have a hash for each module, of that module and of those it names, so that a
//! new model leaves the others' runs as they are.
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What has hashes.
pub struct Source {
    pub name: &'static str,
    /// Below `crates/`.
    pub folder: &'static str,
    /// Whether each module has its own, called `name/module`.
    pub by_module: bool,
    /// Files and folders of it from which no number comes.
    pub left_out: &'static [&'static str],
}

pub const SOURCES: &[Source] = &[
    Source {
        name: "data",
        folder: "data",
        by_module: false,
        left_out: &["src/fuzzing.rs", "src/official", "src/testing.rs", "src/verify.rs"],
    },
    Source {
        name: "train",
        folder: "train",
        by_module: false,
        left_out: &["shim/trace.cpp", "src/serving", "src/testing.rs"],
    },
    Source { name: "backbones", folder: "backbones", by_module: true, left_out: &[] },
    Source { name: "contrastive", folder: "contrastive", by_module: true, left_out: &[] },
    Source { name: "baselines", folder: "baselines", by_module: true, left_out: &[] },
    Source { name: "diffusion", folder: "diffusion", by_module: true, left_out: &[] },
    Source { name: "recipes", folder: "experiments/src/recipes", by_module: false, left_out: &[] },
];

/// Tests and what they read, in any folder.
const TESTS: &[&str] = &["tests", "tests.rs", "golden", "benches", "examples", "fixtures"];

impl Source {
    /// Its files below `crates`, with their folders, which change when a file is added.
    pub fn files(&self, crates: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let root = crates.join(self.folder);
        let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            for path in fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                let below = path.strip_prefix(&root).expect("read below it");
                let name = path.file_name().expect("an entry has a name");
                if TESTS.iter().any(|t| name == *t) || self.left_out.iter().any(|l| below == Path::new(l)) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if path
                    .extension()
                    .is_some_and(|e| ["rs", "cpp", "cc", "h", "hpp"].iter().any(|k| e == *k))
                {
                    files.push(path);
                }
            }
        }
        files.sort();
        (files, folders)
    }

    /// Hashes by name, 16 hexadecimal digits each, of files by their path below [`folder`](Self::folder).
    pub fn hashes(&self, files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let tokens: BTreeMap<&str, Vec<String>> =
            files.iter().map(|(path, text)| (path.as_str(), tokens(path, text))).collect();
        if !self.by_module {
            return [(self.name.to_string(), hash(tokens.iter().map(|(path, t)| (*path, t))))].into();
        }
        let modules = Modules::of(tokens);
        let names = modules.files.keys().map(|module| format!("{}/{module}", self.name));
        names.zip(modules.files.keys().map(|module| modules.hash(module))).collect()
    }
}

/// A crate, module by module.
struct Modules<'a> {
    /// Of no module; the names of models and methods are taken out of it.
    common: BTreeMap<&'a str, Vec<String>>,
    files: BTreeMap<&'a str, BTreeMap<&'a str, Vec<String>>>,
    /// What leads to a module: its name, and what the crate's root exports from it.
    names: BTreeMap<&'a str, BTreeSet<String>>,
}

const ROOT: &str = "src/lib.rs";

impl<'a> Modules<'a> {
    fn of(tokens: BTreeMap<&'a str, Vec<String>>) -> Self {
        let (mut common, mut files) = (BTreeMap::new(), BTreeMap::<_, BTreeMap<_, _>>::new());
        for (path, tokens) in tokens {
            match path.strip_prefix("src/").filter(|_| path != ROOT) {
                None => drop(common.insert(path, tokens)),
                Some(below) => {
                    let module = below.split('/').next().expect("a part").trim_end_matches(".rs");
                    files.entry(module).or_default().insert(path, tokens);
                }
            }
        }
        let mut names: BTreeMap<&str, BTreeSet<String>> =
            files.keys().map(|module| (*module, [module.to_string()].into())).collect();
        let root = common.get_mut(ROOT).expect("a crate has a root");
        let mut kept = Vec::new();
        for item in items(root) {
            let words: Vec<&str> = without_attributes(item).iter().map(String::as_str).collect();
            match words[..] {
                ["mod", _, ";"] | ["pub", "mod", _, ";"] | ["pub", "const", "MODELS", ..] => {}
                ["pub", "use", module, ..] if names.contains_key(module) => {
                    names.get_mut(module).expect("just seen").extend(item.iter().cloned());
                }
                _ => kept.extend_from_slice(item),
            }
        }
        *root = kept;
        // Words of the language and of paths lead nowhere.
        let of_none: BTreeSet<&str> = ["pub", "use", "crate", "self", "as"].into();
        for names in names.values_mut() {
            names.retain(|n| !of_none.contains(n.as_str()) && n.starts_with(|c: char| c.is_alphabetic()));
        }
        Self { common, files, names }
    }

    /// Hash of a module, of the modules it leads to, and of what is common.
    fn hash(&self, module: &'a str) -> String {
        let mut reached: BTreeSet<&str> = [module].into();
        loop {
            let of_reached = reached.iter().flat_map(|m| self.files[m].values());
            let words: BTreeSet<&String> = of_reached.chain(self.common.values()).flatten().collect();
            let named = |module: &&&str| self.names[**module].iter().any(|name| words.contains(name));
            let more: BTreeSet<&str> = self.files.keys().filter(named).copied().collect();
            let before = reached.len();
            reached.extend(more);
            if reached.len() == before {
                break;
            }
        }
        let own = reached.iter().flat_map(|m| &self.files[m]);
        hash(self.common.iter().chain(own).map(|(path, tokens)| (*path, tokens)))
    }
}

fn hash<'a>(files: impl Iterator<Item = (&'a str, &'a Vec<String>)>) -> String {
    let mut hash = blake3::Hasher::new();
    for (path, tokens) in files {
        for part in [path].into_iter().chain(tokens.iter().map(String::as_str)) {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(&u64::MAX.to_le_bytes());
    }
    hash.finalize().to_hex()[..16].to_string()
}

/// The top-level items of a file.
fn items(tokens: &[String]) -> Vec<&[String]> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (i, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (token == ";" || token == "}") && tokens.get(i + 1).is_none_or(|next| next != ";") {
            items.push(&tokens[start..=i]);
            start = i + 1;
        }
    }
    items.push(&tokens[start..]);
    items
}

fn without_attributes(mut item: &[String]) -> &[String] {
    while item.first().is_some_and(|t| t == "#") {
        let end = item.iter().position(|t| t == "]").map_or(item.len(), |end| end + 1);
        item = &item[end..];
    }
    item
}

/// What the compiler reads of a file, word by word; the text itself of another language, and of a file that is no Rust, of which the
/// compiler will say so.
fn tokens(path: &str, text: &str) -> Vec<String> {
    let mut all = Vec::new();
    match text.parse::<TokenStream>() {
        Ok(stream) if path.ends_with(".rs") => push(stream, &mut all),
        _ => all.push(text.to_string()),
    }
    all
}

fn push(stream: TokenStream, all: &mut Vec<String>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if matches!(&tree, TokenTree::Punct(p) if p.as_char() == '#') {
            let inner = trees.next_if(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == '!'));
            let attribute =
                trees.next_if(|t| matches!(t, TokenTree::Group(g) if g.delimiter() == Delimiter::Bracket));
            let mut words = Vec::new();
            push(attribute.into_iter().collect(), &mut words);
            match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["[", "doc", ..] => {}
                ["[", "cfg", "(", "test", ")", "]"] if inner.is_none() => skip_item(&mut trees),
                _ => {
                    all.push("#".into());
                    all.extend(inner.map(|_| "!".into()));
                    all.append(&mut words);
                }
            }
            continue;
        }
        match tree {
            TokenTree::Group(group) => {
                let [open, close] = match group.delimiter() {
                    Delimiter::Parenthesis => ["(", ")"],
                    Delimiter::Bracket => ["[", "]"],
                    Delimiter::Brace => ["{", "}"],
                    Delimiter::None => ["", ""],
                };
                all.push(open.into());
                push(group.stream(), all);
                all.push(close.into());
            }
            other => all.push(other.to_string()),
        }
    }
}

/// Passes over what is compiled for tests only: at most an item, and less where that is not sure, since too much in a hash does no
/// harm.
fn skip_item(trees: &mut impl Iterator<Item = TokenTree>) {
    for tree in trees {
        let ends = match &tree {
            TokenTree::Punct(p) => matches!(p.as_char(), ';' | ','),
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        if ends {
            return;
        }
    }
}
