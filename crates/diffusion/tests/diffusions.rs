//! The diffusion model as a source of rows.
use crate::world::{SLOTS, World};
use scenarec_diffusion::diff_msr::{
    Diffusion, DiffusionConfig, DiffusionDraws, Objective, SamplerConfig, Schedule, UnetConfig,
};
use scenarec_train::{
    Build, Fitting, OptimSpec, Progress, RowSource, Silent, Trained,
    config::KeyError,
    rng::{below, normal, stream},
    testing::{changed, distance, magnitude},
};
use std::cell::RefCell;
use tch::{Kind, Tensor};

/// The paper's settings.
const PAPER: &str = "
timesteps: 500
schedule: piece_wise
objective: v
loss: l2
unet: {kind: resnet1d, channels: [16, 32, 64, 128], heads: 4, head_dim: 32}
clamp: true
sampler: ddpm
optim: {name: adam, lr: 2.0e-3}
batch: 512
epochs: 100
patience: 5
min_steps: 0
";

pub fn paper() -> DiffusionConfig {
    serde_yaml::from_str(PAPER).unwrap()
}

/// The smallest network, and few steps.
fn small() -> DiffusionConfig {
    let unet = UnetConfig { channels: vec![8, 8], heads: 1, head_dim: 4, ..paper().unet };
    let sampler = SamplerConfig::Ddim { steps: 6 };
    DiffusionConfig { timesteps: 60, unet, sampler, batch: 16, epochs: 2, ..paper() }
}

const SHAPE: [i64; 2] = [2, 4];

/// Rows near a few points, the last 20 for validation.
fn world() -> World {
    let centres = normal(&[4, 2, 4], &mut stream(1, "centres")) * 0.4;
    let which = below(4, 100, &mut stream(1, "which"));
    let noise = normal(&[100, 2, 4], &mut stream(1, "noise")) * 0.05;
    World::new(&(centres.index_select(0, &which) + noise), &[1; 100])
}

fn fit(diffusion: &mut Diffusion, seed: u64) -> Trained {
    let mut world = world();
    let before = world.net.weights.state();
    let (train, valid) = (world.feed(0..80), world.feed(80..100));
    let net = &mut world.net;
    let fitting = Fitting { net, slots: &SLOTS, train: &train, valid: &valid, seed, progress: &Silent };
    let trained = diffusion.fit(&mut { fitting }).unwrap();
    assert_eq!(changed(&before, &world.net.weights.state()), Vec::<String>::new(), "the net stays as it is");
    trained
}

fn diffusion(config: &DiffusionConfig) -> Diffusion {
    Diffusion::new(config, SHAPE, Build::cpu(3)).unwrap()
}

#[test]
fn settings_say_everything() {
    let text = serde_yaml::to_string(&paper()).unwrap();
    assert_eq!(serde_yaml::from_str::<DiffusionConfig>(&text).unwrap(), paper());
    let ddim = serde_yaml::to_string(&small()).unwrap();
    assert_eq!(serde_yaml::from_str::<DiffusionConfig>(&ddim).unwrap(), small());
    for line in PAPER.lines().filter(|l| !l.is_empty()) {
        let key = line.split(':').next().unwrap();
        let error =
            serde_yaml::from_str::<DiffusionConfig>(&PAPER.replace(line, "")).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{key}`")), "{error}");
    }
    let error =
        serde_yaml::from_str::<DiffusionConfig>(&format!("{PAPER}steps: 3\n")).unwrap_err().to_string();
    assert!(error.contains("unknown field `steps`"), "{error}");
}

#[test]
fn senseless_settings_are_refused_by_key() {
    let refused = |config: DiffusionConfig| {
        let error = Diffusion::new(&config, [2, 16], Build::cpu(1)).unwrap_err();
        error.downcast::<KeyError>().expect("a key is named").key
    };
    assert_eq!(refused(DiffusionConfig { timesteps: 50, ..paper() }), "timesteps");
    assert_eq!(
        refused(DiffusionConfig { sampler: SamplerConfig::Ddim { steps: 501 }, ..paper() }),
        "sampler.ddim.steps"
    );
    assert_eq!(refused(DiffusionConfig { optim: OptimSpec::adam(0.0, 0.0), ..paper() }), "optim.lr");
    assert_eq!(refused(DiffusionConfig { batch: 0, ..paper() }), "batch");
    assert_eq!(refused(DiffusionConfig { epochs: 0, ..paper() }), "epochs");
    assert_eq!(refused(DiffusionConfig { patience: 0, ..paper() }), "patience");
}

#[test]
fn it_learns_where_the_rows_are() {
    let schedule = Schedule::Linear;
    let config = DiffusionConfig { schedule, batch: 80, epochs: 300, patience: 300, clamp: false, ..small() };
    let mut diffusion = diffusion(&config);
    let rows = {
        let mut world = world();
        let feed = world.feed(0..80);
        scenarec_train::rows::vectors(&mut world.net, &SLOTS, &feed.in_order(80).next().unwrap().unwrap())
    };
    // Mean over drawn rows of the distance to the nearest true row, per number.
    let error = |diffusion: &mut Diffusion| {
        let drawn = diffusion.draw(100).unwrap();
        assert_eq!((drawn.size(), drawn.requires_grad()), (vec![100, 2, 4], false));
        let distances =
            (drawn.unsqueeze(1) - rows.unsqueeze(0)).square().mean_dim([2i64, 3].as_slice(), false, None);
        distances.amin(1, false).sqrt().mean(Kind::Float).double_value(&[])
    };
    let before = error(&mut diffusion);
    let trained = fit(&mut diffusion, 1);
    assert_eq!((trained.steps, trained.losses.len()), (300, 300));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&trained.losses[..10]), mean(&trained.losses[290..]));
    assert!(last < 0.5 * first, "the loss is {last} after {first}");
    let after = error(&mut diffusion);
    assert!(after < 0.5 * before, "drawn rows are {after} away from true ones, {before} before training");
}

#[test]
fn every_parameter_learns() {
    for objective in [Objective::V, Objective::X0, Objective::Noise] {
        let mut diffusion = diffusion(&DiffusionConfig { objective, ..small() });
        let rows = normal(&[8, 2, 4], &mut stream(1, "rows"));
        let draws = DiffusionDraws {
            t: below(60, 8, &mut stream(1, "t")),
            noise: normal(&[8, 2, 4], &mut stream(1, "eps")),
        };
        let loss = diffusion.loss(&rows, &draws);
        let gradients = diffusion.weights().gradients(&loss).unwrap();
        let names = diffusion.weights().params.names().count();
        assert_eq!(gradients.len(), names);
        for (name, gradient) in gradients {
            assert!(magnitude(&gradient) > 0.0, "{objective:?}: {name}");
        }
    }
}

#[test]
fn a_seed_decides_everything() {
    let run = |seed, n| {
        let mut diffusion = diffusion(&small());
        let trained = fit(&mut diffusion, seed);
        (diffusion.weights().state(), trained.scores, diffusion.draw(n).unwrap())
    };
    let (first, second, other) = (run(1, 5), run(1, 5), run(2, 5));
    assert_eq!(changed(&first.0, &second.0), Vec::<String>::new());
    assert_eq!((&first.1, &first.2), (&second.1, &second.2));
    assert!(!changed(&first.0, &other.0).is_empty());
}

#[test]
fn saved_weights_draw_the_same_rows() {
    let mut first = diffusion(&small());
    fit(&mut first, 1);
    let state = first.weights().state();
    let mut second = diffusion(&small());
    second.weights().load(&state, "").unwrap();
    let (a, b) = (first.draw(7).unwrap(), second.draw(7).unwrap());
    assert_eq!(a, b);
    assert!(distance(&a, &first.draw(7).unwrap()) > 1e-3, "rows are drawn anew");
    assert_eq!(first.draw(0).unwrap().size(), [0, 2, 4]);
}

#[test]
fn noised_rows_come_near_their_own_place() {
    let mut diffusion = diffusion(&DiffusionConfig { clamp: true, ..small() });
    let z = normal(&[6, 2, 4], &mut stream(1, "z"));
    let clean = diffusion.denoise(&z, &[59, 3, 0, 10, 3, 59]).unwrap();
    assert_eq!(clean.size(), z.size());
    assert!(magnitude(&clean) <= 1.0);
    // A row that is noised once only changes least.
    let moved = |i: i64| distance(&clean.get(i), &z.get(i).clamp(-1.0, 1.0));
    assert!(moved(2) < 0.1, "{}", moved(2));
    let error = diffusion.denoise(&z, &[1, 2]).unwrap_err().to_string();
    assert_eq!(error, "rows [6, 2, 4], where [2, 2, 4] are needed");
}

/// Told the steps of each part of the training.
#[derive(Default)]
struct Told(RefCell<Vec<u64>>);

impl Progress for Told {
    fn begin(&self, _: &str, total: u64) {
        self.0.borrow_mut().push(total);
    }
    fn advance(&self, _: u64) {}
}

#[test]
fn the_least_number_of_steps_is_taken_whatever_the_patience_says() {
    // A learning rate under which nothing changes: scores are noise, and patience soon ends.
    let still = DiffusionConfig { optim: OptimSpec::adam(1e-12, 0.0), epochs: 40, patience: 1, ..small() };
    let run = |min_steps| {
        let mut diffusion = diffusion(&DiffusionConfig { min_steps, ..still.clone() });
        fit(&mut diffusion, 1)
    };
    // 80 rows are five batches.
    let free = run(0);
    assert!(free.steps < 200 && free.scores.len() as u64 * 5 == free.steps);
    let bound = run(101);
    assert!(bound.steps > 105 && bound.losses.len() == bound.scores.len() + 21, "{bound:?}");
    // Beyond `epochs` there is nothing to watch.
    let long = run(300);
    assert_eq!((long.steps, long.samples, long.losses.len(), long.scores.len()), (300, 4800, 60, 0));

    let mut world = world();
    let (train, valid, told) = (world.feed(0..80), world.feed(80..100), Told::default());
    let config = DiffusionConfig { min_steps: 6, epochs: 4, patience: 9, ..small() };
    let net = &mut world.net;
    let mut fitting = Fitting { net, slots: &SLOTS, train: &train, valid: &valid, seed: 1, progress: &told };
    diffusion(&config).fit(&mut fitting).unwrap();
    assert_eq!(told.0.take(), [10, 10]);
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let mut world = world();
    let (all, none) = (world.feed(0..100), world.feed(0..0));
    let mut refused = |slots: &[usize], train, valid| {
        let net = &mut world.net;
        let mut fitting = Fitting { net, slots, train, valid, seed: 1, progress: &Silent };
        diffusion(&small()).fit(&mut fitting).unwrap_err().to_string()
    };
    assert_eq!(refused(&[1], &all, &all), "diffusion: the rows are [C, d] = [1, 4], not [2, 4]");
    assert_eq!(refused(&SLOTS, &none, &all), "diffusion: there are no rows to train on");
    assert_eq!(refused(&SLOTS, &all, &none), "diffusion: there are no validation rows to stop by");
}

/// Eq. 6, one row at a time.
#[test]
fn the_loss_is_the_distance_from_the_target() {
    let diffusion = diffusion(&small());
    let rows = normal(&[3, 2, 4], &mut stream(1, "rows"));
    let noise = normal(&[3, 2, 4], &mut stream(1, "eps"));
    let whole = diffusion.loss(
        &rows,
        &DiffusionDraws { t: Tensor::from_slice(&[0i64, 31, 59]), noise: noise.shallow_clone() },
    );
    let parts: f64 = [0i64, 31, 59]
        .iter()
        .enumerate()
        .map(|(i, t)| {
            let part = |x: &Tensor| x.narrow(0, i as i64, 1);
            let draws = DiffusionDraws { t: Tensor::from_slice(&[*t]), noise: part(&noise) };
            diffusion.loss(&part(&rows), &draws).double_value(&[])
        })
        .sum();
    assert!((whole.double_value(&[]) - parts / 3.0).abs() < 1e-6);
}
