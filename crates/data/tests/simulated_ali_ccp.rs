//! Ali-CCP simulated: deterministic, in the official proportions and format, behaviours that matter.
use crate::ali_ccp::behaviours;
use crate::common::{Place, check_ids, ids, shipped};
use scenarec_data::simulate::{SimulateConfig, Simulator, simulate};
use scenarec_data::{
    Column, Dataset, Override, Part, Prepared, Provenance, best_auc, prepare, split_statistics, statistics,
};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// The shipped dataset with this many rows.
fn made(rows: usize) -> (Place, Prepared) {
    let place = Place::empty();
    let over = Override { rows: Some(rows), ..Override::default() };
    let prepared = prepare(&shipped("ali-ccp"), &place.roots, &over).unwrap();
    (place, prepared)
}

fn folder(place: &Place) -> PathBuf {
    std::fs::read_dir(place.roots.cache.join("simulated")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn the_same_parameters_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let small = SimulateConfig { users: 60, items: 300, rows: 20_000, seed: 7 };
    let path = |name: &str| folder.path().join(name);
    let first = simulate(Simulator::AliCcp, small, &path("a")).unwrap();
    assert_eq!(first.files, simulate(Simulator::AliCcp, small, &path("b")).unwrap().files);
    let other = simulate(Simulator::AliCcp, SimulateConfig { seed: 8, ..small }, &path("c")).unwrap().files;
    assert!(first.files.iter().all(|(name, hash)| other[name] != *hash));

    let key = |config| Simulator::AliCcp.check(config).map_err(|e| e.0);
    assert_eq!(key(small), Ok(()));
    assert_eq!(key(SimulateConfig { users: 5, ..small }), Err("users"));
    assert_eq!(key(SimulateConfig { items: 5, ..small }), Err("items"));
    assert_eq!(key(SimulateConfig { rows: 19_999, ..small }), Err("rows"));
    assert_eq!(key(SimulateConfig { users: 201, ..small }), Err("rows"));
    // Every smaller size of the shipped dataset exists.
    let shipped = shipped("ali-ccp").simulate;
    for rows in [20_000, 54_321, 150_000, 1_000_000] {
        assert_eq!(key(Simulator::AliCcp.with_rows(shipped, rows)), Ok(()), "{rows}");
    }
}

#[test]
fn proportions_are_the_official_ones() {
    let (place, p) = made(200_000);
    check_ids(&p.dataset);
    assert_eq!(p.dataset.provenance, Provenance::Simulated);
    let s = statistics(&p.dataset).unwrap();
    // Three rows of either file have a purchase without a click.
    assert_eq!(s.rows, 200_000 - 6);
    for (own, (share, rate)) in
        s.scenarios.iter().zip([(0.3779, 0.04005), (0.0075, 0.04379), (0.6147, 0.03811)])
    {
        println!("{own:?}");
        let rows = own.rows as f64;
        assert!((rows / s.rows as f64 - share).abs() < 0.01, "{own:?}");
        let tolerance = 4.5 * (rate / rows).sqrt();
        assert!((own.positive_rate[0] - rate).abs() < tolerance, "{own:?} instead of {rate}");
    }
    let parts: Vec<(String, usize)> = split_statistics(&p.dataset, &p.splits)
        .unwrap()
        .into_iter()
        .map(|(name, s)| (name, s.rows))
        .collect();
    println!("{parts:?}");
    assert!((90_000..100_000).contains(&parts[0].1) && (3000..7000).contains(&parts[1].1), "{parts:?}");
    assert!((97_000..103_000).contains(&parts[2].1), "{parts:?}");

    // The bytes: lists beyond a hundred entries, combination fields there for some rows only, indices of both halves alike.
    let read = |name| std::fs::read(folder(&place).join(name)).unwrap();
    let lines = |name| -> Vec<Vec<u8>> {
        read(name).strip_suffix(b"\n").unwrap().split(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
    };
    let (samples, common) = (lines("sample_skeleton_train.csv"), lines("common_features_train.csv"));
    let per_common = samples.len() as f64 / common.len() as f64;
    assert!((40.0..60.0).contains(&per_common), "{per_common}");
    let entries = |line: &[u8]| line.iter().filter(|b| **b == 1).count() + 1;
    assert!(common.iter().any(|l| entries(l) > 100) && samples.iter().all(|l| entries(l) < 30));
    let has = |field: &str| {
        let sign = [field.as_bytes(), &[2]].concat();
        samples.iter().filter(|l| l.windows(sign.len()).any(|w| w == sign)).count() as f64
            / samples.len() as f64
    };
    for field in ["508", "509", "702", "853"] {
        println!("{field} in {:.3} of the rows", has(field));
        assert!((0.1..0.95).contains(&has(field)), "{field}: {}", has(field));
    }
    let index = |line: &[u8]| line[..16].to_vec();
    let train: HashSet<Vec<u8>> = common.iter().map(|l| index(l)).collect();
    let both = lines("common_features_test.csv").iter().filter(|l| train.contains(&index(l))).count();
    assert!(both > common.len() / 2, "{both}");
}

#[test]
fn quick_sizes_can_be_evaluated() {
    let (_place, p) = made(20_000);
    let both = |rows: &[u32]| {
        rows.iter().map(|r| p.dataset.labels[0][*r as usize]).collect::<HashSet<u8>>().len() == 2
    };
    for (part, rows) in &p.splits.parts {
        assert!(both(rows), "{part}");
    }
    for scenario in 0..3 {
        let own = |r: &u32| p.dataset.scenario[*r as usize] == scenario;
        let rows: Vec<u32> = p.splits.get("test").unwrap().iter().copied().filter(own).collect();
        println!("scenario {scenario}: {} test rows", rows.len());
        assert!(both(&rows), "scenario {scenario} has {} test rows of one class", rows.len());
    }
}

#[test]
fn sequences_are_valid_shared_and_the_same_from_the_cache() {
    let (place, p) = made(30_000);
    let data = &p.dataset;
    check_ids(data);
    let id = behaviours(data, "behaviours.id");
    let channel = behaviours(data, "behaviours.channel");
    let value = behaviours(data, "behaviours.value");
    let part = data.part.as_ref().unwrap();
    let mut of_session: HashMap<u32, usize> = HashMap::new();
    let session = data.session.as_ref().unwrap();
    for row in 0..data.rows() {
        assert!(channel[row].is_sorted() && channel[row].len() == id[row].len() && id[row].len() <= 48);
        for c in 0..4 {
            let own: Vec<u32> =
                (0..id[row].len()).filter(|t| channel[row][*t] == c).map(|t| value[row][t]).collect();
            assert!(own.len() <= 12 && own.is_sorted_by(|a, b| a >= b), "row {row}: {own:?}");
        }
        let first = *of_session.entry(session[row]).or_insert(row);
        assert_eq!(
            (&id[row], part[row], data.scenario[row]),
            (&id[first], part[first], data.scenario[first])
        );
    }
    assert!(id.iter().map(Vec::len).sum::<usize>() > 30 * data.rows(), "most rows have many behaviours");
    let known = id.iter().flatten().filter(|i| **i > 0).count() as f64 / id.iter().flatten().count() as f64;
    println!("{known:.3} of the behaviours have a number of their own");
    assert!(known > 0.5, "{known}");
    let Some(Column::Sequence(s)) = data.column("behaviours.id") else { panic!("no sequence") };
    assert!(s.tokens.len() < data.rows() * 48 / 20, "tokens are stored once per common row");
    let over = Override { rows: Some(30_000), ..Override::default() };
    let again = prepare(&shipped("ali-ccp"), &place.roots, &over).unwrap();
    assert_eq!(format!("{:?}", again.dataset), format!("{data:?}"));
    assert_eq!(place.cached().iter().filter(|n| n.ends_with(".parquet")).count(), 1);
    let (_other, anew) = made(30_000);
    assert_eq!(format!("{:?}", anew.dataset), format!("{data:?}"));
}

/// Mean of the click probability of the rows of a scenario where a field is present, over that where it is absent.
fn lift(data: &Dataset, field: &str, scenario: u16) -> f64 {
    let probability = data.click_probability.as_ref().unwrap();
    let mut sums = [(0.0, 0.0); 2];
    for row in (0..data.rows()).filter(|row| data.scenario[*row] == scenario) {
        let sum = &mut sums[usize::from(ids(data, field)[row] > 0)];
        *sum = (sum.0 + f64::from(probability[row]), sum.1 + 1.0);
    }
    (sums[1].0 / sums[1].1) / (sums[0].0 / sums[0].1)
}

#[test]
fn clicks_follow_their_probabilities_and_behaviours_matter() {
    let (_place, p) = made(200_000);
    let data = &p.dataset;
    let probability = data.click_probability.as_ref().unwrap();
    let mut rows: Vec<usize> = (0..data.rows()).collect();
    rows.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
    // In each tenth of the rows by probability, within 4.5 standard deviations.
    for tenth in rows.chunks(rows.len() / 10) {
        let of =
            |value: &dyn Fn(f64) -> f64| tenth.iter().map(|r| value(f64::from(probability[*r]))).sum::<f64>();
        let (expected, variance) = (of(&|p| p), of(&|p| p * (1.0 - p)));
        let clicks: f64 = tenth.iter().map(|r| f64::from(data.labels[0][*r])).sum();
        assert!((clicks - expected).abs() < 4.5 * variance.sqrt(), "{clicks} clicks, {expected} expected");
    }
    let test = |s: u16| {
        let part = data.part.as_ref().unwrap();
        let own = (0..data.rows()).filter(|r| part[*r] == Part::Test && data.scenario[*r] == s);
        best_auc(&own.map(|r| probability[r]).collect::<Vec<f32>>())
    };
    println!("best AUC {:.4}, on test rows by scenario {:.4?}", best_auc(probability), [0, 1, 2].map(test));
    assert!([0, 1, 2].map(test).into_iter().all(|auc| (0.65..0.9).contains(&auc)));
    // What the history has is clicked more often.
    let lifts = |scenario| {
        ["combo_category", "combo_shop", "combo_brand", "combo_intention"]
            .map(|field| lift(data, &format!("{field}.value"), scenario))
    };
    let (b1, b3) = (lifts(0), lifts(2));
    println!("where the history has the item's category, shop, brand, intention: B1 {b1:.2?}, B3 {b3:.2?}");
    assert!([b1, b3].as_flattened().iter().all(|lift| (1.1..4.0).contains(lift)), "{b1:?} and {b3:?}");
}
