//! A cache file, read as a whole or a row group at a time.
use super::arrays::{self, Columns};
use super::footer::{self, Footer, Header, hash, places};
use crate::{Column, Error, Result, Rows, Tokens};
use arrow::array::ArrayRef;
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use rayon::prelude::*;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A dataset's columns in a file, from which they are read a row group at a time. What is read is checked against its checksums.
pub struct Stored {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    header: Header,
    rows: usize,
    chunks: Vec<Vec<String>>,
    /// Of every sequence field, in order. They belong to no row group.
    tokens: Vec<Arc<Tokens>>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stored({}, {} rows)", self.path.display(), self.rows)
    }
}

impl Stored {
    /// Opens a file; none where there is none. A file that is damaged, of another version or of another fingerprint is an error
    /// that says so.
    pub(crate) fn open(path: &Path, fingerprint: &str) -> Result<Option<Stored>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::Cache { file: path.into(), message: e.to_string() }),
        };
        let open = || -> std::result::Result<Stored, String> {
            let (metadata, footer) = footer::read(&file)?;
            let Footer { header, rows, chunks, .. } = footer;
            if header.fingerprint != fingerprint {
                return Err(format!("it has fingerprint {}, not {fingerprint}", header.fingerprint));
            }
            header.schema.validate()?;
            let said = metadata.row_groups().iter().map(|g| g.num_columns());
            let rows_in = metadata.row_groups().iter().map(|g| g.num_rows() as usize).sum::<usize>();
            if rows_in != rows || !said.eq(chunks.iter().map(Vec::len)) {
                return Err("damaged: its footer is of another file".into());
            }
            let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())
                .map_err(|e| format!("damaged: {e}"))?;
            let path = path.to_path_buf();
            let mut stored = Stored { path, file, metadata, header, rows, chunks, tokens: Vec::new() };
            let names = arrays::token_columns(&stored.header.schema);
            if !names.is_empty() {
                let columns =
                    stored.read(0..1.min(stored.groups()), |name| names.iter().any(|n| n == name))?;
                stored.tokens = arrays::tokens(&stored.header.schema, columns)?;
            }
            Ok(stored)
        };
        open().map(Some).map_err(|message| Error::Cache { file: path.into(), message })
    }

    /// [`Stored::open`] and everything that can be read, of a changed file whose footer's checksum is made right first.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn fuzz(path: &Path, fingerprint: &str) -> Result<()> {
        let file = File::options().read(true).write(true).open(path).expect("a file that was just written");
        footer::reseal(&file);
        let Some(stored) = Stored::open(path, fingerprint)? else { return Ok(()) };
        stored.size();
        (0..stored.groups()).try_for_each(|group| stored.group(group).map(drop))?;
        stored.about_rows()?;
        stored.all().map(drop)
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many row groups there are.
    pub fn groups(&self) -> usize {
        self.chunks.len()
    }

    /// How many rows each row group has, in order.
    pub fn group_rows(&self) -> Vec<usize> {
        self.metadata.metadata().row_groups().iter().map(|g| g.num_rows() as usize).collect()
    }

    /// Bytes of the fields' columns in memory, the tokens of sequences left out.
    pub(crate) fn size(&self) -> u64 {
        let tokens = arrays::token_columns(&self.header.schema);
        let names: Vec<bool> = (self.metadata.schema().fields().iter())
            .map(|f| !arrays::is_about_rows(f.name()) && !tokens.contains(f.name()))
            .collect();
        let groups = self.metadata.metadata().row_groups().iter();
        let columns = groups.flat_map(|g| g.columns().iter().zip(&names).filter(|c| *c.1));
        // Ids and reals take four bytes each; lists have a place of eight bytes for every row, too.
        let bytes = columns.map(|(c, _)| 4 * c.num_values() as u64).sum::<u64>();
        let bags =
            self.header.schema.embedded().filter(|(_, f)| matches!(f.kind, crate::Kind::Bag(_))).count();
        bytes + 8 * (bags * self.rows) as u64
    }

    /// The columns of a row group, one per field.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn group(&self, group: usize) -> Result<Vec<Column>> {
        let tokens = arrays::token_columns(&self.header.schema);
        let rows = self.metadata.metadata().row_group(group).num_rows() as usize;
        let read = || {
            let wanted = |name: &str| !arrays::is_about_rows(name) && !tokens.iter().any(|t| t == name);
            let columns = self.read(group..group + 1, wanted)?;
            arrays::fields(&self.header.schema, rows, columns, &self.tokens)
        };
        read().map_err(|message| self.error(message))
    }

    /// All rows without the fields' columns.
    pub(crate) fn about_rows(&self) -> Result<Rows> {
        let read = || {
            let columns = self.read(0..self.groups(), arrays::is_about_rows)?;
            arrays::about_rows(&self.header.schema, columns)
        };
        read().map_err(|message| self.error(message))
    }

    /// The ids of a field of one id per row.
    pub(crate) fn ids(&self, field: &str) -> Result<Vec<u32>> {
        let read = || {
            let name = format!("field:{field}");
            arrays::ids(self.read(0..self.groups(), |n| n == name)?, &name)
        };
        read().map_err(|message| self.error(message))
    }

    /// Everything.
    pub(crate) fn all(&self) -> Result<Rows> {
        let read = || {
            let tokens = arrays::token_columns(&self.header.schema);
            let mut columns = self.read(0..self.groups(), |name| !tokens.iter().any(|t| t == name))?;
            let (about, fields) = columns.drain(..).partition(|(name, _)| arrays::is_about_rows(name));
            let columns = arrays::fields(&self.header.schema, self.rows, fields, &self.tokens)?;
            Ok(Rows { columns, ..arrays::about_rows(&self.header.schema, about)? })
        };
        read().map_err(|message| self.error(message))
    }

    fn error(&self, message: String) -> Error {
        Error::Cache { file: self.path.clone(), message }
    }

    /// The columns whose names are wanted, of some row groups. They are decoded side by side.
    fn read(
        &self,
        groups: std::ops::Range<usize>,
        wanted: impl Fn(&str) -> bool,
    ) -> std::result::Result<Columns, String> {
        let names = self.metadata.schema().fields().iter().map(|f| f.name().clone());
        let wanted: Vec<(usize, String)> = names.enumerate().filter(|(_, name)| wanted(name)).collect();
        let of_column = |(column, name): (usize, String)| {
            let arrays = groups.clone().into_par_iter().map(|group| self.chunk(group, column));
            Ok((name, arrays.collect::<std::result::Result<Vec<Vec<ArrayRef>>, String>>()?.concat()))
        };
        wanted.into_par_iter().map(of_column).collect()
    }

    /// A column of a row group.
    fn chunk(&self, group: usize, column: usize) -> std::result::Result<Vec<ArrayRef>, String> {
        // One leaf per column: lists hold plain numbers.
        let (start, len) = places(self.metadata.metadata().row_group(group))[column];
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, start).map_err(|e| format!("damaged: {e}"))?;
        if hash(&bytes) != self.chunks[group][column] {
            return Err(format!("damaged: bytes {start} to {}", start + len as u64));
        }
        let window = Window { start, bytes: bytes.into() };
        // Where a footer lies about the bytes, though its checksum is right, some of Parquet's decoders panic.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.decode(window, group, column)))
            .unwrap_or_else(|_| Err(ParquetError::General("its footer is of another file".into())))
            .map_err(|e| format!("damaged: {e}"))
    }

    fn decode(
        &self,
        window: Window,
        group: usize,
        column: usize,
    ) -> std::result::Result<Vec<ArrayRef>, ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(window, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
        let rows = self.metadata.metadata().row_group(group).num_rows() as usize;
        let builder = builder.with_projection(mask).with_row_groups(vec![group]).with_batch_size(rows.max(1));
        Ok(builder.build()?.map(|b| b.map(|b| b.column(0).clone())).collect::<std::result::Result<_, _>>()?)
    }
}

/// Some bytes of a file, as parquet reads files.
struct Window {
    start: u64,
    bytes: Bytes,
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> std::result::Result<Self::T, ParquetError> {
        Ok(self.get_bytes(start, (self.len().saturating_sub(start)) as usize)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> std::result::Result<Bytes, ParquetError> {
        let outside = || ParquetError::General(format!("bytes from {start} on are none of this column's"));
        let from = start.checked_sub(self.start).ok_or_else(outside)? as usize;
        let to = from.checked_add(length).filter(|to| *to <= self.bytes.len()).ok_or_else(outside)?;
        Ok(self.bytes.slice(from..to))
    }
}
