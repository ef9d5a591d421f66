//! Stand-ins for industrial logs: fixtures value by value, broken files, what the simulator promises.
use crate::common::{Place, check_ids, columns, ids, line, message, repository, shipped, tables};
use scenarec_data::{Column, Dataset, DatasetConfig, Override, Role, Sequence, best_auc, prepare};
use std::path::Path;

fn config() -> DatasetConfig {
    let text = std::fs::read_to_string(repository().join("configs/datasets/lazada-12.yaml")).unwrap();
    let text = text.replace("dataset: lazada-12", "dataset: fixture").replace("max_len: 50", "max_len: 2");
    // Second and third day.
    let text = text.replace("1704412800", "1702252800").replace("1704585600", "1702339200");
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text).unwrap()
}

fn sequence<'a>(data: &'a Dataset, name: &str) -> &'a Sequence {
    match data.column(name) {
        Some(Column::Sequence(s)) => s,
        other => panic!("{name}: {other:?}"),
    }
}

/// Ids of one row's behaviours, all of them.
fn behaviours(data: &Dataset, name: &str, row: usize) -> Vec<u32> {
    let Sequence { spans, tokens } = sequence(data, name);
    (spans.start[row]..spans.end[row])
        .flat_map(|t| tokens.values[tokens.range(t as usize)].to_vec())
        .collect()
}

#[test]
fn values() {
    let prepared = Place::new().prepare(&config()).unwrap();
    let data = prepared.dataset;
    check_ids(&data);
    let names: Vec<&str> = data.schema.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "user_id age gender city level device item_id category brand shop price hour position scenario \
         behaviours.item_id behaviours.category behaviours.brand behaviours.shop behaviours.price"
    );
    assert_eq!(tables(&data)[..3], [("user_id", 2), ("age", 8), ("gender", 3)]);
    assert_eq!(data.schema.field("scenario").unwrap().1.role, Role::Scenario);
    assert_eq!(ids(&data, "user_id"), [0, 0, 1, 0, 1, 0]);
    assert_eq!(ids(&data, "item_id"), [0, 1, 2, 2, 1, 1]);
    assert_eq!(ids(&data, "city"), [49, 49, 0, 49, 0, 49]);
    assert_eq!(ids(&data, "shop"), [2999, 6, 31, 31, 6, 6]);
    assert_eq!(ids(&data, "hour"), [0, 0, 1, 1, 0, 0]);
    // Places behind the twentieth count as the twentieth.
    assert_eq!(ids(&data, "position"), [0, 1, 0, 19, 0, 0]);
    assert_eq!(data.scenario, [0, 0, 11, 0, 1, 0]);
    assert_eq!(data.schema.scenarios[11], "A12");
    assert_eq!(data.labels, [[1, 0, 0, 1, 1, 0]]);
    assert_eq!(data.session.as_deref(), Some(&[0, 0, 1, 0, 2, 3][..]));

    // Earlier clicks only: not those of the same second, and of another user none.
    let all: Vec<Vec<u32>> = (0..6).map(|row| behaviours(&data, "behaviours.item_id", row)).collect();
    assert_eq!(all, [vec![2], vec![2, 1, 0], vec![0], vec![2, 1, 0], vec![0], vec![2, 1, 0, 2]]);
    let prices: Vec<u32> = behaviours(&data, "behaviours.price", 5);
    assert_eq!(prices, [4, 1, 9, 4]);

    let parts: Vec<(&str, &[u32])> =
        prepared.splits.parts.iter().map(|(name, rows)| (name.as_str(), &rows[..])).collect();
    assert_eq!(parts, [("train", &[0, 1, 2, 3][..]), ("valid", &[4][..]), ("test", &[5][..])]);
}

#[test]
fn broken_files() {
    let check = |file: &str, n: usize, text: &str, want: &str| {
        assert_eq!(message(&config(), file, line(n, text)), format!("{file}:{n}:{want}"));
    };
    check(
        "impressions.csv",
        3,
        "0,7,12,1702166403,1,12,0",
        "5: found \"12\", expected the scenario, a whole number from 0 to 11",
    );
    check(
        "impressions.csv",
        3,
        "0,8,0,1702166403,1,12,0",
        "3: found \"8\", expected an id that occurs in users.csv",
    );
    check(
        "impressions.csv",
        3,
        "0,7,0,1702166403,1,13,0",
        "20: found \"13\", expected an id that occurs in items.csv",
    );
    check(
        "impressions.csv",
        3,
        "0,7,0,1702166399,1,12,0",
        "1: found the time 1702166399 after 1702166400, expected impressions in order of time",
    );
    check(
        "impressions.csv",
        3,
        "0,7,0,1702166403,1,12,2",
        "23: found \"2\", expected click, a whole number from 0 to 1",
    );
    check(
        "histories.csv",
        4,
        "7,1700000000,12",
        "1: found the time 1700000000 after 1701000000, expected a user's clicks in order of time",
    );
    check(
        "items.csv",
        2,
        "11,200,0,0,0",
        "4: found \"200\", expected category, a whole number from 0 to 199",
    );
    check(
        "users.csv",
        3,
        "7,0,0,0,0,0",
        "1: found user 7 again (first in line 2), expected one line per user",
    );
}

#[test]
fn settings_that_make_no_sense() {
    let text = std::fs::read_to_string(repository().join("configs/datasets/lazada-12.yaml")).unwrap();
    let refused = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        DatasetConfig::from_text(Path::new("x.yaml"), &changed).unwrap_err().to_string()
    };
    let message = refused("behaviours: [item_id, ", "behaviours: [");
    assert!(message.ends_with("behaviours: item_id should be among the features"), "{message}");
    let message = refused("behaviours: [item_id, ", "behaviours: [item_id, age, ");
    assert!(message.contains("behaviours: \"age\" is none of the features item_id, category"), "{message}");
    let message = refused("max_len: 50 ", "max_len: 0 ");
    assert!(message.contains("max_len: 0 should be a number of behaviours"), "{message}");
    let message = refused("hour, position]", "hour, hour]");
    assert!(message.contains("features: hour is there twice"), "{message}");
}

/// The shares, rates and sessions that a stand-in needs (SFPNet sheet, section f).
#[test]
fn the_simulator_keeps_its_promises() {
    const IMPRESSIONS: [f64; 12] =
        [613.0, 184.0, 166.0, 156.0, 135.0, 115.0, 90.0, 64.0, 48.0, 46.0, 44.0, 29.0];
    const RATES: [f64; 12] =
        [0.0234, 0.0207, 0.0224, 0.0307, 0.0382, 0.0198, 0.0167, 0.0260, 0.0161, 0.0310, 0.0425, 0.0169];
    let place = Place::empty();
    let over = Override { rows: Some(60_000), ..Override::default() };
    let first = prepare(&shipped("lazada-12"), &place.roots, &over).unwrap();
    let data = &first.dataset;
    check_ids(data);
    assert_eq!(data.rows(), 60_000);
    let truth = data.click_probability.as_ref().unwrap();
    let (time, session) = (data.time.as_ref().unwrap(), data.session.as_ref().unwrap());
    let total: f64 = IMPRESSIONS.iter().sum();
    for s in 0..12 {
        let rows: Vec<usize> = (0..data.rows()).filter(|r| usize::from(data.scenario[*r]) == s).collect();
        let share = rows.len() as f64 / 60_000.0;
        assert!((share - IMPRESSIONS[s] / total).abs() < 0.01 * share, "A{}: {share}", s + 1);
        let rate = rows.iter().map(|r| f64::from(truth[*r])).sum::<f64>() / rows.len() as f64;
        assert!((rate / RATES[s] - 1.0).abs() < 0.05, "A{}: {rate}", s + 1);
        // A session's rows are of one user and one scenario, and a share of the sessions has rows of both classes.
        let users = ids(data, "user_id");
        let mut of_session = std::collections::BTreeMap::<u32, Vec<usize>>::new();
        rows.iter().for_each(|r| of_session.entry(session[*r]).or_default().push(*r));
        assert!(of_session.values().all(|rows| rows.iter().all(|r| users[*r] == users[rows[0]])));
        let clicks = |rows: &Vec<usize>| rows.iter().filter(|r| data.labels[0][**r] == 1).count();
        let mixed = of_session.values().filter(|rows| clicks(rows) > 0 && clicks(rows) < rows.len()).count();
        let share = mixed as f64 / of_session.len() as f64;
        assert!(share > 0.2, "A{}: {share} of the sessions are mixed", s + 1);
    }
    let sessions = session.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!((12..=52).contains(&(60_000 / sessions)), "{sessions} sessions");
    assert!(time.is_sorted());
    let best = best_auc(truth);
    assert!((0.7..0.85).contains(&best), "{best}");

    // Behaviours are the clicks before the row: those of the log, and those before it.
    let spans = &sequence(data, "behaviours.item_id").spans;
    let mut clicks = vec![0u32; tables(data)[0].1];
    let mut before = vec![None; clicks.len()];
    for (row, user) in ids(data, "user_id").iter().enumerate() {
        let own = spans.end[row] - spans.start[row];
        let earlier = *before[*user as usize].get_or_insert(own);
        assert_eq!(own, earlier + clicks[*user as usize], "row {row}");
        clicks[*user as usize] += u32::from(data.labels[0][row]);
    }

    let again = Place::empty();
    let second = prepare(&shipped("lazada-12"), &again.roots, &over).unwrap().dataset;
    assert_eq!((&second.labels, columns(&second)), (&data.labels, columns(data)));
}

/// Where behaviours mean the same everywhere, only the labels differ in what they follow.
#[test]
fn the_negative_control_is_another_dataset() {
    let place = Place::empty();
    let over = Override { rows: Some(20_000), ..Override::default() };
    let [turned, plain] = ["lazada-12", "lazada-12-plain"]
        .map(|name| prepare(&shipped(name), &place.roots, &over).unwrap().dataset);
    assert_eq!(turned.scenario, plain.scenario);
    assert_ne!(turned.click_probability, plain.click_probability);
}

/// The shares, rates and histories that SACN's stand-in needs (its sheet, section f).
#[test]
fn the_other_market_keeps_its_promises() {
    const SAMPLES: [f64; 8] = [102.03, 92.40, 87.15, 82.37, 74.46, 48.81, 36.62, 29.74];
    const RATES: [f64; 8] = [0.040, 0.045, 0.035, 0.050, 0.030, 0.055, 0.025, 0.022];
    let place = Place::empty();
    let over = Override { rows: Some(400_000), ..Override::default() };
    let prepared = prepare(&shipped("dewu-8"), &place.roots, &over).unwrap();
    let data = &prepared.dataset;
    check_ids(data);
    let truth = data.click_probability.as_ref().unwrap();
    let total: f64 = SAMPLES.iter().sum();
    let rows_of = |s: usize| (0..data.rows()).filter(move |r| usize::from(data.scenario[*r]) == s);
    for s in 0..8 {
        let n = rows_of(s).count() as f64;
        let share = n / data.rows() as f64;
        assert!((share - SAMPLES[s] / total).abs() < 0.01 * share, "D{}: {share}", s + 1);
        let rate = rows_of(s).map(|r| f64::from(truth[r])).sum::<f64>() / n;
        assert!((rate / RATES[s] - 1.0).abs() < 0.05, "D{}: {rate}", s + 1);
    }
    assert!(data.time.as_ref().unwrap().is_sorted());
    assert!((0.65..0.85).contains(&best_auc(truth)), "{}", best_auc(truth));

    // Of the users of D7 and D8 the printed shares have fewer than five clicks before the log. A user's rows share a list, which
    // begins at one place and has the earlier clicks alone when the user first appears.
    let spans = &sequence(data, "behaviours.item_id").spans;
    for (s, wanted) in [(6, 0.3742), (7, 0.4123)] {
        let mut first = std::collections::BTreeMap::new();
        let mut members = std::collections::BTreeSet::new();
        for r in 0..data.rows() {
            first.entry(spans.start[r]).or_insert(spans.end[r] - spans.start[r]);
            if usize::from(data.scenario[r]) == s {
                members.insert(spans.start[r]);
            }
        }
        let few = members.iter().filter(|user| first[user] < 5).count() as f64 / members.len() as f64;
        assert!((few - wanted).abs() < 0.01 + 1.0 / members.len() as f64, "D{}: {few}", s + 1);
    }
}

/// What a click depends on are attributes: their values alone, without ids, tell clicks apart.
#[test]
fn attributes_matter_in_the_other_market() {
    let place = Place::empty();
    let over = Override { rows: Some(100_000), ..Override::default() };
    let [own, plain] =
        ["dewu-8", "dewu-8-plain"].map(|name| prepare(&shipped(name), &place.roots, &over).unwrap().dataset);
    assert_ne!(own.click_probability, plain.click_probability);
    // How often the target's category was clicked before, as a share of the behaviours, by the mean of the true probabilities.
    let category = ids(&plain, "category");
    let truth = plain.click_probability.as_ref().unwrap();
    let (mut same, mut other) = ((0.0, 0), (0.0, 0));
    for r in 0..plain.rows() {
        let seen = behaviours(&plain, "behaviours.category", r);
        if seen.is_empty() {
            continue;
        }
        let side = if seen.contains(&category[r]) { &mut same } else { &mut other };
        *side = (side.0 + f64::from(truth[r]), side.1 + 1);
    }
    let [same, other] = [same, other].map(|(sum, n)| sum / f64::from(n));
    assert!(same > 1.2 * other, "{same} against {other}");
}
