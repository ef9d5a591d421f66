//! The key `loader` of a dataset file, and the keys that belong to one loader or another.
use super::place::Place;
use super::{Raw, exactly};
use crate::Result;
use crate::loader::Loader;
use serde::Deserialize;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoaderName {
    Movielens,
    MovielensAge,
    TaobaoAd,
    CikmEcomm,
}

impl Raw {
    /// The loader, where exactly its keys are given and their values make sense.
    pub(super) fn loader(&self, place: &Place) -> Result<Loader> {
        let needed: &[&str] = match self.loader {
            LoaderName::Movielens => &["layout", "positive_from", "count"],
            LoaderName::MovielensAge => &["order"],
            LoaderName::TaobaoAd | LoaderName::CikmEcomm => &["count"],
        };
        let given = [
            ("layout", self.layout.is_some()),
            ("positive_from", self.positive_from.is_some()),
            ("count", self.count.is_some()),
            ("order", self.order.is_some()),
        ];
        exactly(place, &[], "loader", needed, &given)?;
        Ok(match self.loader {
            LoaderName::Movielens => {
                let positive_from = given_key(self.positive_from);
                if !(2..=5).contains(&positive_from) {
                    let message = format!("{positive_from} should be a rating from 2 to 5");
                    return Err(place.at(&["positive_from"], 0, message));
                }
                Loader::Movielens {
                    layout: given_key(self.layout),
                    positive_from,
                    count: given_key(self.count),
                }
            }
            LoaderName::MovielensAge => Loader::MovielensAge { order: given_key(self.order) },
            LoaderName::TaobaoAd => Loader::TaobaoAd { count: given_key(self.count) },
            LoaderName::CikmEcomm => Loader::CikmEcomm { count: given_key(self.count) },
        })
    }
}

/// The value of a key that [`exactly`] has found.
fn given_key<T>(value: Option<T>) -> T {
    value.expect("a key that the loader needs is given")
}
