//! VELF, variational embedding learning (Xu et al., WWW 2022), for items: an id embedding is a Gaussian, its prior comes
//! from side information, and predictions blend the two means by how often the item was seen. Neither the paper's nor
//! CSDM's implementation is public: this is a reconstruction from the abstract, and docs/methods.md names every choice.
//!
//! Shapes: B rows, d width of embeddings (16), D_s width of side information.
mod gaussian;

pub use gaussian::Gaussian;

use crate::two_layers::two_layers;
use anyhow::{Context, Result, ensure};
use scenarec_data::{Field, Kind, Role, Schema, Table};
use scenarec_train::{
    Batch, Build, Carrier, ColdItemMethod, ColdItems, Epochs, FeatureEmbedding, Feed, InitScheme, Mode, Net,
    Optimizer, ParamSet, Resumable, Weights, bce,
    cold::{
        GeneratorBatch, SideChoice, SideFields, against_frozen, item_slot, item_table, one_row_per_item,
        overwrite, record,
    },
    config::check,
    fit, labels, loss,
    nn::Mlp,
    rng::{Stream, normal, stream},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The posterior's tables.
const POSTERIOR: [&str; 2] = ["posterior.mean", "posterior.log_var"];

/// From where a new item's posterior starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewItems {
    /// Its prior: what the posterior is without data.
    Prior,
    /// Its rows of the posterior's tables, which no data has reached and weight decay has shrunk.
    Table,
}

/// VELF's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VelfConfig {
    /// The registry's name, `velf`.
    pub name: String,
    /// From which fields the prior is made.
    pub side: SideChoice,
    /// a: weight of KL(posterior ‖ prior).
    pub posterior_kl: f64,
    /// b: weight of KL(prior ‖ N(0, I)).
    pub prior_kl: f64,
    /// n_0: an item seen in as many rows is predicted half by its posterior, half by its prior.
    pub n0: u32,
    /// The posteriors' standard deviation at the start.
    pub initial_std: f64,
    /// Where the posteriors of new items start.
    pub new_items: NewItems,
    /// Whether warm phases train the prior too.
    pub warm_prior: bool,
}

impl VelfConfig {
    /// Refuses values under which the method is not defined.
    pub fn check(&self) -> Result<()> {
        let &Self { posterior_kl, prior_kl, n0, initial_std, .. } = self;
        for (weight, key) in [(posterior_kl, "posterior_kl"), (prior_kl, "prior_kl")] {
            check(weight >= 0.0 && weight.is_finite(), key, || {
                format!("{weight} is not a number from 0 on")
            })?;
        }
        check(n0 > 0, "n0", || "0: an item never seen would have no blend".into())?;
        let positive = initial_std > 0.0 && initial_std.is_finite();
        check(positive, "initial_std", || format!("{initial_std} is not above 0"))
    }
}

/// The method. Parameters `posterior.mean` and `posterior.log_var` (a row per item), `side.<table>`, `prior.mean.*` and
/// `prior.log_var.*`.
#[derive(Debug)]
pub struct Velf {
    config: VelfConfig,
    weights: Weights,
    side: SideFields,
    mean: Mlp,
    log_var: Mlp,
    noise: Stream,
    /// A row for each old item, and the items; known after pre-training.
    old: Option<(Feed, Vec<u32>)>,
    /// Rows seen of each item.
    seen: Vec<u32>,
}

/// What [`Velf::latent`] makes of a batch of B rows.
#[derive(Debug)]
pub struct Latent {
    /// Item-id embeddings drawn from the posterior, `[B, d]`.
    pub z: Tensor,
    /// a · KL(posterior ‖ prior) + b · KL(prior ‖ N(0, I)), summed over dimensions, mean over rows: a scalar.
    pub penalty: Tensor,
}

impl Velf {
    /// Tables and prior networks for a net whose embeddings have width `dim`, by PyTorch's rules; the posterior gets its
    /// values when pre-training begins.
    pub fn new(config: &VelfConfig, schema: &Schema, dim: usize, build: Build) -> Result<Self> {
        config.check()?;
        let Build { seed, device, backend } = build;
        let side = SideFields::alone(schema, config.side, dim)?;
        let wanted = |name: &str| config.side.wants(schema, name) || POSTERIOR.contains(&name);
        let own = own_schema(schema)?;
        let tables = FeatureEmbedding::new(&own, wanted, "", dim, InitScheme::Torch, seed, device, backend)?;
        let mut params = ParamSet::new(device, seed, InitScheme::Torch);
        let mut p = params.root();
        let mean = two_layers(&mut p.sub("prior.mean"), side.width(), dim);
        let log_var = two_layers(&mut p.sub("prior.log_var"), side.width(), dim);
        let noise = params.keep("noise", stream(seed, "velf.noise"));
        let weights = Weights { tables, params };
        let (config, old, seen) = (config.clone(), None, Vec::new());
        Ok(Self { config, weights, side, mean, log_var, noise, old, seen })
    }

    /// What is trained, besides the net.
    pub fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    /// Posterior and prior of a batch's items. `item` is the place of the item id among the batch's ids.
    fn gaussians(&mut self, batch: &Batch, item: usize, track: bool) -> (Gaussian, Gaussian) {
        // The posterior's two tables are read by the item id.
        let mut own = batch.clone();
        own.ids.extend([batch.ids[item].clone(), batch.ids[item].clone()]);
        let x = self.weights.tables.embed_with(&own, track, None);
        let place = |name: &str| self.weights.tables.slot(name).expect("a table of this method") as i64;
        let [mean, log_var] = POSTERIOR.map(|name| x.fields.select(1, place(name)));
        let s = self.side.vector(&x);
        let prior = Gaussian { mean: self.mean.forward(&s, true), log_var: self.log_var.forward(&s, true) };
        (Gaussian { mean, log_var }, prior)
    }

    /// Draws item-id embeddings with given standard normal `noise` `[B, d]`.
    pub fn latent(&mut self, batch: &Batch, item: usize, noise: &Tensor) -> Result<Latent> {
        ensure!(noise.size()[0] == batch.rows as i64, "one draw per row is needed");
        let (posterior, prior) = self.gaussians(batch, item, true);
        let (a, b) = (self.config.posterior_kl, self.config.prior_kl);
        let penalty = posterior.divergence(&prior) * a + prior.divergence_from_standard() * b;
        Ok(Latent { z: posterior.sample(noise), penalty })
    }

    /// Loss, logits `[B, 1]` and drawn embeddings `[B, d]` of a batch that a frozen net has embedded.
    pub fn loss(
        &mut self,
        net: &Net,
        batch: &GeneratorBatch<'_>,
        noise: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let Latent { z, penalty } = self.latent(batch.batch, batch.item as usize, noise)?;
        let logits = batch.logits_with(net, &z);
        Ok((bce(&logits, batch.labels) + penalty, logits, z))
    }

    fn draw(&mut self, rows: usize) -> Tensor {
        let shape = [rows as i64, self.weights.tables.dim() as i64];
        normal(&shape, &mut self.noise.borrow_mut()).to_device(self.weights.params.device())
    }

    /// The posterior's means start as the net's item-id embeddings do, its deviations at the configured value.
    fn start(&mut self, net: &mut Net, items: &ColdItems<'_>) -> Result<()> {
        let (from, [mean, log_var]) = (item_table(items.schema)?, POSTERIOR);
        let all: Vec<u32> = (0..net.weights.tables.rows(&from)? as u32).collect();
        let means = net.weights.tables.get_rows(&from, &all)?;
        self.weights.tables.set_rows(mean, &all, &means)?;
        let log_vars = means.full_like(2.0 * self.config.initial_std.ln());
        self.weights.tables.set_rows(log_var, &all, &log_vars)
    }

    /// Writes what the method predicts with into the net's rows of all items it knows side information of: λ times the
    /// posterior's mean and 1 - λ times the prior's, λ = n/(n + n_0) of an item seen in n rows.
    fn blend(&mut self, net: &mut Net, items: &ColdItems<'_>) -> Result<()> {
        let (old, old_ids) = self.old.clone().context("VELF blends after pre-training")?;
        let item = item_slot(net, items.schema)?;
        for (rows, ids) in [(&old, &old_ids[..]), (items.new_items, items.new_ids)] {
            overwrite(net, items, rows, ids, |batch, _| {
                let (posterior, prior) = self.gaussians(batch, item, false);
                let share = |i: &u32| {
                    let n = self.seen[*i as usize];
                    n as f32 / (n + self.config.n0) as f32
                };
                let shares: Vec<f32> = batch.ids[item].ids.iter().map(share).collect();
                let shares = Tensor::from_slice(&shares).unsqueeze(1).to_device(posterior.mean.device());
                Ok(&prior.mean + shares * (posterior.mean - &prior.mean))
            })?;
        }
        Ok(())
    }

    fn count(&mut self, rows: &Feed) {
        let items = rows.data().item_ids();
        rows.rows().iter().for_each(|row| self.seen[items[*row as usize] as usize] += 1);
    }
}

/// `schema` with tables `side.<table>`, and two more fields that the item's id reads: the posterior's tables.
fn own_schema(schema: &Schema) -> Result<Schema> {
    let mut own = schema.clone();
    let id = schema.item_id.as_deref().context("the data have no item id")?;
    let table = schema.field(id).and_then(|(_, f)| f.table.as_deref()).context("the item id has no table")?;
    let rows = schema.table(table).context("the item id's table is not listed")?.1.rows;
    let side = |name: &mut String| *name = format!("side.{name}");
    own.tables.iter_mut().for_each(|t| side(&mut t.name));
    own.fields.iter_mut().filter_map(|f| f.table.as_mut()).for_each(side);
    for name in POSTERIOR {
        own.tables.push(Table { name: name.into(), rows });
        let table = Some(name.into());
        own.fields.push(Field { name: name.into(), role: Role::Item, kind: Kind::Id, table });
    }
    Ok(own)
}

impl Resumable for Velf {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.weights.carry(carrier)
    }
}

impl ColdItemMethod for Velf {
    /// Net, posterior and prior together; the net's item-id table stays out of it.
    fn pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        self.start(net, items)?;
        let (item, base) = (item_slot(net, items.schema)?, items.base);
        let epochs = Epochs { epochs: items.training.epochs, batch: items.training.batch, iters: 1 };
        let mut rng = stream(items.seed, "shuffle.pretrain");
        let of_net = Optimizer::new(items.training.optim, &mut net.weights);
        let of_own = Optimizer::new(items.training.optim, &mut self.weights);
        let device = net.weights.params.device();
        let mut learner = (net, of_net, self, of_own);
        let step =
            |(net, of_net, velf, of_own): &mut (&mut Net, _, &mut Self, _), batch: &Batch, _: usize| {
                let noise = velf.draw(batch.rows);
                let Latent { z, penalty } = velf.latent(batch, item, &noise)?;
                let x = net.weights.tables.embed_with(batch, true, Some((item, &z)));
                let loss = loss(&net.forward(&x, true), &labels(batch, device)) + penalty;
                let mut parts = [(of_net, &mut net.weights), (of_own, &mut velf.weights)];
                Optimizer::step_all(&loss, &mut parts)?;
                Ok(loss)
            };
        let trained = fit("pretrain", &mut learner, base, epochs, &mut rng, items.progress, step, None)?;
        record(items, "pretrain", &trained)
    }

    fn pretrained(&mut self) -> Option<&mut Weights> {
        Some(&mut self.weights)
    }

    fn after_pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        self.seen = vec![0; net.weights.tables.rows(&item_table(items.schema)?)?];
        self.count(items.base);
        self.old = Some(one_row_per_item(items.base));
        if self.config.new_items == NewItems::Prior {
            let _guard = tch::no_grad_guard();
            let item = item_slot(net, items.schema)?;
            let mut done = 0;
            for batch in items.new_items.in_order(items.training.batch) {
                let batch = batch?;
                let (_, prior) = self.gaussians(&batch, item, false);
                let ids = &items.new_ids[done..done + batch.rows];
                let [mean, log_var] = POSTERIOR;
                self.weights.tables.set_rows(mean, ids, &prior.mean)?;
                self.weights.tables.set_rows(log_var, ids, &prior.log_var)?;
                done += batch.rows;
            }
        }
        self.blend(net, items)
    }

    /// The posteriors, and where the configuration says so the prior, against the frozen net.
    fn fine_tune(
        &mut self,
        net: &mut Net,
        items: &mut ColdItems<'_>,
        phase: &str,
        rows: &Feed,
    ) -> Result<()> {
        let trained: &[&str] = if self.config.warm_prior { &["*"] } else { &POSTERIOR };
        let _frozen = self.weights.freeze_all_but(trained, Mode::Train)?;
        let stage = format!("fine_tune.{phase}");
        let epochs = Epochs { epochs: items.training.epochs, batch: items.training.batch, iters: 1 };
        let mut rng = stream(items.seed, &format!("shuffle.{stage}"));
        let optimizer = Optimizer::new(items.training.optim, &mut self.weights);
        let mut learner = (self, optimizer);
        against_frozen(
            net,
            items,
            &stage,
            rows,
            epochs,
            &mut rng,
            &mut learner,
            |net, (velf, optimizer), batch| {
                let noise = velf.draw(batch.batch.rows);
                let (loss, ..) = velf.loss(net, batch, &noise)?;
                optimizer.step(&loss, &mut velf.weights)?;
                Ok(loss)
            },
        )
    }

    fn after_phase(&mut self, net: &mut Net, items: &mut ColdItems<'_>, _: &str, rows: &Feed) -> Result<()> {
        self.count(rows);
        self.blend(net, items)
    }
}
