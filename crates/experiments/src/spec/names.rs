//! Messages for names that do not exist.

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
