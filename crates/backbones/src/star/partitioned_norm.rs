//! STAR's partitioned normalisation (Section 3.3): batch normalisation by domain.
use crate::heads::routed;
use scenarec_train::{Init, Params, embedding::Groups};
use tch::Tensor;

/// z' = (γ ⊙ γ_d) (z − μ_d) / √(σ_d² + ε) + (β + β_d), d the row's domain: in training μ_d, σ_d² are those of the domain's
/// rows in the batch, in evaluation the running ones.
///
/// A row that is alone of its domain in a training batch has no variance. It is normalised by its domain's running
/// statistics, which it leaves as they are.
///
/// Parameters `weight`, `bias` `[C]` (γ, β) and `own_weight`, `own_bias` [D, C] (γ_d, β_d); buffers `running_mean`,
/// `running_var` [D, C].
#[derive(Debug)]
pub(super) struct PartitionedNorm {
    weight: Tensor,
    bias: Tensor,
    own_weight: Tensor,
    own_bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl PartitionedNorm {
    pub(super) fn new(p: &mut Params, domains: i64, channels: i64) -> Self {
        let by_domain = [domains, channels];
        Self {
            weight: p.parameter("weight", &[channels], Init::Constant(1.0)),
            bias: p.parameter("bias", &[channels], Init::Constant(0.0)),
            own_weight: p.parameter("own_weight", &by_domain, Init::Constant(1.0)),
            own_bias: p.parameter("own_bias", &by_domain, Init::Constant(0.0)),
            running_mean: p.buffer("running_mean", &by_domain, 0.0),
            running_var: p.buffer("running_var", &by_domain, 1.0),
        }
    }

    /// # Shapes
    /// z [B, C] -> [B, C]
    pub(super) fn forward(&self, z: &Tensor, groups: &Groups, train: bool) -> Tensor {
        let (weight, bias) = (&self.weight * &self.own_weight, &self.bias + &self.own_bias);
        routed(z, groups, |d, rows| {
            let count = rows.size()[0];
            if count == 0 {
                return rows.shallow_clone();
            }
            rows.batch_norm(
                Some(weight.get(d)),
                Some(bias.get(d)),
                Some(self.running_mean.get(d)),
                Some(self.running_var.get(d)),
                train && count > 1,
                0.1,
                1e-5,
                false,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet,
        rng::{normal, stream},
        testing::{distance, magnitude},
    };
    use tch::{Device, Kind};

    fn norm() -> (ParamSet, PartitionedNorm) {
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let norm = PartitionedNorm::new(&mut params.root(), 3, 4);
        (params, norm)
    }

    fn statistics(norm: &PartitionedNorm, domain: i64) -> Tensor {
        Tensor::cat(&[norm.running_mean.get(domain), norm.running_var.get(domain)], 0).copy()
    }

    #[test]
    fn each_domain_has_its_own_statistics() {
        let (_params, norm) = norm();
        let groups = Groups::new(&[2, 0, 2, 0, 2, 0], 3, Device::Cpu);
        let z = normal(&[6, 4], &mut stream(1, "z"));
        let y = norm.forward(&z, &groups, true);
        for (domain, rows) in [(0, [1i64, 3, 5]), (2, [0, 2, 4])] {
            let rows = Tensor::from_slice(&rows);
            let own = z.index_select(0, &rows);
            let mean = own.mean_dim([0i64].as_slice(), false, Kind::Float);
            let var = own.var_dim([0i64].as_slice(), false, false);
            let expected = (&own - &mean) / (&var + 1e-5).sqrt();
            assert!(distance(&y.index_select(0, &rows), &expected) < 1e-5);
            // The running variance takes the unbiased estimate.
            let running = Tensor::cat(&[&mean * 0.1, &var * (0.1 * 3.0 / 2.0) + 0.9], 0);
            assert!(distance(&statistics(&norm, domain), &running) < 1e-6);
        }
        assert_eq!(magnitude(&norm.running_mean.get(1)), 0.0);
    }

    #[test]
    fn a_row_alone_of_its_domain_is_normalised_by_running_statistics() {
        let (_params, norm) = norm();
        let z = normal(&[3, 4], &mut stream(1, "z"));
        let y = norm.forward(&z, &Groups::new(&[0, 1, 0], 3, Device::Cpu), true);
        // Mean 0 and variance 1, as at the start.
        assert!(distance(&y.get(1), &z.get(1)) < 1e-4);
        assert!(distance(&y.get(0), &z.get(0)) > 1e-2);
        let untouched = Tensor::cat(
            &[Tensor::zeros([4], (Kind::Float, Device::Cpu)), Tensor::ones([4], (Kind::Float, Device::Cpu))],
            0,
        );
        assert_eq!(statistics(&norm, 1), untouched);
        assert_ne!(statistics(&norm, 0), untouched);
    }
}
