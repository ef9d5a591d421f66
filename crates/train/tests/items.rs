//! What methods for cold items read: side information in a net, rows by item, the mean of a table.
use crate::generator_contract::trained_net;
use scenarec_train::{
    Backend, Build, Feed,
    cold::{SideChoice, SideFields, one_row_per_item, rows_by_item},
    testing::{DIM, all, dataset, distance, net},
};
use tch::{Kind, Tensor};

#[test]
fn side_information_in_a_net_is_the_nets_own_vectors() {
    let data = dataset(20, 1);
    let mut net = net(&data.schema, Build::cpu(1));
    let batch = all(&data).in_order(20).next().unwrap().unwrap();
    let x = net.weights.tables.embed(&batch);
    let count = x.reals.narrow(1, 1, 1);
    for (choice, fields) in [
        (SideChoice::Listed, vec!["item_id", "year", "title", "genres"]),
        (SideChoice::FeaturesOnly, vec!["year", "title", "tags", "genres"]),
    ] {
        let side = SideFields::in_net(&data.schema, choice, DIM).unwrap();
        assert_eq!(side.width(), (fields.len() * DIM + 1) as i64);
        let place = |f: &&str| net.weights.tables.slot(f).unwrap() as i64;
        let mut parts: Vec<Tensor> = fields.iter().map(|f| x.fields.select(1, place(f))).collect();
        parts.push(count.shallow_clone());
        assert_eq!(distance(&side.vector(&x), &Tensor::cat(&parts, 1)), 0.0, "{choice:?}");
    }
    let mut none = data.schema.clone();
    none.side.clear();
    let error = SideFields::in_net(&none, SideChoice::Listed, DIM).unwrap_err().to_string();
    assert_eq!(error, "the data have no side information for this choice");
}

#[test]
fn the_last_row_of_an_item_speaks_for_it() {
    let data = dataset(100, 1);
    let rows: Vec<u32> = (0..100).rev().collect();
    let (speakers, items) = one_row_per_item(&Feed::new(data.clone(), rows.clone()));
    let ids = data.item_ids();
    let by_item = rows_by_item(&Feed::new(data.clone(), rows.clone()));
    assert_eq!(items.len(), by_item.len());
    assert!(by_item.keys().is_sorted() && by_item.len() > 20);
    for (row, item) in speakers.rows().iter().zip(&items) {
        let of_item: Vec<u32> = rows.iter().copied().filter(|r| ids[*r as usize] == *item).collect();
        assert_eq!(by_item[item], of_item);
        assert_eq!(of_item.last(), Some(row));
    }
}

/// On both backends, the deferred one while it owes moves.
#[test]
fn the_mean_of_a_table_is_over_all_its_rows() {
    let data = dataset(200, 1);
    let mut late = trained_net(&data);
    let mean = late.weights.tables.mean("embedding.item_id").unwrap();
    let state = trained_net(&data).weights.state();
    let expected = state["embedding.item_id"].mean_dim([0i64].as_slice(), true, Kind::Float);
    assert!(distance(&mean, &expected) < 1e-6);
    let mut dense = net(&data.schema, Build { backend: Backend::Dense, ..Build::cpu(1) });
    dense.weights.load(&state, "").unwrap();
    assert!(distance(&dense.weights.tables.mean("embedding.item_id").unwrap(), &expected) < 1e-6);
    assert!(late.weights.tables.mean("embedding.itme").is_err());
}
