//! What names an item, or a value of its side information.
use anyhow::{Result, bail};
use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, Int64Type},
};
use std::fmt;

/// A whole number or a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => n.fmt(f),
            Self::Text(t) => write!(f, "{t:?}"),
        }
    }
}

/// An array of integers, booleans or texts as keys, none where it holds none; another type is an error that names it.
pub(super) fn keys(array: &ArrayRef) -> Result<Vec<Option<Key>>> {
    let kind = array.data_type();
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Ok(texts.iter().map(|t| t.map(|t| Key::Text(t.into()))).collect());
    }
    if !kind.is_integer() && *kind != DataType::Boolean {
        bail!("holds {kind}, not integers or texts");
    }
    let wide = cast(array, &DataType::Int64)?;
    let lost = (0..wide.len()).find(|i| wide.is_null(*i) && !array.is_null(*i));
    if let Some(row) = lost {
        bail!("row {row} is beyond the 64-bit integers");
    }
    Ok(wide.as_primitive::<Int64Type>().iter().map(|n| n.map(Key::Number)).collect())
}
