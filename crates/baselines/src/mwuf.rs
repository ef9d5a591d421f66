//! MWUF, meta warm-up framework (Zhu et al., SIGIR 2021), as CVAR's program has it: an item's embedding is scaled by its
//! side information and shifted by the users it has met.
//!
//! Shapes: B rows, d width of embeddings (16), D_s width of side information.
use crate::two_layers::{no_tables, two_layers};
use anyhow::{Context, Result};
use scenarec_data::Schema;
use scenarec_train::{
    Batch, Build, Carrier, ColdItemMethod, ColdItems, Embedded, Epochs, FeatureEmbedding, Feed, InitScheme,
    Net, Optimizer, ParamSet, Resumable, Weights, bce,
    cold::{GeneratorBatch, SideChoice, SideFields, against_frozen, item_slot, item_table, overwrite},
    config::check,
    nn::Mlp,
    rng::stream,
    to_vec,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tch::Tensor;

/// The scale and shift networks start in U(-0.01, 0.01), biases included.
const SMALL: InitScheme = InitScheme::Uniform(0.01);

/// What stands for the mean user of an item that no old row mentions: every new item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoUsers {
    /// The user of the row by which the item's side information is read, as in the released program: its last row of the
    /// first warm phase. Its label is not used, but the row is one of a later phase than the cold one.
    RowUser,
    /// Zeros: no row but the old ones is used.
    Zero,
}

/// MWUF's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MwufConfig {
    /// The registry's name, `mwuf`.
    pub name: String,
    /// Which fields are side information.
    pub side: SideChoice,
    /// The mean user of new items.
    pub no_users: NoUsers,
    /// Passes over the old items' rows.
    pub epochs: usize,
}

impl MwufConfig {
    /// Refuses values under which nothing is trained.
    pub fn check(&self) -> Result<()> {
        check(self.epochs > 0, "epochs", || "0: the networks would never be trained".into())
    }
}

/// The method. Parameters `new.<table>` (the item-id embeddings before scaling and shifting), `scale.*`, `shift.*`.
#[derive(Debug)]
pub struct Mwuf {
    config: MwufConfig,
    /// N, trained on its own.
    new: Weights,
    /// The scale and shift networks.
    meta: Weights,
    side: SideFields,
    scale: Mlp,
    shift: Mlp,
}

impl Mwuf {
    /// Table and networks for a net whose embeddings have width `dim`.
    pub fn new(config: &MwufConfig, schema: &Schema, dim: usize, build: Build) -> Result<Self> {
        config.check()?;
        let Build { seed, device, backend } = build;
        let id = schema.item_id.as_deref().context("the data have no item id")?;
        let tables = FeatureEmbedding::new(
            schema,
            |name| name == id,
            "new.",
            dim,
            InitScheme::Torch,
            seed,
            device,
            backend,
        )?;
        let new = Weights { tables, params: ParamSet::new(device, seed, SMALL) };
        let side = SideFields::in_net(schema, config.side, dim)?;
        let mut params = ParamSet::new(device, seed, SMALL);
        let mut p = params.root();
        let scale = two_layers(&mut p.sub("scale"), side.width(), dim);
        let shift = two_layers(&mut p.sub("shift"), dim as i64, dim);
        let meta = Weights { tables: no_tables(schema, dim, build)?, params };
        Ok(Self { config: config.clone(), new, meta, side, scale, shift })
    }

    /// What is trained: N, then the networks.
    pub fn parts(&mut self) -> [&mut Weights; 2] {
        [&mut self.new, &mut self.meta]
    }

    /// Loss of the net with N's embeddings, which reaches N alone; logits `[B, 1]` and the embeddings `[B, d]`.
    pub fn cold_loss(&mut self, net: &Net, batch: &GeneratorBatch<'_>) -> (Tensor, Tensor, Tensor) {
        let vector = self.new.tables.embed_with(batch.batch, true, None).fields.select(1, 0);
        let logits = batch.logits_with(net, &vector);
        (bce(&logits, batch.labels), logits, vector)
    }

    /// Loss of the net with warm embeddings, which reaches the networks alone; logits `[B, 1]` and the embeddings
    /// `[B, d]`. `users` `[B, d]` are the items' mean users.
    pub fn warm_loss(
        &mut self,
        net: &Net,
        batch: &GeneratorBatch<'_>,
        users: &Tensor,
    ) -> (Tensor, Tensor, Tensor) {
        let vector = self.warm(batch.batch, batch.embedded, users);
        let logits = batch.logits_with(net, &vector);
        (bce(&logits, batch.labels), logits, vector)
    }

    /// Scale ⊙ N + shift, `[B, d]`.
    fn warm(&mut self, batch: &Batch, x: &Embedded, users: &Tensor) -> Tensor {
        let new = self.new.tables.embed(batch).fields.select(1, 0);
        self.scale.forward(&self.side.vector(x), true) * new + self.shift.forward(users, true)
    }

    /// Every row of N starts as the mean of the net's item-id embeddings.
    fn start(&mut self, net: &mut Net, items: &ColdItems<'_>) -> Result<()> {
        let mean = net.weights.tables.mean(&item_table(items.schema)?)?;
        let name = self.new.tables.names().next().context("N is one table")?.to_string();
        let rows = self.new.tables.rows(&name)? as u32;
        let ids: Vec<u32> = (0..rows).collect();
        self.new.tables.set_rows(&name, &ids, &mean.expand([i64::from(rows), -1], false))
    }

    fn train(&mut self, net: &mut Net, items: &mut ColdItems<'_>, users: &MeanUsers) -> Result<()> {
        let base = items.base;
        let epochs = Epochs { epochs: self.config.epochs, batch: items.training.batch, iters: 1 };
        let mut rng = stream(items.seed, "shuffle.generator");
        let of_new = Optimizer::new(items.training.optim, &mut self.new);
        let of_meta = Optimizer::new(items.training.optim, &mut self.meta);
        let mut learner = (self, of_new, of_meta);
        against_frozen(
            net,
            items,
            "generator",
            base,
            epochs,
            &mut rng,
            &mut learner,
            |net, learner, batch| {
                let (mwuf, of_new, of_meta) = learner;
                let (loss, ..) = mwuf.cold_loss(net, batch);
                of_new.step(&loss, &mut mwuf.new)?;
                let (loss, ..) = mwuf.warm_loss(net, batch, &users.of(batch.batch, batch.embedded));
                of_meta.step(&loss, &mut mwuf.meta)?;
                Ok(loss)
            },
        )
    }
}

impl Resumable for Mwuf {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("new", &mut self.new)?;
        carrier.part("meta", &mut self.meta)
    }
}

impl ColdItemMethod for Mwuf {
    fn after_pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        let users = MeanUsers::new(net, items, self.config.no_users)?;
        self.start(net, items)?;
        self.train(net, items, &users)?;
        overwrite(net, items, items.new_items, items.new_ids, |batch, x| {
            Ok(self.warm(batch, x, &users.of(batch, x)))
        })
    }
}

/// The mean user-id embedding of the old rows of every item.
///
/// The released program exchanges users and items when it collects them; here they are what they are called.
#[derive(Debug)]
pub struct MeanUsers {
    /// `[items, d]`, zeros where there is no row.
    means: Tensor,
    /// Bool `[items, 1]`: whether there is a row.
    known: Tensor,
    no_users: NoUsers,
    item: usize,
    user: usize,
}

impl MeanUsers {
    /// Reads the net's user embeddings as they are.
    pub fn new(net: &mut Net, items: &ColdItems<'_>, no_users: NoUsers) -> Result<Self> {
        let id = items.schema.user_id.as_deref().context("the data have no user id")?;
        let item = item_slot(net, items.schema)?;
        let user = net.weights.tables.slot(id).context("the net does not embed the user id")?;
        let table = items.schema.field(id).and_then(|(_, f)| f.table.as_deref()).context("no user table")?;
        let tables = &mut net.weights.tables;
        let (name, d) = (format!("embedding.{table}"), tables.dim());
        let everyone: Vec<u32> = (0..tables.rows(&name)? as u32).collect();
        let vectors = to_vec(&tables.get_rows(&name, &everyone)?);
        let rows = tables.rows(&item_table(items.schema)?)?;
        let (mut sums, mut counts) = (vec![0f64; rows * d], vec![0u32; rows]);
        let ids = user_ids(items.base, id)?;
        for row in items.base.rows() {
            let (i, u) = (items.base.data().item_ids()[*row as usize] as usize, ids[*row as usize] as usize);
            counts[i] += 1;
            sums[i * d..][..d].iter_mut().zip(&vectors[u * d..][..d]).for_each(|(s, v)| *s += f64::from(*v));
        }
        let mean = |(at, sum): (usize, &f64)| (sum / f64::from(counts[at / d].max(1))) as f32;
        let means: Vec<f32> = sums.iter().enumerate().map(mean).collect();
        let known: Vec<bool> = counts.iter().map(|c| *c > 0).collect();
        let device = net.weights.params.device();
        let means = Tensor::from_slice(&means).reshape([-1, d as i64]).to_device(device);
        let known = Tensor::from_slice(&known).unsqueeze(1).to_device(device);
        Ok(Self { means, known, no_users, item, user })
    }

    /// The mean users of a batch's items, `[B, d]`, without gradients.
    pub fn of(&self, batch: &Batch, x: &Embedded) -> Tensor {
        let items: Vec<i64> = batch.ids[self.item].ids.iter().map(|i| i64::from(*i)).collect();
        let items = Tensor::from_slice(&items).to_device(self.means.device());
        let means = self.means.index_select(0, &items);
        match self.no_users {
            NoUsers::Zero => means,
            NoUsers::RowUser => {
                let own = x.fields.select(1, self.user as i64);
                means.where_self(&self.known.index_select(0, &items), &own)
            }
        }
    }
}

fn user_ids<'a>(rows: &'a Feed, field: &str) -> Result<Cow<'a, [u32]>> {
    let ids = rows.data().ids(field)?;
    ids.with_context(|| format!("the user-id field {field:?} is not an id column"))
}
