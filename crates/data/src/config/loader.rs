//! The key `loader` of a dataset file, and the keys that belong to one loader or another.
use super::fields::fields;
use super::place::Place;
use super::{Raw, exactly};
use crate::loader::Loader;
use crate::{
    Checked, Result, ali_ccp, amazon, cikm_ecomm, douban, industrial, kuairand, movielens, taobao_ad,
};
use serde::de::{DeserializeOwned, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt::{Formatter, Result as Written};
use std::sync::LazyLock;

/// What a loader's own keys in a dataset file say. The keys are the fields' names; every one of them is needed.
pub(crate) trait LoaderKeys: DeserializeOwned {
    /// The loader with these settings; else the key to blame and why.
    fn loader(self) -> Checked<Loader>;
}

/// A loader as dataset files name it.
pub(super) struct Named {
    name: &'static str,
    keys: fn() -> &'static [&'static str],
    read: fn(&Place) -> Result<Loader>,
}

static LOADERS: [Named; 13] = [
    Named::new::<movielens::csdm::Settings>("movielens"),
    Named::new::<movielens::age::Settings>("movielens_age"),
    Named::new::<movielens::sequence::Settings>("movielens_sequence"),
    Named::new::<taobao_ad::Settings>("taobao_ad"),
    Named::new::<cikm_ecomm::Settings>("cikm_ecomm"),
    Named::new::<kuairand::view::Settings>("kuairand"),
    Named::new::<kuairand::sequence::Settings>("kuairand_sequence"),
    Named::new::<douban::splits::Settings>("douban_splits"),
    Named::new::<douban::ratings::Settings>("douban_ratings"),
    Named::new::<amazon::Settings>("amazon"),
    Named::new::<industrial::Settings>("industrial"),
    Named::new::<ali_ccp::HistoryKeys>("ali_ccp"),
    Named::new::<ali_ccp::ClickKeys>("ali_ccp_clicks"),
];

static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| LOADERS.iter().map(|own| own.name).collect());

/// The keys of all loaders, each once.
static OWN_KEYS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for key in LOADERS.iter().flat_map(|own| (own.keys)()) {
        if !all.contains(key) {
            all.push(*key);
        }
    }
    all
});

/// All keys of dataset files.
static KEYS: LazyLock<Vec<&str>> = LazyLock::new(|| [fields::<Raw>(), &OWN_KEYS].concat());

impl Named {
    const fn new<K: LoaderKeys>(name: &'static str) -> Named {
        Named { name, keys: fields::<K>, read: read::<K> }
    }

    /// The loader, where exactly its keys are given and their values make sense.
    pub fn loader(&self, place: &Place, given: &Given) -> Result<Loader> {
        let given: Vec<_> = OWN_KEYS.iter().map(|key| (*key, given.0.contains(key))).collect();
        exactly(place, &[], "loader", (self.keys)(), &given)?;
        (self.read)(place)
    }
}

fn read<K: LoaderKeys>(place: &Place) -> Result<Loader> {
    // From the text and not from values read before, which have no line and column.
    let keys: K = serde_yaml::from_str(place.text).map_err(|e| place.yaml_error(&e))?;
    keys.loader().map_err(|(key, message)| place.at(&[key], 0, message))
}

/// The loader of this name.
pub(super) fn named<'de, D: Deserializer<'de>>(name: D) -> std::result::Result<&'static Named, D::Error> {
    struct Name;

    impl Visitor<'_> for Name {
        type Value = &'static Named;

        fn expecting(&self, f: &mut Formatter) -> Written {
            f.write_str("a loader's name")
        }

        fn visit_str<E: Error>(self, name: &str) -> std::result::Result<&'static Named, E> {
            let found = LOADERS.iter().find(|own| own.name == name);
            found.ok_or_else(|| E::unknown_variant(name, &NAMES))
        }
    }

    name.deserialize_str(Name)
}

/// Those of the dataset files' keys that are there and not null.
pub(super) struct Given(Vec<&'static str>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(file: D) -> std::result::Result<Given, D::Error> {
        struct File;

        impl<'de> Visitor<'de> for File {
            type Value = Given;

            fn expecting(&self, f: &mut Formatter) -> Written {
                f.write_str("the keys of a dataset file")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Given, A::Error> {
                let (mut there, mut given) = (Vec::new(), Vec::new());
                while let Some(key) = map.next_key::<String>()? {
                    let Some(key) = KEYS.iter().find(|own| **own == key) else {
                        return Err(A::Error::unknown_field(&key, &KEYS));
                    };
                    if there.contains(key) {
                        return Err(A::Error::duplicate_field(key));
                    }
                    there.push(*key);
                    if map.next_value::<Option<IgnoredAny>>()?.is_some() {
                        given.push(*key);
                    }
                }
                Ok(Given(given))
            }
        }

        file.deserialize_map(File)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_told_apart() {
        for (place, own) in LOADERS.iter().enumerate() {
            assert!(!NAMES[..place].contains(&own.name), "{} is there twice", own.name);
            assert!(!(own.keys)().is_empty(), "{} has no keys", own.name);
            let common = (own.keys)().iter().find(|key| fields::<Raw>().contains(key));
            assert_eq!(common, None, "{}: a key of all dataset files", own.name);
        }
    }
}
