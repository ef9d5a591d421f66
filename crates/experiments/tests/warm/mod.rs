//! `scenarec warm`: files in, files out, and what it learns.
#[path = "../../examples/warm_new_items.rs"]
#[allow(dead_code)]
mod example;
mod refusals;
mod shop;

use crate::project::repository;
use arrow::array::{Int64Array, StringArray};
use scenarec_experiments::warm::Key;
use shop::{DIM, ITEMS, Shop, array, group, is_new, tags, trained, truth, vectors, write_parquet};
use tch::Tensor;

#[test]
fn what_side_information_determines_is_found() {
    let shop = Shop::new();
    let told = shop.ok("items.parquet", "table.safetensors", "out.parquet", &[]);
    assert!(told.starts_with("24 new items from 216 old ones"), "{told}");
    let made = shop.read("out.parquet");
    assert_eq!((made.rows(), made.dim), (24, DIM));
    for item in (0..ITEMS).filter(|i| is_new(*i)) {
        let row = made.row(&Key::Number(item as i64)).unwrap();
        for (made, truth) in made.vector(row).iter().zip(truth(item)) {
            assert!((made - truth).abs() < 0.35, "item {item}: {:?}, {:?}", made, truth);
        }
    }
}

#[test]
fn a_seed_decides_everything() {
    let shop = Shop::new();
    let make = |out: &str, seed: &str| {
        shop.ok("items.parquet", "table.safetensors", out, &["--seed", seed]);
        shop.read(out).values
    };
    let first = make("a.parquet", "1");
    assert_eq!(first, make("b.parquet", "1"));
    assert_ne!(first, make("c.parquet", "2"));
}

#[test]
fn formats_hold_the_same() {
    let shop = Shop::new();
    shop.ok("items.parquet", "table.safetensors:item_emb.weight", "a.parquet", &[]);
    let a = shop.read("a.parquet");

    // Items as tensors, by the names of docs/parity.md; fields are numbered as before, in the columns' order by name.
    let integers = |of: &dyn Fn(usize) -> i64| Tensor::from_slice(&(0..ITEMS).map(of).collect::<Vec<_>>());
    let padded: Vec<i64> = (0..ITEMS).flat_map(|i| [tags(i)[0], *tags(i).get(1).unwrap_or(&0)]).collect();
    let price: Vec<f32> = (0..ITEMS).map(|i| (i % 7) as f32 * 100.0).collect();
    shop.tensors(
        "items.safetensors",
        [
            ("count", integers(&|i| if is_new(i) { 0 } else { 50 + i as i64 })),
            ("ids.group", integers(&|i| group(i) as i64)),
            ("real.price", Tensor::from_slice(&price)),
            ("seq.tags", Tensor::from_slice(&padded).reshape([-1, 2])),
        ],
    );
    // Embeddings as columns in another order, and who is new by the count.
    let order = || (0..ITEMS).rev();
    let item = array(Int64Array::from_iter_values(order().map(|i| i as i64)));
    write_parquet(&shop.path("table.parquet"), &[("item", item), ("embedding", vectors(order(), trained))]);
    shop.ok("items.safetensors", "table.parquet", "b.safetensors", &["--new-below", "1"]);
    let tensors = scenarec_train::net::load_state(&shop.path("b.safetensors")).unwrap();
    assert_eq!(Vec::<i64>::try_from(&tensors["item"]).unwrap()[..3], [3, 13, 23]);
    assert_eq!(scenarec_train::to_vec(&tensors["embedding"]), a.values);
}

#[test]
fn the_whole_table_keeps_what_is_trained() {
    let shop = Shop::new();
    shop.ok("items.parquet", "table.safetensors", "new.parquet", &[]);
    shop.ok("items.parquet", "table.safetensors", "whole.safetensors", &["--whole"]);
    let (new, whole) = (shop.read("new.parquet"), shop.read("whole.safetensors:item_emb.weight"));
    for item in 0..ITEMS {
        let made = whole.vector(item);
        match new.row(&Key::Number(item as i64)) {
            Some(row) => assert_eq!(made, new.vector(row)),
            None => assert_eq!(made, truth(item)),
        }
    }
}

#[test]
fn items_may_be_named_by_texts_and_new_ones_lack_a_row() {
    let mut shop = Shop::new();
    let name = |i: usize| format!("sku-{i}");
    shop.set("item", array(StringArray::from_iter_values((0..ITEMS).map(name))));
    let old = || (0..ITEMS).filter(|i| !is_new(*i));
    let item = array(StringArray::from_iter_values(old().map(name)));
    write_parquet(&shop.path("table.parquet"), &[("item", item), ("embedding", vectors(old(), trained))]);
    shop.ok("items.parquet", "table.parquet", "whole.parquet", &["--whole"]);
    let whole = shop.read("whole.parquet");
    assert_eq!(whole.rows(), ITEMS);
    assert!(whole.row(&Key::Text(name(3))).is_some());
    let error = shop.error("table.parquet", "out.safetensors", &[]);
    assert!(error.contains("named by texts, which safetensors cannot hold"), "{error}");
    shop.refuses("item \"sku-0\" is no row number of table.safetensors");
}

/// The whole way of the example: a net of its own, files out, files in, AUC on new items' test rows.
#[test]
fn new_items_of_a_net_gain() {
    let folder = tempfile::tempdir().unwrap();
    let roots = scenarec_data::Roots { raw: repository().join("none"), cache: folder.path().join("cache") };
    let data = example::prepare(&roots, false).unwrap();
    let outcome = example::World::new(data, false).unwrap().outcome(1, folder.path()).unwrap();
    assert!(outcome.after > outcome.before + 0.002, "{outcome:?}");
    assert!(outcome.after > outcome.mean + 0.002, "{outcome:?}");
}
