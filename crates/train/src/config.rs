//! Checks of settings beyond their types.
use anyhow::Result;
use serde::{Serialize, de::DeserializeOwned};
use serde_yaml::Value;
use std::fmt;

/// A setting whose value has the right type but makes no sense, with its key, so that whoever read the file can say
/// where it stands.
#[derive(Debug)]
pub struct KeyError {
    /// The key below the checked section, dotted: `warm.batch`.
    pub key: String,
    /// What is wrong with its value.
    pub message: String,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl std::error::Error for KeyError {}

/// An error about `key` unless `ok`.
///
/// # Errors
/// A [`KeyError`].
pub fn check(ok: bool, key: &str, message: impl FnOnce() -> String) -> Result<()> {
    if ok { Ok(()) } else { Err(KeyError { key: key.into(), message: message() }.into()) }
}

/// An error about `key` unless `p` can be a dropout probability.
///
/// # Errors
/// A [`KeyError`] unless 0 <= p < 1.
pub fn check_dropout(p: f64, key: &str) -> Result<()> {
    check((0.0..1.0).contains(&p), key, || format!("{p} is not in [0, 1)"))
}

/// Refuses widths of a network that needs a layer.
///
/// # Errors
/// A [`KeyError`] where there is no width, or one below 1.
pub fn check_layers(key: &str, widths: &[i64]) -> Result<()> {
    check(!widths.is_empty(), key, || "no layer".into())?;
    check(widths.iter().all(|w| *w > 0), key, || "a width below 1".into())
}

/// Refuses to build nothing at all.
///
/// # Errors
/// A [`KeyError`] below 1.
pub fn check_number(number: i64, key: &str) -> Result<()> {
    check(number > 0, key, || format!("{number} is below 1"))
}

/// A configuration read from `value`, checked, and written back with every default filled in.
///
/// # Errors
/// Keys that are unknown or missing, values of another type, and what `check` refuses.
pub fn resolve<C: Serialize + DeserializeOwned>(
    value: Value,
    check: impl Fn(&C) -> Result<()>,
) -> Result<Value> {
    let config: C = serde_yaml::from_value(value)?;
    check(&config)?;
    Ok(serde_yaml::to_value(config)?)
}
