//! Behaviour sequences: what their tokens are, how they become one vector, and how a model that knows none gets it.
//!
//! Shapes: B rows, N tokens of all rows, d width, S sequences of one behaviour list (its items, their brands, …), F fields.
mod din;

pub(crate) use din::Din;
pub use din::DinConfig;

use anyhow::{Context, Result, ensure};
use scenarec_data::{Field, Kind, Role, Schema};
use scenarec_train::{
    CtrModel, Embedded, EmbeddedSequence, Net, Output, Params, config::check_layers, model::Around,
};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use tch::{Kind as TensorKind, Tensor};

/// The key of models' configurations.
const KEY: &str = "behaviours";

/// How behaviour sequences become a field of a model that knows no sequences: the key `behaviours` of its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehavioursConfig {
    /// What a token's vector is made of.
    pub tokens: TokenVector,
    /// What the tokens' vectors become.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub pooling: BehaviourPooling,
}

/// What a token's vector is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenVector {
    /// The mean of all its sequences' vectors. Target attention asks with the mean of the item's fields.
    Mean,
    /// Their sum.
    Sum,
    /// The vector of the item's id alone, without its attributes. Target attention asks with the target's id.
    Item,
}

/// How a row's tokens become one vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BehaviourPooling {
    /// Their mean; 0 for a row without tokens.
    Mean,
    /// Target attention (DIN).
    Din(DinConfig),
}

impl BehavioursConfig {
    /// The configuration under [`KEY`], checked and taken out of a model's; none where it is absent.
    fn take(config: &mut Value) -> Result<Option<Self>> {
        let Some(own) = config.as_mapping_mut().and_then(|map| map.shift_remove(KEY)) else {
            return Ok(None);
        };
        let own: Self = serde_yaml::from_value(own).context(KEY)?;
        if let BehaviourPooling::Din(din) = &own.pooling {
            check_layers("behaviours.pooling.din.hidden", &din.hidden)?;
        }
        Ok(Some(own))
    }
}

/// A model's tokens: what of a batch they are made of.
#[derive(Debug)]
pub(crate) struct Behaviours {
    /// Places of the sequences.
    sequences: Vec<usize>,
    vector: TokenVector,
    /// Places of the fields whose mean target attention asks with, i64.
    target: Vec<i64>,
}

impl Behaviours {
    /// An error unless the data have behaviour sequences of one list.
    pub(crate) fn new(schema: &Schema, vector: TokenVector) -> Result<Self> {
        check_sequences(schema)?;
        let (id, table) = schema.item_id.as_ref().map_or((None, None), |name| {
            let field = schema.field(name).map(|(_, f)| f);
            (Some(name), field.and_then(|f| f.table.as_ref()))
        });
        let of_item = vector == TokenVector::Item;
        let fields = schema.embedded().enumerate();
        let target: Vec<i64> = fields
            .filter(|(_, (_, f))| if of_item { Some(&f.name) == id } else { f.role == Role::Item })
            .map(|(slot, _)| slot as i64)
            .collect();
        let sequences = schema.sequences().enumerate();
        let sequences: Vec<usize> = sequences
            .filter(|(_, (_, f))| !of_item || f.table.as_ref() == table)
            .map(|(place, _)| place)
            .collect();
        ensure!(!sequences.is_empty(), "behaviours: the data have no sequence of item ids");
        Ok(Self { sequences, vector, target })
    }

    /// The tokens of a batch.
    ///
    /// # Shapes
    /// sequences [N, d] -> [N, d]
    pub(crate) fn tokens(&self, x: &Embedded) -> EmbeddedSequence {
        let (first, rest) = self.sequences.split_first().expect("at least one");
        let first = &x.sequences[*first];
        let sum = rest.iter().fold(first.x.shallow_clone(), |sum, s| sum + &x.sequences[*s].x);
        let mean = self.vector == TokenVector::Mean && !rest.is_empty();
        first.with(if mean { sum / self.sequences.len() as f64 } else { sum })
    }

    /// Places of the fields whose mean target attention asks with.
    pub(crate) fn target(&self) -> Result<&[i64]> {
        ensure!(!self.target.is_empty(), "behaviours: the data have no field of the item to attend with");
        Ok(&self.target)
    }
}

/// An error unless the data have behaviour sequences of one list.
fn check_sequences(schema: &Schema) -> Result<()> {
    let lengths: Vec<Kind> = schema.sequences().map(|(_, f)| f.kind).collect();
    ensure!(!lengths.is_empty(), "behaviours: the data have no behaviour sequences");
    ensure!(
        lengths.iter().all(|l| *l == lengths[0]),
        "behaviours: the sequences are kept at different lengths"
    );
    Ok(())
}

/// The mean of the fields in some places, i64.
///
/// # Shapes
/// fields [B, F, d] -> [B, d]
pub(crate) fn mean_of(fields: &Tensor, places: &Tensor) -> Tensor {
    fields.index_select(1, places).mean_dim([1i64].as_slice(), false, TensorKind::Float)
}

/// A schema with one more embedded field, the last one: the pooled behaviours.
pub(crate) fn extended(schema: &Schema) -> Result<Schema> {
    check_sequences(schema)?;
    let mut schema = schema.clone();
    schema.fields.push(Field { name: KEY.into(), role: Role::User, kind: Kind::Pooled, table: None });
    Ok(schema)
}

/// Around every model that does not read sequences itself.
pub(crate) const AROUND: Around = Around {
    resolve: |inner, mut config| {
        let own = BehavioursConfig::take(&mut config)?;
        let mut config = inner(config)?;
        if let Some(own) = own {
            config[KEY] = serde_yaml::to_value(own)?;
        }
        Ok(config)
    },
    build: |inner, schema, mut config, build| match BehavioursConfig::take(&mut config)? {
        Some(own) => with_behaviours(inner(&extended(schema)?, config, build)?, schema, &own),
        None => {
            let mut schema = schema.clone();
            schema.fields.retain(|f| !matches!(f.kind, Kind::Sequence { .. }));
            inner(&schema, config, build)
        }
    },
};

/// Puts the pooled behaviours behind the fields that a model sees. The model was built for [`extended`].
fn with_behaviours(net: Net, schema: &Schema, config: &BehavioursConfig) -> Result<Net> {
    let (behaviours, dim) = (Behaviours::new(schema, config.tokens)?, net.weights.tables.dim() as i64);
    let pooler = match &config.pooling {
        BehaviourPooling::Mean => None,
        BehaviourPooling::Din(din) => Some((din, behaviours.target()?.to_vec())),
    };
    Ok(net.wrapped(|p: &mut Params<'_>, model| {
        let din = pooler.map(|(din, target)| {
            let target = Tensor::from_slice(&target).to_device(p.device());
            (Din::new(&mut p.sub(KEY), dim, din), target)
        });
        Box::new(WithBehaviours { model, behaviours, din })
    }))
}

/// A model whose last field is the pooled behaviours. Parameters `behaviours.*`.
struct WithBehaviours {
    model: Box<dyn CtrModel>,
    behaviours: Behaviours,
    din: Option<(Din, Tensor)>,
}

impl WithBehaviours {
    fn extended(&self, x: &Embedded) -> Embedded {
        let tokens = self.behaviours.tokens(x);
        let pooled = match &self.din {
            None => tokens.rows.mean(&tokens.x),
            Some((din, target)) => din.forward(&mean_of(&x.fields, target), &tokens),
        };
        x.with_more(&pooled.unsqueeze(1))
    }
}

impl CtrModel for WithBehaviours {
    /// # Shapes
    /// fields [B, F, d] and sequences [N, d] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        self.model.forward(&self.extended(x), train)
    }

    fn fusion_weights(&self) -> Vec<(String, f64)> {
        self.model.fusion_weights()
    }

    fn representations(&self, x: &Embedded) -> Vec<(String, Tensor)> {
        self.model.representations(&self.extended(x))
    }
}
