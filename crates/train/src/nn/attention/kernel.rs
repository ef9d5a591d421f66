//! The attention of one view and one head at a time, from and to numbers in memory, so that nothing larger than a head's
//! matrices is kept. Queries go side by side, so no sum runs across a vector register, and all are the same on every instruction set.
use crate::{
    kernel::{Job, exp, run},
    with_width,
};

/// Widths of heads that the kernel takes.
pub(super) const WIDTHS: [i64; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Queries side by side.
const LANES: usize = 8;

type Lanes = [f32; LANES];

/// B, L, K, h, c.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub rows: usize,
    pub places: usize,
    pub views: usize,
    pub heads: usize,
    pub width: usize,
}

impl Shape {
    /// Numbers of a row of `own`'s: [L, 3 d].
    pub fn own(self) -> usize {
        self.places * 3 * self.heads * self.width
    }

    /// Numbers of a row of the views': [L, K, 3 d].
    pub fn views(self) -> usize {
        self.views * self.own()
    }

    /// Numbers of a row of the result: [K, L, d].
    pub fn out(self) -> usize {
        self.views() / 3
    }

    /// Where a part (0 queries, 1 keys, 2 values) of a place in a view lies among a row's; of one view for `own`.
    #[inline(always)]
    fn at(self, views: usize, place: usize, view: usize, part: usize, head: usize) -> usize {
        (((place * views + view) * 3 + part) * self.heads + head) * self.width
    }

    /// Where a place of the result lies.
    #[inline(always)]
    fn out_at(self, view: usize, place: usize, head: usize) -> usize {
        ((view * self.places + place) * self.heads + head) * self.width
    }
}

/// What goes in.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub shape: Shape,
    pub views: &'a [f32],
    pub own: Option<&'a [f32]>,
    pub tokens: &'a [i64],
}

impl<'a> Inputs<'a> {
    /// So many rows at a time.
    pub fn chunks(self, rows: usize) -> impl Iterator<Item = Inputs<'a>> {
        let shape = self.shape;
        let starts = (0..shape.rows).step_by(rows);
        starts.map(move |start| {
            let end = shape.rows.min(start + rows);
            let part = |all: &'a [f32], of_row: usize| &all[start * of_row..end * of_row];
            Self {
                shape: Shape { rows: end - start, ..shape },
                views: part(self.views, shape.views()),
                own: self.own.map(|own| part(own, shape.own())),
                tokens: &self.tokens[start..end],
            }
        })
    }
}

/// The result; every number of `out` is written.
pub(super) fn forward(inputs: Inputs<'_>, out: &mut [f32]) {
    with_width!([1, 2, 4, 8, 16, 32, 64], inputs.shape.width, W => run(Forward::<W> { inputs, out }));
}

/// The gradients by the views' and by the rows' own parts, from the one by the result. `d_own`, where it is given, is 0 before;
/// every number of `d_views` is written.
pub(super) fn backward(inputs: Inputs<'_>, d_out: &[f32], d_views: &mut [f32], d_own: Option<&mut [f32]>) {
    with_width!([1, 2, 4, 8, 16, 32, 64], inputs.shape.width, W => run(Backward::<W> { inputs, d_out, d_views, d_own }));
}

struct Forward<'a, const W: usize> {
    inputs: Inputs<'a>,
    out: &'a mut [f32],
}

impl<const W: usize> Job for Forward<'_, W> {
    #[inline(always)]
    fn run(self) {
        let Self { inputs, out } = self;
        let shape = inputs.shape;
        let mut head = Head::<W>::new(shape);
        for row in 0..shape.rows {
            let out = &mut out[row * shape.out()..][..shape.out()];
            let first = head.begin(inputs.tokens[row]);
            for view in 0..shape.views {
                out[shape.out_at(view, 0, 0)..shape.out_at(view, first, 0)].fill(0.0);
                for h in 0..shape.heads {
                    head.gather(inputs, row, view, h);
                    for block in 0..head.blocks.len() {
                        head.weigh(block);
                        for (lane, place) in head.places(block).enumerate() {
                            let sum = mixed(&head.weights, lane, &head.values);
                            out[shape.out_at(view, place, h)..][..W].copy_from_slice(&sum);
                        }
                    }
                }
            }
        }
    }
}

struct Backward<'a, const W: usize> {
    inputs: Inputs<'a>,
    d_out: &'a [f32],
    d_views: &'a mut [f32],
    d_own: Option<&'a mut [f32]>,
}

impl<const W: usize> Job for Backward<'_, W> {
    #[inline(always)]
    fn run(self) {
        let Self { inputs, d_out, d_views, mut d_own } = self;
        let shape = inputs.shape;
        let (mut head, mut gradients) = (Head::<W>::new(shape), Gradients::<W>::new(shape));
        for row in 0..shape.rows {
            let d_out = &d_out[row * shape.out()..][..shape.out()];
            let d_views = &mut d_views[row * shape.views()..][..shape.views()];
            let mut d_own = d_own.as_deref_mut().map(|d| &mut d[row * shape.own()..][..shape.own()]);
            let first = head.begin(inputs.tokens[row]);
            d_views[..shape.at(shape.views, first, 0, 0, 0)].fill(0.0);
            for view in 0..shape.views {
                for h in 0..shape.heads {
                    head.gather(inputs, row, view, h);
                    gradients.begin();
                    for block in 0..head.blocks.len() {
                        let mut d = [[0.0; W]; LANES];
                        for (d, place) in d.iter_mut().zip(head.places(block)) {
                            d.copy_from_slice(&d_out[shape.out_at(view, place, h)..][..W]);
                        }
                        head.weigh(block);
                        gradients.add(&head, block, &d);
                    }
                    let Gradients { queries, keys, values, .. } = &gradients;
                    for (part, d) in [queries, keys, values].into_iter().enumerate() {
                        for (d, place) in d.iter().zip(first..shape.places) {
                            d_views[shape.at(shape.views, place, view, part, h)..][..W].copy_from_slice(d);
                            if let Some(d_own) = &mut d_own {
                                let own = &mut d_own[shape.at(1, place, 0, part, h)..][..W];
                                own.iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Gradients by the queries, keys and values of one head of one row.
struct Gradients<const W: usize> {
    queries: Vec<[f32; W]>,
    keys: Vec<[f32; W]>,
    values: Vec<[f32; W]>,
    /// Those by a block's scores, by key.
    scores: Vec<Lanes>,
}

impl<const W: usize> Gradients<W> {
    #[inline(always)]
    fn new(shape: Shape) -> Self {
        let [queries, keys, values] = [(); 3].map(|()| vec![[0.0; W]; shape.places]);
        Self { queries, keys, values, scores: vec![[0.0; LANES]; shape.places] }
    }

    #[inline(always)]
    fn begin(&mut self) {
        self.keys.fill([0.0; W]);
        self.values.fill([0.0; W]);
    }

    /// Of a block, which the head has weighed, from the gradients by its queries' results, 0 beyond the last.
    #[inline(always)]
    fn add(&mut self, head: &Head<W>, block: usize, d: &[[f32; W]; LANES]) {
        let mut by_channel = [[0.0; LANES]; W];
        for (lane, d) in d.iter().enumerate() {
            set_column(&mut by_channel, lane, d);
        }
        // By the scores: p_j (d · v_j - Σ p d · v) / √c.
        let mut mean = [0.0; LANES];
        for ((score, weights), value) in self.scores.iter_mut().zip(&head.weights).zip(&head.values) {
            *score = inner(value, &by_channel);
            each(&mut mean, |i, mean| *mean = weights[i].mul_add(score[i], *mean));
        }
        for (score, weights) in self.scores.iter_mut().zip(&head.weights) {
            each(score, |i, score| *score = weights[i] * (*score - mean[i]) * head.scale);
        }
        let own = block * LANES..head.queries.len().min((block + 1) * LANES);
        for (lane, query) in self.queries[own.clone()].iter_mut().enumerate() {
            *query = mixed(&self.scores, lane, &head.keys);
        }
        let queries = &head.queries[own];
        let sums = self.keys.iter_mut().zip(&mut self.values);
        for ((scores, weights), (key_sum, value_sum)) in self.scores.iter().zip(&head.weights).zip(sums) {
            let (mut key, mut value) = (*key_sum, *value_sum); // Kept in registers.
            for (((score, weight), query), d) in scores.iter().zip(weights).zip(queries).zip(d) {
                add(&mut key, *score, query);
                add(&mut value, *weight, d);
            }
            (*key_sum, *value_sum) = (key, value);
        }
    }
}

/// Queries, keys and values of one head of one row, and the weights of a block of queries, which go side by side.
struct Head<const W: usize> {
    shape: Shape,
    /// 1 / √c.
    scale: f32,
    queries: Vec<[f32; W]>,
    keys: Vec<[f32; W]>,
    values: Vec<[f32; W]>,
    /// The queries by channel; 0 beyond the last.
    blocks: Vec<[Lanes; W]>,
    /// By key.
    weights: Vec<Lanes>,
}

impl<const W: usize> Head<W> {
    #[inline(always)]
    fn new(shape: Shape) -> Self {
        let [queries, keys, values] = [(); 3].map(|()| vec![[0.0; W]; shape.places]);
        let blocks = vec![[[0.0; LANES]; W]; shape.places.div_ceil(LANES)];
        let weights = vec![[0.0; LANES]; shape.places];
        Self { shape, scale: 1.0 / (shape.width as f32).sqrt(), queries, keys, values, blocks, weights }
    }

    /// Makes room for a row's tokens; returns the first one's place.
    #[inline(always)]
    fn begin(&mut self, tokens: i64) -> usize {
        let tokens = usize::try_from(tokens).map_or(0, |tokens| tokens.min(self.shape.places));
        for rows in [&mut self.queries, &mut self.keys, &mut self.values] {
            rows.resize(tokens, [0.0; W]);
        }
        self.blocks.clear();
        self.blocks.resize(tokens.div_ceil(LANES), [[0.0; LANES]; W]);
        self.weights.resize(tokens, [0.0; LANES]);
        self.shape.places - tokens
    }

    /// Places of a block's queries.
    #[inline(always)]
    fn places(&self, block: usize) -> std::ops::Range<usize> {
        let first = self.shape.places - self.queries.len() + block * LANES;
        first..self.shape.places.min(first + LANES)
    }

    #[inline(always)]
    fn gather(&mut self, inputs: Inputs<'_>, row: usize, view: usize, head: usize) {
        let shape = self.shape;
        let views = &inputs.views[row * shape.views()..][..shape.views()];
        let own = inputs.own.map(|own| &own[row * shape.own()..][..shape.own()]);
        let first = shape.places - self.queries.len();
        for (part, rows) in [&mut self.queries, &mut self.keys, &mut self.values].into_iter().enumerate() {
            for (to, place) in rows.iter_mut().zip(first..) {
                to.copy_from_slice(&views[shape.at(shape.views, place, view, part, head)..][..W]);
                if let Some(own) = own {
                    let own = &own[shape.at(1, place, 0, part, head)..][..W];
                    to.iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
                }
            }
        }
        for (block, queries) in self.blocks.iter_mut().zip(self.queries.chunks(LANES)) {
            for (lane, query) in queries.iter().enumerate() {
                set_column(block, lane, query);
            }
        }
    }

    /// The weights of a block's queries: softmax over the keys.
    #[inline(always)]
    fn weigh(&mut self, block: usize) {
        let queries = &self.blocks[block];
        let mut most = [f32::NEG_INFINITY; LANES];
        for (score, key) in self.weights.iter_mut().zip(&self.keys) {
            *score = inner(key, queries);
            each(&mut most, |i, most| *most = if score[i] > *most { score[i] } else { *most });
        }
        let mut sum = [0.0; LANES];
        for weight in &mut self.weights {
            each(weight, |i, x| *x = exp((*x - most[i]) * self.scale));
            each(&mut sum, |i, sum| *sum += weight[i]);
        }
        let share = sum.map(|sum| 1.0 / sum);
        for weight in &mut self.weights {
            each(weight, |i, x| *x *= share[i]);
        }
    }
}

/// Does something to every lane.
#[inline(always)]
fn each(x: &mut Lanes, mut f: impl FnMut(usize, &mut f32)) {
    for (i, x) in x.iter_mut().enumerate() {
        f(i, x);
    }
}

/// The products of a row with all lanes: Σ_c row_c lanes_c.
#[inline(always)]
fn inner<const W: usize>(row: &[f32; W], lanes: &[Lanes; W]) -> Lanes {
    let mut sum = [0.0; LANES];
    for (x, lanes) in row.iter().zip(lanes) {
        add(&mut sum, *x, lanes);
    }
    sum
}

/// The sum of the rows times their weights in a lane.
#[inline(always)]
fn mixed<const W: usize>(weights: &[Lanes], lane: usize, rows: &[[f32; W]]) -> [f32; W] {
    let mut sum = [0.0; W];
    for (weights, row) in weights.iter().zip(rows) {
        add(&mut sum, weights[lane], row);
    }
    sum
}

/// to += a x
#[inline(always)]
fn add<const N: usize>(to: &mut [f32; N], a: f32, x: &[f32; N]) {
    for (to, x) in to.iter_mut().zip(x) {
        *to = x.mul_add(a, *to);
    }
}

#[inline(always)]
fn set_column<const W: usize>(matrix: &mut [Lanes; W], lane: usize, values: &[f32; W]) {
    for (row, x) in matrix.iter_mut().zip(values) {
        row[lane] = *x;
    }
}
