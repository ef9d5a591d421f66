//! The dimensions of a table's grid.
use super::{
    catalog::Catalog,
    changes::Changes,
    entry::{Entry, RawEntry},
    layout::RECORDED,
    source::{Source, keys},
};
use anyhow::Result;
use serde_yaml::{Mapping, Value};
use std::sync::Arc;

/// One dimension of the grid.
#[derive(Clone, Debug)]
pub struct Dimension {
    /// `dataset`, `model`, `method`, or a variant's name.
    pub name: String,
    /// Its entries, in the table's order.
    pub entries: Vec<Entry>,
}

/// Checks the entries of one dimension; those of `dataset`, `model` and `method` must have files.
pub(super) fn check_dimension(
    name: String,
    raw: Vec<RawEntry>,
    catalog: &Catalog,
    source: &Arc<Source>,
) -> Result<Dimension> {
    let at = keys(&["grid", &name]);
    if RECORDED.contains(&name.as_str()) {
        let message = format!("runs record `{name}` themselves: its values belong under layout.labels");
        return Err(source.error_at_key(&at, message));
    }
    if raw.is_empty() {
        return Err(source.error_at(&at, "a dimension needs at least one entry"));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (i, e) in raw.into_iter().enumerate() {
        let index = i.to_string();
        let mut path = keys(&["grid", &name, &index]);
        let set = Changes::from_file(e.set.unwrap_or_default(), source, &["grid", &name, &index, "set"]);
        if e.is_mapping {
            path.push("name".into());
        }
        if entries.iter().any(|other| other.name == e.name) {
            return Err(source.error_at(&path, format!("`{}` appears twice", e.name)));
        }
        let kind = component_kind(&name);
        if e.of.is_some() {
            path.pop();
            path.push("of".into());
            if kind.is_none() {
                return Err(source.error_at_key(&path, format!("entries of `{name}` have no files")));
            }
        }
        let file = kind.map(|_| e.of.unwrap_or_else(|| e.name.clone()));
        let mut reported_as = e.reported_as;
        if let (Some(kind), Some(file), None) = (kind, &file, &e.not_yet) {
            if !catalog.has(kind, file) {
                return Err(source.error_at(&path, catalog.unknown(kind, file)));
            }
            let theirs = reported_as_of(kind, file, catalog)?;
            reported_as = reported_as.or(Some(theirs));
        }
        let reported_as = reported_as.unwrap_or_else(|| e.name.clone());
        entries.push(Entry { name: e.name, file, reported_as, not_yet: e.not_yet, set });
    }
    Ok(Dimension { name, entries })
}

/// Kinds of dimensions whose entries are files.
fn component_kind(dimension: &str) -> Option<&'static str> {
    ["dataset", "model", "method"].into_iter().find(|k| *k == dimension)
}

/// The papers' name of a dataset, model or method, by its own file.
fn reported_as_of(kind: &'static str, name: &str, catalog: &Catalog) -> Result<String> {
    Ok(match kind {
        "dataset" => catalog.dataset(name, &Changes::default())?.reported_as.unwrap_or_else(|| name.into()),
        _ => catalog.component(kind, name)?.reported_as.clone(),
    })
}

/// `run.model: deepfm` (or a mapping with `name` and changes) is a dimension with one entry.
pub(super) fn single_entry(
    kind: &'static str,
    run: &mut Mapping,
    dimensions: &mut Vec<Dimension>,
    catalog: &Catalog,
    source: &Arc<Source>,
) -> Result<()> {
    let path = keys(&["run", kind]);
    let in_grid = dimensions.iter().any(|d| d.name == kind);
    let (name, changes, at_name) = match run.shift_remove(kind) {
        None if in_grid => return Ok(()),
        None => {
            let message = format!("the grid has no `{kind}`, so run needs the key `{kind}`");
            return Err(source.error_at(&keys(&["run"]), message));
        }
        Some(_) if in_grid => {
            let message = format!("`{kind}` is a dimension of the grid and cannot be set here too");
            return Err(source.error_at_key(&path, message));
        }
        Some(Value::String(name)) => (name, Mapping::new(), path.clone()),
        Some(Value::Mapping(mut m)) => match m.shift_remove("name") {
            Some(Value::String(name)) => (name, m, keys(&["run", kind, "name"])),
            _ => return Err(source.error_at(&path, "missing key `name`")),
        },
        Some(_) => return Err(source.error_at(&path, "expected a name, or a mapping with `name`")),
    };
    if !catalog.has(kind, &name) {
        return Err(source.error_at(&at_name, catalog.unknown(kind, &name)));
    }
    let reported_as = reported_as_of(kind, &name, catalog)?;
    let set = Changes::inline(kind, &name, changes, source, path);
    let entry = Entry { file: Some(name.clone()), name, reported_as, not_yet: None, set };
    dimensions.push(Dimension { name: kind.into(), entries: vec![entry] });
    Ok(())
}
