//! SFPNet (Zhang et al., SIGIR 2024): blocks that tailor every field and every behaviour to the scenario, target attention on
//! the tailored behaviours, and a network whose layers' inputs the scenario gates.
//!
//! Shapes: B rows, n fields without the scenario's, N tokens of all rows, d width.
mod block;
mod gate;
mod scenario_dnn;

use crate::{
    behaviours::{Behaviours, Din, DinConfig, TokenVector, mean_of},
    domain_embedding::DomainEmbedding,
    entry,
};
use anyhow::Result;
use block::Block;
use scenarec_data::{Role, Schema};
use scenarec_train::{
    Build, CtrModel, Embedded, EmbeddedSequence, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, check_layers, check_number, resolve},
    model::one_task,
};
use scenario_dnn::ScenarioDnn;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// SFPNet's configuration. The switches of Table 5 are `distribution_aware`, `scenario_adaptive`, `residual_tailoring`,
/// `scenario_dnn`, and `blocks: 0` (without STB).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SfpNetConfig {
    /// The registry's name, `sfpnet`.
    pub name: String,
    /// Width d of all embeddings and of all blocks.
    pub dim: usize,
    /// What a behaviour's vector is made of.
    pub tokens: TokenVector,
    /// Number of scenario-tailoring blocks; 0 for none.
    pub blocks: i64,
    /// Whether behaviours are pooled to mean and deviation (DAP, Eq. 2), not to the mean alone.
    pub distribution_aware: bool,
    /// Whether blocks gate fields and pooled behaviours by the scenario (SAM, Eqs. 3 and 4).
    pub scenario_adaptive: bool,
    /// Whether blocks tailor every field and behaviour (RTM, Eqs. 5 to 7). Without, fields leave a block as they are gated, and
    /// behaviours as they came.
    pub residual_tailoring: bool,
    /// What Eq. 6 adds the context to.
    pub residual_input: ResidualInput,
    /// How the two contexts of the behaviours, 2 d wide, become one in Eq. 7.
    pub context_fold: ContextFold,
    /// Width of the blocks' gates' hidden layer.
    pub gate: i64,
    /// Width of the hidden layer of Eq. 5.
    pub context: i64,
    /// Target attention over the tailored behaviours (Eq. 8).
    pub attention: DinConfig,
    /// Widths of the prediction network.
    pub hidden: Vec<i64>,
    /// Whether the scenario gates the prediction network's inputs (S-DNN, Eqs. 9 to 11).
    pub scenario_dnn: bool,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

/// What Eq. 6 adds the context to. The paper's text has it both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidualInput {
    /// The field as it came into the block, as for behaviours.
    BlockInput,
    /// The gated field.
    GatedInput,
}

/// How the two contexts of the behaviours, of their mean and of their deviation, become as wide as a behaviour. The paper's
/// formula does not fit without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextFold {
    /// Their sum. The layer before is linear: this spans what one context of the right width does.
    Sum,
    /// A gate of its own for each, then the sum.
    TwoGates,
}

impl SfpNetConfig {
    fn check(&self) -> Result<()> {
        check(self.dim > 0, "dim", || "a width of 0".into())?;
        check(self.blocks >= 0, "blocks", || format!("{} is below 0", self.blocks))?;
        check(
            self.blocks == 0 || self.scenario_adaptive || self.residual_tailoring,
            "residual_tailoring",
            || "blocks without both modules do nothing: take none".into(),
        )?;
        check_number(self.gate, "gate")?;
        check_number(self.context, "context")?;
        check_layers("attention.hidden", &self.attention.hidden)?;
        check_layers("hidden", &self.hidden)
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "sfpnet",
    &["{attention.*,blocks.*,dnn.*,domain}"],
    |value| resolve(value, SfpNetConfig::check),
    |schema, value, build| SfpNet::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit()
.sequences();

/// x^0 the fields, v^0 the behaviours, s the scenario; (x^l, v^l) = block_l(x^{l-1}, v^{l-1}, s);
/// logit = DNN(x_1^L ‖ … ‖ x_n^L ‖ DIN(t, v^L), s), t the mean of the item's fields in x^L.
///
/// Parameters `blocks.<l>.*`, `attention.*`, `dnn.*`, and `domain` where the data have no scenario field.
#[derive(Debug)]
pub struct SfpNet {
    scenario: DomainEmbedding,
    /// Places of the other fields among the embedded ones.
    fields: Tensor,
    /// Places of the item's fields among those.
    item: Tensor,
    behaviours: Behaviours,
    blocks: Vec<Block>,
    attention: Din,
    dnn: ScenarioDnn,
}

impl SfpNet {
    /// The model with its tables. It has one task, and no place for real numbers.
    ///
    /// # Errors
    /// Data with several tasks, with real numbers or without behaviour sequences, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &SfpNetConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        let behaviours = Behaviours::new(schema, config.tokens)?;
        let target = behaviours.target()?.to_vec();
        if let Some((_, field)) = schema.reals().next() {
            anyhow::bail!("sfpnet has no place for real numbers, and {:?} is one", field.name);
        }
        Net::new(schema, config.dim, config.init, build, |p| {
            Ok(Box::new(Self::new(p, schema, behaviours, &target, config)))
        })
    }

    fn new(
        p: &mut Params,
        schema: &Schema,
        behaviours: Behaviours,
        target: &[i64],
        config: &SfpNetConfig,
    ) -> Self {
        let d = config.dim as i64;
        let fields: Vec<i64> = schema
            .embedded()
            .enumerate()
            .filter(|(_, (_, f))| f.role != Role::Scenario)
            .map(|(place, _)| place as i64)
            .collect();
        let own = fields.iter().enumerate().filter(|(_, f)| target.contains(f));
        let item: Vec<i64> = own.map(|(place, _)| place as i64).collect();
        let n = fields.len() as i64;
        let block =
            |l: i64, p: &mut Params<'_>| Block::new(&mut p.sub("blocks").sub(&l.to_string()), n, d, config);
        Self {
            scenario: DomainEmbedding::new(p, schema, config.dim, config.init),
            blocks: (0..config.blocks).map(|l| block(l, p)).collect(),
            attention: Din::new(&mut p.sub("attention"), d, &config.attention),
            dnn: ScenarioDnn::new(&mut p.sub("dnn"), (n + 1) * d, d, &config.hidden, config.scenario_dnn),
            behaviours,
            fields: Tensor::from_slice(&fields).to_device(p.device()),
            item: Tensor::from_slice(&item).to_device(p.device()),
        }
    }

    /// The fields and behaviours after the last block.
    fn tailored(&self, x: &Embedded, s: &Tensor) -> (Tensor, EmbeddedSequence) {
        let start = (x.fields.index_select(1, &self.fields), self.behaviours.tokens(x));
        self.blocks.iter().fold(start, |(x, v), block| block.forward(&x, v, s))
    }
}

impl CtrModel for SfpNet {
    /// # Shapes
    /// fields [B, F, d] and sequences [N, d] -> logits [B, 1]
    fn forward(&self, x: &Embedded, _: bool) -> Output {
        let s = self.scenario.forward(x);
        let (fields, behaviours) = self.tailored(x, &s);
        let v = self.attention.forward(&mean_of(&fields, &self.item), &behaviours);
        let h = Tensor::cat(&[fields.flatten(1, 2), v], 1);
        Output { logits: self.dnn.forward(&h, &s), aux: vec![] }
    }
}
