//! Values of a column as numbers, where a value may be missing.
use crate::ids::Names;
use crate::text::{Bad, Fields, show};

/// Stands for a missing value.
pub(super) const MISSING: u32 = 0;

/// The values of a column, numbered from 1 in order of first appearance.
#[derive(Default)]
pub(crate) struct Codes {
    /// One per value; 0 for a missing one.
    pub codes: Vec<u32>,
    values: Names,
}

impl Codes {
    /// Appends a value, none for a missing one.
    pub fn push(&mut self, value: Option<&[u8]>) {
        let code = value.map_or(MISSING, |value| self.number(value));
        self.codes.push(code);
    }

    fn number(&mut self, value: &[u8]) -> u32 {
        self.values.number(value) + 1
    }

    /// Appends the values that follow in the file.
    pub fn append(&mut self, next: &Codes) {
        let mut number = vec![MISSING];
        number.extend(next.values.iter().map(|value| self.number(value)));
        self.codes.extend(next.codes.iter().map(|code| number[*code as usize]));
    }
}

/// The next field as a word; none where it is empty.
pub(super) fn word<'a>(f: &mut Fields<'a>, what: &str) -> Result<Option<&'a [u8]>, Bad> {
    let column = f.column();
    let field = f.text(what)?;
    match field.iter().all(u8::is_ascii_graphic) {
        true => Ok(Some(field).filter(|f| !f.is_empty())),
        false => {
            Err(Bad { column, found: show(field), expected: format!("{what}, in visible ASCII characters") })
        }
    }
}

/// The next field as a whole number from 0 that stands for a category; none where it is empty. Some columns have their
/// numbers with the decimal `.0`, which does not count.
pub(super) fn code<'a>(f: &mut Fields<'a>, what: &str) -> Result<Option<&'a [u8]>, Bad> {
    let column = f.column();
    let expected = format!("{what}, a whole number with or without \".0\", or nothing");
    let field = f.text(&expected)?;
    let digits = field.strip_suffix(b".0").unwrap_or(field);
    if field.is_empty() {
        return Ok(None);
    }
    match is_number(digits) {
        true => Ok(Some(digits)),
        false => Err(Bad { column, found: show(field), expected }),
    }
}

/// The next field as a flag; none where it is `-124`, which stands for unknown, or empty.
pub(super) fn flag<'a>(f: &mut Fields<'a>, what: &str) -> Result<Option<&'a [u8]>, Bad> {
    let column = f.column();
    let expected = format!("{what}: 0, 1, or -124 for unknown");
    match f.text(&expected)? {
        b"" | b"-124" => Ok(None),
        field @ (b"0" | b"1") => Ok(Some(field)),
        other => Err(Bad { column, found: show(other), expected }),
    }
}

/// Whether these are the digits of a number of 64 bits. (Music ids have 34.)
pub(super) fn is_number(digits: &[u8]) -> bool {
    (1..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_on_across_pieces() {
        let of = |values: &[&str]| {
            let mut codes = Codes::default();
            values.iter().for_each(|v| codes.push(Some(v.as_bytes()).filter(|v| !v.is_empty())));
            codes
        };
        let mut all = of(&["b", "", "a", "b"]);
        all.append(&of(&["c", "a", ""]));
        assert_eq!(all.codes, [1, 0, 2, 1, 3, 2, 0]);
    }

    #[test]
    fn numbers_that_stand_for_categories() {
        let read = |text: &str| {
            code(&mut Fields::quoted(format!("{text},").as_bytes()), "x").ok().map(|c| c.map(<[u8]>::to_vec))
        };
        assert_eq!(read("3.0"), Some(Some(b"3".to_vec())));
        assert_eq!(read("9170219122"), Some(Some(b"9170219122".to_vec())));
        assert_eq!(read(""), Some(None));
        for bad in ["3.5", "-1", "x", ".0", "12345678901234567890"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
