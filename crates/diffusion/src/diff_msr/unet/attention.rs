//! Attention among a row's positions.
use super::norm::scaled;
use scenarec_train::{Init, Params};
use tch::Tensor;

/// Whose exponentials are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A query's over its channels and a key's over positions (Shen et al., 2021): linear in the number of
    /// positions. What comes out is normalised once more.
    Linear,
    /// Those of the products of queries and keys, over positions.
    Full,
}

/// Layer normalisation over channels, attention with several heads, and the input added. Layer normalisations have
/// a scale and no shift.
///
/// Parameters `norm.weight` `[C]`, `qkv.weight` [3 heads D, C, 1], `out.weight` [C, heads D, 1], `out.bias` `[C]`,
/// and for the linear form `out_norm.weight` `[C]`.
#[derive(Debug)]
pub(super) struct Attention {
    norm: Tensor,
    qkv: Tensor,
    out: Tensor,
    bias: Tensor,
    out_norm: Option<Tensor>,
    heads: i64,
}

impl Attention {
    pub(super) fn new(p: &mut Params, channels: i64, heads: i64, head_dim: i64, form: Form) -> Self {
        let inner = heads * head_dim;
        let (into, out_of) = (Init::linear(channels), Init::linear(inner));
        let norm =
            |p: &mut Params, name: &str| p.sub(name).parameter("weight", &[channels], Init::Constant(1.0));
        Self {
            norm: norm(p, "norm"),
            qkv: p.sub("qkv").parameter("weight", &[3 * inner, channels, 1], into),
            out: p.sub("out").parameter("weight", &[channels, inner, 1], out_of),
            bias: p.sub("out").parameter("bias", &[channels], out_of),
            out_norm: (form == Form::Linear).then(|| norm(p, "out_norm")),
            heads,
        }
    }

    pub(super) fn ready(&self) -> ReadyAttention {
        let channels = self.bias.size()[0];
        let qkv = self.qkv.view([3, self.heads, -1, channels]);
        let head_dim = qkv.size()[2];
        let scale = (head_dim as f64).powf(-0.5);
        let [query, key, value] = [0, 1, 2].map(|i| qkv.select(0, i));
        // A head's output is linear in its values, and these in the normalised input: both maps are one.
        let out = self.out.view([channels, self.heads, head_dim]).permute([1, 2, 0]);
        let value = value.transpose(1, 2).bmm(&out).reshape([-1, channels]);
        let [query, key] = [query, key].map(|t| t.transpose(1, 2));
        let (query, value) =
            if self.out_norm.is_some() { (query, value * scale) } else { (query * scale, value) };
        ReadyAttention {
            norm: self.norm.shallow_clone(),
            query,
            key,
            value,
            bias: self.bias.shallow_clone(),
            out_norm: self.out_norm.as_ref().map(Tensor::shallow_clone),
        }
    }
}

/// An [`Attention`] with everything computed that does not depend on rows.
#[derive(Debug)]
pub(super) struct ReadyAttention {
    norm: Tensor,
    /// [heads, C, D] both.
    query: Tensor,
    key: Tensor,
    /// From a position's normalised input to what it adds to another one's output, [heads C, C].
    value: Tensor,
    bias: Tensor,
    out_norm: Option<Tensor>,
}

impl ReadyAttention {
    /// # Shapes
    /// x [B, C, L] -> [B, C, L]
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let [rows, channels, length] = x.size()[..] else { panic!("rows [B, C, L]") };
        let [heads, _, head_dim] = self.query.size()[..] else { panic!("queries [heads, C, D]") };
        let normal = scaled(&x.transpose(1, 2), &self.norm);
        let flat = normal.view([1, -1, channels]).expand([heads, -1, -1], false);
        let each = |map: &Tensor| flat.bmm(map).view([heads * rows, length, head_dim]);
        let (query, key) = (each(&self.query), each(&self.key));
        let weights = match &self.out_norm {
            Some(_) => query.softmax(-1, None).bmm(&key.softmax(1, None).transpose(1, 2)),
            None => query.bmm(&key.transpose(1, 2)).softmax(-1, None),
        };
        // Weights of positions: [B, L heads, L], so that one product serves all heads.
        let weights = weights.view([heads, rows, length, length]).permute([1, 2, 0, 3]);
        let mixed = weights.reshape([rows, length * heads, length]).bmm(&normal);
        let out = self.bias.addmm(&mixed.view([-1, heads * channels]), &self.value);
        let out = match &self.out_norm {
            Some(norm) => scaled(&out, norm),
            None => out,
        };
        (x + out.view([rows, length, channels]).transpose(1, 2)).contiguous()
    }
}
