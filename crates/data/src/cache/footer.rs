//! What stands at the end of a cache file, and the checksums by which a damaged file is noticed.
//!
//! Every column of every row group has a checksum of its own, so that a reader checks what it reads and no more. The footer
//! holds them, and one of all other bytes of the file, itself included.
use super::writer::GROUP;
use crate::{Provenance, Schema};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

/// Raised whenever the files' form changes: older ones are made anew.
pub(super) const VERSION: u32 = 2;
/// The key of the footer among the file's metadata.
pub(super) const KEY: &str = "scenarec";

/// What is known of a dataset besides its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub name: String,
    pub provenance: Provenance,
    pub note: String,
    pub fingerprint: String,
    pub schema: Schema,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_vocabulary: Option<Vec<usize>>,
}

/// As JSON under [`KEY`].
#[derive(Serialize, Deserialize)]
pub(super) struct Footer {
    pub version: u32,
    #[serde(flatten)]
    pub header: Header,
    pub rows: usize,
    /// `[row group][column]`: hash of the column's bytes.
    pub chunks: Vec<Vec<String>>,
    /// Hash of all other bytes, with [`UNSEALED`] in this place.
    pub checksum: String,
}

/// Stands in for the checksum while it is computed.
pub(super) const UNSEALED: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const BEFORE_CHECKSUM: &[u8] = b"\"checksum\":\"";

const BEFORE_VERSION: &[u8] = b"{\"version\":";

/// The bytes before the first row group.
const MAGIC: usize = 4;
/// Behind the metadata: their length and four bytes that say what the file is.
const TAIL: usize = 8;

/// The bytes of every column of a row group, from where and how many.
pub(super) fn places(group: &RowGroupMetaData) -> Vec<(u64, usize)> {
    group.columns().iter().map(|c| c.byte_range()).map(|(start, len)| (start, len as usize)).collect()
}

/// The hash of a column of a row group: 64 bits, enough to notice damage.
pub(super) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_string()
}

/// All bytes but those of the row groups.
struct Frame {
    head: [u8; MAGIC],
    tail: Vec<u8>,
    /// Where the tail begins.
    start: u64,
}

impl Frame {
    /// None where the file is too short to be whole.
    fn read(file: &File) -> std::io::Result<Option<Frame>> {
        let len = file.metadata()?.len();
        let mut end = [0; TAIL];
        let Some(at) = len.checked_sub(TAIL as u64) else { return Ok(None) };
        file.read_exact_at(&mut end, at)?;
        let metadata = u32::from_le_bytes(end[..4].try_into().expect("four bytes"));
        let Some(start) = at.checked_sub(metadata.into()).filter(|s| *s >= MAGIC as u64) else {
            return Ok(None);
        };
        let mut frame = Frame { head: [0; MAGIC], tail: vec![0; (len - start) as usize], start };
        file.read_exact_at(&mut frame.head, 0)?;
        file.read_exact_at(&mut frame.tail, start)?;
        Ok(Some(frame))
    }

    /// What the footer says of its version.
    fn version(&self) -> Option<u32> {
        let start = memchr::memmem::rfind(&self.tail, BEFORE_VERSION)? + BEFORE_VERSION.len();
        let digits = self.tail[start..].iter().take_while(|b| b.is_ascii_digit()).take(9);
        std::str::from_utf8(&digits.copied().collect::<Vec<u8>>()).ok()?.parse().ok()
    }

    /// Where the checksum stands in the tail, and what it should be.
    fn checksum(&self) -> Option<(usize, String)> {
        // The last occurrence: a note of the footer could hold the words, too.
        let start = memchr::memmem::rfind(&self.tail, BEFORE_CHECKSUM)? + BEFORE_CHECKSUM.len();
        let after = self.tail.get(start + UNSEALED.len()..)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.head).update(&self.tail[..start]).update(UNSEALED.as_bytes()).update(after);
        Some((start, hasher.finalize().to_hex().to_string()))
    }
}

/// Puts the checksum into its place.
pub(super) fn seal(file: &mut File) -> std::io::Result<()> {
    let frame = Frame::read(file)?.expect("a file that was just written");
    let (place, checksum) = frame.checksum().expect("the footer that was just written");
    file.write_all_at(checksum.as_bytes(), frame.start + place as u64)?;
    file.flush()
}

/// Makes the checksum of a changed file right, where it has one, so that what it guards is reached. The columns' own stay wrong: they
/// keep Parquet's decoders from what was not written here.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn reseal(file: &File) -> Option<()> {
    let frame = Frame::read(file).ok()??;
    let (place, checksum) = frame.checksum()?;
    file.write_all_at(checksum.as_bytes(), frame.start + place as u64).ok()
}

/// The metadata and the footer of a file that is whole as far as they go; else what is wrong.
pub(super) fn read(file: &File) -> Result<(ParquetMetaData, Footer), String> {
    let frame = Frame::read(file).map_err(|e| e.to_string())?.ok_or("damaged: it is too short")?;
    // Before anything else: another version may have its checksum elsewhere.
    match frame.version() {
        Some(version) if version != VERSION => {
            return Err(format!("it has version {version} of the cache, not {VERSION}"));
        }
        _ => {}
    }
    let Some((place, checksum)) = frame.checksum() else { return Err("damaged: it has no checksum".into()) };
    if frame.tail[place..place + UNSEALED.len()] != *checksum.as_bytes() {
        return Err("damaged: the checksum is wrong".into());
    }
    let damaged = |e: &dyn std::fmt::Display| format!("damaged: {e}");
    let metadata = &frame.tail[..frame.tail.len() - TAIL];
    let metadata = parquet::file::metadata::ParquetMetaDataReader::decode_metadata(metadata);
    let metadata = metadata.map_err(|e| damaged(&e))?;
    let json = metadata.file_metadata().key_value_metadata();
    let json = json.and_then(|kv| kv.iter().find(|kv| kv.key == KEY)).and_then(|kv| kv.value.as_deref());
    let json = json.ok_or("it is no cache of this program")?;
    let footer: Footer = serde_json::from_str(json).map_err(|e| damaged(&e))?;
    check(metadata.row_groups(), frame.start)?;
    Ok((metadata, footer))
}

/// That the columns of the row groups are in the bytes before this place, one behind the other.
fn check(groups: &[RowGroupMetaData], end: u64) -> Result<(), String> {
    let mut at = MAGIC as u64;
    for group in groups {
        if !(0..=GROUP as i64).contains(&group.num_rows()) {
            return Err(format!("damaged: a row group of {} rows", group.num_rows()));
        }
        for column in group.columns() {
            // Else `places` panics.
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            if start < 0 || column.compressed_size() < 0 {
                return Err(format!("damaged: {} bytes from {start} on", column.compressed_size()));
            }
            // No list of a row is as long, and all of them can be added up.
            if !(0..1 << 40).contains(&column.num_values()) {
                return Err(format!("damaged: a column of {} values", column.num_values()));
            }
        }
        for (start, len) in places(group) {
            if start != at {
                return Err(format!("damaged: no column is in bytes {at} to {start}"));
            }
            at = at.saturating_add(len as u64);
        }
    }
    if at == end { Ok(()) } else { Err(format!("damaged: no column is in bytes {at} to {end}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::basic::Type;
    use parquet::file::metadata::ColumnChunkMetaData;
    use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type as Column};
    use std::sync::Arc;

    #[test]
    fn columns_that_no_file_has() {
        let column = Column::primitive_type_builder("x", Type::INT32).build().unwrap();
        let root = Column::group_type_builder("all").with_fields(vec![Arc::new(column)]).build().unwrap();
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
        let descriptor: Arc<ColumnDescriptor> = schema.column(0);
        let says = |rows, start, len, values| {
            let column = ColumnChunkMetaData::builder(descriptor.clone())
                .set_data_page_offset(start)
                .set_total_compressed_size(len)
                .set_num_values(values)
                .build();
            let group = RowGroupMetaData::builder(schema.clone())
                .set_num_rows(rows)
                .set_column_metadata(vec![column.unwrap()]);
            check(&[group.build().unwrap()], 12)
        };
        assert_eq!(says(3, 4, 8, 3), Ok(()));
        for (rows, start, len, what) in [
            (3, 5, 8, "no column is in bytes 4 to 5"),
            (3, 4, 9, "no column is in bytes 13 to 12"),
            (3, -4, 8, "8 bytes from -4 on"),
            (3, 4, -1, "-1 bytes from 4 on"),
            (3, 4, i64::MAX, "no column is in bytes 9223372036854775811 to 12"),
            (-1, 4, 8, "a row group of -1 rows"),
            (1 << 40, 4, 8, "a row group of 1099511627776 rows"),
        ] {
            assert_eq!(says(rows, start, len, 3), Err(format!("damaged: {what}")));
        }
        assert_eq!(says(3, 4, 8, i64::MAX), Err("damaged: a column of 9223372036854775807 values".into()));
    }
}
