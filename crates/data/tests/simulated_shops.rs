//! The simulators of Taobao display ads and CIKM 2019: deterministic, in the official proportions, worth learning from.
use crate::common::{Place, ids, shipped};
use scenarec_data::simulate::{SimulateConfig, Simulator, simulate};
use scenarec_data::{
    Dataset, Override, Prepared, SplitPlan, best_auc, prepare, split_statistics, statistics,
};
use std::collections::{HashMap, HashSet};

const DATASETS: [&str; 2] = ["taobao-ad-cold", "cikm-2019-cold"];
const QUICK: SplitPlan = SplitPlan::ColdItem { threshold: 40, k: 4 };

/// The dataset with this many simulated rows.
fn made(name: &str, rows: usize) -> (Place, Prepared) {
    let place = Place::empty();
    let over = Override { rows: Some(rows), force_simulated: false, split: Some(QUICK) };
    let prepared = prepare(&shipped(name), &place.roots, &over).unwrap();
    (place, prepared)
}

/// The text of a simulated raw file.
fn file(place: &Place, name: &str) -> String {
    let folder = std::fs::read_dir(place.roots.cache.join("simulated")).unwrap().next().unwrap().unwrap();
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

/// Share of the lines for which this holds.
fn share(lines: &str, holds: impl Fn(&[&str]) -> bool) -> f64 {
    let (mut all, mut some) = (0.0, 0.0);
    for line in lines.lines() {
        all += 1.0;
        some += f64::from(u8::from(holds(&line.split(',').collect::<Vec<_>>())));
    }
    some / all
}

#[track_caller]
fn near(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() < tolerance, "{found} instead of {wanted}");
}

#[test]
fn the_same_parameters_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let small = SimulateConfig { users: 50, items: 90, rows: 1100, seed: 7 };
    for (i, simulator) in [Simulator::TaobaoAd, Simulator::CikmEcomm].into_iter().enumerate() {
        let path = |name: &str| folder.path().join(format!("{i}{name}"));
        let first = simulate(simulator, small, &path("a")).unwrap();
        assert_eq!(first.files, simulate(simulator, small, &path("b")).unwrap().files);
        assert_eq!(first.items, 90);
        let other = simulate(simulator, SimulateConfig { seed: 8, ..small }, &path("c")).unwrap().files;
        assert!(first.files.iter().all(|(name, hash)| other[name] != *hash));
    }
}

#[test]
fn sizes_are_exact_and_sensible() {
    for name in DATASETS {
        let (_place, p) = made(name, 30_000);
        let simulator = shipped(name).loader.simulator();
        let size = simulator.with_rows(shipped(name).simulate, 30_000);
        let s = statistics(&p.dataset).unwrap();
        assert_eq!((s.rows, s.users, s.items), (30_000, Some(size.users), Some(size.items)), "{name}");

        let key = |config| simulator.check(config).map_err(|e| e.0);
        assert_eq!(key(size), Ok(()));
        assert_eq!(key(SimulateConfig { users: 5, ..size }), Err("users"));
        assert_eq!(key(SimulateConfig { items: 0, ..size }), Err("items"));
        assert_eq!(key(SimulateConfig { rows: size.items - 1, ..size }), Err("rows"));
    }
    // The published sizes.
    let taobao = SimulateConfig { users: 1_141_729, items: 846_811, rows: 26_557_961, seed: 1 };
    let cikm = SimulateConfig { users: 1_050_000, items: 3_934_201, rows: 62_428_486, seed: 1 };
    assert_eq!(Simulator::TaobaoAd.check(taobao), Ok(()));
    assert_eq!(Simulator::CikmEcomm.check(cikm), Ok(()));
}

#[test]
fn proportions_of_taobao_ads() {
    let (place, p) = made("taobao-ad-cold", 100_000);
    let s = statistics(&p.dataset).unwrap();
    near(s.positive_rate[0], 0.0514, 0.004);
    let (first, last) = s.time.unwrap();
    // Eight days of China time, of which hardly a minute stays empty.
    assert!(
        (1_494_000_000..1_494_000_060).contains(&first) && (1_494_691_140..1_494_691_200).contains(&last)
    );

    let samples = file(&place, "raw_sample.csv");
    assert_eq!(samples.lines().next(), Some("user,time_stamp,adgroup_id,pid,nonclk,clk"));
    near(share(&samples, |f| f[3] == "430548_1007"), 0.62, 0.01);
    let ads: Vec<u32> =
        samples.lines().skip(1).map(|l| l.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert!(ads.is_sorted(), "ordered by ad");
    assert!(!p.dataset.time.as_ref().unwrap().is_sorted(), "not by time");

    let features = file(&place, "ad_feature.csv");
    near(share(&features, |f| f[4] == "NULL"), 0.291, 0.03);
    let largest: Option<usize> =
        features.lines().skip(1).map(|l| l.split(',').next().unwrap().parse().unwrap()).max();
    assert!(largest.unwrap() > 3 * features.lines().count() / 2, "ids are not dense");

    let profiles = file(&place, "user_profile.csv");
    assert!(
        profiles.starts_with("userid,")
            && profiles.lines().next().unwrap().ends_with("new_user_class_level ")
    );
    near(share(&profiles, |f| f[5].is_empty()), 0.542, 0.04);
    near(share(&profiles, |f| f[8].is_empty()), 0.325, 0.04);
    near((profiles.lines().count() - 1) as f64 / s.users.unwrap() as f64, 0.93, 0.02);
}

#[test]
fn proportions_of_cikm() {
    let (place, p) = made("cikm-2019-cold", 100_000);
    let s = statistics(&p.dataset).unwrap();
    near(s.positive_rate[0], 0.0307, 0.003);
    let (first, last) = s.time.unwrap();
    assert!(first < 120 && (16 * 86_400 - 120..16 * 86_400).contains(&last), "{first} to {last}");

    let behaviours = file(&place, "user_behavior.csv");
    for (behaviour, wanted) in [("pv", 0.872), ("cart", 0.058), ("fav", 0.039), ("buy", 0.031)] {
        near(share(&behaviours, |f| f[2] == behaviour), wanted, 0.004);
    }
    assert!(!p.dataset.time.as_ref().unwrap().is_sorted());
    let pairs: HashSet<(u32, u32)> =
        ids(&p.dataset, "user_id").iter().copied().zip(p.dataset.item_ids().iter().copied()).collect();
    assert!(pairs.len() < 85_000, "{} different pairs of user and item in 100,000 rows", pairs.len());
    for (name, rows) in [("user.csv", s.users), ("item.csv", s.items)] {
        let text = file(&place, name);
        let ids: Vec<usize> = text.lines().map(|l| l.split(',').next().unwrap().parse().unwrap()).collect();
        assert_eq!(Some(ids.len()), rows);
        assert!(
            *ids.iter().max().unwrap() > 3 * ids.len() / 2 && !ids.is_sorted(),
            "{name}: ids are not dense"
        );
    }
}

#[test]
fn quick_sizes_still_have_every_part() {
    for name in DATASETS {
        let (_place, p) = made(name, 20_000);
        assert_eq!(p.dataset.rows(), 20_000);
        for (part, s) in split_statistics(&p.dataset, &p.splits).unwrap() {
            println!(
                "{name} {part}: {} rows, {} items, {:?} positive",
                s.rows,
                s.items.unwrap(),
                s.positive_rate
            );
            assert!(s.rows >= 300, "{name} {part} has only {} rows", s.rows);
            let positives = s.positive_rate[0] * s.rows as f64;
            assert!(positives >= 5.0 && s.positive_rate[0] < 0.2, "{name} {part} has {positives} positives");
        }
    }
}

#[test]
fn labels_follow_their_probabilities_and_can_be_predicted() {
    for name in DATASETS {
        let (_place, p) = made(name, 100_000);
        let probability = p.dataset.click_probability.as_ref().unwrap();
        let mut rows: Vec<usize> = (0..p.dataset.rows()).collect();
        rows.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
        // In each tenth of the rows by probability, within 4.5 standard deviations.
        for tenth in rows.chunks(rows.len() / 10) {
            let of = |value: &dyn Fn(f64) -> f64| {
                tenth.iter().map(|r| value(f64::from(probability[*r]))).sum::<f64>()
            };
            let (expected, variance) = (of(&|p| p), of(&|p| p * (1.0 - p)));
            let positives: f64 = tenth.iter().map(|r| f64::from(p.dataset.labels[0][*r])).sum();
            assert!(
                (positives - expected).abs() < 4.5 * variance.sqrt(),
                "{positives} positives, {expected} expected"
            );
        }
        let test: Vec<f32> = p.splits.get("test").unwrap().iter().map(|r| probability[*r as usize]).collect();
        let (all, test) = (best_auc(probability), best_auc(&test));
        println!("{name}: best AUC {all:.4}, on the test part {test:.4}");
        assert!((0.65..0.85).contains(&all) && (0.6..0.85).contains(&test), "{name}: {all}, {test}");
    }
}

/// Mean of `value` over the rows of each value of an id field.
fn means(data: &Dataset, field: &str, rows: &[u32], value: impl Fn(usize) -> f64) -> HashMap<u32, f64> {
    let mut sums: HashMap<u32, (f64, f64)> = HashMap::new();
    for row in rows {
        let sum = sums.entry(ids(data, field)[*row as usize]).or_default();
        sum.0 += value(*row as usize);
        sum.1 += 1.0;
    }
    sums.into_iter().map(|(id, (sum, n))| (id, sum / n)).collect()
}

/// AUC of scores for rows with these probabilities, each row counting as p positives and 1-p negatives.
fn expected_auc(mut rows: Vec<(f64, f64)>) -> f64 {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut positives, mut negatives, mut area) = (0.0, 0.0, 0.0);
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let p: f64 = tied.iter().map(|r| r.1).sum();
        let n = tied.len() as f64 - p;
        area += p * (negatives + 0.5 * n);
        positives += p;
        negatives += n;
    }
    area / (positives * negatives)
}

#[test]
fn side_information_predicts_new_items_and_first_rows_tell_more() {
    for (name, fields) in [
        ("taobao-ad-cold", ["cate_id", "customer", "brand"]),
        ("cikm-2019-cold", ["cate_id", "shop_id", "brand_id"]),
    ] {
        let (_place, p) = made(name, 400_000);
        let data = &p.dataset;
        let truth = |row: usize| f64::from(data.click_probability.as_ref().unwrap()[row]);
        let old = p.splits.get("train_base").unwrap();
        let test = p.splits.get("test").unwrap();
        let auc = |score: &dyn Fn(usize) -> f64| {
            expected_auc(test.iter().map(|r| (score(*r as usize), truth(*r as usize))).collect())
        };
        // Rates of the fields' values among old items; of each new item among its first rows.
        let rates = fields.map(|f| means(data, f, old, truth));
        let by_side = auc(&|row| {
            fields.iter().zip(&rates).map(|(f, r)| r.get(&ids(data, f)[row]).copied().unwrap_or(0.05)).sum()
        });
        let warm: Vec<u32> = ["warm_a", "warm_b", "warm_c"]
            .iter()
            .flat_map(|part| p.splits.get(part).unwrap().to_vec())
            .collect();
        let first = means(data, "item_id", &warm, truth);
        let by_rows = auc(&|row| first[&data.item_ids()[row]]);
        println!("{name}: AUC on new items by side information {by_side:.3}, by first rows {by_rows:.3}");
        assert!(by_side > 0.55 && by_rows > by_side + 0.01, "{name}: {by_side} and {by_rows}");
    }
}

#[test]
fn the_shipped_size_has_the_shares_of_the_official_one() {
    // A tenth of Taobao's 3,592,047 old rows and 541 new items.
    let place = Place::empty();
    let p = place.prepare(&shipped("taobao-ad-cold")).unwrap();
    let parts = split_statistics(&p.dataset, &p.splits).unwrap();
    for (part, s) in &parts {
        println!("{part}: {} rows, {} items", s.rows, s.items.unwrap());
    }
    assert!((300_000..420_000).contains(&parts[0].1.rows));
    assert!((40..75).contains(&parts[1].1.items.unwrap()));
}
