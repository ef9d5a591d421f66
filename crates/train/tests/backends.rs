//! Deferred tables follow the same trajectory as dense ones under the same optimiser.
use scenarec_train::{
    Backend, Build, FeatureEmbedding, Init, InitScheme, Mode, OptimSpec, Optimizer, ParamSet, State, Weights,
    bce, labels,
    optim::OptimName,
    rng::stream,
    testing::{DIM, all, dataset, distance, schema},
};
use tch::Device;

const STEPS: usize = 80;

/// State at the start, in the middle and at the end of a training with everything that a table can meet.
fn train(backend: Backend, spec: OptimSpec) -> [State; 3] {
    let schema = schema(1);
    let Build { seed, device, .. } = Build::cpu(3);
    let tables =
        FeatureEmbedding::new(&schema, |_| true, "t.", DIM, InitScheme::Torch, seed, device, backend)
            .unwrap();
    let tables = tables.with_linear(&schema, "l.", InitScheme::Torch, seed, backend).unwrap();
    let slots = schema.embedded().count() as i64;
    let replaced = tables.slot("genres").unwrap();
    let mut params = ParamSet::new(Device::Cpu, seed, InitScheme::Torch);
    let mut p = params.root();
    let wide = p.parameter("wide", &[slots * DIM as i64, 1], Init::Normal { std: 0.3 });
    let behaviour = p.parameter("behaviour", &[DIM as i64, 1], Init::Normal { std: 0.3 });
    let reals = p.parameter("reals", &[2, 1], Init::Normal { std: 0.3 });
    let stand_in = p.parameter("stand_in", &[DIM as i64], Init::Normal { std: 0.3 });
    let mut weights = Weights { tables, params };

    let mut optimizer = Optimizer::new(spec, &mut weights);
    let feed = all(&dataset(16 * STEPS, 1));
    let mut guard = None;
    let start = weights.state();
    let mut middle = State::new();
    for (step, batch) in feed.shuffled(16, &mut stream(5, "order")).enumerate() {
        let batch = batch.unwrap();
        match step {
            25 => guard = Some(weights.freeze(&["t.user_id", "t.word", "l.genre"], Mode::Train).unwrap()),
            45 => drop(guard.take()),
            50 => middle = weights.state(),
            55 => {
                // A new optimiser, made while a table is frozen, is not concerned with it later either.
                let frozen = weights.freeze(&["t.year"], Mode::Train).unwrap();
                optimizer = Optimizer::new(spec, &mut weights);
                drop(frozen);
            }
            65 => optimizer.set_lr(spec.lr * 0.3),
            _ => {}
        }
        let b = batch.rows as i64;
        let vector = stand_in.unsqueeze(0).expand([b, DIM as i64], false);
        let replace = (step % 3 == 1).then_some((replaced, &vector));
        let x = weights.tables.embed_with(&batch, true, replace);
        let linear = x.reals.matmul(&reals);
        // Every fifth step uses no table at all.
        let logits = if step % 5 == 2 {
            linear
        } else {
            let history = x.sequences[0].rows.sum(&x.sequences[0].x);
            let first_order = x.linear.sum_dim_intlist([1i64].as_slice(), true, tch::Kind::Float);
            linear + first_order + x.fields.tanh().flatten(1, 2).matmul(&wide) + history.matmul(&behaviour)
        };
        optimizer.step(&bce(&logits, &labels(&batch, Device::Cpu)), &mut weights).unwrap();
    }
    [start, middle, weights.state()]
}

fn compare(what: &str, spec: OptimSpec) {
    let (sparse, dense) = (train(Backend::Deferred, spec), train(Backend::Dense, spec));
    for (deferred, dense) in sparse.iter().zip(&dense) {
        assert!(deferred.keys().eq(dense.keys()));
    }
    for (name, first) in &sparse[0] {
        assert_eq!(distance(first, &dense[0][name]), 0.0, "{what}: {name} starts elsewhere");
        for (when, deferred, dense) in [("middle", &sparse[1], &dense[1]), ("end", &sparse[2], &dense[2])] {
            let movement = distance(&dense[name], first);
            assert!(movement > 1e-3, "{what}: {name} moves by {movement:e} only");
            // Below the values' own resolution there is nothing to compare.
            let error = (distance(&deferred[name], &dense[name]) - 5e-7).max(0.0) / movement;
            assert!(
                error < 1e-5,
                "{what}: {name} at the {when} is off by {error:e} of its movement {movement}"
            );
        }
    }
}

fn spec(name: OptimName, lr: f64, weight_decay: f64) -> OptimSpec {
    OptimSpec { name, ..OptimSpec::adam(lr, weight_decay) }
}

#[test]
fn adam() {
    compare("adam", OptimSpec::adam(0.01, 0.0));
}

#[test]
fn adam_with_decay() {
    compare("adam with decay", OptimSpec::adam(0.01, 1e-3));
}

#[test]
fn adagrad() {
    compare("adagrad", spec(OptimName::Adagrad, 0.05, 0.0));
    let decays =
        OptimSpec { lr_decay: 1e-3, initial_accumulator: 0.1, ..spec(OptimName::Adagrad, 0.05, 1e-3) };
    compare("adagrad with decay", decays);
}

#[test]
fn sgd() {
    compare("sgd", spec(OptimName::Sgd, 0.5, 0.0));
    compare("sgd with decay", spec(OptimName::Sgd, 0.5, 1e-2));
}
