//! One entry of a grid's dimension.
use super::changes::RawChanges;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// A dataset, model, method or variant of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryMap {
    name: String,
    of: Option<String>,
    reported_as: Option<String>,
    not_yet: Option<String>,
    set: Option<RawChanges>,
}

/// As written: a name, or a mapping.
#[derive(Clone, Debug)]
pub(super) struct RawEntry {
    pub name: String,
    pub of: Option<String>,
    pub reported_as: Option<String>,
    pub not_yet: Option<String>,
    pub set: Option<RawChanges>,
    /// Whether it was written as a mapping: its name then stands at `name`.
    pub is_mapping: bool,
}

impl<'de> Deserialize<'de> for RawEntry {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct NameOrMap;
        impl<'de> Visitor<'de> for NameOrMap {
            type Value = RawEntry;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a name, or a mapping with `name`")
            }
            fn visit_str<E>(self, name: &str) -> Result<RawEntry, E> {
                let name = name.to_string();
                Ok(RawEntry {
                    name,
                    of: None,
                    reported_as: None,
                    not_yet: None,
                    set: None,
                    is_mapping: false,
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawEntry, A::Error> {
                let EntryMap { name, of, reported_as, not_yet, set } =
                    EntryMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawEntry { name, of, reported_as, not_yet, set, is_mapping: true })
            }
        }
        d.deserialize_any(NameOrMap)
    }
}

/// A checked entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in the table.
    pub name: String,
    /// The dataset's, model's or method's file; none for a variant.
    pub file: Option<String>,
    /// Name in the paper's table and in reports.
    pub reported_as: String,
    /// Why its cells cannot be computed yet.
    pub not_yet: Option<String>,
    /// Settings this entry changes.
    pub set: super::Changes,
}

impl Entry {
    /// The file of a dataset, model or method.
    pub(super) fn file(&self) -> &str {
        self.file.as_deref().expect("an entry of a dimension whose entries have files")
    }
}
