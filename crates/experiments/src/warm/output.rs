//! Tables of item embeddings to files.
use super::{
    Format,
    embeddings::{Embeddings, Names},
    key::Key,
};
use anyhow::{Context, Result, ensure};
use arrow::{
    array::{Array, ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use scenarec_train::{State, net::save_state};
use std::{fs::File, path::Path, sync::Arc};
use tch::Tensor;

impl Embeddings {
    /// Refuses a format that cannot name the rows.
    pub fn check_format(&self, format: Format) -> Result<()> {
        let texts = matches!(&self.names, Names::Keys(keys, _) if numbers(keys).is_none());
        ensure!(
            format == Format::Parquet || !texts,
            "items are named by texts, which safetensors cannot hold: write Parquet"
        );
        Ok(())
    }

    /// Writes the vectors: as columns `item` and `embedding`, or as tensors of these names (a matrix that was read as
    /// one keeps its name and needs no `item`).
    pub fn write(&self, path: &Path, format: Format) -> Result<()> {
        match format {
            Format::Parquet => self.write_parquet(path),
            Format::Safetensors => save_state(&self.state()?, path),
        }
    }

    fn state(&self) -> Result<State> {
        let matrix = Tensor::from_slice(&self.values).reshape([-1, self.dim as i64]);
        Ok(match &self.names {
            Names::Rows(name) => State::from([(name.clone(), matrix)]),
            Names::Keys(keys, _) => {
                let item =
                    numbers(keys).context("items are named by texts, which safetensors cannot hold")?;
                State::from([("embedding".into(), matrix), ("item".into(), Tensor::from_slice(&item))])
            }
        })
    }

    fn write_parquet(&self, path: &Path) -> Result<()> {
        let item: ArrayRef = match &self.names {
            Names::Rows(_) => Arc::new(Int64Array::from_iter_values(0..self.rows() as i64)),
            Names::Keys(keys, _) => match numbers(keys) {
                Some(numbers) => Arc::new(Int64Array::from(numbers)),
                None => Arc::new(StringArray::from_iter_values(keys.iter().map(text))),
            },
        };
        let number = Arc::new(Field::new("element", DataType::Float32, false));
        let values = Arc::new(Float32Array::from(self.values.clone()));
        let embedding: ArrayRef =
            Arc::new(FixedSizeListArray::try_new(number, self.dim as i32, values, None)?);
        let field = |name: &str, array: &ArrayRef| Field::new(name, array.data_type().clone(), false);
        let schema = Arc::new(Schema::new(vec![field("item", &item), field("embedding", &embedding)]));
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let mut writer = ArrowWriter::try_new(File::create(path)?, schema.clone(), Some(properties))?;
        writer.write(&RecordBatch::try_new(schema, vec![item, embedding])?)?;
        writer.close()?;
        Ok(())
    }
}

/// The keys as numbers, if all are.
fn numbers(keys: &[Key]) -> Option<Vec<i64>> {
    keys.iter().map(|k| if let Key::Number(n) = k { Some(*n) } else { None }).collect()
}

fn text(key: &Key) -> String {
    match key {
        Key::Number(n) => n.to_string(),
        Key::Text(t) => t.clone(),
    }
}
