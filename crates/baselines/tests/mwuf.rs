//! MWUF: what each loss reaches, from where the table and the mean users come.
use crate::{
    common::{config, refused},
    generator_contract::{BUILD, apply, only_new_items_changed, trained_net, with_batch, work},
};
use scenarec_baselines::{MeanUsers, Mwuf, MwufConfig, NoUsers};
use scenarec_data::{Column, Dataset};
use scenarec_train::{
    ColdItemMethod, OptimSpec,
    cold::Training,
    feed::gather,
    rng::{normal, stream},
    testing::{DIM, all, changed, cold_split, dataset, distance, magnitude, scramble},
};
use tch::{Kind, Tensor};

fn settings() -> MwufConfig {
    config(include_str!("../../../configs/methods/mwuf.yaml"))
}

fn mwuf(config: &MwufConfig, data: &Dataset) -> Mwuf {
    Mwuf::new(config, &data.schema, DIM, BUILD).unwrap()
}

#[test]
fn each_loss_reaches_its_own_parameters() {
    let data = dataset(200, 1);
    let mut net = trained_net(&data);
    let mut method = mwuf(&settings(), &data);
    method.parts().into_iter().for_each(|part| scramble(part, 3));
    with_batch(&mut net, &all(&data), |net, batch| {
        // No two rows alike: batch norm takes back a shift that all rows have in common.
        let users = normal(&[200, DIM as i64], &mut stream(3, "users"));
        for part in 0..2 {
            let loss = |m: &mut Mwuf| {
                if part == 0 { m.cold_loss(net, batch).0 } else { m.warm_loss(net, batch, &users).0 }
            };
            let of_loss = loss(&mut method);
            let gradients = method.parts()[part].gradients(&of_loss).unwrap();
            let names: Vec<String> = method.parts()[part].names().into_iter().map(String::from).collect();
            assert_eq!(names.len(), [1, 8][part]);
            for name in &names {
                assert!(magnitude(&gradients[name]) > 1e-9, "{name}");
            }
        }
        let of_table = method.cold_loss(net, batch).0;
        assert!(method.parts()[1].gradients(&of_table).unwrap().is_empty(), "the networks");
        let of_networks = method.warm_loss(net, batch, &users).0;
        // The first loss's look-up was never asked for its gradient; a new one leaves the table out.
        assert!(method.parts()[0].gradients(&of_networks).unwrap().is_empty(), "the table");
    });
}

#[test]
fn the_net_gets_new_rows_only_and_every_parameter_moves() {
    let data = dataset(200, 1);
    let base = cold_split(&data).0.batches(8);
    for epochs in [1, 2] {
        let mut method = mwuf(&MwufConfig { epochs, ..settings() }, &data);
        let before = method.parts().map(|p| p.state());
        let effect = apply(&mut method, None);
        only_new_items_changed(&effect, true);
        assert_eq!(effect.steps, base * epochs as u64);
        for (before, part) in before.iter().zip(method.parts()) {
            let names: Vec<String> = before.keys().cloned().collect();
            assert_eq!(changed(before, &part.state()), names);
        }
    }
}

#[test]
fn a_seed_decides_everything() {
    let data = dataset(200, 1);
    let run = || apply(&mut mwuf(&settings(), &data), None).after;
    assert_eq!(changed(&run(), &run()), Vec::<String>::new());
}

/// At rate 0 the table stays as it began, and new rows are scale times its mean row plus shift.
#[test]
fn the_table_begins_as_the_mean_of_the_nets() {
    let data = dataset(200, 1);
    let mut net = trained_net(&data);
    let mut method = mwuf(&settings(), &data);
    let effect = work(&data, &mut net, |net, items| {
        items.training = Training { optim: OptimSpec::adam(0.0, 0.0), ..items.training };
        method.after_pretrain(net, items)
    });
    let mean = effect.before["embedding.item_id"].mean_dim([0i64].as_slice(), true, Kind::Float);
    let table = &method.parts()[0].state()["new.item_id"];
    assert!(distance(table, &mean.expand_as(table)) < 1e-6 && magnitude(&mean) > 0.01);
    // Networks of weights below 0.01 make next to nothing of it.
    for id in &effect.new_ids {
        assert!(magnitude(&effect.after["embedding.item_id"].get(i64::from(*id))) < 0.02);
    }
}

#[test]
fn mean_users_are_those_of_old_rows() {
    let data = dataset(200, 1);
    let mut net = trained_net(&data);
    let users = &net.weights.state()["embedding.user_id"];
    let Some(Column::Id(ids)) = data.column("user_id") else { panic!("users are ids") };
    let (items, (base, new_items, _)) = (data.item_ids(), cold_split(&data));
    let of = |net: &mut scenarec_train::Net, rule, rows: &[u32]| {
        let mut found = None;
        work(&data, net, |net, items| {
            let users = MeanUsers::new(net, items, rule)?;
            let batch = gather(&data, rows).unwrap();
            found = Some(users.of(&batch, &net.weights.tables.embed(&batch)));
            Ok(())
        });
        found.unwrap()
    };
    for row in [base.rows()[0], base.rows()[40]] {
        let met: Vec<i64> = base
            .rows()
            .iter()
            .filter(|r| items[**r as usize] == items[row as usize])
            .map(|r| i64::from(ids[*r as usize]))
            .collect();
        assert!(met.len() > 1);
        let expected =
            users.index_select(0, &Tensor::from_slice(&met)).mean_dim([0i64].as_slice(), true, Kind::Float);
        for rule in [NoUsers::RowUser, NoUsers::Zero] {
            assert!(distance(&of(&mut net, rule, &[row]), &expected) < 1e-6, "row {row}");
        }
    }
    let row = new_items.rows()[2];
    let own = users.get(i64::from(ids[row as usize])).unsqueeze(0);
    assert!(distance(&of(&mut net, NoUsers::RowUser, &[row]), &own) < 1e-6);
    assert_eq!(magnitude(&of(&mut net, NoUsers::Zero, &[row])), 0.0);
}

#[test]
fn settings_that_train_nothing_are_refused() {
    refused(MwufConfig { epochs: 0, ..settings() }.check(), "epochs");
}
