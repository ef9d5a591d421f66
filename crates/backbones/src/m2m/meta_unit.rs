//! M2M's meta unit (Section 3.3): a linear layer whose weights are made for every row from the scenario's knowledge.
//!
//! Shapes: B rows, n inputs per row, k width of the knowledge.
use scenarec_train::{Init, Params};
use tch::Tensor;

/// W(S̃) u + b(S̃), W(S̃) = reshape(V S̃ + v), b(S̃) = U S̃ + u₀.
///
/// No row gets a matrix: W(S̃) u = Σ_j S̃_j (V_j u) + v u is one product of u with all V_j, [B n, in] x [in, (k + 1) out],
/// and a sum over j. (The product of u ⊗ S̃ with the stacked V_j costs the same and keeps one more tensor of that size for
/// the gradient.)
///
/// Parameters `weight` [in, k + 1, out], the V_j and then v; `bias` [k + 1, out], the rows of U and then u₀. They begin as
/// those of a linear layer on u ⊗ [S̃ ; 1].
#[derive(Debug)]
pub(super) struct MetaUnit {
    weight: Tensor,
    bias: Tensor,
}

impl MetaUnit {
    pub(super) fn new(p: &mut Params, knowledge: i64, inputs: i64, outputs: i64) -> Self {
        let terms = knowledge + 1;
        Self {
            weight: p.parameter("weight", &[inputs, terms, outputs], Init::linear(inputs * terms)),
            bias: p.parameter("bias", &[terms, outputs], Init::linear(terms)),
        }
    }

    /// # Shapes
    /// u [B, n, in], s = [S̃ ; 1] [B, k + 1] -> [B, n, out]
    pub(super) fn forward(&self, u: &Tensor, s: &Tensor) -> Tensor {
        weighted(u, &self.weight, s) + self.shift(s)
    }

    /// The unit on every pair [u_i ; c_t] of a row's input and a constant: what is linear in both is computed for each alone.
    ///
    /// # Shapes
    /// u [B, n, in_u], c [T, in_c] with in_u + in_c = in, s [B, k + 1] -> [B, T, n, out]
    pub(super) fn on_pairs(&self, u: &Tensor, c: &Tensor, s: &Tensor) -> Tensor {
        let (of_u, of_c) = (u.size()[2], c.size()[1]);
        let u = weighted(u, &self.weight.narrow(0, 0, of_u), s);
        // Σ_j S̃_j (V_j c): V_j c is the same for all rows.
        let [_, terms, outputs] = self.weight.size()[..] else {
            panic!("a weight per input, term and output")
        };
        let c = c.matmul(&self.weight.narrow(0, of_u, of_c).flatten(1, 2)).view([-1, terms, outputs]);
        let c = s.matmul(&c.transpose(0, 1).flatten(1, 2)).unflatten(1, [-1, outputs]);
        u.unsqueeze(1) + (c + self.shift(s)).unsqueeze(2)
    }

    /// b(S̃), [B, 1, out].
    fn shift(&self, s: &Tensor) -> Tensor {
        s.matmul(&self.bias).unsqueeze(1)
    }
}

/// Σ_j s_j (V_j u): u [B, n, in], weight [in, k + 1, out], s [B, k + 1] -> [B, n, out].
fn weighted(u: &Tensor, weight: &Tensor, s: &Tensor) -> Tensor {
    let [_, n, inputs] = u.size()[..] else { panic!("inputs by row") };
    let [_, terms, outputs] = weight.size()[..] else { panic!("a weight per input, term and output") };
    let products = u.reshape([-1, inputs]).matmul(&weight.flatten(1, 2)).view([-1, terms, outputs]);
    let s = s.unsqueeze(1).expand([-1, n, terms], false).reshape([-1, 1, terms]);
    s.bmm(&products).view([-1, n, outputs])
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet,
        rng::{normal, stream},
        testing::distance,
    };
    use tch::Device;

    /// A matrix per row, after all.
    #[test]
    fn no_matrix_is_needed() {
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let unit = MetaUnit::new(&mut params.root(), 2, 4, 5);
        let mut rng = stream(1, "meta");
        let mut draw = |shape: &[i64]| normal(shape, &mut rng);
        let (u, c, knowledge) = (draw(&[6, 3, 2]), draw(&[2, 2]), draw(&[6, 2]));
        let s = Tensor::cat(&[&knowledge, &knowledge.narrow(1, 0, 1).ones_like()], 1);
        let pairs = unit.on_pairs(&u, &c, &s);
        assert_eq!(pairs.size(), [6, 2, 3, 5]);
        for row in 0..6 {
            let s = s.get(row).unsqueeze(-1);
            let matrix = (&unit.weight * &s).sum_dim_intlist([1i64].as_slice(), false, None);
            let shift = (&unit.bias * &s).sum_dim_intlist([0i64].as_slice(), false, None);
            for t in 0..2 {
                let both = Tensor::cat(&[&u.get(row), &c.get(t).expand([3, 2], false)], 1);
                let expected = both.matmul(&matrix) + &shift;
                assert!(distance(&pairs.get(row).get(t), &expected) < 1e-5);
                let alone = unit.forward(&both.unsqueeze(0), &s.view([1, 3]));
                assert!(distance(&alone.get(0), &expected) < 1e-5);
            }
        }
    }
}
