//! The denoiser against its literal form, at the paper's sizes.
use crate::{diffusions::paper, unet_literal};
use scenarec_diffusion::diff_msr::{Unet, UnetConfig, UnetKind};
use scenarec_train::{
    InitScheme, ParamSet, State,
    config::KeyError,
    rng::{below, normal, stream},
    testing::{distance, magnitude},
};
use tch::{Device, Kind, Tensor};

const SHAPE: [i64; 2] = [2, 16];
const TIMESTEPS: usize = 500;

fn sizes(kind: UnetKind) -> UnetConfig {
    UnetConfig { kind, ..paper().unet }
}

fn unet(config: &UnetConfig) -> (Unet, ParamSet) {
    let mut set = ParamSet::new(Device::Cpu, 5, InitScheme::Torch);
    let unet = Unet::new(&mut set.root(), config, SHAPE, TIMESTEPS);
    // Normalisations start with scale 1 and shift 0; other values show whether they count.
    let mut state = set.state();
    for (name, value) in state.iter_mut().filter(|(name, _)| name.contains("norm")) {
        *value += normal(&value.size(), &mut stream(2, name)) * 0.3;
    }
    set.load(&state, "").unwrap();
    (unet, set)
}

fn rows(n: usize) -> (Tensor, Tensor) {
    let z = normal(&[n as i64, SHAPE[0], SHAPE[1]], &mut stream(1, "z"));
    (z, below(TIMESTEPS as i64, n, &mut stream(1, "t")))
}

#[test]
fn it_has_the_released_programs_parameters() {
    let (_, set) = unet(&sizes(UnetKind::Resnet1d));
    let count: usize = set.state().values().map(Tensor::numel).sum();
    assert_eq!(count, 1_110_274);
}

/// Outputs and all gradients.
#[test]
fn both_kinds_are_their_literal_forms() {
    for kind in [UnetKind::Resnet1d, UnetKind::Pointwise] {
        let config = sizes(kind);
        let (unet, set) = unet(&config);
        let (z, t) = rows(16);
        let target = normal(&z.size(), &mut stream(1, "target"));
        let loss = |output: &Tensor| (output - &target).square().mean(Kind::Float);

        let leaves: State =
            set.state().into_iter().map(|(name, t)| (name, t.set_requires_grad(true))).collect();
        let expected = unet_literal::unet(&leaves, &config, &z, &t);
        let found = unet.ready().forward(&z, &t);
        assert_eq!(found.size(), z.size());
        assert!(distance(&found, &expected) < 1e-5 * (1.0 + magnitude(&expected)), "{kind:?}");

        let ours: Vec<Tensor> = set.active().into_iter().map(|(_, t)| t).collect();
        let names: Vec<String> = set.active().into_iter().map(|(name, _)| name).collect();
        let theirs: Vec<&Tensor> = names.iter().map(|name| &leaves[name]).collect();
        let ours = Tensor::run_backward(&[loss(&found)], &ours.iter().collect::<Vec<_>>(), false, false);
        let theirs = Tensor::run_backward(&[loss(&expected)], &theirs, false, false);
        assert_eq!(ours.len(), set.state().len(), "every parameter is in the graph");
        for ((name, a), b) in names.iter().zip(&ours).zip(&theirs) {
            assert!(magnitude(b) > 0.0, "{kind:?}: {name} gets no gradient");
            assert!(distance(a, b) < 1e-5 * (1.0 + magnitude(b)), "{kind:?}: {name}: {}", distance(a, b));
        }
    }
}

#[test]
fn inference_is_the_network_at_one_step_in_pieces() {
    let config = UnetConfig { channels: vec![8, 16], heads: 2, head_dim: 4, ..sizes(UnetKind::Resnet1d) };
    let (unet, _) = unet(&config);
    let (inference, net) = (unet.inference(), unet.ready());
    for n in [1, 3, 1030] {
        let (z, _) = rows(n);
        let found = inference.forward(&z, 123);
        assert!(!found.requires_grad());
        let expected = net.forward(&z, &Tensor::full([n as i64], 123, (Kind::Int64, Device::Cpu)));
        assert!(distance(&found, &expected) < 1e-5, "{n} rows");
        assert!(distance(&inference.forward(&z, 124), &found) > 1e-6, "the step matters");
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused_by_key() {
    let sizes = || sizes(UnetKind::Resnet1d);
    let refused = |config: UnetConfig, d: i64| {
        config.check(d).unwrap_err().downcast::<KeyError>().expect("a key is named").key
    };
    assert_eq!(refused(UnetConfig { channels: vec![], ..sizes() }, 16), "unet.channels");
    assert_eq!(refused(UnetConfig { channels: vec![16, 12], ..sizes() }, 16), "unet.channels");
    assert_eq!(refused(sizes(), 12), "unet.channels");
    assert_eq!(refused(UnetConfig { heads: 0, ..sizes() }, 16), "unet.heads");
    assert_eq!(refused(UnetConfig { head_dim: 0, ..sizes() }, 16), "unet.head_dim");
    assert!(UnetConfig { kind: UnetKind::Pointwise, ..sizes() }.check(12).is_ok());
}
