//! The fields of a line, with the column of everything that is wrong.
use super::{Bad, show};
use crate::ids::MAX_ID;

/// The fields of one line, from left to right.
pub(crate) struct Fields<'a> {
    line: &'a [u8],
    separator: &'static [u8],
    /// Whether a field may stand between double quotes.
    quotes: bool,
    /// Where the next field starts; none behind the last field.
    next: Option<usize>,
}

impl<'a> Fields<'a> {
    pub fn new(line: &'a [u8], separator: &'static [u8]) -> Fields<'a> {
        Fields { line, separator, quotes: false, next: Some(0) }
    }

    /// Fields separated by commas; one that contains a comma stands between double quotes.
    pub fn quoted(line: &'a [u8]) -> Fields<'a> {
        Fields { quotes: true, ..Fields::new(line, b",") }
    }

    /// The column of the next field.
    pub fn column(&self) -> usize {
        self.next.unwrap_or(self.line.len()) + 1
    }

    /// The next field; `what` describes it.
    pub fn text(&mut self, what: &str) -> Result<&'a [u8], Bad> {
        let Some(start) = self.next.filter(|s| *s < self.line.len() || *s > 0) else {
            let found = if self.line.is_empty() { "an empty line" } else { "the end of the line" };
            return Err(Bad { column: self.line.len() + 1, found: found.into(), expected: what.into() });
        };
        if self.quotes && self.line.get(start) == Some(&b'"') {
            return self.between_quotes(start);
        }
        let rest = &self.line[start..];
        let end = match self.separator {
            [byte] => memchr::memchr(*byte, rest),
            bytes => memchr::memmem::find(rest, bytes),
        };
        Ok(match end {
            Some(end) => {
                self.next = Some(start + end + self.separator.len());
                &rest[..end]
            }
            None => {
                self.next = None;
                rest
            }
        })
    }

    /// What stands between the quotes that open at byte `start`.
    fn between_quotes(&mut self, start: usize) -> Result<&'a [u8], Bad> {
        let rest = &self.line[start + 1..];
        let closes = |end: &usize| end + 1 == rest.len() || rest[end + 1..].starts_with(self.separator);
        let Some(end) = memchr::memchr(b'"', rest).filter(closes) else {
            let expected = "a field whose quotes close at its end".into();
            return Err(Bad { column: start + 1, found: show(&self.line[start..]), expected });
        };
        let next = start + 1 + end + 1;
        self.next = (next < self.line.len()).then_some(next + self.separator.len());
        Ok(&rest[..end])
    }

    /// The next field as a whole number between `min` and `max`.
    pub fn number(&mut self, what: &str, min: u64, max: u64) -> Result<u64, Bad> {
        // The fast path reads digits up to the separator in one go; whatever it does not understand is looked at
        // again, field by field, for the message.
        if let Some(start) = self.next {
            let mut value = 0u64;
            let mut at = start;
            while at < self.line.len() && self.line[at].is_ascii_digit() {
                value = value.wrapping_mul(10).wrapping_add(u64::from(self.line[at] - b'0'));
                at += 1;
            }
            let digits = at - start;
            let ends = at == self.line.len();
            if (1..=18).contains(&digits)
                && (ends || self.line[at..].starts_with(self.separator))
                && (min..=max).contains(&value)
            {
                self.next = (!ends).then_some(at + self.separator.len());
                return Ok(value);
            }
        }
        let column = self.column();
        let field = self.text(&format!("{what}, a whole number"))?;
        let range = format!("{what}, a whole number from {min} to {max}");
        Err(Bad { column, found: show(field), expected: range })
    }

    /// The next field as an id.
    pub fn id(&mut self, what: &str) -> Result<u32, Bad> {
        self.number(what, 0, MAX_ID).map(|id| id as u32)
    }

    /// The next field as a whole number of any sign, whose value does not matter.
    pub fn whole(&mut self, what: &str) -> Result<(), Bad> {
        let column = self.column();
        let expected = format!("{what}, a whole number");
        let field = self.text(&expected)?;
        let digits = field.strip_prefix(b"-").unwrap_or(field);
        let good = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        if good { Ok(()) } else { Err(Bad { column, found: show(field), expected }) }
    }

    /// Whether the next field is `sign`, which stands for a missing value; then it is skipped.
    pub fn missing(&mut self, sign: &[u8]) -> bool {
        let mut ahead = Fields { ..*self };
        let is_missing = ahead.text("").is_ok_and(|field| field == sign);
        if is_missing {
            self.next = ahead.next;
        }
        is_missing
    }

    /// Fails where the line goes on.
    pub fn end(&self, last: &str) -> Result<(), Bad> {
        match self.next {
            None => Ok(()),
            Some(s) => Err(Bad {
                column: s + 1,
                found: format!("an extra field, {}", show(&self.line[s..])),
                expected: format!("the end of the line after {last}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let ok = |s: &str| Fields::new(s.as_bytes(), b"::").number("N", 0, u64::MAX).is_ok();
        assert!(ok("0") && ok("17") && ok("17::3"));
        assert!(!ok("") && !ok("-1") && !ok("1.5") && !ok("1:2") && !ok("99999999999999999999") && !ok(" 1"));
    }

    #[test]
    fn quotes() {
        let all = |line: &str| -> Result<Vec<String>, String> {
            let mut f = Fields::quoted(line.as_bytes());
            let mut out = Vec::new();
            while f.next.is_some() {
                let column = f.column();
                let field = f.text("a field").map_err(|b| format!("{}: {}", b.column, b.found))?;
                out.push(format!("{column}:{}", String::from_utf8_lossy(field)));
            }
            Ok(out)
        };
        assert_eq!(all("a,\"b,c\",,d").unwrap(), ["1:a", "3:b,c", "9:", "10:d"]);
        assert_eq!(all("\"b,c\"").unwrap(), ["1:b,c"]);
        assert_eq!(all("a,\"b,c").unwrap_err(), "3: \"\\\"b,c\"");
        assert_eq!(all("\"a\"b,c").unwrap_err(), "1: \"\\\"a\\\"b,c\"");
        assert_eq!(all("a\"b,c").unwrap(), ["1:a\"b", "5:c"]);
    }

    #[test]
    fn whole_numbers() {
        let ok = |s: &str| Fields::new(s.as_bytes(), b",").whole("N").is_ok();
        assert!(ok("0") && ok("-17,3") && ok("99999999999999999999"));
        assert!(!ok("") && !ok("-") && !ok("1.5") && !ok("+1"));
    }
}
