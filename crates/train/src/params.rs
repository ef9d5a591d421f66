//! Dense parameters and buffers by name, chosen totally.
use crate::{
    checkpoint::{Carrier, Resumable},
    init::{Init, InitScheme},
    rng::{self, Stream},
};
use anyhow::{Context, Result, bail, ensure};
use globset::{Glob, GlobMatcher};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
use tch::{Device, Kind, Tensor};

/// Named tensors on the CPU: a net's weights and buffers, for saving, copying and comparing.
pub type State = BTreeMap<String, Tensor>;

#[derive(Debug)]
struct Entry {
    name: String,
    tensor: Tensor,
    trainable: bool,
}

/// The parameters (trained by an optimiser), buffers (running statistics) and random streams of a net or a module, in creation
/// order.
#[derive(Debug)]
pub struct ParamSet {
    entries: Vec<Entry>,
    streams: RefCell<Vec<(String, Stream)>>,
    device: Device,
    seed: u64,
    scheme: InitScheme,
}

impl ParamSet {
    /// An empty set; initial values are drawn from streams of `seed`, one per name.
    pub fn new(device: Device, seed: u64, scheme: InitScheme) -> Self {
        Self { entries: Vec::new(), streams: RefCell::default(), device, seed, scheme }
    }

    /// Where the tensors live.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The builder at the root.
    pub fn root(&mut self) -> Params<'_> {
        Params { set: self, prefix: String::new() }
    }

    /// Names of all trainable parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|e| e.trainable).map(|e| e.name.as_str())
    }

    /// The trainable parameters that are not frozen, with their names.
    pub fn active(&self) -> Vec<(String, Tensor)> {
        let open = self.entries.iter().filter(|e| e.trainable && e.tensor.requires_grad());
        open.map(|e| (e.name.clone(), e.tensor.shallow_clone())).collect()
    }

    /// The parameters and buffers themselves, with their names and whether they are trained.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&str, Tensor, bool)> {
        self.entries.iter().map(|e| (e.name.as_str(), e.tensor.shallow_clone(), e.trainable))
    }

    /// Copies of all parameters and buffers.
    pub fn state(&self) -> State {
        self.entries
            .iter()
            .map(|e| (e.name.clone(), e.tensor.detach().to_device(Device::Cpu).copy()))
            .collect()
    }

    /// Takes over the values of `state` under `prefix`; every entry must be there with its shape.
    ///
    /// # Errors
    /// An entry that `state` lacks or has in another shape.
    pub fn load(&mut self, state: &State, prefix: &str) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for e in &mut self.entries {
            let name = format!("{prefix}{}", e.name);
            let value = state.get(&name).with_context(|| format!("no tensor is called {name:?}"))?;
            let (found, needed) = (value.size(), e.tensor.size());
            ensure!(found == needed, "{name:?} has shape {found:?}, but {needed:?} is needed");
            e.tensor.copy_(value);
        }
        Ok(())
    }

    /// A stream that is drawn from where the parameters are used, to be saved with them in checkpoints.
    pub fn keep(&self, name: &str, stream: rng::Rng) -> Stream {
        let stream: Stream = Rc::new(RefCell::new(stream));
        self.streams.borrow_mut().push((name.into(), stream.clone()));
        stream
    }

    fn add(&mut self, name: String, shape: &[i64], init: Init, trainable: bool) -> Tensor {
        assert!(self.entries.iter().all(|e| e.name != name), "two tensors are called {name:?}");
        let n = shape.iter().product::<i64>() as usize;
        let values = init.draw(n, &mut rng::stream(self.seed, &name));
        let tensor = Tensor::from_slice(&values).reshape(shape).to_device(self.device).to_kind(Kind::Float);
        let tensor = tensor.set_requires_grad(trainable);
        self.entries.push(Entry { name, tensor: tensor.shallow_clone(), trainable });
        tensor
    }
}

impl Resumable for ParamSet {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        for Entry { name, tensor, .. } in &self.entries {
            carrier.tensor(name, tensor)?;
        }
        // Layers may have given two of them one name.
        for (place, (name, stream)) in self.streams.get_mut().iter_mut().enumerate() {
            carrier.part(&format!("stream{place}.{name}"), stream)?;
        }
        Ok(())
    }
}

/// Creates parameters under a name prefix.
#[derive(Debug)]
pub struct Params<'a> {
    set: &'a mut ParamSet,
    prefix: String,
}

impl Params<'_> {
    /// The builder for names under `name.`.
    pub fn sub(&mut self, name: &str) -> Params<'_> {
        Params { prefix: format!("{}{name}.", self.prefix), set: self.set }
    }

    /// A trainable parameter. `own` is the layer's rule; the net's scheme may replace it.
    pub fn parameter(&mut self, name: &str, shape: &[i64], own: Init) -> Tensor {
        let init = self.set.scheme.apply(own, name, shape);
        self.set.add(format!("{}{name}", self.prefix), shape, init, true)
    }

    /// A trainable parameter whose rule no scheme replaces.
    pub fn parameter_exactly(&mut self, name: &str, shape: &[i64], init: Init) -> Tensor {
        self.set.add(format!("{}{name}", self.prefix), shape, init, true)
    }

    /// A buffer: saved and loaded, never trained.
    pub fn buffer(&mut self, name: &str, shape: &[i64], value: f64) -> Tensor {
        self.set.add(format!("{}{name}", self.prefix), shape, Init::Constant(value), false)
    }

    /// A random stream of a layer's own, named after its place in the net.
    pub fn stream(&self, name: &str) -> Stream {
        let name = format!("{}{name}", self.prefix);
        self.set.keep(&name, rng::stream(self.set.seed, &name))
    }

    /// Where the tensors live.
    pub fn device(&self) -> Device {
        self.set.device
    }
}

/// Names chosen by globs; each glob must match at least one name.
#[derive(Clone, Debug)]
pub struct Selection {
    globs: Vec<(String, GlobMatcher)>,
}

impl Selection {
    /// The names that match one of `globs`, as in `embedding.item_id` or `mlp.*`.
    ///
    /// # Errors
    /// A glob that is none.
    pub fn new(globs: &[&str]) -> Result<Self> {
        let compile = |g: &&str| {
            Ok(((*g).to_string(), Glob::new(g).with_context(|| format!("glob {g:?}"))?.compile_matcher()))
        };
        Ok(Self { globs: globs.iter().map(compile).collect::<Result<_>>()? })
    }

    /// Splits `names` into (matched, rest). A glob that matches nothing is an error that lists the names.
    ///
    /// # Errors
    /// A glob that matches no name.
    pub fn split<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(Vec<&'a str>, Vec<&'a str>)> {
        let names: Vec<&str> = names.into_iter().collect();
        for (text, glob) in &self.globs {
            if !names.iter().any(|n| glob.is_match(n)) {
                bail!("{text:?} matches no parameter; the parameters are {}", names.join(", "));
            }
        }
        Ok(names.into_iter().partition(|n| self.globs.iter().any(|(_, g)| g.is_match(n))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_that_matches_nothing_is_an_error() {
        let names = ["embedding.item_id", "mlp.0.weight", "mlp.0.bias"];
        let (hit, rest) = Selection::new(&["mlp.*"]).unwrap().split(names).unwrap();
        assert_eq!((hit, rest), (vec!["mlp.0.weight", "mlp.0.bias"], vec!["embedding.item_id"]));
        let error = Selection::new(&["mpl.*"]).unwrap().split(names).unwrap_err().to_string();
        assert!(error.contains("\"mpl.*\" matches no parameter"), "{error}");
    }

    #[test]
    #[should_panic(expected = "two tensors are called \"a.w\"")]
    fn a_name_is_given_once() {
        let mut set = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let mut root = set.root();
        let _ = root.sub("a").parameter("w", &[1], Init::Constant(0.0));
        let _ = root.sub("a").parameter("w", &[1], Init::Constant(0.0));
    }
}
