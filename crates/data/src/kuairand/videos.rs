//! `video_features_basic_*.csv`: author, kind, length, music and tags of the videos.
use super::codes::{Codes, code, is_number, word};
use super::{FIRST_LINE, VIDEO_COLUMNS};
use crate::Result;
use crate::ids::RowOf;
use crate::text::{Bad, Fields, parse_table, show};
use std::path::Path;

/// The videos, in file order.
#[derive(Default)]
pub(crate) struct Videos {
    pub id: Vec<u32>,
    /// The categories, by column of the file; empty for columns of another kind.
    pub codes: [Codes; VIDEO_COLUMNS.len()],
    /// Length in milliseconds; 0 where it is not known.
    pub duration: Vec<f32>,
    /// The tags of all videos.
    pub tags: Codes,
    /// How many of them each video has.
    pub tags_of: Vec<u8>,
    row_of: RowOf,
}

/// Where the classes of lengths begin, in seconds. Class 0 is for videos of unknown length.
pub(crate) const DURATIONS: [f32; 10] = [0.0, 7.0, 12.0, 18.0, 30.0, 45.0, 60.0, 90.0, 150.0, 300.0];

/// The class of a length in milliseconds.
pub(crate) fn duration_bucket(milliseconds: f32) -> u32 {
    match milliseconds {
        0.0 => 0,
        ms => DURATIONS.partition_point(|from| *from * 1000.0 <= ms) as u32,
    }
}

impl Videos {
    /// The row of the video with this raw id.
    pub fn row(&self, id: u32) -> Option<usize> {
        self.row_of.get(id)
    }

    /// The first tag of each video, 0 where it has none.
    pub fn first_tag(&self) -> Vec<u32> {
        let mut tags = &self.tags.codes[..];
        let first = self.tags_of.iter().map(|n| {
            let (own, rest) = tags.split_at(usize::from(*n));
            tags = rest;
            own.first().copied().unwrap_or(0)
        });
        first.collect()
    }

    pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Videos> {
        let mut all = Videos::default();
        for mut p in parse_table(file, bytes, &VIDEO_COLUMNS, line)? {
            all.id.append(&mut p.id);
            all.codes.iter_mut().zip(&p.codes).for_each(|(all, p)| all.append(p));
            all.duration.append(&mut p.duration);
            all.tags.append(&p.tags);
            all.tags_of.append(&mut p.tags_of);
        }
        all.row_of = RowOf::unique(file, "video", FIRST_LINE, &all.id)?;
        Ok(all)
    }
}

fn line(out: &mut Videos, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::quoted(line);
    out.id.push(f.id("the video id")?);
    for (i, name) in VIDEO_COLUMNS.iter().enumerate().skip(1) {
        match *name {
            "author_id" | "music_id" | "music_type" => out.codes[i].push(code(&mut f, name)?),
            "video_type" | "upload_type" => out.codes[i].push(word(&mut f, name)?),
            "upload_dt" => drop(word(&mut f, name)?),
            "video_duration" => out.duration.push(decimal(&mut f, "the length in milliseconds")?),
            "tag" => out.tags_of.push(tags(&mut f, &mut out.tags)?),
            _ => drop(decimal(&mut f, name)?),
        }
    }
    f.end("the tags")
}

/// The next field as a decimal number from 0; 0 where it is empty.
fn decimal(f: &mut Fields, what: &str) -> std::result::Result<f32, Bad> {
    let column = f.column();
    let expected = format!("{what}, a decimal number from 0, or nothing");
    let field = f.text(&expected)?;
    if field.is_empty() {
        return Ok(0.0);
    }
    let number = std::str::from_utf8(field).ok().and_then(|t| t.parse::<f32>().ok());
    let good = number.filter(|n| n.is_finite() && field[0].is_ascii_digit());
    good.ok_or_else(|| Bad { column, found: show(field), expected })
}

/// The next field as a list of tags, which may be empty; how many there are.
fn tags(f: &mut Fields, out: &mut Codes) -> std::result::Result<u8, Bad> {
    let column = f.column();
    let expected = "up to 255 tags, whole numbers with commas between them, or nothing";
    let field = f.text(expected)?;
    if field.is_empty() {
        return Ok(0);
    }
    let list: Vec<&[u8]> = field.split(|b| *b == b',').collect();
    let n = u8::try_from(list.len()).ok().filter(|_| list.iter().all(|tag| is_number(tag)));
    let n = n.ok_or_else(|| Bad { column, found: show(field), expected: expected.into() })?;
    list.into_iter().for_each(|tag| out.push(Some(tag)));
    Ok(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_lengths() {
        let classes = [0.0, 1.0, 6999.0, 7000.0, 29_999.0, 30_000.0, 300_000.0, 1e7].map(duration_bucket);
        assert_eq!(classes, [0, 1, 1, 2, 4, 5, 10, 10]);
    }
}
