//! A set of changes to settings, in the one shape they have everywhere.
use super::{
    layered::Layered,
    names::unknown_name,
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
}

/// Where a change was written.
#[derive(Clone, Debug)]
enum Origin {
    File(Arc<Source>, KeyPath),
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
            Origin::File(source, path) => source.key_place(path),
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
pub struct Changes(Vec<Change>);

impl Changes {
    /// What stands at `path` in `source`.
    pub(super) fn from_file(raw: RawChanges, source: &Arc<Source>, path: &[&str]) -> Self {
        let at = |more: &[&str]| {
            Origin::File(source.clone(), path.iter().chain(more).map(|s| s.to_string()).collect())
        };
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
        Self(changes)
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
        Self(vec![Change { section, glob: name.into(), value, origin: Origin::File(source.clone(), path) }])
    }

    /// A flag `--set PATH=VALUE`: `run.pretrain.epochs=2`, `method.csdm.rho=0.1`; the value is YAML.
    pub fn from_flag(text: &str) -> Result<Self> {
        let (path, value) = text.split_once('=').with_context(|| {
            format!("--set {text}: expected PATH=VALUE, for example run.pretrain.epochs=2")
        })?;
        let value: Value = serde_yaml::from_str(value).with_context(|| format!("--set {text}: not YAML"))?;
        let (section, rest) = path.split_once('.').unwrap_or((path, ""));
        let section = ["run", "model", "method", "dataset"].into_iter().find(|s| *s == section);
        let section = section.with_context(|| {
            format!("--set {text}: the path begins with run., model.NAME., method.NAME. or dataset.NAME.")
        })?;
        let (glob, keys) = match section {
            "run" => ("", rest),
            _ => rest.split_once('.').unwrap_or((rest, "")),
        };
        anyhow::ensure!(!keys.is_empty(), "--set {text}: the path names no key");
        let nested = keys.rsplit('.').fold(value, |inner, key| {
            Value::Mapping(Mapping::from_iter([(Value::String(key.into()), inner)]))
        });
        let Value::Mapping(value) = nested else { unreachable!("a path has at least one key") };
        Ok(Self(vec![Change {
            section,
            glob: glob.into(),
            value,
            origin: Origin::Flag(format!("--set {text}")),
        }]))
    }

    /// These changes, then `more`.
    pub fn then(&self, more: &Changes) -> Changes {
        Changes(self.0.iter().chain(&more.0).cloned().collect())
    }

    /// Applies what concerns the `section` (of the model, method or dataset called `name`).
    pub fn apply(&self, section: &str, name: &str, to: &mut Layered) -> Result<()> {
        for c in &self.0 {
            if c.matches(section, name)? {
                match &c.origin {
                    Origin::File(source, path) => to.merge_from(&c.value, source, path),
                    Origin::Flag(flag) => to.merge_flag(&c.value, flag),
                }
            }
        }
        Ok(())
    }

    /// An error for a glob that matches none of the `known` names of a section.
    pub fn check_names(&self, known: impl Fn(&str) -> Vec<String>) -> Result<()> {
        for c in self.0.iter().filter(|c| c.section != "run") {
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
    fn a_bad_flag_is_explained() {
        for (flag, message) in [
            ("a", "expected PATH=VALUE"),
            ("foo.a=1", "the path begins with"),
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
