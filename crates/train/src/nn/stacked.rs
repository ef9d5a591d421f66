//! Networks of one shape side by side: experts, towers.
use super::{Dropout, MlpConfig, Norm, layer_norm::EPS, mlp::rectified};
use crate::{init::Init, params::Params};
use std::ops::Range;
use tch::{Kind, Tensor};

/// K linear layers of one shape. Parameters `weight` [K, in, out] and `bias` [K, out].
#[derive(Debug)]
pub struct StackedLinear {
    weight: Tensor,
    bias: Tensor,
}

impl StackedLinear {
    /// With `torch.nn.Linear`'s initial values.
    pub fn new(p: &mut Params, copies: i64, inputs: i64, outputs: i64) -> Self {
        let init = Init::linear(inputs);
        Self {
            weight: p.parameter("weight", &[copies, inputs, outputs], init),
            bias: p.parameter("bias", &[copies, outputs], init),
        }
    }

    /// Number of copies K.
    pub fn copies(&self) -> i64 {
        self.weight.size()[0]
    }

    /// The copies of `range` on the same input, as one product.
    ///
    /// # Shapes
    /// x [B, in] -> [B, k, out]
    ///
    /// # Panics
    /// Where the widths do not agree.
    pub fn on_one(&self, x: &Tensor, range: Range<i64>) -> Tensor {
        let (weight, bias) = (part(&self.weight, &range), part(&self.bias, &range));
        let [k, inputs, outputs] = weight.size()[..] else { panic!("a stack of matrices") };
        let weight = weight.permute([0, 2, 1]).reshape([k * outputs, inputs]);
        x.linear(&weight, Some(bias.reshape([-1]))).view([-1, k, outputs])
    }

    /// Each copy of `range` on an input of its own.
    ///
    /// # Shapes
    /// x [k, B, in] -> [k, B, out]
    pub fn on_each(&self, x: &Tensor, range: Range<i64>) -> Tensor {
        part(&self.bias, &range).unsqueeze(1).baddbmm(x, &part(&self.weight, &range), 1.0, 1.0)
    }
}

/// Some copies' parameters.
fn part(stack: &Tensor, range: &Range<i64>) -> Tensor {
    if *range == (0..stack.size()[0]) {
        return stack.shallow_clone();
    }
    stack.narrow(0, range.start, range.end - range.start)
}

#[derive(Debug)]
struct Layer {
    linear: StackedLinear,
    norm: Option<StackedNorm>,
    dropout: Dropout,
}

/// K normalisations. Parameters `weight`, `bias` [K, C]; batch norm has buffers `running_mean`, `running_var` [K, C].
#[derive(Debug)]
struct StackedNorm {
    weight: Tensor,
    bias: Tensor,
    running: Option<[Tensor; 2]>,
}

impl StackedNorm {
    fn new(p: &mut Params, norm: Norm, copies: i64, channels: i64) -> Option<Self> {
        let shape = [copies, channels];
        Some(Self {
            running: match norm {
                Norm::None => return None,
                Norm::Layer => None,
                Norm::Batch => {
                    Some([p.buffer("running_mean", &shape, 0.0), p.buffer("running_var", &shape, 1.0)])
                }
            },
            weight: p.parameter("weight", &shape, Init::Constant(1.0)),
            bias: p.parameter("bias", &shape, Init::Constant(0.0)),
        })
    }

    /// `copies` is the dimension of x along which the copies lie, 0 or 1; the last one is C.
    fn forward(&self, x: &Tensor, range: &Range<i64>, copies: i64, train: bool) -> Tensor {
        let [weight, bias] = [&self.weight, &self.bias].map(|t| part(t, range));
        let Some(running) = &self.running else {
            let [weight, bias] = [weight, bias].map(|t| t.unsqueeze(1 - copies));
            return bias
                .addcmul(&x.layer_norm(&x.size()[2..], None::<Tensor>, None::<Tensor>, EPS, false), &weight);
        };
        let rows = x.size()[1 - copies as usize];
        // Of one row there is no variance; of none there are no statistics to learn from.
        assert!(!train || rows != 1, "batch norm in training needs more than one row");
        if rows == 0 {
            return x.shallow_clone();
        }
        let [mean, var] = running.each_ref().map(|t| part(t, range));
        let by_row = if copies == 0 { x.transpose(0, 1) } else { x.shallow_clone() };
        let flat = |t: &Tensor| t.view([-1]);
        let [w, b, mean, var] = [&weight, &bias, &mean, &var].map(flat);
        let y = by_row.flatten(1, 2).batch_norm(
            Some(&w),
            Some(&b),
            Some(&mean),
            Some(&var),
            train,
            0.1,
            EPS,
            false,
        );
        let y = y.view_as(&by_row);
        if copies == 0 { y.transpose(0, 1) } else { y }
    }
}

/// K copies of an [`Mlp`](super::Mlp), each with its own parameters, run together.
///
/// Parameters as an `Mlp`'s, `<i>.linear.*`, `<i>.norm.*` and `out.*`, with a first dimension for the copies and linear
/// weights [K, in, out].
#[derive(Debug)]
pub struct StackedMlp {
    layers: Vec<Layer>,
    out: Option<StackedLinear>,
    copies: i64,
}

impl StackedMlp {
    /// `outputs` is the width of the last linear layer, none to end with the last hidden layer. There is at least one
    /// layer.
    ///
    /// # Panics
    /// Without any layer.
    pub fn new(p: &mut Params, copies: i64, inputs: i64, config: &MlpConfig, outputs: Option<i64>) -> Self {
        assert!(!config.hidden.is_empty() || outputs.is_some(), "a stack needs a layer");
        let mut width = inputs;
        let mut layers = Vec::new();
        for (i, &hidden) in config.hidden.iter().enumerate() {
            let mut p = p.sub(&i.to_string());
            let linear = StackedLinear::new(&mut p.sub("linear"), copies, width, hidden);
            let norm = StackedNorm::new(&mut p.sub("norm"), config.norm, copies, hidden);
            layers.push(Layer { linear, norm, dropout: Dropout::new(&p, "dropout", config.dropout) });
            width = hidden;
        }
        let out = outputs.map(|o| StackedLinear::new(&mut p.sub("out"), copies, width, o));
        Self { layers, out, copies }
    }

    /// All copies on the same input.
    ///
    /// # Shapes
    /// x [B, in] -> [K, B, out], or [K, B, last hidden width] without an output layer
    pub fn on_one(&self, x: &Tensor, train: bool) -> Tensor {
        self.some_on_one(x, 0..self.copies, train)
    }

    /// The copies of `range` on the same input.
    ///
    /// # Shapes
    /// x [B, in] -> [k, B, out]
    ///
    /// # Panics
    /// Where the widths do not agree; with batch norm, in training with one row.
    pub fn some_on_one(&self, x: &Tensor, range: Range<i64>, train: bool) -> Tensor {
        match &self.layers[..] {
            [] => {
                let out = self.out.as_ref().expect("a stack has a layer");
                out.on_one(x, range).transpose(0, 1)
            }
            [first, rest @ ..] => {
                let y = first.after_linear(first.linear.on_one(x, range.clone()), &range, 1, train);
                self.rest(rest, y.transpose(0, 1), range, train)
            }
        }
    }

    /// The copies of `range`, each on an input of its own.
    ///
    /// # Shapes
    /// x [k, B, in] -> [k, B, out]
    pub fn some_on_each(&self, x: &Tensor, range: Range<i64>, train: bool) -> Tensor {
        self.rest(&self.layers, x.shallow_clone(), range, train)
    }

    fn rest(&self, layers: &[Layer], mut x: Tensor, range: Range<i64>, train: bool) -> Tensor {
        for layer in layers {
            x = layer.after_linear(layer.linear.on_each(&x, range.clone()), &range, 0, train);
        }
        match &self.out {
            Some(out) => out.on_each(&x, range),
            None => x,
        }
    }
}

impl Layer {
    fn after_linear(&self, x: Tensor, range: &Range<i64>, copies: i64, train: bool) -> Tensor {
        let x = match &self.norm {
            Some(norm) => norm.forward(&x, range, copies, train),
            None => x,
        };
        self.dropout.forward(&rectified(x), train)
    }
}

/// The sum of experts' outputs, weighted by gates that sum to 1.
///
/// # Shapes
/// gates [B, T, M] (logits), experts [M, B, E] -> [B, T, E]
pub fn mix(gates: &Tensor, experts: &Tensor) -> Tensor {
    if experts.size()[0] == 1 {
        // The only weight is 1; the product with it keeps the gate part of the graph, with a gradient of zero.
        return gates.softmax(-1, Kind::Float) * experts.transpose(0, 1);
    }
    gates.softmax(-1, Kind::Float).bmm(&experts.transpose(0, 1))
}
