//! Writes a cache file, some rows at a time.
use super::arrays;
use super::footer::{Footer, Header, KEY, UNSEALED, VERSION, hash, places, seal};
use crate::{Error, Result, Rows};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, Encoding, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;
use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Rows per row group; a reader that streams holds some of them at a time.
pub(crate) const GROUP: usize = 1 << 17;

/// Ids of tables of no more rows repeat often enough in a row group for a dictionary.
const FEW: usize = GROUP / 16;

/// A cache file in the making. It appears complete, under its own name, or not at all.
pub(crate) struct Writer {
    path: PathBuf,
    header: Header,
    temporary: NamedTempFile,
    /// Begins with the first rows, which have the columns.
    parquet: Option<Parquet>,
    rows: usize,
    /// `[row group][column]`.
    chunks: Vec<Vec<String>>,
}

/// The file, and what encodes columns for it, which needs no file: they are encoded side by side.
struct Parquet {
    writer: SerializedFileWriter<File>,
    encoders: ArrowRowGroupWriterFactory,
    schema: Arc<Schema>,
}

impl Parquet {
    fn begin(
        file: File,
        rows: &crate::Schema,
        columns: &arrays::Named,
    ) -> std::result::Result<Self, ParquetError> {
        let field = |(name, array): &(String, ArrayRef)| Field::new(name, array.data_type().clone(), false);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<Field>>()));
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties(rows, &schema)?))?;
        let (writer, encoders) = writer.into_serialized_writer()?;
        Ok(Self { writer, encoders, schema })
    }
}

impl Writer {
    /// Begins the file at `path`.
    pub fn new(path: &Path, header: Header) -> Result<Writer> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "cannot make the cache folder"))?;
        let temporary = tempfile::Builder::new()
            .prefix(".cache-")
            .permissions(std::fs::Permissions::from_mode(0o666)) // Less the umask: others may share the cache.
            .tempfile_in(folder)
            .map_err(Error::io(folder, "cannot make a temporary file"))?;
        Ok(Writer { path: path.into(), header, temporary, parquet: None, rows: 0, chunks: Vec::new() })
    }

    /// Appends rows, in groups of [`GROUP`] at most. All rows of a file have columns of the same kinds, and sequences share
    /// their tokens and spans in the same way.
    pub fn append(&mut self, rows: &Rows) -> Result<()> {
        crate::rows::check(&self.header.schema, &rows.columns, rows.len()).unwrap_or_else(|e| {
            panic!("{}: the loader's columns do not fit its schema: {e}", self.header.name)
        });
        for start in (0..rows.len().max(1)).step_by(GROUP) {
            let range = start..(start + GROUP).min(rows.len());
            let columns = arrays::of_rows(&self.header.schema, rows, range.clone(), self.rows == 0);
            self.rows += range.len();
            self.group(columns).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    fn failed(&self, error: ParquetError) -> Error {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let message = format!("cannot write: {error} (is there room in {}?)", folder.display());
        Error::Cache { file: self.path.clone(), message }
    }

    fn group(&mut self, columns: arrays::Named) -> std::result::Result<(), ParquetError> {
        let file = self.temporary.as_file();
        let Parquet { writer, encoders, schema } = match &mut self.parquet {
            Some(parquet) => parquet,
            None => self.parquet.insert(Parquet::begin(file.try_clone()?, &self.header.schema, &columns)?),
        };
        if columns.first().is_none_or(|(_, array)| array.is_empty()) {
            return Ok(());
        }
        let encoders = encoders.create_column_writers(self.chunks.len())?;
        let columns = encoders.into_par_iter().zip(schema.fields().par_iter()).zip(columns);
        let encode =
            |((mut encoder, field), (_, array)): ((ArrowColumnWriter, &FieldRef), (String, ArrayRef))| {
                compute_leaves(field, &array)?.iter().try_for_each(|leaf| encoder.write(leaf))?;
                encoder.close()
            };
        let encoded: Vec<ArrowColumnChunk> =
            columns.map(encode).collect::<std::result::Result<_, ParquetError>>()?;
        let mut group = writer.next_row_group()?;
        encoded.into_iter().try_for_each(|column| column.append_to_row_group(&mut group))?;
        group.close()?;
        writer.flush()?;
        for group in &writer.flushed_row_groups()[self.chunks.len()..] {
            let hashed = |(start, len): (u64, usize)| -> std::result::Result<String, ParquetError> {
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, start)?;
                Ok(hash(&bytes))
            };
            self.chunks
                .push(places(group).into_par_iter().map(hashed).collect::<std::result::Result<_, _>>()?);
        }
        Ok(())
    }

    /// Completes the file and moves it to its place.
    pub fn finish(mut self) -> Result<()> {
        self.footer().map_err(|e| self.failed(e))?;
        let Writer { path, mut temporary, .. } = self;
        let failed = "cannot write the cache";
        seal(temporary.as_file_mut()).map_err(Error::io(&path, failed))?;
        temporary.as_file().sync_all().map_err(Error::io(&path, failed))?;
        temporary
            .persist(&path)
            .map_err(|e| Error::io(&path, "cannot move the cache file to its place")(e.error))?;
        Ok(())
    }

    fn footer(&mut self) -> std::result::Result<(), ParquetError> {
        let mut writer = self.parquet.take().expect("rows that were appended").writer;
        let footer = Footer {
            version: VERSION,
            header: self.header.clone(),
            rows: self.rows,
            chunks: std::mem::take(&mut self.chunks),
            checksum: UNSEALED.into(),
        };
        let json = serde_json::to_string(&footer).expect("a footer has a JSON form");
        writer.append_key_value_metadata(KeyValue::new(KEY.to_string(), json));
        writer.close()?;
        Ok(())
    }
}

/// How columns are encoded: small tables' ids by a dictionary of those that a row group has. Where a row group of random ids would
/// hardly repeat any, a dictionary takes more room than it saves, and most of the time: such ids are packed to the bits they need, which
/// leaves nothing to compress.
fn properties(rows: &crate::Schema, stored: &Schema) -> std::result::Result<WriterProperties, ParquetError> {
    let mut out = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some(GROUP));
    let leaves = ArrowSchemaConverter::new().convert(stored)?;
    for (at, leaf) in leaves.columns().iter().enumerate() {
        let column = stored.field(leaves.get_column_root_idx(at));
        let field = column.name().strip_prefix("field:").and_then(|name| rows.field(name));
        let table = field.and_then(|(_, f)| rows.table(f.table.as_deref()?));
        let encoding = match (leaf.physical_type(), column.data_type()) {
            (PhysicalType::FLOAT, _) => Encoding::BYTE_STREAM_SPLIT,
            (_, DataType::UInt8 | DataType::UInt16) => continue,
            _ if table.is_some_and(|t| t.1.rows <= FEW) => continue,
            _ => Encoding::DELTA_BINARY_PACKED,
        };
        let path = leaf.path().clone();
        out = out
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path.clone(), encoding);
        if encoding == Encoding::DELTA_BINARY_PACKED {
            out = out.set_column_compression(path, Compression::UNCOMPRESSED);
        }
    }
    Ok(out.build())
}
