//! VELF: joint pre-training, the blend of posterior and prior, warm phases.
use crate::{
    common::{config, own_item_table, refused},
    generator_contract::{BUILD, Effect, warm_rows, with_batch, work},
};
use scenarec_baselines::{Gaussian, NewItems, Velf, VelfConfig};
use scenarec_data::Dataset;
use scenarec_train::{
    ColdItemMethod, Net, State,
    testing::{DIM, FIRST_NEW, ITEMS, all, changed, cold_split, distance, magnitude, net},
};
use std::sync::Arc;
use tch::{Kind, Tensor};

const ROWS: &str = "embedding.item_id";

fn settings() -> VelfConfig {
    config(include_str!("../../../configs/methods/velf.yaml"))
}

/// A net and the method after pre-training on the made-up data.
fn pretrained(config: &VelfConfig, data: &Arc<Dataset>) -> (Net, Velf, Effect) {
    let mut net = net(&data.schema, BUILD);
    let mut method = Velf::new(config, &data.schema, DIM, BUILD).unwrap();
    let effect = work(data, &mut net, |net, items| method.pretrain(net, items));
    (net, method, effect)
}

/// The net's item rows that `config` predicts with in the cold phase and after one warm phase without training.
fn predicted(config: &VelfConfig) -> [Tensor; 2] {
    let data = own_item_table();
    let (mut net, mut method, _) = pretrained(config, &data);
    let mut cold = None;
    let effect = work(&data, &mut net, |net, items| {
        method.after_pretrain(net, items)?;
        cold = Some(net.weights.state());
        method.after_phase(net, items, "warm_a", &all(&data))
    });
    [cold.unwrap()[ROWS].copy(), effect.after[ROWS].copy()]
}

/// How often [`predicted`] has shown each item: old items' rows, then every row once more.
fn counts(data: &Dataset) -> [Vec<f64>; 2] {
    let (mut cold, mut warm) = (vec![0.0; ITEMS], vec![0.0; ITEMS]);
    for item in data.item_ids() {
        let old = f64::from(u8::from(*item < FIRST_NEW));
        cold[*item as usize] += old;
        warm[*item as usize] += 1.0 + old;
    }
    [cold, warm]
}

#[test]
fn pretraining_trains_all_but_the_nets_item_table() {
    let data = own_item_table();
    let mut fresh = Velf::new(&settings(), &data.schema, DIM, BUILD).unwrap();
    let start = fresh.weights().state();
    let (_, mut method, effect) = pretrained(&settings(), &data);
    let rest: Vec<String> = effect.before.keys().filter(|n| *n != ROWS).cloned().collect();
    assert_eq!(changed(&effect.before, &effect.after), rest);
    let names: Vec<String> = start.keys().cloned().collect();
    assert_eq!(names.iter().filter(|n| n.starts_with("prior.")).count(), 8);
    let tables: Vec<&str> = names.iter().map(String::as_str).filter(|n| !n.starts_with("prior.")).collect();
    assert_eq!(tables, ["posterior.log_var", "posterior.mean", "side.genre", "side.word", "side.year"]);
    assert_eq!(changed(&start, &method.weights().state()), names);
    assert_eq!(effect.steps, cold_split(&data).0.batches(8));
    assert!(effect.measures.iter().all(|m| m.stage == "pretrain"));
}

/// Means begin as the net's rows, deviations at the configured value: a step of rate 0.01 moves them by about as much.
#[test]
fn the_posterior_begins_where_the_settings_say() {
    let data = own_item_table();
    let mut net = net(&data.schema, BUILD);
    let rows = net.weights.state()[ROWS].copy();
    let mut method = Velf::new(&settings(), &data.schema, DIM, BUILD).unwrap();
    work(&data, &mut net, |net, items| {
        items.training.epochs = 0;
        method.pretrain(net, items)
    });
    let state = method.weights().state();
    assert_eq!(distance(&state["posterior.mean"], &rows), 0.0);
    let log_var = &state["posterior.log_var"];
    assert!(distance(log_var, &log_var.full_like(2.0 * 0.01f64.ln())) < 1e-5);
}

/// Two values of n_0 fix posterior and prior of every item; a third must agree, in both phases.
#[test]
fn rows_are_blended_by_how_often_an_item_was_seen() {
    let data = own_item_table();
    let at = |n0: u32| predicted(&VelfConfig { n0, ..settings() });
    let (few, some, many) = (at(1), at(7), at(50));
    for (phase, counts) in counts(&data).iter().enumerate() {
        let mut blended = 0;
        for (id, n) in counts.iter().enumerate() {
            let row = |t: &[Tensor; 2]| t[phase].get(id as i64).to_kind(Kind::Double);
            let (a, b, c) = (row(&few), row(&some), row(&many));
            let share = |n0: f64| n / (n + n0);
            // c = prior + share (posterior - prior), likewise a.
            let difference = (&a - &c) / (share(1.0) - share(50.0)).max(1e-9);
            if *n == 0.0 {
                assert!(distance(&a, &b) == 0.0 && distance(&b, &c) == 0.0, "item {id} was never seen");
            } else {
                let expected = &c + &difference * (share(7.0) - share(50.0));
                assert!(distance(&b, &expected) < 1e-4 * (1.0 + magnitude(&difference)), "item {id}");
                blended += usize::from(magnitude(&difference) > 0.05);
            }
        }
        assert!(blended > 20, "phase {phase}: {blended}");
    }
    let mean = {
        let (_, mut method, _) = pretrained(&settings(), &data);
        method.weights().state()["posterior.mean"].copy()
    };
    // Seen far more often than n_0, an item is its posterior.
    let [old, _] = counts(&data);
    let item = (0..ITEMS).max_by(|a, b| old[*a].total_cmp(&old[*b])).unwrap() as i64;
    let row = |t: &Tensor| t.get(item);
    assert!(distance(&row(&few[0]), &row(&mean)) < distance(&row(&many[0]), &row(&mean)));
}

#[test]
fn a_warm_phase_trains_posteriors_and_where_asked_for_the_prior() {
    let data = own_item_table();
    for warm_prior in [false, true] {
        let (mut net, mut method, _) = pretrained(&VelfConfig { warm_prior, ..settings() }, &data);
        let before = method.weights().state();
        let effect = work(&data, &mut net, |net, items| {
            method.after_pretrain(net, items)?;
            method.fine_tune(net, items, "warm_a", &warm_rows(&data))
        });
        assert_eq!(effect.steps, 5);
        assert!(effect.measures.iter().all(|m| m.stage == "fine_tune.warm_a"));
        let mut moved = changed(&before, &method.weights().state());
        moved.retain(|n| !n.starts_with("posterior."));
        assert_eq!(moved.is_empty(), !warm_prior, "{moved:?}");
        assert!(changed(&before, &method.weights().state()).contains(&"posterior.mean".into()));
        // Of the net only running statistics and the rows written for prediction.
        let moved = changed(&effect.before, &effect.after);
        assert!(moved.iter().all(|n| n == ROWS || n.contains("running_")), "{moved:?}");
    }
}

#[test]
fn a_new_items_posterior_begins_in_the_table_or_at_the_prior() {
    let data = own_item_table();
    for new_items in [NewItems::Table, NewItems::Prior] {
        let (mut net, mut method, _) = pretrained(&VelfConfig { new_items, ..settings() }, &data);
        let before = method.weights().state();
        let effect = work(&data, &mut net, |net, items| method.after_pretrain(net, items));
        let after = method.weights().state();
        let moved = changed(&before, &after);
        if new_items == NewItems::Table {
            assert_eq!(moved, Vec::<String>::new());
            continue;
        }
        assert_eq!(moved, ["posterior.log_var", "posterior.mean"]);
        for id in 0..ITEMS as i64 {
            let row = |state: &State, name: &str| state[name].get(id);
            let new = effect.new_ids.contains(&(id as u32));
            assert_eq!(row(&before, "posterior.mean") == row(&after, "posterior.mean"), !new, "item {id}");
            // Never seen, so predicted by the prior's mean.
            assert!(!new || distance(&row(&after, "posterior.mean"), &row(&effect.after, ROWS)) < 1e-6);
        }
    }
}

/// What the pre-training stage saves is all that a run needs.
#[test]
fn the_saved_weights_are_all_there_is() {
    let data = own_item_table();
    let (mut net, mut method, _) = pretrained(&settings(), &data);
    let saved = (net.weights.state(), method.pretrained().unwrap().state());
    let run = |net: &mut Net, method: &mut Velf| {
        work(&data, net, |net, items| method.after_pretrain(net, items)).after
    };
    let expected = run(&mut net, &mut method);
    let mut other = scenarec_train::testing::net(&data.schema, BUILD);
    let mut loaded = Velf::new(&settings(), &data.schema, DIM, BUILD).unwrap();
    other.weights.load(&saved.0, "").unwrap();
    loaded.pretrained().unwrap().load(&saved.1, "").unwrap();
    assert_eq!(changed(&expected, &run(&mut other, &mut loaded)), Vec::<String>::new());
}

#[test]
fn divergences_of_known_gaussians() {
    let gaussian = |mean: f64, log_var: f64| Gaussian {
        mean: Tensor::full([3, 4], mean, (Kind::Float, BUILD.device)),
        log_var: Tensor::full([3, 4], log_var, (Kind::Float, BUILD.device)),
    };
    // Per dimension ½ (ln 4 + (1 + 9)/4 - 1), four dimensions, mean over rows.
    let d = gaussian(1.0, 0.0).divergence(&gaussian(4.0, 4f64.ln())).double_value(&[]);
    assert!((d - 2.0 * (4f64.ln() + 1.5)).abs() < 1e-5, "{d}");
    let standard = gaussian(2.0, 4f64.ln());
    let d = standard.divergence_from_standard().double_value(&[]);
    assert!((d - 2.0 * (7.0 - 4f64.ln())).abs() < 1e-5, "{d}");
    assert!((d - standard.divergence(&gaussian(0.0, 0.0)).double_value(&[])).abs() < 1e-5);
}

#[test]
fn a_batch_needs_a_draw_for_every_row() {
    let data = own_item_table();
    let (mut net, mut method, _) = pretrained(&settings(), &data);
    with_batch(&mut net, &all(&data), |net, batch| {
        let short = Tensor::zeros([1, DIM as i64], (Kind::Float, BUILD.device));
        let error = method.loss(net, batch, &short).unwrap_err().to_string();
        assert_eq!(error, "one draw per row is needed");
    });
}

#[test]
fn settings_without_a_meaning_are_refused() {
    refused(VelfConfig { posterior_kl: -1.0, ..settings() }.check(), "posterior_kl");
    refused(VelfConfig { prior_kl: f64::NAN, ..settings() }.check(), "prior_kl");
    refused(VelfConfig { n0: 0, ..settings() }.check(), "n0");
    refused(VelfConfig { initial_std: 0.0, ..settings() }.check(), "initial_std");
}
