//! DropoutNet (Volkovs, Yu, Poutanen, NeurIPS 2017) as CVAR's program has it: some of the pre-training's mini-batches do
//! without item-id embeddings, so that the net learns to rely on the other features.
use anyhow::Result;
use rand::RngExt;
use scenarec_data::Schema;
use scenarec_train::{
    Batch, ColdItemMethod, ColdItems, Embedded, Net,
    cold::{item_slot, item_table, supervised_with},
    config::check,
    rng::{Rng, stream},
};
use serde::{Deserialize, Serialize};

/// What stands in the new items' rows in the cold phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColdRows {
    /// What pre-training left there: no data reached them, and weight decay has shrunk them.
    Rows,
    /// The mean of the item-id table, which the net saw in pre-training.
    Mean,
}

/// DropoutNet's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropoutNetConfig {
    /// The registry's name, `dropoutnet`.
    pub name: String,
    /// Probability with which a mini-batch does without item-id embeddings.
    pub probability: f64,
    /// The new items' rows in the cold phase.
    pub cold: ColdRows,
}

impl DropoutNetConfig {
    /// Refuses what is no probability. At 1 the item-id table would never be trained.
    pub fn check(&self) -> Result<()> {
        let p = self.probability;
        check((0.0..1.0).contains(&p), "probability", || format!("{p} is not in [0, 1)"))
    }

    /// The method, with mini-batches chosen by a stream of `seed`.
    pub fn method(&self, seed: u64) -> Result<DropoutNet> {
        self.check()?;
        Ok(DropoutNet { config: self.clone(), choices: stream(seed, "dropoutnet") })
    }
}

/// The method. It has no parameters of its own.
#[derive(Debug)]
pub struct DropoutNet {
    config: DropoutNetConfig,
    choices: Rng,
}

/// A tracked batch in which every row has the mean of the whole item-id table, without a gradient, in the place of its
/// item-id embedding: the table is outside the graph, and takes no step and no decay.
pub fn embed_with_mean_item(net: &mut Net, schema: &Schema, batch: &Batch) -> Result<Embedded> {
    let slot = item_slot(net, schema)?;
    let tables = &mut net.weights.tables;
    let mean = tables.mean(&item_table(schema)?)?.expand([batch.rows as i64, -1], false);
    Ok(tables.embed_with(batch, true, Some((slot, &mean))))
}

impl ColdItemMethod for DropoutNet {
    fn pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        let base = items.base;
        let schema = items.schema;
        let Self { config, choices } = self;
        supervised_with(net, items, "pretrain", base, choices, |net, choices, batch| {
            if choices.random::<f64>() < config.probability {
                embed_with_mean_item(net, schema, batch)
            } else {
                Ok(net.weights.tables.embed_with(batch, true, None))
            }
        })
    }

    fn after_pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        if self.config.cold == ColdRows::Mean {
            let table = item_table(items.schema)?;
            let tables = &mut net.weights.tables;
            let mean = tables.mean(&table)?.expand([items.new_ids.len() as i64, -1], false);
            tables.set_rows(&table, items.new_ids, &mean)?;
        }
        Ok(())
    }
}
