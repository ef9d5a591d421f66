//! Line-oriented raw files that are not held in memory.
use super::{Bad, Ends, cut, empty, parse_whole};
use crate::raw::LargeFile;
use crate::{Error, Result};
use std::sync::mpsc;

/// Longer lines are none: a file without line feeds would be held in memory as a whole.
const LONGEST: usize = 1 << 26;

/// [`parse_lines`](super::parse_lines) for a file of any size: it is read in pieces, whose lines are parsed side by side while
/// the next piece is read. What a chunk of lines became goes to `take`, in file order, while the next chunks are parsed.
pub(crate) fn stream_lines<A: Default + Send>(
    file: &LargeFile,
    row: &str,
    parse: impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync,
    mut take: impl FnMut(A) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, parsed) = mpsc::sync_channel(1);
        let parse = &parse;
        let parser = scope.spawn(move || parse_pieces(file, row, parse, &sender));
        let taken = parsed.into_iter().flatten().try_for_each(&mut take);
        match parser.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            // Whatever else is wrong, nobody would find it in the file any more.
            Err(Stop::Failed(changed @ Error::Changed { .. })) => Err(changed),
            // What comes before a bad line was taken before.
            Err(Stop::Failed(bad)) => taken.and(Err(bad)),
            Err(Stop::Unwanted) | Ok(()) => taken,
        }
    })
}

/// Why a file is not read on.
enum Stop {
    /// Nobody takes its rows any more.
    Unwanted,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// Sends what the lines became, a piece at a time.
fn parse_pieces<A: Default + Send>(
    file: &LargeFile,
    row: &str,
    parse: &(impl Fn(&mut A, &[u8]) -> std::result::Result<(), Bad> + Sync),
    sender: &mpsc::SyncSender<Vec<A>>,
) -> std::result::Result<(), Stop> {
    // The line that a piece ends in the middle of waits here for its rest.
    let mut text: Vec<u8> = Vec::new();
    let mut lines = 0;
    let path = &file.path;
    file.pieces::<Stop>(|piece| {
        text.extend_from_slice(piece);
        let whole = memchr::memrchr(b'\n', &text).map_or(0, |i| i + 1);
        let count = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count();
        let parsed = parse_whole(Ends::LineFeed, &text[..whole], 0, parse)
            .map_err(|(offset, bad)| bad.at(path, lines + count(&text[..offset]) + 1))?;
        sender.send(parsed).map_err(|_| Stop::Unwanted)?;
        lines += count(&text[..whole]);
        text.drain(..whole);
        if text.len() > LONGEST { Err(endless(row).at(path, lines + 1).into()) } else { Ok(()) }
    })?;
    match text.len() {
        0 if lines == 0 => Err(empty(row).at(path, 1).into()),
        0 => Ok(()),
        rest => Err(cut(lines + 1, rest, row).at(path, lines + 1).into()),
    }
}

fn endless(row: &str) -> Bad {
    Bad {
        column: 1,
        found: format!("more than {LONGEST} bytes without a line feed"),
        expected: format!("a line {row}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Fields;

    /// The numbers in a file with this text, one per line, or what is wrong with it.
    fn numbers(text: &[u8]) -> std::result::Result<Vec<u64>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), text).unwrap();
        let file = LargeFile::open(folder.path(), "f").unwrap();
        let line = |out: &mut Vec<u64>, line: &[u8]| {
            let mut f = Fields::new(line, b",");
            out.push(f.number("N", 0, 9_999_999)?);
            f.end("N")
        };
        let mut all = Vec::new();
        let result = stream_lines(&file, "N", line, |part: Vec<u64>| {
            all.extend(part);
            Ok(())
        });
        let message = |e: Error| e.to_string().rsplit('/').next().unwrap().to_string();
        result.map(|()| all).map_err(message)
    }

    #[test]
    fn lines_across_pieces() {
        // Lines of 8 bytes from byte 3 on: pieces end in the middle of them.
        let wanted: Vec<u64> = [10].into_iter().chain(1_000_000..1_000_000 + (5 << 20)).collect();
        let mut text: Vec<u8> = wanted.iter().flat_map(|n| format!("{n}\n").into_bytes()).collect();
        assert!(text.len() > 2 * crate::raw::PIECE);
        assert!(numbers(&text).unwrap() == wanted);
        let start = text.len() - 8 * 10;
        text[start] = b'x';
        let message = numbers(&text).unwrap_err();
        let line = wanted.len() - 9;
        assert!(message.starts_with(&format!("f:{line}:1: found \"x")), "{message}");
    }

    #[test]
    fn ends_of_files() {
        assert_eq!(numbers(b"1\n2\n"), Ok(vec![1, 2]));
        assert_eq!(numbers(b"").unwrap_err(), "f:1:1: found an empty file, expected lines N");
        let cut = "f:2:2: found the end of the file in the middle of line 2 (no line feed after it), \
                   expected a whole line N ending in a line feed";
        assert_eq!(numbers(b"1\n2").unwrap_err(), cut);
        let endless = [b"1\n", &vec![0; LONGEST + crate::raw::PIECE][..]].concat();
        let message = "f:2:1: found more than 67108864 bytes without a line feed, expected a line N";
        assert_eq!(numbers(&endless).unwrap_err(), message);
        assert!(numbers(b"1\r\n2\n").unwrap_err().starts_with("f:1:2: found a carriage return"));
    }
}
