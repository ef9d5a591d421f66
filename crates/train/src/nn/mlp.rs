use super::{BatchNorm, Dropout, LayerNorm, Linear};
use crate::params::Params;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Normalisation between a linear layer and its activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Batch normalisation.
    Batch,
    /// Layer normalisation.
    Layer,
    /// None.
    None,
}

/// Widths and regularisation of an [`Mlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<i64>,
    /// Normalisation of every hidden layer.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
}

#[derive(Debug)]
struct Layer {
    linear: Linear,
    norm: Normalisation,
    dropout: Dropout,
}

#[derive(Debug)]
enum Normalisation {
    Batch(BatchNorm),
    Layer(LayerNorm),
    None,
}

impl Normalisation {
    fn new(p: &mut Params, norm: Norm, channels: i64) -> Self {
        match norm {
            Norm::Batch => Self::Batch(BatchNorm::new(p, channels)),
            Norm::Layer => Self::Layer(LayerNorm::new(p, channels)),
            Norm::None => Self::None,
        }
    }

    fn forward(&self, x: Tensor, train: bool) -> Tensor {
        match self {
            Self::Batch(norm) => norm.forward(&x, train),
            Self::Layer(norm) => norm.forward(&x),
            Self::None => x,
        }
    }
}

/// Per width: Linear -> norm -> ReLU -> dropout; then, where asked for, Linear to the outputs.
///
/// Parameters `<i>.linear.*`, `<i>.norm.*` and `out.*`.
#[derive(Debug)]
pub struct Mlp {
    layers: Vec<Layer>,
    out: Option<Linear>,
}

impl Mlp {
    /// `outputs` is the width of the last linear layer, none to end with the last hidden layer.
    pub fn new(p: &mut Params, inputs: i64, config: &MlpConfig, outputs: Option<i64>) -> Self {
        let mut width = inputs;
        let mut layers = Vec::new();
        for (i, &hidden) in config.hidden.iter().enumerate() {
            let mut p = p.sub(&i.to_string());
            let linear = Linear::new(&mut p.sub("linear"), width, hidden);
            let norm = Normalisation::new(&mut p.sub("norm"), config.norm, hidden);
            layers.push(Layer { linear, norm, dropout: Dropout::new(&p, "dropout", config.dropout) });
            width = hidden;
        }
        Self { layers, out: outputs.map(|o| Linear::new(&mut p.sub("out"), width, o)) }
    }

    /// # Shapes
    /// x [B, in] -> [B, out], or [B, last hidden width] without an output layer
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.forward_gated(x, train, |_, x| x)
    }

    /// The same where what goes into layer number l, the output layer's included, passes `gate(l, x)` first.
    ///
    /// # Shapes
    /// x [B, in], `gate` (l, [B, in of l]) -> [B, in of l]; -> as [`forward`](Self::forward)
    pub fn forward_gated(
        &self,
        x: &Tensor,
        train: bool,
        mut gate: impl FnMut(usize, Tensor) -> Tensor,
    ) -> Tensor {
        let mut x = x.shallow_clone();
        for (l, layer) in self.layers.iter().enumerate() {
            x = layer.norm.forward(layer.linear.forward(&gate(l, x)), train);
            x = layer.dropout.forward(&rectified(x), train);
        }
        match &self.out {
            Some(out) => out.forward(&gate(self.layers.len(), x)),
            None => x,
        }
    }
}

/// ReLU in the memory of its input, which nobody else may need: the output of a layer or a normalisation.
pub(super) fn rectified(mut x: Tensor) -> Tensor {
    x.relu_()
}
