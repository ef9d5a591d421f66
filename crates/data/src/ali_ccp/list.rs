//! Lists of features: entries separated by the byte 1, each a field, the byte 2, a feature id, the byte 3 and a value.
use crate::ids::MAX_ID;
use crate::text::{Bad, show};

/// A feature.
pub(super) struct Entry<'a> {
    pub field: &'a [u8],
    pub id: u32,
    pub value: f32,
    /// Where the entry starts in its line, from 1.
    pub column: usize,
}

impl Entry<'_> {
    /// Its field is none of those of `file`.
    pub fn foreign(&self, file: &str) -> Bad {
        let expected = format!("a field of {file}");
        Bad { column: self.column, found: format!("field {}", show(self.field)), expected }
    }
}

/// Hands the entries of a list that starts at this column to `take`, and says how many there are.
pub(super) fn entries(
    list: &[u8],
    mut column: usize,
    mut take: impl FnMut(Entry) -> Result<(), Bad>,
) -> Result<usize, Bad> {
    let mut next = (!list.is_empty()).then_some(list);
    let mut n = 0;
    while let Some(rest) = next {
        let end = memchr::memchr(1, rest).unwrap_or(rest.len());
        take(entry(&rest[..end], column)?)?;
        next = rest.get(end + 1..); // None behind the last entry, which no byte 1 follows.
        column += end + 1;
        n += 1;
    }
    Ok(n)
}

fn entry(text: &[u8], column: usize) -> Result<Entry<'_>, Bad> {
    let bad = |at: usize, found: &[u8], expected: &str| {
        Err(Bad { column: column + at, found: show(found), expected: expected.into() })
    };
    let Some(field) = memchr::memchr(2, text) else {
        return bad(0, text, "an entry: field, byte 2, feature id, byte 3, value");
    };
    let rest = &text[field + 1..];
    let mut id = 0u64;
    let mut digits = 0;
    while digits < rest.len().min(10) && rest[digits].is_ascii_digit() {
        id = 10 * id + u64::from(rest[digits] - b'0');
        digits += 1;
    }
    if digits == 0 || rest.get(digits) != Some(&3) || !(1..=MAX_ID).contains(&id) {
        let found = &rest[..memchr::memchr(3, rest).unwrap_or(rest.len())];
        return bad(
            field + 1,
            found,
            &format!("a feature id, a whole number from 1 to {MAX_ID}, before a byte 3"),
        );
    }
    let rest = &rest[digits + 1..];
    match value(rest) {
        Some(value) => Ok(Entry { field: &text[..field], id: id as u32, value, column }),
        None => bad(field + 1 + digits + 1, rest, "a value, a decimal number"),
    }
}

/// A finite decimal number.
fn value(text: &[u8]) -> Option<f32> {
    if text == b"1.0" {
        return Some(1.0); // Most are.
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let number = std::str::from_utf8(text).ok().filter(|_| digits.first().is_some_and(u8::is_ascii_digit))?;
    number.parse().ok().filter(|v: &f32| v.is_finite())
}

/// One id of a field of which a line should have one: that of the entry with the largest value, of equal ones the first.
#[derive(Clone, Copy, Default)]
pub(super) struct Single {
    /// 0 where there is no entry.
    pub id: u32,
    pub value: f32,
}

impl Single {
    /// Takes an entry; whether there was one before.
    pub fn take(&mut self, entry: &Entry) -> bool {
        let before = self.id > 0;
        if !before || entry.value > self.value {
            *self = Single { id: entry.id, value: entry.value };
        }
        before
    }
}

/// An error about a list with another number of entries than its line says.
pub(super) fn check_count(said: u64, column: usize, found: usize) -> Result<(), Bad> {
    if said == found as u64 {
        return Ok(());
    }
    let expected = format!("the number of entries in the list, {found}");
    Err(Bad { column, found: format!("the feature count {said}"), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list in readable form: `;` for byte 1, `:` for byte 2, `=` for byte 3.
    fn all(text: &str) -> Result<Vec<String>, String> {
        let bytes: Vec<u8> = text
            .bytes()
            .map(|b| match b {
                b';' => 1,
                b':' => 2,
                b'=' => 3,
                b => b,
            })
            .collect();
        let mut out = Vec::new();
        let n = entries(&bytes, 10, |e| {
            out.push(format!("{}:{}={}@{}", String::from_utf8_lossy(e.field), e.id, e.value, e.column));
            Ok(())
        })
        .map_err(|b| format!("{}: {}, {}", b.column, b.found, b.expected))?;
        assert_eq!(n, out.len());
        Ok(out)
    }

    #[test]
    fn good_lists() {
        let list = "127:3400001=1.0;127_14:3700007=1.09861;508:12=-0.5";
        assert_eq!(all(list).unwrap(), ["127:3400001=1@10", "127_14:3700007=1.09861@26", "508:12=-0.5@49"]);
        assert_eq!(all("").unwrap(), [""; 0]);
        assert_eq!(all("301:1000000000=3").unwrap(), ["301:1000000000=3@10"]);
    }

    #[test]
    fn bad_lists() {
        let entry = "an entry: field, byte 2, feature id, byte 3, value";
        let id = "a feature id, a whole number from 1 to 1000000000, before a byte 3";
        for (list, want) in [
            ("205", format!("10: \"205\", {entry}")),
            ("205:7=1.0;", format!("20: an empty field, {entry}")),
            (";205:7=1.0", format!("10: an empty field, {entry}")),
            ("205:x7=1.0", format!("14: \"x7\", {id}")),
            ("205:7 =1.0", format!("14: \"7 \", {id}")),
            ("205:=1.0", format!("14: an empty field, {id}")),
            ("205:0=1.0", format!("14: \"0\", {id}")),
            ("205:1000000001=1.0", format!("14: \"1000000001\", {id}")),
            ("205:99999999999=1.0", format!("14: \"99999999999\", {id}")),
            ("205:7", format!("14: \"7\", {id}")),
            ("205:7=", "16: an empty field, a value, a decimal number".into()),
            ("205:7=1.0,206:8=1.0", "16: \"1.0,206\\u{2}8\\u{3}1.0\", a value, a decimal number".into()),
            ("205:7=nan", "16: \"nan\", a value, a decimal number".into()),
            ("205:7=inf", "16: \"inf\", a value, a decimal number".into()),
            ("205:7=1e99", "16: \"1e99\", a value, a decimal number".into()),
            ("205:7=+1", "16: \"+1\", a value, a decimal number".into()),
        ] {
            assert_eq!(all(list).unwrap_err(), want, "{list}");
        }
    }

    #[test]
    fn the_largest_of_several() {
        let take = |values: &[f32]| {
            let mut single = Single::default();
            for (i, value) in values.iter().enumerate() {
                let entry = Entry { field: b"853", id: i as u32 + 1, value: *value, column: 1 };
                assert_eq!(single.take(&entry), i > 0);
            }
            (single.id, single.value)
        };
        assert_eq!(take(&[0.5]), (1, 0.5));
        assert_eq!(take(&[-1.0, 0.5, 2.0, 2.0, 1.0]), (3, 2.0));
    }
}
