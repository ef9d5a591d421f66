//! The prediction network.
use super::gate::Gate;
use scenarec_train::{Params, nn::Linear};
use tch::Tensor;

/// S-DNN (Section 4.3, Eqs. 9 to 11): H^j = ReLU(W^j gate_j(H^{j-1}, s) + b^j), the gate's hidden layer as wide as H^j, and a
/// linear layer to the logit. Without gates a plain network that does not see s.
///
/// Parameters `<j>.linear.*`, `<j>.gate.*`, `out.*`.
#[derive(Debug)]
pub(super) struct ScenarioDnn {
    layers: Vec<(Option<Gate>, Linear)>,
    out: Linear,
}

impl ScenarioDnn {
    pub fn new(p: &mut Params, inputs: i64, scenario: i64, hidden: &[i64], gated: bool) -> Self {
        let mut width = inputs;
        let mut layers = Vec::new();
        for (j, own) in hidden.iter().enumerate() {
            let mut p = p.sub(&j.to_string());
            let gate = gated.then(|| Gate::new(&mut p.sub("gate"), width, scenario, *own));
            layers.push((gate, Linear::new(&mut p.sub("linear"), width, *own)));
            width = *own;
        }
        Self { layers, out: Linear::new(&mut p.sub("out"), width, 1) }
    }

    /// # Shapes
    /// h [B, I], s [B, d] -> [B, 1]
    pub fn forward(&self, h: &Tensor, s: &Tensor) -> Tensor {
        let mut h = h.shallow_clone();
        for (gate, linear) in &self.layers {
            let gated = gate.as_ref().map(|gate| gate.forward(&h, s));
            h = linear.forward(gated.as_ref().unwrap_or(&h)).relu_();
        }
        self.out.forward(&h)
    }
}
