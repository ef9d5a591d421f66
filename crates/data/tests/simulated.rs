//! The simulator: deterministic, true to its probabilities, and worth learning from.
use crate::common::{Place, config, shipped};
use scenarec_data::movielens::Layout;
use scenarec_data::simulate::{Movielens, SimulateConfig, Simulator, simulate};
use scenarec_data::{
    Column, Dataset, Override, Prepared, Provenance, SplitPlan, best_auc, identify, prepare,
    split_statistics, statistics,
};
use std::collections::HashMap;

const MIDDLE: SimulateConfig = SimulateConfig { users: 1500, items: 800, rows: 100_000, seed: 1 };

fn middle() -> (Place, Prepared) {
    let place = Place::empty();
    let mut config = shipped("movielens-1m-cold");
    config.simulate = MIDDLE;
    config.split = SplitPlan::ColdItem { threshold: 100, k: 10 };
    let prepared = place.prepare(&config).unwrap();
    (place, prepared)
}

#[test]
fn the_same_parameters_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let small = SimulateConfig { users: 50, items: 90, rows: 1100, seed: 7 };
    for layout in [Layout::M1, Layout::K100] {
        let simulator = Simulator::Movielens(Movielens { layout, positive_from: 4 });
        let make = |name: &str, config| simulate(simulator, config, &folder.path().join(name)).unwrap().files;
        let first = make("a", small);
        assert_eq!(first, make("b", small));
        let other = make("c", SimulateConfig { seed: 8, ..small });
        assert!(first.iter().all(|(name, hash)| other[name] != *hash));
        for name in ["a", "b", "c"] {
            std::fs::remove_dir_all(folder.path().join(name)).unwrap();
        }
    }
}

#[test]
fn it_stands_in_only_for_an_absent_folder() {
    let place = Place::empty();
    let p = place.prepare(&config("100k")).unwrap();
    assert_eq!(p.dataset.provenance, Provenance::Simulated);
    assert_eq!(p.dataset.note, "simulated: 1500 rows, 60 users, 100 items, seed 1");
    assert_eq!(p.dataset.rows(), 1500);
    assert_eq!(p.dataset.click_probability.as_ref().unwrap().len(), 1500);
    // A plan needs no files.
    let elsewhere = Place::empty();
    let identity = identify(&config("100k"), &elsewhere.roots, &Override::default()).unwrap();
    assert_eq!(identity.fingerprint, p.dataset.fingerprint);
    assert!(!elsewhere.roots.cache.exists());

    std::fs::create_dir(place.roots.raw.join("movielens-100k")).unwrap();
    let message = place.prepare(&config("100k")).unwrap_err().to_string();
    assert!(message.contains("u.data, u.user, u.item missing"), "{message}");
    let forced = Override { force_simulated: true, ..Override::default() };
    let again = prepare(&config("100k"), &place.roots, &forced).unwrap();
    assert_eq!(again.dataset.fingerprint, p.dataset.fingerprint);
}

#[test]
fn damaged_simulated_files_are_made_anew() {
    let place = Place::empty();
    let first = place.prepare(&config("1m")).unwrap();
    let folder =
        std::fs::read_dir(place.roots.cache.join("simulated")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(folder.join("ratings.dat"), "1::1::5::978300000\n").unwrap();
    std::fs::remove_file(place.roots.cache.join(&place.cached()[0])).unwrap();
    let again = place.prepare(&config("1m")).unwrap();
    assert_eq!(format!("{:?}", first.dataset), format!("{:?}", again.dataset));
}

#[test]
fn a_raw_folder_with_probabilities_counts_as_simulated() {
    let place = Place::empty();
    let small = SimulateConfig { users: 60, items: 100, rows: 1500, seed: 1 };
    let simulator = Simulator::Movielens(Movielens { layout: Layout::M1, positive_from: 4 });
    simulate(simulator, small, &place.roots.raw.join("movielens-1m")).unwrap();
    let p = place.prepare(&config("1m")).unwrap();
    assert_eq!(p.dataset.provenance, Provenance::Simulated);
    assert!(p.dataset.click_probability.is_some());
}

#[test]
fn quick_sizes_still_have_every_part() {
    for (name, split) in [
        ("movielens-1m-cold", None),
        ("movielens-1m-half-cold", None),
        ("movielens-100k-cold", Some(SplitPlan::ColdItem { threshold: 60, k: 6 })),
    ] {
        let place = Place::empty();
        let over = Override { rows: Some(20_000), force_simulated: true, split };
        let p = prepare(&shipped(name), &place.roots, &over).unwrap();
        assert_eq!(p.dataset.rows(), 20_000);
        for (part, s) in split_statistics(&p.dataset, &p.splits).unwrap() {
            println!("{name} {part}: {} rows, {} items", s.rows, s.items.unwrap());
            assert!(s.rows >= 100, "{name} {part} has only {} rows", s.rows);
        }
    }
    let place = Place::new();
    let over = Override { rows: Some(20_000), ..Override::default() };
    let message = prepare(&config("1m"), &place.roots, &over).unwrap_err().to_string();
    assert!(message.contains("can be chosen for simulated data only"), "{message}");
    let over = Override { rows: Some(5), force_simulated: true, split: None };
    let message = prepare(&config("1m"), &place.roots, &over).unwrap_err().to_string();
    assert!(message.contains("simulate with ratings: 5 should be"), "{message}");
}

#[test]
fn shipped_sizes_resemble_the_real_ones() {
    // Real: 972 and 439 new items, 854,530 and 83,215 old rows, 57.5 % and 55.4 % clicks.
    for (name, new, old) in [("movielens-1m-cold", 972, 854_530), ("movielens-100k-cold", 439, 83_215)] {
        let place = Place::empty();
        let p = place.prepare(&shipped(name)).unwrap();
        let parts = split_statistics(&p.dataset, &p.splits).unwrap();
        let rate = statistics(&p.dataset).unwrap().positive_rate[0];
        let (new_here, old_here) = (parts[1].1.items.unwrap(), parts[0].1.rows);
        println!("{name}: {new_here} new items, {old_here} old rows, click rate {rate:.3}");
        assert!(
            (new * 2 / 3..new * 3 / 2).contains(&new_here)
                && (old * 9 / 10..old * 11 / 10).contains(&old_here)
        );
        assert!((0.5..0.65).contains(&rate));
    }
}

#[test]
fn labels_follow_their_probabilities() {
    let (_place, p) = middle();
    let probability = p.dataset.click_probability.as_ref().unwrap();
    let mut rows: Vec<usize> = (0..p.dataset.rows()).collect();
    rows.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
    // In each tenth of the rows by probability, within 4.5 standard deviations.
    for tenth in rows.chunks(rows.len() / 10) {
        let expected: f64 = tenth.iter().map(|r| f64::from(probability[*r])).sum();
        let variance: f64 = tenth.iter().map(|r| f64::from(probability[*r] * (1.0 - probability[*r]))).sum();
        let clicks: f64 = tenth.iter().map(|r| f64::from(p.dataset.labels[0][*r])).sum();
        assert!((clicks - expected).abs() < 4.5 * variance.sqrt(), "{clicks} clicks, {expected} expected");
    }
    let auc = best_auc(probability);
    let rate = statistics(&p.dataset).unwrap().positive_rate[0];
    println!("best AUC {auc:.4}, click rate {rate:.4}");
    assert!((0.72..0.88).contains(&auc), "{auc}");
    assert!((0.45..0.7).contains(&rate), "{rate}");
}

/// Mean of `value` over the rows of each item.
fn item_means(
    data: &Dataset,
    rows: impl Iterator<Item = u32>,
    value: impl Fn(usize) -> f64,
) -> HashMap<u32, f64> {
    let mut sums: HashMap<u32, (f64, f64)> = HashMap::new();
    for row in rows {
        let entry = sums.entry(data.item_ids()[row as usize]).or_default();
        entry.0 += value(row as usize);
        entry.1 += 1.0;
    }
    sums.into_iter().map(|(item, (sum, n))| (item, sum / n)).collect()
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (ma, mb) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let cov: f64 = pairs.iter().map(|p| (p.0 - ma) * (p.1 - mb)).sum();
    let (va, vb): (f64, f64) =
        (pairs.iter().map(|p| (p.0 - ma).powi(2)).sum(), pairs.iter().map(|p| (p.1 - mb).powi(2)).sum());
    cov / (va * vb).sqrt()
}

#[test]
fn side_information_predicts_and_first_ratings_tell_more() {
    let (_place, p) = middle();
    let data = &p.dataset;
    let truth = data.click_probability.as_ref().unwrap();
    let base = p.splits.get("train_base").unwrap();
    let test = p.splits.get("test").unwrap();
    let old = item_means(data, base.iter().copied(), |r| f64::from(data.labels[0][r]));
    let new = item_means(data, test.iter().copied(), |r| f64::from(truth[r]));

    // A crude predictor of a new item's click rate: mean of its genres' and words' click rates among old items.
    let tokens = |row: usize| -> Vec<(&str, u32)> {
        let of = |name: &'static str| match data.column(name) {
            Some(Column::Ragged { offsets, values, .. }) => {
                let ids = &values[offsets[row] as usize..offsets[row + 1] as usize];
                ids.iter().map(|v| (name, *v)).collect::<Vec<_>>()
            }
            _ => panic!("{name}"),
        };
        [of("genres"), of("title")].concat()
    };
    let row_of: HashMap<u32, usize> = data.item_ids().iter().enumerate().map(|(r, i)| (*i, r)).collect();
    let mean = old.values().sum::<f64>() / old.len() as f64;
    let mut effects: HashMap<(&str, u32), (f64, f64)> = HashMap::new();
    for (item, rate) in &old {
        for t in tokens(row_of[item]) {
            let e = effects.entry(t).or_default();
            e.0 += rate - mean;
            e.1 += 1.0;
        }
    }
    let predict = |item: &u32| -> f64 {
        tokens(row_of[item]).iter().filter_map(|t| effects.get(t)).map(|(sum, n)| sum / (n + 2.0)).sum()
    };
    let by_side = correlation(&new.iter().map(|(item, truth)| (predict(item), *truth)).collect::<Vec<_>>());

    let warm =
        ["warm_a", "warm_b", "warm_c"].into_iter().flat_map(|n| p.splits.get(n).unwrap().iter().copied());
    let warm = item_means(data, warm, |r| f64::from(data.labels[0][r]));
    let by_warm = correlation(&new.iter().map(|(item, truth)| (warm[item], *truth)).collect::<Vec<_>>());
    println!(
        "{} new items: correlation by side information {by_side:.3}, by first ratings {by_warm:.3}",
        new.len()
    );
    assert!(by_side > 0.2, "{by_side}");
    assert!(by_warm > by_side + 0.1, "{by_warm} against {by_side}");
}

#[test]
fn popularity_is_long_tailed() {
    let (_place, p) = middle();
    let mut counts: HashMap<u32, usize> = HashMap::new();
    p.dataset.item_ids().iter().for_each(|i| *counts.entry(*i).or_default() += 1);
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable();
    let (mean, median) = (p.dataset.rows() as f64 / counts.len() as f64, counts[counts.len() / 2] as f64);
    assert!(mean / median > 1.5, "mean {mean}, median {median}");
}
