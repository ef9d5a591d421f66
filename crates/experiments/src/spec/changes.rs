//! A set of changes to settings, in the one shape they have everywhere.
use super::{
    layered::Layered,
    names::unknown_name,
    search::Search,
    source::{ConfigError, KeyPath, Place, Source},
};
use anyhow::{Context, Result};
use globset::Glob;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
use std::sync::Arc;

/// As written in a file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawChanges {
    pub run: Mapping,
    pub model: IndexMap<String, Mapping>,
    pub method: IndexMap<String, Mapping>,
    pub dataset: IndexMap<String, Mapping>,
    /// Whether the table's searches take place.
    pub search: Option<bool>,
}

/// Where a change was written.
#[derive(Clone, Debug)]
enum Origin {
    File(Arc<Source>, KeyPath),
    /// The list of a search's values at a path, and which of them.
    Tried(Arc<Source>, KeyPath, usize),
    Flag(String),
}

/// Changes to one thing.
#[derive(Clone, Debug)]
pub struct Change {
    /// `run`, `model`, `method` or `dataset`.
    section: &'static str,
    /// Name or glob of the model, method or dataset; empty for `run`.
    glob: String,
    value: Mapping,
    origin: Origin,
}

impl Change {
    /// Place of the changed thing's name.
    fn place(&self) -> Place {
        match &self.origin {
            Origin::File(source, path) | Origin::Tried(source, path, _) => source.key_place(path),
            Origin::Flag(flag) => Place::Flag(flag.clone()),
        }
    }

    fn matches(&self, section: &str, name: &str) -> Result<bool> {
        if self.section != section {
            return Ok(false);
        }
        if section == "run" {
            return Ok(true);
        }
        let glob = Glob::new(&self.glob)
            .map_err(|e| ConfigError { place: self.place(), message: format!("not a glob: {e}") })?;
        Ok(glob.compile_matcher().is_match(name))
    }
}

/// Changes in order; later ones win.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    list: Vec<Change>,
    /// Whether searches take place, and where that was said; they do where nothing was.
    search: Option<(bool, Place)>,
}

impl Changes {
    /// What stands at `path` in `source`.
    pub(super) fn from_file(raw: RawChanges, source: &Arc<Source>, path: &[&str]) -> Self {
        let below = |more: &[&str]| -> KeyPath { path.iter().chain(more).map(|s| s.to_string()).collect() };
        let at = |more: &[&str]| Origin::File(source.clone(), below(more));
        let mut changes = Vec::new();
        if !raw.run.is_empty() {
            changes.push(Change {
                section: "run",
                glob: String::new(),
                value: raw.run,
                origin: at(&["run"]),
            });
        }
        for (section, named) in [("model", raw.model), ("method", raw.method), ("dataset", raw.dataset)] {
            for (glob, value) in named {
                let origin = at(&[section, &glob]);
                changes.push(Change { section, glob, value, origin });
            }
        }
        let search = raw.search.map(|on| (on, source.key_place(&below(&["search"]))));
        Self { list: changes, search }
    }

    /// Settings of one model, method or dataset that stand directly at `path`.
    pub(super) fn inline(
        section: &'static str,
        name: &str,
        value: Mapping,
        source: &Arc<Source>,
        path: KeyPath,
    ) -> Self {
        if value.is_empty() {
            return Self::default();
        }
        Self::one(Change { section, glob: name.into(), value, origin: Origin::File(source.clone(), path) })
    }

    /// The value number `i` of the list at `path`, where a search tries values for `key` (dotted) of a section.
    pub(super) fn tried(
        section: &'static str,
        glob: &str,
        key: &str,
        value: &Value,
        (source, path, i): (&Arc<Source>, &KeyPath, usize),
    ) -> Self {
        let origin = Origin::Tried(source.clone(), path.clone(), i);
        Self::one(Change { section, glob: glob.into(), value: nested(key, value.clone()), origin })
    }

    fn one(change: Change) -> Self {
        Self { list: vec![change], search: None }
    }

    /// A flag `--set PATH=VALUE`: `run.pretrain.epochs=2`, `method.csdm.rho=0.1`, `search=false`; the value is YAML.
    pub fn from_flag(text: &str) -> Result<Self> {
        let (path, value) = text.split_once('=').with_context(|| {
            format!("--set {text}: expected PATH=VALUE, for example run.pretrain.epochs=2")
        })?;
        let value: Value = serde_yaml::from_str(value).with_context(|| format!("--set {text}: not YAML"))?;
        let flag = format!("--set {text}");
        if path == "search" {
            let on = value.as_bool().with_context(|| format!("{flag}: expected true or false"))?;
            return Ok(Self { list: Vec::new(), search: Some((on, Place::Flag(flag))) });
        }
        let (section, rest) = path.split_once('.').unwrap_or((path, ""));
        let section = ["run", "model", "method", "dataset"].into_iter().find(|s| *s == section);
        let section = section.with_context(|| {
            format!(
                "{flag}: the path begins with run., model.NAME., method.NAME. or dataset.NAME., or is search"
            )
        })?;
        let (glob, keys) = match section {
            "run" => ("", rest),
            _ => rest.split_once('.').unwrap_or((rest, "")),
        };
        anyhow::ensure!(!keys.is_empty(), "{flag}: the path names no key");
        let value = nested(keys, value);
        Ok(Self::one(Change { section, glob: glob.into(), value, origin: Origin::Flag(flag) }))
    }

    /// These changes, then `more`.
    pub fn then(&self, more: &Changes) -> Changes {
        Changes {
            list: self.list.iter().chain(&more.list).cloned().collect(),
            search: more.search.clone().or_else(|| self.search.clone()),
        }
    }

    /// Where searches are switched off, if they are.
    pub(super) fn search_off(&self) -> Option<&Place> {
        self.search.as_ref().filter(|(on, _)| !on).map(|(_, place)| place)
    }

    /// An error for what is said about searches in a table that has none.
    pub(super) fn check_search(&self, searches: &[Search]) -> Result<()> {
        match &self.search {
            Some((_, place)) if searches.is_empty() => {
                let message = "the table has no searches".into();
                Err(ConfigError { place: place.clone(), message }.into())
            }
            _ => Ok(()),
        }
    }

    /// Where the `key` (dotted) of a section's `name` is changed, as a whole or in part, if it is.
    pub(super) fn place_of(&self, section: &str, name: &str, key: &str) -> Result<Option<Place>> {
        for c in &self.list {
            if c.matches(section, name)? && touches(&c.value, key) {
                return Ok(Some(c.place()));
            }
        }
        Ok(None)
    }

    /// Applies what concerns the `section` (of the model, method or dataset called `name`).
    pub fn apply(&self, section: &str, name: &str, to: &mut Layered) -> Result<()> {
        for c in &self.list {
            if c.matches(section, name)? {
                match &c.origin {
                    Origin::File(source, path) => to.merge_from(&c.value, source, path),
                    Origin::Tried(source, path, i) => {
                        let element: KeyPath = path.iter().cloned().chain([i.to_string()]).collect();
                        to.merge_whole(&c.value, &source.key_place(path), &source.value_place(&element));
                    }
                    Origin::Flag(_) => to.merge_whole(&c.value, &c.place(), &c.place()),
                }
            }
        }
        Ok(())
    }

    /// An error for a glob that matches none of the `known` names of a section.
    pub fn check_names(&self, known: impl Fn(&str) -> Vec<String>) -> Result<()> {
        for c in self.list.iter().filter(|c| c.section != "run") {
            let names = known(c.section);
            let mut matched = false;
            for n in &names {
                matched |= c.matches(c.section, n)?;
            }
            if !matched {
                let message = unknown_name(c.section, &c.glob, names.iter().map(String::as_str));
                return Err(ConfigError { place: c.place(), message }.into());
            }
        }
        Ok(())
    }
}

/// `value` at a dotted key.
fn nested(key: &str, value: Value) -> Mapping {
    match key.split_once('.') {
        Some((first, rest)) => Mapping::from_iter([(first.into(), Value::Mapping(nested(rest, value)))]),
        None => Mapping::from_iter([(key.into(), value)]),
    }
}

/// Whether `changed` sets a dotted key, something above it or something below it.
fn touches(changed: &Mapping, key: &str) -> bool {
    match key.split_once('.') {
        Some((first, rest)) => match changed.get(first) {
            Some(Value::Mapping(inner)) => touches(inner, rest),
            whole => whole.is_some(),
        },
        None => changed.contains_key(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_changes_one_key() {
        let changes = Changes::from_flag("method.csdm.sampler.s=5").unwrap();
        let mut to = Layered::default();
        changes.apply("method", "csdm", &mut to).unwrap();
        changes.apply("method", "cvar", &mut to).unwrap();
        assert_eq!(to.value(), serde_yaml::from_str::<Value>("sampler: { s: 5 }").unwrap());
    }

    #[test]
    fn changes_above_and_below_a_key_touch_it() {
        let changes = Changes::from_flag("method.c*.sampler.s=5").unwrap();
        let place = |name, key| changes.place_of("method", name, key).unwrap().map(|p| p.to_string());
        for key in ["sampler", "sampler.s", "sampler.s.deeper"] {
            assert_eq!(place("csdm", key).as_deref(), Some("--set method.c*.sampler.s=5"), "{key}");
        }
        assert!(place("csdm", "sampler.t").is_none() && place("csdm", "rho").is_none());
        assert!(place("none", "sampler.s").is_none());
    }

    #[test]
    fn the_last_one_decides_about_searches() {
        let flag = |text| Changes::from_flag(text).unwrap();
        let off = flag("search=false");
        assert_eq!(off.search_off().unwrap().to_string(), "--set search=false");
        assert!(off.then(&flag("method.csdm.rho=1")).search_off().is_some());
        assert!(off.then(&flag("search=true")).search_off().is_none());
        assert!(Changes::default().search_off().is_none());
    }

    #[test]
    fn a_bad_flag_is_explained() {
        for (flag, message) in [
            ("a", "expected PATH=VALUE"),
            ("foo.a=1", "the path begins with"),
            ("search=5", "expected true or false"),
            ("run=1", "names no key"),
            ("method.csdm=1", "names no key"),
        ] {
            let e = format!("{:#}", Changes::from_flag(flag).unwrap_err());
            assert!(e.contains(message), "{e}");
        }
        let e = Changes::from_flag("method.cdsm.s=1").unwrap().check_names(|_| vec!["csdm".into()]);
        let e = e.unwrap_err().to_string();
        assert_eq!(e, "--set method.cdsm.s=1: unknown method `cdsm`; did you mean `csdm`? (known: csdm)");
    }
}
