//! A YAML file that can say where each of its keys stands.
use super::layered::merge_mapping;
use anyhow::{Context, Result};
use marked_yaml::{LoadError, LoaderOptions, Marker, Node, parse_yaml_with_options};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use serde_yaml::Value;
use std::{fmt, path::Path, sync::Arc};

/// Keys from the top of a file downwards; list elements by number.
pub type KeyPath = Vec<String>;

/// A path of keys that are known.
pub(super) fn keys(path: &[&str]) -> KeyPath {
    path.iter().map(|s| s.to_string()).collect()
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A key or value in a file.
    File {
        /// The file, as shown to the user.
        file: Arc<str>,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Its keys, joined by dots; empty for the file as a whole.
        key: String,
    },
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Place::File { file, line, column, key } if key.is_empty() => write!(f, "{file}:{line}:{column}"),
            Place::File { file, line, column, key } => write!(f, "{file}:{line}:{column}: {key}"),
            Place::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// Something wrong in a configuration file, with its place.
#[derive(Debug)]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for ConfigError {}

/// A parsed file: its values, and the same tree with line and column of everything.
#[derive(Clone, Debug)]
pub struct Source {
    file: Arc<str>,
    value: Value,
    tree: Node,
    /// The file whose values stand where this one has none.
    base: Option<Arc<Self>>,
}

impl Source {
    /// Reads `path`, which messages call `shown`.
    pub fn read(path: &Path, shown: &str) -> Result<Arc<Self>> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Arc::new(Self::parse(&text, shown)?))
    }

    /// Parses `text`.
    pub fn parse(text: &str, shown: &str) -> Result<Self> {
        let file: Arc<str> = shown.into();
        let error = |line, column, message: String| ConfigError {
            place: Place::File { file: file.clone(), line, column, key: String::new() },
            message,
        };
        let options = LoaderOptions::default().error_on_duplicate_keys(true);
        let tree = parse_yaml_with_options(0, text, options).map_err(|e| {
            let (marker, message) = describe(&e);
            error(marker.map_or(1, |m| m.line()), marker.map_or(1, |m| m.column()), message)
        })?;
        let value = serde_yaml::from_str(text).map_err(|e| {
            let at = e.location();
            error(at.as_ref().map_or(1, |l| l.line()), at.as_ref().map_or(1, |l| l.column()), e.to_string())
        })?;
        Ok(Self { file, value, tree, base: None })
    }

    /// This file over `base`: mappings are merged key by key, `null` takes a key of the base away, everything else is replaced.
    pub fn over(mut self, base: Arc<Self>) -> Self {
        let own = std::mem::replace(&mut self.value, base.value.clone());
        if let (Value::Mapping(value), Value::Mapping(own)) = (&mut self.value, &own) {
            merge_mapping(value, own, |_| true);
        }
        self.base = Some(base);
        self
    }

    /// The file's name, as shown to the user.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The whole file's value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value at `path`, if there is one.
    pub fn at(&self, path: &[String]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |v, k| match v {
            Value::Sequence(s) => s.get(k.parse::<usize>().ok()?),
            v => v.get(k.as_str()),
        })
    }

    /// Place of the key that `path` ends in (of the element, for a list).
    pub fn key_place(&self, path: &[String]) -> Place {
        self.place(path, true)
    }

    /// Place of the value at `path`.
    pub fn value_place(&self, path: &[String]) -> Place {
        self.place(path, false)
    }

    /// An error about the key at `path`.
    pub fn error_at_key(&self, path: &[String], message: impl Into<String>) -> anyhow::Error {
        ConfigError { place: self.key_place(path), message: message.into() }.into()
    }

    /// An error about the value at `path`.
    pub fn error_at(&self, path: &[String], message: impl Into<String>) -> anyhow::Error {
        ConfigError { place: self.value_place(path), message: message.into() }.into()
    }

    /// The file as a `T`; an error names the offending key's place.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T> {
        serde_path_to_error::deserialize(self.value.clone()).map_err(|e| {
            let path = key_path(e.path());
            let message = with_suggestion(&e.inner().to_string());
            if message.starts_with("unknown field") {
                self.error_at_key(&path, message)
            } else {
                self.error_at(&path, message)
            }
        })
    }

    /// The deepest part of `path` that exists, at its key or its value; in a base where more of it exists there.
    fn place(&self, path: &[String], key: bool) -> Place {
        let files = std::iter::successors(Some(self), |file| file.base.as_deref());
        let found = files.map(|file| (file, file.find(path, key)));
        // The first of those that are equally deep.
        let deepest = found.reduce(|best, next| if next.1.0 > best.1.0 { next } else { best });
        let (file, (_, at)) = deepest.expect("this file is one of them");
        let at = at.unwrap_or_else(|| Marker::new(0, 0, 1, 1));
        Place::File { file: file.file.clone(), line: at.line(), column: at.column(), key: path.join(".") }
    }

    /// How many steps of `path` this file has, and where the last one is.
    fn find(&self, path: &[String], key: bool) -> (usize, Option<Marker>) {
        let mut node = &self.tree;
        let mut at = start(node);
        for (depth, step) in path.iter().enumerate() {
            let (begin, next) = match node {
                Node::Mapping(m) => match m.iter().find(|(k, _)| k.as_str() == step) {
                    Some((k, v)) => (if key { k.span().start().copied() } else { start(v) }, v),
                    None => return (depth, at),
                },
                Node::Sequence(s) => match step.parse().ok().and_then(|i: usize| s.get_node(i)) {
                    Some(v) => (start(v), v),
                    None => return (depth, at),
                },
                Node::Scalar(_) => return (depth, at),
            };
            node = next;
            at = begin.or(at);
        }
        (path.len(), at)
    }
}

/// Where a node begins. The reader's own place of a mapping without braces is the colon of its first key.
fn start(node: &Node) -> Option<Marker> {
    let first = node.as_mapping().and_then(|m| m.keys().next()?.span().start());
    [first, node.span().start()].into_iter().flatten().min_by_key(|m| (m.line(), m.column())).copied()
}

/// A message for what the YAML reader found, and where it did.
fn describe(e: &LoadError) -> (Option<&Marker>, String) {
    match e {
        LoadError::DuplicateKey(d) => {
            (d.key.span().start(), format!("the key {:?} appears twice", d.key.as_str()))
        }
        LoadError::TopLevelMustBeMapping(m) => {
            (Some(m), "a configuration file is a mapping: `key: value` lines".into())
        }
        LoadError::UnexpectedAnchor(m) => (Some(m), "anchors (&name) are not used here".into()),
        LoadError::UnexpectedTag(m) => (Some(m), "tags (!name) are not used here".into()),
        LoadError::MappingKeyMustBeScalar(m) => (Some(m), "a key must be a plain word".into()),
        LoadError::TopLevelMustBeSequence(m) => (Some(m), e.to_string_at(m)),
        LoadError::ScanError(m, scan) => (Some(m), format!("not YAML: {scan}")),
    }
}

/// Display of an error whose own text repeats its place.
trait ToStringAt {
    fn to_string_at(&self, marker: &Marker) -> String;
}

impl ToStringAt for LoadError {
    fn to_string_at(&self, _: &Marker) -> String {
        self.to_string()
    }
}

/// Serde's path as our own.
fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    path.iter()
        .filter_map(|s| match s {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect()
}

/// Adds the nearest of the expected names to serde's message about an unknown one.
pub(super) fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(unknown), known) = (quoted.next(), quoted.collect::<Vec<_>>()) else { return message.into() };
    if !message.starts_with("unknown ") {
        return message.into();
    }
    match super::names::nearest(unknown, known.iter().copied()) {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Top {
        run: BTreeMap<String, Inner>,
        list: Vec<u32>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        epochs: u32,
    }

    fn error(text: &str) -> String {
        Source::parse(text, "t.yaml").and_then(|s| s.typed::<Top>()).unwrap_err().to_string()
    }

    #[test]
    fn unknown_key_is_named_at_the_key() {
        let e = error("run:\n  a:\n    epoch: 3\nlist: [1]\n");
        assert!(e.starts_with("t.yaml:3:5: run.a.epoch: unknown field `epoch`"), "{e}");
        assert!(e.ends_with("did you mean `epochs`?"), "{e}");
    }

    #[test]
    fn wrong_type_is_named_at_the_value() {
        let e = error("run:\n  a: { epochs: many }\nlist: [1]\n");
        assert!(e.starts_with("t.yaml:2:16: run.a.epochs: invalid type: string \"many\""), "{e}");
        let e = error("run: {}\nlist: [1,\n  x]\n");
        assert!(e.starts_with("t.yaml:3:3: list.1: invalid type"), "{e}");
    }

    #[test]
    fn missing_key_is_named_at_its_mapping() {
        let e = error("run:\n  a: {}\nlist: []\n");
        assert!(e.starts_with("t.yaml:2:6: run.a: missing field `epochs`"), "{e}");
    }

    #[test]
    fn a_file_over_another_keeps_places() {
        let base =
            Source::parse("run:\n  a: { epochs: 3 }\n  b: { epochs: few }\nlist: [1, 2]\n", "base.yaml");
        let base = Arc::new(base.unwrap());
        let over = |text: &str| Source::parse(text, "t.yaml").unwrap().over(base.clone());
        let e = over("list: [3]\n").typed::<Top>().unwrap_err().to_string();
        assert!(e.starts_with("base.yaml:3:16: run.b.epochs: invalid type"), "{e}");
        let e = over("run:\n  a:\n    epochs: many\n").typed::<Top>().unwrap_err().to_string();
        assert!(e.starts_with("t.yaml:3:13: run.a.epochs: invalid type"), "{e}");
        let e = over("run: { b: null }\nlist: [x]\n").typed::<Top>().unwrap_err().to_string();
        assert!(e.starts_with("t.yaml:2:8: list.0: invalid type"), "{e}");
        let top = over("run: { a: { epochs: 4 }, b: null }\n").typed::<Top>().unwrap();
        assert_eq!((top.run.len(), top.run["a"].epochs, top.list), (1, 4, vec![1, 2]));
    }

    #[test]
    fn what_is_not_yaml_is_named() {
        assert!(error("run: {}\nrun: {}\n").starts_with("t.yaml:2:1: the key \"run\" appears twice"));
        assert!(error("run: [\n").starts_with("t.yaml:2:1: not YAML"), "{}", error("run: [\n"));
        assert!(error("- 1\n").starts_with("t.yaml:1:1: a configuration file is a mapping"));
    }
}
