//! Cells that a table does not have.
use super::{
    names::{Names, unknown_name},
    resolve::Coordinates,
    source::{KeyPath, Source},
};
use anyhow::Result;
use indexmap::IndexMap;

/// As written: dimension -> value or values.
pub(super) type RawWithout = Vec<IndexMap<String, Names>>;

/// Combinations of values that a table has no cell for.
#[derive(Clone, Debug, Default)]
pub struct Without(Vec<IndexMap<String, Vec<String>>>);

impl Without {
    /// Checks names against `dimensions` (name -> values).
    pub(super) fn check(
        raw: RawWithout,
        source: &Source,
        dimensions: &IndexMap<String, Vec<String>>,
    ) -> Result<Self> {
        let mut all = Vec::new();
        for (i, item) in raw.into_iter().enumerate() {
            let path = |below: &[&str]| -> KeyPath {
                let i = i.to_string();
                ["layout", "without", &i].iter().chain(below).map(|s| s.to_string()).collect()
            };
            if item.is_empty() {
                return Err(source.error_at(&path(&[]), "names no dimension"));
            }
            for (dimension, names) in &item {
                let Some(known) = dimensions.get(dimension) else {
                    let message = unknown_name("dimension", dimension, dimensions.keys().map(String::as_str));
                    return Err(source.error_at_key(&path(&[dimension]), message));
                };
                if let Some(name) = names.0.iter().find(|name| !known.contains(name)) {
                    let message = unknown_name(dimension, name, known.iter().map(String::as_str));
                    return Err(source.error_at(&path(&[dimension]), message));
                }
            }
            all.push(item.into_iter().map(|(dimension, names)| (dimension, names.0)).collect());
        }
        Ok(Self(all))
    }

    /// Whether there is no cell at `coordinates`.
    pub fn excludes(&self, coordinates: &Coordinates) -> bool {
        let fits = |(dimension, names): (&String, &Vec<String>)| names.contains(&coordinates[dimension]);
        self.0.iter().any(|item| item.iter().all(fits))
    }
}
