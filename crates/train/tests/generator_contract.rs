//! What every generator of item-id embeddings must do. The crates that hold generators include this file too.
#![allow(dead_code)]
use scenarec_data::{Dataset, Schema};
use scenarec_train::{
    Backend, Build, ColdItemMethod, ColdItems, Feed, Measure, Mode, Net, OptimSpec, Optimizer, Progress,
    Recorder, State, bce,
    cold::{Generated, Generator, GeneratorBatch, Schedule},
    labels,
    params::Selection,
    testing::{DIM, FIRST_NEW, ITEMS, all, changed, cold_split, dataset, distance, magnitude, net, scramble},
};
use std::{cell::Cell, sync::Arc};
use tch::{Device, Tensor};

/// Builds the generator under test for a schema, a width and a seed.
pub type Make<'a, G> = &'a dyn Fn(&Schema, usize, Build) -> G;

/// How the contract builds.
pub const BUILD: Build = Build { seed: 4, device: Device::Cpu, backend: Backend::Deferred };

/// A net that has learned the old items, with tables that owe moves to their optimiser.
pub fn trained_net(data: &Arc<Dataset>) -> Net {
    let mut net = net(&data.schema, BUILD);
    let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-4), &mut net.weights);
    for _ in 0..8 {
        for batch in cold_split(data).0.in_order(64) {
            let batch = batch.unwrap();
            let x = net.weights.tables.embed_with(&batch, true, None);
            let loss = bce(&net.forward(&x, true).logits, &labels(&batch, Device::Cpu));
            optimizer.step(&loss, &mut net.weights).unwrap();
        }
    }
    net
}

/// Calls `f` with a batch of all rows as a generator sees it, the net in training mode.
pub fn with_batch<R>(net: &mut Net, feed: &Feed, f: impl FnOnce(&Net, &GeneratorBatch<'_>) -> R) -> R {
    with_batch_in(Mode::Train, net, feed, f)
}

fn with_batch_in<R>(
    mode: Mode,
    net: &mut Net,
    feed: &Feed,
    f: impl FnOnce(&Net, &GeneratorBatch<'_>) -> R,
) -> R {
    let batch = feed.in_order(feed.rows().len()).next().unwrap().unwrap();
    let frozen = net.weights.freeze(&["*"], mode).unwrap();
    let (embedded, labels) = (net.weights.tables.embed(&batch), labels(&batch, Device::Cpu));
    let item = net.weights.tables.slot("item_id").unwrap() as i64;
    let prepared = GeneratorBatch {
        batch: &batch,
        embedded: &embedded,
        labels: &labels,
        item,
        net_train: frozen.train(),
    };
    f(net, &prepared)
}

/// Every trainable parameter gets a gradient and moves; those that match `frozen` do neither.
pub fn every_parameter_learns<G: Generator>(make: Make<'_, G>, frozen: &[&str]) {
    let data = dataset(200, 1);
    let mut net = trained_net(&data);
    let mut generator = make(&data.schema, DIM, BUILD);
    let names: Vec<String> = generator.weights().names().into_iter().map(String::from).collect();
    let selection = Selection::new(frozen).unwrap();
    let (held, open) = selection.split(names.iter().map(String::as_str)).unwrap();
    assert!(!open.is_empty());
    // In training mode the net's batch norm takes away what all rows' vectors have in common: the gradient of a last bias would be
    // rounding.
    with_batch_in(Mode::Eval, &mut net, &all(&data), |net, batch| {
        let loss = generator.loss(net, batch).unwrap();
        let gradients = generator.weights().gradients(&loss).unwrap();
        for name in &open {
            let gradient = gradients.get(*name).unwrap_or_else(|| panic!("{name} has no gradient"));
            let size = magnitude(gradient);
            assert!(size > 1e-9 && size.is_finite(), "{name}: {size:e}");
        }
        assert!(held.iter().all(|n| !gradients.contains_key(*n)));
        // A batch of all rows reads most of each table, and the gradient reaches as much.
        for (name, gradient) in &gradients {
            if let Some((_, table)) = data.schema.table(name.trim_start_matches("side.")) {
                let rows = gradient.abs().sum_dim_intlist([1i64].as_slice(), false, tch::Kind::Float);
                let reached = rows.gt(0.0).sum(tch::Kind::Float).double_value(&[]);
                assert!(reached >= 0.6 * table.rows as f64, "{name}: {reached} of {} rows", table.rows);
            }
        }
        let before = generator.weights().state();
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), generator.weights());
        for _ in 0..2 {
            let loss = generator.loss(net, batch).unwrap();
            optimizer.step(&loss, generator.weights()).unwrap();
        }
        let mut moved = changed(&before, &generator.weights().state());
        let mut expected: Vec<String> = open.iter().map(|n| n.to_string()).collect();
        moved.sort();
        expected.sort();
        assert_eq!(moved, expected);
    });
}

/// Counts steps.
#[derive(Default)]
struct Counter(Cell<u64>);

impl Progress for Counter {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, steps: u64) {
        self.0.set(self.0.get() + steps);
    }
}

/// What one call of a method did.
pub struct Effect {
    pub before: State,
    pub after: State,
    pub steps: u64,
    pub measures: Vec<Measure>,
    /// Numbers of the new items, each once.
    pub new_ids: Vec<u32>,
}

/// Lets a method work on a trained net: after pre-training, or after a phase on 37 rows.
pub fn apply(method: &mut dyn ColdItemMethod, phase: Option<&str>) -> Effect {
    let data = dataset(200, 1);
    let mut net = trained_net(&data);
    work(&data, &mut net, |net, items| match phase {
        None => method.after_pretrain(net, items),
        Some(phase) => method.after_phase(net, items, phase, &warm_rows(&data)),
    })
}

/// 37 rows for a warm phase.
pub fn warm_rows(data: &Arc<Dataset>) -> Feed {
    Feed::new(data.clone(), cold_split(data).0.rows()[..37].to_vec())
}

/// What `f` does to a net, as a part of the cold-item protocol on `data`.
pub fn work(
    data: &Arc<Dataset>,
    net: &mut Net,
    f: impl FnOnce(&mut Net, &mut ColdItems<'_>) -> anyhow::Result<()>,
) -> Effect {
    let (base, new_items, new_ids) = cold_split(data);
    let active = net.weights.params.active().len();
    let before = net.weights.state();
    let folder = tempfile_folder();
    let path = folder.join("measures.jsonl");
    let mut recorder = Recorder::create(&path, Measure::default()).unwrap();
    let counter = Counter::default();
    let mut items = ColdItems {
        schema: &data.schema,
        base: &base,
        new_items: &new_items,
        new_ids: &new_ids,
        // Several batches of rows, and of new items, the last ones smaller.
        training: scenarec_train::cold::Training { epochs: 1, batch: 8, optim: OptimSpec::adam(0.01, 1e-4) },
        seed: 5,
        recorder: &mut recorder,
        progress: &counter,
    };
    f(net, &mut items).unwrap();
    recorder.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(net.weights.params.active().len(), active, "the net is no longer frozen");
    Effect {
        before,
        after: net.weights.state(),
        steps: counter.0.get(),
        measures: text.lines().map(|l| serde_json::from_str(l).unwrap()).collect(),
        new_ids,
    }
}

/// A folder of this test's own.
fn tempfile_folder() -> std::path::PathBuf {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("scenarec-generator-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Of the net nothing moved but running statistics (which did) and, with `overwritten`, exactly the new items' rows.
pub fn only_new_items_changed(effect: &Effect, overwritten: bool) {
    let table = "embedding.item_id";
    let mut expected: Vec<String> = effect
        .before
        .keys()
        .filter(|n| n.contains("running_") || (overwritten && *n == table))
        .cloned()
        .collect();
    expected.sort();
    assert_eq!(changed(&effect.before, &effect.after), expected);
    assert!(effect.new_ids.len() > 8 && effect.new_ids.iter().all(|id| *id >= FIRST_NEW));
    for id in 0..ITEMS as u32 {
        let row = |state: &State| state[table].get(i64::from(id));
        let same = row(&effect.before) == row(&effect.after);
        assert_eq!(same, !(overwritten && effect.new_ids.contains(&id)), "row {id}");
    }
}

/// The whole procedure on the net's side.
pub fn the_net_gets_new_rows_only<G: Generator>(make: Make<'_, G>) {
    let method = |iters, keep_finetuned| {
        let schedule = Schedule { epochs: 2, warm_epochs: 3, iters, keep_finetuned };
        Generated::new(make(&dataset(1, 1).schema, DIM, BUILD), schedule)
    };
    let base = cold_split(&dataset(200, 1)).0;
    let base_steps = base.batches(8);
    let first = apply(&mut method(3, false), None);
    only_new_items_changed(&first, true);
    assert_eq!(first.steps, base_steps * 2 * 3);
    let samples: Vec<u64> = first.measures.iter().map(|m| m.rows).collect();
    assert_eq!(samples, [base.rows().len() as u64 * 2 * 3; 3]);
    let metrics: Vec<&str> = first.measures.iter().map(|m| m.metric.as_str()).collect();
    assert_eq!(metrics, ["seconds", "samples_per_second", "train_loss"]);
    assert!(first.measures.iter().all(|m| m.stage == "generator"));

    // 37 rows are five batches.
    let warm = apply(&mut method(2, false), Some("warm_a"));
    only_new_items_changed(&warm, true);
    assert_eq!(warm.steps, 5 * 3 * 2);
    assert!(warm.measures.iter().all(|m| m.stage == "generator.warm_a"));

    let kept = apply(&mut method(1, true), Some("warm_b"));
    only_new_items_changed(&kept, false);
    assert_eq!(kept.steps, 5 * 3);
    let cold = apply(&mut method(1, true), None);
    only_new_items_changed(&cold, true);
}

/// Two runs from one seed end in the same bits.
pub fn a_seed_decides_everything<G: Generator>(make: Make<'_, G>) {
    let run = || {
        let schedule = Schedule { epochs: 1, warm_epochs: 1, iters: 1, keep_finetuned: false };
        apply(&mut Generated::new(make(&dataset(1, 1).schema, DIM, BUILD), schedule), None).after
    };
    assert_eq!(changed(&run(), &run()), Vec::<String>::new());
}

/// The mean loss of the last 20 of 120 steps is below `share` of that of the first 20.
pub fn the_loss_falls<G: Generator>(make: Make<'_, G>, share: f64) {
    let data = dataset(400, 1);
    let mut net = trained_net(&data);
    let mut generator = make(&data.schema, DIM, BUILD);
    let losses: Vec<f64> = with_batch(&mut net, &cold_split(&data).0, |net, batch| {
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), generator.weights());
        let step = |_| {
            let loss = generator.loss(net, batch).unwrap();
            optimizer.step(&loss, generator.weights()).unwrap();
            loss.double_value(&[])
        };
        (0..120).map(step).collect()
    });
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&losses[..20]), mean(&losses[100..]));
    assert!(last < share * first, "{first} -> {last}, a share of {}", last / first);
}

/// Generating twice gives the same, and a row's vector does not depend on the other rows, up to `noise`.
pub fn generation_is_a_function_of_the_row<G: Generator>(make: Make<'_, G>, noise: f64) {
    let data = dataset(200, 1);
    let mut net = trained_net(&data);
    let mut generator = make(&data.schema, DIM, BUILD);
    scramble(generator.weights(), 9);
    let mut generate = |rows: &[u32]| -> Tensor {
        let batch = scenarec_train::feed::gather(&data, rows).unwrap();
        let embedded = net.weights.tables.embed(&batch);
        let _guard = tch::no_grad_guard();
        generator.generate(&batch, &embedded).unwrap()
    };
    let rows: Vec<u32> = (0..32).collect();
    let vectors = generate(&rows);
    assert_eq!(vectors.size(), [32, DIM as i64]);
    let spread = magnitude(&vectors.std_dim([0i64].as_slice(), true, false));
    assert!(spread > 100.0 * noise && spread > 0.05, "items differ: {spread}");
    assert!(distance(&vectors, &generate(&rows)) <= noise);
    let reversed: Vec<u32> = rows.iter().rev().copied().collect();
    assert!(distance(&vectors.flip([0i64]), &generate(&reversed)) <= noise.max(1e-5));
    for row in [0, 7, 31] {
        let alone = generate(&[row]);
        assert!(distance(&vectors.narrow(0, i64::from(row), 1), &alone) <= noise.max(1e-5), "row {row}");
    }
}
