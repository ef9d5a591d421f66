//! A model of one's own: the user's fields through one network, the item's through another; the more the two results agree, the
//! likelier the click.
//!
//! Shapes: B rows, d width of the embeddings, E width of a tower's result.
use anyhow::{Result, ensure};
use scenarec_data::{Role, Schema};
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, Net, Output, Params,
    nn::{Mlp, MlpConfig, Norm},
};
use tch::{Kind, Tensor};

/// Width d of all embeddings.
const DIM: usize = 16;

/// logit = <user tower, item tower> / √E + bias. Fields that are neither the user's nor the item's are not looked at.
///
/// Parameters `user.*`, `item.*`, `bias`.
pub struct TwoTowers {
    user: Tower,
    item: Tower,
    bias: Tensor,
}

impl TwoTowers {
    /// The model with its tables, for data with one task.
    pub fn net(schema: &Schema, seed: u64) -> Result<Net> {
        ensure!(schema.tasks.len() == 1, "two towers have one logit, the data {} tasks", schema.tasks.len());
        Net::new(schema, DIM, InitScheme::Torch, Build::cpu(seed), |p| {
            let user = Tower::new(&mut p.sub("user"), schema, Role::User)?;
            let item = Tower::new(&mut p.sub("item"), schema, Role::Item)?;
            Ok(Box::new(Self { user, item, bias: p.parameter("bias", &[1], Init::Constant(0.0)) }))
        })
    }
}

impl CtrModel for TwoTowers {
    /// # Shapes
    /// fields [B, F, d] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let (user, item) = (self.user.forward(x, train), self.item.forward(x, train));
        let width = user.size()[1] as f64;
        let agreement = (user * item).sum_dim_intlist(1, true, Kind::Float) / width.sqrt();
        Output { logits: agreement + &self.bias, aux: vec![] }
    }
}

/// A network on the fields of one role.
struct Tower {
    /// Their places among the embedded fields.
    places: Tensor,
    mlp: Mlp,
}

impl Tower {
    fn new(p: &mut Params, schema: &Schema, role: Role) -> Result<Self> {
        let own = schema.embedded().enumerate().filter(|(_, (_, field))| field.role == role);
        let places: Vec<i64> = own.map(|(place, _)| place as i64).collect();
        ensure!(!places.is_empty(), "no field has the role {role:?}");
        let config = MlpConfig { hidden: vec![32], norm: Norm::None, dropout: 0.1 };
        let mlp = Mlp::new(p, (places.len() * DIM) as i64, &config, Some(16));
        Ok(Self { places: Tensor::from_slice(&places).to_device(p.device()), mlp })
    }

    /// # Shapes
    /// fields [B, F, d] -> [B, E]
    fn forward(&self, x: &Embedded, train: bool) -> Tensor {
        self.mlp.forward(&x.fields.index_select(1, &self.places).flatten(1, 2), train)
    }
}
