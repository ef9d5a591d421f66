//! What is measured that no run of a table is.
use super::{Figure, machine::best};
use crate::spec::{Catalog, unknown_name};
use anyhow::{Context, Result};
use rand::RngExt;
use scenarec_data::{Field, Kind, Role, Schema, Table};
use scenarec_train::{
    Batch, Build, OptimSpec, Optimizer,
    batch::Ids,
    labels, loss,
    metrics::{auc, gauc},
    rng::stream,
};
use std::time::Instant;

/// A measurement of so many rows, in seconds.
type BuiltIn = fn(&Catalog, usize) -> Result<f64>;

/// All of them, by name:
/// - `auc`, `gauc`: the metric of so many rows, `gauc`'s in sessions of ten;
/// - `deepfm-step`: a step of DeepFM (2048 rows, 9 fields, width 16) whose first table has so many rows, drawn uniformly;
///   `deepfm-step-decay`: the same with an L2 decay of 1e-6.
pub const BUILT_INS: &[(&str, BuiltIn)] = &[
    ("auc", |_, rows| of_auc(rows)),
    ("gauc", |_, rows| of_gauc(rows)),
    ("deepfm-step", |catalog, rows| deepfm_step(catalog, rows, 0.0)),
    ("deepfm-step-decay", |catalog, rows| deepfm_step(catalog, rows, 1e-6)),
];

/// The figure of the built-in measurement of this name.
pub fn measure(name: &str, rows: usize, catalog: &Catalog) -> Result<Figure> {
    let names = BUILT_INS.iter().map(|(name, _)| *name);
    let (_, of) =
        BUILT_INS.iter().find(|b| b.0 == name).with_context(|| unknown_name("measurement", name, names))?;
    let seconds = of(catalog, rows)?;
    Ok(Figure { seconds: Some(seconds), peak_rss_bytes: crate::engine::peak_rss(), ..Figure::default() })
}

/// Scores as logits come, of which few are equal, and labels that follow them.
fn scored(rows: usize) -> (Vec<f32>, Vec<u8>) {
    let mut rng = stream(1, "bench");
    let scores: Vec<f32> = (0..rows).map(|_| rng.random::<f32>() * 8.0 - 4.0).collect();
    let label = |score: &f32| u8::from(rng.random::<f32>() * 8.0 - 4.0 < *score);
    let labels = scores.iter().map(label).collect();
    (scores, labels)
}

fn of_auc(rows: usize) -> Result<f64> {
    let (scores, labels) = scored(rows);
    auc(&scores, &labels)?;
    Ok(best(|| drop(auc(&scores, &labels))))
}

fn of_gauc(rows: usize) -> Result<f64> {
    let (scores, labels) = scored(rows);
    let mut rng = stream(2, "bench");
    let sessions = (rows / 10).max(1) as u32;
    let group: Vec<u32> = (0..rows).map(|_| rng.random_range(0..sessions)).collect();
    gauc(&scores, &labels, &group)?;
    Ok(best(|| drop(gauc(&scores, &labels, &group))))
}

/// Rows of the tables that do not grow.
const SMALL: usize = 100;
const FIELDS: usize = 9;
const BATCH: usize = 2048;
/// Steps before the measurement: rows must have a history.
const WARM_UP: usize = 100;
const STEPS: usize = 200;

/// The mean of [`STEPS`] steps.
fn deepfm_step(catalog: &Catalog, rows: usize, decay: f64) -> Result<f64> {
    let id = |i: usize| {
        let name = format!("field{i}");
        Field { table: Some(name.clone()), name, role: Role::Item, kind: Kind::Id }
    };
    let real = |name: &str| Field { name: name.into(), role: Role::Context, kind: Kind::Real, table: None };
    let size = |i: usize| if i == 0 { rows } else { SMALL };
    let schema = Schema {
        tables: (0..FIELDS).map(|i| Table { name: format!("field{i}"), rows: size(i) }).collect(),
        fields: (0..FIELDS).map(id).chain([real("time"), real("count")]).collect(),
        tasks: vec!["click".into()],
        scenarios: vec!["all".into()],
        ..Schema::default()
    };
    let component = catalog.component("model", "deepfm")?;
    let config = component.checked(&component.layered("paper", "")?)?;
    let mut net = crate::models::build(&schema, &config, Build::cpu(1))?;
    let mut optimizer = Optimizer::new(OptimSpec::adam(1e-3, decay), &mut net.weights);
    let mut rng = stream(1, "bench");
    let mut seconds = 0.0;
    for step in 0..WARM_UP + STEPS {
        let mut ids = |size| Ids {
            ids: (0..BATCH).map(|_| rng.random_range(0..size as u32)).collect(),
            ..Ids::default()
        };
        let ids = (0..FIELDS).map(|i| ids(size(i))).collect();
        let batch = Batch {
            rows: BATCH,
            ids,
            sequences: Vec::new(),
            reals: (0..2 * BATCH).map(|_| rng.random()).collect(),
            labels: (0..BATCH).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect(),
            scenario: vec![0; BATCH],
        };
        let start = Instant::now();
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, tch::Device::Cpu));
        optimizer.step(&loss, &mut net.weights)?;
        if step >= WARM_UP {
            seconds += start.elapsed().as_secs_f64();
        }
    }
    Ok(seconds / STEPS as f64)
}
