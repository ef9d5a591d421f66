//! Heads of models for several domains and tasks: a tower for every pair, of which a row passes its own domain's only.
//!
//! Shapes: B rows, D domains, T tasks, E width of the representation.
use scenarec_data::Schema;
use scenarec_train::{
    Params,
    embedding::Groups,
    nn::{MlpConfig, Norm, StackedLinear, StackedMlp},
};
use std::ops::Range;
use tch::Tensor;

/// D·T towers that end in one logit each; that of domain d and task t is number d·T + t.
///
/// A row passes its own domain's towers only. But where they have batch norm, in training, all rows pass all towers and keep
/// what their own domain's give, as in the usual implementations: the statistics are those of the whole batch, in which a
/// domain may have one row or none.
///
/// Parameters as a [`StackedMlp`]'s of D·T copies.
#[derive(Debug)]
pub(crate) struct Heads {
    towers: StackedMlp,
    tasks: i64,
    /// K = D·T.
    count: i64,
    batch_norm: bool,
}

impl Heads {
    /// The towers of a schema's scenarios and tasks on representations of width `inputs`.
    pub(crate) fn new(p: &mut Params, schema: &Schema, inputs: i64, tower: &MlpConfig) -> Self {
        let tasks = schema.tasks.len() as i64;
        let count = schema.scenarios.len() as i64 * tasks;
        let towers = StackedMlp::new(p, count, inputs, tower, Some(1));
        Self { towers, tasks, count, batch_norm: tower.norm == Norm::Batch }
    }

    /// Layers of the heads' own, below the towers: those of every row's own domain or, where all rows pass all towers, of
    /// all heads.
    ///
    /// # Shapes
    /// x [B, …], `f` (k heads, [b, …]) -> [b, k, …]; -> [B, T, …] or [B, K, …]
    pub(crate) fn layers(
        &self,
        x: &Tensor,
        groups: &Groups,
        train: bool,
        f: impl Fn(Range<i64>, &Tensor) -> Tensor,
    ) -> Tensor {
        if self.all_rows(train) {
            return f(0..self.count, x);
        }
        routed(x, groups, |d, rows| f(self.of(d), rows))
    }

    /// Every row's representation, which all its tasks share, through the towers of its domain.
    ///
    /// # Shapes
    /// u [B, E] -> logits [B, T]
    pub(crate) fn on_shared(&self, u: &Tensor, groups: &Groups, train: bool) -> Tensor {
        let logits =
            |rows: &Tensor, heads| self.towers.some_on_one(rows, heads, train).squeeze_dim(2).transpose(0, 1);
        if self.all_rows(train) {
            return self.own(&logits(u, 0..self.count), groups);
        }
        routed(u, groups, |d, rows| logits(rows, self.of(d)))
    }

    /// Every row's representations, one for each task of its domain or one for each head, through the towers of its domain.
    /// Batch statistics are those of the whole batch where there is one for each head.
    ///
    /// # Shapes
    /// u [B, T, E] or [B, K, E] -> logits [B, T]
    pub(crate) fn on_each(&self, u: &Tensor, groups: &Groups, train: bool) -> Tensor {
        if u.size()[1] > self.tasks {
            return self.own(&self.all(u, train), groups);
        }
        routed(u, groups, |d, rows| self.logits(rows, self.of(d), train))
    }

    /// Every row through all towers.
    ///
    /// # Shapes
    /// u [B, K, E] -> logits [B, K]
    pub(crate) fn all(&self, u: &Tensor, train: bool) -> Tensor {
        self.logits(u, 0..self.count, train)
    }

    /// What belongs to every row's own domain.
    ///
    /// # Shapes
    /// logits [B, K], or what the towers read, [B, K, E] -> [B, T], [B, T, E]
    pub(crate) fn own(&self, x: &Tensor, groups: &Groups) -> Tensor {
        routed(x, groups, |d, rows| rows.narrow(1, self.of(d).start, self.tasks))
    }

    /// The numbers of a domain's pairs, task by task.
    fn of(&self, domain: i64) -> Range<i64> {
        domain * self.tasks..(domain + 1) * self.tasks
    }

    /// u [b, k, E] -> [b, k].
    fn logits(&self, u: &Tensor, heads: Range<i64>, train: bool) -> Tensor {
        self.towers.some_on_each(&u.transpose(0, 1), heads, train).squeeze_dim(2).transpose(0, 1)
    }

    fn all_rows(&self, train: bool) -> bool {
        train && self.batch_norm
    }
}

/// Every domain's rows through a function of the domain's own.
///
/// # Shapes
/// x [B, …], `f` (d, [B_d, …]) -> [B_d, …]; -> [B, …] in the batch's order
pub(crate) fn routed(x: &Tensor, groups: &Groups, f: impl Fn(i64, &Tensor) -> Tensor) -> Tensor {
    let parts = groups.split(x).into_iter().enumerate();
    groups.join(parts.map(|(d, rows)| f(d as i64, &rows)).collect())
}

/// Some copies of a layer on every row's input, which is the same for all copies or one for each.
///
/// # Shapes
/// x [B, in] or [B, K, in] -> [B, k, out]
pub(crate) fn on_one_or_each(layer: &StackedLinear, x: &Tensor, copies: Range<i64>) -> Tensor {
    if x.dim() == 2 {
        return layer.on_one(x, copies);
    }
    layer.on_each(&of_heads(x, copies.clone()), copies).transpose(0, 1)
}

/// # Shapes
/// x [B, K, in] -> [k, B, in]
pub(crate) fn of_heads(x: &Tensor, heads: Range<i64>) -> Tensor {
    x.narrow(1, heads.start, heads.end - heads.start).transpose(0, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet,
        nn::Norm,
        rng::{normal, stream},
        testing::{distance, schema},
    };
    use tch::Device;

    /// Towers one by one, rows one by one.
    #[test]
    fn a_row_passes_its_own_domains_towers() {
        let schema = schema(3);
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let tower = MlpConfig { hidden: vec![5], norm: Norm::Layer, dropout: 0.0 };
        let heads = Heads::new(&mut params.root(), &schema, 4, &tower);
        let scenario = [1i64, 0, 1, 1, 0];
        let groups = Groups::new(&scenario, 2, Device::Cpu);
        let u = normal(&[5, 3, 4], &mut stream(1, "u"));
        let (shared, each) =
            (heads.on_shared(&u.select(1, 0), &groups, true), heads.on_each(&u, &groups, true));
        assert_eq!((shared.size(), each.size()), (vec![5, 3], vec![5, 3]));
        for (row, d) in scenario.into_iter().enumerate() {
            for t in 0..3 {
                let tower = d * 3 + t;
                let alone = |task: i64| {
                    let x = u.get(row as i64).narrow(0, task, 1);
                    heads.towers.some_on_one(&x, tower..tower + 1, true).flatten(0, -1)
                };
                let of = |logits: &Tensor| logits.get(row as i64).narrow(0, t, 1);
                assert!(distance(&of(&shared), &alone(0)) < 1e-5);
                assert!(distance(&of(&each), &alone(t)) < 1e-5);
            }
        }
    }

    #[test]
    fn a_domain_without_rows_will_do() {
        let schema = schema(2);
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let tower = MlpConfig { hidden: vec![5], norm: Norm::Layer, dropout: 0.0 };
        let heads = Heads::new(&mut params.root(), &schema, 4, &tower);
        let u = normal(&[3, 4], &mut stream(1, "u"));
        let both = heads.on_shared(&u, &Groups::new(&[1, 1, 0], 2, Device::Cpu), true);
        let one = heads.on_shared(&u, &Groups::new(&[1, 1, 1], 2, Device::Cpu), true);
        assert!(distance(&both.narrow(0, 0, 2), &one.narrow(0, 0, 2)) < 1e-6);
        assert!(distance(&both.get(2), &one.get(2)) > 1e-3);
    }
}
