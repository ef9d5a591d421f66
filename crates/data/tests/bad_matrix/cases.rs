//! The ways in which a file can be broken, and what must be said of each.
use super::formats::{Ends, Fields};
use super::world::gzip;
use std::path::Path;

/// What must be said.
pub enum Want {
    /// This line and column, and these words.
    At(usize, usize, String),
    /// The file alone, and these words.
    File(&'static str),
    /// This place, if anything: some fields can have such a value.
    Perhaps(usize, usize),
}

/// A broken file.
pub struct Case {
    pub name: String,
    pub damage: Box<dyn FnOnce(&Path)>,
    pub want: Want,
}

fn case(name: impl Into<String>, want: Want, damage: impl FnOnce(&Path) + 'static) -> Case {
    Case { name: name.into(), damage: Box::new(damage), want }
}

/// A file with this text in place of its own.
fn with_text(name: impl Into<String>, want: Want, text: Vec<u8>) -> Case {
    case(name, want, move |path| {
        let zipped = path.extension().is_some_and(|e| e == "gz");
        std::fs::write(path, if zipped { gzip(&text) } else { text }).unwrap();
    })
}

fn at(line: usize, column: usize, words: impl Into<String>) -> Want {
    Want::At(line, column, words.into())
}

/// What can be wrong with any file that is no text.
pub fn of_any_file() -> Vec<Case> {
    let link = |to: &'static str| {
        move |path: &Path| {
            std::fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink(to, path).unwrap();
        }
    };
    let failed = |reason| Want::File(reason);
    vec![
        case("a folder", failed(": found a folder, expected a file"), |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        }),
        case("a device", failed(": found something that is no file, expected a file"), link("/dev/null")),
        // Its reading fails for every user.
        case("unreadable", failed(": cannot read the file: Input/output error"), link("/proc/self/mem")),
        case(
            "a link to itself",
            failed(": cannot read the file: Too many levels of symbolic links"),
            |path| {
                std::fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink(path, path).unwrap();
            },
        ),
    ]
}

/// What can be wrong with a file of lines of fields. The damage is done to the first row.
pub fn of_fields(text: &[u8], f: Fields) -> Vec<Case> {
    let lines: Vec<&[u8]> = text.strip_suffix(b"\n").unwrap_or(text).split(|b| *b == b'\n').collect();
    let n = usize::from(f.header);
    let end: &[u8] = if lines[n].ends_with(b"\r") { b"\r" } else { b"" };
    let line = lines[n].strip_suffix(b"\r").unwrap_or(lines[n]);
    let whole = |own: &[Vec<u8>]| {
        let mut text = own.join(&b'\n');
        text.push(b'\n');
        text
    };
    let own: Vec<Vec<u8>> = lines.iter().map(|l| l.to_vec()).collect();
    // The file with another line `n`.
    let with = |line: Vec<u8>| {
        let mut own = own.clone();
        own[n] = line;
        whole(&own)
    };
    let fields = split(line, f.separator);
    let column = |i: usize| 1 + fields[..i].iter().map(|f| f.len()).sum::<usize>() + i * f.separator.len();
    let with_field = |i: usize, value: &[u8]| {
        let mut fields = fields.clone();
        fields[i] = value;
        with([&fields.join(f.separator.as_bytes())[..], end].concat())
    };
    let (number, len) = (n + 1, line.len());

    let mut out = vec![
        with_text("empty", at(1, 1, "found an empty file, expected lines "), Vec::new()),
        with_text("an empty line", at(number, 1, "found an empty line"), with(Vec::new())),
        with_text("another encoding", at(number, 1, "found \"ÿ"), with([b"\xff", line, end].concat())),
        with_text("zeros", at(number, 1, "found \"\\0"), with(vec![0; 9])),
        with_text(
            "one column more",
            at(number, len + f.separator.len() + 1, "found an extra field, \"7\""),
            with([line, f.separator.as_bytes(), b"7", end].concat()),
        ),
        with_text(
            "a carriage return",
            at(number, len + 1, "found a carriage return"),
            with(
                [line, end, if f.ends == Ends::CarriageReturn && end.is_empty() { b"\r\r" } else { b"\r" }]
                    .concat(),
            ),
        ),
    ];
    for kept in [1, fields.len() - 1] {
        let short = fields[..kept].join(f.separator.as_bytes());
        let want = at(number, short.len() + 1, "found the end of the line");
        out.push(with_text(format!("{kept} columns"), want, with([&short[..], end].concat())));
    }
    for i in (0..fields.len()).filter(|i| !f.free.contains(i)) {
        let want = at(number, column(i), "found \"\\u{7f}\", expected ");
        out.push(with_text(format!("a wrong field {i}"), want, with_field(i, b"\x7f")));
        let large = with_field(i, b"99999999999999999999");
        out.push(with_text(format!("a large field {i}"), Want::Perhaps(number, column(i)), large));
    }
    for (i, value, of) in f.ids {
        let want = at(number, column(*i), format!("found \"{value}\", expected an i"));
        out.push(with_text(format!("field {i} not in {of}"), want, with_field(*i, value.as_bytes())));
    }
    if let Some(words) = f.again {
        let mut own = own.clone();
        own.insert(n + 1, own[n].clone());
        out.push(with_text("a line again", at(number + 1, 1, words), whole(&own)));
    }
    if f.header {
        out.extend(of_header(&own, f, whole));
    }
    out.push(cut(text, f));
    out
}

fn of_header(own: &[Vec<u8>], f: Fields, whole: impl Fn(&[Vec<u8>]) -> Vec<u8>) -> Vec<Case> {
    let names = split(&own[0], f.separator);
    let last = own[0].len() - names[names.len() - 1].len() + 1;
    // Without its header a file begins with a row; some of its fields may be as the header's.
    let row = split(&own[1], f.separator);
    let same = names.iter().zip(&row).take_while(|(a, b)| a == b).map(|(a, _)| a.len() + 1).sum::<usize>();
    let mut renamed = own.to_vec();
    renamed[0] = [&own[0][..last - 1], b"other"].concat();
    vec![
        with_text("no header", at(1, same + 1, "expected the header's column "), whole(&own[1..])),
        with_text(
            "another header",
            at(1, last, "found \"other\", expected the header's column "),
            whole(&renamed),
        ),
        with_text("no rows", at(2, 1, "found the end of the file after its header"), whole(&own[..1])),
    ]
}

/// A file whose end is not there.
fn cut(text: &[u8], f: Fields) -> Case {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let start = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line = 1 + text.iter().filter(|b| **b == b'\n').count();
    match f.ends {
        Ends::LastOpen => {
            let separator = text.len() - split(&text[start..], f.separator).pop().unwrap().len();
            with_text(
                "cut",
                at(line, separator - start + 1, "found an empty field"),
                text[..separator].to_vec(),
            )
        }
        _ => {
            let want = at(
                line,
                text.len() - start,
                format!("found the end of the file in the middle of line {line} "),
            );
            with_text("cut", want, text[..text.len() - 1].to_vec())
        }
    }
}

/// The fields of a line; one between double quotes may contain the separator.
fn split<'a>(line: &'a [u8], separator: &str) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    let mut rest = line;
    loop {
        let quoted =
            rest.strip_prefix(b"\"").and_then(|r| r.iter().position(|b| *b == b'"')).map_or(0, |end| end + 2);
        let at = rest[quoted..].windows(separator.len()).position(|w| w == separator.as_bytes());
        let Some(at) = at.map(|at| quoted + at) else { break };
        out.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    out.push(rest);
    out
}

/// What can be wrong with compressed lines of JSON objects.
pub fn of_json(text: &[u8], name: &str) -> Vec<Case> {
    let lines: Vec<&[u8]> = text.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n').collect();
    let second = |line: &[u8]| [lines[0], b"\n", line, b"\n"].concat();
    let line = String::from_utf8(lines[1].to_vec()).unwrap();
    // The place of a key's value.
    let value = |key: &str| {
        let start = line.find(&format!("\"{key}\": ")).unwrap() + key.len() + 4;
        let end = start + line[start..].find([',', '}']).unwrap();
        (start, end)
    };
    let with = |key: &str, other: &str| {
        let (start, end) = value(key);
        second(format!("{}{other}{}", &line[..start], &line[end..]).as_bytes())
    };
    let mut out = vec![
        with_text("empty", at(1, 1, "found an empty file"), Vec::new()),
        with_text("an empty line", at(2, 1, "found no such object (EOF while parsing a value)"), second(b"")),
        with_text("no object", at(2, 1, "found no such object"), second(b"user,item")),
        with_text("half an object", at(2, line.len() - 1, "found no such object (EOF"), {
            second(&line.as_bytes()[..line.len() - 1])
        }),
        with_text("another encoding", at(2, 3, "found bytes that are no UTF-8"), {
            second(&[&line.as_bytes()[..2], b"\xff", &line.as_bytes()[2..]].concat())
        }),
        with_text("a carriage return", at(2, line.len() + 1, "found a carriage return"), {
            second(format!("{line}\r").as_bytes())
        }),
        with_text("cut", at(2, line.len() + 1, "found the end of the file in the middle of line 2 "), {
            let mut text = second(line.as_bytes());
            text.pop();
            text
        }),
    ];
    for key in ["reviewerID", "asin", "overall", "unixReviewTime"] {
        let want = at(2, value(key).0 + 1, "found \"\\\"?\\\"\", expected ");
        out.push(with_text(format!("a wrong {key}"), want, with(key, "\"?\"")));
        let without = line.replace(&format!("\"{key}\""), "\"other\"");
        let want = at(2, without.len(), format!("found no such object (missing field `{key}`)"));
        out.push(with_text(format!("no {key}"), want, second(without.as_bytes())));
    }
    if name.ends_with(".gz") {
        let broken = "found compressed data that end or break here (";
        let whole = gzip(text);
        // One line comes out of what is there, or a part of it.
        let half = whole[..whole.len() / 2].to_vec();
        let (line, column) = place_of_cut(&half);
        out.push(case("half of the compressed file", at(line, column, broken), move |path| {
            std::fs::write(path, half).unwrap();
        }));
        out.push(case("not compressed", at(1, 1, broken), |path| std::fs::write(path, "plain\n").unwrap()));
    }
    out
}

/// The end of what comes out of a compressed file that is cut.
fn place_of_cut(bytes: &[u8]) -> (usize, usize) {
    let mut text = Vec::new();
    let _ = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut text);
    let start = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    (1 + text.iter().filter(|b| **b == b'\n').count(), 1 + text.len() - start)
}
