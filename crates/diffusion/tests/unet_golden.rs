//! The diffusion model against PyTorch (golden/gen/diff_msr_unet.py): outputs, losses, gradients, and rows after
//! the reverse process with given noise.
use crate::diffusions::paper;
use scenarec_diffusion::diff_msr::{
    Diffusion, DiffusionConfig, DiffusionDraws, LossNorm, Objective, Process, Sampler, SamplerConfig, Unet,
    UnetConfig, UnetKind,
};
use scenarec_train::{Build, InitScheme, ParamSet, RowSource, State, net::load_state, to_vec};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// |ours - PyTorch's| <= TOLERANCE (1 + |PyTorch's|): both compute in f32, in another order.
const TOLERANCE: f32 = 1e-5;
const SHAPE: [i64; 2] = [2, 8];
/// Where the script's rows enter the reverse process.
const STARTS: [usize; 6] = [59, 0, 20, 59, 41, 7];

fn config(kind: UnetKind) -> DiffusionConfig {
    let unet = UnetConfig { kind, channels: vec![16, 8], heads: 2, head_dim: 4 };
    DiffusionConfig { timesteps: 60, unet, ..paper() }
}

/// The output, by the parts of a diffusion model.
fn output(config: &DiffusionConfig, weights: &State, x: &State) -> State {
    let schedule = config.noise_schedule().unwrap();
    let mut set = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
    let unet = Unet::new(&mut set.root(), &config.unet, SHAPE, config.timesteps);
    set.load(weights, "").unwrap();
    let t = x["t"].to_kind(Kind::Int64);
    let z = Process::new(&schedule, Device::Cpu).level(&t).noised(&x["z0"], &x["noise"]);
    let mut out = State::from([("output".into(), unet.ready().forward(&z, &t).detach())]);
    let net = unet.inference();
    for (name, steps) in [("ddpm", SamplerConfig::Ddpm), ("ddim", SamplerConfig::Ddim { steps: 6 })] {
        let sampler = Sampler::new(&schedule, Objective::V, true, steps).unwrap();
        let mut noise =
            |t: usize, rows: &[i64]| x["xi"].get(t as i64).index_select(0, &Tensor::from_slice(rows));
        let rows = sampler.run(&x["z"], &STARTS, &|z, t| net.forward(z, t), &mut noise).unwrap();
        out.insert(name.into(), rows);
    }
    out
}

fn ours(kind: UnetKind, weights: &State, x: &State) -> State {
    let mut out = output(&config(kind), weights, x);
    for (name, objective) in [("v", Objective::V), ("x0", Objective::X0), ("noise", Objective::Noise)] {
        for (norm, loss) in [("l2", LossNorm::L2), ("l1", LossNorm::L1)] {
            let config = DiffusionConfig { objective, loss, ..config(kind) };
            let mut diffusion = Diffusion::new(&config, SHAPE, Build::cpu(1)).unwrap();
            diffusion.weights().load(weights, "").unwrap();
            let draws = DiffusionDraws { t: x["t"].to_kind(Kind::Int64), noise: x["noise"].shallow_clone() };
            let loss = diffusion.loss(&x["z0"], &draws);
            out.insert(format!("loss.{name}.{norm}"), loss.detach());
            if (name, norm) == ("v", "l2") {
                let gradients = diffusion.weights().gradients(&loss).unwrap();
                out.extend(gradients.into_iter().map(|(n, g)| (format!("grad.{n}"), g)));
            }
        }
    }
    out
}

#[test]
fn the_model_is_pytorchs() {
    for (case, kind) in [("diff-msr-unet", UnetKind::Resnet1d), ("diff-msr-pointwise", UnetKind::Pointwise)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(case);
        let file = |name: &str| load_state(&folder.join(format!("{name}.safetensors"))).unwrap();
        let (found, expected) = (ours(kind, &file("weights"), &file("batch")), file("expected"));
        assert!(found.keys().eq(expected.keys()), "{case}: {:?}, not {:?}", found.keys(), expected.keys());
        for (key, theirs) in &expected {
            assert_eq!(found[key].size(), theirs.size(), "{case}: {key}");
            for (i, (a, b)) in to_vec(&found[key]).into_iter().zip(to_vec(theirs)).enumerate() {
                let near = (a - b).abs() <= TOLERANCE * (1.0 + b.abs());
                assert!(near, "{case}: {key}[{i}] is {a}, PyTorch has {b}");
            }
        }
    }
}
