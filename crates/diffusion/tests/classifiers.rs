//! The classifier of cold and rich rows.
use crate::world::{SLOTS, World};
use scenarec_diffusion::diff_msr::{Classifier, ClassifierConfig, ClassifierRows, NoiseSchedule, Schedule};
use scenarec_train::{
    Build, OptimSpec, Silent, State, Trained,
    config::KeyError,
    rng::{below, normal, stream},
    testing::{changed, distance},
    to_vec,
};
use tch::{Kind, Tensor};

/// The paper's settings on Douban, and the released program's where it is silent.
const PAPER: &str = "
hidden: [64, 64]
t_max: 70
balanced: true
optim: {name: adam, lr: 2.0e-3}
batch: 2048
epochs: 100
patience: 10
";

fn paper() -> ClassifierConfig {
    serde_yaml::from_str(PAPER).unwrap()
}

fn schedule() -> NoiseSchedule {
    NoiseSchedule::new(Schedule::PieceWise, 500).unwrap()
}

const SHAPE: [i64; 2] = [2, 4];
/// The training rows, of which one in five is cold; the validation rows follow.
const TRAIN: u32 = 400;
const ALL: u32 = 600;

/// Scenario 1 is cold; its users and items are elsewhere, so far that noise soon hides it.
fn rows() -> (Tensor, Vec<u16>) {
    let scenario: Vec<u16> = (0..ALL).map(|i| u16::from(i % 5 == 0)).collect();
    let cold: Vec<f32> = scenario.iter().map(|s| f32::from(*s)).collect();
    let shift = Tensor::from_slice(&cold).view([-1, 1, 1]) * 0.15;
    (normal(&[i64::from(ALL), SHAPE[0], SHAPE[1]], &mut stream(1, "rows")) * 0.1 + shift, scenario)
}

fn small() -> ClassifierConfig {
    ClassifierConfig { hidden: vec![16, 16], batch: 100, epochs: 30, ..paper() }
}

fn fit_to(classifier: &mut Classifier, cold: u16, seed: u64) -> anyhow::Result<Trained> {
    let (vectors, scenario) = rows();
    let mut world = World::new(&vectors, &scenario);
    let before = world.net.weights.state();
    let (train, valid) = (world.feed(0..TRAIN), world.feed(TRAIN..ALL));
    let trained = classifier.fit(&mut ClassifierRows {
        net: &mut world.net,
        slots: &SLOTS,
        cold,
        train: &train,
        valid: &valid,
        seed,
        progress: &Silent,
    });
    assert_eq!(changed(&before, &world.net.weights.state()), Vec::<String>::new(), "the net stays as it is");
    trained
}

fn fitted(config: &ClassifierConfig, seed: u64) -> (Classifier, Trained) {
    let mut classifier = Classifier::new(config, &schedule(), SHAPE, Build::cpu(3)).unwrap();
    let trained = fit_to(&mut classifier, 1, seed).unwrap();
    (classifier, trained)
}

#[test]
fn settings_say_everything() {
    let text = serde_yaml::to_string(&paper()).unwrap();
    assert_eq!(serde_yaml::from_str::<ClassifierConfig>(&text).unwrap(), paper());
    for line in PAPER.lines().filter(|l| !l.is_empty()) {
        let key = line.split(':').next().unwrap();
        let error =
            serde_yaml::from_str::<ClassifierConfig>(&PAPER.replace(line, "")).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{key}`")), "{error}");
    }
    let error = serde_yaml::from_str::<ClassifierConfig>(&format!("{PAPER}norm: batch\n")).unwrap_err();
    assert!(error.to_string().contains("unknown field `norm`"), "{error}");
}

#[test]
fn senseless_settings_are_refused_by_key() {
    let refused = |config: ClassifierConfig| {
        let error = Classifier::new(&config, &schedule(), SHAPE, Build::cpu(1)).unwrap_err();
        error.downcast::<KeyError>().expect("a key is named").key
    };
    assert_eq!(refused(ClassifierConfig { hidden: vec![64, 0], ..paper() }), "hidden");
    assert_eq!(refused(ClassifierConfig { t_max: 0, ..paper() }), "t_max");
    assert_eq!(refused(ClassifierConfig { t_max: 501, ..paper() }), "t_max");
    assert_eq!(refused(ClassifierConfig { batch: 1, ..paper() }), "batch");
    assert_eq!(refused(ClassifierConfig { optim: OptimSpec::adam(f64::NAN, 0.0), ..paper() }), "optim.lr");
    assert_eq!(refused(ClassifierConfig { epochs: 0, ..paper() }), "epochs");
    assert_eq!(refused(ClassifierConfig { patience: 0, ..paper() }), "patience");
}

/// The AUC falls with the step, as in Figure 5.
#[test]
fn it_tells_rows_that_noise_has_not_hidden() {
    for balanced in [true, false] {
        // Many steps to an epoch, so that scores have settled whichever epoch is the best.
        let config = ClassifierConfig { balanced, batch: 10, epochs: 12, ..small() };
        let (classifier, trained) = fitted(&config, 1);
        assert!(trained.scores.iter().copied().fold(0.0, f64::max) > 0.9, "{:?}", trained.scores);
        let (vectors, scenario) = rows();
        let rich: Vec<u8> = scenario.iter().map(|s| u8::from(*s == 0)).collect();
        let noise = normal(&vectors.size(), &mut stream(2, "noise"));
        let auc = |t| classifier.auc_at(&vectors, &noise, &rich, t).unwrap().unwrap();
        let aucs = [0, 100, 150, 499].map(auc);
        assert!(aucs[0] > 0.97 && aucs.is_sorted_by(|a, b| a > b), "{aucs:?}");
        assert!((aucs[3] - 0.5).abs() < 0.1, "{aucs:?}");
        assert_eq!(classifier.auc_at(&vectors, &noise, &[1; ALL as usize], 0).unwrap(), None);
        let scores = classifier.scores(&vectors);
        assert_eq!(scores.size(), [i64::from(ALL)]);
        let share = classifier.is_cold(&vectors).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        assert!((share - 0.2).abs() < 0.05, "{share} of the rows are taken for cold ones");
        for (score, cold) in to_vec(&scores).into_iter().zip(to_vec(&classifier.is_cold(&vectors))) {
            assert_eq!(score < 0.5, cold == 1.0);
        }
    }
}

/// Where nothing tells rows apart, scores say how many of each kind were in a batch.
#[test]
fn balance_is_that_of_the_batches() {
    let (_, scenario) = rows();
    for (balanced, expected) in [(true, 0.5), (false, 0.8)] {
        let config = ClassifierConfig { balanced, epochs: 60, patience: 60, ..small() };
        let mut classifier = Classifier::new(&config, &schedule(), SHAPE, Build::cpu(3)).unwrap();
        let mut world = World::new(&Tensor::zeros([i64::from(ALL), 2, 4], tch::kind::FLOAT_CPU), &scenario);
        let (train, valid) = (world.feed(0..TRAIN), world.feed(TRAIN..ALL));
        classifier
            .fit(&mut ClassifierRows {
                net: &mut world.net,
                slots: &SLOTS,
                cold: 1,
                train: &train,
                valid: &valid,
                seed: 1,
                progress: &Silent,
            })
            .unwrap();
        // With early stopping on an AUC of noise, what remains may be any epoch's; its bias has long settled.
        let score = classifier.scores(&Tensor::zeros([1, 2, 4], tch::kind::FLOAT_CPU)).double_value(&[0]);
        assert!((score - expected).abs() < 0.15, "{balanced}: {score}");
    }
}

#[test]
fn a_pass_is_one_over_the_rich_rows_where_batches_are_balanced() {
    let config = ClassifierConfig { epochs: 2, ..small() };
    // 320 rich rows in halves of 100; 400 rows of both kinds in batches of 100.
    assert_eq!(fitted(&config, 1).1.steps, 2 * 7);
    assert_eq!(fitted(&ClassifierConfig { balanced: false, ..config }, 1).1.steps, 2 * 4);
}

#[test]
fn a_seed_decides_everything() {
    let run = |seed| -> (State, Vec<f64>) {
        let (mut classifier, trained) = fitted(&ClassifierConfig { epochs: 2, ..small() }, seed);
        (classifier.weights().state(), trained.scores)
    };
    let (first, second, other) = (run(1), run(1), run(2));
    assert_eq!(changed(&first.0, &second.0), Vec::<String>::new());
    assert_eq!(first.1, second.1);
    assert!(!changed(&first.0, &other.0).is_empty());
}

/// Binary cross-entropy of clean and noised rows, written out.
#[test]
fn the_loss_is_that_of_clean_and_noised_rows() {
    let classifier = Classifier::new(&small(), &schedule(), SHAPE, Build::cpu(3)).unwrap();
    let z = normal(&[6, 2, 4], &mut stream(1, "z"));
    let noise = normal(&[6, 2, 4], &mut stream(1, "noise"));
    let t = below(70, 6, &mut stream(1, "t"));
    let rich = Tensor::from_slice(&[1.0f32, 1.0, 0.0, 1.0, 0.0, 0.0]).unsqueeze(1);
    let found = classifier.loss(&z, &noise, &t, &rich);
    let entropy = |z: &Tensor| {
        let score = classifier.scores(z).unsqueeze(1);
        let (poor, other): (Tensor, Tensor) = (1 - &rich, 1 - &score);
        -(&rich * score.log() + poor * other.log()).mean(Kind::Float)
    };
    let noised = classifier.process().level(&t).noised(&z, &noise);
    assert!(distance(&found, &((entropy(&z) + entropy(&noised)) / 2.0)) < 1e-6);
}

#[test]
fn rows_of_one_kind_are_refused() {
    let mut classifier = Classifier::new(&small(), &schedule(), SHAPE, Build::cpu(3)).unwrap();
    let error = fit_to(&mut classifier, 7, 1).unwrap_err().to_string();
    assert_eq!(error, "classifier: there are no rows of the cold scenario");
}
