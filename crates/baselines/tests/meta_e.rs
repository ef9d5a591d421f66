//! Meta-E: the regrouping, the loss through a step of learning, the contract of a generator.
use crate::{
    common::{config, refused},
    generator_contract::{BUILD, apply, only_new_items_changed, trained_net, with_batch},
};
use scenarec_baselines::{MetaE, MetaEConfig, quarters};
use scenarec_data::Dataset;
use scenarec_train::{
    CtrModel, Embedded, Feed, InitScheme, Net, OptimSpec, Optimizer, Output, State,
    cold::GeneratorBatch,
    rng::{normal, stream},
    testing::{DIM, all, changed, cold_split, dataset, magnitude, scramble},
};
use std::{collections::BTreeMap, sync::Arc};
use tch::{Kind, Tensor};

fn settings() -> MetaEConfig {
    config(include_str!("../../../configs/methods/meta-e.yaml"))
}

fn meta_e(config: &MetaEConfig, data: &Dataset) -> MetaE {
    MetaE::new(config, &data.schema, DIM, BUILD).unwrap()
}

#[test]
fn quarters_are_of_one_item_row_by_row_and_in_order() {
    let data = dataset(300, 1);
    // Rows in an order that is not that of their numbers, as rows in order of time are.
    let mut rows: Vec<u32> = cold_split(&data).0.rows().iter().rev().copied().collect();
    rows.rotate_left(17);
    let place: BTreeMap<u32, usize> = rows.iter().enumerate().map(|(i, r)| (*r, i)).collect();
    let items = data.item_ids();
    let item = |row: &u32| items[*row as usize];
    let parts = quarters(&Feed::new(data.clone(), rows.clone()));

    let n = parts[0].rows().len();
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    rows.iter().for_each(|r| *sizes.entry(item(r)).or_default() += 1);
    assert_eq!(n, sizes.values().map(|n| n / 4).sum::<usize>());
    assert!(n > 30 && sizes.values().any(|n| n % 4 != 0), "{sizes:?}");
    for part in &parts {
        assert!(part.rows().iter().map(item).eq(parts[0].rows().iter().map(item)));
    }
    // An item's rows in all parts, one after the other, are the item's first rows in their order.
    for (id, total) in sizes {
        let of_item = |feed: &[u32]| feed.iter().copied().filter(|r| item(r) == id).collect::<Vec<_>>();
        let dealt: Vec<u32> = parts.iter().flat_map(|p| of_item(p.rows())).collect();
        assert_eq!(dealt, of_item(&rows)[..total / 4 * 4], "item {id}");
        assert!(dealt.windows(2).all(|w| place[&w[0]] < place[&w[1]]));
    }
}

/// What training relies on: two lists of one length that are shuffled by equal streams keep their partners.
#[test]
fn partners_stay_together_in_shuffled_batches() {
    let data = dataset(300, 1);
    let parts = quarters(&all(&data));
    let order = stream(3, "order");
    let shuffled =
        |part: &Feed| part.shuffled(16, &mut order.clone()).map(Result::unwrap).collect::<Vec<_>>();
    let (a, b) = (shuffled(&parts[0]), shuffled(&parts[1]));
    assert!(a.len() > 3);
    let mut in_order = parts[0].in_order(16);
    assert_ne!(a[0].ids[0], in_order.next().unwrap().unwrap().ids[0], "the order is another");
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a.ids[0], b.ids[0]);
        assert_ne!(a.ids[1], b.ids[1], "users differ");
    }
}

#[test]
fn the_net_gets_new_rows_only_and_every_parameter_moves() {
    let data = dataset(200, 1);
    let quarter = quarters(&cold_split(&data).0)[0].batches(8);
    for epochs in [1, 5] {
        let mut method = meta_e(&MetaEConfig { epochs, ..settings() }, &data);
        let before = method.weights().state();
        let effect = apply(&mut method, None);
        only_new_items_changed(&effect, true);
        assert_eq!(effect.steps, quarter * epochs as u64);
        assert!(effect.measures.iter().all(|m| m.stage == "generator"));
        let names: Vec<String> = before.keys().cloned().collect();
        assert_eq!(names.len(), 4);
        assert_eq!(changed(&before, &method.weights().state()), names);
    }
}

#[test]
fn a_seed_decides_everything() {
    let data = dataset(200, 1);
    let run = || apply(&mut meta_e(&settings(), &data), None).after;
    assert_eq!(changed(&run(), &run()), Vec::<String>::new());
}

/// A model without a kink: the gradient of a ReLU network jumps, and a step along it with it.
#[derive(Debug)]
struct Smooth;

impl CtrModel for Smooth {
    fn forward(&self, x: &Embedded, _: bool) -> Output {
        let sum = x.fields.sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        Output { logits: sum.tanh().sum_dim_intlist([1i64].as_slice(), true, Kind::Float), aux: vec![] }
    }
}

/// Calls `f` with two batches whose rows are of the same items.
fn with_pair(
    data: &Arc<Dataset>,
    net: &mut Net,
    f: impl FnOnce(&Net, &GeneratorBatch<'_>, &GeneratorBatch<'_>),
) {
    let [a, b, ..] = quarters(&all(data));
    let batch = b.in_order(b.rows().len()).next().unwrap().unwrap();
    let (embedded, labels) = (net.weights.tables.embed(&batch), scenarec_train::labels(&batch, BUILD.device));
    with_batch(net, &a, |net, support| {
        // Evaluation mode, so that two passes agree.
        let support = GeneratorBatch { net_train: false, ..*support };
        f(net, &support, &GeneratorBatch { batch: &batch, embedded: &embedded, labels: &labels, ..support });
    });
}

/// Along random directions the loss changes as its gradient says, the step of learning included.
#[test]
fn the_gradient_is_that_of_the_loss_after_a_step_of_learning() {
    let data = dataset(200, 1);
    let mut net = Net::new(&data.schema, DIM, InitScheme::Torch, BUILD, |_| Ok(Box::new(Smooth))).unwrap();
    with_pair(&data, &mut net, |net, support, query| {
        let slope = |inner_lr: f64, direction: u64| -> (f64, f64) {
            let mut method = meta_e(&MetaEConfig { inner_lr, ..settings() }, &data);
            scramble(method.weights(), 6);
            let at = method.weights().state();
            let gradients = {
                let loss = method.loss(net, support, query).unwrap().0;
                method.weights().gradients(&loss).unwrap()
            };
            let towards: State =
                at.iter().map(|(n, t)| (n.clone(), normal(&t.size(), &mut stream(direction, n)))).collect();
            let exact: f64 =
                gradients.iter().map(|(n, g)| (g * &towards[n]).sum(Kind::Double).double_value(&[])).sum();
            let mut loss_at = |h: f64| {
                let state = at.iter().map(|(n, t)| (n.clone(), t + &towards[n] * h)).collect();
                method.weights().load(&state, "").unwrap();
                method.loss(net, support, query).unwrap().0.double_value(&[])
            };
            let h = 1e-3;
            (exact, (loss_at(h) - loss_at(-h)) / (2.0 * h))
        };
        for direction in 1..4 {
            let (exact, numeric) = slope(200.0, direction);
            assert!((exact - numeric).abs() < 0.01 * (0.1 + exact.abs()), "{exact} and {numeric}");
            let (without, _) = slope(0.0, direction);
            assert!((exact - without).abs() > 0.02, "the step matters: {exact} and {without}");
        }
    });
}

#[test]
fn the_loss_falls() {
    let data = dataset(400, 1);
    with_pair(&data, &mut trained_net(&data), |net, support, query| {
        let mut method = meta_e(&settings(), &data);
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), method.weights());
        let losses: Vec<f64> = (0..120)
            .map(|_| {
                let loss = method.loss(net, support, query).unwrap().0;
                optimizer.step(&loss, method.weights()).unwrap();
                loss.double_value(&[])
            })
            .collect();
        assert!(losses[119] < 0.9 * losses[0], "{} -> {}", losses[0], losses[119]);
    });
}

#[test]
fn a_row_of_one_batch_needs_a_partner() {
    let data = dataset(200, 1);
    with_pair(&data, &mut trained_net(&data), |net, support, _| {
        let short = Feed::new(data.clone(), vec![1, 2]).in_order(2).next().unwrap().unwrap();
        let query = GeneratorBatch { batch: &short, ..*support };
        let error = meta_e(&settings(), &data).loss(net, support, &query).unwrap_err().to_string();
        assert_eq!(error, "a query row for every support row is needed");
    });
}

#[test]
fn vectors_depend_on_the_item_alone() {
    let data = dataset(200, 1);
    let mut net = trained_net(&data);
    let mut method = meta_e(&settings(), &data);
    scramble(method.weights(), 2);
    let rows: Vec<u32> = (0..200).filter(|r| data.item_ids()[*r as usize] == data.item_ids()[3]).collect();
    assert!(rows.len() > 2);
    let batch = Feed::new(data.clone(), rows).in_order(50).next().unwrap().unwrap();
    let vectors: Tensor = method.generate(&net.weights.tables.embed(&batch));
    let spread = magnitude(&(&vectors - vectors.get(0)));
    assert!(spread < 1e-6 && magnitude(&vectors) > 0.01, "{spread}");
}

#[test]
fn settings_without_a_meaning_are_refused() {
    refused(MetaEConfig { inner_lr: -1.0, ..settings() }.check(), "inner_lr");
    refused(MetaEConfig { inner_lr: f64::INFINITY, ..settings() }.check(), "inner_lr");
    refused(MetaEConfig { support_weight: 1.1, ..settings() }.check(), "support_weight");
    refused(MetaEConfig { epochs: 0, ..settings() }.check(), "epochs");
}
