//! Names in configuration files, and messages for those that do not exist.
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use std::fmt;

/// As written: a name, or a list of at least one.
#[derive(Clone, Debug)]
pub(super) struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct NameOrList;
        impl<'de> Visitor<'de> for NameOrList {
            type Value = Names;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a name, or a list of names")
            }
            fn visit_str<E>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_string()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Names, A::Error> {
                let names = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                if names.is_empty() {
                    Err(A::Error::custom("a list without names"))
                } else {
                    Ok(Names(names))
                }
            }
        }
        d.deserialize_any(NameOrList)
    }
}

/// The known name that looks most like `name`, if any does.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(name, k), k))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// "unknown method `cdsm`; did you mean `csdm`? known: …"
pub fn unknown_name<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let suggestion = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    let list = if known.is_empty() { "none".to_string() } else { known.join(", ") };
    format!("unknown {kind} `{name}`{suggestion} (known: {list})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_nearest_and_all() {
        let m = unknown_name("method", "cdsm", ["none", "csdm", "cvar"]);
        assert_eq!(m, "unknown method `cdsm`; did you mean `csdm`? (known: none, csdm, cvar)");
        assert_eq!(unknown_name("method", "zzz", ["none"]), "unknown method `zzz` (known: none)");
    }
}
