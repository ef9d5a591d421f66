//! What `scenarec warm` refuses, and that it leaves nothing behind.
use super::shop::{ITEMS, Shop, array, matrix, trained, write_parquet};
use arrow::{
    array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray},
    datatypes::Float32Type,
};
use tch::Tensor;

#[test]
fn what_cannot_be_used_is_named() {
    let numbers = |of: &dyn Fn(usize) -> f64| array(Float64Array::from_iter_values((0..ITEMS).map(of)));
    let items = |of: &dyn Fn(usize) -> i64| array(Int64Array::from_iter_values((0..ITEMS).map(of)));
    let with = |name: &'static str, values: ArrayRef, message: &str| {
        let mut shop = Shop::new();
        shop.set(name, values);
        shop.refuses(message);
    };
    let without = |name: &str, message: &str| {
        let mut shop = Shop::new();
        shop.remove(name);
        shop.refuses(message);
    };
    without("item", "items.parquet: there is no column \"item\"; there are count, new, group, tags, price");
    without("count", "items.parquet: there is no column \"count\"");
    without("new", "items.parquet: nothing says which items are new: a column `new` or --new-below");
    with("item", items(&|i| i as i64 % 100), "items.parquet: item 0 stands in row 0 and in row 100");
    with("item", items(&|i| i as i64 + 1), "item 240 has no embedding: table.safetensors has rows 0 to 239");
    with("item", numbers(&|i| i as f64), "column \"item\": holds Float64, not integers or texts");
    let nan = numbers(&|i| if i == 5 { f64::NAN } else { 1.0 });
    with("price", nan.clone(), "items.parquet: column \"price\", row 5: NaN is no number to learn from");
    with("count", nan, "items.parquet: column \"count\", row 5: NaN is no number to learn from");
    with("count", numbers(&|i| i as f64 - 2.0), "items.parquet: `count`, row 0: -2 is below 0");
    let gap: Float32Array = (0..ITEMS).map(|i| (i != 8).then_some(1.0)).collect();
    with("price", array(gap), "items.parquet: column \"price\", row 8: there is no value");
    with("new", items(&|_| 1), "items.parquet: column \"new\" holds Int64, not booleans");
    let all = |new: bool| array((0..ITEMS).map(|_| Some(new)).collect::<BooleanArray>());
    with("new", all(true), "items.parquet: every item is new, there is none to learn from");
    with("new", all(false), "items.parquet: no item is new");
    let few = (0..ITEMS).map(|i| Some(i > 4)).collect::<BooleanArray>();
    with("new", array(few), "items.parquet: 5 old items are too few to learn from");
}

#[test]
fn tables_and_places_that_cannot_be_used_are_named() {
    let shop = Shop::new();
    let check = |embeddings: &str, out: &str, more: &[&str], message: &str| {
        let error = shop.error(embeddings, out, more);
        assert!(error.contains(message), "expected {message}\nfound    {error}");
    };
    let (table, out) = ("table.safetensors", "out.parquet");
    check(table, out, &["--new-below", "3"], "items.parquet has `new`, so --new-below must not be given");
    check(table, "out.csv", &[], "out.csv: a file's name must end in .parquet or .safetensors");
    check(table, "nowhere/out.parquet", &[], "cannot write nowhere/out.parquet");
    check(table, out, &["--stride", "0"], "stride: 0 is not between 1 and the 100 time steps");
    check(table, out, &["--folds", "1"], "folds: 1: at least 2 are needed");
    check("table.safetensors:emb", out, &[], "there is no tensor \"emb\"; there are item_emb.weight");
    check("no.safetensors", out, &[], "cannot read no.safetensors");
    let whole = matrix(&(0..ITEMS).flat_map(trained).collect::<Vec<f32>>());
    let (nan, flat) = (whole.copy(), whole.flatten(0, -1));
    let _ = nan.get(7).fill_(f64::NAN);
    let equal = Tensor::ones_like(&whole);
    shop.tensors("nan.safetensors", [("w", nan)]);
    shop.tensors("two.safetensors", [("a", whole.copy()), ("b", whole.copy())]);
    shop.tensors("flat.safetensors", [("w", flat)]);
    shop.tensors("ids.safetensors", [("w", whole.to_kind(tch::Kind::Int64))]);
    shop.tensors("equal.safetensors", [("w", equal)]);
    check("nan.safetensors", out, &[], "nan.safetensors: the embedding of item 7 holds NaN or infinity");
    check("two.safetensors", out, &[], "Give two.safetensors:NAME; those with two dimensions are [a, b]");
    check("flat.safetensors:w", out, &[], "tensor \"w\" has shape [960], not 2 dimensions");
    check("ids.safetensors", out, &[], "tensor \"w\" holds Int64, not real numbers");
    check("equal.safetensors", out, &[], "the trained embeddings are all the same");
    let uneven = [vec![Some(1.0f32); 4], vec![Some(1.0); 3]].map(Some);
    let uneven = array(ListArray::from_iter_primitive::<Float32Type, _, _>(uneven));
    let item = array(Int64Array::from(vec![0, 1]));
    write_parquet(&shop.path("uneven.parquet"), &[("item", item), ("embedding", uneven)]);
    check("uneven.parquet", out, &[], "column \"embedding\", row 1: 3 numbers, but row 0 has 4");
}
