use crate::{memory, params::Params, rng::Stream};
use rand::Rng as _;
use tch::{Device, Kind, Tensor};

/// Inverted dropout: in training an entry is kept with probability 1 - p and divided by it.
///
/// The masks come from a stream of the layer's own: libtorch's generator is global, and costs more than the layer.
#[derive(Debug)]
pub struct Dropout {
    p: f64,
    device: Device,
    rng: Stream,
}

impl Dropout {
    /// `name` names the layer's random stream.
    ///
    /// # Panics
    /// Unless 0 <= `probability` < 1.
    pub fn new(p: &Params, name: &str, probability: f64) -> Self {
        assert!((0.0..1.0).contains(&probability), "dropout probability {probability} is not in [0, 1)");
        Self { p: probability, device: p.device(), rng: p.stream(name) }
    }

    /// # Shapes
    /// x -> the same shape
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.masks(&x.size(), train).map_or_else(|| x.shallow_clone(), |mask| x * mask)
    }

    /// What `forward` would multiply an input of this shape with; none where it leaves it as it is.
    pub fn masks(&self, shape: &[i64], train: bool) -> Option<Tensor> {
        (train && self.p > 0.0).then(|| self.mask(shape))
    }

    /// A mask of 0 and 1/(1 - p).
    pub fn mask(&self, shape: &[i64]) -> Tensor {
        let mask = Tensor::empty(shape, (Kind::Float, Device::Cpu));
        let keep = ((1.0 / (1.0 - self.p)) as f32).to_bits();
        // An entry is dropped where a uniform 32-bit number is below p * 2^32. Without a branch: none could be foreseen.
        let threshold = (self.p * 4_294_967_296.0) as u32;
        let rng = &mut *self.rng.borrow_mut();
        let mut fill = |two: &mut [f32]| {
            let bits = rng.next_u64();
            for (value, half) in two.iter_mut().zip([bits as u32, (bits >> 32) as u32]) {
                *value = f32::from_bits(keep & u32::from(half >= threshold).wrapping_neg());
            }
        };
        memory::with_slice_mut(&mask, |values| values.chunks_mut(2).for_each(&mut fill));
        mask.to_device(self.device)
    }
}
