//! A row's behaviours with the most recent one last, so that places count from now.
//!
//! Shapes: B rows, L tokens (the batch's most), N tokens at most, d width.
use scenarec_train::Embedded;
use tch::{Kind, Tensor};

/// The sequences of a batch.
pub(super) struct History {
    /// The sequences in the schema's order, each [B, L, d], 0 at padding, which stands before a row's tokens.
    pub sequences: Vec<Tensor>,
    /// 1 where there is a token, [B, L].
    pub mask: Tensor,
    /// How many tokens a row has, i64 `[B]`.
    pub tokens: Tensor,
    /// 1 for rows with a token, `[B]`.
    pub any: Tensor,
}

impl History {
    pub fn new(x: &Embedded) -> Self {
        let given = x.sequences[0].rows.mask(); // Padding behind the tokens.
        let len = given.size()[1];
        let device = given.device();
        let tokens = given.sum_dim_intlist([1i64].as_slice(), false, Kind::Int64);
        let place = Tensor::arange(len, (Kind::Int64, device)) - (len - &tokens).unsqueeze(1);
        let mask = place.ge(0).to_kind(Kind::Float);
        // The rows' numbers, without one of how many there are.
        let row = (tokens.ones_like().cumsum(0, Kind::Int64) - 1).unsqueeze(1) * len;
        let from = (place.clamp_min(0) + row).flatten(0, 1);
        let cover = mask.unsqueeze(2);
        let moved = |s: &Tensor| s.flatten(0, 1).index_select(0, &from).view_as(s) * &cover;
        Self {
            sequences: x.sequences.iter().map(|s| moved(&s.padded())).collect(),
            any: tokens.gt(0).to_kind(Kind::Float),
            tokens,
            mask,
        }
    }
}

/// What the scores of padded keys are lowered by, so far that softmax gives them exactly 0; 0 for tokens.
///
/// # Shapes
/// mask [B, L] -> [B, L]
pub(super) fn lowered(mask: &Tensor) -> Tensor {
    (mask - 1.0) * 1e9
}

/// The vectors of all tokens as one, padded before them to N tokens.
///
/// # Shapes
/// [B, L, d] -> [B, N d]
pub(super) fn flat(x: &Tensor, n: i64) -> Tensor {
    x.constant_pad_nd([0, 0, n - x.size()[1], 0]).flatten(1, 2)
}
