//! Rows become a batch of plain numbers.
use crate::batch::{Batch, ColumnRows, Ids, SequenceIds};
use crate::scope::Scope;
use scenarec_data::{Column, Dataset, Kind, Pooling, Sequence};
use std::sync::Arc;

/// Where the columns of a batch's rows are.
pub(super) trait Places {
    /// How many rows there are.
    fn len(&self) -> usize;
    /// The group of columns and the place there of row b of the batch.
    fn at(&self, b: usize) -> (usize, usize);
}

/// Rows of columns that are all in memory.
pub(super) struct Resident<'a>(pub &'a [u32]);

impl Places for Resident<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn at(&self, b: usize) -> (usize, usize) {
        (0, self.0[b] as usize)
    }
}

/// Rows of several groups of columns.
pub(super) struct Grouped<'a>(pub &'a [(usize, u32)]);

impl Places for Grouped<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn at(&self, b: usize) -> (usize, usize) {
        (self.0[b].0, self.0[b].1 as usize)
    }
}

/// A batch of the rows called `rows` in `data`, whose columns are in `groups` at `places`.
pub(super) fn gather(
    data: &Dataset,
    scope: &Scope,
    rows: &[u32],
    groups: &[&[Column]],
    places: &impl Places,
) -> Batch {
    let mut batch = Batch { rows: places.len(), ..Batch::default() };
    let mut reals: Vec<Vec<&[f32]>> = Vec::new();
    for (i, field) in data.schema.fields.iter().enumerate() {
        macro_rules! of_kind {
            ($pattern:pat => $value:expr) => {
                groups
                    .iter()
                    .map(|group| match &group[i] {
                        $pattern => $value,
                        _ => panic!(
                            "field {:?} is {:?}, but its column is of another kind",
                            field.name, field.kind
                        ),
                    })
                    .collect::<Vec<_>>()
            };
        }
        match &field.kind {
            Kind::Id => {
                let columns = of_kind!(Column::Id(ids) => &ids[..]);
                let ids = (0..places.len()).map(|b| {
                    let (group, row) = places.at(b);
                    columns[group][row]
                });
                batch.ids.push(Ids { ids: ids.collect(), ..Ids::default() });
            }
            Kind::Bag(pooling) => {
                let columns = of_kind!(
                    Column::Ragged { offsets, values, weights } => (&offsets[..], &values[..], weights.as_deref())
                );
                let own = (0..places.len()).map(|b| {
                    let (group, row) = places.at(b);
                    let (offsets, values, weights) = columns[group];
                    let range = offsets[row] as usize..offsets[row + 1] as usize;
                    (&values[range.clone()], weights.map(|w| &w[range]))
                });
                batch.ids.push(bag(own, *pooling));
            }
            Kind::Sequence { max_len } => {
                let columns = of_kind!(Column::Sequence(own) => own);
                batch.sequences.push(sequence(&columns, places, *max_len));
            }
            Kind::Real => reals.push(of_kind!(Column::Real(values) => &values[..])),
            Kind::Pooled => panic!("field {:?} is pooled: that is what models make, not data", field.name),
        }
    }
    let row_reals = |b: usize| {
        let (group, row) = places.at(b);
        reals.iter().map(move |columns| columns[group][row])
    };
    batch.reals = (0..places.len()).flat_map(row_reals).collect();
    let labels: Vec<&Vec<u8>> = scope.tasks.iter().map(|t| &data.labels[*t]).collect();
    batch.labels = rows.iter().flat_map(|r| labels.iter().map(move |l| f32::from(l[*r as usize]))).collect();
    let number =
        |s: u16| scope.scenarios.iter().position(|own| *own == s).expect("a row of the scope") as i64;
    batch.scenario = rows.iter().map(|r| number(data.scenario[*r as usize])).collect();
    batch
}

/// Says of a batch's ids that they are those of `rows` of `data`.
pub(super) fn note_source(batch: &mut Batch, data: &Arc<Dataset>, rows: Vec<u32>) {
    let rows: Arc<[u32]> = rows.into();
    let embedded = data.schema.fields.iter().enumerate();
    let embedded = embedded.filter(|(_, field)| matches!(field.kind, Kind::Id | Kind::Bag(_)));
    for (ids, (field, of)) in batch.ids.iter_mut().zip(embedded) {
        let source = || ColumnRows { data: data.clone(), field, rows: rows.clone() };
        ids.source = matches!(of.kind, Kind::Id).then(source);
    }
}

fn bag<'a>(rows: impl Iterator<Item = (&'a [u32], Option<&'a [f32]>)>, pooling: Pooling) -> Ids {
    let mut out = Ids { offsets: Some(vec![0]), ..Ids::default() };
    let mut out_weights = Vec::new();
    let ends = out.offsets.as_mut().expect("just set");
    for (ids, weights) in rows {
        let n = ids.len();
        out.ids.extend_from_slice(ids);
        let scale = if matches!(pooling, Pooling::Mean) { 1.0 / n.max(1) as f32 } else { 1.0 };
        match weights {
            Some(w) => out_weights.extend(w.iter().map(|w| w * scale)),
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

fn sequence(groups: &[&Sequence], places: &impl Places, max_len: u32) -> SequenceIds {
    // Groups differ in their rows only.
    let tokens = &groups[0].tokens;
    let recent = |b: usize| {
        let (group, row) = places.at(b);
        let spans = &groups[group].spans;
        let (start, end) = (spans.start[row], spans.end[row]);
        start.max(end.saturating_sub(max_len))..end
    };
    let rows = 0..places.len();
    let lens: Vec<u32> = rows.clone().map(|b| recent(b).len() as u32).collect();
    let mut ids = Ids {
        offsets: tokens.offsets.as_ref().map(|_| vec![0]),
        weights: tokens.weights.as_ref().map(|_| Vec::new()),
        ..Ids::default()
    };
    // The ids of a row's tokens stand side by side, whether a token has one or several.
    for row in rows.map(recent).filter(|row| !row.is_empty()) {
        let before = ids.ids.len() as u32;
        let range = tokens.range(row.start as usize).start..tokens.range(row.end as usize - 1).end;
        ids.ids.extend_from_slice(&tokens.values[range.clone()]);
        if let (Some(out), Some(weights)) = (&mut ids.weights, &tokens.weights) {
            out.extend_from_slice(&weights[range.clone()]);
        }
        if let Some(ends) = &mut ids.offsets {
            ends.extend(row.map(|token| before + (tokens.range(token as usize).end - range.start) as u32));
        }
    }
    SequenceIds { ids, lens }
}
