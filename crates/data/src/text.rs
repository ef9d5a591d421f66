//! Line-oriented raw files, parsed in parallel, with the place of everything that is wrong.
mod fields;
mod stream;

pub(crate) use fields::Fields;
pub(crate) use stream::stream_lines;

use crate::{Error, Result};
use rayon::prelude::*;
use std::path::Path;

/// Something wrong in a line; the file and the line are added by [`parse_lines`].
pub(crate) struct Bad {
    /// Byte in the line where the bad field starts, from 1.
    pub column: usize,
    pub found: String,
    pub expected: String,
}

impl Bad {
    /// The whole error.
    pub fn at(self, file: &Path, line: usize) -> Error {
        let Bad { column, found, expected } = self;
        Error::Input { file: file.into(), line, column, found, expected }
    }
}

/// The column where field `field` (from 0) of line `line` (from 1) of a comma-separated file starts. For messages about
/// lines that were parsed already.
pub(crate) fn column_of(bytes: &[u8], line: usize, field: usize) -> usize {
    let text = bytes.split(|b| *b == b'\n').nth(line - 1).unwrap_or_default();
    1 + text.split(|b| *b == b',').take(field).map(|f| f.len() + 1).sum::<usize>()
}

/// A field as it is quoted in a message: Latin-1, not too long.
pub(crate) fn show(field: &[u8]) -> String {
    let text: String = field.iter().take(40).map(|b| *b as char).collect();
    match field.len() {
        0 => "an empty field".into(),
        1..=40 => format!("{text:?}"),
        _ => format!("{text:?}…"),
    }
}

/// Latin-1 bytes as text: every byte is the character of the same number.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| *b as char).collect()
}

/// How the lines of the official file end.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ends {
    /// Each in a line feed.
    LineFeed,
    /// Each in a line feed, before which a carriage return may stand.
    CarriageReturn,
    /// Each in a line feed, but the last one need not: for lines of which no beginning is a whole line.
    LastOpen,
}

/// Parses a file whose first line names its columns, as [`parse_lines`] does the other lines. Blanks around a name do
/// not count; the columns must be exactly these, in this order.
pub(crate) fn parse_table<A: Default + Send>(
    file: &Path,
    bytes: &[u8],
    columns: &[&str],
    parse: impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync,
) -> Result<Vec<A>> {
    parse_table_ending(Ends::LineFeed, file, bytes, columns, parse)
}

/// [`parse_table`] for lines that end in another way.
pub(crate) fn parse_table_ending<A: Default + Send>(
    ends: Ends,
    file: &Path,
    bytes: &[u8],
    columns: &[&str],
    parse: impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync,
) -> Result<Vec<A>> {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let (header, row) = (ends.without(&bytes[..end]), columns.join(","));
    if !bytes.is_empty() {
        check_header(header, columns).map_err(|b| carriage_return(header).unwrap_or(b).at(file, 1))?;
    }
    parse_from(ends, file, bytes, (end + 1).min(bytes.len()), &row, parse)
}

impl Ends {
    /// The line without a carriage return that may stand there.
    fn without(self, line: &[u8]) -> &[u8] {
        match self {
            Ends::CarriageReturn => line.strip_suffix(b"\r").unwrap_or(line),
            Ends::LineFeed | Ends::LastOpen => line,
        }
    }
}

fn check_header(line: &[u8], columns: &[&str]) -> std::result::Result<(), Bad> {
    let mut fields = Fields::new(line, b",");
    for name in columns {
        let column = fields.column();
        let expected = format!("the header's column {name}");
        let found = fields.text(&expected)?;
        if found.trim_ascii() != name.as_bytes() {
            return Err(Bad { column, found: show(found), expected });
        }
    }
    fields.end("the header's last column")
}

/// Parses a file line by line. Line-aligned chunks are parsed side by side, each into an accumulator of its own;
/// they come back in file order. Of several bad lines the first is reported. `row` describes a line.
///
/// The official files end in a line feed, and a file that was cut off often still ends in something that reads as
/// a number; hence a last line without its line feed is an error, except where the official files have such lines
/// ([`Ends::LastOpen`]).
pub(crate) fn parse_lines<A: Default + Send>(
    file: &Path,
    bytes: &[u8],
    row: &str,
    parse: impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync,
) -> Result<Vec<A>> {
    parse_lines_ending(Ends::LineFeed, file, bytes, row, parse)
}

/// [`parse_lines`] for lines that end in another way.
pub(crate) fn parse_lines_ending<A: Default + Send>(
    ends: Ends,
    file: &Path,
    bytes: &[u8],
    row: &str,
    parse: impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync,
) -> Result<Vec<A>> {
    parse_from(ends, file, bytes, 0, row, parse)
}

/// [`parse_lines`] from the line that starts at byte `first`.
fn parse_from<A: Default + Send>(
    ends: Ends,
    file: &Path,
    bytes: &[u8],
    first: usize,
    row: &str,
    parse: impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync,
) -> Result<Vec<A>> {
    let line_of = |offset: usize| 1 + memchr::memchr_iter(b'\n', &bytes[..offset]).count();
    let Some(last) = bytes.last() else { return Err(empty(row).at(file, 1)) };
    let whole = if *last == b'\n' {
        bytes.len()
    } else {
        memchr::memrchr(b'\n', bytes).map_or(0, |i| i + 1) // A bad line before the cut is reported first.
    };
    if first == bytes.len() && whole == first {
        let found = "the end of the file after its header".into();
        return Err(Bad { column: 1, found, expected: format!("lines {row}") }.at(file, line_of(first)));
    }
    let mut out = parse_whole(ends, &bytes[..whole], first.min(whole), &parse)
        .map_err(|(offset, bad)| bad.at(file, line_of(offset)))?;
    if whole < bytes.len() && ends == Ends::LastOpen {
        let mut acc = A::default();
        parse(&mut acc, &bytes[whole..]).map_err(|b| b.at(file, line_of(whole)))?;
        out.push(acc);
    } else if whole < bytes.len() {
        let line = line_of(whole);
        return Err(cut(line, bytes.len() - whole, row).at(file, line));
    }
    Ok(out)
}

/// Parses the lines from byte `start` on, all of which are whole. Of several bad ones the first is reported, with the byte
/// where it starts.
fn parse_whole<A: Default + Send>(
    ends: Ends,
    bytes: &[u8],
    start: usize,
    parse: &(impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync),
) -> std::result::Result<Vec<A>, (usize, Bad)> {
    let chunks = line_chunks(bytes, start, 1 << 20);
    let parsed: Vec<std::result::Result<A, (usize, Bad)>> = chunks
        .into_par_iter()
        .map(|(start, end)| {
            let mut acc = A::default();
            let mut at = start;
            for line_end in memchr::memchr_iter(b'\n', &bytes[start..end]).map(|i| start + i) {
                let line = ends.without(&bytes[at..line_end]);
                if let Err(bad) = parse(&mut acc, line) {
                    return Err((at, carriage_return(line).unwrap_or(bad)));
                }
                at = line_end + 1;
            }
            Ok(acc)
        })
        .collect();
    parsed.into_iter().collect()
}

fn empty(row: &str) -> Bad {
    Bad { column: 1, found: "an empty file".into(), expected: format!("lines {row}") }
}

/// The last line of a file, of which these bytes are there.
fn cut(line: usize, bytes: usize, row: &str) -> Bad {
    Bad {
        column: bytes + 1,
        found: format!("the end of the file in the middle of line {line} (no line feed after it)"),
        expected: format!("a whole line {row} ending in a line feed"),
    }
}

/// Files that went through another system have CR LF; every field but the last would still parse.
fn carriage_return(line: &[u8]) -> Option<Bad> {
    (line.last() == Some(&b'\r')).then(|| Bad {
        column: line.len(),
        found: "a carriage return".into(),
        expected: "lines that end in a single line feed, as in the official file".into(),
    })
}

/// Cuts `bytes` from `start` on, which end in a line feed or are empty, into pieces of about `size` that do the same.
fn line_chunks(bytes: &[u8], mut start: usize, size: usize) -> Vec<(usize, usize)> {
    let mut chunks = Vec::new();
    while start < bytes.len() {
        let target = (start + size).min(bytes.len()) - 1;
        let end = target + memchr::memchr(b'\n', &bytes[target..]).map_or(bytes.len() - target, |i| i + 1);
        chunks.push((start, end));
        start = end;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_line_aligned_and_cover_everything() {
        let text: Vec<u8> = (0..1000).flat_map(|i| format!("{i}\n").into_bytes()).collect();
        for size in [1, 2, 7, 100, 10_000] {
            let chunks = line_chunks(&text, 0, size);
            assert_eq!(chunks[0].0, 0);
            assert_eq!(chunks.last().unwrap().1, text.len());
            for w in chunks.windows(2) {
                assert_eq!(w[0].1, w[1].0);
            }
            assert!(chunks.iter().all(|(_, e)| text[e - 1] == b'\n'));
        }
    }

    #[test]
    fn the_first_bad_line_is_reported_also_across_chunks() {
        let mut text = "1\n".repeat(1 << 20).into_bytes(); // 2 MiB: at least two chunks
        text[2 * 700_000] = b'x';
        text[2 * 900_000] = b'y';
        let err = parse_lines(Path::new("f"), &text, "N", |n: &mut u64, line| {
            *n += Fields::new(line, b"::").number("N", 0, 9)?;
            Ok(())
        });
        let message = err.unwrap_err().to_string();
        assert_eq!(message, "f:700001:1: found \"x\", expected N, a whole number from 0 to 9");
    }

    #[test]
    fn ends_of_lines() {
        let sum = |ends, text: &str| {
            let parts =
                parse_lines_ending(ends, Path::new("f"), text.as_bytes(), "N", |n: &mut u64, line| {
                    let mut f = Fields::new(line, b",");
                    *n += f.number("N", 0, 9)?;
                    f.end("N")
                });
            parts.map(|p| p.iter().sum::<u64>()).map_err(|e| e.to_string())
        };
        assert_eq!(sum(Ends::CarriageReturn, "1\r\n2\n3\r\n"), Ok(6));
        assert!(
            sum(Ends::CarriageReturn, "1\r\n2").unwrap_err().starts_with("f:2:2: found the end of the file")
        );
        assert!(
            sum(Ends::CarriageReturn, "1\r\r\n").unwrap_err().starts_with("f:1:2: found a carriage return")
        );
        assert_eq!(sum(Ends::LastOpen, "1\n2"), Ok(3));
        assert_eq!(sum(Ends::LastOpen, "1\n2\n"), Ok(3));
        assert_eq!(sum(Ends::LastOpen, "4"), Ok(4));
        assert!(sum(Ends::LastOpen, "1\n2,").unwrap_err().starts_with("f:2:3: found an extra field"));
        assert!(sum(Ends::LastOpen, "1\r\n2").unwrap_err().starts_with("f:1:2: found a carriage return"));
        assert!(sum(Ends::LineFeed, "1\n2").unwrap_err().starts_with("f:2:2: found the end of the file"));
    }
}
