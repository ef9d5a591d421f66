//! Meta-E, meta-embeddings (Pan et al., SIGIR 2019), as CVAR's program has it: a generator of item-id embeddings from
//! side information, trained for what its embeddings become after one step of learning.
//!
//! Shapes: B rows, d width of embeddings (16), D_s width of side information.
use crate::two_layers::{no_tables, two_layers};
use anyhow::{Context, Result, ensure};
use scenarec_data::Schema;
use scenarec_train::{
    Build, Carrier, ColdItemMethod, ColdItems, Embedded, Epochs, Feed, InitScheme, Net, Optimizer, ParamSet,
    Resumable, Weights, bce,
    cold::{GeneratorBatch, SideChoice, SideFields, against_frozen, overwrite, rows_by_item},
    config::check,
    labels,
    nn::Mlp,
    rng::stream,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Meta-E's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaEConfig {
    /// The registry's name, `meta-e`.
    pub name: String,
    /// Which fields are side information.
    pub side: SideChoice,
    /// Rate of the one step of learning inside the loss.
    pub inner_lr: f64,
    /// Weight of the loss before that step; the loss after it has the rest of 1.
    pub support_weight: f64,
    /// Passes; pass e learns from quarter e of every item's rows and is judged on the next quarter.
    pub epochs: usize,
}

impl MetaEConfig {
    /// Refuses values under which the loss is not defined.
    pub fn check(&self) -> Result<()> {
        let &Self { inner_lr, support_weight, epochs, .. } = self;
        let rate = inner_lr >= 0.0 && inner_lr.is_finite();
        check(rate, "inner_lr", || format!("{inner_lr} is not a number from 0 on"))?;
        let share = (0.0..=1.0).contains(&support_weight);
        check(share, "support_weight", || format!("{support_weight} is not in [0, 1]"))?;
        check(epochs > 0, "epochs", || "0: the generator would never be trained".into())
    }
}

/// The method. Parameters `generate.0.linear.*` and `generate.out.*`.
#[derive(Debug)]
pub struct MetaE {
    config: MetaEConfig,
    weights: Weights,
    side: SideFields,
    generate: Mlp,
}

impl MetaE {
    /// A generator for a net whose embeddings have width `dim`, with PyTorch's initial values: the released program has a
    /// function for smaller ones and does not call it.
    pub fn new(config: &MetaEConfig, schema: &Schema, dim: usize, build: Build) -> Result<Self> {
        config.check()?;
        let side = SideFields::in_net(schema, config.side, dim)?;
        let mut params = ParamSet::new(build.device, build.seed, InitScheme::Torch);
        let generate = two_layers(&mut params.root().sub("generate"), side.width(), dim);
        let weights = Weights { tables: no_tables(schema, dim, build)?, params };
        Ok(Self { config: config.clone(), weights, side, generate })
    }

    /// What is trained.
    pub fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    /// The item-id embeddings of a batch that the net has embedded.
    ///
    /// # Shapes
    /// -> `[B, d]`
    pub fn generate(&self, x: &Embedded) -> Tensor {
        self.generate.forward(&self.side.vector(x), true)
    }

    /// Loss, logits `[B, 1]` after the inner step and generated embeddings `[B, d]`. Row b of `support` and row b of
    /// `query` are of one item.
    ///
    /// The inner gradient stays in the graph, so the loss reaches the generator through it too.
    pub fn loss(
        &self,
        net: &Net,
        support: &GeneratorBatch<'_>,
        query: &GeneratorBatch<'_>,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        ensure!(support.batch.rows == query.batch.rows, "a query row for every support row is needed");
        let generated = self.generate(support.embedded);
        let before = bce(&support.logits_with(net, &generated), support.labels);
        let (keep_graph, create_graph) = (true, true);
        let gradient = Tensor::f_run_backward(&[&before], &[&generated], keep_graph, create_graph)?.remove(0);
        let logits = query.logits_with(net, &(&generated - gradient * self.config.inner_lr));
        let w = self.config.support_weight;
        let loss = before * w + bce(&logits, query.labels) * (1.0 - w);
        Ok((loss, logits, generated))
    }

    fn train(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        let quarters = quarters(items.base);
        let order = stream(items.seed, "shuffle.generator");
        let optimizer = Optimizer::new(items.training.optim, &mut self.weights);
        let config = self.config.clone();
        let mut learner = (self, optimizer);
        let device = net.weights.params.device();
        let batch = items.training.batch;
        for epoch in 0..config.epochs {
            let (support, query) = (&quarters[epoch % 4], &quarters[(epoch + 1) % 4]);
            ensure!(
                support.keeps_partners() && query.keeps_partners(),
                "Meta-E needs its rows in memory: set `memory: resident` in the dataset's file"
            );
            // Lists of one length take the same order from the same stream, so rows keep to their partners.
            let queries = query.shuffled(batch, &mut order.clone());
            let once = Epochs { epochs: 1, batch, iters: 1 };
            let mut both = (&mut learner, queries);
            let mut rng = order.clone();
            against_frozen(
                net,
                items,
                "generator",
                support,
                once,
                &mut rng,
                &mut both,
                |net, both, support| {
                    let ((meta, optimizer), queries) = both;
                    let batch =
                        &queries.next().context("there is a query batch for every support batch")??;
                    let (embedded, labels) = (&net.weights.tables.embed(batch), &labels(batch, device));
                    let query = GeneratorBatch { batch, embedded, labels, ..*support };
                    let loss = meta.loss(net, support, &query)?.0;
                    optimizer.step(&loss, &mut meta.weights)?;
                    Ok(loss)
                },
            )?;
        }
        Ok(())
    }
}

impl Resumable for MetaE {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.weights.carry(carrier)
    }
}

/// Each item's rows cut into four parts of ⌊n/4⌋ rows, in order; the first parts of all items, the second ones, and so
/// on. Row r of one of the four is of the same item as row r of the others. Up to three rows of an item are left out.
pub fn quarters(rows: &Feed) -> [Feed; 4] {
    let mut parts: [Vec<u32>; 4] = Default::default();
    for rows in rows_by_item(rows).values() {
        let n = rows.len() / 4;
        for (quarter, part) in parts.iter_mut().enumerate() {
            part.extend(&rows[quarter * n..(quarter + 1) * n]);
        }
    }
    parts.map(|part| Feed::new(rows.data().clone(), part))
}

impl ColdItemMethod for MetaE {
    fn after_pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        self.train(net, items)?;
        overwrite(net, items, items.new_items, items.new_ids, |_, x| Ok(self.generate(x)))
    }
}
