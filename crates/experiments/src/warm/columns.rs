//! Named columns of a user's file, with errors that name file, column and row.
use super::key::{Key, keys};
use anyhow::{Context, Result, bail, ensure};
use arrow::{
    array::{Array, ArrayRef, AsArray, ListArray},
    compute::{cast, concat},
    datatypes::{DataType, Float32Type, Float64Type},
};
use indexmap::IndexMap;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What is counted in messages, from 0.
const ROW: &str = "row";
const ELEMENT: &str = "element of all lists";

/// All columns of a Parquet file.
#[derive(Debug)]
pub(super) struct Columns {
    file: PathBuf,
    columns: IndexMap<String, ArrayRef>,
}

impl Columns {
    /// Reads the file. Dictionaries, large and fixed-size lists come as what they stand for.
    pub fn read(file: &Path) -> Result<Self> {
        let columns = read(file).with_context(|| format!("cannot read {} as Parquet", file.display()))?;
        Ok(Self { file: file.into(), columns })
    }

    /// Takes a column; none where there is none.
    pub fn take(&mut self, name: &str) -> Option<Column> {
        let array = self.columns.shift_remove(name)?;
        Some(Column { array, place: format!("{}: column {name:?}", self.file.display()) })
    }

    /// Takes a column that must be there.
    pub fn need(&mut self, name: &str) -> Result<Column> {
        let known = self.columns.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.take(name).with_context(|| {
            format!("{}: there is no column {name:?}; there are {known}", self.file.display())
        })
    }

    /// Names of the columns that were not taken, in the file's order.
    pub fn names(&self) -> Vec<String> {
        self.columns.keys().cloned().collect()
    }
}

fn read(file: &Path) -> Result<IndexMap<String, ArrayRef>> {
    // Without the writer's Arrow schema a type is what Parquet itself knows, of which there are few.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(file)?, options)?;
    let schema = builder.schema().clone();
    let batches = builder.build()?.collect::<Result<Vec<_>, _>>()?;
    let column = |(i, field): (usize, &std::sync::Arc<arrow::datatypes::Field>)| -> Result<_> {
        let parts: Vec<&dyn Array> = batches.iter().map(|b| b.column(i).as_ref()).collect();
        let array = match parts.is_empty() {
            true => arrow::array::new_empty_array(field.data_type()),
            false => concat(&parts)?,
        };
        Ok((field.name().clone(), array))
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// One column.
#[derive(Debug)]
pub(super) struct Column {
    array: ArrayRef,
    place: String,
}

impl Column {
    /// Whether it holds a list per row.
    pub fn is_list(&self) -> bool {
        matches!(self.array.data_type(), DataType::List(_))
    }

    /// Whether it holds real numbers.
    pub fn is_real(&self) -> bool {
        self.array.data_type().is_floating()
    }

    /// A key per row, none where it holds none.
    pub fn optional_keys(&self) -> Result<Vec<Option<Key>>> {
        keys(&self.array).with_context(|| self.place.clone())
    }

    /// A key per row.
    pub fn keys(&self) -> Result<Vec<Key>> {
        self.no_null(&self.array, ROW)?;
        Ok(self.optional_keys()?.into_iter().flatten().collect())
    }

    /// A boolean per row.
    pub fn booleans(&self) -> Result<Vec<bool>> {
        let Some(array) = self.array.as_boolean_opt() else {
            bail!("{} holds {}, not booleans", self.place, self.array.data_type())
        };
        self.no_null(array, ROW)?;
        Ok(array.iter().flatten().collect())
    }

    /// A finite number per row, from integers or real numbers.
    pub fn numbers(&self) -> Result<Vec<f64>> {
        let kind = self.array.data_type();
        ensure!(kind.is_integer() || kind.is_floating(), "{} holds {kind}, not numbers", self.place);
        self.no_null(&self.array, ROW)?;
        let values = cast(&self.array, &DataType::Float64)?.as_primitive::<Float64Type>().values().to_vec();
        match values.iter().position(|v| !v.is_finite()) {
            Some(row) => bail!("{}, row {row}: {} is no number to learn from", self.place, values[row]),
            None => Ok(values),
        }
    }

    /// Where each row's list begins, and the keys of all lists. A row without a list has an empty one.
    pub fn key_lists(&self) -> Result<(Vec<u64>, Vec<Key>)> {
        let lists = self.lists()?;
        let (offsets, values) = contents(lists);
        self.no_null(&values, ELEMENT)?;
        let keys = keys(&values).with_context(|| format!("{}, the lists' content", self.place))?;
        Ok((offsets, keys.into_iter().flatten().collect()))
    }

    /// Vectors of one length, `[rows, d]` row-major, and d.
    pub fn vectors(&self) -> Result<(Vec<f32>, usize)> {
        let lists = self.lists()?;
        self.no_null(lists, ROW)?;
        let (offsets, values) = contents(lists);
        let kind = values.data_type();
        ensure!(kind.is_floating(), "{} holds lists of {kind}, not of real numbers", self.place);
        self.no_null(&values, ELEMENT)?;
        let dim = offsets.get(1).map_or(0, |end| *end as usize);
        if let Some(row) = offsets.windows(2).position(|w| (w[1] - w[0]) as usize != dim) {
            let found = offsets[row + 1] - offsets[row];
            bail!("{}, row {row}: {found} numbers, but row 0 has {dim}", self.place);
        }
        ensure!(dim > 0, "{}: there are no vectors", self.place);
        Ok((cast(&values, &DataType::Float32)?.as_primitive::<Float32Type>().values().to_vec(), dim))
    }

    fn lists(&self) -> Result<&ListArray> {
        let kind = self.array.data_type();
        self.array.as_list_opt::<i32>().with_context(|| format!("{} holds {kind}, not lists", self.place))
    }

    fn no_null(&self, array: &dyn Array, what: &str) -> Result<()> {
        match (0..array.len()).find(|i| array.is_null(*i)) {
            Some(at) => bail!("{}, {what} {at}: there is no value", self.place),
            None => Ok(()),
        }
    }
}

/// Where each row's list begins, from 0 on, and the values of all lists. (Parquet holds nothing behind a null.)
fn contents(lists: &ListArray) -> (Vec<u64>, ArrayRef) {
    let own = lists.value_offsets();
    let (first, last) = (own[0], own[own.len() - 1]);
    let offsets = own.iter().map(|o| (o - first) as u64).collect();
    (offsets, lists.values().slice(first as usize, (last - first) as usize))
}
