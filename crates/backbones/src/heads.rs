//! Heads of models for several domains and tasks: a tower for every pair, of which a row passes its own domain's only.
//!
//! Shapes: B rows, D domains, T tasks, E width of the representation.
use scenarec_data::Schema;
use scenarec_train::{
    Params,
    embedding::Groups,
    nn::{MlpConfig, StackedLinear, StackedMlp},
};
use std::ops::Range;
use tch::Tensor;

/// D·T towers that end in one logit each; that of domain d and task t is number d·T + t.
///
/// Parameters as a [`StackedMlp`]'s of D·T copies.
#[derive(Debug)]
pub(crate) struct Heads {
    towers: StackedMlp,
    tasks: i64,
}

impl Heads {
    /// The towers of a schema's scenarios and tasks on representations of width `inputs`.
    pub(crate) fn new(p: &mut Params, schema: &Schema, inputs: i64, tower: &MlpConfig) -> Self {
        let tasks = schema.tasks.len() as i64;
        let copies = schema.scenarios.len() as i64 * tasks;
        Self { towers: StackedMlp::new(p, copies, inputs, tower, Some(1)), tasks }
    }

    /// Every row's representation, which all its tasks share, through the towers of its domain.
    ///
    /// # Shapes
    /// u [B, E] -> logits [B, T]
    pub(crate) fn on_shared(&self, u: &Tensor, groups: &Groups, train: bool) -> Tensor {
        routed(u, groups, |d, rows| {
            self.towers.some_on_one(rows, self.of(d), train).squeeze_dim(2).transpose(0, 1)
        })
    }

    /// Every row's representations, one for each task, through the towers of its domain.
    ///
    /// # Shapes
    /// u [B, T, E] -> logits [B, T]
    pub(crate) fn on_each(&self, u: &Tensor, groups: &Groups, train: bool) -> Tensor {
        routed(u, groups, |d, rows| {
            let by_task = rows.transpose(0, 1);
            self.towers.some_on_each(&by_task, self.of(d), train).squeeze_dim(2).transpose(0, 1)
        })
    }

    /// The numbers of a domain's pairs, task by task.
    pub(crate) fn of(&self, domain: i64) -> Range<i64> {
        domain * self.tasks..(domain + 1) * self.tasks
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
