//! Checks of values that several loaders have.
use crate::Checked;

/// Whether a number of behaviours is one, for the key `max_len`.
pub(crate) fn check_max_len(max_len: u32) -> Checked<()> {
    if max_len > 0 { Ok(()) } else { Err(("max_len", "0 should be a number of behaviours".into())) }
}

/// Whether these are the starts of two days in seconds since 1970, one after the other.
pub(crate) fn check_dates(valid_from: i64, test_from: i64) -> Checked<()> {
    const DAY: i64 = 86_400;
    for (key, time) in [("valid_from", valid_from), ("test_from", test_from)] {
        if time % DAY != 0 {
            return Err((key, format!("{time} should be the start of a day, a multiple of {DAY}")));
        }
    }
    match valid_from < test_from {
        true => Ok(()),
        false => Err(("test_from", format!("{test_from} should be later than valid_from ({valid_from})"))),
    }
}

/// Whether the features that a key lists are among those offered, none twice, and the needed ones among them.
pub(crate) fn check_names(
    key: &'static str,
    features: &[String],
    offered: &[&str],
    needed: &[&str],
) -> Checked<()> {
    for (i, name) in features.iter().enumerate() {
        if !offered.contains(&name.as_str()) {
            return Err((key, format!("{name:?} is none of the features {}", offered.join(", "))));
        }
        if features[..i].contains(name) {
            return Err((key, format!("{name} is there twice")));
        }
    }
    match needed.iter().find(|id| !features.iter().any(|f| f == *id)) {
        Some(id) => Err((key, format!("{id} should be among the features"))),
        None => Ok(()),
    }
}
