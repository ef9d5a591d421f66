//! A shop's items with a table of embeddings that their side information determines.
use crate::project::text;
use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
        StringArray,
    },
    datatypes::{Field, Float32Type, Int64Type, Schema},
};
use parquet::arrow::ArrowWriter;
use scenarec_experiments::warm::Embeddings;
use scenarec_train::{State, net::save_state};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use tch::Tensor;

pub const ITEMS: usize = 240;
pub const DIM: usize = 4;

/// Whether an item is new: each tenth.
pub fn is_new(item: usize) -> bool {
    item % 10 == 3
}

pub fn group(item: usize) -> usize {
    item % 4
}

pub fn tags(item: usize) -> Vec<i64> {
    if item.is_multiple_of(3) { vec![7, 8] } else { vec![9] }
}

/// The embedding that side information determines, `[DIM]`.
pub fn truth(item: usize) -> [f32; DIM] {
    let real = (item % 7) as f32 / 3.0 - 1.0;
    let tag = if item.is_multiple_of(3) { 0.5 } else { -0.5 };
    [group(item) as f32 - 1.5, real, tag, 2.0 - group(item) as f32 * 0.3]
}

/// What is at the item's place in the table: nonsense where it is new.
pub fn trained(item: usize) -> [f32; DIM] {
    if is_new(item) { [9.0; DIM] } else { truth(item) }
}

pub fn array<A: Array + 'static>(values: A) -> ArrayRef {
    Arc::new(values)
}

/// A folder with `items.parquet` and `table.safetensors`.
pub struct Shop {
    folder: tempfile::TempDir,
    columns: Vec<(&'static str, ArrayRef)>,
}

impl Shop {
    pub fn new() -> Self {
        let items = || 0..ITEMS;
        let lists = items().map(|i| Some(tags(i).into_iter().map(Some)));
        let columns = vec![
            ("item", array(Int64Array::from_iter_values(items().map(|i| i as i64)))),
            (
                "count",
                array(Int32Array::from_iter_values(
                    items().map(|i| if is_new(i) { 0 } else { 50 + i as i32 }),
                )),
            ),
            ("new", array(items().map(|i| Some(is_new(i))).collect::<BooleanArray>())),
            ("group", array(StringArray::from_iter_values(items().map(|i| format!("g{}", group(i)))))),
            ("tags", array(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))),
            ("price", array(Float64Array::from_iter_values(items().map(|i| (i % 7) as f64 * 100.0)))),
        ];
        let shop = Self { folder: tempfile::tempdir().unwrap(), columns };
        shop.write();
        let values: Vec<f32> = items().flat_map(trained).collect();
        shop.tensors("table.safetensors", [("item_emb.weight", matrix(&values))]);
        shop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn set(&mut self, name: &'static str, values: ArrayRef) {
        self.columns.retain(|c| c.0 != name);
        self.columns.push((name, values));
        self.write();
    }

    pub fn remove(&mut self, name: &str) {
        self.columns.retain(|c| c.0 != name);
        self.write();
    }

    fn write(&self) {
        write_parquet(&self.path("items.parquet"), &self.columns);
    }

    pub fn tensors<const N: usize>(&self, name: &str, tensors: [(&str, Tensor); N]) {
        let state: State = tensors.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
        save_state(&state, &self.path(name)).unwrap();
    }

    /// The exit status's success, standard output and standard error of `scenarec warm`.
    fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        let out = Command::new(env!("CARGO_BIN_EXE_scenarec"))
            .current_dir(self.folder.path())
            .args(["warm", "--epochs", "60", "--lr", "3e-3", "--batch", "16"])
            .args(arguments)
            .output()
            .unwrap();
        (out.status.success(), text(&out.stdout), text(&out.stderr))
    }

    pub fn ok(&self, items: &str, embeddings: &str, out: &str, more: &[&str]) -> String {
        let files = ["--items", items, "--embeddings", embeddings, "--out", out];
        let (good, told, error) = self.run(&[&files, more].concat());
        assert!(good, "{error}");
        told
    }

    /// The message of a call that must fail and leave no file behind.
    pub fn error(&self, embeddings: &str, out: &str, more: &[&str]) -> String {
        let before = self.files();
        let files = ["--items", "items.parquet", "--embeddings", embeddings, "--out", out];
        let (good, _, error) = self.run(&[&files, more].concat());
        assert!(!good);
        assert_eq!(self.files(), before);
        error
    }

    pub fn refuses(&self, message: &str) {
        let error = self.error("table.safetensors", "out.parquet", &[]);
        assert!(error.contains(message), "expected {message}\nfound    {error}");
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut all: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        all
    }

    pub fn read(&self, name: &str) -> Embeddings {
        Embeddings::read(&self.path(name).display().to_string()).unwrap()
    }
}

pub fn matrix(values: &[f32]) -> Tensor {
    Tensor::from_slice(values).reshape([-1, DIM as i64])
}

pub fn write_parquet(path: &Path, columns: &[(&str, ArrayRef)]) {
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let arrays = columns.iter().map(|c| c.1.clone()).collect();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema.clone(), None).unwrap();
    writer.write(&RecordBatch::try_new(schema, arrays).unwrap()).unwrap();
    writer.close().unwrap();
}

pub fn vectors(items: impl Iterator<Item = usize>, of: impl Fn(usize) -> [f32; DIM]) -> ArrayRef {
    array(ListArray::from_iter_primitive::<Float32Type, _, _>(items.map(|i| Some(of(i).map(Some)))))
}
