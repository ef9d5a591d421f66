//! The key `loader` of a dataset file, and the keys that belong to one loader or another.
use super::place::Place;
use super::{Raw, exactly};
use crate::loader::{AliCcpBehaviours, Loader};
use crate::{Result, amazon, douban, industrial, kuairand, movielens};
use serde::Deserialize;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoaderName {
    Movielens,
    MovielensAge,
    MovielensSequence,
    TaobaoAd,
    CikmEcomm,
    #[serde(rename = "kuairand")]
    KuaiRand,
    #[serde(rename = "kuairand_sequence")]
    KuaiRandSequence,
    DoubanSplits,
    DoubanRatings,
    Amazon,
    Industrial,
    AliCcp,
    AliCcpClicks,
}

/// The layouts of all loaders that have several.
#[derive(Clone, Copy, Deserialize)]
pub(super) enum RawLayout {
    #[serde(rename = "1m")]
    MovielensM1,
    #[serde(rename = "100k")]
    MovielensK100,
    #[serde(rename = "pure")]
    KuaiRandPure,
    #[serde(rename = "1k")]
    KuaiRandK1,
    #[serde(rename = "27k")]
    KuaiRandK27,
    #[serde(rename = "complete")]
    DoubanComplete,
    #[serde(rename = "without_movie_train")]
    DoubanWithoutMovieTrain,
}

/// The ways of all loaders to thin a cold domain.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawThin {
    FirstTwo,
    TwoPerPart,
    ThreePerUser,
    None,
}

impl Raw {
    /// The loader, where exactly its keys are given and their values make sense.
    pub(super) fn loader(&self, place: &Place) -> Result<Loader> {
        let needed: &[&str] = match self.loader {
            LoaderName::Movielens => &["layout", "positive_from", "count"],
            LoaderName::MovielensAge => &["order"],
            LoaderName::MovielensSequence => &["max_len"],
            LoaderName::TaobaoAd | LoaderName::CikmEcomm => &["count"],
            LoaderName::KuaiRand => &["layout", "tabs", "features"],
            LoaderName::KuaiRandSequence => &["layout", "tabs", "features", "behaviours", "max_len"],
            LoaderName::DoubanSplits => &["layout"],
            LoaderName::DoubanRatings => &["thin"],
            LoaderName::Amazon => &["thin", "valid_from", "test_from"],
            LoaderName::Industrial => {
                &["market", "tailored", "features", "behaviours", "max_len", "valid_from", "test_from"]
            }
            LoaderName::AliCcp => &["min_count", "combinations", "per_channel", "history_value"],
            LoaderName::AliCcpClicks => &["min_count", "combinations", "max_len"],
        };
        let given = [
            ("layout", self.layout.is_some()),
            ("positive_from", self.positive_from.is_some()),
            ("count", self.count.is_some()),
            ("order", self.order.is_some()),
            ("max_len", self.max_len.is_some()),
            ("market", self.market.is_some()),
            ("tailored", self.tailored.is_some()),
            ("behaviours", self.behaviours.is_some()),
            ("min_count", self.min_count.is_some()),
            ("combinations", self.combinations.is_some()),
            ("per_channel", self.per_channel.is_some()),
            ("history_value", self.history_value.is_some()),
            ("tabs", self.tabs.is_some()),
            ("features", self.features.is_some()),
            ("thin", self.thin.is_some()),
            ("valid_from", self.valid_from.is_some()),
            ("test_from", self.test_from.is_some()),
        ];
        exactly(place, &[], "loader", needed, &given)?;
        let wrong = |key: &str, message| Err(place.at(&[key], 0, message));
        Ok(match self.loader {
            LoaderName::Movielens => {
                let positive_from = given_key(self.positive_from);
                if !(2..=5).contains(&positive_from) {
                    return wrong("positive_from", format!("{positive_from} should be a rating from 2 to 5"));
                }
                let layout = match given_key(self.layout) {
                    RawLayout::MovielensM1 => movielens::Layout::M1,
                    RawLayout::MovielensK100 => movielens::Layout::K100,
                    _ => return wrong("layout", "this loader's layouts are 1m and 100k".into()),
                };
                Loader::Movielens { layout, positive_from, count: given_key(self.count) }
            }
            LoaderName::MovielensAge => Loader::MovielensAge { order: given_key(self.order) },
            LoaderName::MovielensSequence => match check_max_len(given_key(self.max_len)) {
                Ok(max_len) => Loader::MovielensSequence { max_len },
                Err(message) => return wrong("max_len", message),
            },
            LoaderName::Industrial => {
                let (features, behaviours) =
                    (given_key(self.features.clone()), given_key(self.behaviours.clone()));
                let offered: Vec<&str> = industrial::view::offered().collect();
                if let Err(message) = check_names(&features, &offered, &["item_id"]) {
                    return wrong("features", message);
                }
                let of_item: Vec<&str> = industrial::ITEM_COLUMNS
                    .into_iter()
                    .filter(|name| features.iter().any(|f| f == name))
                    .collect();
                if let Err(message) = check_names(&behaviours, &of_item, &["item_id"]) {
                    return wrong("behaviours", message);
                }
                let (valid_from, test_from) = (given_key(self.valid_from), given_key(self.test_from));
                if let Err((key, message)) = check_dates(valid_from, test_from) {
                    return wrong(key, message);
                }
                match check_max_len(given_key(self.max_len)) {
                    Err(message) => return wrong("max_len", message),
                    Ok(max_len) => Loader::Industrial {
                        market: given_key(self.market),
                        tailored: given_key(self.tailored),
                        features,
                        behaviours,
                        max_len,
                        valid_from,
                        test_from,
                    },
                }
            }
            LoaderName::TaobaoAd => Loader::TaobaoAd { count: given_key(self.count) },
            LoaderName::CikmEcomm => Loader::CikmEcomm { count: given_key(self.count) },
            LoaderName::KuaiRand | LoaderName::KuaiRandSequence => {
                let layout = match given_key(self.layout) {
                    RawLayout::KuaiRandPure => kuairand::Layout::Pure,
                    RawLayout::KuaiRandK1 => kuairand::Layout::K1,
                    RawLayout::KuaiRandK27 => kuairand::Layout::K27,
                    _ => return wrong("layout", "this loader's layouts are pure, 1k and 27k".into()),
                };
                let (tabs, features) = (given_key(self.tabs.clone()), given_key(self.features.clone()));
                if let Err(message) = check_tabs(&tabs) {
                    return wrong("tabs", message);
                }
                if let Err(message) = check_features(&features) {
                    return wrong("features", message);
                }
                if let LoaderName::KuaiRand = self.loader {
                    return Ok(Loader::KuaiRand { layout, tabs, features });
                }
                let behaviours = given_key(self.behaviours.clone());
                let of_video: Vec<&str> =
                    kuairand::of_videos().filter(|name| features.iter().any(|f| f == name)).collect();
                if let Err(message) = check_names(&behaviours, &of_video, &["item_id"]) {
                    return wrong("behaviours", message);
                }
                match check_max_len(given_key(self.max_len)) {
                    Err(message) => return wrong("max_len", message),
                    Ok(max_len) => Loader::KuaiRandSequence { layout, tabs, features, behaviours, max_len },
                }
            }
            LoaderName::DoubanSplits => {
                let layout = match given_key(self.layout) {
                    RawLayout::DoubanComplete => douban::Layout::Complete,
                    RawLayout::DoubanWithoutMovieTrain => douban::Layout::WithoutMovieTrain,
                    _ => {
                        let message = "this loader's layouts are complete and without_movie_train";
                        return wrong("layout", message.into());
                    }
                };
                Loader::DoubanSplits { layout }
            }
            LoaderName::DoubanRatings => {
                let thin = match given_key(self.thin) {
                    RawThin::FirstTwo => douban::Thin::FirstTwo,
                    RawThin::None => douban::Thin::None,
                    _ => return wrong("thin", "this loader thins by first_two or none".into()),
                };
                Loader::DoubanRatings { thin }
            }
            LoaderName::Amazon => {
                let thin = match given_key(self.thin) {
                    RawThin::TwoPerPart => amazon::Thin::TwoPerPart,
                    RawThin::ThreePerUser => amazon::Thin::ThreePerUser,
                    RawThin::None => amazon::Thin::None,
                    _ => {
                        let message = "this loader thins by two_per_part, three_per_user or none";
                        return wrong("thin", message.into());
                    }
                };
                let (valid_from, test_from) = (given_key(self.valid_from), given_key(self.test_from));
                if let Err((key, message)) = check_dates(valid_from, test_from) {
                    return wrong(key, message);
                }
                Loader::Amazon { thin, valid_from, test_from }
            }
            LoaderName::AliCcp | LoaderName::AliCcpClicks => {
                let min_count = given_key(self.min_count);
                if min_count == 0 {
                    return wrong("min_count", "0 should be a number of occurrences".into());
                }
                let behaviours = match self.per_channel {
                    Some(per_channel @ 1..=1000) => {
                        AliCcpBehaviours::Histories { per_channel, value: given_key(self.history_value) }
                    }
                    Some(n) => return wrong("per_channel", format!("{n} should be 1 to 1000 behaviours")),
                    None => match check_max_len(given_key(self.max_len)) {
                        Ok(max_len) => AliCcpBehaviours::Clicks { max_len },
                        Err(message) => return wrong("max_len", message),
                    },
                };
                Loader::AliCcp { min_count, combinations: given_key(self.combinations), behaviours }
            }
        })
    }
}

/// The value of a key that [`exactly`] has found.
fn given_key<T>(value: Option<T>) -> T {
    value.expect("a key that the loader needs is given")
}

/// Whether these are the starts of two days, one after the other; else the key to blame and why.
fn check_dates(valid_from: i64, test_from: i64) -> std::result::Result<(), (&'static str, String)> {
    for (key, time) in [("valid_from", valid_from), ("test_from", test_from)] {
        if time % amazon::DAY != 0 {
            return Err((key, format!("{time} should be the start of a day, a multiple of {}", amazon::DAY)));
        }
    }
    match valid_from < test_from {
        true => Ok(()),
        false => Err(("test_from", format!("{test_from} should be later than valid_from ({valid_from})"))),
    }
}

fn check_max_len(max_len: u32) -> std::result::Result<u32, String> {
    if max_len > 0 { Ok(max_len) } else { Err("0 should be a number of behaviours".into()) }
}

fn check_tabs(tabs: &[u8]) -> std::result::Result<(), String> {
    if let Some(tab) = tabs.iter().find(|t| usize::from(**t) >= kuairand::TABS) {
        return Err(format!("{tab} should be a tab, 0 to {}", kuairand::TABS - 1));
    }
    match tabs.iter().enumerate().find(|(i, tab)| tabs[..*i].contains(tab)) {
        Some((_, tab)) => Err(format!("{tab} is there twice")),
        None if tabs.is_empty() => Err("there should be at least one tab".into()),
        None => Ok(()),
    }
}

fn check_features(features: &[String]) -> std::result::Result<(), String> {
    if let Some(name) = features.iter().find(|f| kuairand::OUTCOMES.contains(&f.as_str())) {
        return Err(format!(
            "{name} is an outcome of the row that is to be predicted, so it can never be a feature"
        ));
    }
    check_names(features, &kuairand::offered().collect::<Vec<_>>(), &["user_id", "item_id"])
}

/// Whether features are among those offered, none twice, and the needed ones among them.
fn check_names(features: &[String], offered: &[&str], needed: &[&str]) -> std::result::Result<(), String> {
    for (i, name) in features.iter().enumerate() {
        if !offered.contains(&name.as_str()) {
            return Err(format!("{name:?} is none of the features {}", offered.join(", ")));
        }
        if features[..i].contains(name) {
            return Err(format!("{name} is there twice"));
        }
    }
    match needed.iter().find(|id| !features.iter().any(|f| f == *id)) {
        Some(id) => Err(format!("{id} should be among the features")),
        None => Ok(()),
    }
}
