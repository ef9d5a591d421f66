//! What a model sees of a batch.
use super::Groups;
use crate::nn::Segments;
use std::rc::Rc;
use tch::Tensor;

/// A batch as tensors. B rows, F fields that embed to a vector of width d, R real fields.
#[derive(Debug)]
pub struct Embedded {
    /// `[B, F, d]`, in the schema's order.
    pub fields: Tensor,
    /// A weight per field, `[B, F]`: its id's, or those of its ids pooled as their vectors are. `[B, 0]` for nets without.
    pub linear: Tensor,
    /// Behaviour sequences, in the schema's order.
    pub sequences: Vec<EmbeddedSequence>,
    /// `[B, R]`, in the schema's order.
    pub reals: Tensor,
    /// i64 `[B]`.
    pub scenario: Tensor,
    /// The rows by scenario.
    pub groups: Rc<Groups>,
}

/// A sequence field of a batch, N tokens of all rows together.
#[derive(Debug)]
pub struct EmbeddedSequence {
    /// `[N, d]`, row behind row.
    pub x: Tensor,
    /// Which token is which row's.
    pub rows: Rc<Segments>,
}

impl EmbeddedSequence {
    /// Other vectors for the same tokens.
    ///
    /// # Shapes
    /// x `[N, d]`
    pub fn with(&self, x: Tensor) -> Self {
        Self { x, rows: self.rows.clone() }
    }

    /// The tokens of a row side by side, 0 behind them.
    ///
    /// # Shapes
    /// -> `[B, L, d]`, L the most tokens of a row, at least 1
    pub fn padded(&self) -> Tensor {
        self.rows.padded(&self.x)
    }
}

impl Embedded {
    /// Everything but sequences as one vector per row: the fields' vectors, then the reals.
    ///
    /// # Shapes
    /// -> `[B, F d + R]`
    pub fn flat(&self) -> Tensor {
        Tensor::cat(&[&self.fields.flatten(1, 2), &self.reals], 1)
    }

    /// The same batch with the vector of field number `field` replaced by `vector` `[B, d]`; its first-order weight stays.
    pub fn with_field(&self, field: i64, vector: &Tensor) -> Self {
        let f = self.fields.size()[1];
        let parts = [
            self.fields.narrow(1, 0, field),
            vector.unsqueeze(1),
            self.fields.narrow(1, field + 1, f - field - 1),
        ];
        self.with_fields(Tensor::cat(&parts, 1))
    }

    /// The same batch with more fields, `more` `[B, n, d]`, behind its own; they have no first-order weights.
    pub fn with_more(&self, more: &Tensor) -> Self {
        self.with_fields(Tensor::cat(&[&self.fields, more], 1))
    }

    fn with_fields(&self, fields: Tensor) -> Self {
        let sequences = self.sequences.iter().map(|s| s.with(s.x.shallow_clone()));
        Self {
            fields,
            linear: self.linear.shallow_clone(),
            sequences: sequences.collect(),
            reals: self.reals.shallow_clone(),
            scenario: self.scenario.shallow_clone(),
            groups: self.groups.clone(),
        }
    }
}
