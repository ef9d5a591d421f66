//! Given vectors as the embeddings of a net: what a generator of rows is fitted to.
use scenarec_data::{Column, Columns, Dataset, Field, Kind, Role, Schema, Table};
use scenarec_train::{
    Build, CtrModel, Embedded, Feed, Fitting, InitScheme, Net, Output, Params, RowSource, Silent, Trained,
    testing,
};
use std::sync::Arc;
use tch::{Device, Kind as Number, Tensor};

/// Places of the fields that are generated; the domain before them is not.
const SLOTS: [usize; 2] = [1, 2];

/// A net whose rows r have the user and item vectors r of a tensor.
pub struct Cloud {
    pub net: Net,
    pub feed: Feed,
    /// [n, 2, d]
    pub rows: Tensor,
}

impl Cloud {
    /// # Shapes
    /// rows [n, 2, d]
    pub fn new(rows: Tensor) -> Self {
        let [n, 2, d] = rows.size()[..] else { panic!("rows of two fields, not {:?}", rows.size()) };
        let data = Arc::new(dataset(n as usize));
        let model = |_: &mut Params<'_>| -> anyhow::Result<Box<dyn CtrModel>> { Ok(Box::new(Silence)) };
        let mut net =
            Net::new(&data.schema, d as usize, InitScheme::Torch, Build::cpu(1), model).expect("a net");
        let mut state = net.weights.state();
        for (i, table) in ["user", "item"].iter().enumerate() {
            state.insert(format!("embedding.{table}"), rows.select(1, i as i64).contiguous());
        }
        net.weights.load(&state, "").expect("its own names");
        let feed = Feed::new(data, (0..n as u32).collect());
        Self { net, feed, rows }
    }

    /// [2, d]
    pub fn shape(&self) -> [i64; 2] {
        [2, self.rows.size()[2]]
    }

    /// Fits a generator to all rows.
    pub fn fit(&mut self, source: &mut dyn RowSource, seed: u64) -> anyhow::Result<Trained> {
        let Self { net, feed, .. } = self;
        source.fit(&mut Fitting { net, slots: &SLOTS, train: feed, valid: feed, seed, progress: &Silent })
    }
}

/// A row per number: of domain 0 or 1, of the user and the item with its number.
fn dataset(n: usize) -> Dataset {
    let field = |(name, role): (&str, Role)| Field {
        name: name.into(),
        role,
        kind: Kind::Id,
        table: Some(name.into()),
    };
    let table = |(name, rows): (&str, usize)| Table { name: name.into(), rows };
    let ids: Vec<u32> = (0..n as u32).collect();
    let (tasks, scenarios) = (vec!["click".into()], vec!["all".into()]);
    let tables = [("domain", 2), ("user", n), ("item", n)].map(table).to_vec();
    let fields = [("domain", Role::Scenario), ("user", Role::User), ("item", Role::Item)].map(field).to_vec();
    Dataset {
        schema: Schema { tables, fields, tasks, scenarios, ..Schema::default() },
        columns: Columns::Resident(vec![
            Column::Id(ids.iter().map(|i| i % 2).collect()),
            Column::Id(ids.clone()),
            Column::Id(ids),
        ]),
        labels: vec![vec![0; n]],
        scenario: vec![0; n],
        ..(*testing::dataset(n, 1)).clone()
    }
}

/// A model that is not asked.
struct Silence;

impl CtrModel for Silence {
    fn forward(&self, x: &Embedded, _: bool) -> Output {
        Output { logits: Tensor::zeros([x.fields.size()[0], 1], (Number::Float, Device::Cpu)), aux: vec![] }
    }
}
