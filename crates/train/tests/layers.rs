//! Shared layers: PyTorch's initial values, batch norm, dropout.
use scenarec_train::{
    Init, InitScheme, ParamSet,
    nn::{BatchNorm, Dropout, Linear, Mlp, MlpConfig, Norm},
    rng::{normal, stream},
    testing::{distance, magnitude},
    to_vec,
};
use tch::{Device, Kind, Tensor};

fn set(seed: u64, scheme: InitScheme) -> ParamSet {
    ParamSet::new(Device::Cpu, seed, scheme)
}

/// Greatest absolute value and standard deviation.
fn spread(t: &Tensor) -> (f64, f64) {
    (magnitude(t), t.std(true).double_value(&[]))
}

#[test]
fn linear_layers_start_as_pytorchs() {
    let mut set = set(1, InitScheme::Torch);
    // kaiming_uniform_(a=sqrt(5)) of [out, in] is U(±1/sqrt(in)); the bias has the same bound.
    let layer = Linear::new(&mut set.root().sub("l"), 64, 2000);
    assert_eq!(layer.weight().size(), [2000, 64]);
    for tensor in [layer.weight(), &set.state()["l.bias"]] {
        let (most, std) = spread(tensor);
        assert!(most <= 0.125 && most > 0.1245, "{most}");
        assert!((std - 0.125 / 3f64.sqrt()).abs() < 0.002, "{std}");
    }
}

#[test]
fn batch_norm_starts_as_pytorchs() {
    let mut set = set(1, InitScheme::Torch);
    BatchNorm::new(&mut set.root(), 5);
    let state = set.state();
    for (name, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
        assert_eq!(to_vec(&state[name]), [value; 5], "{name}");
    }
    assert_eq!(set.names().collect::<Vec<_>>(), ["weight", "bias"], "statistics are not trained");
}

#[test]
fn a_scheme_reaches_every_parameter_and_no_buffer() {
    let mut set = set(1, InitScheme::Uniform(0.01));
    let config = MlpConfig { hidden: vec![200], norm: Norm::Batch, dropout: 0.0 };
    Mlp::new(&mut set.root().sub("mlp"), 30, &config, Some(100));
    Linear::with_init(&mut set.root().sub("own"), 10, 10, Init::Constant(3.0), Init::Normal { std: 5.0 });
    let state = set.state();
    for (name, value) in &state {
        match name.as_str() {
            "mlp.0.norm.running_mean" => assert_eq!(magnitude(value), 0.0),
            "mlp.0.norm.running_var" => assert_eq!(to_vec(value), [1.0; 200]),
            "own.weight" => assert_eq!(to_vec(value), [3.0; 100]),
            "own.bias" => assert!(magnitude(value) > 1.0),
            _ => {
                let (most, std) = spread(value);
                assert!(most <= 0.01 && (std - 0.01 / 3f64.sqrt()).abs() < 1e-3, "{name}: {most}, {std}");
            }
        }
    }
    assert_eq!(state.len(), 10);
}

#[test]
fn initial_values_depend_on_seed_and_name_only() {
    let values = |seed, first: bool| {
        let mut set = set(seed, InitScheme::Torch);
        if first {
            Linear::new(&mut set.root().sub("before"), 3, 3);
        }
        to_vec(Linear::new(&mut set.root().sub("l"), 3, 3).weight())
    };
    assert_eq!(values(1, false), values(1, true));
    assert_ne!(values(1, false), values(2, false));
}

#[test]
fn an_mlp_is_linear_norm_relu_and_a_last_linear() {
    let mut set = set(1, InitScheme::Torch);
    let config = MlpConfig { hidden: vec![6, 5], norm: Norm::Batch, dropout: 0.0 };
    let mlp = Mlp::new(&mut set.root(), 4, &config, Some(3));
    let x = normal(&[7, 4], &mut stream(1, "x"));
    for train in [true, false] {
        // Before the forward pass, which moves the statistics.
        let s = set.state();
        let linear = |x: &Tensor, name: &str| {
            x.matmul(&s[&format!("{name}.weight")].tr()) + &s[&format!("{name}.bias")]
        };
        let mut expected = x.shallow_clone();
        for i in 0..2 {
            let y = linear(&expected, &format!("{i}.linear"));
            let (mean, var) = if train {
                (
                    y.mean_dim([0i64].as_slice(), false, Kind::Float),
                    y.var_dim([0i64].as_slice(), false, false),
                )
            } else {
                let kept = |what: &str| s[&format!("{i}.norm.running_{what}")].shallow_clone();
                (kept("mean"), kept("var"))
            };
            let y = (y - mean) / (var + 1e-5).sqrt();
            expected = (y * &s[&format!("{i}.norm.weight")] + &s[&format!("{i}.norm.bias")]).relu();
        }
        let y = mlp.forward(&x, train);
        assert_eq!(y.size(), [7, 3]);
        assert!(distance(&y, &linear(&expected, "out")) < 1e-5, "train: {train}");
    }
}

#[test]
fn running_statistics_follow_the_batches() {
    let mut set = set(1, InitScheme::Torch);
    let norm = BatchNorm::new(&mut set.root(), 2);
    let x = normal(&[9, 2], &mut stream(1, "x")) * 3.0 + 2.0;
    let _ = norm.forward(&x, false);
    assert_eq!(to_vec(&set.state()["running_mean"]), [0.0; 2], "evaluation leaves them");
    let _ = norm.forward(&x, true);
    let (mean, var) =
        (x.mean_dim([0i64].as_slice(), false, Kind::Float), x.var_dim([0i64].as_slice(), true, false));
    assert!(distance(&set.state()["running_mean"], &(mean * 0.1)) < 1e-6);
    assert!(distance(&set.state()["running_var"], &(var * 0.1 + 0.9)) < 1e-5, "the unbiased variance");
}

#[test]
#[should_panic(expected = "batch norm in training needs more than one row, not [1, 2]")]
fn batch_norm_refuses_to_learn_from_one_row() {
    let mut set = set(1, InitScheme::Torch);
    let norm = BatchNorm::new(&mut set.root(), 2);
    let x = Tensor::ones([1, 2], (Kind::Float, Device::Cpu));
    assert_eq!(norm.forward(&x, false).size(), [1, 2]);
    let _ = norm.forward(&x, true);
}

fn dropout(seed: u64, name: &str, p: f64) -> Dropout {
    Dropout::new(&set(seed, InitScheme::Torch).root(), name, p)
}

#[test]
fn dropout_keeps_the_stated_share_and_scales_it() {
    for p in [0.2, 0.5, 0.9] {
        let n = 400_000;
        let y =
            to_vec(&dropout(1, "d", p).forward(&Tensor::full([n], 3.0, (Kind::Float, Device::Cpu)), true));
        let kept = y.iter().filter(|v| **v != 0.0).count() as f64 / n as f64;
        // Six deviations of a binomial share.
        let error = 6.0 * (p * (1.0 - p) / n as f64).sqrt();
        assert!((kept - (1.0 - p)).abs() < error, "{p}: {kept}");
        let scaled = (3.0 / (1.0 - p)) as f32;
        assert!(y.iter().all(|v| *v == 0.0 || (v - scaled).abs() < 1e-5), "{p}");
        // Neighbours are dropped independently of each other.
        let both = y.windows(2).filter(|w| w[0] == 0.0 && w[1] == 0.0).count() as f64 / n as f64;
        assert!((both - p * p).abs() < 0.006, "{p}: {both}");
    }
}

#[test]
fn dropout_is_nothing_in_evaluation() {
    let x = normal(&[5, 7], &mut stream(1, "x"));
    assert_eq!(dropout(1, "d", 0.5).forward(&x, false), x);
    assert_eq!(dropout(1, "d", 0.0).forward(&x, true), x);
    assert_ne!(dropout(1, "d", 0.5).forward(&x, true), x);
}

#[test]
fn dropout_masks_belong_to_a_stream() {
    let masks = |seed, name: &str| {
        let d = dropout(seed, name, 0.5);
        [d.mask(&[3, 5]), d.mask(&[3, 5])].map(|m| to_vec(&m))
    };
    assert_eq!(masks(1, "a"), masks(1, "a"));
    assert_ne!(masks(1, "a")[0], masks(1, "a")[1], "each mask is a new one");
    assert_ne!(masks(1, "a"), masks(1, "b"));
    assert_ne!(masks(1, "a"), masks(2, "a"));
    // Evaluation in between draws nothing.
    let d = dropout(1, "a", 0.5);
    let first = to_vec(&d.mask(&[3, 5]));
    let _ = d.forward(&Tensor::ones([3, 5], (Kind::Float, Device::Cpu)), false);
    assert_eq!([first, to_vec(&d.mask(&[3, 5]))], masks(1, "a"));
}
