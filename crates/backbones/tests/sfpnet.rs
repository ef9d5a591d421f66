//! SFPNet: what padding, order and emptiness of behaviours may not do, and how many parameters a block has.
use crate::configs::config_file;
use scenarec_backbones::build;
use scenarec_data::{Dataset, Field, Kind, Role, Schema, Table};
use scenarec_train::{
    Batch, Build, Net,
    batch::{Ids, SequenceIds},
    feed::gather,
    labels, loss,
    testing::{dataset, distance, magnitude, scramble, without_reals},
};
use std::sync::Arc;
use tch::{Device, Tensor};

fn data() -> Arc<Dataset> {
    let mut data = dataset(120, 1);
    without_reals(Arc::make_mut(&mut data));
    data
}

fn net(blocks: i64) -> Net {
    let mut config = config_file("sfpnet");
    config["blocks"] = blocks.into();
    build(&data().schema, &config, Build::cpu(1)).unwrap()
}

/// Rows with histories of many lengths, none among them.
fn batch() -> Batch {
    gather(&data(), &(0..20).collect::<Vec<u32>>()).unwrap()
}

fn logits(net: &mut Net, batch: &Batch) -> Tensor {
    let _guard = tch::no_grad_guard();
    let x = net.weights.tables.embed(batch);
    net.forward(&x, false).logits
}

/// Every row's tokens through a function.
fn with_tokens(batch: &Batch, f: impl Fn(&[u32]) -> Vec<u32>) -> Batch {
    let mut batch = batch.clone();
    for sequence in &mut batch.sequences {
        let (mut rest, mut rows) = (&sequence.ids.ids[..], Vec::new());
        for n in &sequence.lens {
            let (own, others) = rest.split_at(*n as usize);
            rows.push(f(own));
            rest = others;
        }
        let ids = Ids { ids: rows.concat(), ..Ids::default() };
        *sequence = SequenceIds { ids, lens: rows.iter().map(|row| row.len() as u32).collect() };
    }
    batch
}

#[test]
fn behaviours_count_and_their_order_does_not() {
    let (mut net, batch) = (net(2), batch());
    let sequence = &batch.sequences[0];
    assert!(sequence.lens.contains(&0) && sequence.lens.iter().any(|n| *n > 2));
    let plain = logits(&mut net, &batch);
    assert!(plain.std(true).double_value(&[]) > 1e-3, "rows differ");
    let reversed = with_tokens(&batch, |ids| ids.iter().rev().copied().collect());
    assert_ne!(reversed.sequences, batch.sequences);
    assert!(distance(&logits(&mut net, &reversed), &plain) < 1e-5);
    let others = with_tokens(&batch, |ids| ids.iter().map(|id| id % 30 + 1).collect());
    assert!(distance(&logits(&mut net, &others), &plain) > 1e-4, "behaviours matter");
}

/// One behaviour has no variance, and the root of nothing an infinite slope.
#[test]
fn gradients_of_short_histories_are_finite() {
    for keep in [0, 1] {
        let mut net = net(2);
        scramble(&mut net.weights, 1);
        let data = data();
        let batch = with_tokens(&batch(), |ids| ids[..keep.min(ids.len())].to_vec());
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
        let gradients = net.weights.gradients(&loss).unwrap();
        assert!(gradients.values().all(|g| magnitude(g).is_finite()), "{keep}");
        assert!(gradients.contains_key("embedding.item_id") && data.rows() > 0);
    }
}

/// The sheet's section c.6: 18 fields of width 40, gates and contexts of width 256.
#[test]
fn a_block_has_as_many_parameters_as_the_sheet_says() {
    let table = |i: usize| Table { name: format!("t{i}"), rows: 3 };
    let field = |i: usize| Field {
        name: format!("f{i}"),
        role: match i {
            0 => Role::Item,
            18 => Role::Scenario,
            _ => Role::User,
        },
        kind: Kind::Id,
        table: Some(format!("t{i}")),
    };
    let history = Field { name: "history".into(), kind: Kind::Sequence { max_len: 50 }, ..field(0) };
    let schema = Schema {
        tables: (0..19).map(table).collect(),
        fields: (0..19).map(field).chain([history]).collect(),
        tasks: vec!["click".into()],
        scenarios: ["a", "b", "c"].map(String::from).to_vec(),
        ..Schema::default()
    };
    let count = |change: &dyn Fn(&mut serde_yaml::Value)| -> i64 {
        let mut config = config_file("sfpnet");
        config["blocks"] = 1.into();
        change(&mut config);
        let mut net = build(&schema, &config, Build::cpu(1)).unwrap();
        let state = net.weights.state();
        state.iter().filter(|(name, _)| name.starts_with("blocks.")).map(|(_, t)| t.numel() as i64).sum()
    };
    assert_eq!(count(&|_| {}), 894_384);
    assert_eq!(count(&|c| c["scenario_adaptive"] = false.into()), 894_384 - 421_408);
    assert_eq!(count(&|c| c["residual_tailoring"] = false.into()), 421_408);
    // One statistic fewer: 40 columns of z and of the gate, of contexts in and out.
    let less = 2 * 40 * 256 + 40 + 2 * 40 * 256 + 40;
    assert_eq!(count(&|c| c["distribution_aware"] = false.into()), 894_384 - less);
}
