//! A training that is cut off anywhere goes on as if it had not been.
use anyhow::{Result, bail};
use scenarec_train::{
    Backend, Batch, Build, Checkpoints, Epochs, Feed, Net, OptimSpec, Optimizer, Progress, State, Stopping,
    Trained, fit, labels, loss,
    optim::OptimName,
    rng::stream,
    testing::{all, changed, dataset, net},
};
use std::{fs, path::Path, time::Duration};
use tch::{Device, Tensor};

/// Keeps checkpoints, and tells nobody.
struct Kept(Checkpoints);

impl Kept {
    fn every_batch(folder: &Path) -> Self {
        Self::of(folder, "run", Duration::ZERO)
    }

    fn of(folder: &Path, run: &str, every: Duration) -> Self {
        Self(Checkpoints::new(folder.into(), run, "{}".into(), every))
    }
}

impl Progress for Kept {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn checkpoints(&self) -> Option<&Checkpoints> {
        Some(&self.0)
    }
}

const EPOCHS: Epochs = Epochs { epochs: 4, batch: 16, iters: 2 };
const ROWS: usize = 50;
/// Four batches of two steps an epoch.
const STEPS: u64 = 32;

type Learner = (Net, Optimizer);

fn learner(backend: Backend, optim: OptimSpec) -> Learner {
    let mut net = net(&dataset(ROWS, 1).schema, Build { seed: 3, device: Device::Cpu, backend });
    let optimizer = Optimizer::new(optim, &mut net.weights);
    (net, optimizer)
}

fn step((net, optimizer): &mut Learner, batch: &Batch) -> Result<Tensor> {
    let x = net.weights.tables.embed_with(batch, true, None);
    let loss = loss(&net.forward(&x, true), &labels(batch, Device::Cpu));
    optimizer.step(&loss, &mut net.weights)?;
    Ok(loss)
}

/// Two trainings with one optimiser and one stream, the second with validation scores; a step of either that has the number
/// `cut` ends them with an error. The learning rate falls from epoch to epoch of the second.
fn run(progress: &dyn Progress, learner: &mut Learner, cut: u64) -> Result<[Trained; 2]> {
    let feed: Feed = all(&dataset(ROWS, 1));
    let (mut rng, mut at) = (stream(1, "shuffle"), 0);
    let mut next = |learner: &mut Learner, batch: &Batch, _: usize| {
        at += 1;
        if at == cut { bail!("cut off") } else { step(learner, batch) }
    };
    let first = fit("first", learner, &feed, EPOCHS, &mut rng, progress, &mut next, None)?;
    // The third epoch is the best.
    let mut score = |(net, optimizer): &mut Learner| {
        optimizer.set_lr(optimizer.lr() * 0.7);
        let moved = net.weights.state()["mlp.out.bias"].double_value(&[0]);
        Ok(if optimizer.lr() < 0.7f64.powf(3.5) * 0.01 { -1.0 } else { -optimizer.lr() } + moved * 1e-6)
    };
    let stopping = Stopping {
        patience: 9,
        keep_last: false,
        score: &mut score,
        snapshot: |(net, _)| net.weights.state(),
        restore: |(net, _), state| net.weights.load(state, ""),
    };
    let second = fit("second", learner, &feed, EPOCHS, &mut rng, progress, &mut next, Some(stopping))?;
    Ok([first, second])
}

/// What must be the same to the last bit: weights, and of each loop its steps, samples, losses and scores.
type Outcome = (State, Vec<(u64, u64, Vec<f64>, Vec<f64>)>);

fn result(learner: &mut Learner, trained: [Trained; 2]) -> Outcome {
    // One step more shows what the streams of the net have come to.
    let batch = all(&dataset(ROWS, 1)).in_order(ROWS).next().unwrap().unwrap();
    let mut state = learner.0.weights.state();
    let x = learner.0.weights.tables.embed(&batch);
    state.insert("dropped".into(), learner.0.forward(&x, true).logits.detach());
    (state, trained.map(|t| (t.steps, t.samples, t.losses, t.scores)).to_vec())
}

/// Of a run that nothing disturbs.
fn uncut(backend: Backend, optim: OptimSpec) -> Outcome {
    let mut whole = learner(backend, optim);
    let trained = run(&scenarec_train::Silent, &mut whole, 0).unwrap();
    result(&mut whole, trained)
}

fn optimisers() -> Vec<(Backend, OptimSpec)> {
    let adam = OptimSpec::adam(1e-2, 0.0);
    let decay = OptimSpec { weight_decay: 1e-3, ..adam };
    let (adagrad, sgd) =
        (OptimSpec { name: OptimName::Adagrad, ..decay }, OptimSpec { name: OptimName::Sgd, ..decay });
    let deferred = [adam, decay, adagrad, sgd].map(|optim| (Backend::Deferred, optim));
    deferred.into_iter().chain([(Backend::Dense, decay)]).collect()
}

#[test]
fn cut_off_at_any_step_the_result_is_the_same() {
    for (backend, optim) in optimisers() {
        let expected = uncut(backend, optim);
        assert_eq!(expected.1.iter().map(|t| t.0).collect::<Vec<_>>(), [STEPS, STEPS]);
        // Within an epoch, at its end, between the steps on a batch, in either training.
        for cut in [1, 2, 3, 8, 9, 15, 32, 33, 34, 41, 63, 64] {
            let folder = tempfile::tempdir().unwrap();
            let error =
                run(&Kept::every_batch(folder.path()), &mut learner(backend, optim), cut).unwrap_err();
            assert!(format!("{error:#}").ends_with("cut off"), "{error:#}");
            // Half-written files of a dead process are in nobody's way.
            if folder.path().is_dir() {
                fs::write(folder.path().join("000.part"), "half").unwrap();
            }
            let mut other = learner(backend, optim);
            let kept = Kept::every_batch(folder.path());
            let trained = run(&kept, &mut other, 0).unwrap();
            let (state, numbers) = result(&mut other, trained);
            assert_eq!(changed(&expected.0, &state), Vec::<String>::new(), "{optim:?}, cut at {cut}");
            assert_eq!(numbers, expected.1, "{optim:?}, cut at {cut}");
            assert_eq!(kept.0.resumed(), u32::from(cut > 2), "cut at {cut}");
        }
    }
}

/// Every process gets a few batches further.
#[test]
fn cut_off_again_and_again_the_result_is_the_same() {
    let (backend, optim) = optimisers()[0];
    let expected = uncut(backend, optim);
    let folder = tempfile::tempdir().unwrap();
    let mut processes = 0;
    loop {
        let (mut own, kept) = (learner(backend, optim), Kept::every_batch(folder.path()));
        if let Ok(trained) = run(&kept, &mut own, 6) {
            assert!(trained.iter().all(|t| t.seconds > 0.0));
            assert!(kept.0.seconds() > trained.iter().map(|t| t.seconds).sum::<f64>());
            assert_eq!(kept.0.resumed(), processes);
            assert_eq!(result(&mut own, trained), expected);
            break;
        }
        processes += 1;
        assert!(processes < 100, "nothing is ever finished");
    }
    // Five steps are two whole batches.
    assert_eq!(processes, 15);
}

#[test]
fn what_is_damaged_or_of_another_run_is_left_aside() {
    let (backend, optim) = optimisers()[0];
    let expected = uncut(backend, optim);
    let folder = tempfile::tempdir().unwrap();
    run(&Kept::every_batch(folder.path()), &mut learner(backend, optim), 50).unwrap_err();
    let (first, second) = (folder.path().join("000.safetensors"), folder.path().join("001.safetensors"));
    let [of_first, of_second] = [&first, &second].map(|path| fs::read(path).unwrap());
    let damaged = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() * 2 / 3;
        bytes[middle] ^= 16;
        bytes
    };
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 5].to_vec();
    let cases = [
        ("run", of_first.clone(), of_second.clone(), 1),
        ("run", damaged(&of_first), of_second.clone(), 1),
        ("run", damaged(&of_first), cut(&of_second), 0),
        ("run", vec![], vec![0; 100], 0),
        // The other training's file.
        ("run", of_second.clone(), of_first.clone(), 0),
        ("another run", of_first.clone(), of_second.clone(), 0),
    ];
    for (case, (name, one, two, resumed)) in cases.into_iter().enumerate() {
        fs::write(&first, one).unwrap();
        fs::write(&second, two).unwrap();
        let (mut own, kept) = (learner(backend, optim), Kept::of(folder.path(), name, Duration::MAX));
        let trained = run(&kept, &mut own, 0).unwrap();
        assert_eq!(result(&mut own, trained), expected, "case {case}");
        assert_eq!(kept.0.resumed(), resumed, "case {case}");
    }
}

/// A checkpoint of another net under the same name is no reason to go on with half of it.
#[test]
fn what_does_not_fit_is_an_error() {
    let (backend, optim) = optimisers()[0];
    let folder = tempfile::tempdir().unwrap();
    run(&Kept::every_batch(folder.path()), &mut learner(backend, optim), 9).unwrap_err();
    let sgd = OptimSpec { name: OptimName::Sgd, ..optim };
    let error = run(&Kept::every_batch(folder.path()), &mut learner(backend, sgd), 0).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("000.safetensors does not fit first: remove it, and start again ("), "{error}");
}

#[test]
fn a_short_run_writes_nothing() {
    let (backend, optim) = optimisers()[0];
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("own");
    let kept = Kept::of(&place, "run", Duration::from_secs(30));
    run(&kept, &mut learner(backend, optim), 0).unwrap();
    assert!(!place.exists());
}
