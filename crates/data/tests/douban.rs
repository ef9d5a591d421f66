//! Douban: fixtures value by value, from both sources, broken files, and what dataset files may say.
use crate::common::{Place, check_ids, columns, ids, line, message, shipped, tables};
use scenarec_data::{
    Dataset, DatasetConfig, Loader, Override, Part, Provenance, Role, SplitPlan, douban, prepare,
    split_statistics, statistics,
};
use std::path::Path;

fn config(keys: &str, raw: &str, plan: &str) -> DatasetConfig {
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text(keys, raw, plan)).unwrap()
}

fn text(keys: &str, raw: &str, plan: &str) -> String {
    format!(
        "dataset: fixture\n{keys}\nraw: {raw}\nprovenance: approximated\nsplit: {{ {plan} }}\n\
         simulate: {{ users: 200, items: 900, rows: 4000, seed: 1 }}\nfitted_on: all\n"
    )
}

fn splits(layout: &str) -> DatasetConfig {
    config(&format!("loader: douban_splits\nlayout: {layout}"), "douban-splits", "plan: given")
}

fn ratings(thin: &str) -> DatasetConfig {
    let plan = "plan: ratio_per_scenario, train: 0.8, valid: 0.1, test: 0.1, seed: 1";
    config(&format!("loader: douban_ratings\nthin: {thin}"), "douban", plan)
}

/// Users and items of the rows of a scenario.
fn pairs(data: &Dataset, scenario: u16) -> Vec<(u32, u32)> {
    let rows = (0..data.rows()).filter(|row| data.scenario[*row] == scenario);
    rows.map(|row| (ids(data, "user_id")[row], data.item_ids()[row])).collect()
}

#[test]
fn split_files() {
    let place = Place::new();
    let p = place.prepare(&splits("complete")).unwrap();
    let data = &p.dataset;
    check_ids(data);
    assert_eq!(tables(data), [("domain", 3), ("user_id", 2_718), ("item_id", 21_909)]);
    let roles: Vec<Role> = data.schema.fields.iter().map(|f| f.role).collect();
    assert_eq!(roles, [Role::Scenario, Role::User, Role::Item]);
    assert_eq!(data.schema.scenarios, ["music", "book", "movie"]);
    assert_eq!(data.schema.tasks, ["click"]);
    // Ids are taken as they are.
    let music = [(4, 17), (2717, 5566), (4, 0), (9, 17), (12, 301), (9, 2)];
    assert_eq!(pairs(data, 0), music);
    assert_eq!(pairs(data, 1)[..2], [(4, 5567), (12, 12_343)]);
    assert_eq!(pairs(data, 2)[..2], [(0, 12_344), (4, 21_908)]);
    assert_eq!(data.labels[0][..6], [1, 0, 1, 1, 0, 1]);
    assert!(ids(data, "domain").iter().zip(&data.scenario).all(|(id, s)| *id == u32::from(*s)));
    assert!(data.time.is_none());

    let sizes: Vec<(&str, usize)> = p.splits.parts.iter().map(|(name, rows)| (&**name, rows.len())).collect();
    assert_eq!(sizes, [("train", 3 + 4 + 3), ("valid", 1 + 1 + 12), ("test", 2 + 1 + 2)]);
    assert_eq!(p.splits.get("valid").unwrap()[..2], [3, 10]);
    assert_eq!(p.splits.get("test").unwrap()[..3], [4, 5, 11]);

    let s = statistics(data).unwrap();
    let music = &s.scenarios[0];
    assert_eq!((music.rows, music.users, music.items), (6, Some(4), Some(5)));
    let vocabulary: Vec<_> = s.scenarios.iter().map(|s| s.item_vocabulary).collect();
    assert_eq!(vocabulary, [Some(5_567), Some(6_777), Some(9_565)]);
    assert_eq!(s.item_vocabulary, None);
    let parts = split_statistics(data, &p.splits).unwrap();
    assert_eq!(parts[0].1.scenarios[0].item_vocabulary, Some(5_567));
}

#[test]
fn without_movies_training_rows_its_validation_rows_train_but_for_every_tenth() {
    let place = Place::new();
    let all = place.prepare(&splits("complete")).unwrap();
    let message = |place: &Place, layout| place.prepare(&splits(layout)).unwrap_err().to_string();
    let folder = place.roots.raw.join("douban-splits");
    std::fs::remove_file(folder.join("douban_movie_train.csv")).unwrap();
    let missing = message(&place, "complete");
    assert!(
        missing.contains("douban-splits: douban_movie_train.csv missing; the folder must hold"),
        "{missing}"
    );
    let p = place.prepare(&splits("without_movie_train")).unwrap();
    assert_eq!(p.dataset.rows(), all.dataset.rows() - 3);
    let movie = |p: &scenarec_data::Prepared, part: &str| -> Vec<(u32, u32)> {
        let rows = p.splits.get(part).unwrap().iter().map(|row| *row as usize);
        let rows = rows.filter(|row| p.dataset.scenario[*row] == 2);
        rows.map(|row| (ids(&p.dataset, "user_id")[row], p.dataset.item_ids()[row])).collect()
    };
    let mut valid = movie(&all, "valid");
    assert_eq!(movie(&p, "valid"), [valid.remove(9)]);
    assert_eq!(movie(&p, "train"), valid);
    assert_eq!(movie(&p, "test"), movie(&all, "test"));
    let sizes: Vec<usize> = p.splits.parts.iter().map(|(_, rows)| rows.len()).collect();
    assert_eq!(sizes, [3 + 4 + 11, 1 + 1 + 1, 2 + 1 + 2]);

    std::fs::remove_file(folder.join("douban_movie_test.csv")).unwrap();
    std::fs::remove_file(folder.join("douban_book_val.csv")).unwrap();
    let missing = message(&place, "without_movie_train");
    assert!(missing.contains(": douban_book_val.csv, douban_movie_test.csv missing; "), "{missing}");
}

#[test]
fn ratings_are_thinned_and_split_by_domain() {
    let place = Place::new();
    let p = place.prepare(&ratings("first_two")).unwrap();
    let data = &p.dataset;
    check_ids(data);
    assert_eq!(tables(data), [("domain", 3), ("user_id", 2_718), ("item_id", 21_909)]);
    // Three lines of the first user, two of the others: user and item 3 412, 3 97, 3 5567, 5 2210, ...
    let music = [(2, 411), (2, 96), (2, 5566), (4, 2209), (4, 411), (7, 5030), (2717, 411), (2717, 96)];
    assert_eq!(pairs(data, 0), music);
    assert_eq!(data.labels[0][..8], [1, 0, 1, 1, 0, 1, 1, 1]);
    assert_eq!(pairs(data, 1)[..2], [(0, 5567), (2, 12_343)]); // Items 1 and 6777.
    assert_eq!(pairs(data, 2)[..2], [(0, 21_908), (0, 12_344)]); // Items 9565 and 1.
    assert_eq!(pairs(data, 2)[3], pairs(data, 2)[5], "a rating that is there twice is kept twice");
    assert_eq!(data.labels[0][8..11], [0, 1, 1]); // Ratings 3, 4, 5: the last line of Book has no line feed.
    assert_eq!(data.rows(), 8 + 10 + 10);
    let all = place.prepare(&ratings("none")).unwrap();
    assert_eq!(all.dataset.rows(), 11 + 10 + 10);
    assert_ne!(all.dataset.fingerprint, data.fingerprint);

    let of = |part: &str| {
        let rows = p.splits.get(part).unwrap().iter().map(|row| usize::from(data.scenario[*row as usize]));
        let mut count = [0; 3];
        rows.for_each(|scenario| count[scenario] += 1);
        count
    };
    assert_eq!(["train", "valid", "test"].map(of), [[6, 8, 8], [1, 1, 1], [1, 1, 1]]);
    // Book is split alike whatever is kept of Music.
    let book = |p: &scenarec_data::Prepared| -> Vec<(u32, u32)> {
        let rows = p.splits.get("train").unwrap().iter().map(|row| *row as usize);
        let rows = rows.filter(|row| p.dataset.scenario[*row] == 1);
        rows.map(|row| (ids(&p.dataset, "user_id")[row], p.dataset.item_ids()[row])).collect()
    };
    assert_eq!(book(&p), book(&all));

    std::fs::remove_file(place.roots.raw.join("douban/douban_movie/ratings.dat")).unwrap();
    let missing = place.prepare(&ratings("first_two")).unwrap_err().to_string();
    assert!(missing.contains("douban: douban_movie/ratings.dat missing; the folder must hold"), "{missing}");
}

#[test]
fn the_cache_keeps_the_split() {
    let place = Place::new();
    let first = place.prepare(&splits("without_movie_train")).unwrap();
    let part = first.dataset.part.as_ref().unwrap();
    assert_eq!(part[..6], [Part::Train, Part::Train, Part::Train, Part::Valid, Part::Test, Part::Test]);
    let written = |place: &Place| {
        let path = place.roots.cache.join(&place.cached()[0]);
        std::fs::metadata(path).unwrap().modified().unwrap()
    };
    let before = written(&place);
    let second = place.prepare(&splits("without_movie_train")).unwrap();
    assert_eq!(written(&place), before, "it comes from the cache");
    assert_eq!(format!("{:?}", first.dataset), format!("{:?}", second.dataset));
    assert_eq!(first.splits, second.splits);
    assert_eq!(second.dataset.item_vocabulary, Some(vec![5_567, 6_777, 9_565]));
    // Another plan may be asked for, and a given split only where there is one.
    let plan = SplitPlan::RatioPerScenario { train: 0.5, valid: 0.0, test: 0.5, seed: 1 };
    let over = Override { split: Some(plan), ..Override::default() };
    let other = prepare(&splits("without_movie_train"), &place.roots, &over).unwrap();
    assert_eq!(other.splits.parts.len(), 2);
    let over = Override { split: Some(SplitPlan::Given), ..Override::default() };
    let none = prepare(&ratings("first_two"), &place.roots, &over).unwrap_err().to_string();
    assert_eq!(none, "split given of fixture: the dataset brings no split of its own");
}

#[test]
fn broken_split_files_are_named_with_line_and_column() {
    let file = "douban_book_train.csv";
    let says = |n, text: &str| message(&splits("complete"), file, line(n, text));
    for (found, expected) in [
        (says(1, "1,4,5567,0\r"), ":1:1: found \"1\", expected the header's column 0"),
        (says(1, "0,1,2\r"), ":1:6: found the end of the line, expected the header's column 3"),
        (
            says(2, "0,4,5567,0\r"),
            ":2:1: found \"0\", expected the domain of book, a whole number from 1 to 1",
        ),
        (
            says(2, "1,2718,5567,0\r"),
            ":2:3: found \"2718\", expected the user id, a whole number from 0 to 2717",
        ),
        (
            says(3, "1,4,5566,0\r"),
            ":3:5: found \"5566\", expected the item id, a whole number from 5567 to 12343",
        ),
        (says(3, "1,4,12344,0\r"), ":3:5: found \"12344\", expected the item id"),
        (says(3, "1,4,6000,9\r"), ":3:10: found \"9\", expected the label, a whole number from 0 to 1"),
        (says(3, "1,4,6000\r"), ":3:9: found the end of the line, expected the label"),
        (
            says(3, "1,4,6000,1,1\r"),
            ":3:12: found an extra field, \"1\", expected the end of the line after the label",
        ),
        (says(4, ""), ":4:1: found an empty line, expected the domain of book"),
    ] {
        assert!(found.starts_with(&format!("{file}{expected}")), "{found}\n{file}{expected}");
    }
    let cut = message(&splits("complete"), file, |mut bytes| {
        bytes.truncate(bytes.len() - 2);
        bytes
    });
    assert!(
        cut.starts_with(&format!("{file}:5:11: found the end of the file in the middle of line 5")),
        "{cut}"
    );
    // Lines may end in a line feed alone.
    let place = Place::new();
    let path = place.roots.raw.join("douban-splits").join(file);
    let whole = place.prepare(&splits("complete")).unwrap().dataset;
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace('\r', "")).unwrap();
    let again = place.prepare(&splits("complete")).unwrap().dataset;
    assert_eq!(columns(&again), columns(&whole));
}

#[test]
fn broken_ratings_are_named_with_line_and_column() {
    let file = "douban_music/ratings.dat";
    let says = |n, text: &str| message(&ratings("first_two"), file, line(n, text));
    for (found, expected) in [
        (says(2, "3\t97\t9"), ":2:6: found \"9\", expected the rating, a whole number from 1 to 5"),
        (says(2, "3\t97\t0"), ":2:6: found \"0\", expected the rating"),
        (says(2, "0\t97\t4"), ":2:1: found \"0\", expected the user id, a whole number from 1 to 2718"),
        (says(2, "2719\t97\t4"), ":2:1: found \"2719\", expected the user id"),
        (says(2, "3\t5568\t4"), ":2:3: found \"5568\", expected the item id, a whole number from 1 to 5567"),
        (says(2, "3\t97"), ":2:5: found the end of the line, expected the rating"),
        (
            says(2, "3\t97\t4\t1"),
            ":2:8: found an extra field, \"1\", expected the end of the line after the rating",
        ),
        (says(2, "3 97 4"), ":2:1: found \"3 97 4\", expected the user id"),
        (
            says(2, "3\t97\t4\r"),
            ":2:7: found a carriage return, expected lines that end in a single line feed",
        ),
        // The last line needs no line feed, but all its fields.
        (says(11, "2718\t98\t"), ":11:9: found an empty field, expected the rating"),
        (says(11, "2718\t9"), ":11:7: found the end of the line, expected the rating"),
    ] {
        assert!(found.starts_with(&format!("{file}{expected}")), "{found}\n{file}{expected}");
    }
}

#[test]
fn what_a_dataset_file_may_say() {
    let message = |keys: &str, plan: &str| {
        DatasetConfig::from_text(Path::new("x.yaml"), &text(keys, "douban", plan)).unwrap_err().to_string()
    };
    let given = "plan: given";
    assert_eq!(
        message("loader: douban_splits", given),
        "x.yaml:2:1: loader: this loader needs the key layout"
    );
    assert_eq!(
        message("loader: douban_splits\nlayout: 1m", given),
        "x.yaml:3:9: layout: unknown variant `1m`, expected `complete` or `without_movie_train`"
    );
    assert_eq!(
        message("loader: douban_splits\nlayout: complete\nthin: none", given),
        "x.yaml:4:1: thin: this loader has no such key"
    );
    assert_eq!(
        message("loader: douban_ratings\nthin: two_per_part", given),
        "x.yaml:3:7: thin: unknown variant `two_per_part`, expected `first_two` or `none`"
    );
    let ratings = "loader: douban_ratings\nthin: first_two";
    assert_eq!(
        message(ratings, "plan: ratio_per_scenario, train: 0.8, valid: 0.1, test: 0.1"),
        "x.yaml:6:10: split.plan: this plan needs the key seed"
    );
    assert_eq!(
        message(ratings, "plan: ratio_per_scenario, train: 0.8, valid: 0.1, test: 0.2, seed: 1"),
        "x.yaml:6:36: split.train: the fractions sum to 1.1, not to 1"
    );
}

#[test]
fn shipped_files() {
    let [douban, partial, raw] = ["douban", "douban-partial", "douban-raw"].map(shipped);
    assert_eq!(
        douban.loader,
        Loader::DoubanSplits(douban::splits::Settings { layout: douban::Layout::Complete })
    );
    assert_eq!(
        partial.loader,
        Loader::DoubanSplits(douban::splits::Settings { layout: douban::Layout::WithoutMovieTrain })
    );
    assert_eq!(raw.loader, Loader::DoubanRatings(douban::ratings::Settings { thin: douban::Thin::FirstTwo }));
    assert_eq!((douban.known_files.len(), partial.known_files.len()), (9, 8));
    for known in &partial.known_files {
        let whole = douban.known_files.iter().find(|k| k.file == known.file).unwrap();
        assert_eq!(whole.checksum, known.checksum, "{}", known.file);
        let partial = known.file == "douban_movie_val.csv";
        assert_eq!(known.provenance, if partial { Provenance::Partial } else { Provenance::Real });
    }
}
