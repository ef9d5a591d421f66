//! Datasets as Parquet files: what was parsed once is not parsed again.
//!
//! One Parquet column per column of the dataset (`field:<name>`, `weight:<name>`, `label:<task>`, `scenario`, `time`,
//! `session`, `part`, `click_probability`), lists for ragged ones. The tokens of a sequence are the list of row 0, beside the
//! columns `start:<name>` and `end:<name>`, which are absent where they equal the sequence's before. The footer holds the rest: schema, item vocabulary,
//! provenance, note, fingerprint, and a checksum of it all, so that a damaged file is noticed before anything of it is decoded.
use crate::{Column, Dataset, Error, Kind, Part, Provenance, Result, Schema, Sequence, Spans, Tokens};
use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Int64Array, LargeListArray, RecordBatch, UInt8Array, UInt16Array,
    UInt32Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Float32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Raised whenever the files' form changes: older ones are made anew.
const VERSION: u32 = 1;
/// Rows per row group; a reader that streams holds one at a time.
const GROUP: usize = 1 << 17;
const KEY: &str = "scenarec";

/// What the footer holds, as JSON under [`KEY`].
#[derive(Serialize, Deserialize)]
struct Footer {
    version: u32,
    name: String,
    provenance: Provenance,
    note: String,
    fingerprint: String,
    schema: Schema,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item_vocabulary: Option<Vec<usize>>,
    rows: usize,
    /// Hash of the whole file, with [`UNSEALED`] in this place.
    checksum: String,
}

/// Stands in for the checksum while it is computed.
const UNSEALED: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const BEFORE_CHECKSUM: &[u8] = b"\"checksum\":\"";

/// Where the checksum stands in a cache file, and what it should be.
fn checksum(file: &[u8]) -> Option<(std::ops::Range<usize>, String)> {
    // The last occurrence: the footer comes last.
    let start = memchr::memmem::rfind(file, BEFORE_CHECKSUM)? + BEFORE_CHECKSUM.len();
    let place = start..start + UNSEALED.len();
    let after = file.get(place.end..)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_rayon(&file[..start]).update(UNSEALED.as_bytes()).update(after);
    Some((place, hasher.finalize().to_hex().to_string()))
}

/// Writes a dataset; the file appears complete or not at all.
pub(crate) fn write(data: &Dataset, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "cannot make the cache folder"))?;
    let mut temporary = tempfile::Builder::new()
        .prefix(".cache-")
        .permissions(std::fs::Permissions::from_mode(0o666)) // Less the umask: others may share the cache.
        .tempfile_in(folder)
        .map_err(Error::io(folder, "cannot make a temporary file"))?;
    write_parquet(data, temporary.as_file_mut())
        .map_err(|e| Error::Cache { file: path.into(), message: format!("cannot write: {e}") })?;
    seal(temporary.as_file_mut()).map_err(Error::io(path, "cannot write the cache"))?;
    temporary.as_file().sync_all().map_err(Error::io(path, "cannot write the cache"))?;
    temporary
        .persist(path)
        .map_err(|e| Error::io(path, "cannot move the cache file to its place")(e.error))?;
    Ok(())
}

fn write_parquet(
    data: &Dataset,
    file: impl Write + Send,
) -> std::result::Result<(), parquet::errors::ParquetError> {
    let columns = to_arrow(data);
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), false)).collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some(GROUP))
        .build();
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
    writer.write(&RecordBatch::try_new(schema, columns.into_iter().map(|c| c.1).collect())?)?;
    let footer = Footer {
        version: VERSION,
        name: data.name.clone(),
        provenance: data.provenance,
        note: data.note.clone(),
        fingerprint: data.fingerprint.clone(),
        schema: data.schema.clone(),
        item_vocabulary: data.item_vocabulary.clone(),
        rows: data.rows(),
        checksum: UNSEALED.into(),
    };
    let json = serde_json::to_string(&footer).expect("a footer has a JSON form");
    writer.append_key_value_metadata(KeyValue::new(KEY.to_string(), json));
    writer.close()?;
    Ok(())
}

fn seal(file: &mut std::fs::File) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let (place, checksum) = checksum(&bytes).expect("the footer that was just written");
    file.seek(SeekFrom::Start(place.start as u64))?;
    file.write_all(checksum.as_bytes())
}

fn to_arrow(data: &Dataset) -> Vec<(String, ArrayRef)> {
    let mut out: Vec<(String, ArrayRef)> = Vec::new();
    let mut spans = None;
    for (field, column) in data.schema.fields.iter().zip(&data.columns) {
        let name = format!("field:{}", field.name);
        match column {
            Column::Id(v) => out.push((name, Arc::new(UInt32Array::from(v.clone())))),
            Column::Real(v) => out.push((name, Arc::new(Float32Array::from(v.clone())))),
            Column::Ragged { offsets, values, weights } => {
                out.push((name, list(offsets, Arc::new(UInt32Array::from(values.clone())))));
                if let Some(w) = weights {
                    let name = format!("weight:{}", field.name);
                    out.push((name, list(offsets, Arc::new(Float32Array::from(w.clone())))));
                }
            }
            Column::Sequence(Sequence { spans: own, tokens: Tokens { offsets, values, weights } }) => {
                if spans.replace(own) != Some(own) {
                    let column =
                        |numbers: &[u32]| -> ArrayRef { Arc::new(UInt32Array::from(numbers.to_vec())) };
                    out.push((format!("start:{}", field.name), column(&own.start)));
                    out.push((format!("end:{}", field.name), column(&own.end)));
                }
                let in_row_0 = |array: ArrayRef| {
                    let offsets: Vec<u64> =
                        (0..=data.rows()).map(|r| if r == 0 { 0 } else { array.len() as u64 }).collect();
                    list(&offsets, array)
                };
                out.push((name, in_row_0(Arc::new(UInt32Array::from(values.clone())))));
                if let Some(offsets) = offsets {
                    let name = format!("tokens:{}", field.name);
                    out.push((name, in_row_0(Arc::new(UInt32Array::from(offsets.clone())))));
                }
                if let Some(w) = weights {
                    let name = format!("weight:{}", field.name);
                    out.push((name, in_row_0(Arc::new(Float32Array::from(w.clone())))));
                }
            }
        }
    }
    for (task, label) in data.schema.tasks.iter().zip(&data.labels) {
        out.push((format!("label:{task}"), Arc::new(UInt8Array::from(label.clone()))));
    }
    out.push(("scenario".into(), Arc::new(UInt16Array::from(data.scenario.clone()))));
    if let Some(v) = &data.time {
        out.push(("time".into(), Arc::new(Int64Array::from(v.clone()))));
    }
    if let Some(v) = &data.session {
        out.push(("session".into(), Arc::new(UInt32Array::from(v.clone()))));
    }
    if let Some(v) = &data.part {
        let numbers = v.iter().map(|part| *part as u8).collect::<Vec<u8>>();
        out.push(("part".into(), Arc::new(UInt8Array::from(numbers))));
    }
    if let Some(v) = &data.click_probability {
        out.push(("click_probability".into(), Arc::new(Float32Array::from(v.clone()))));
    }
    out
}

fn list(offsets: &[u64], values: ArrayRef) -> ArrayRef {
    let offsets: ScalarBuffer<i64> = offsets.iter().map(|o| *o as i64).collect();
    let item = Arc::new(Field::new("item", values.data_type().clone(), false));
    Arc::new(LargeListArray::new(item, OffsetBuffer::new(offsets), values, None))
}

/// Reads a dataset; none where there is no file. A file that is damaged, of another version or of another
/// fingerprint is an error that says so.
pub(crate) fn read(path: &Path, fingerprint: &str) -> Result<Option<Dataset>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::Cache { file: path.into(), message: e.to_string() }),
    };
    read_parquet(bytes, fingerprint).map(Some).map_err(|message| Error::Cache { file: path.into(), message })
}

fn read_parquet(bytes: Vec<u8>, fingerprint: &str) -> std::result::Result<Dataset, String> {
    let damaged = |e: &dyn std::fmt::Display| format!("damaged: {e}");
    match checksum(&bytes) {
        Some((place, checksum)) if bytes[place.clone()] == *checksum.as_bytes() => {}
        Some(_) => return Err("damaged: the checksum is wrong".into()),
        None => return Err("damaged: it has no checksum".into()),
    }
    let bytes = bytes::Bytes::from(bytes);
    let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).map_err(|e| damaged(&e))?;
    let json = metadata.metadata().file_metadata().key_value_metadata();
    let json = json.and_then(|kv| kv.iter().find(|kv| kv.key == KEY)).and_then(|kv| kv.value.as_deref());
    let json = json.ok_or("it is no cache of this program")?;
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_str(json).map_err(|e| damaged(&e))?;
    if version != VERSION {
        return Err(format!("it has version {version} of the cache, not {VERSION}"));
    }
    let footer: Footer = serde_json::from_str(json).map_err(|e| damaged(&e))?;
    if footer.fingerprint != fingerprint {
        return Err(format!("it has fingerprint {}, not {fingerprint}", footer.fingerprint));
    }
    let columns = read_columns(&bytes, &metadata)?;
    assemble(footer, columns)
}

/// Every column's arrays, a row group each. Columns are decoded side by side.
type Columns = Vec<(String, Vec<ArrayRef>)>;

fn read_columns(
    bytes: &bytes::Bytes,
    metadata: &ArrowReaderMetadata,
) -> std::result::Result<Columns, String> {
    use rayon::prelude::*;
    let names: Vec<String> = metadata.schema().fields().iter().map(|f| f.name().clone()).collect();
    names
        .into_par_iter()
        .enumerate()
        .map(|(i, name)| {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
            let mask = parquet::arrow::ProjectionMask::roots(builder.parquet_schema(), [i]);
            let reader =
                builder.with_projection(mask).with_batch_size(GROUP).build().map_err(|e| e.to_string())?;
            let arrays = reader
                .map(|batch| batch.map(|b| b.column(0).clone()).map_err(|e| e.to_string()))
                .collect::<std::result::Result<Vec<ArrayRef>, String>>()?;
            Ok((name, arrays))
        })
        .collect()
}

fn assemble(footer: Footer, mut columns: Columns) -> std::result::Result<Dataset, String> {
    footer.schema.validate()?;
    let mut take = |name: String| {
        let at = columns.iter().position(|c| c.0 == name)?;
        Some(columns.swap_remove(at).1)
    };
    let missing = |name: &str| format!("it lacks the column {name}");
    let mut fields = Vec::new();
    let mut spans: Option<Arc<Spans>> = None;
    for field in &footer.schema.fields {
        let arrays = take(format!("field:{}", field.name)).ok_or_else(|| missing(&field.name))?;
        let column = match field.kind {
            Kind::Id => Column::Id(numbers::<UInt32Type>(&arrays)?),
            Kind::Real => Column::Real(numbers::<Float32Type>(&arrays)?),
            Kind::Bag(_) => {
                let (offsets, values) = lists::<UInt32Type>(&arrays)?;
                let weights = take(format!("weight:{}", field.name)).map(|a| lists::<Float32Type>(&a));
                Column::Ragged { offsets, values, weights: weights.transpose()?.map(|w| w.1) }
            }
            Kind::Pooled => return Err(format!("field {} is none of a dataset's", field.name)),
            Kind::Sequence { .. } => {
                let offsets = take(format!("tokens:{}", field.name)).map(|a| lists::<UInt32Type>(&a));
                let weights = take(format!("weight:{}", field.name)).map(|a| lists::<Float32Type>(&a));
                let tokens = Tokens {
                    offsets: offsets.transpose()?.map(|o| o.1),
                    values: lists::<UInt32Type>(&arrays)?.1,
                    weights: weights.transpose()?.map(|w| w.1),
                };
                if let Some(start) = take(format!("start:{}", field.name)) {
                    let end = take(format!("end:{}", field.name)).ok_or_else(|| missing(&field.name))?;
                    let (start, end) = (numbers::<UInt32Type>(&start)?, numbers::<UInt32Type>(&end)?);
                    spans = Some(Arc::new(Spans { start, end }));
                }
                let spans = spans.clone().ok_or_else(|| missing(&field.name))?;
                Column::Sequence(Sequence { spans, tokens })
            }
        };
        if column.rows() != footer.rows {
            return Err(format!("field {} has {} rows, not {}", field.name, column.rows(), footer.rows));
        }
        fields.push(column);
    }
    let labels = (footer.schema.tasks.iter())
        .map(|t| numbers::<UInt8Type>(&take(format!("label:{t}")).ok_or_else(|| missing(t))?))
        .collect::<std::result::Result<_, String>>()?;
    let scenario = numbers::<UInt16Type>(&take("scenario".into()).ok_or_else(|| missing("scenario"))?)?;
    Ok(Dataset {
        name: footer.name,
        provenance: footer.provenance,
        note: footer.note,
        schema: footer.schema,
        columns: fields,
        labels,
        scenario,
        time: take("time".into()).map(|a| numbers::<Int64Type>(&a)).transpose()?,
        session: take("session".into()).map(|a| numbers::<UInt32Type>(&a)).transpose()?,
        part: take("part".into()).map(|a| parts(&numbers::<UInt8Type>(&a)?)).transpose()?,
        item_vocabulary: footer.item_vocabulary,
        click_probability: take("click_probability".into())
            .map(|a| numbers::<Float32Type>(&a))
            .transpose()?,
        fingerprint: footer.fingerprint,
    })
}

fn parts(numbers: &[u8]) -> std::result::Result<Vec<Part>, String> {
    let part = |n: &u8| Part::ALL.get(usize::from(*n)).copied();
    numbers.iter().map(|n| part(n).ok_or_else(|| format!("a row is in part {n}"))).collect()
}

fn numbers<T: arrow::datatypes::ArrowPrimitiveType>(
    arrays: &[ArrayRef],
) -> std::result::Result<Vec<T::Native>, String> {
    let mut out = Vec::with_capacity(arrays.iter().map(|a| a.len()).sum());
    for array in arrays {
        let array = array.as_primitive_opt::<T>().ok_or_else(|| wrong_type::<T>(array.data_type()))?;
        out.extend_from_slice(array.values());
    }
    Ok(out)
}

fn lists<T: arrow::datatypes::ArrowPrimitiveType>(
    arrays: &[ArrayRef],
) -> std::result::Result<(Vec<u64>, Vec<T::Native>), String> {
    let mut offsets = vec![0u64];
    let mut values = Vec::new();
    for array in arrays {
        let array = array.as_list_opt::<i64>().ok_or_else(|| wrong_type::<T>(array.data_type()))?;
        let inner =
            array.values().as_primitive_opt::<T>().ok_or_else(|| wrong_type::<T>(array.data_type()))?;
        let own = array.value_offsets();
        let (from, to) = (own[0], own[own.len() - 1]);
        let base = values.len() as u64;
        values.extend_from_slice(&inner.values()[from as usize..to as usize]);
        offsets.extend(own[1..].iter().map(|o| base + (o - from) as u64));
    }
    Ok((offsets, values))
}

fn wrong_type<T: arrow::datatypes::ArrowPrimitiveType>(found: &DataType) -> String {
    format!("a column holds {found:?}, not {:?}", T::DATA_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::everything;

    fn assert_same(a: &Dataset, b: &Dataset) {
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        // More rows than a row group.
        let data = everything(GROUP + 1000);
        write(&data, &path).unwrap();
        assert_same(&data, &read(&path, &data.fingerprint).unwrap().unwrap());
        assert!(read(&folder.path().join("y.parquet"), "").unwrap().is_none());
        let other = read(&path, "other").unwrap_err().to_string();
        assert!(other.contains("it has fingerprint"), "{other}");
    }

    #[test]
    fn another_version_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let data = everything(50);
        write(&data, &path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let now = format!("\"version\":{VERSION}");
        let at = memchr::memmem::rfind(&bytes, now.as_bytes()).unwrap() + now.len() - 1;
        bytes[at] = b'0';
        let (place, sum) = checksum(&bytes).unwrap();
        bytes[place].copy_from_slice(sum.as_bytes());
        let message = read_parquet(bytes, &data.fingerprint).unwrap_err();
        assert_eq!(message, format!("it has version 0 of the cache, not {VERSION}"));
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let data = everything(50);
        write(&data, &path).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(read_parquet(bad, &data.fingerprint).is_err(), "byte {at}");
            assert!(read_parquet(good[..at].to_vec(), &data.fingerprint).is_err(), "cut at {at}");
        }
    }
}
