//! Rows of a batch by scenario.
use tch::{Device, Tensor};

/// Which rows of a batch belong to which scenario: what lets a model run only a row's own scenario's layers on it. The
/// numbers are known to the host, so that nothing waits for a device.
#[derive(Debug)]
pub struct Groups {
    /// Rows of each scenario, `[K]`.
    counts: Vec<i64>,
    /// Rows in the order of scenarios, and for every row its place in that order; none where they stand so already.
    order: Option<(Tensor, Tensor)>,
}

impl Groups {
    /// The groups of rows whose scenarios, below `scenarios`, are given.
    pub fn new(scenario: &[i64], scenarios: usize, device: Device) -> Self {
        let mut counts = vec![0; scenarios];
        scenario.iter().for_each(|s| counts[*s as usize] += 1);
        let order = (!scenario.is_sorted()).then(|| {
            let mut rows: Vec<i64> = (0..scenario.len() as i64).collect();
            rows.sort_by_key(|r| scenario[*r as usize]);
            let mut places = vec![0; rows.len()];
            rows.iter().enumerate().for_each(|(place, row)| places[*row as usize] = place as i64);
            let tensor = |v: &[i64]| Tensor::from_slice(v).to_device(device);
            (tensor(&rows), tensor(&places))
        });
        Self { counts, order }
    }

    /// Rows of each scenario, `[K]`.
    pub fn counts(&self) -> &[i64] {
        &self.counts
    }

    /// The rows of each scenario, `x` `[B, …]` -> K tensors `[B_k, …]`, some of which may have no rows.
    pub fn split(&self, x: &Tensor) -> Vec<Tensor> {
        let sorted = match &self.order {
            Some((rows, _)) => x.index_select(0, rows),
            None => x.shallow_clone(),
        };
        if self.counts.len() == 1 { vec![sorted] } else { sorted.split_with_sizes(&*self.counts, 0) }
    }

    /// What [`split`](Self::split) took apart: K tensors `[B_k, …]` -> `[B, …]` in the batch's order.
    pub fn join(&self, mut parts: Vec<Tensor>) -> Tensor {
        let joined = if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 0) };
        match &self.order {
            Some((_, places)) => joined.index_select(0, places),
            None => joined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_can_be_joined() {
        for scenario in [&[2i64, 0, 0, 3, 2][..], &[0, 0, 2, 2, 3], &[0, 0]] {
            let x = Tensor::from_slice(&(0..scenario.len() as i64).collect::<Vec<_>>());
            let groups = Groups::new(scenario, 4, Device::Cpu);
            let parts = groups.split(&x);
            for (k, part) in parts.iter().enumerate() {
                let rows: Vec<i64> = part.try_into().unwrap();
                assert!(rows.iter().all(|r| scenario[*r as usize] == k as i64) && rows.is_sorted());
                assert_eq!(rows.len() as i64, groups.counts()[k]);
            }
            assert_eq!(groups.join(parts), x);
        }
    }
}
