//! Time of a training step (batch 2048, width 16, the MovieLens setting's 9 fields and 2 reals):
//! `cargo bench -p scenarec-backbones --profile dev`.
//!
//! Of every model on small tables, of those that read behaviour sequences with 50 behaviours a row in place of the reals, in
//! batches of 512 of width 40 as SFPNet's tables have them; of DeepFM as one of its tables grows from 10 thousand to 10 million rows. Rows are
//! drawn uniformly, the worst case for a table that touches only what a batch reads. Compared are our deferred Adam, the
//! same with L2 decay, the table's share alone, and tch's own dense Adam.
#[path = "../tests/configs.rs"]
mod configs;

use configs::default_config;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use rand::RngExt;
use scenarec_backbones::{MODELS, build, model};
use scenarec_data::{Field, Kind, Role, Schema, Table};
use scenarec_train::{
    Batch, Build, Net, OptimSpec, Optimizer,
    batch::{Ids, SequenceIds},
    labels, loss,
    rng::{Rng, stream},
    table::{Bags, EmbeddingTable, Rule},
};
use std::time::Duration;
use tch::{
    Device, Tensor,
    nn::{self, OptimizerConfig},
};

/// Rows of the tables that do not grow.
const SMALL: usize = 100;
const SIZES: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
const BATCH: usize = 2048;
const SEQUENCE_BATCH: usize = 512;
/// Behaviours of a row.
const LEN: usize = 50;
const DIM: usize = 16;
const SMALL_FIELDS: usize = 8;
/// Steps before the measurement: rows must have a history.
const WARM_UP: usize = 600;

/// What rows have beside their ids.
#[derive(Clone, Copy)]
enum Beside {
    Reals,
    Behaviours,
}

fn schema(rows: usize, beside: Beside) -> Schema {
    let id = |name: String| Field { table: Some(name.clone()), name, role: Role::Item, kind: Kind::Id };
    let real = |name: &str| Field { name: name.into(), role: Role::Context, kind: Kind::Real, table: None };
    let names: Vec<String> = (0..=SMALL_FIELDS).map(|i| format!("field{i}")).collect();
    let size = |i: usize| if i == 0 { rows } else { SMALL };
    let history = Field {
        kind: Kind::Sequence { max_len: LEN as u32 },
        name: "history".into(),
        ..id(names[1].clone())
    };
    let beside = match beside {
        Beside::Reals => vec![real("time"), real("count")],
        Beside::Behaviours => vec![history],
    };
    Schema {
        tables: names.iter().enumerate().map(|(i, n)| Table { name: n.clone(), rows: size(i) }).collect(),
        fields: names.into_iter().map(id).chain(beside).collect(),
        tasks: vec!["click".into()],
        scenarios: vec!["all".into()],
        ..Schema::default()
    }
}

fn batch(rows: usize, beside: Beside, rng: &mut Rng) -> Batch {
    let mut ids = |n, rows| -> Vec<u32> { (0..n).map(|_| rng.random_range(0..rows as u32)).collect() };
    let n = match beside {
        Beside::Reals => BATCH,
        Beside::Behaviours => SEQUENCE_BATCH,
    };
    let fields =
        (0..=SMALL_FIELDS).map(|i| Ids { ids: ids(n, if i == 0 { rows } else { SMALL }), ..Ids::default() });
    let fields = fields.collect();
    let (sequences, reals) = match beside {
        Beside::Reals => (vec![], (0..2 * n).map(|_| rng.random()).collect()),
        Beside::Behaviours => {
            let ids = Ids { ids: ids(n * LEN, SMALL), ..Ids::default() };
            (vec![SequenceIds { ids, lens: vec![LEN as u32; n] }], vec![])
        }
    };
    Batch {
        rows: n,
        ids: fields,
        sequences,
        reals,
        labels: (0..n).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect(),
        scenario: vec![0; n],
    }
}

/// Whether a model's default configuration reads behaviours.
fn beside(name: &str) -> Beside {
    let entry = model(name).expect("a model of the registry");
    match entry.sequences || default_config(entry).get("behaviours").is_some() {
        true => Beside::Behaviours,
        false => Beside::Reals,
    }
}

fn net(name: &str, rows: usize) -> Net {
    let config = default_config(model(name).expect("a model of the registry"));
    build(&schema(rows, beside(name)), &config, Build::cpu(1)).expect("the schema is valid")
}

fn forward(net: &mut Net, batch: &Batch) -> Tensor {
    let x = net.weights.tables.embed_with(batch, true, None);
    loss(&net.forward(&x, true), &labels(batch, Device::Cpu))
}

/// A step of `model`, whose first table has `rows` rows, under the group's name `name`.
fn step(group: &mut BenchmarkGroup<'_, WallTime>, name: BenchmarkId, model: &str, rows: usize, decay: f64) {
    let mut rng = stream(1, "bench");
    let beside = beside(model);
    let mut net = net(model, rows);
    let mut optimizer = Optimizer::new(OptimSpec::adam(1e-3, decay), &mut net.weights);
    let mut step = |batch: Batch| {
        let loss = forward(&mut net, &batch);
        optimizer.step(&loss, &mut net.weights).expect("a step");
    };
    (0..WARM_UP).for_each(|_| step(batch(rows, beside, &mut rng)));
    group.bench_function(name, |b| {
        b.iter_batched(|| batch(rows, beside, &mut rng), &mut step, BatchSize::SmallInput);
    });
}

fn every_model(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    group.sample_size(30).measurement_time(Duration::from_secs(5));
    for entry in MODELS {
        step(&mut group, BenchmarkId::from_parameter(entry.name), entry.name, SMALL, 0.0);
    }
    group.finish();
}

fn growing_table(c: &mut Criterion) {
    let mut group = c.benchmark_group("deepfm step");
    group.sample_size(30).measurement_time(Duration::from_secs(5));
    for (name, decay) in [("deferred", 0.0), ("deferred, decay 1e-6", 1e-6)] {
        for rows in SIZES {
            step(&mut group, BenchmarkId::new(name, rows), "deepfm", rows, decay);
        }
    }
    group.finish();
}

fn table_alone(c: &mut Criterion) {
    let mut group = c.benchmark_group("table alone");
    group.sample_size(30).measurement_time(Duration::from_secs(3));
    for (name, decay) in [("deferred", 0.0), ("deferred, decay 1e-6", 1e-6)] {
        for rows in SIZES {
            let mut rng = stream(1, "bench");
            let mut table = EmbeddingTable::with_init(rows, DIM, |w| w.fill(0.01));
            table.attach(Rule::adam(decay));
            let mut vectors = vec![0f32; BATCH * DIM];
            let gradient: Vec<f32> = (0..BATCH * DIM).map(|_| rng.random::<f32>() - 0.5).collect();
            let mut step = |batch: Batch| {
                let bags = Bags { ids: &batch.ids[0].ids, offsets: None, weights: None };
                table.gather(&bags, &mut vectors, DIM);
                table.accumulate(&bags, &gradient, DIM);
                table.step(1e-3);
            };
            (0..WARM_UP).for_each(|_| step(batch(rows, Beside::Reals, &mut rng)));
            group.bench_function(BenchmarkId::new(name, rows), |b| {
                b.iter_batched(|| batch(rows, Beside::Reals, &mut rng), &mut step, BatchSize::SmallInput);
            });
        }
    }
    group.finish();
}

/// The table's share with a dense gradient and tch's Adam, which walks the whole table.
fn tch_adam(c: &mut Criterion) {
    let mut group = c.benchmark_group("table alone");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for rows in SIZES {
        let mut rng = stream(1, "bench");
        let store = nn::VarStore::new(Device::Cpu);
        let table = store.root().var("table", &[rows as i64, DIM as i64], nn::Init::Const(0.01));
        let mut optimizer = nn::Adam::default().build(&store, 1e-3).expect("an optimiser");
        let gradient = Tensor::rand([BATCH as i64, DIM as i64], (tch::Kind::Float, Device::Cpu)) - 0.5;
        let mut step = |batch: Batch| {
            let ids: Vec<i64> = batch.ids[0].ids.iter().map(|i| i64::from(*i)).collect();
            let vectors = table.index_select(0, &Tensor::from_slice(&ids));
            optimizer.backward_step(&(vectors * &gradient).sum(tch::Kind::Float));
        };
        (0..3).for_each(|_| step(batch(rows, Beside::Reals, &mut rng)));
        group.bench_function(BenchmarkId::new("tch's Adam", rows), |b| {
            b.iter_batched(|| batch(rows, Beside::Reals, &mut rng), &mut step, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn single_thread(c: &mut Criterion) {
    scenarec_train::open_device("cpu", 1).expect("a CPU");
    table_alone(c);
    every_model(c);
    growing_table(c);
    tch_adam(c);
}

criterion_group!(benches, single_thread);
criterion_main!(benches);
