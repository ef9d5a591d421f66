//! What the generators learn of two clusters as narrow as embeddings are, with the settings of Diff-MSR's tables: the
//! numbers in the documentation of `generators`.
use crate::{
    cloud::Cloud,
    generators::{read, settings},
};
use scenarec_baselines::GENERATORS;
use scenarec_train::{
    Build,
    rng::{normal, stream},
};
use std::time::Instant;
use tch::{Kind, Tensor};

/// As many rows as Douban's Music has of label 1.
const ROWS: i64 = 1943;
fn mean(x: &Tensor) -> f64 {
    x.mean(Kind::Float).double_value(&[])
}

/// Moments of rows beside two centres.
#[derive(Debug)]
#[allow(dead_code, reason = "the spread is printed")]
struct Moments {
    /// Root mean square of the difference between the mean of the rows and that of the centres.
    mean: f64,
    /// Mean deviation of a number over all rows.
    deviation: f64,
    /// Share of the rows that lie nearer to the first centre.
    first: f64,
    /// Root mean square of a number's difference from the nearer centre.
    spread: f64,
}

/// # Shapes
/// rows [n, N], centres [2, N]
fn moments(rows: &Tensor, centres: &Tensor) -> Moments {
    let (over_rows, over_numbers) = ([0i64], [2i64]);
    let off = rows.mean_dim(over_rows.as_slice(), false, Kind::Float)
        - centres.mean_dim(over_rows.as_slice(), false, Kind::Float);
    let distance =
        (rows.unsqueeze(1) - centres).square().mean_dim(over_numbers.as_slice(), false, Kind::Float);
    let (nearest, which) = distance.min_dim(1, false);
    Moments {
        mean: mean(&off.square()).sqrt(),
        deviation: mean(&rows.std_dim(over_rows.as_slice(), true, false)),
        first: 1.0 - mean(&which.to_kind(Kind::Float)),
        spread: mean(&nearest).sqrt(),
    }
}

/// Two clusters whose centres' numbers deviate from 0 by `apart`, and their rows' numbers from the centre's by `spread`:
/// centres [2, N] and rows [n, N].
fn clusters(apart: f64, spread: f64) -> (Tensor, Tensor) {
    let centres = normal(&[2, 32], &mut stream(1, "centres")) * apart;
    let of_row: Vec<i64> = (0..ROWS).map(|r| r % 2).collect();
    let noise = normal(&[ROWS, 32], &mut stream(1, "rows")) * spread;
    let rows = centres.index_select(0, &Tensor::from_slice(&of_row)) + noise;
    (centres, rows)
}

#[test]
#[ignore = "minutes: 2000 updates of every generator"]
fn two_clusters() {
    for (apart, spread) in [(0.1, 0.05), (0.02, 0.01)] {
        let (centres, rows) = clusters(apart, spread);
        let data = moments(&rows, &centres);
        println!("data: {data:.4?}");
        for name in GENERATORS {
            for seed in [1, 2, 3] {
                let mut cloud = Cloud::new(rows.reshape([ROWS, 2, 16]));
                let mut source = read(settings(name)).build([2, 16], Build::cpu(seed)).unwrap();
                let start = Instant::now();
                cloud.fit(&mut *source, seed).unwrap();
                let seconds = start.elapsed().as_secs_f64();
                let drawn = moments(&source.draw(5000).unwrap().flatten(1, 2), &centres);
                println!("{name}, {seconds:.0} s: {drawn:.4?}");
                let (off, deviation) = (drawn.mean / data.deviation, drawn.deviation / data.deviation);
                match *name {
                    "vae" => assert!(off < 0.1 && deviation < 0.1, "a VAE draws the mean: {drawn:?}"),
                    "wgan" | "wgan-gp" if apart == 0.1 => {
                        assert!(off < 0.1 && (0.8..1.2).contains(&deviation), "{name}: {drawn:?}");
                        assert!((0.45..0.55).contains(&drawn.first), "{name}, both clusters: {drawn:?}");
                    }
                    _ => {}
                }
            }
        }
    }
}
