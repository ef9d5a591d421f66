//! One forward and backward pass on given weights and inputs: how others check their implementation against ours, and
//! we ours against theirs. `docs/parity.md` describes the files.
use crate::methods;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use scenarec_baselines::{Cvar, CvarConfig, CvarDraws};
use scenarec_data::{Kind, Pooling, Schema};
use scenarec_diffusion::{Csdm, CsdmConfig, CsdmDraws};
use scenarec_train::{
    Batch, Build, Mode, Net, OptimSpec, Optimizer, State, Weights,
    batch::{Ids, SequenceIds},
    cold::{Generator, GeneratorBatch},
    labels, loss,
    net::{load_state, save_state},
    to_vec,
};
use serde::Deserialize;
use serde_yaml::Value;
use std::{fs, path::PathBuf};
use tch::{Device, Tensor};

/// `scenarec parity`.
#[derive(Args, Clone, Debug)]
pub struct ParityArgs {
    /// Model, an entry of the registry.
    #[arg(long)]
    pub model: String,
    /// YAML with `schema`, `model`, and, where needed, `method` and `optim`.
    #[arg(long)]
    pub config: PathBuf,
    /// Weights and buffers by name (safetensors); with --init they are written.
    #[arg(long)]
    pub weights: PathBuf,
    /// Inputs and labels (safetensors).
    #[arg(long, required_unless_present = "init")]
    pub batch: Option<PathBuf>,
    /// Where logits, loss and gradients go (safetensors).
    #[arg(long, required_unless_present = "init")]
    pub out: Option<PathBuf>,
    /// A generator of item embeddings in front of the model: `csdm` or `cvar`.
    #[arg(long)]
    pub module: Option<String>,
    /// Batch norm in training mode, dropout off. Without it everything is in evaluation mode.
    #[arg(long)]
    pub train_no_dropout: bool,
    /// Also take this many steps of `optim` on the batch and write what the weights become.
    #[arg(long)]
    pub steps: Option<usize>,
    /// Write the net's (and the module's) initial weights to --weights and stop.
    #[arg(long)]
    pub init: bool,
    /// Seed of the initial weights.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParityFile {
    schema: Schema,
    model: Value,
    #[serde(default)]
    method: Option<Value>,
    #[serde(default)]
    optim: Option<OptimSpec>,
}

enum Module {
    Csdm(Box<Csdm>),
    Cvar(Box<Cvar>),
}

impl Module {
    fn new(name: &str, file: &ParityFile, dim: usize, build: Build) -> Result<Self> {
        let mut config =
            file.method.clone().context("--module needs a section `method` in the configuration")?;
        // Dropout has no place in a comparison; in evaluation mode it is off anyway.
        if name == "csdm" {
            for key in ["side_dropout", "denoiser_dropout"] {
                config[key] = Value::from(0.0);
            }
        }
        let resolved = (methods::method(name)?.resolve)(config)?;
        match name {
            "csdm" => {
                let config: CsdmConfig = serde_yaml::from_value(resolved)?;
                Ok(Self::Csdm(Box::new(Csdm::new(&config, &file.schema, dim, build)?)))
            }
            "cvar" => {
                let config: CvarConfig = serde_yaml::from_value(resolved)?;
                Ok(Self::Cvar(Box::new(Cvar::new(&config, &file.schema, dim, build)?)))
            }
            other => bail!("{other:?} is no module of parity: csdm and cvar are"),
        }
    }

    fn weights(&mut self) -> &mut Weights {
        match self {
            Self::Csdm(m) => m.weights(),
            Self::Cvar(m) => m.weights(),
        }
    }

    /// Loss, logits, generated embeddings.
    fn loss(
        &mut self,
        net: &Net,
        batch: &GeneratorBatch<'_>,
        inputs: &State,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let input = |name: &str| -> Result<Tensor> { Ok(named(inputs, name)?.shallow_clone()) };
        match self {
            Self::Csdm(m) => {
                let draws = CsdmDraws { t: input("t")?, noise: input("noise")? };
                m.loss_with(net, batch, &draws, batch.net_train)
            }
            Self::Cvar(m) => {
                let draws = CvarDraws { posterior: input("noise.posterior")?, prior: input("noise.prior")? };
                m.loss_with(net, batch, &draws)
            }
        }
    }
}

/// Reads the files, computes, writes `--out`.
pub fn run(args: &ParityArgs) -> Result<()> {
    let file = read_config(args)?;
    let build = Build::cpu(args.seed);
    let mut net = scenarec_backbones::build(&file.schema, &file.model, build)?;
    let dim = net.weights.tables.dim();
    let mut module = args.module.as_ref().map(|name| Module::new(name, &file, dim, build)).transpose()?;
    if args.init {
        return save_state(&everything(&mut net, module.as_mut()), &args.weights);
    }
    let (batch, out) = (args.batch.as_ref().context("--batch")?, args.out.as_ref().context("--out")?);
    let weights = load_state(&args.weights)?;
    net.weights.load(&weights, if module.is_some() { "net." } else { "" })?;
    if let Some(module) = &mut module {
        module.weights().load(&weights, "module.")?;
    }
    let known = everything(&mut net, module.as_mut());
    let unknown: Vec<&str> = weights.keys().filter(|n| !known.contains_key(*n)).map(String::as_str).collect();
    ensure!(unknown.is_empty(), "{}: the net has no {}", args.weights.display(), unknown.join(", "));
    let inputs = load_state(batch)?;
    let batch = read_batch(&file.schema, &inputs)?;
    let result = match &mut module {
        None => net_pass(&mut net, &batch, args, &file)?,
        Some(module) => module_pass(&mut net, module, &batch, &inputs, args, &file)?,
    };
    save_state(&result, out)
}

fn read_config(args: &ParityArgs) -> Result<ParityFile> {
    let path = args.config.display();
    let text = fs::read_to_string(&args.config).with_context(|| format!("cannot read {path}"))?;
    let mut file: ParityFile = serde_yaml::from_str(&text).with_context(|| format!("{path}"))?;
    file.schema.validate().map_err(|e| anyhow::anyhow!("{path}: schema: {e}"))?;
    ensure!(
        file.model.get("name").and_then(Value::as_str) == Some(&args.model),
        "{path}: model.name is not {:?}, which --model asks for",
        args.model
    );
    // Dropout has no place in a comparison; in evaluation mode it is off anyway.
    if file.model.get("dropout").is_some() {
        file.model["dropout"] = Value::from(0.0);
    }
    file.model = (scenarec_backbones::model(&args.model)?.resolve)(file.model)
        .with_context(|| format!("{path}: model"))?;
    Ok(file)
}

fn everything(net: &mut Net, module: Option<&mut Module>) -> State {
    let Some(module) = module else { return net.weights.state() };
    let prefixed = |prefix: &str, state: State| -> Vec<(String, Tensor)> {
        state.into_iter().map(|(n, t)| (format!("{prefix}{n}"), t)).collect()
    };
    let mut all: State = prefixed("net.", net.weights.state()).into_iter().collect();
    all.extend(prefixed("module.", module.weights().state()));
    all
}

fn net_pass(net: &mut Net, batch: &Batch, args: &ParityArgs, file: &ParityFile) -> Result<State> {
    let train = args.train_no_dropout;
    let labels = labels(batch, Device::Cpu);
    let pass = |net: &mut Net| {
        let x = net.weights.tables.embed_with(batch, true, None);
        let output = net.forward(&x, train);
        (loss(&output, &labels), output.logits)
    };
    // The gradients must not move the running statistics that the first step starts from.
    let before = net.weights.state();
    let (loss, logits) = pass(net);
    let mut out = State::from([("logits".into(), logits.detach()), ("loss".into(), loss.detach())]);
    out.extend(net.weights.gradients(&loss)?.into_iter().map(|(n, t)| (format!("grad.{n}"), t)));
    if let Some(steps) = args.steps {
        net.weights.load(&before, "")?;
        let mut optimizer = Optimizer::new(optim(file)?, &mut net.weights);
        for _ in 0..steps {
            let (loss, _) = pass(net);
            optimizer.step(&loss, &mut net.weights)?;
        }
        out.extend(net.weights.state().into_iter().map(|(n, t)| (format!("after.{n}"), t)));
    }
    Ok(out)
}

fn module_pass(
    net: &mut Net,
    module: &mut Module,
    batch: &Batch,
    inputs: &State,
    args: &ParityArgs,
    file: &ParityFile,
) -> Result<State> {
    let mode = if args.train_no_dropout { Mode::Train } else { Mode::Eval };
    let frozen = net.weights.freeze(&["*"], mode)?;
    let item = file.schema.item_id.as_deref().context("a generator needs schema.item_id")?;
    let item = net.weights.tables.slot(item).context("the item id is not embedded")? as i64;
    let (embedded, labels) = (net.weights.tables.embed(batch), labels(batch, Device::Cpu));
    let prepared =
        GeneratorBatch { batch, embedded: &embedded, labels: &labels, item, net_train: frozen.train() };
    let buffers = net.weights.params.state();
    let (loss, logits, generated) = module.loss(net, &prepared, inputs)?;
    let mut out = State::from([
        ("logits".into(), logits.detach()),
        ("loss".into(), loss.detach()),
        ("generated".into(), generated.detach()),
    ]);
    let gradients = module.weights().gradients(&loss)?;
    out.extend(gradients.into_iter().map(|(n, t)| (format!("grad.module.{n}"), t)));
    if let Some(steps) = args.steps {
        net.weights.params.load(&buffers, "")?;
        let mut optimizer = Optimizer::new(optim(file)?, module.weights());
        for _ in 0..steps {
            let (loss, ..) = module.loss(net, &prepared, inputs)?;
            optimizer.step(&loss, module.weights())?;
        }
        let trained: Vec<String> = net.weights.params.names().map(String::from).collect();
        let statistics = net.weights.params.state().into_iter().filter(|(n, _)| !trained.contains(n));
        out.extend(statistics.map(|(n, t)| (format!("after.net.{n}"), t)));
        out.extend(module.weights().state().into_iter().map(|(n, t)| (format!("after.module.{n}"), t)));
    }
    Ok(out)
}

fn optim(file: &ParityFile) -> Result<OptimSpec> {
    file.optim.context("--steps needs a section `optim` in the configuration")
}

fn named<'a>(inputs: &'a State, name: &str) -> Result<&'a Tensor> {
    inputs.get(name).with_context(|| format!("the batch has no tensor {name:?}"))
}

fn integers(t: &Tensor, name: &str, columns: Option<usize>) -> Result<(Vec<i64>, usize)> {
    ensure!(t.kind() == tch::Kind::Int64, "{name} is {:?}, not i64", t.kind());
    let size = t.size();
    ensure!(size.len() == 1 + usize::from(columns.is_some()), "{name} has shape {size:?}");
    let width = size.get(1).copied().unwrap_or(1) as usize;
    ensure!(
        columns.is_none_or(|c| c == width || c == 0),
        "{name} has {width} columns, the schema says {columns:?}"
    );
    Ok((Vec::<i64>::try_from(t.flatten(0, -1))?, width))
}

fn read_batch(schema: &Schema, inputs: &State) -> Result<Batch> {
    let rows = named(inputs, "scenario")?.size()[0] as usize;
    let mut batch = Batch {
        rows,
        scenario: integers(named(inputs, "scenario")?, "scenario", None)?.0,
        ..Batch::default()
    };
    let mut reals: Vec<Vec<f32>> = Vec::new();
    for field in &schema.fields {
        let table = field.table.as_deref().and_then(|t| schema.table(t)).map_or(0, |(_, t)| t.rows);
        let ids = |name: String, columns: Option<usize>| -> Result<(Vec<u32>, usize)> {
            let (ids, width) = integers(named(inputs, &name)?, &name, columns)?;
            ensure!(ids.len() == rows * width, "{name} has {} rows of {rows}", ids.len() / width.max(1));
            if let Some(bad) = ids.iter().find(|id| !(0..table as i64).contains(id)) {
                bail!("{name} has id {bad}, but its table has {table} rows");
            }
            Ok((ids.into_iter().map(|id| id as u32).collect(), width))
        };
        match field.kind {
            Kind::Id => {
                let (ids, _) = ids(format!("ids.{}", field.name), None)?;
                batch.ids.push(Ids { ids, offsets: None, weights: None });
            }
            Kind::Bag(pooling) => {
                let len = if let Pooling::SumPadded { len } = pooling { len as usize } else { 0 };
                let (ids, width) = ids(format!("seq.{}", field.name), Some(len))?;
                batch.ids.push(bag(&ids, width, pooling));
            }
            Kind::Sequence { max_len } => {
                let (ids, len) = ids(format!("seq.{}", field.name), Some(max_len as usize))?;
                batch.sequences.push(SequenceIds { ids, len });
            }
            Kind::Real => {
                let name = format!("real.{}", field.name);
                let values = to_vec(named(inputs, &name)?);
                ensure!(values.len() == rows, "{name} has {} rows of {rows}", values.len());
                reals.push(values);
            }
        }
    }
    let tasks: Vec<Vec<f32>> = schema
        .tasks
        .iter()
        .map(|t| Ok(to_vec(named(inputs, &format!("label.{t}"))?)))
        .collect::<Result<_>>()?;
    batch.reals = (0..rows).flat_map(|r| reals.iter().map(move |c| c[r])).collect();
    batch.labels = (0..rows).flat_map(|r| tasks.iter().map(move |t| t[r])).collect();
    Ok(batch)
}

/// Rows padded with 0 to one width; only padded pooling sums the padding.
fn bag(ids: &[u32], width: usize, pooling: Pooling) -> Ids {
    let mut out = Ids { ids: Vec::new(), offsets: Some(vec![0]), weights: None };
    let mut weights = Vec::new();
    for row in ids.chunks(width.max(1)) {
        let kept: Vec<u32> = match pooling {
            Pooling::SumPadded { .. } => row.to_vec(),
            Pooling::Sum | Pooling::Mean => row.iter().copied().filter(|id| *id != 0).collect(),
        };
        let weight = if matches!(pooling, Pooling::Mean) { 1.0 / kept.len().max(1) as f32 } else { 1.0 };
        weights.extend(std::iter::repeat_n(weight, kept.len()));
        out.ids.extend(kept);
        out.offsets.as_mut().expect("just set").push(out.ids.len() as u32);
    }
    out.weights = Some(weights);
    out
}
