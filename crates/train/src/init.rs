//! Initial values, by PyTorch's rules. tch's own defaults differ from PyTorch's (linear weights 2.45 times wider,
//! batch-norm scales uniform in [0, 1)), so they are never used.
use crate::rng::Rng;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// A rule for the initial values of one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in [-a, a).
    Uniform(f64),
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// One value everywhere.
    Constant(f64),
}

impl Init {
    /// `torch.nn.Linear`'s weight and bias: Kaiming uniform with a = √5, which is U(±1/√fan_in).
    pub fn linear(fan_in: i64) -> Self {
        Self::Uniform(1.0 / (fan_in as f64).sqrt())
    }

    /// `torch.nn.init.xavier_normal_` of a linear weight: N(0, 2/(fan_in + fan_out)).
    pub fn xavier_normal(fan_in: i64, fan_out: i64) -> Self {
        Self::Normal { std: (2.0 / (fan_in + fan_out) as f64).sqrt() }
    }

    /// `torch.nn.init.xavier_uniform_` of a matrix: U(±√(6/(fan_in + fan_out))).
    pub fn xavier_uniform(fan_in: i64, fan_out: i64) -> Self {
        Self::Uniform((6.0 / (fan_in + fan_out) as f64).sqrt())
    }

    /// `n` values.
    pub fn draw(self, n: usize, rng: &mut Rng) -> Vec<f32> {
        match self {
            Self::Uniform(a) => (0..n).map(|_| ((rng.random::<f64>() * 2.0 - 1.0) * a) as f32).collect(),
            Self::Normal { std } => {
                (0..n).map(|_| (Distribution::<f64>::sample(&StandardNormal, rng) * std) as f32).collect()
            }
            Self::Constant(c) => vec![c as f32; n],
        }
    }
}

/// How a net as a whole is initialised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InitScheme {
    /// Each layer by PyTorch's rule for it; embeddings N(0, 1).
    #[default]
    Torch,
    /// Each layer by PyTorch's rule for it; embeddings N(0, std²) (M3oE's program).
    Embeddings(f64),
    /// Every parameter, batch norm's scale and all biases included, U(-a, a) (CVAR's programs).
    Uniform(f64),
    /// Each layer by PyTorch's rule for it; embeddings Xavier-uniform as if the net's tables were one matrix, U(±√(6/(rows +
    /// d))) with the rows of all tables together (Diff-MSR's program, which keeps the ids of all fields in one table).
    JointXavier,
    /// Every matrix, each table of embeddings included, Xavier-uniform, U(±√(6/(rows + columns))), and every bias 0; scales stay
    /// 1 (TensorFlow's defaults).
    Xavier,
}

impl InitScheme {
    /// The rule for a tensor, a layer's `weight` or `bias`, whose layer would use `own`. The last two dimensions of a weight
    /// are its matrix's, those before them number matrices.
    pub fn apply(self, own: Init, name: &str, shape: &[i64]) -> Init {
        match (self, own, shape) {
            (Self::Uniform(a), ..) => Init::Uniform(a),
            (Self::Xavier, Init::Uniform(_), _) if name == "bias" => Init::Constant(0.0),
            (Self::Xavier, Init::Uniform(_), [.., rows, columns]) => Init::xavier_uniform(*rows, *columns),
            _ => own,
        }
    }

    /// The rule for a table of embeddings of width `dim` with `rows` rows, beside others with which it has `all` rows.
    pub fn embeddings(self, rows: usize, all: usize, dim: usize) -> Init {
        match self {
            Self::Embeddings(std) => Init::Normal { std },
            Self::JointXavier => Init::xavier_uniform(all as i64, dim as i64),
            Self::Xavier => Init::xavier_uniform(rows as i64, dim as i64),
            Self::Uniform(a) => Init::Uniform(a),
            Self::Torch => Init::Normal { std: 1.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    #[test]
    fn draws_have_the_stated_bounds_and_moments() {
        let n = 200_000;
        let v = Init::linear(100).draw(n, &mut stream(1, "w"));
        let max = v.iter().fold(0f32, |m, x| m.max(x.abs()));
        assert!(max <= 0.1 && max > 0.0999, "{max}");
        let v = Init::xavier_normal(48, 16).draw(n, &mut stream(1, "w"));
        let var = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64;
        assert!((var - 2.0 / 64.0).abs() < 5e-4, "{var}");
    }

    #[test]
    fn schemes_say_how_embeddings_begin() {
        // Diff-MSR's table for Douban: 3 domains, 2,718 users, 21,909 items.
        let bound = |init| if let Init::Uniform(a) = init { a } else { panic!("{init:?} is not uniform") };
        let joint = bound(InitScheme::JointXavier.embeddings(3, 24_630, 16));
        assert!((joint - 0.015603).abs() < 1e-6, "{joint}");
        assert_eq!(bound(InitScheme::Uniform(0.01).embeddings(3, 24_630, 16)), 0.01);
        assert_eq!(InitScheme::Torch.embeddings(3, 24_630, 16), Init::Normal { std: 1.0 });
        assert_eq!(InitScheme::Embeddings(1e-4).embeddings(3, 24_630, 16), Init::Normal { std: 1e-4 });
        assert_eq!(bound(InitScheme::Xavier.embeddings(80, 24_630, 16)), 0.25);
        assert_eq!(InitScheme::JointXavier.apply(Init::linear(4), "weight", &[2, 4]), Init::Uniform(0.5));
        let xavier = |own, name, shape: &[i64]| InitScheme::Xavier.apply(own, name, shape);
        assert_eq!(xavier(Init::linear(4), "weight", &[7, 80, 16]), Init::Uniform(0.25));
        assert_eq!(xavier(Init::linear(4), "bias", &[7, 16]), Init::Constant(0.0));
        assert_eq!(xavier(Init::Constant(1.0), "weight", &[16]), Init::Constant(1.0));
    }
}
