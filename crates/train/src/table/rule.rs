//! The optimisers' settings, with the meaning and the defaults of `torch.optim` (2.11).

/// An optimiser and its hyper-parameters, as in `torch.optim`. The learning rate is an argument of each step.
///
/// `weight_decay` is the L2 term that `torch.optim` adds to the gradient (`grad + weight_decay * weight`), not
/// AdamW's decoupled one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `torch.optim.Adam` (Kingma and Ba, 2015), without AMSGrad.
    Adam {
        /// Decay of the first moment per step, in `[0, 1)`.
        beta1: f64,
        /// Decay of the second moment per step, in `[0, 1)`.
        beta2: f64,
        /// Added to the root of the second moment, at least 1e-15.
        eps: f64,
        /// L2 factor.
        weight_decay: f64,
    },
    /// `torch.optim.Adagrad` (Duchi et al., 2011).
    Adagrad {
        /// The learning rate of step t (from 1) is `lr / (1 + (t - 1) * lr_decay)`.
        lr_decay: f64,
        /// Added to the root of the sum, above 0; 0 will do where sums start above it, as TensorFlow's do.
        eps: f64,
        /// What the sum of squares starts from.
        initial_accumulator: f64,
        /// L2 factor.
        weight_decay: f64,
    },
    /// `torch.optim.SGD` with heavy-ball momentum, without dampening or Nesterov.
    Sgd {
        /// Decay of the momentum buffer per step, in `[0, 1)`; 0 for none.
        momentum: f64,
        /// L2 factor.
        weight_decay: f64,
    },
}

impl Rule {
    /// Adam with PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8.
    pub fn adam(weight_decay: f64) -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay }
    }

    /// Adagrad with PyTorch's defaults: eps 1e-10, no learning-rate decay, sums from 0.
    pub fn adagrad(weight_decay: f64) -> Self {
        Self::Adagrad { lr_decay: 0.0, eps: 1e-10, initial_accumulator: 0.0, weight_decay }
    }

    /// Plain gradient descent.
    pub fn sgd(weight_decay: f64) -> Self {
        Self::Sgd { momentum: 0.0, weight_decay }
    }

    /// Panics on settings that PyTorch refuses, or under which a row without gradients divides 0 by 0.
    pub(super) fn check(&self) {
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        let ok = match *self {
            Self::Adam { beta1, beta2, eps, weight_decay } => {
                fraction(beta1) && fraction(beta2) && eps >= 1e-15 && weight_decay >= 0.0
            }
            Self::Adagrad { lr_decay, eps, initial_accumulator, weight_decay } => {
                let divides = eps > 0.0 || eps == 0.0 && initial_accumulator > 0.0;
                lr_decay >= 0.0 && divides && initial_accumulator >= 0.0 && weight_decay >= 0.0
            }
            Self::Sgd { momentum, weight_decay } => fraction(momentum) && weight_decay >= 0.0,
        };
        assert!(ok, "optimiser settings out of range: {self:?}");
    }
}
