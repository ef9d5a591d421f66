//! A section of settings merged from several places, each of which is remembered.
use super::source::{ConfigError, KeyPath, Place, Source, with_suggestion};
use anyhow::Result;
use scenarec_train::config::KeyError;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// Merged settings. Mappings are merged key by key, everything else is replaced; `null` takes a mapping away.
#[derive(Clone, Debug, Default)]
pub struct Layered {
    value: Mapping,
    /// Places of every key and its value, the section itself included (empty path).
    places: BTreeMap<KeyPath, (Place, Place)>,
}

impl Layered {
    /// The merged settings.
    pub fn value(&self) -> Value {
        Value::Mapping(self.value.clone())
    }

    /// Puts `layer`, which stands at `path` in `source`, over what is there.
    pub fn merge_from(&mut self, layer: &Mapping, source: &Source, path: &[String]) {
        let place = |below: &[String]| {
            let full: KeyPath = path.iter().chain(below).cloned().collect();
            (source.key_place(&full), source.value_place(&full))
        };
        self.merge(layer, &place);
    }

    /// Puts `layer`, whose keys stand at `key` all together and whose values at `value`, over what is there.
    pub fn merge_whole(&mut self, layer: &Mapping, key: &Place, value: &Place) {
        self.merge(layer, &|_| (key.clone(), value.clone()));
    }

    fn merge(&mut self, layer: &Mapping, place: &dyn Fn(&[String]) -> (Place, Place)) {
        self.places.entry(Vec::new()).or_insert_with(|| place(&[]));
        merge_mapping(&mut self.value, layer, Value::is_mapping);
        let mut all = Vec::new();
        paths(&Value::Mapping(layer.clone()), &mut Vec::new(), &mut all);
        for path in all {
            let at = place(&path);
            self.places.insert(path, at);
        }
    }

    /// Sets a key that does not come from the user.
    pub fn put(&mut self, name: &str, value: Value) {
        self.value.insert(name.into(), value);
    }

    /// Runs a check that fills in defaults; an error is told with the place of the key it is about.
    pub fn checked(&self, what: &str, resolve: impl Fn(Value) -> Result<Value> + Copy) -> Result<Value> {
        let error = match resolve(self.value()) {
            Ok(resolved) => return Ok(resolved),
            Err(e) => e,
        };
        let (path, message) = match error.downcast_ref::<KeyError>() {
            Some(e) => (e.key.split('.').map(String::from).collect(), e.message.clone()),
            None => {
                let message = format!("{error:#}");
                (culprit(&self.value(), &message, resolve), message)
            }
        };
        let is_key = message.starts_with("unknown field");
        let (shown, place) = (0..=path.len())
            .rev()
            .find_map(|n| Some((path[..n].join("."), self.places.get(&path[..n])?)))
            .map(|(shown, (key, value))| (shown, Some(if is_key { key } else { value }.clone())))
            .unwrap_or_default();
        let message = with_suggestion(&message);
        Err(match place {
            Some(place) => ConfigError { place, message: format!("{what}: {message}") }.into(),
            None if shown.is_empty() => anyhow::anyhow!("{what}: {message}"),
            None => anyhow::anyhow!("{what}: {shown}: {message}"),
        })
    }
}

/// Key by key, `over` wins; `null` takes away what `taken_away` says, and is a value elsewhere.
pub(super) fn merge_mapping(base: &mut Mapping, over: &Mapping, taken_away: fn(&Value) -> bool) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Mapping(b)), Value::Mapping(o)) => merge_mapping(b, o, taken_away),
            (Some(old), Value::Null) if taken_away(old) => {
                base.shift_remove(key);
            }
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// A key as text; keys that are not text (numbers) by their YAML.
fn key_text(key: &Value) -> String {
    match key {
        Value::String(s) => s.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim().to_string(),
    }
}

/// Every path in `value`, parents first.
fn paths(value: &Value, at: &mut KeyPath, all: &mut Vec<KeyPath>) {
    for (key, inner) in children(value) {
        at.push(key);
        all.push(at.clone());
        paths(inner, at, all);
        at.pop();
    }
}

/// What stands in a mapping or a list, by key or by number; nothing for scalars.
pub fn children(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Mapping(m) => m.iter().map(|(k, v)| (key_text(k), v)).collect(),
        Value::Sequence(s) => s.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    }
}

/// What stands at the ends of a value below `name`, each with its path: `model.hidden.0` and 200.
pub fn leaves(name: &str, value: &Value) -> Vec<(String, Value)> {
    match children(value) {
        below if below.is_empty() => vec![(name.to_string(), value.clone())],
        below => below.iter().flat_map(|(key, v)| leaves(&format!("{name}.{key}"), v)).collect(),
    }
}

/// The key an error is about, found by leaving keys out: the one without which the same error does not come back.
/// (The check belongs to another crate and tells only what is wrong, not where.)
fn culprit(whole: &Value, message: &str, resolve: impl Fn(Value) -> Result<Value>) -> KeyPath {
    let same = |path: &KeyPath| match resolve(without(whole, path)) {
        Err(e) => format!("{e:#}") == message,
        Ok(_) => false,
    };
    let mut found = KeyPath::new();
    let mut value = whole;
    'down: loop {
        for (key, inner) in children(value) {
            let mut path = found.clone();
            path.push(key);
            if !same(&path) {
                found = path;
                value = inner;
                continue 'down;
            }
        }
        return found;
    }
}

/// `value` without what stands at `path`.
fn without(value: &Value, path: &[String]) -> Value {
    let mut copy = value.clone();
    let Some((last, parents)) = path.split_last() else { return copy };
    let mut at = &mut copy;
    for step in parents {
        at = match at {
            Value::Mapping(m) => m.iter_mut().find(|(k, _)| key_text(k) == *step).expect("exists").1,
            Value::Sequence(s) => &mut s[step.parse::<usize>().expect("a number")],
            _ => unreachable!("only mappings and lists have children"),
        };
    }
    match at {
        Value::Mapping(m) => m.retain(|k, _| key_text(k) != *last),
        Value::Sequence(s) => {
            s.remove(last.parse().expect("a number"));
        }
        _ => unreachable!("only mappings and lists have children"),
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        rho: f64,
        optim: Optim,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Optim {
        lr: f64,
    }

    fn resolve(v: Value) -> Result<Value> {
        let c: Config = serde_yaml::from_value(v)?;
        anyhow::ensure!(c.rho < 10.0, "rho must be below 10");
        Ok(serde_yaml::to_value(c)?)
    }

    fn layered(texts: &[&str]) -> Layered {
        let mut l = Layered::default();
        for (i, t) in texts.iter().enumerate() {
            let source = Source::parse(t, &format!("{i}.yaml")).unwrap();
            let Value::Mapping(m) = source.at(&["config".into()]).unwrap().clone() else { panic!() };
            l.merge_from(&m, &source, &["config".into()]);
        }
        l
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let l = layered(&["config:\n  rho: 1.0\n  optim: { lr: 1 }\n", "config: { optim: { lr: 2 } }\n"]);
        let v = l.checked("method csdm", resolve).unwrap();
        assert_eq!(v, serde_yaml::from_str::<Value>("{ rho: 1.0, optim: { lr: 2.0 } }").unwrap());
        let m = layered(&["config: { rho: 1, optim: { lr: 1 } }\n", "config: { optim: null, rho: null }\n"]);
        assert_eq!(m.value(), serde_yaml::from_str::<Value>("{ rho: null }").unwrap());
    }

    #[test]
    fn errors_name_the_layer_they_come_from() {
        let good = "config:\n  rho: 1.0\n  optim: { lr: 1 }\n";
        let e = |texts: &[&str]| layered(texts).checked("method csdm", resolve).unwrap_err().to_string();
        let m = e(&[good, "config:\n  optim:\n    learn: 2\n"]);
        assert!(m.starts_with("1.yaml:3:5: config.optim.learn: method csdm: unknown field `learn`"), "{m}");
        let m = e(&[good, "config: { rho: high }\n"]);
        assert!(m.starts_with("1.yaml:1:16: config.rho: method csdm: invalid type: string \"high\""), "{m}");
        let m = e(&[good, "config: { rho: 12 }\n"]);
        assert_eq!(m, "1.yaml:1:16: config.rho: method csdm: rho must be below 10");
        let m = e(&["config: { rho: 1 }\n"]);
        assert!(m.starts_with("0.yaml:1:9: config: method csdm: missing field `optim`"), "{m}");
        let mut l = layered(&[good]);
        let flag = Place::Flag("--set method.csdm.rho=high".into());
        l.merge_whole(&serde_yaml::from_str("rho: high").unwrap(), &flag, &flag);
        let m = l.checked("method csdm", resolve).unwrap_err().to_string();
        assert!(m.starts_with("--set method.csdm.rho=high: method csdm: invalid type"), "{m}");
    }
}
