//! What the columns of a dataset mean: fields, the id tables they index, tasks and scenarios.
//!
//! Models know a field by its name and role only, never by the dataset it comes from.
use serde::{Deserialize, Serialize};

/// Whom or what a field describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The user, the user's id included.
    User,
    /// The item, the item's id included.
    Item,
    /// The circumstances of the row: time, position, device.
    Context,
    /// The scenario (domain) indicator.
    Scenario,
}

/// How the embeddings of a bag of ids become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The sum over the ids of the row, each times its weight where the column has weights.
    Sum,
    /// The mean over the ids of the row; zero for an empty bag.
    Mean,
    /// The sum over the ids padded with id 0 up to `len`, the padding's row summed too (CVAR's and CSDM's titles
    /// and genres).
    SumPadded {
        /// Length every bag is padded to.
        len: u32,
    },
}

/// What a field's column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One id per row: `Column::Id`.
    Id,
    /// Any number of ids per row, pooled into one vector: `Column::Ragged`.
    Bag(Pooling),
    /// Tokens in time order, kept apart: `Column::Sequence`.
    Sequence {
        /// How many are kept, the most recent ones.
        max_len: u32,
    },
    /// One real number per row: `Column::Real`.
    Real,
    /// A vector that a model makes of the row's behaviour sequences: no column, no table. Models are built for schemas with
    /// such a field; no dataset has one.
    Pooled,
}

/// An id space. Fields that name the same table share their embeddings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The table's name, unique in the schema.
    pub name: String,
    /// Number of ids; every id in a column is below it.
    pub rows: usize,
}

/// One feature.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The field's name, unique in the schema.
    pub name: String,
    /// Whom it describes.
    pub role: Role,
    /// What its column holds. In YAML as nested maps, `{bag: {sum_padded: {len: 6}}}`: YAML tags cannot nest.
    #[serde(with = "serde_yaml::with::singleton_map_recursive")]
    pub kind: Kind,
    /// Name of its id table; absent exactly for `Kind::Real` and `Kind::Pooled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// The meaning of every column of a [`Dataset`](crate::Dataset), in column order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The id tables.
    pub tables: Vec<Table>,
    /// The fields, in the order in which models see them (the item id first, where the papers' programs have it so).
    pub fields: Vec<Field>,
    /// The tasks, in label order: `click`, `like`, …
    pub tasks: Vec<String>,
    /// The scenarios' names, by scenario number; one name where the dataset has no scenarios.
    pub scenarios: Vec<String>,
    /// Name of the item-id field, where there is one.
    #[serde(default)]
    pub item_id: Option<String>,
    /// Name of the user-id field, where there is one.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Fields that the released programs call side information (CSDM's and CVAR's generators), in order.
    #[serde(default)]
    pub side: Vec<String>,
}

impl Schema {
    /// The field called `name`, with its column number.
    pub fn field(&self, name: &str) -> Option<(usize, &Field)> {
        self.fields.iter().enumerate().find(|(_, f)| f.name == name)
    }

    /// The id table called `name`, with its number.
    pub fn table(&self, name: &str) -> Option<(usize, &Table)> {
        self.tables.iter().enumerate().find(|(_, t)| t.name == name)
    }

    /// Fields that embed to one vector per row (ids, pooled bags and pooled sequences), in order, with their column numbers.
    pub fn embedded(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields
            .iter()
            .enumerate()
            .filter(|(_, f)| matches!(f.kind, Kind::Id | Kind::Bag(_) | Kind::Pooled))
    }

    /// Fields that hold real numbers, in order, with their column numbers.
    pub fn reals(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter(|(_, f)| f.kind == Kind::Real)
    }

    /// Fields that hold behaviour sequences, in order, with their column numbers.
    pub fn sequences(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter(|(_, f)| matches!(f.kind, Kind::Sequence { .. }))
    }

    /// Checks that names are unique, that every field's table exists where one is needed, that the special names
    /// exist, and that there are tasks and scenarios. The message says what is wrong.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), String> {
        let unique = |what: &str, names: Vec<&str>| {
            let mut seen = std::collections::HashSet::new();
            match names.iter().find(|n| !seen.insert(**n)) {
                Some(n) => Err(format!("{what} {n:?} appears twice")),
                None => Ok(()),
            }
        };
        unique("field", self.fields.iter().map(|f| f.name.as_str()).collect())?;
        unique("table", self.tables.iter().map(|t| t.name.as_str()).collect())?;
        unique("task", self.tasks.iter().map(String::as_str).collect())?;
        unique("scenario", self.scenarios.iter().map(String::as_str).collect())?;
        for f in &self.fields {
            match (&f.kind, &f.table) {
                (Kind::Pooled, _) => {
                    return Err(format!("field {:?} is pooled: that is what models make, not data", f.name));
                }
                (Kind::Real, None) => {}
                (Kind::Real, Some(_)) => {
                    return Err(format!("field {:?} holds real numbers but names a table", f.name));
                }
                (_, None) => return Err(format!("field {:?} holds ids but names no table", f.name)),
                (_, Some(t)) if self.table(t).is_none() => {
                    return Err(format!("field {:?} names table {t:?}, which does not exist", f.name));
                }
                _ => {}
            }
        }
        for name in self.item_id.iter().chain(&self.user_id).chain(&self.side) {
            if self.field(name).is_none() {
                return Err(format!("no field is called {name:?}"));
            }
        }
        if self.tasks.is_empty() || self.scenarios.is_empty() {
            return Err("a schema needs at least one task and one scenario".into());
        }
        Ok(())
    }
}
