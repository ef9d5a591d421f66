//! The denoiser: a small 1-D U-Net over the positions of a row's vectors, with the fields as channels (Diff-MSR,
//! section 2.3.3; its layers are the released program's).
//!
//! Shapes: B rows, C fields, d width of their vectors (the first length L), w the number of first channels.
mod attention;
mod block;
mod conv;
mod norm;
mod time;

use anyhow::Result;
use attention::{Attention, Form, ReadyAttention};
use block::{GROUPS, ReadyResBlock, ResBlock};
use conv::{Conv, Geometry, ReadyConv};
use scenarec_train::{Params, config::check};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};
use time::TimeEmbedding;

/// Rows that are denoised at once: of more, what passes between layers needs more memory and takes no less time.
const PIECE: i64 = 512;

/// Which convolutions the network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnetKind {
    /// The released program's: kernel 3 in residual blocks, each level half as long as the one before.
    Resnet1d,
    /// Kernel 1 everywhere and one length: "1x1 convolutions", as the paper says.
    Pointwise,
}

/// The network's sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnetConfig {
    /// Which convolutions it has.
    pub kind: UnetKind,
    /// Channels of the levels (the paper: 16, 32, 64, 128), of which the first are also those of the stem.
    pub channels: Vec<i64>,
    /// Heads of every attention; the paper does not speak of attention, the released program has 4.
    pub heads: i64,
    /// Width of a head (the released program: 32).
    pub head_dim: i64,
}

impl UnetConfig {
    /// Refuses sizes that do not fit each other, or rows of width `d`.
    pub fn check(&self, d: i64) -> Result<()> {
        let Self { kind, channels, heads, head_dim } = self;
        let groups = |c: &i64| *c > 0 && c % GROUPS == 0;
        check(!channels.is_empty() && channels.iter().all(groups), "unet.channels", || {
            format!("{channels:?} are not multiples of the {GROUPS} groups that are normalised")
        })?;
        check(*heads > 0, "unet.heads", || format!("{heads}: no head"))?;
        check(*head_dim > 0, "unet.head_dim", || format!("{head_dim} is no width"))?;
        let halvings = channels.len() as u32 - 1;
        let fits = *kind == UnetKind::Pointwise || d % 2i64.pow(halvings) == 0;
        check(fits, "unet.channels", || {
            format!("vectors of width {d} cannot be halved {halvings} times, for {} levels", channels.len())
        })
    }
}

/// Two residual blocks, an attention, and a change of channels and length. Parameters `0.*`, `1.*`, `attention.*`
/// and `resample.*`.
#[derive(Debug)]
struct Level {
    blocks: [ResBlock; 2],
    attention: Attention,
    resample: Conv,
}

/// The network. Parameters `stem.*`, `time.*`, `down.<i>.*`, `middle.{0, attention, 1}.*`, `up.<i>.*`, `head.*`,
/// `out.*`.
#[derive(Debug)]
pub struct Unet {
    stem: Conv,
    time: TimeEmbedding,
    down: Vec<Level>,
    middle: ([ResBlock; 2], Attention),
    up: Vec<Level>,
    head: ResBlock,
    out: Conv,
}

impl Unet {
    /// For rows of `shape` [C, d] and steps below `timesteps`; `config` has been checked with d.
    pub fn new(p: &mut Params, config: &UnetConfig, [fields, d]: [i64; 2], timesteps: usize) -> Self {
        keep_memory();
        let &UnetConfig { kind, ref channels, heads, head_dim } = config;
        let pointwise = kind == UnetKind::Pointwise;
        let kernel = if pointwise { 1 } else { 3 };
        let first = channels[0];
        let wide = TimeEmbedding::width(first);
        let one = Geometry::same(1);
        let block = |p: &mut Params, name: &str, inputs: i64, outputs: i64, length: i64| {
            ResBlock::new(&mut p.sub(name), inputs, outputs, kernel, length, wide)
        };
        let attention = |p: &mut Params, channels: i64, form: Form| {
            Attention::new(&mut p.sub("attention"), channels, heads, head_dim, form)
        };
        // Of a level that changes `from` channels to `to`, and how its length changes.
        let level =
            |p: &mut Params, inputs: i64, from: i64, to: i64, resample: Geometry, length: i64| Level {
                blocks: ["0", "1"].map(|name| block(p, name, inputs, from, length)),
                attention: attention(p, from, Form::Linear),
                resample: Conv::new(&mut p.sub("resample"), from, to, resample, length),
            };
        let stem = Conv::new(&mut p.sub("stem"), fields, first, one, d);
        let time = TimeEmbedding::new(&mut p.sub("time"), first, timesteps);
        let mut widths = vec![first];
        widths.extend(channels);
        let last = channels.len() - 1;
        let mut length = d;
        let mut down = Vec::new();
        for (i, pair) in widths.windows(2).enumerate() {
            let geometry = if i == last || pointwise { one } else { Geometry::halving() };
            let mut p = p.sub(&format!("down.{i}"));
            down.push(level(&mut p, pair[0], pair[0], pair[1], geometry, length));
            length = geometry.outputs(length);
        }
        let mut p_middle = p.sub("middle");
        let deepest = channels[last];
        let blocks = ["0", "1"].map(|name| block(&mut p_middle, name, deepest, deepest, length));
        let middle = (blocks, attention(&mut p_middle, deepest, Form::Full));
        let mut up = Vec::new();
        for (i, pair) in widths.windows(2).rev().enumerate() {
            let geometry = if i == last || pointwise { one } else { Geometry::doubling() };
            let mut p = p.sub(&format!("up.{i}"));
            up.push(level(&mut p, pair[0] + pair[1], pair[1], pair[0], geometry, length));
            length = geometry.outputs(length);
        }
        let head = block(p, "head", 2 * first, first, d);
        Self { stem, time, down, middle, up, head, out: Conv::new(&mut p.sub("out"), first, fields, one, d) }
    }

    /// Everything computed that does not depend on rows; the gradients of what comes of it reach the parameters.
    pub fn ready(&self) -> ReadyUnet<'_> {
        let level = |level: &Level| ReadyLevel {
            blocks: level.blocks.each_ref().map(ResBlock::ready),
            attention: level.attention.ready(),
            resample: level.resample.ready(),
        };
        ReadyUnet {
            time: &self.time,
            stem: self.stem.ready(),
            down: self.down.iter().map(level).collect(),
            middle: (self.middle.0.each_ref().map(ResBlock::ready), self.middle.1.ready()),
            up: self.up.iter().map(level).collect(),
            head: self.head.ready(),
            out: self.out.ready(),
        }
    }

    /// For many calls without gradients.
    pub fn inference(&self) -> Inference<'_> {
        let _guard = tch::no_grad_guard();
        Inference { net: self.ready(), times: self.time.all() }
    }
}

#[derive(Debug)]
struct ReadyLevel {
    blocks: [ReadyResBlock; 2],
    attention: ReadyAttention,
    resample: ReadyConv,
}

/// A [`Unet`] whose weights are standardised and brought into the form in which they are multiplied, once for a
/// step.
#[derive(Debug)]
pub struct ReadyUnet<'a> {
    time: &'a TimeEmbedding,
    stem: ReadyConv,
    down: Vec<ReadyLevel>,
    middle: ([ReadyResBlock; 2], ReadyAttention),
    up: Vec<ReadyLevel>,
    head: ReadyResBlock,
    out: ReadyConv,
}

impl ReadyUnet<'_> {
    /// # Shapes
    /// z [B, C, d], t i64 `[B]` -> [B, C, d]
    pub fn forward(&self, z: &Tensor, t: &Tensor) -> Tensor {
        self.forward_at(z, &self.time.forward(t))
    }

    /// # Shapes
    /// z [B, C, d], time [B, 4w], or [1, 4w] for rows at one step -> [B, C, d]
    fn forward_at(&self, z: &Tensor, time: &Tensor) -> Tensor {
        let stem = self.stem.forward(z);
        let mut x = stem.shallow_clone();
        let mut passed = Vec::new();
        for ReadyLevel { blocks: [first, second], attention, resample } in &self.down {
            x = first.forward(&x, time);
            passed.push(x.shallow_clone());
            x = attention.forward(&second.forward(&x, time));
            passed.push(x.shallow_clone());
            x = resample.forward(&x);
        }
        let ([first, second], attention) = &self.middle;
        x = second.forward(&attention.forward(&first.forward(&x, time)), time);
        let mut beside = |x: &Tensor| {
            let level = passed.pop().expect("each block on the way up has one on the way down");
            Tensor::cat(&[x, &level], 1)
        };
        for ReadyLevel { blocks: [first, second], attention, resample } in &self.up {
            x = first.forward(&beside(&x), time);
            x = attention.forward(&second.forward(&beside(&x), time));
            x = resample.forward(&x);
        }
        self.out.forward(&self.head.forward(&Tensor::cat(&[x, stem], 1), time))
    }
}

/// A [`Unet`] for sampling: the embeddings of all steps are computed too.
#[derive(Debug)]
pub struct Inference<'a> {
    net: ReadyUnet<'a>,
    times: Tensor,
}

impl Inference<'_> {
    /// Rows that are all at step `t`, without gradients.
    ///
    /// # Shapes
    /// z [B, C, d] -> [B, C, d]
    pub fn forward(&self, z: &Tensor, t: usize) -> Tensor {
        let _guard = tch::no_grad_guard();
        let time = self.times.narrow(0, t as i64, 1);
        if z.size()[0] <= PIECE {
            return self.net.forward_at(z, &time);
        }
        let pieces: Vec<Tensor> = z.split(PIECE, 0).iter().map(|z| self.net.forward_at(z, &time)).collect();
        Tensor::cat(&pieces, 0)
    }
}

/// Every layer asks the C library for memory and gives it back. The GNU one hands much of it on to the system at
/// once, which takes up to a fifth of a network call, until it has been given back one piece about as large as
/// this.
fn keep_memory() {
    let _ = Tensor::empty([31 << 18], (Kind::Float, Device::Cpu));
}
