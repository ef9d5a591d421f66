//! A batch of rows as plain numbers, and the thread that prepares them.
use crate::{rng::Rng, scope::Scope};
use anyhow::{Result, ensure};
use rand::seq::SliceRandom;
use scenarec_data::{Column, Dataset, Kind, Pooling, Sequence};
use std::sync::{Arc, mpsc};

/// The ids of one field for every row of a batch: row b's vector is the weighted sum of the table's rows
/// `ids[offsets[b]..offsets[b + 1]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ids {
    /// The ids of all rows.
    pub ids: Vec<u32>,
    /// Where each row's ids begin, `[B + 1]`; absent where every row has exactly one id.
    pub offsets: Option<Vec<u32>>,
    /// A weight per id; absent where all are 1.
    pub weights: Option<Vec<f32>>,
}

/// The tokens of one sequence field: the most recent ones of each row in time order, padding behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceIds {
    /// The ids of all tokens, a bag each, `[B * len]`; padding is an empty bag.
    pub ids: Ids,
    /// Padded length: that of the batch's longest sequence, at least 1.
    pub len: usize,
    /// Length of every row's own sequence, `[B]`.
    pub lens: Vec<u32>,
}

/// Rows of a dataset, gathered. Fields stand in the schema's order within their kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Number of rows B.
    pub rows: usize,
    /// One entry per field that embeds to a vector.
    pub ids: Vec<Ids>,
    /// One entry per sequence field.
    pub sequences: Vec<SequenceIds>,
    /// Real fields, `[B * R]`, row-major.
    pub reals: Vec<f32>,
    /// Labels, `[B * T]`, row-major; T tasks of the feed's scope.
    pub labels: Vec<f32>,
    /// Scenarios, `[B]`, numbered as in the feed's scope.
    pub scenario: Vec<i64>,
}

impl Batch {
    /// The batch in pieces of `size` rows (the last may be smaller).
    pub fn split(&self, size: usize) -> Vec<Batch> {
        assert!(size > 0, "a piece needs at least one row");
        (0..self.rows).step_by(size).map(|from| self.narrow(from, size.min(self.rows - from))).collect()
    }

    fn narrow(&self, from: usize, rows: usize) -> Batch {
        let part = |values: &[f32]| {
            let width = values.len() / self.rows;
            values[from * width..(from + rows) * width].to_vec()
        };
        Batch {
            rows,
            ids: self.ids.iter().map(|ids| ids.narrow(from, rows)).collect(),
            sequences: (self.sequences.iter())
                .map(|s| SequenceIds {
                    ids: s.ids.narrow(from * s.len, rows * s.len),
                    len: s.len,
                    lens: s.lens[from..from + rows].to_vec(),
                })
                .collect(),
            reals: part(&self.reals),
            labels: part(&self.labels),
            scenario: self.scenario[from..from + rows].to_vec(),
        }
    }
}

impl Ids {
    fn narrow(&self, from: usize, rows: usize) -> Ids {
        let Some(offsets) = &self.offsets else {
            let part = from..from + rows;
            let weights = self.weights.as_ref().map(|w| w[part.clone()].to_vec());
            return Ids { ids: self.ids[part].to_vec(), offsets: None, weights };
        };
        let offsets = &offsets[from..=from + rows];
        let (start, end) = (offsets[0], offsets[rows]);
        let range = start as usize..end as usize;
        Ids {
            ids: self.ids[range.clone()].to_vec(),
            offsets: Some(offsets.iter().map(|o| o - start).collect()),
            weights: self.weights.as_ref().map(|w| w[range].to_vec()),
        }
    }
}

/// Gathers batches of some rows of a dataset, with the labels of some of its tasks.
#[derive(Clone, Debug)]
pub struct Feed {
    data: Arc<Dataset>,
    rows: Arc<Vec<u32>>,
    scope: Arc<Scope>,
    /// Whether rows of a scenario stand together in shuffled batches.
    grouped: bool,
}

impl Feed {
    /// The given rows of `data`, in the given order, with all tasks.
    pub fn new(data: Arc<Dataset>, rows: Vec<u32>) -> Self {
        let scope = Arc::new(Scope::whole(&data.schema));
        Self { data, rows: Arc::new(rows), scope, grouped: false }
    }

    /// Those of the given rows that belong to `scope`, in the given order, with its tasks. In shuffled batches rows of a
    /// scenario stand together, so that models with layers of a scenario's own need not sort them.
    pub fn scoped(data: Arc<Dataset>, rows: &[u32], scope: &Scope) -> Self {
        let inside = rows.iter().copied().filter(|r| scope.scenarios.contains(&data.scenario[*r as usize]));
        Self { rows: Arc::new(inside.collect()), scope: Arc::new(scope.clone()), data, grouped: true }
    }

    /// Whose rows and tasks these are.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The dataset behind the rows.
    pub fn data(&self) -> &Arc<Dataset> {
        &self.data
    }

    /// The row numbers.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Number of batches of `size` rows; the last may be smaller.
    pub fn batches(&self, size: usize) -> u64 {
        self.rows.len().div_ceil(size) as u64
    }

    /// The rows in their own order, in batches of `size` (the last may be smaller), prepared by another thread.
    pub fn in_order(&self, size: usize) -> Batches {
        Batches::start(self, self.rows.to_vec(), size)
    }

    /// The rows shuffled by `rng`, in batches of `size` (the last may be smaller), prepared by another thread.
    pub fn shuffled(&self, size: usize, rng: &mut Rng) -> Batches {
        let mut rows = self.rows.to_vec();
        rows.shuffle(rng);
        if self.grouped {
            let scenario = &self.data.scenario;
            rows.chunks_mut(size).for_each(|batch| batch.sort_by_key(|r| scenario[*r as usize]));
        }
        Batches::start(self, rows, size)
    }
}

/// Batches from a thread that stays a few ahead.
#[derive(Debug)]
pub struct Batches {
    receiver: mpsc::Receiver<Batch>,
}

impl Batches {
    /// How many batches may wait; more would only take memory.
    const AHEAD: usize = 4;

    fn start(feed: &Feed, rows: Vec<u32>, size: usize) -> Self {
        assert!(size > 0, "a batch needs at least one row");
        let (sender, receiver) = mpsc::sync_channel(Self::AHEAD);
        let (data, scope) = (feed.data.clone(), feed.scope.clone());
        std::thread::spawn(move || {
            // The receiver is gone when the consumer stopped early; then there is nothing left to do.
            rows.chunks(size).all(|chunk| sender.send(gather_scope(&data, &scope, chunk)).is_ok());
        });
        Self { receiver }
    }
}

impl Iterator for Batches {
    type Item = Batch;
    fn next(&mut self) -> Option<Batch> {
        self.receiver.recv().ok()
    }
}

/// The given rows of `data` as a batch, with all tasks.
pub fn gather(data: &Dataset, rows: &[u32]) -> Batch {
    gather_scope(data, &Scope::whole(&data.schema), rows)
}

fn gather_scope(data: &Dataset, scope: &Scope, rows: &[u32]) -> Batch {
    let at = |r: &u32| *r as usize;
    let mut batch = Batch { rows: rows.len(), ..Batch::default() };
    let mut reals: Vec<&[f32]> = Vec::new();
    for (field, column) in data.schema.fields.iter().zip(&data.columns) {
        match (&field.kind, column) {
            (Kind::Id, Column::Id(ids)) => {
                let ids = rows.iter().map(|r| ids[at(r)]).collect();
                batch.ids.push(Ids { ids, offsets: None, weights: None });
            }
            (Kind::Bag(pooling), Column::Ragged { offsets, values, weights }) => {
                batch.ids.push(bag(rows, *pooling, offsets, values, weights.as_deref()));
            }
            (Kind::Sequence { max_len }, Column::Sequence(own)) => {
                batch.sequences.push(sequence(rows, *max_len, own));
            }
            (Kind::Real, Column::Real(values)) => reals.push(values),
            (kind, _) => panic!("field {:?} is {kind:?}, but its column is of another kind", field.name),
        }
    }
    batch.reals = rows.iter().flat_map(|r| reals.iter().map(move |c| c[at(r)])).collect();
    let labels: Vec<&Vec<u8>> = scope.tasks.iter().map(|t| &data.labels[*t]).collect();
    batch.labels = rows.iter().flat_map(|r| labels.iter().map(move |l| f32::from(l[at(r)]))).collect();
    let number =
        |s: u16| scope.scenarios.iter().position(|own| *own == s).expect("a row of the scope") as i64;
    batch.scenario = rows.iter().map(|r| number(data.scenario[at(r)])).collect();
    batch
}

fn bag(rows: &[u32], pooling: Pooling, offsets: &[u64], values: &[u32], weights: Option<&[f32]>) -> Ids {
    let mut out = Ids { ids: Vec::new(), offsets: Some(vec![0]), weights: None };
    let mut out_weights = Vec::new();
    let ends = out.offsets.as_mut().expect("just set");
    for &r in rows {
        let range = offsets[r as usize] as usize..offsets[r as usize + 1] as usize;
        let n = range.len();
        out.ids.extend_from_slice(&values[range.clone()]);
        let scale = if matches!(pooling, Pooling::Mean) { 1.0 / n.max(1) as f32 } else { 1.0 };
        match weights {
            Some(w) => out_weights.extend(w[range].iter().map(|w| w * scale)),
            None => out_weights.extend(std::iter::repeat_n(scale, n)),
        }
        // The padding as one id with the weight of all its copies.
        if let Pooling::SumPadded { len } = pooling
            && n < len as usize
        {
            out.ids.push(0);
            out_weights.push((len as usize - n) as f32);
        }
        ends.push(out.ids.len() as u32);
    }
    out.weights = Some(out_weights);
    out
}

fn sequence(rows: &[u32], max_len: u32, own: &Sequence) -> SequenceIds {
    let (spans, tokens) = (&own.spans, &own.tokens);
    let recent = |r: &u32| {
        let (start, end) = (spans.start[*r as usize], spans.end[*r as usize]);
        start.max(end.saturating_sub(max_len))..end
    };
    let lens: Vec<u32> = rows.iter().map(|r| recent(r).len() as u32).collect();
    let len = lens.iter().copied().max().unwrap_or(0).max(1) as usize;
    let mut ids =
        Ids { ids: Vec::new(), offsets: None, weights: tokens.weights.as_ref().map(|_| Vec::new()) };
    let mut offsets = Vec::with_capacity(rows.len() * len + 1);
    offsets.push(0);
    for r in rows {
        let row = recent(r);
        let padding = len - row.len();
        for token in row {
            let range = tokens.range(token as usize);
            ids.ids.extend_from_slice(&tokens.values[range.clone()]);
            if let (Some(out), Some(weights)) = (&mut ids.weights, &tokens.weights) {
                out.extend_from_slice(&weights[range]);
            }
            offsets.push(ids.ids.len() as u32);
        }
        offsets.extend(std::iter::repeat_n(ids.ids.len() as u32, padding));
    }
    SequenceIds { ids: Ids { offsets: Some(offsets), ..ids }, len, lens }
}

/// Refuses a dataset whose columns do not fit its schema, before any batch is gathered.
pub fn check(data: &Dataset) -> Result<()> {
    let (fields, columns) = (data.schema.fields.len(), data.columns.len());
    ensure!(fields == columns, "{}: {fields} fields but {columns} columns", data.name);
    for (f, c) in data.schema.fields.iter().zip(&data.columns) {
        ensure!(
            c.rows() == data.rows(),
            "{}: field {:?} has {} rows of {}",
            data.name,
            f.name,
            c.rows(),
            data.rows()
        );
        let ids = match c {
            Column::Id(v) => v,
            Column::Ragged { values, .. } => values,
            Column::Sequence(s) => {
                let tokens = s.tokens.len();
                let outside = |(start, end): (&u32, &u32)| start > end || *end as usize > tokens;
                let bad = s.spans.start.iter().zip(&s.spans.end).position(outside);
                ensure!(
                    bad.is_none(),
                    "{}: field {:?}: the sequence of row {} lies outside its {tokens} tokens",
                    data.name,
                    f.name,
                    bad.unwrap_or_default()
                );
                &s.tokens.values
            }
            Column::Real(v) => {
                ensure!(
                    v.iter().all(|x| x.is_finite()),
                    "{}: field {:?} holds NaN or infinity",
                    data.name,
                    f.name
                );
                continue;
            }
        };
        let table = f.table.as_deref().and_then(|t| data.schema.table(t)).map_or(0, |(_, t)| t.rows);
        let max = ids.iter().max().map_or(0, |m| *m as usize + 1);
        ensure!(
            max <= table,
            "{}: field {:?} has id {} but its table has {table} rows",
            data.name,
            f.name,
            max - 1
        );
    }
    Ok(())
}
