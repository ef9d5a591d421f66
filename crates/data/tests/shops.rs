//! The fixtures of Taobao display ads and CIKM 2019, value by value. (The expected ids come from a few lines of Python
//! that join and number the fixtures.)
use crate::common::{Place, check_ids, columns, ids, reals, shop, shop_folder, shop_with, tables};
use scenarec_data::{CountRows, Override};
use scenarec_data::{
    DatasetConfig, Loader, Provenance, cikm_ecomm, identify, split_statistics, statistics, taobao_ad,
};

fn fields(config: &DatasetConfig) -> String {
    let data = Place::new().prepare(config).unwrap().dataset;
    data.schema.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn taobao_ads() {
    let place = Place::new();
    let data = place.prepare(&shop("taobao_ad")).unwrap().dataset;
    check_ids(&data);
    assert_eq!(
        fields(&shop("taobao_ad")),
        "item_id user_id pid cate_id campaign_id customer brand cms_segid cms_group_id final_gender_code age_level \
         pvalue_level shopping_level occupation new_user_class_level time_stamp price count"
    );
    assert_eq!(data.schema.side.join(" "), "item_id cate_id customer campaign_id");
    assert_eq!(data.schema.tasks, ["click"]);
    // Distinct values of the rows plus one; missing values count, ads and users without a row do not.
    assert_eq!(
        tables(&data).iter().map(|t| t.1).collect::<Vec<_>>(),
        [6, 7, 3, 4, 4, 3, 4, 5, 5, 4, 4, 5, 4, 4, 4]
    );
    for (name, want) in [
        ("item_id", [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4]),
        ("user_id", [0, 1, 2, 3, 4, 5, 0, 1, 5, 0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 0]),
        ("pid", [0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0]),
        ("cate_id", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]),
        ("campaign_id", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]),
        ("customer", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
        ("brand", [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 1, 1]), // NULL is 0
        ("cms_segid", [0, 1, 2, 1, 2, 3, 0, 1, 3, 0, 1, 2, 1, 1, 2, 1, 2, 2, 1, 2, 3, 0]),
        ("cms_group_id", [0, 1, 2, 1, 2, 3, 0, 1, 3, 0, 1, 2, 1, 1, 2, 1, 2, 2, 1, 2, 3, 0]),
        ("final_gender_code", [0, 1, 0, 1, 0, 2, 0, 1, 2, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 2, 0]),
        ("age_level", [0, 0, 1, 0, 1, 2, 0, 0, 2, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 2, 0]),
        // The empty value of users 42 and 88 and the missing profile of user 9001 are the same value.
        ("pvalue_level", [0, 1, 0, 2, 3, 0, 0, 1, 0, 0, 1, 0, 2, 1, 0, 2, 3, 0, 2, 3, 0, 0]),
        ("shopping_level", [0, 0, 0, 0, 1, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 0]),
        ("occupation", [0, 0, 0, 1, 1, 2, 0, 0, 2, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 2, 0]),
        ("new_user_class_level", [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]),
    ] {
        assert_eq!(ids(&data, name), want, "{name}");
    }
    let clicks: Vec<usize> = (0..data.rows()).filter(|r| data.labels[0][*r] == 1).collect();
    assert_eq!(clicks, [2, 12]);
    assert_eq!(data.time.as_ref().unwrap()[..2], [1_494_114_965, 1_494_306_884]);
    // Prices 170, 29.9, 0.01, 1e3, 1e8 and counts 8, 5, 4, 3, 2 of the five ads, scaled over all rows.
    let per_ad = |name: &str| [0, 8, 13, 17, 20].map(|row: usize| f64::from(reals(&data, name)[row]));
    let scaled =
        |values: [f64; 5], lo: f64, hi: f64| values.map(|v| f64::from(((v - lo) / (hi - lo)) as f32));
    assert_eq!(per_ad("price"), scaled([170.0, 29.9, 0.01, 1e3, 1e8], 0.01, 1e8));
    assert_eq!(per_ad("count"), scaled([8.0, 5.0, 4.0, 3.0, 2.0], 2.0, 8.0));
    let s = statistics(&data).unwrap();
    assert_eq!((s.rows, s.users, s.items), (22, Some(6), Some(5)));
    assert_eq!(s.positive_rate, [2.0 / 22.0]);
}

#[test]
fn cikm() {
    let place = Place::new();
    let data = place.prepare(&shop("cikm_ecomm")).unwrap().dataset;
    check_ids(&data);
    assert_eq!(
        fields(&shop("cikm_ecomm")),
        "item_id user_id gender age purchasing_power cate_id shop_id brand_id time_stamp count"
    );
    assert_eq!(data.schema.side.join(" "), "item_id count");
    assert_eq!(data.schema.tasks, ["buy"]);
    assert_eq!(tables(&data).iter().map(|t| t.1).collect::<Vec<_>>(), [6, 6, 4, 5, 5, 4, 4, 5]);
    for (name, want) in [
        ("item_id", [0, 1, 1, 0, 2, 0, 3, 2, 1, 0, 2, 4, 4, 0, 2, 0, 1, 2, 0, 3, 3, 0]),
        ("user_id", [0, 1, 0, 2, 3, 2, 1, 0, 3, 1, 4, 4, 1, 2, 1, 4, 2, 2, 3, 0, 4, 4]),
        ("gender", [0, 0, 0, 1, 2, 1, 0, 0, 2, 0, 2, 2, 0, 1, 0, 2, 1, 1, 2, 0, 2, 2]), // user 999 is unknown
        ("age", [0, 1, 0, 2, 3, 2, 1, 0, 3, 1, 0, 0, 1, 2, 1, 0, 2, 2, 3, 0, 0, 0]),
        ("purchasing_power", [0, 1, 0, 2, 3, 2, 1, 0, 3, 1, 3, 3, 1, 2, 1, 3, 2, 2, 3, 0, 3, 3]),
        ("cate_id", [0, 1, 1, 0, 2, 0, 0, 2, 1, 0, 2, 2, 2, 0, 2, 0, 1, 2, 0, 0, 0, 0]), // item 17 is unknown
        ("shop_id", [0, 1, 1, 0, 2, 0, 2, 2, 1, 0, 2, 0, 0, 0, 2, 0, 1, 2, 0, 2, 2, 0]),
        ("brand_id", [0, 1, 1, 0, 2, 0, 3, 2, 1, 0, 2, 0, 0, 0, 2, 0, 1, 2, 0, 3, 3, 0]),
    ] {
        assert_eq!(ids(&data, name), want, "{name}");
    }
    let buys: Vec<usize> = (0..data.rows()).filter(|r| data.labels[0][*r] == 1).collect();
    assert_eq!(buys, [4, 9, 11]);
    // Rows 3 and 13 are one and the same line.
    let time = data.time.as_ref().unwrap();
    assert_eq!((time[3], time[13]), (360_512, 360_512));
    assert_eq!((reals(&data, "time_stamp")[0], reals(&data, "time_stamp")[5]), (0.0, 1.0));
    assert_eq!((reals(&data, "count")[0], reals(&data, "count")[11]), (1.0, 0.0));
    let s = statistics(&data).unwrap();
    assert_eq!((s.rows, s.users, s.items, s.time), (22, Some(5), Some(5), Some((0, 16 * 86_400 - 1))));
}

#[test]
fn cold_items() {
    for loader in ["taobao_ad", "cikm_ecomm"] {
        let p = Place::new().prepare(&shop(loader)).unwrap();
        let sizes: Vec<(String, usize)> = split_statistics(&p.dataset, &p.splits)
            .unwrap()
            .into_iter()
            .map(|(name, s)| (name, s.rows))
            .collect();
        let want =
            [("train_base", 8), ("warm_a", 3), ("warm_b", 3), ("warm_c", 3), ("test", 3), ("dropped", 2)];
        assert_eq!(sizes, want.map(|(n, r)| (n.to_string(), r)), "{loader}");
    }
}

#[test]
fn count_over_training_rows_only() {
    for loader in ["taobao_ad", "cikm_ecomm"] {
        let place = Place::new();
        let whole = place.prepare(&shop(loader)).unwrap();
        let config = shop_with(loader, "count: train_only\nsplit: { plan: cold_item, threshold: 7, k: 1 }");
        assert_eq!(config.loader.count(), Some(CountRows::TrainOnly));
        let train = place.prepare(&config).unwrap();
        assert_ne!(whole.dataset.fingerprint, train.dataset.fingerprint);
        // Dropped items have no training row, new ones 3, the old one 8.
        let mut counts: Vec<f32> = reals(&train.dataset, "count").to_vec();
        counts.sort_by(f32::total_cmp);
        counts.dedup();
        assert_eq!(counts, [0.0, 3.0 / 8.0, 1.0], "{loader}");
    }
}

#[test]
fn headers_may_lack_the_trailing_blank_and_profiles_prices() {
    let place = Place::new();
    let folder = place.roots.raw.join("taobao-ad");
    let edit = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(folder.join(file), text.replace(from, to)).unwrap();
    };
    let first = place.prepare(&shop("taobao_ad")).unwrap().dataset;
    edit("user_profile.csv", "new_user_class_level \n", "new_user_class_level\n");
    edit("ad_feature.csv", "customer,brand", "customer , brand");
    let second = place.prepare(&shop("taobao_ad")).unwrap().dataset;
    assert_eq!(columns(&first), columns(&second));
    // A missing price is 0, which is now the lowest one.
    edit("ad_feature.csv", "95002,0.01", "95002,");
    let third = place.prepare(&shop("taobao_ad")).unwrap().dataset;
    let price = |data| f64::from(reals(data, "price")[0]);
    assert_eq!(reals(&third, "price")[13], 0.0);
    assert!((price(&third) - 170.0 / 1e8).abs() < 1e-12 && price(&third) > price(&second));
}

#[test]
fn official_lengths_count_as_real() {
    let lines = |n: usize| {
        format!(
            "count: all\nknown_files: [{{ file: raw_sample.csv, lines: {n}, provenance: real }}]\n\
             split: {{ plan: cold_item, threshold: 7, k: 1 }}"
        )
    };
    let judge = |n| {
        let i =
            identify(&shop_with("taobao_ad", &lines(n)), &Place::new().roots, &Override::default()).unwrap();
        (i.provenance, i.note)
    };
    assert_eq!(judge(23), (Provenance::Real, String::new()));
    assert_eq!(judge(22), (Provenance::Approximated, "raw_sample.csv has 23 lines, not 22".to_string()));
}

#[test]
fn both_are_cached() {
    for loader in ["taobao_ad", "cikm_ecomm"] {
        let place = Place::new();
        let first = place.prepare(&shop(loader)).unwrap();
        let files = place.roots.raw.join(shop_folder(loader));
        let identity = identify(&shop(loader), &place.roots, &Override::default()).unwrap();
        assert_eq!(identity.fingerprint, first.dataset.fingerprint);
        let second = place.prepare(&shop(loader)).unwrap();
        assert_eq!(format!("{:?}", first.dataset), format!("{:?}", second.dataset));
        assert_eq!(place.cached().len(), 1);
        for name in shop(loader).loader.files() {
            let before = place.prepare(&shop(loader)).unwrap().dataset.fingerprint;
            let text = std::fs::read_to_string(files.join(name)).unwrap();
            let last = text.lines().last().unwrap();
            // Another value in the last line: 40 and 123456 and so on stay what they are.
            let other = match name {
                "user_profile.csv" => "123456,96,12,1,6,2,2,0,2",
                "ad_feature.csv" => "31,77,80500,9,NULL,1e4",
                "raw_sample.csv" => "42,1494122241,40,430548_1007,0,1",
                "user.csv" => "8,1,20,3",
                "item.csv" => "777,9,8,8",
                _ => "501,88213,buy,878978",
            };
            assert_ne!(last, other);
            std::fs::write(files.join(name), text.replace(last, other)).unwrap();
            let after = place.prepare(&shop(loader)).unwrap().dataset.fingerprint;
            assert_ne!(before, after, "{name}");
        }
    }
}

#[test]
fn the_loader_is_the_one_asked_for() {
    assert_eq!(shop("taobao_ad").loader, Loader::TaobaoAd(taobao_ad::Settings { count: CountRows::All }));
    assert_eq!(shop("cikm_ecomm").loader, Loader::CikmEcomm(cikm_ecomm::Settings { count: CountRows::All }));
}
