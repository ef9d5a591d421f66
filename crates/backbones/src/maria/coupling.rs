//! How much a scenario takes of what all scenarios share.
use tch::{Kind, Tensor};

/// Below it a vector's length counts as this: a vector of 0 has no direction.
const SHORTEST: f64 = 1e-8;

/// α_d = mean over the other scenarios k of σ(cos(e_d, e_k)). The paper's similarity is not public; this one lies between
/// 0 and 1, as a gate's.
///
/// # Shapes
/// all scenarios' vectors [D, d] -> `[D]`, D at least 2
pub(super) fn coupling(domain: &Tensor) -> Tensor {
    let length = domain.norm_scalaropt_dim(2.0, [1i64].as_slice(), true).clamp_min(SHORTEST);
    let unit = domain / length;
    let similarity = unit.mm(&unit.transpose(0, 1)).sigmoid();
    let others =
        similarity.sum_dim_intlist([1i64].as_slice(), false, Kind::Float) - similarity.diagonal(0, 0, 1);
    others / (domain.size()[0] - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::testing::distance;

    /// Angles of 90, 45 and 135 degrees, whatever the lengths.
    #[test]
    fn the_others_similarities_are_averaged() {
        let domain = Tensor::from_slice2(&[[2f32, 0.0], [0.0, 0.5], [-3.0, 3.0]]);
        let similarity = |degrees: f64| 1.0 / (1.0 + (-degrees.to_radians().cos()).exp());
        let [right, near, far] = [90.0, 45.0, 135.0].map(similarity);
        let expected = [(right + far) / 2.0, (right + near) / 2.0, (near + far) / 2.0].map(|a| a as f32);
        assert!(distance(&coupling(&domain), &Tensor::from_slice(&expected)) < 1e-6);
    }

    #[test]
    fn two_scenarios_of_one_direction_are_most_alike() {
        let domain = Tensor::from_slice2(&[[1f32, 2.0], [2.0, 4.0]]);
        let expected = Tensor::from_slice(&[1f32, 1.0]).sigmoid();
        assert!(distance(&coupling(&domain), &expected) < 1e-6);
    }
}
