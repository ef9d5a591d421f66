//! The configuration folder.
use super::{
    changes::Changes,
    layered::Layered,
    names::unknown_name,
    source::{Source, keys},
};
use crate::models::models;
use crate::{methods::METHODS, recipes::RECIPES};
use anyhow::{Context, Result};
use indexmap::IndexMap;
use scenarec_data::DatasetConfig;
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// `configs/`, with the files read so far.
#[derive(Debug)]
pub struct Catalog {
    folder: PathBuf,
    components: RefCell<BTreeMap<String, Arc<ComponentFile>>>,
    sources: RefCell<BTreeMap<String, Arc<Source>>>,
}

/// A model's or method's file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawComponent {
    model: Option<String>,
    method: Option<String>,
    reported_as: Option<String>,
    #[serde(default)]
    config: Mapping,
    #[serde(default)]
    profiles: IndexMap<String, Mapping>,
    #[serde(default)]
    datasets: IndexMap<String, Mapping>,
}

/// A model's or method's file.
#[derive(Debug)]
pub struct ComponentFile {
    /// `model` or `method`.
    pub kind: &'static str,
    /// The file's stem.
    pub name: String,
    /// Name in the registry.
    pub entry: String,
    /// Name in the papers' tables.
    pub reported_as: String,
    /// Profiles it knows, besides `paper`.
    pub profiles: Vec<String>,
    source: Arc<Source>,
    config: Mapping,
    by_profile: IndexMap<String, Mapping>,
    by_dataset: IndexMap<String, Mapping>,
}

impl Catalog {
    /// The folder `configs` of a project.
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.into(), components: RefCell::default(), sources: RefCell::default() }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of the files of a kind (`dataset`, `model`, `method`, `table`), sorted.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join(format!("{kind}s"))) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
            .filter_map(|p| Some(p.file_stem()?.to_str()?.to_string()))
            .collect();
        names.sort();
        names
    }

    /// Whether there is a file for `name`.
    pub fn has(&self, kind: &str, name: &str) -> bool {
        self.path(kind, name).is_file()
    }

    /// "unknown method `cdsm`; did you mean …"
    pub fn unknown(&self, kind: &str, name: &str) -> String {
        let known = self.names(kind);
        unknown_name(kind, name, known.iter().map(String::as_str))
    }

    fn path(&self, kind: &str, name: &str) -> PathBuf {
        self.folder.join(format!("{kind}s")).join(format!("{name}.yaml"))
    }

    /// A table's file, over the one that its key `like` names.
    pub(super) fn table(&self, name: &str) -> Result<Arc<Source>> {
        self.table_below(name, &[])
    }

    /// The same for a table that those in `above` are like.
    fn table_below(&self, name: &str, above: &[&str]) -> Result<Arc<Source>> {
        let source = self.source("table", name)?;
        let key = keys(&["like"]);
        let Some(like) = source.at(&key) else { return Ok(source) };
        let Some(like) = like.as_str() else { return Err(source.error_at(&key, "expected a table's name")) };
        if !self.has("table", like) {
            return Err(source.error_at(&key, self.unknown("table", like)));
        }
        let above = [above, &[name]].concat();
        if above.contains(&like) {
            return Err(source.error_at(&key, format!("{} would be like itself", above.join(" like "))));
        }
        Ok(Arc::new(source.as_ref().clone().over(self.table_below(like, &above)?)))
    }

    /// The file's contents.
    pub(super) fn source(&self, kind: &str, name: &str) -> Result<Arc<Source>> {
        anyhow::ensure!(self.has(kind, name), self.unknown(kind, name));
        let shown = format!("configs/{kind}s/{name}.yaml");
        if let Some(s) = self.sources.borrow().get(&shown) {
            return Ok(s.clone());
        }
        let source = Source::read(&self.path(kind, name), &shown)?;
        self.sources.borrow_mut().insert(shown, source.clone());
        Ok(source)
    }

    /// A model's or method's file.
    pub fn component(&self, kind: &'static str, name: &str) -> Result<Arc<ComponentFile>> {
        let id = format!("{kind}/{name}");
        if let Some(c) = self.components.borrow().get(&id) {
            return Ok(c.clone());
        }
        let source = self.source(kind, name)?;
        let raw: RawComponent = source.typed()?;
        let (entry, other) = match kind {
            "model" => (raw.model, raw.method.map(|_| "method")),
            _ => (raw.method, raw.model.map(|_| "model")),
        };
        if let Some(other) = other {
            return Err(source.error_at_key(&[other.into()], format!("a {kind}'s file has no key `{other}`")));
        }
        let entry = entry.ok_or_else(|| source.error_at(&[], format!("missing key `{kind}`")))?;
        let known: Vec<&str> = match kind {
            "model" => models().map(|m| m.name).collect(),
            _ => METHODS.iter().map(|m| m.name).collect(),
        };
        if !known.contains(&entry.as_str()) {
            return Err(source.error_at(&[kind.into()], unknown_name(kind, &entry, known)));
        }
        if raw.profiles.contains_key("paper") {
            let message = "profile `paper` is what `config` says";
            return Err(source.error_at_key(&["profiles".into(), "paper".into()], message));
        }
        let file = Arc::new(ComponentFile {
            kind,
            name: name.into(),
            entry,
            reported_as: raw.reported_as.unwrap_or_else(|| name.into()),
            profiles: raw.profiles.keys().cloned().collect(),
            source,
            config: raw.config,
            by_profile: raw.profiles,
            by_dataset: raw.datasets,
        });
        self.components.borrow_mut().insert(id, file.clone());
        Ok(file)
    }

    /// A dataset's configuration with `changes` applied.
    pub fn dataset(&self, name: &str, changes: &Changes) -> Result<DatasetConfig> {
        self.dataset_as(name, name, changes)
    }

    /// The same for the dataset in the file `name`, which the changes call `entry`.
    pub(super) fn dataset_as(&self, name: &str, entry: &str, changes: &Changes) -> Result<DatasetConfig> {
        let source = self.source("dataset", name)?;
        let path = self.path("dataset", name);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let config = DatasetConfig::from_text(Path::new(source.file()), &text)?;
        if config.dataset != name {
            let message = format!("the dataset is called `{}`, its file `{name}`", config.dataset);
            return Err(source.error_at(&["dataset".into()], message));
        }
        let mut changed = Layered::default();
        changes.apply("dataset", entry, &mut changed)?;
        if changed.value() == Value::Mapping(Mapping::new()) {
            return Ok(config);
        }
        let mut whole = Layered::default();
        if let Value::Mapping(m) = source.value() {
            whole.merge_from(m, &source, &[]);
        }
        changes.apply("dataset", entry, &mut whole)?;
        let check = |v| {
            let text = serde_yaml::to_string(&v)?;
            match DatasetConfig::from_text(Path::new("merged"), &text) {
                Ok(_) => Ok(v),
                // The place in the merged text means nothing to the reader.
                Err(scenarec_data::Error::Config { message, .. }) => Err(anyhow::anyhow!(message)),
                Err(e) => Err(e.into()),
            }
        };
        let resolved = whole.checked(&format!("dataset {entry}"), check)?;
        Ok(DatasetConfig::from_text(Path::new(source.file()), &serde_yaml::to_string(&resolved)?)?)
    }
}

impl ComponentFile {
    /// Settings of a profile for a dataset, before the table's own changes.
    pub fn layered(&self, profile: &str, dataset: &str) -> Result<Layered> {
        let mut l = Layered::default();
        l.merge_from(&self.config, &self.source, &["config".into()]);
        if let Some(p) = self.by_profile.get(profile) {
            l.merge_from(p, &self.source, &["profiles".into(), profile.into()]);
        }
        for (glob, settings) in &self.by_dataset {
            let path = ["datasets".to_string(), glob.clone()];
            let matcher = globset::Glob::new(glob)
                .map_err(|e| self.source.error_at_key(&path, format!("not a glob: {e}")))?
                .compile_matcher();
            if matcher.is_match(dataset) {
                l.merge_from(settings, &self.source, &path);
            }
        }
        Ok(l)
    }

    /// The registry's check of the settings; `name`, the registry's name, is one of them.
    pub fn checked(&self, layered: &Layered) -> Result<Value> {
        let resolve = |config| match self.kind {
            "model" => crate::models::model(&self.entry)?.resolve(config),
            _ => (crate::methods::method(&self.entry)?.resolve)(config),
        };
        let mut named = layered.clone();
        named.put("name", self.entry.clone().into());
        named.checked(&format!("{} {}", self.kind, self.name), resolve)
    }
}

/// The registry's recipe called `name`.
pub(super) fn recipe(name: &str) -> Option<&'static crate::recipes::Recipe> {
    RECIPES.iter().find(|r| r.name == name)
}
