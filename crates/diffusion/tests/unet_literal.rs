//! The released program's denoiser as a program would write it down: libtorch's own convolutions and
//! normalisations, one layer after the other, from weights by name.
use scenarec_diffusion::diff_msr::{UnetConfig, UnetKind};
use scenarec_train::State;
use tch::{Kind, Tensor};

/// The network on noised rows.
///
/// # Shapes
/// z [B, C, d], t i64 `[B]` -> [B, C, d]
pub fn unet(w: &State, config: &UnetConfig, z: &Tensor, t: &Tensor) -> Tensor {
    let net = Literal { w, config };
    let time = net.time(t);
    let (same, last) = (|x: &Tensor, name: &str| net.conv(x, name, 1, 0), config.channels.len() - 1);
    let halves = config.kind == UnetKind::Resnet1d;
    let stem = same(z, "stem");
    let (mut x, mut passed) = (stem.shallow_clone(), Vec::new());
    for i in 0..=last {
        x = net.block(&x, &format!("down.{i}.0"), &time);
        passed.push(x.shallow_clone());
        x = net.block(&x, &format!("down.{i}.1"), &time);
        x = net.linear_attention(&x, &format!("down.{i}.attention"));
        passed.push(x.shallow_clone());
        let name = format!("down.{i}.resample");
        x = if halves && i < last { net.conv(&x, &name, 2, 1) } else { same(&x, &name) };
    }
    x = net.block(&x, "middle.0", &time);
    x = net.full_attention(&x, "middle.attention");
    x = net.block(&x, "middle.1", &time);
    for i in 0..=last {
        x = net.block(&Tensor::cat(&[x, passed.pop().unwrap()], 1), &format!("up.{i}.0"), &time);
        x = net.block(&Tensor::cat(&[x, passed.pop().unwrap()], 1), &format!("up.{i}.1"), &time);
        x = net.linear_attention(&x, &format!("up.{i}.attention"));
        let name = format!("up.{i}.resample");
        x = if halves && i < last {
            net.conv(&x.upsample_nearest1d([2 * x.size()[2]], None), &name, 1, 1)
        } else {
            same(&x, &name)
        };
    }
    same(&net.block(&Tensor::cat(&[x, stem], 1), "head", &time), "out")
}

struct Literal<'a> {
    w: &'a State,
    config: &'a UnetConfig,
}

impl Literal<'_> {
    fn get(&self, name: &str) -> &Tensor {
        &self.w[name]
    }

    fn linear(&self, x: &Tensor, name: &str) -> Tensor {
        x.linear(self.get(&format!("{name}.weight")), Some(self.get(&format!("{name}.bias"))))
    }

    fn conv(&self, x: &Tensor, name: &str, stride: i64, padding: i64) -> Tensor {
        let bias = self.get(&format!("{name}.bias"));
        x.conv1d(self.get(&format!("{name}.weight")), Some(bias), stride, padding, 1, 1)
    }

    fn time(&self, t: &Tensor) -> Tensor {
        let half = self.config.channels[0] / 2;
        let rate = -(10_000f64.ln()) / (half - 1) as f64;
        let frequencies = (Tensor::arange(half, (Kind::Float, t.device())) * rate).exp();
        let angles = t.to_kind(Kind::Float).unsqueeze(1) * frequencies.unsqueeze(0);
        let x = Tensor::cat(&[angles.sin(), angles.cos()], 1);
        self.linear(&self.linear(&x, "time.0").gelu("none"), "time.1")
    }

    /// A standardised convolution and a group normalisation.
    fn half(&self, x: &Tensor, name: &str) -> Tensor {
        let weight = self.get(&format!("{name}.conv.weight"));
        let (variance, mean) = weight.var_mean_dim([1i64, 2].as_slice(), false, true);
        let weight = (weight - mean) * (variance + 1e-5).rsqrt();
        let bias = self.get(&format!("{name}.conv.bias"));
        let y = x.conv1d(&weight, Some(bias), 1, weight.size()[2] / 2, 1, 1);
        let norm = ["weight", "bias"].map(|part| self.get(&format!("{name}.norm.{part}")));
        y.group_norm(8, Some(norm[0]), Some(norm[1]), 1e-5, false)
    }

    fn block(&self, x: &Tensor, name: &str, time: &Tensor) -> Tensor {
        let of_time = self.linear(&time.silu(), &format!("{name}.time")).unsqueeze(-1).chunk(2, 1);
        let y = (self.half(x, &format!("{name}.0")) * (&of_time[0] + 1.0) + &of_time[1]).silu();
        let y = self.half(&y, &format!("{name}.1")).silu();
        let skip = format!("{name}.skip");
        y + if self.w.contains_key(&format!("{skip}.weight")) {
            self.conv(x, &skip, 1, 0)
        } else {
            x.shallow_clone()
        }
    }

    /// Over channels, with a scale only.
    fn layer_norm(&self, x: &Tensor, name: &str) -> Tensor {
        let (variance, mean) = x.var_mean_dim([1i64].as_slice(), false, true);
        (x - mean) * (variance + 1e-5).rsqrt() * self.get(&format!("{name}.weight")).view([1, -1, 1])
    }

    /// Queries, keys and values [B, heads, D, L].
    fn qkv(&self, x: &Tensor, name: &str) -> [Tensor; 3] {
        let normal = self.layer_norm(x, &format!("{name}.norm"));
        let all = normal.conv1d::<&Tensor>(self.get(&format!("{name}.qkv.weight")), None, 1, 0, 1, 1);
        let &UnetConfig { heads, head_dim, .. } = self.config;
        let parts = all.chunk(3, 1).into_iter().map(|t| t.view([x.size()[0], heads, head_dim, -1]));
        parts.collect::<Vec<_>>().try_into().unwrap()
    }

    fn linear_attention(&self, x: &Tensor, name: &str) -> Tensor {
        let [query, key, value] = self.qkv(x, name);
        let query = query.softmax(2, None) / (self.config.head_dim as f64).sqrt();
        let context = key.softmax(3, None).matmul(&value.transpose(2, 3));
        let mixed = context.transpose(2, 3).matmul(&query).flatten(1, 2);
        self.layer_norm(&self.conv(&mixed, &format!("{name}.out"), 1, 0), &format!("{name}.out_norm")) + x
    }

    fn full_attention(&self, x: &Tensor, name: &str) -> Tensor {
        let [query, key, value] = self.qkv(x, name);
        let query = query / (self.config.head_dim as f64).sqrt();
        let weights = query.transpose(2, 3).matmul(&key).softmax(-1, None);
        let mixed = weights.matmul(&value.transpose(2, 3)).transpose(2, 3).flatten(1, 2);
        self.conv(&mixed, &format!("{name}.out"), 1, 0) + x
    }
}
