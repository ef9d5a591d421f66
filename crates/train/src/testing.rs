//! Test support, for the tests of this crate and of those built on it: a small made-up dataset with every kind of field,
//! a small net, and weights without symmetry. No run uses it.
use crate::model::{ModelEntry, named};
use crate::{
    Build, CtrModel, Embedded, Feed, InitScheme, Net, Output, Params, State, Weights,
    nn::{Mlp, MlpConfig, Norm},
    rng::{normal, stream},
};
use rand::RngExt;
use scenarec_data::{
    Column, Columns, Dataset, Field, Kind, Pooling, Provenance, Role, Schema, Sequence, Table,
};
use serde_yaml::Value;
use std::{fs, path::Path, sync::Arc};
use tch::Tensor;

/// Items 1 to 39; 0 is padding.
pub const ITEMS: usize = 40;
/// Items from here on are new: methods for cold items do not train on them.
pub const FIRST_NEW: u32 = 30;
/// Width of the vectors of [`net`].
pub const DIM: usize = 4;

/// The configuration in `configs/models/<name>.yaml` of one of these models, complete.
///
/// # Panics
/// Where there is no such file, or it is no configuration of one of the models.
pub fn model_config(models: impl Iterator<Item = &'static ModelEntry> + Clone, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../configs/models/{name}.yaml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_yaml::from_str(&text).expect("the file is YAML");
    let mut config = file["config"].clone();
    config["name"] = file["model"].clone();
    let entry = named(models, file["model"].as_str().expect("a name")).expect("a model of the registry");
    entry.resolve(config).expect("a good configuration")
}

/// Takes the real fields out of a dataset.
///
/// # Panics
/// Where the columns are not in memory.
pub fn without_reals(data: &mut Dataset) {
    let columns = data.resident().expect("in memory").iter().filter(|c| !matches!(c, Column::Real(_)));
    data.columns = Columns::Resident(columns.cloned().collect());
    data.schema.fields.retain(|f| f.kind != Kind::Real);
    data.schema.side.retain(|name| data.schema.fields.iter().any(|f| f.name == *name));
}

/// Ids, bags of every pooling, a sequence, reals, shared tables, two scenarios.
pub fn schema(tasks: usize) -> Schema {
    let table = |(name, rows): (&str, usize)| Table { name: name.into(), rows };
    let field = |name: &str, role, kind, table: &str| Field {
        name: name.into(),
        role,
        kind,
        table: (!table.is_empty()).then(|| table.into()),
    };
    Schema {
        tables: [("item_id", ITEMS), ("user_id", 25), ("year", 5), ("word", 20), ("genre", 8)]
            .map(table)
            .to_vec(),
        fields: vec![
            field("item_id", Role::Item, Kind::Id, "item_id"),
            field("user_id", Role::User, Kind::Id, "user_id"),
            field("last_item", Role::User, Kind::Id, "item_id"),
            field("year", Role::Item, Kind::Id, "year"),
            field("title", Role::Item, Kind::Bag(Pooling::SumPadded { len: 4 }), "word"),
            field("tags", Role::Item, Kind::Bag(Pooling::Mean), "word"),
            field("genres", Role::Item, Kind::Bag(Pooling::Sum), "genre"),
            field("history", Role::User, Kind::Sequence { max_len: 5 }, "item_id"),
            field("hour", Role::Context, Kind::Real, ""),
            field("count", Role::Item, Kind::Real, ""),
        ],
        tasks: (0..tasks).map(|t| format!("task{t}")).collect(),
        scenarios: vec!["home".into(), "search".into()],
        item_id: Some("item_id".into()),
        user_id: Some("user_id".into()),
        side: ["item_id", "year", "title", "genres", "count"].map(String::from).to_vec(),
    }
}

/// Rows of [`schema`]. An item's fields are the same in all its rows; its year and genres decide most of its clicks.
///
/// # Panics
/// Never: its columns fit.
pub fn dataset(rows: usize, tasks: usize) -> Arc<Dataset> {
    let mut items = stream(1, "items");
    let mut lists = |most: usize, end: u32| -> Vec<Vec<u32>> {
        let mut list = || (0..items.random_range(0..=most)).map(|_| items.random_range(1..end)).collect();
        (0..ITEMS).map(|_| list()).collect()
    };
    let (titles, tags, genres) = (lists(4, 20), lists(3, 20), lists(3, 8));
    let mut rng = stream(1, "rows");
    let mut ids = |from: u32, end: u32| (0..rows).map(|_| rng.random_range(from..end)).collect::<Vec<u32>>();
    let (item, user, last, scenario) = (ids(1, ITEMS as u32), ids(1, 25), ids(1, ITEMS as u32), ids(0, 2));
    let histories: Vec<Vec<u32>> =
        (0..rows).map(|r| ids(1, ITEMS as u32)[..r.min(8).min(r % 9)].to_vec()).collect();
    let of_item = |lists: &[Vec<u32>]| item.iter().map(|i| lists[*i as usize].clone()).collect::<Vec<_>>();
    let (title, tag, genre) = (of_item(&titles), of_item(&tags), of_item(&genres));
    let weights = |lists: &[Vec<u32>]| lists.iter().flatten().map(|id| 0.5 + *id as f32 / 8.0).collect();
    let hour: Vec<f32> = (0..rows).map(|_| rng.random()).collect();
    let label = |task: usize, r: usize, chance: f64| {
        let taste = genre[r].iter().filter(|g| (**g + task as u32).is_multiple_of(2)).count() as f64 - 0.7;
        let score = 1.5 * taste + f64::from(item[r] % 5) - 2.0 + f64::from(user[r] % 3) - 1.0;
        u8::from(chance < 1.0 / (1.0 + (-score).exp()))
    };
    let labels = (0..tasks).map(|t| (0..rows).map(|r| label(t, r, rng.random())).collect()).collect();
    let data = Dataset {
        name: "synthetic".into(),
        provenance: Provenance::Simulated,
        note: "test support".into(),
        schema: schema(tasks),
        columns: Columns::Resident(vec![
            Column::Id(item.clone()),
            Column::Id(user.clone()),
            Column::Id(last),
            Column::Id(item.iter().map(|i| i % 5).collect()),
            ragged(&title, None),
            ragged(&tag, None),
            ragged(&genre, Some(weights(&genre))),
            Column::Sequence(Sequence::of_lists(&histories)),
            Column::Real(hour),
            Column::Real(item.iter().map(|i| *i as f32 / ITEMS as f32).collect()),
        ]),
        labels,
        scenario: scenario.iter().map(|s| *s as u16).collect(),
        time: None,
        session: None,
        part: None,
        item_vocabulary: None,
        click_probability: None,
        fingerprint: "synthetic".into(),
    };
    crate::feed::check(&data).expect("columns fit the schema");
    Arc::new(data)
}

/// A ragged column.
pub fn ragged(lists: &[Vec<u32>], weights: Option<Vec<f32>>) -> Column {
    let ends = lists.iter().scan(0, |end, list| {
        *end += list.len() as u64;
        Some(*end)
    });
    Column::Ragged { offsets: std::iter::once(0).chain(ends).collect(), values: lists.concat(), weights }
}

/// All rows of a dataset, in order.
pub fn all(data: &Arc<Dataset>) -> Feed {
    Feed::new(data.clone(), (0..data.rows() as u32).collect())
}

/// The rows of old items; one row per new item; the new items' ids in that order.
pub fn cold_split(data: &Arc<Dataset>) -> (Feed, Feed, Vec<u32>) {
    let items = data.item_ids();
    let rows = |new: bool| (0..items.len() as u32).filter(move |r| (items[*r as usize] >= FIRST_NEW) == new);
    let mut speakers: Vec<u32> = rows(true).collect();
    speakers.sort_by_key(|r| items[*r as usize]);
    speakers.dedup_by_key(|r| items[*r as usize]);
    let ids = speakers.iter().map(|r| items[*r as usize]).collect();
    (Feed::new(data.clone(), rows(false).collect()), Feed::new(data.clone(), speakers), ids)
}

/// A net of width [`DIM`]: fields and reals through an MLP with batch norm and dropout.
///
/// # Panics
/// With a [`Build`] or a schema that [`Net::new`] refuses.
pub fn net(schema: &Schema, build: Build) -> Net {
    let inputs = schema.embedded().count() * DIM + schema.reals().count();
    let config = MlpConfig { hidden: vec![8, 8], norm: Norm::Batch, dropout: 0.1 };
    let model = |p: &mut Params<'_>| -> anyhow::Result<Box<dyn CtrModel>> {
        Ok(Box::new(Small(Mlp::new(
            &mut p.sub("mlp"),
            inputs as i64,
            &config,
            Some(schema.tasks.len() as i64),
        ))))
    };
    Net::new(schema, DIM, InitScheme::Torch, build, model).expect("a small net")
}

#[derive(Debug)]
struct Small(Mlp);

impl CtrModel for Small {
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let x = Tensor::cat(&[&x.fields.flatten(1, 2), &x.reals], 1);
        Output { logits: self.0.forward(&x, train), aux: vec![] }
    }
}

/// Moves every weight and buffer to a place that no initialisation chose; variances stay positive.
///
/// # Panics
/// Never: the state is its own.
pub fn scramble(weights: &mut Weights, seed: u64) {
    move_weights(weights, seed, |_| 0.3);
}

/// [`scramble`] with less noise in wide layers, so that a deep net's logits do not become so large that little but rounding is left
/// in them.
///
/// # Panics
/// Never: the state is its own.
pub fn scramble_evenly(weights: &mut Weights, seed: u64) {
    move_weights(weights, seed, |value| {
        let width = value.size().last().map_or(1.0, |w| *w as f64);
        1.2 / width.max(16.0).sqrt()
    });
}

fn move_weights(weights: &mut Weights, seed: u64, deviation: impl Fn(&Tensor) -> f64) {
    let mut state = weights.state();
    for (name, value) in &mut state {
        let noise = normal(&value.size(), &mut stream(seed, name)) * deviation(value);
        *value = if name.ends_with("running_var") { noise.abs() + 0.5 } else { &*value + noise };
    }
    weights.load(&state, "").expect("its own state");
}

/// Names of the tensors whose values differ, in bits.
///
/// # Panics
/// Where the names are not the same.
pub fn changed(before: &State, after: &State) -> Vec<String> {
    assert!(before.keys().eq(after.keys()), "the same names");
    before.iter().filter(|(n, t)| **t != after[*n]).map(|(n, _)| n.clone()).collect()
}

/// Greatest absolute value.
pub fn magnitude(t: &Tensor) -> f64 {
    if t.numel() == 0 { 0.0 } else { t.detach().abs().max().double_value(&[]) }
}

/// What `f` gives for `inputs`, its gradients by them, and the gradients by them of a sum over those gradients, all weighted without
/// symmetry.
pub fn orders(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> [Vec<Tensor>; 3] {
    let weighted =
        |x: &Tensor, name: &str| (x * normal(&x.size(), &mut stream(7, name))).sum(tch::Kind::Float);
    let leaves: Vec<Tensor> = inputs.iter().map(|x| x.detach().copy().set_requires_grad(true)).collect();
    let out = f(&leaves);
    let first = Tensor::run_backward(&[&weighted(&out, "first")], &leaves, true, true);
    let sum: Tensor = first.iter().map(|d| weighted(d, "second")).sum();
    let second = Tensor::run_backward(&[&sum], &leaves, false, false);
    [vec![out.detach()], first.iter().map(Tensor::detach).collect(), second]
}

/// Greatest absolute difference of two tensors of one shape.
///
/// # Panics
/// Where the shapes are not the same.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    magnitude(&(a.detach() - b.detach()))
}
