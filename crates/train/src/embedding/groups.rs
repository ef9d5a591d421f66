//! Rows of a batch by scenario.
use tch::{Device, Tensor};

/// Which rows of a batch belong to which scenario: what lets a model run only a row's own scenario's layers on it.
#[derive(Debug)]
pub struct Groups(Known);

#[derive(Debug)]
enum Known {
    /// To the host, so that nothing waits for a device.
    Counted {
        /// Rows of each scenario, `[K]`.
        counts: Vec<i64>,
        /// Rows in the order of scenarios, and for every row its place in that order; none where they stand so already.
        order: Option<(Tensor, Tensor)>,
    },
    /// To the device alone, in a pass that is written down for other batches.
    Indexed {
        /// The rows of each scenario, K of `[B_k]`.
        rows: Vec<Tensor>,
        /// For every row its place in the order of scenarios, `[B]`.
        places: Tensor,
    },
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
        Self(Known::Counted { counts, order })
    }

    /// The same by operations on the scenarios, `[B]`, that are right for any other batch.
    pub(crate) fn indexed(scenario: &Tensor, scenarios: usize) -> Self {
        let of = |k: i64| scenario.eq(k).nonzero().squeeze_dim(1);
        let rows: Vec<Tensor> = (0..scenarios as i64).map(of).collect();
        let places = Tensor::cat(&rows, 0).argsort(0, false);
        Self(Known::Indexed { rows, places })
    }

    /// The rows of each scenario, `x` `[B, …]` -> K tensors `[B_k, …]`, some of which may have no rows.
    pub fn split(&self, x: &Tensor) -> Vec<Tensor> {
        match &self.0 {
            Known::Counted { counts, order } => {
                let sorted = match order {
                    Some((rows, _)) => x.index_select(0, rows),
                    None => x.shallow_clone(),
                };
                if counts.len() == 1 { vec![sorted] } else { sorted.split_with_sizes(&**counts, 0) }
            }
            Known::Indexed { rows, .. } if rows.len() == 1 => vec![x.shallow_clone()],
            Known::Indexed { rows, .. } => rows.iter().map(|rows| x.index_select(0, rows)).collect(),
        }
    }

    /// What [`split`](Self::split) took apart: K tensors `[B_k, …]` -> `[B, …]` in the batch's order.
    pub fn join(&self, mut parts: Vec<Tensor>) -> Tensor {
        let places = match &self.0 {
            Known::Counted { order, .. } => order.as_ref().map(|(_, places)| places),
            Known::Indexed { places, .. } => Some(places),
        };
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let joined = Tensor::cat(&parts, 0);
        places.map_or_else(|| joined.shallow_clone(), |places| joined.index_select(0, places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_can_be_joined() {
        for scenario in [&[2i64, 0, 0, 3, 2][..], &[0, 0, 2, 2, 3], &[0, 0]] {
            let x = Tensor::from_slice(&(0..scenario.len() as i64).collect::<Vec<_>>());
            let tensor = Tensor::from_slice(scenario);
            for groups in [Groups::new(scenario, 4, Device::Cpu), Groups::indexed(&tensor, 4)] {
                let parts = groups.split(&x);
                for (k, part) in parts.iter().enumerate() {
                    let own = |r: &i64| scenario[*r as usize] == k as i64;
                    let rows: Vec<i64> = part.try_into().unwrap();
                    assert_eq!(rows, (0..scenario.len() as i64).filter(own).collect::<Vec<_>>());
                }
                assert_eq!(groups.join(parts), x);
            }
        }
    }
}
