//! Ids in tensors to vectors, by libtorch's operations alone: what a module for serving does.
//!
//! Shapes: B rows, L ids or tokens, M ids of a token, d width.
use super::{Embedded, EmbeddedSequence, FeatureEmbedding, FieldSource, Groups};
use crate::{nn::Segments, params::State, serving::Named};
use scenarec_data::{Kind as FieldKind, Pooling, Schema};
use std::rc::Rc;
use tch::{Kind, Tensor};

impl FeatureEmbedding {
    /// Whether the field called `name` is looked up here.
    pub(crate) fn looks_up(&self, name: &str) -> bool {
        self.fields.iter().chain(&self.sequences).any(|f| f.name == name)
    }

    /// The batch whose inputs for serving are given by name, with the values of `tables` in place of the own. No number of rows
    /// and no length of a list appears in what is done.
    pub(crate) fn embed_tensors(&self, schema: &Schema, tables: &State, inputs: &Named<'_>) -> Embedded {
        let table = |source: &FieldSource| &tables[&self.tables[source.table].name];
        let vectors = |sources: &[FieldSource]| {
            let vector = |source: &FieldSource| {
                let (_, field) = schema.field(&source.name).expect("a field of the schema");
                match field.kind {
                    FieldKind::Bag(pooling) => {
                        pooled(table(source), &List::of(inputs, &source.name), pooling)
                    }
                    _ => table(source).index_select(0, &inputs[&*format!("ids.{}", source.name)]),
                }
            };
            Tensor::stack(&sources.iter().map(vector).collect::<Vec<_>>(), 1)
        };
        let scenario = &inputs["scenario"];
        let none = || scenario.unsqueeze(1).narrow(1, 0, 0).to_kind(Kind::Float);
        let reals: Vec<&Tensor> =
            schema.reals().map(|(_, f)| &inputs[&*format!("real.{}", f.name)]).collect();
        Embedded {
            fields: vectors(&self.fields),
            linear: if self.linear.is_empty() { none() } else { vectors(&self.linear).squeeze_dim(2) },
            sequences: self
                .sequences
                .iter()
                .map(|s| sequence(table(s), &List::of(inputs, &s.name)))
                .collect(),
            reals: if reals.is_empty() { none() } else { Tensor::stack(&reals, 1) },
            scenario: scenario.shallow_clone(),
            groups: Rc::new(Groups::indexed(scenario, self.scenarios)),
        }
    }
}

/// The inputs of a field of lists.
struct List<'a> {
    /// [B, L] or [B, L, M].
    ids: &'a Tensor,
    /// `[B]`.
    length: &'a Tensor,
    /// As `ids`.
    weights: Option<&'a Tensor>,
}

impl<'a> List<'a> {
    fn of(inputs: &'a Named<'_>, field: &str) -> Self {
        Self {
            ids: &inputs[&*format!("list.{field}")],
            length: &inputs[&*format!("length.{field}")],
            weights: inputs.get(&*format!("weight.{field}")),
        }
    }

    /// 1 where there is an id or a token, 0 at padding, [B, L].
    fn mask(&self) -> Tensor {
        let ids = if self.ids.dim() == 3 { self.ids.select(2, 0) } else { self.ids.shallow_clone() };
        let place = ids.ones_like().cumsum(1, Kind::Int64);
        place.le_tensor(&self.length.unsqueeze(1)).to_kind(Kind::Float)
    }

    /// [B, L, d] or [B, L, M, d].
    fn vectors(&self, table: &Tensor) -> Tensor {
        Tensor::embedding(table, self.ids, -1, false, false)
    }
}

/// -> [B, d].
fn pooled(table: &Tensor, list: &List<'_>, pooling: Pooling) -> Tensor {
    let mask = list.mask();
    let weights = list.weights.map_or(mask.shallow_clone(), |w| w * &mask);
    let sum = weights.unsqueeze(1).bmm(&list.vectors(table)).squeeze_dim(1);
    let length = || list.length.to_kind(Kind::Float).unsqueeze(1);
    match pooling {
        Pooling::Sum => sum,
        Pooling::Mean => sum / length().clamp_min(1.0),
        Pooling::SumPadded { len } => {
            sum + (f64::from(len) - length()).clamp_min(0.0) * table.narrow(0, 0, 1)
        }
    }
}

/// N tokens of all rows -> [N, d].
fn sequence(table: &Tensor, list: &List<'_>) -> EmbeddedSequence {
    let rows = Segments::indexed(&list.mask(), list.length);
    let mut x = list.vectors(table);
    if let Some(weights) = list.weights {
        x *= weights.unsqueeze(-1);
    }
    if list.ids.dim() == 3 {
        x = x.sum_dim_intlist([2i64].as_slice(), false, Kind::Float);
    }
    EmbeddedSequence { x: rows.gathered(&x), rows: Rc::new(rows) }
}
