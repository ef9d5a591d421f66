//! DropoutNet: which mini-batches do without the item id, and what the net learns then.
use crate::{
    common::{config, own_item_table, refused},
    generator_contract::{BUILD, Effect, trained_net, work},
};
use scenarec_baselines::{ColdRows, DropoutNetConfig, embed_with_mean_item};
use scenarec_train::{
    ColdItemMethod,
    cold::Plain,
    testing::{all, changed, dataset, distance, net},
};
use tch::Kind;

fn dropoutnet(probability: f64, cold: ColdRows) -> DropoutNetConfig {
    let file: DropoutNetConfig = config(include_str!("../../../configs/methods/dropoutnet.yaml"));
    assert_eq!((file.probability, file.cold), (0.1, ColdRows::Rows));
    DropoutNetConfig { probability, cold, ..file }
}

/// Pre-training of a fresh net.
fn pretrained(method: &mut dyn ColdItemMethod) -> Effect {
    let data = own_item_table();
    let mut net = net(&data.schema, BUILD);
    work(&data, &mut net, |net, items| method.pretrain(net, items))
}

#[test]
fn without_chosen_batches_it_is_the_plain_pretraining() {
    let plain = pretrained(&mut Plain);
    let none = pretrained(&mut dropoutnet(0.0, ColdRows::Rows).method(1).unwrap());
    assert_eq!(changed(&plain.after, &none.after), Vec::<String>::new());
    assert_eq!((plain.steps, plain.measures.len()), (none.steps, none.measures.len()));
}

#[test]
fn chosen_batches_leave_the_item_table_alone() {
    let all = pretrained(&mut dropoutnet(1.0 - 1e-12, ColdRows::Rows).method(1).unwrap());
    let moved = changed(&all.before, &all.after);
    let rest: Vec<&String> = all.before.keys().filter(|n| *n != "embedding.item_id").collect();
    assert_eq!(moved.iter().collect::<Vec<_>>(), rest);
    // Some of the batches are chosen, and which is the seed's matter.
    let half = |seed| pretrained(&mut dropoutnet(0.5, ColdRows::Rows).method(seed).unwrap()).after;
    assert!(changed(&all.before, &half(1)).contains(&"embedding.item_id".to_string()));
    assert!(changed(&half(1), &half(2)).contains(&"embedding.item_id".to_string()));
    assert_eq!(changed(&half(1), &half(1)), Vec::<String>::new());
}

/// The table owes moves to its optimiser while the mean is taken.
#[test]
fn the_mean_is_that_of_the_whole_table() {
    let data = dataset(200, 1);
    let (mut late, mut upto) = (trained_net(&data), trained_net(&data));
    let batch = all(&data).in_order(16).next().unwrap().unwrap();
    let x = embed_with_mean_item(&mut late, &data.schema, &batch).unwrap();
    let table = &upto.weights.state()["embedding.item_id"];
    let mean = table.mean_dim([0i64].as_slice(), true, Kind::Float);
    assert!(distance(&x.fields.select(1, 0), &mean.expand([16, -1], false)) < 1e-6);
    let plain = upto.weights.tables.embed(&batch);
    assert!(distance(&x.fields.select(1, 0), &plain.fields.select(1, 0)) > 0.1, "items differ");
    let rest = x.fields.size()[1] - 1;
    assert_eq!(distance(&x.fields.narrow(1, 1, rest), &plain.fields.narrow(1, 1, rest)), 0.0);
}

#[test]
fn new_items_keep_their_rows_or_get_the_mean() {
    let data = dataset(200, 1);
    let effect = |cold| {
        let mut net = trained_net(&data);
        let mut method = dropoutnet(0.1, cold).method(1).unwrap();
        work(&data, &mut net, |net, items| method.after_pretrain(net, items))
    };
    let rows = effect(ColdRows::Rows);
    assert_eq!(changed(&rows.before, &rows.after), Vec::<String>::new());
    let mean = effect(ColdRows::Mean);
    assert_eq!(changed(&mean.before, &mean.after), ["embedding.item_id"]);
    let expected = mean.before["embedding.item_id"].mean_dim([0i64].as_slice(), false, Kind::Float);
    for id in 0..40 {
        let row = |state: &scenarec_train::State| state["embedding.item_id"].get(id);
        if mean.new_ids.contains(&(id as u32)) {
            assert!(distance(&row(&mean.after), &expected) < 1e-6, "row {id}");
        } else {
            assert_eq!(row(&mean.after), row(&mean.before), "row {id}");
        }
    }
}

#[test]
fn settings_that_are_no_probability_are_refused() {
    for p in [-0.1, 1.0, f64::NAN] {
        refused(dropoutnet(p, ColdRows::Rows).check(), "probability");
    }
}
