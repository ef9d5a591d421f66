//! Optimisers with torch.optim's semantics: weight decay is L2, added to the gradient; a parameter that got no gradient
//! in a step takes no step and no decay.
#![allow(unsafe_code)]
use crate::{
    checkpoint::{Carrier, Resumable},
    config::check,
    net::Weights,
    params::Selection,
    shim::checked,
    table::Rule,
};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::ffi::c_char;
use tch::{Kind, Tensor};
use torch_sys::C_tensor;

/// Which optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimName {
    /// `torch.optim.Adam`.
    Adam,
    /// `torch.optim.Adagrad`.
    Adagrad,
    /// `torch.optim.SGD` without momentum.
    Sgd,
    /// `torch.optim.RMSprop` without momentum, not centred; for dense parameters only.
    Rmsprop,
}

fn beta1() -> f64 {
    0.9
}
fn beta2() -> f64 {
    0.999
}
fn eps() -> f64 {
    1e-8
}
fn alpha() -> f64 {
    0.99
}
fn is_default_alpha(value: &f64) -> bool {
    *value == alpha()
}

/// An optimiser's settings, torch.optim's names and defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimSpec {
    /// Which optimiser.
    pub name: OptimName,
    /// Learning rate.
    pub lr: f64,
    /// L2 penalty, added to the gradient.
    #[serde(default)]
    pub weight_decay: f64,
    /// Adam's decay of the first moment.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// Adam's decay of the second moment.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// Added to the denominator.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Adagrad's decay of the learning rate.
    #[serde(default)]
    pub lr_decay: f64,
    /// Adagrad's sum of squares at the start.
    #[serde(default)]
    pub initial_accumulator: f64,
    /// RMSprop's decay of the mean square. Written out only where it is not torch.optim's: it enters the hashes of
    /// settings, and those of finished runs are older than it.
    #[serde(default = "alpha", skip_serializing_if = "is_default_alpha")]
    pub alpha: f64,
}

impl OptimSpec {
    /// Adam with torch.optim's defaults.
    pub fn adam(lr: f64, weight_decay: f64) -> Self {
        Self {
            name: OptimName::Adam,
            lr,
            weight_decay,
            beta1: beta1(),
            beta2: beta2(),
            eps: eps(),
            lr_decay: 0.0,
            initial_accumulator: 0.0,
            alpha: alpha(),
        }
    }

    /// An error about a number under `key` that torch.optim refuses too, or that would divide by 0.
    ///
    /// # Errors
    /// A [`KeyError`](crate::config::KeyError) with `key` and the name of the number.
    pub fn check(&self, key: &str) -> Result<()> {
        let &Self { name, lr, weight_decay, beta1, beta2, eps, lr_decay, initial_accumulator, alpha } = self;
        let number = |own: &str, value: f64, ok: bool, must: &str| {
            check(ok && value.is_finite(), &format!("{key}.{own}"), || format!("{value} {must}"))
        };
        number("lr", lr, lr > 0.0, "is not above 0")?;
        for (own, value) in [
            ("weight_decay", weight_decay),
            ("lr_decay", lr_decay),
            ("initial_accumulator", initial_accumulator),
            ("eps", eps),
        ] {
            number(own, value, value >= 0.0, "is below 0")?;
        }
        for (own, value) in [("beta1", beta1), ("beta2", beta2), ("alpha", alpha)] {
            number(own, value, (0.0..1.0).contains(&value), "is not in [0, 1)")?;
        }
        match name {
            OptimName::Adam => number("eps", eps, eps >= 1e-15, "is below 1e-15"),
            OptimName::Adagrad if initial_accumulator == 0.0 => {
                number("eps", eps, eps > 0.0, "is not above 0, and the sums begin at 0")
            }
            _ => Ok(()),
        }
    }

    /// What deferred tables are trained by; none for an optimiser that cannot train them.
    fn rule(&self) -> Option<Rule> {
        let &Self { weight_decay, beta1, beta2, eps, lr_decay, initial_accumulator, .. } = self;
        match self.name {
            OptimName::Adam => Some(Rule::Adam { beta1, beta2, eps, weight_decay }),
            OptimName::Adagrad => Some(Rule::Adagrad { lr_decay, eps, initial_accumulator, weight_decay }),
            OptimName::Sgd => Some(Rule::Sgd { momentum: 0.0, weight_decay }),
            OptimName::Rmsprop => None,
        }
    }
}

/// A dense parameter with its state: Adam's two moments, Adagrad's sum, RMSprop's mean square, none for SGD.
#[derive(Debug)]
struct Slot {
    parameter: Tensor,
    /// What was accumulated for the next step.
    gradient: Option<Tensor>,
    moments: Vec<Tensor>,
    steps: Tensor,
}

impl Slot {
    fn is_open(&self) -> bool {
        self.parameter.requires_grad()
    }

    /// Adds a gradient; an undefined one means that the parameter was not part of the graph.
    fn add(&mut self, gradient: &Tensor) {
        if gradient.defined() {
            self.gradient = Some(match self.gradient.take() {
                Some(sum) => sum + gradient,
                None => gradient.shallow_clone(),
            });
        }
    }
}

/// One optimiser over everything in a [`Weights`] that was not frozen when it was made.
#[derive(Debug)]
pub struct Optimizer {
    spec: OptimSpec,
    slots: Vec<Slot>,
}

impl Optimizer {
    /// Starts from zero state. Tables are brought up to date first; an optimiser made for the same weights before is
    /// finished with its tables. RMSprop takes no deferred table: a loss that depends on one is then an error.
    pub fn new(spec: OptimSpec, weights: &mut Weights) -> Self {
        if let Some(rule) = spec.rule() {
            weights.tables.attach(rule);
        }
        let mut parameters = weights.params.active();
        parameters.extend(weights.tables.dense_parameters());
        Self::of(spec, parameters)
    }

    /// An optimiser of its own, from zero state, for the dense parameters that match `globs`; every glob must match one
    /// that is not frozen. Tables stay with their optimiser, and losses for this one are computed without tracking them.
    ///
    /// # Errors
    /// A glob that is none, or that matches no parameter which is not frozen.
    pub fn of_parameters(spec: OptimSpec, weights: &Weights, globs: &[&str]) -> Result<Self> {
        let active = weights.params.active();
        let (chosen, _) = Selection::new(globs)?.split(active.iter().map(|(name, _)| name.as_str()))?;
        let parameters = active.iter().filter(|(name, _)| chosen.contains(&name.as_str()));
        Ok(Self::of(spec, parameters.map(|(name, t)| (name.clone(), t.shallow_clone())).collect()))
    }

    fn of(spec: OptimSpec, parameters: Vec<(String, Tensor)>) -> Self {
        let slot = |(_, parameter): (String, Tensor)| {
            let zeros = || parameter.detach().zeros_like();
            let moments = match spec.name {
                OptimName::Adam => vec![zeros(), zeros()],
                OptimName::Adagrad => vec![parameter.detach().full_like(spec.initial_accumulator)],
                OptimName::Sgd => vec![],
                OptimName::Rmsprop => vec![zeros()],
            };
            let steps = Tensor::zeros([] as [i64; 0], (Kind::Float, parameter.device()));
            Slot { moments, steps, parameter, gradient: None }
        };
        Self { spec, slots: parameters.into_iter().map(slot).collect() }
    }

    /// The learning rate.
    pub fn lr(&self) -> f64 {
        self.spec.lr
    }

    /// Changes the learning rate of the steps to come.
    pub fn set_lr(&mut self, lr: f64) {
        self.spec.lr = lr;
    }

    /// Differentiates `loss` (a scalar) and takes one step.
    ///
    /// # Errors
    /// A loss that is no scalar or depends on nothing that learns; everything frozen; RMSprop where the loss depends on tables.
    pub fn step(&mut self, loss: &Tensor, weights: &mut Weights) -> Result<()> {
        Self::step_all(loss, &mut [(self, weights)])
    }

    /// Differentiates `loss` (a scalar) once and takes one step of every optimiser with its weights.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step_all(loss: &Tensor, parts: &mut [(&mut Optimizer, &mut Weights)]) -> Result<()> {
        Self::accumulate_all(loss, parts)?;
        parts.iter_mut().try_for_each(|(optimizer, weights)| optimizer.apply(weights))
    }

    /// Differentiates `loss` (a scalar), a part of the next step's loss, and adds its gradients to those of the other
    /// parts.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn accumulate(&mut self, loss: &Tensor, weights: &mut Weights) -> Result<()> {
        Self::accumulate_all(loss, &mut [(self, weights)])
    }

    /// Takes one step with the accumulated gradients.
    ///
    /// # Errors
    /// What libtorch's kernels refuse: gradients of another shape or device than their parameters.
    pub fn apply(&mut self, weights: &mut Weights) -> Result<()> {
        self.dense_step()?;
        weights.tables.step(self.spec.lr);
        Ok(())
    }

    fn accumulate_all(loss: &Tensor, parts: &mut [(&mut Optimizer, &mut Weights)]) -> Result<()> {
        let lookups: Vec<_> = parts.iter_mut().map(|(_, w)| w.tables.take_pending()).collect();
        let mut inputs: Vec<&Tensor> = Vec::new();
        for ((optimizer, _), lookups) in parts.iter().zip(&lookups) {
            inputs.extend(optimizer.slots.iter().filter(|s| s.is_open()).map(|s| &s.parameter));
            inputs.extend(lookups.iter().map(|l| &l.leaf));
        }
        ensure!(!inputs.is_empty(), "nothing to optimise: every parameter is frozen");
        let gradients = Tensor::f_run_backward(&[loss], &inputs, false, false)?;
        let mut rest = &gradients[..];
        for ((optimizer, weights), lookups) in parts.iter_mut().zip(&lookups) {
            for slot in optimizer.slots.iter_mut().filter(|s| s.is_open()) {
                slot.add(&rest[0]);
                rest = &rest[1..];
            }
            let (sparse, more) = rest.split_at(lookups.len());
            ensure!(
                optimizer.spec.rule().is_some() || !sparse.iter().any(Tensor::defined),
                "rmsprop trains dense parameters only, but the loss depends on embedding tables: freeze them, or \
                 choose another optimiser"
            );
            weights.tables.accumulate(lookups, sparse);
            rest = more;
        }
        Ok(())
    }

    fn dense_step(&mut self) -> Result<()> {
        // The fused kernels walk parameter and gradient as flat memory.
        let taken = self.slots.iter_mut().filter_map(|s| {
            let gradient = s.gradient.take()?.contiguous();
            Some((&*s, gradient))
        });
        let (slots, contiguous): (Vec<&Slot>, Vec<Tensor>) = taken.unzip();
        let n = slots.len();
        if n == 0 {
            return Ok(());
        }
        let pointers = |tensors: &mut dyn Iterator<Item = &Tensor>| -> Vec<*mut C_tensor> {
            tensors.map(|t| t.as_ptr().cast_mut()).collect()
        };
        let (p, g) = (pointers(&mut slots.iter().map(|s| &s.parameter)), pointers(&mut contiguous.iter()));
        let moment = |i: usize| pointers(&mut slots.iter().map(|s| &s.moments[i]));
        let t = pointers(&mut slots.iter().map(|s| &s.steps));
        let &OptimSpec { lr, weight_decay, beta1, beta2, eps, lr_decay, alpha, .. } = &self.spec;
        // SAFETY: every array holds n pointers to live tensors, which the shim only reads during the call.
        checked(unsafe {
            match self.spec.name {
                OptimName::Adam => {
                    let (m, v) = (moment(0), moment(1));
                    scenarec_fused_adam(
                        n,
                        p.as_ptr(),
                        g.as_ptr(),
                        m.as_ptr(),
                        v.as_ptr(),
                        t.as_ptr(),
                        lr,
                        beta1,
                        beta2,
                        eps,
                        weight_decay,
                    )
                }
                OptimName::Adagrad => {
                    let s = moment(0);
                    scenarec_fused_adagrad(
                        n,
                        p.as_ptr(),
                        g.as_ptr(),
                        s.as_ptr(),
                        t.as_ptr(),
                        lr,
                        lr_decay,
                        eps,
                        weight_decay,
                    )
                }
                OptimName::Sgd => scenarec_fused_sgd(n, p.as_ptr(), g.as_ptr(), lr, weight_decay),
                OptimName::Rmsprop => {
                    let v = moment(0);
                    scenarec_rmsprop(n, p.as_ptr(), g.as_ptr(), v.as_ptr(), lr, alpha, eps, weight_decay)
                }
            }
        })
    }
}

impl Resumable for Optimizer {
    /// Moments, steps and learning rate; the parameters are their weights' to carry, and so is the state of deferred tables.
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.number("lr", &mut self.spec.lr)?;
        for (place, slot) in self.slots.iter_mut().enumerate() {
            ensure!(slot.gradient.is_none(), "a checkpoint between a gradient and its step");
            for (moment, values) in slot.moments.iter().enumerate() {
                carrier.tensor(&format!("{place}.moment{moment}"), values)?;
            }
            carrier.tensor(&format!("{place}.steps"), &slot.steps)?;
        }
        Ok(())
    }
}

/// Asks libtorch for kernels whose result does not depend on timing, and for full-precision products on a GPU.
///
/// # Errors
/// What libtorch refuses.
pub fn deterministic() -> Result<()> {
    // SAFETY: takes no argument and keeps nothing.
    checked(unsafe { scenarec_deterministic() })
}

/// Lets libtorch take numbers below 1.2e-38 as zero on this thread, as the tables' own kernels do.
///
/// # Errors
/// A processor that cannot.
pub fn flush_denormals() -> Result<()> {
    // SAFETY: takes no argument and keeps nothing.
    checked(unsafe { scenarec_flush_denormals() })
}

type Tensors = *const *mut C_tensor;

unsafe extern "C" {
    fn scenarec_fused_adam(
        n: usize,
        params: Tensors,
        grads: Tensors,
        exp_avgs: Tensors,
        exp_avg_sqs: Tensors,
        steps: Tensors,
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
    ) -> *mut c_char;
    fn scenarec_fused_adagrad(
        n: usize,
        params: Tensors,
        grads: Tensors,
        sums: Tensors,
        steps: Tensors,
        lr: f64,
        lr_decay: f64,
        eps: f64,
        weight_decay: f64,
    ) -> *mut c_char;
    fn scenarec_fused_sgd(
        n: usize,
        params: Tensors,
        grads: Tensors,
        lr: f64,
        weight_decay: f64,
    ) -> *mut c_char;
    fn scenarec_rmsprop(
        n: usize,
        params: Tensors,
        grads: Tensors,
        square_avgs: Tensors,
        lr: f64,
        alpha: f64,
        eps: f64,
        weight_decay: f64,
    ) -> *mut c_char;
    fn scenarec_deterministic() -> *mut c_char;
    fn scenarec_flush_denormals() -> *mut c_char;
}
