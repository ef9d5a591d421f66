//! What a table asks of an optimiser.

use super::rule::Rule;

/// The memory of all rows: weights `[rows, dim]` and state `[rows, vectors, dim]`.
pub(super) struct Rows<'a> {
    pub weights: &'a mut [f32],
    pub state: &'a mut [f32],
    pub dim: usize,
}

/// A row that has missed the steps after `last`.
#[derive(Clone, Copy)]
pub(super) struct Stale {
    pub row: u32,
    pub last: u32,
}

/// Which rows a step without a gradient for them moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// None: rows are always up to date.
    Nothing,
    /// Those that had a gradient before.
    Touched,
    /// All.
    All,
}

/// An optimiser's clock and arithmetic; the table keeps the rows.
pub(super) trait RowOptimiser: Send {
    /// State vectors per row, each as long as the row.
    fn vectors(&self) -> usize;

    /// What state starts from.
    fn initial_state(&self) -> f32 {
        0.0
    }

    /// Which rows move without a gradient.
    fn missed(&self) -> Missed;

    /// Begins a step at a learning rate.
    fn tick(&mut self, lr: f64);

    /// Gives stale rows the moves they missed, up to and with the step begun last. May reorder the list.
    fn refresh(&self, rows: Rows, stale: &mut [Stale]);

    /// Finishes the step for rows with a gradient, which have missed none before it. `grads` is `[ids, dim]`.
    fn step(&self, rows: Rows, ids: &[u32], grads: &[f32]);
}

/// The optimiser for a rule, before its first step.
pub(super) fn start(rule: Rule) -> Box<dyn RowOptimiser> {
    rule.check();
    match rule {
        Rule::Adam { beta1, beta2, eps, weight_decay } => {
            Box::new(super::adam::Adam::new(beta1, beta2, eps, weight_decay))
        }
        Rule::Adagrad { lr_decay, eps, initial_accumulator, weight_decay } => {
            Box::new(super::adagrad::Adagrad::new(lr_decay, eps, initial_accumulator, weight_decay))
        }
        Rule::Sgd { momentum, weight_decay } => Box::new(super::sgd::Sgd::new(momentum, weight_decay)),
    }
}
