//! A net with given vectors: row r of the data has user r and item r.
use scenarec_data::{Column, Columns, Dataset, Field, Kind, Provenance, Role, Schema, Table};
use scenarec_train::{Build, CtrModel, Embedded, Feed, InitScheme, Net, Output, Params};
use std::{ops::Range, sync::Arc};
use tch::{Device, Kind as Number, Tensor};

/// Places of user and item among the fields, behind the domain.
pub const SLOTS: [usize; 2] = [1, 2];

pub struct World {
    pub net: Net,
    pub data: Arc<Dataset>,
}

impl World {
    /// # Shapes
    /// vectors [n, 2, d]; `scenario` of length n, 0 or 1
    pub fn new(vectors: &Tensor, scenario: &[u16]) -> Self {
        let [n, 2, d] = vectors.size()[..] else { panic!("rows of two fields, not {:?}", vectors.size()) };
        let data = Arc::new(dataset(n as u32, scenario));
        scenarec_train::feed::check(&data).expect("columns fit the schema");
        let model = |_: &mut Params<'_>| -> anyhow::Result<Box<dyn CtrModel>> { Ok(Box::new(Silence)) };
        let mut net =
            Net::new(&data.schema, d as usize, InitScheme::Torch, Build::cpu(1), model).expect("a net");
        let mut state = net.weights.state();
        for (i, table) in ["user", "item"].iter().enumerate() {
            state.insert(format!("embedding.{table}"), vectors.select(1, i as i64).contiguous());
        }
        net.weights.load(&state, "").expect("its own names");
        Self { net, data }
    }

    pub fn feed(&self, rows: Range<u32>) -> Feed {
        Feed::new(self.data.clone(), rows.collect())
    }
}

fn dataset(n: u32, scenario: &[u16]) -> Dataset {
    let field = |(name, role): (&str, Role)| Field {
        name: name.into(),
        role,
        kind: Kind::Id,
        table: Some(name.into()),
    };
    let table = |(name, rows): (&str, u32)| Table { name: name.into(), rows: rows as usize };
    let ids: Vec<u32> = (0..n).collect();
    Dataset {
        name: "world".into(),
        provenance: Provenance::Simulated,
        note: "test support".into(),
        schema: Schema {
            tables: [("domain", 2), ("user", n), ("item", n)].map(table).to_vec(),
            fields: [("domain", Role::Scenario), ("user", Role::User), ("item", Role::Item)]
                .map(field)
                .to_vec(),
            tasks: vec!["click".into()],
            scenarios: vec!["rich".into(), "cold".into()],
            ..Schema::default()
        },
        columns: Columns::Resident(vec![
            Column::Id(scenario.iter().map(|s| u32::from(*s)).collect()),
            Column::Id(ids.clone()),
            Column::Id(ids),
        ]),
        labels: vec![vec![0; n as usize]],
        scenario: scenario.to_vec(),
        time: None,
        session: None,
        part: None,
        item_vocabulary: None,
        click_probability: None,
        fingerprint: "world".into(),
    }
}

/// A model that is not asked.
struct Silence;

impl CtrModel for Silence {
    fn forward(&self, x: &Embedded, _: bool) -> Output {
        Output { logits: Tensor::zeros([x.fields.size()[0], 1], (Number::Float, Device::Cpu)), aux: vec![] }
    }
}
