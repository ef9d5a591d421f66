//! The choice of rows to transfer, against a loop over rows and steps.
use scenarec_diffusion::diff_msr::{
    Classifier, ClassifierConfig, NoiseSchedule, Schedule, Selected, TransferStart, Window, WindowConfig,
};
use scenarec_train::{
    Build, OptimSpec,
    config::KeyError,
    rng::{normal, stream},
    testing::distance,
};
use tch::Tensor;

const TIMESTEPS: usize = 500;

/// With random weights: it takes about half of the rows for cold ones, and noise changes its mind.
fn classifier() -> Classifier {
    let config = ClassifierConfig {
        hidden: vec![32, 32],
        t_max: 70,
        balanced: true,
        optim: OptimSpec::adam(1e-3, 0.0),
        batch: 8,
        epochs: 1,
        patience: 1,
    };
    let schedule = NoiseSchedule::new(Schedule::Linear, TIMESTEPS).unwrap();
    let mut classifier = Classifier::new(&config, &schedule, [2, 4], Build::cpu(2)).unwrap();
    // Scores of both kinds: without an offset, and with more weight on the rows.
    let mut state = classifier.weights().state();
    state.insert("out.bias".into(), Tensor::from_slice(&[0.02f32]));
    classifier.weights().load(&state, "").unwrap();
    classifier
}

fn rows(n: i64) -> [Tensor; 2] {
    ["z0", "noise"].map(|name| normal(&[n, 2, 4], &mut stream(4, name)))
}

fn select(config: WindowConfig, n: i64) -> Selected {
    let [z0, noise] = rows(n);
    Window::new(config, TIMESTEPS).unwrap().select_with(&classifier(), &z0, &noise).unwrap()
}

#[test]
fn the_first_step_within_the_window_counts() {
    let (classifier, n) = (classifier(), 60);
    let [z0, noise] = rows(n);
    let config = WindowConfig { from: 30, to: 200, start: TransferStart::Noised };
    let selected = select(config, n);
    let mut expected = Vec::new();
    for i in 0..n {
        let (z0, noise) = (z0.narrow(0, i, 1), noise.narrow(0, i, 1));
        let at = |k: usize| classifier.process().noised(&z0, &noise, k);
        if let Some(k) = (30..200).find(|k| classifier.scores(&at(*k)).double_value(&[0]) < 0.5) {
            expected.push((i as usize, k, at(k)));
        }
    }
    let found: Vec<(usize, usize)> =
        selected.rows.iter().copied().zip(selected.steps.iter().copied()).collect();
    assert_eq!(found, expected.iter().map(|(i, k, _)| (*i, *k)).collect::<Vec<_>>());
    // Rows of every kind are there: left out, taken at once, taken later.
    assert!(found.len() < n as usize && found.iter().any(|(_, k)| *k == 30));
    assert!(found.iter().any(|(_, k)| *k > 30), "{found:?}");
    let z: Vec<&Tensor> = expected.iter().map(|(.., z)| z).collect();
    assert!(distance(&selected.z, &Tensor::cat(&z, 0)) < 1e-6);
}

#[test]
fn the_program_starts_from_the_clean_row() {
    let config = WindowConfig { from: 30, to: 50, start: TransferStart::Noised };
    let (noised, clean) =
        (select(config, 40), select(WindowConfig { start: TransferStart::Clean, ..config }, 40));
    assert_eq!((&noised.rows, &noised.steps), (&clean.rows, &clean.steps));
    let places: Vec<i64> = clean.rows.iter().map(|i| *i as i64).collect();
    assert_eq!(clean.z, rows(40)[0].index_select(0, &Tensor::from_slice(&places)));
    assert!(distance(&noised.z, &clean.z) > 0.1);
}

#[test]
fn many_rows_are_chosen_piece_by_piece() {
    let config = WindowConfig { from: 2, to: 5, start: TransferStart::Noised };
    let (many, few) = (select(config, 5000), select(config, 100));
    let within: Vec<usize> = many.rows.iter().copied().filter(|i| *i < 100).collect();
    assert!(many.rows.is_sorted() && *many.rows.last().unwrap() > 4096);
    // The first 100 rows are the same in both, and so is their noise.
    assert_eq!((&within, &many.steps[..within.len()]), (&few.rows, &few.steps[..]));
    assert_eq!(many.z.size()[0] as usize, many.rows.len());
}

#[test]
fn no_row_may_be_left() {
    let mut classifier = classifier();
    let mut state = classifier.weights().state();
    state.insert("out.bias".into(), Tensor::from_slice(&[100.0f32]));
    classifier.weights().load(&state, "").unwrap();
    let window =
        Window::new(WindowConfig { from: 0, to: 3, start: TransferStart::Noised }, TIMESTEPS).unwrap();
    for n in [10, 0] {
        let [z0, _] = rows(n);
        let selected = window.select(&classifier, &z0, &mut stream(1, "noise")).unwrap();
        assert!(selected.rows.is_empty() && selected.steps.is_empty());
        assert_eq!(selected.z.size(), [0, 2, 4]);
    }
}

#[test]
fn windows_outside_the_schedule_are_refused_by_key() {
    let refused = |from, to| {
        let config = WindowConfig { from, to, start: TransferStart::Noised };
        let error = Window::new(config, TIMESTEPS).unwrap_err();
        error.downcast::<KeyError>().expect("a key is named").key
    };
    assert_eq!(
        (refused(30, 501), refused(30, 30), refused(50, 30)),
        ("to".into(), "from".into(), "from".into())
    );
    let text = "{from: 30, to: 50, start: noised}";
    let config: WindowConfig = serde_yaml::from_str(text).unwrap();
    assert_eq!(config, WindowConfig { from: 30, to: 50, start: TransferStart::Noised });
    assert!(serde_yaml::from_str::<WindowConfig>("{from: 30, to: 50, start: noised, step: 1}").is_err());
    assert!(serde_yaml::from_str::<WindowConfig>("{from: 30, to: 50}").is_err());
}
