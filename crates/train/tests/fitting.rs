//! The training loop.
use anyhow::{Result, bail};
use scenarec_train::{
    Carrier, Epochs, Feed, Progress, Resumable, Silent, State, Stopping, Trained, fit,
    rng::stream,
    testing::{all, dataset},
};
use std::cell::RefCell;
use tch::Tensor;

/// What is "trained": a number that each step raises by one.
#[derive(Debug, Default)]
struct Subject {
    value: f64,
    iterations: Vec<usize>,
    rows: Vec<usize>,
}

impl Resumable for Subject {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.number("value", &mut self.value)
    }
}

fn step(subject: &mut Subject, batch: &scenarec_train::Batch, iteration: usize) -> Result<Tensor> {
    subject.value += 1.0;
    subject.iterations.push(iteration);
    subject.rows.push(batch.rows);
    Ok(Tensor::from(subject.value as f32))
}

fn snapshot(subject: &mut Subject) -> State {
    State::from([("value".to_string(), Tensor::from(subject.value))])
}

fn restore(subject: &mut Subject, state: &State) -> Result<()> {
    subject.value = state["value"].double_value(&[]);
    Ok(())
}

fn run(
    subject: &mut Subject,
    feed: &Feed,
    epochs: Epochs,
    stopping: Option<Stopping<'_, Subject>>,
) -> Result<Trained> {
    fit("test", subject, feed, epochs, &mut stream(1, "fit"), &Silent, step, stopping)
}

/// Trains ten rows in batches of 4 (three steps an epoch) against given validation scores.
fn early(scores: &[f64], patience: usize) -> (f64, Trained) {
    let mut given = scores.iter().copied();
    let mut subject = Subject::default();
    let mut score = |_: &mut Subject| Ok(given.next().expect("a score for every epoch"));
    let stopping = Stopping { patience, keep_last: false, score: &mut score, snapshot, restore };
    let epochs = Epochs { epochs: 5, batch: 4, iters: 1 };
    let trained = run(&mut subject, &all(&dataset(10, 1)), epochs, Some(stopping)).unwrap();
    (subject.value, trained)
}

#[test]
fn the_best_epoch_remains() {
    // Epoch 1 is the best; patience ends after epoch 3.
    let (value, trained) = early(&[0.5, 0.8, 0.6, 0.7], 2);
    assert_eq!((value, trained.steps, trained.scores), (6.0, 12, vec![0.5, 0.8, 0.6, 0.7]));
    // A better epoch makes patience start again.
    let (value, trained) = early(&[0.5, 0.4, 0.6, 0.5, 0.7], 2);
    assert_eq!((value, trained.steps), (15.0, 15));
    // The epochs run out before patience does.
    let (value, trained) = early(&[0.9, 0.4, 0.3, 0.2, 0.1], 9);
    assert_eq!((value, trained.steps), (3.0, 15));
    // An equal score is not a better one.
    let (value, trained) = early(&[0.5, 0.5], 1);
    assert_eq!((value, trained.steps), (3.0, 6));
}

#[test]
fn every_batch_is_stepped_iters_times() {
    #[derive(Default)]
    struct Seen(RefCell<Vec<(String, u64)>>);
    impl Progress for Seen {
        fn begin(&self, what: &str, total: u64) {
            self.0.borrow_mut().push((what.into(), total));
        }
        fn advance(&self, steps: u64) {
            self.0.borrow_mut().push(("advance".into(), steps));
        }
    }
    let (mut subject, seen) = (Subject::default(), Seen::default());
    let epochs = Epochs { epochs: 2, batch: 4, iters: 3 };
    let feed = all(&dataset(10, 1));
    let trained = fit("test", &mut subject, &feed, epochs, &mut stream(1, "fit"), &seen, step, None).unwrap();
    assert_eq!(subject.iterations, [0, 1, 2].repeat(6));
    assert_eq!(subject.rows, [[4; 6].as_slice(), &[2; 3]].concat().repeat(2));
    assert_eq!((trained.steps, trained.samples), (18, 60));
    // Steps 1 to 9, then 10 to 18.
    assert_eq!(trained.losses, [5.0, 14.0]);
    assert_eq!(trained.scores, Vec::<f64>::new());
    let seen = seen.0.into_inner();
    assert_eq!(seen[0], ("test".into(), 18));
    assert_eq!(seen[1..], vec![("advance".to_string(), 1); 18]);
}

#[test]
fn a_loss_that_is_no_number_ends_the_run() {
    let feed = all(&dataset(10, 1));
    for (bad, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let mut steps = 0;
        let error = fit(
            "pretrain",
            &mut (),
            &feed,
            Epochs { epochs: 3, batch: 4, iters: 1 },
            &mut stream(1, "fit"),
            &Silent,
            |(), _, _| {
                steps += 1;
                Ok(Tensor::from(if steps == 5 { bad } else { 1.0 }))
            },
            None,
        );
        let error = format!("{:#}", error.unwrap_err());
        let expected = format!(
            "pretrain, epoch 1, step 4: the loss is {text}; lower the learning rate, or check the data for extreme values"
        );
        assert_eq!((error, steps), (expected, 5));
    }
}

#[test]
fn a_validation_score_that_is_no_number_ends_the_run() {
    let mut score = |_: &mut Subject| Ok(f64::NAN);
    let stopping = Stopping { patience: 1, keep_last: false, score: &mut score, snapshot, restore };
    let epochs = Epochs { epochs: 2, batch: 4, iters: 1 };
    let error = run(&mut Subject::default(), &all(&dataset(10, 1)), epochs, Some(stopping)).unwrap_err();
    assert_eq!(error.to_string(), "test, epoch 0: the validation score is NaN");
}

#[test]
fn a_failing_step_is_located() {
    let mut steps = 0;
    let error = fit(
        "generator",
        &mut (),
        &all(&dataset(10, 1)),
        Epochs { epochs: 1, batch: 4, iters: 1 },
        &mut stream(1, "fit"),
        &Silent,
        |(), _, _| {
            steps += 1;
            if steps == 3 { bail!("no such thing") } else { Ok(Tensor::from(0f32)) }
        },
        None,
    );
    assert_eq!(format!("{:#}", error.unwrap_err()), "generator, step 2: no such thing");
}

#[test]
fn nothing_to_train_on_is_an_error() {
    let empty = Feed::new(dataset(10, 1), vec![]);
    let epochs = Epochs { epochs: 1, batch: 4, iters: 1 };
    let error = run(&mut Subject::default(), &empty, epochs, None).unwrap_err();
    assert_eq!(error.to_string(), "test: there are no rows to train on");
    for epochs in [Epochs { batch: 0, ..epochs }, Epochs { iters: 0, ..epochs }] {
        let error = run(&mut Subject::default(), &all(&dataset(10, 1)), epochs, None).unwrap_err();
        assert!(error.to_string().starts_with("test: a batch needs a row and a step"), "{error}");
    }
}
