//! Where things stand in a dataset file.
use crate::Error;
use std::path::Path;

/// A configuration text, for messages that say where something stands in it.
pub(super) struct Place<'a> {
    pub file: &'a Path,
    pub text: &'a str,
}

impl Place<'_> {
    /// An error about the `nth` occurrence of the last key below the keys before it.
    pub fn at(&self, keys: &[&str], nth: usize, message: String) -> Error {
        let offset = self.find(keys, nth);
        let line = self.text[..offset].matches('\n').count() + 1;
        let column = offset - self.text[..offset].rfind('\n').map_or(0, |i| i + 1) + 1;
        Error::Config { file: self.file.into(), line, column, key: keys.join("."), message }
    }

    /// Byte offset of a key; of the last key that is found where one is not.
    fn find(&self, keys: &[&str], nth: usize) -> usize {
        let mut offset = 0;
        for (i, key) in keys.iter().enumerate() {
            let n = if i + 1 == keys.len() { nth } else { 0 };
            offset = self.key_offsets(offset, key).nth(n).unwrap_or(offset);
        }
        offset
    }

    /// Where `key:` stands behind `from`, comments left out.
    fn key_offsets(&self, from: usize, key: &str) -> impl Iterator<Item = usize> {
        let text = self.text;
        text[from..].match_indices(key).map(move |(i, _)| from + i).filter(move |at| {
            let line_start = text[..*at].rfind('\n').map_or(0, |i| i + 1);
            let before = &text[line_start..*at];
            let starts = before.is_empty() || before.ends_with([' ', '{', ',']);
            starts && !before.contains('#') && text[at + key.len()..].trim_start_matches(' ').starts_with(':')
        })
    }

    /// Which occurrence of a key has this value.
    pub fn nth_with_value(&self, key: &str, value: &str) -> usize {
        self.key_offsets(self.find(&["known_files"], 0), key)
            .position(|at| {
                self.text[at + key.len() + 1..].trim_start_matches([' ', '"', '\'']).starts_with(value)
            })
            .unwrap_or(0)
    }

    /// The YAML reader's error, in our form.
    pub fn yaml_error(&self, e: &serde_yaml::Error) -> Error {
        let (mut line, mut column) = e.location().map_or((1, 1), |l| (l.line(), l.column()));
        let text = e.to_string();
        let message = text.rfind(" at line ").map_or(text.as_str(), |i| &text[..i]);
        // "split.k: invalid type: ..." or "split: unknown field `x`, expected ..."
        let (path, message) = match message.split_once(": ") {
            Some((path, rest)) if !path.contains(' ') => (path, rest),
            _ => ("", message),
        };
        let named = message.split('`').nth(1).filter(|key| message.contains(" field ") && !key.is_empty());
        let keys: Vec<&str> = path.split('.').chain(named).filter(|k| !k.is_empty()).collect();
        // The reader points at the start of the mapping; an unknown key can be pointed at itself.
        if let Some(key) = named.filter(|_| message.starts_with("unknown")) {
            let parents: Vec<&str> =
                keys[..keys.len() - 1].iter().map(|k| k.split('[').next().unwrap()).collect();
            let from = if parents.is_empty() { 0 } else { self.find(&parents, 0) };
            if let Some(at) = self.key_offsets(from, key).next() {
                line = self.text[..at].matches('\n').count() + 1;
                column = at - self.text[..at].rfind('\n').map_or(0, |i| i + 1) + 1;
            }
        }
        Error::Config { file: self.file.into(), line, column, key: keys.join("."), message: message.into() }
    }
}
