//! A model with its embeddings and parameters.
use crate::{
    batch::Batch,
    checkpoint::{Carrier, Resumable},
    embedding::{Backend, Embedded, FeatureEmbedding},
    init::InitScheme,
    params::{ParamSet, Params, Selection, State},
};
use anyhow::{Context, Result};
use scenarec_data::Schema;
use std::{cell::Cell, path::Path, rc::Rc};
use tch::{Device, Kind, Reduction, Tensor};

/// What a model says of a batch.
#[derive(Debug)]
pub struct Output {
    /// `[B, T]`, routed to each row's scenario; never passed through a sigmoid.
    pub logits: Tensor,
    /// Scalar losses by name, already weighted.
    pub aux: Vec<(&'static str, Tensor)>,
}

/// A click-through-rate model on an embedded batch.
pub trait CtrModel {
    /// # Shapes
    /// fields `[B, F, d]`, reals `[B, R]` -> logits `[B, T]`. `train` switches batch norm and dropout.
    fn forward(&self, x: &Embedded, train: bool) -> Output;

    /// The learned weights with which the model fuses its parts, by name; reports show them. Most models have none.
    fn fusion_weights(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Intermediate representations for figures, `[B, C]` each, by name, in evaluation mode; most models offer none.
    fn representations(&self, _: &Embedded) -> Vec<(String, Tensor)> {
        Vec::new()
    }
}

/// Where and from which random numbers a net is built.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// Seed of all initial values and dropout masks.
    pub seed: u64,
    /// Where tensors live.
    pub device: Device,
    /// How tables are kept.
    pub backend: Backend,
}

impl Build {
    /// On a CPU, with deferred tables.
    pub fn cpu(seed: u64) -> Self {
        Self { seed, device: Device::Cpu, backend: Backend::Deferred }
    }
}

/// In which mode a frozen part runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch norm uses running statistics, dropout is off.
    Eval,
    /// Batch norm uses and updates batch statistics, dropout is on, as in the papers' programs.
    Train,
}

/// Tables and dense parameters of one net or module; what an optimiser works on.
#[derive(Debug)]
pub struct Weights {
    /// The embedding tables.
    pub tables: FeatureEmbedding,
    /// Everything else.
    pub params: ParamSet,
}

/// While it lives, its parameters get no gradient and belong to no new optimiser.
#[derive(Debug)]
#[must_use = "parameters are frozen only while the guard lives"]
pub struct Frozen {
    mode: Mode,
    dense: Vec<Tensor>,
    tables: Vec<Rc<Cell<bool>>>,
}

impl Frozen {
    /// Whether the frozen part runs in training mode: what to pass to `forward`.
    pub fn train(&self) -> bool {
        self.mode == Mode::Train
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for t in &self.dense {
            let _ = t.set_requires_grad(true);
        }
        self.tables.iter().for_each(|t| t.set(false));
    }
}

impl Weights {
    /// Names of all trainable parameters, tables first.
    pub fn names(&self) -> Vec<&str> {
        self.tables.names().chain(self.params.names()).collect()
    }

    /// Freezes the parameters that match `globs`; every glob must match one. A guard over parameters that are frozen
    /// already leaves them to the earlier guard.
    ///
    /// # Errors
    /// A glob that is none, or that matches no parameter.
    pub fn freeze(&self, globs: &[&str], mode: Mode) -> Result<Frozen> {
        let names = self.names();
        let (matched, _) = Selection::new(globs)?.split(names)?;
        Ok(self.freeze_names(&matched, mode))
    }

    /// Freezes everything that does not match `globs`; every glob must match a parameter.
    ///
    /// # Errors
    /// A glob that is none, or that matches no parameter.
    pub fn freeze_all_but(&self, globs: &[&str], mode: Mode) -> Result<Frozen> {
        let names = self.names();
        let (_, rest) = Selection::new(globs)?.split(names)?;
        Ok(self.freeze_names(&rest, mode))
    }

    fn freeze_names(&self, names: &[&str], mode: Mode) -> Frozen {
        let active = self.params.active().into_iter().chain(self.tables.dense_parameters());
        let dense: Vec<Tensor> =
            active.filter(|(n, _)| names.contains(&n.as_str())).map(|(_, t)| t).collect();
        for t in &dense {
            let _ = t.set_requires_grad(false);
        }
        let tables = self.tables.frozen_flags(names);
        tables.iter().for_each(|t| t.set(true));
        Frozen { mode, dense, tables }
    }

    /// Copies of everything: tables (brought up to date), parameters, buffers.
    pub fn state(&mut self) -> State {
        let mut state = self.params.state();
        state.extend(self.tables.state());
        state
    }

    /// Takes over the values of `state` whose names begin with `prefix`; the state of optimisers is dropped.
    ///
    /// # Errors
    /// A parameter, buffer or table that `state` lacks or has in another shape; some may have been taken over by then.
    pub fn load(&mut self, state: &State, prefix: &str) -> Result<()> {
        self.params.load(state, prefix)?;
        self.tables.load(state, prefix)
    }

    /// Gradients of `loss` by name, dense for tables; a parameter outside the graph is absent. Takes no step.
    ///
    /// # Errors
    /// A loss that is no scalar, or that depends on no parameter.
    pub fn gradients(&mut self, loss: &Tensor) -> Result<State> {
        let mut dense = self.params.active();
        dense.extend(self.tables.dense_parameters());
        let lookups = self.tables.take_pending();
        let inputs: Vec<&Tensor> =
            dense.iter().map(|(_, t)| t).chain(lookups.iter().map(|l| &l.leaf)).collect();
        let gradients = Tensor::f_run_backward(&[loss], &inputs, false, false)?;
        let (of_dense, of_lookups) = gradients.split_at(dense.len());
        self.tables.accumulate(&lookups, of_lookups);
        let mut out = self.tables.dense_gradients();
        let named = dense.iter().zip(of_dense).filter(|(_, g)| g.defined());
        out.extend(named.map(|((name, _), g)| (name.clone(), g.to_device(Device::Cpu).copy())));
        Ok(out)
    }
}

impl Resumable for Weights {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("tables", &mut self.tables)?;
        carrier.part("params", &mut self.params)
    }
}

/// A model, its tables and parameters.
pub struct Net {
    /// What the optimiser works on. Tables are called `embedding.<table>`, those of first-order weights `linear.<table>`.
    pub weights: Weights,
    model: Box<dyn CtrModel>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("weights", &self.weights).finish_non_exhaustive()
    }
}

impl Net {
    /// Tables of width `dim` for all fields of `schema`, and the model that `model` builds.
    ///
    /// # Errors
    /// Fields that name tables the schema lacks, deferred tables on another device than a CPU, and what `model` refuses.
    pub fn new(
        schema: &Schema,
        dim: usize,
        scheme: InitScheme,
        build: Build,
        model: impl FnOnce(&mut Params) -> Result<Box<dyn CtrModel>>,
    ) -> Result<Self> {
        Self::of(schema, dim, scheme, build, false, model)
    }

    /// The same with a scalar weight per id beside its vector, which the model finds in [`Embedded::linear`].
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn with_linear(
        schema: &Schema,
        dim: usize,
        scheme: InitScheme,
        build: Build,
        model: impl FnOnce(&mut Params) -> Result<Box<dyn CtrModel>>,
    ) -> Result<Self> {
        Self::of(schema, dim, scheme, build, true, model)
    }

    fn of(
        schema: &Schema,
        dim: usize,
        scheme: InitScheme,
        build: Build,
        linear: bool,
        model: impl FnOnce(&mut Params) -> Result<Box<dyn CtrModel>>,
    ) -> Result<Self> {
        let Build { seed, device, backend } = build;
        let mut tables =
            FeatureEmbedding::new(schema, |_| true, "embedding.", dim, scheme, seed, device, backend)?;
        if linear {
            tables = tables.with_linear(schema, "linear.", scheme, seed, backend)?;
        }
        let mut params = ParamSet::new(device, seed, scheme);
        let model = model(&mut params.root())?;
        Ok(Self { weights: Weights { tables, params }, model })
    }

    /// The same net with `wrap`'s model around its own, whose parameters come behind the net's.
    pub fn wrapped(mut self, wrap: impl FnOnce(&mut Params, Box<dyn CtrModel>) -> Box<dyn CtrModel>) -> Self {
        let model = wrap(&mut self.weights.params.root(), self.model);
        Self { weights: self.weights, model }
    }

    /// The model on an embedded batch.
    pub fn forward(&self, x: &Embedded, train: bool) -> Output {
        self.model.forward(x, train)
    }

    /// The model's [`loss()`] of a batch in training mode, a scalar. The next optimiser step reaches what it depends on, tables
    /// included.
    pub fn loss(&mut self, batch: &Batch) -> Tensor {
        let x = self.weights.tables.embed_with(batch, true, None);
        loss(&self.forward(&x, true), &labels(batch, self.weights.params.device()))
    }

    /// The model's [`fusion_weights`](CtrModel::fusion_weights).
    pub fn fusion_weights(&self) -> Vec<(String, f64)> {
        self.model.fusion_weights()
    }

    /// The model's [`representations`](CtrModel::representations) of an embedded batch.
    pub fn representations(&self, x: &Embedded) -> Vec<(String, Tensor)> {
        self.model.representations(x)
    }

    /// Saves everything as safetensors.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&mut self, path: &Path) -> Result<()> {
        save_state(&self.weights.state(), path)
    }

    /// Loads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// A file that cannot be read or is no safetensors, and as [`Weights::load`].
    pub fn load(&mut self, path: &Path) -> Result<()> {
        self.weights.load(&load_state(path)?, "")
    }
}

impl Resumable for Net {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.weights.carry(carrier)
    }
}

/// Writes named tensors as safetensors, f32.
///
/// # Errors
/// A file that cannot be written.
pub fn save_state(state: &State, path: &Path) -> Result<()> {
    let contiguous: Vec<(&str, Tensor)> = state.iter().map(|(n, t)| (n.as_str(), t.contiguous())).collect();
    Tensor::write_safetensors(&contiguous, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads named tensors from safetensors.
///
/// # Errors
/// A file that cannot be read or is no safetensors.
pub fn load_state(path: &Path) -> Result<State> {
    let tensors = Tensor::read_safetensors(path).with_context(|| {
        format!("cannot read {} as safetensors (damaged, or not of this format)", path.display())
    })?;
    Ok(tensors.into_iter().collect())
}

/// The labels of a batch, `[B, T]`.
pub fn labels(batch: &Batch, device: Device) -> Tensor {
    let t = (batch.labels.len() / batch.rows.max(1)) as i64;
    Tensor::from_slice(&batch.labels).reshape([batch.rows as i64, t]).to_device(device)
}

/// Mean binary cross-entropy over all rows and tasks, from logits.
///
/// # Shapes
/// logits, labels `[B, T]` -> scalar
pub fn bce(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.binary_cross_entropy_with_logits::<Tensor>(labels, None, None, Reduction::Mean)
}

/// The loss of a model: mean binary cross-entropy plus the model's auxiliary losses.
pub fn loss(output: &Output, labels: &Tensor) -> Tensor {
    output.aux.iter().fold(bce(&output.logits, labels), |sum, (_, aux)| sum + aux)
}

/// Binary cross-entropy from logits, weighted row by row and summed over rows and tasks. With [`scenario_weights`]:
/// Σ over pairs of a scenario and a task of the mean over the scenario's rows (M3oE, Eq. 12).
///
/// # Shapes
/// logits, labels `[B, T]`, weights `[B]` -> scalar
pub fn weighted_bce(logits: &Tensor, labels: &Tensor, weights: &Tensor) -> Tensor {
    let weights = weights.unsqueeze(1);
    logits.binary_cross_entropy_with_logits(labels, Some(&weights), None, Reduction::Sum)
}

/// For every row of a batch 1 / (rows of its scenario in the batch), `[B]`.
pub fn scenario_weights(batch: &Batch) -> Vec<f32> {
    let mut counts = vec![0u32; batch.scenario.iter().max().map_or(0, |s| *s as usize + 1)];
    batch.scenario.iter().for_each(|s| counts[*s as usize] += 1);
    batch.scenario.iter().map(|s| 1.0 / counts[*s as usize] as f32).collect()
}

/// The logits of all rows of a feed in its own order, `[T][rows]`, in evaluation mode.
///
/// # Errors
/// Where rows cannot be read.
pub fn predict(net: &mut Net, feed: &crate::Feed, batch: usize) -> Result<Vec<Vec<f32>>> {
    let _guard = tch::no_grad_guard();
    let mut out: Vec<Vec<f32>> = vec![Vec::with_capacity(feed.rows().len()); feed.scope().tasks.len()];
    for batch in feed.in_order(batch) {
        let x = net.weights.tables.embed(&batch?);
        let logits = net.forward(&x, false).logits.to_device(Device::Cpu).to_kind(Kind::Float);
        for (t, out) in out.iter_mut().enumerate() {
            out.extend(crate::memory::to_vec(&logits.select(1, t as i64)));
        }
    }
    Ok(out)
}
