//! Multi-head self-attention over histories, each seen in several ways at once.
//!
//! Shapes: B rows, L places, K views, h heads of width c, d = h c.
mod fused;
mod kernel;

use fused::fused;
use tch::{Device, Kind, Tensor};

/// softmax(Q Kᵀ / √c) V of every view and head, where queries, keys and values are `views` + `own`: a row's histories in K
/// views, of which each has a part of its own and all have one in common. The last `tokens` places of a row are its history; those
/// before them are not read, and 0 in the result.
///
/// On a CPU one kernel does all of it where c is a power of two up to 64, and keeps nothing but its inputs for the way back; its
/// results are the same on every instruction set.
///
/// # Shapes
/// views f32 [B, L, K, 3 d] (queries, keys, values, each head by head), own [B, L, 3 d], tokens i64 `[B]` -> [B, K, L, d]
///
/// # Panics
/// On other shapes, on kinds other than these, and where `heads` does not divide d.
pub fn attention(views: &Tensor, own: Option<&Tensor>, tokens: &Tensor, heads: i64) -> Tensor {
    let (b, l, _, width) = views.size4().expect("[B, L, K, 3 d]");
    assert!(width % (3 * heads) == 0, "{heads} heads of a third of {width}");
    assert_eq!(tokens.size(), [b], "tokens of every row");
    assert!(own.is_none_or(|own| own.size() == [b, l, width]), "a part of every row's own");
    let width = width / 3 / heads;
    match views.device() {
        // Tensors without numbers have no address that the kernel could be given.
        Device::Cpu if kernel::WIDTHS.contains(&width) && views.numel() > 0 => {
            fused(views, own, tokens, heads)
        }
        _ => composed(views, own, tokens, heads),
    }
}

/// The same from libtorch's operations.
fn composed(views: &Tensor, own: Option<&Tensor>, tokens: &Tensor, heads: i64) -> Tensor {
    let projected = own.map_or_else(|| views.shallow_clone(), |own| views + own.unsqueeze(2));
    let (_, l, _, width) = projected.size4().expect("[B, L, K, 3 d]");
    let width = width / 3 / heads;
    let place = Tensor::arange(l, (Kind::Int64, projected.device()));
    let there = place.ge_tensor(&(l - tokens).unsqueeze(1)).to_kind(Kind::Float);
    let parts = projected.unflatten(3, [3, heads, width]).permute([3, 0, 2, 4, 1, 5]);
    let [q, keys, v] = [0, 1, 2].map(|i| parts.select(0, i)); // [B, K, h, L, c]
    let lowered = ((&there - 1.0) * 1e9).unsqueeze(1).unsqueeze(1).unsqueeze(1);
    let scores = q.matmul(&keys.transpose(3, 4)) / (width as f64).sqrt() + lowered;
    let joined = scores.softmax(-1, Kind::Float).matmul(&v).transpose(2, 3);
    joined.flatten(3, 4) * there.unsqueeze(1).unsqueeze(3)
}
