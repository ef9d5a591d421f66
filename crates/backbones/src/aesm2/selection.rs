//! Which experts a row takes.
use tch::{Kind, Tensor};

/// What the gates of a level choose for every row.
#[derive(Debug)]
pub(super) struct Selection {
    /// The logits of the row's own scenario, −∞ where an expert is not chosen, [B, E].
    pub logits: Tensor,
    /// Means over rows and chosen experts of KL(onehot(m) ‖ p_j) of the specific ones and of KL(uniform ‖ p_j) of
    /// the shared ones, scalars.
    pub kl: [Tensor; 2],
}

impl Selection {
    /// `chosen` are the numbers of specific and of shared experts. Of equally near ones the first are taken.
    ///
    /// # Shapes
    /// gates [B, M, E] (logits), scenario i64 `[B]`
    pub fn new(gates: &Tensor, scenario: &Tensor, chosen: [i64; 2]) -> Self {
        let [_, scenarios, experts] = gates.size()[..] else { panic!("gates are [B, M, E]") };
        let index = scenario.view([-1, 1, 1]).expand([-1, 1, experts], false);
        let own = |x: &Tensor| x.gather(1, &index, false).squeeze_dim(1);
        let log_p = gates.log_softmax(1, Kind::Float);
        let mean = log_p.mean_dim([1i64].as_slice(), false, Kind::Float);
        // KL(onehot(m) ‖ p) = −log p_m; KL(uniform ‖ p) = −log M − Σ_m log p_m / M.
        let divergences = [-own(&log_p), -mean - (scenarios as f64).ln()];
        let mut unchosen = gates.ones_like().select(1, 0).to_kind(Kind::Bool);
        let mut of_chosen = |which: usize| {
            let all = &divergences[which];
            let nearest = all.detach().argsort_stable(true, 1, false).narrow(1, 0, chosen[which]);
            unchosen = unchosen.scatter_value(1, &nearest, 0);
            all.gather(1, &nearest, false).mean(Kind::Float)
        };
        let kl = [0, 1].map(&mut of_chosen);
        Self { logits: own(gates).masked_fill(&unchosen, f64::NEG_INFINITY), kl }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        rng::{normal, stream},
        testing::{distance, magnitude},
        to_vec,
    };

    const M: usize = 3;
    const E: usize = 5;

    /// The numbers of the `k` smallest values.
    fn smallest(values: &[f64], k: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        order.truncate(k);
        order
    }

    /// KL(q ‖ p), with 0 log 0 = 0.
    fn kl(q: &[f64], p: &[f64]) -> f64 {
        q.iter().zip(p).filter(|(q, _)| **q > 0.0).map(|(q, p)| q * (q / p).ln()).sum()
    }

    #[test]
    fn the_choice_is_that_of_a_direct_computation() {
        let scenario = [2i64, 0, 1, 1, 2, 0, 0, 1];
        let gates = normal(&[8, M as i64, E as i64], &mut stream(1, "g")) * 2.0;
        for chosen in [[1usize, 1], [2, 1], [2, 3], [5, 5]] {
            let selection = Selection::new(&gates, &Tensor::from_slice(&scenario), chosen.map(|k| k as i64));
            let weights = selection.logits.softmax(-1, Kind::Float);
            let (mut sums, mut both) = ([0.0; 2], 0);
            for (row, own) in scenario.iter().enumerate() {
                let g: Vec<f64> = to_vec(&gates.get(row as i64)).into_iter().map(f64::from).collect();
                let p_of = |expert: usize| -> Vec<f64> {
                    let column: Vec<f64> = (0..M).map(|m| g[m * E + expert].exp()).collect();
                    column.iter().map(|c| c / column.iter().sum::<f64>()).collect()
                };
                let onehot: Vec<f64> = (0..M).map(|m| f64::from(u8::from(m == *own as usize))).collect();
                let to = |q: &[f64]| -> Vec<f64> { (0..E).map(|j| kl(q, &p_of(j))).collect() };
                let divergences = [to(&onehot), to(&[1.0 / M as f64; M])];
                let picks = [0, 1].map(|i| smallest(&divergences[i], chosen[i]));
                for i in [0, 1] {
                    let mean = picks[i].iter().map(|j| divergences[i][*j]).sum::<f64>() / chosen[i] as f64;
                    sums[i] += mean / scenario.len() as f64;
                }
                let used = |j: &usize| picks.iter().any(|p| p.contains(j));
                both += usize::from((0..E).filter(used).count() < chosen[0] + chosen[1]);
                let of_own = |j: usize| g[*own as usize * E + j].exp();
                let all: f64 = (0..E).filter(used).map(of_own).sum();
                for (j, weight) in to_vec(&weights.get(row as i64)).into_iter().enumerate() {
                    if used(&j) {
                        assert!((f64::from(weight) - of_own(j) / all).abs() < 1e-5, "{chosen:?}");
                    } else {
                        assert_eq!(weight, 0.0, "{chosen:?}: row {row}, expert {j}");
                    }
                }
            }
            for (own, expected) in selection.kl.iter().zip(sums) {
                assert!((own.double_value(&[]) - expected).abs() < 1e-5, "{chosen:?}");
            }
            // Experts that are chosen twice have their weight once.
            assert!(both > 0 || chosen[0] + chosen[1] <= 3, "{chosen:?}");
        }
    }

    #[test]
    fn weights_and_divergences_have_gradients() {
        let gates = normal(&[4, 3, 5], &mut stream(2, "g")).set_requires_grad(true);
        let scenario = Tensor::from_slice(&[0i64, 1, 2, 0]);
        let gradient = |of: &dyn Fn(&Selection) -> Tensor| {
            let mut gates = gates.shallow_clone();
            gates.zero_grad();
            of(&Selection::new(&gates, &scenario, [2, 1])).backward();
            gates.grad().copy()
        };
        let weights = gradient(&|s| s.logits.softmax(-1, Kind::Float).square().sum(Kind::Float));
        assert!(magnitude(&weights) > 1e-3 && magnitude(&weights).is_finite());
        // Only the row's own gate has weights; all gates have divergences.
        for (row, own) in [0i64, 1, 2, 0].into_iter().enumerate() {
            for m in 0..3 {
                assert_eq!(magnitude(&weights.get(row as i64).get(m)) > 0.0, m == own);
            }
        }
        for which in [0, 1] {
            let of_kl = gradient(&|s| s.kl[which].shallow_clone());
            for row in 0..4 {
                for m in 0..3 {
                    assert!(magnitude(&of_kl.get(row).get(m)) > 0.0);
                }
            }
        }
    }

    #[test]
    fn one_scenario_tells_no_experts_apart() {
        let gates = normal(&[2, 1, 4], &mut stream(3, "g"));
        let selection = Selection::new(&gates, &Tensor::from_slice(&[0i64, 0]), [2, 1]);
        assert!(selection.kl.iter().all(|kl| magnitude(kl) < 1e-6));
        let weights = selection.logits.softmax(-1, Kind::Float);
        let expected = gates.select(1, 0).narrow(1, 0, 2).softmax(-1, Kind::Float);
        assert!(distance(&weights.narrow(1, 0, 2), &expected) < 1e-6);
        assert_eq!(magnitude(&weights.narrow(1, 2, 2)), 0.0);
    }
}
