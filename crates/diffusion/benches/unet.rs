//! Time of 512 rows through Diff-MSR's denoiser, in training and in sampling, beside the same network written with
//! libtorch's own convolutions: `OMP_NUM_THREADS=1 cargo bench -p scenarec-diffusion --profile dev`.
#[path = "../tests/unet_literal.rs"]
mod unet_literal;

use criterion::{Criterion, criterion_group, criterion_main};
use scenarec_data::Schema;
use scenarec_diffusion::diff_msr::{Unet, UnetConfig, UnetKind};
use scenarec_train::{
    Backend, FeatureEmbedding, InitScheme, OptimSpec, Optimizer, ParamSet, State, Weights,
    rng::{below, normal, stream},
};
use std::time::Duration;
use tch::{Device, Kind, Tensor};

const ROWS: usize = 512;
const TIMESTEPS: usize = 500;

fn bench(c: &mut Criterion) {
    scenarec_train::open_device("cpu", 1).expect("a processor");
    let config =
        UnetConfig { kind: UnetKind::Resnet1d, channels: vec![16, 32, 64, 128], heads: 4, head_dim: 32 };
    let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
    let unet = Unet::new(&mut params.root(), &config, [2, 16], TIMESTEPS);
    let tables = FeatureEmbedding::new(
        &Schema::default(),
        |_| false,
        "",
        1,
        InitScheme::Torch,
        1,
        Device::Cpu,
        Backend::Deferred,
    );
    let mut weights = Weights { tables: tables.expect("no tables"), params };
    let z = normal(&[ROWS as i64, 2, 16], &mut stream(1, "z"));
    let t = below(TIMESTEPS as i64, ROWS, &mut stream(1, "t"));
    let mut optimizer = Optimizer::new(OptimSpec::adam(2e-3, 0.0), &mut weights);
    let loss = |output: Tensor| (output - &z).square().mean(Kind::Float);

    let mut group = c.benchmark_group("unet");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    group.bench_function("step", |b| {
        b.iter(|| optimizer.step(&loss(unet.ready().forward(&z, &t)), &mut weights).expect("a step"));
    });
    let own: State = weights.params.active().into_iter().collect();
    group.bench_function("step, literal", |b| {
        b.iter(|| {
            let loss = loss(unet_literal::unet(&own, &config, &z, &t));
            optimizer.step(&loss, &mut weights).expect("a step");
        });
    });
    let _guard = tch::no_grad_guard();
    let inference = unet.inference();
    group.bench_function("sampling", |b| b.iter(|| inference.forward(&z, 123)));
    group.bench_function("sampling, literal", |b| b.iter(|| unet_literal::unet(&own, &config, &z, &t)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
