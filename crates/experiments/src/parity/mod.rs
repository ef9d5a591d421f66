//! One forward and backward pass on given weights and inputs: how others check their implementation against ours, and
//! we ours against theirs. `docs/parity.md` describes the files.
mod batch;
mod module;

use anyhow::{Context, Result, ensure};
use batch::read_batch;
use clap::Args;
use module::Module;
use scenarec_baselines::embed_with_mean_item;
use scenarec_data::Schema;
use scenarec_train::{
    Batch, Build, Mode, Net, OptimSpec, Optimizer, State,
    cold::GeneratorBatch,
    labels, loss,
    net::{load_state, save_state},
};
use serde::Deserialize;
use serde_yaml::Value;
use std::{fs, path::PathBuf};
use tch::{Device, Tensor};

/// Names of what the first of two losses gives.
const FIRST: [&str; 3] = ["loss.first", "logits.first", "generated.first"];

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
    /// A method that trains something of its own against the frozen model: `csdm`, `cvar`, `meta-e`, `mwuf` or `velf`.
    #[arg(long)]
    pub module: Option<String>,
    /// Every row has the mean of the item-id table in the place of its item-id embedding, as DropoutNet has it.
    #[arg(long, conflicts_with = "module")]
    pub mean_item: bool,
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

/// Reads the files, computes, writes `--out`.
pub fn run(args: &ParityArgs) -> Result<()> {
    let file = read_config(args)?;
    let build = Build::cpu(args.seed);
    let mut net = crate::models::build(&file.schema, &file.model, build)?;
    let dim = net.weights.tables.dim();
    let mut module = args.module.as_ref().map(|name| Module::new(name, &file, dim, build)).transpose()?;
    if args.init {
        return save_state(&everything(&mut net, module.as_mut()), &args.weights);
    }
    let (batch, out) = (args.batch.as_ref().context("--batch")?, args.out.as_ref().context("--out")?);
    let weights = load_state(&args.weights)?;
    net.weights.load(&weights, if module.is_some() { "net." } else { "" })?;
    for part in module.iter_mut().flat_map(Module::parts) {
        part.load(&weights, "module.")?;
    }
    let known = everything(&mut net, module.as_mut());
    let unknown: Vec<&str> = weights.keys().filter(|n| !known.contains_key(*n)).map(String::as_str).collect();
    ensure!(unknown.is_empty(), "{}: the net has no {}", args.weights.display(), unknown.join(", "));
    let inputs = load_state(batch)?;
    let batch = read_batch(&file.schema, &inputs, "")?;
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
    file.model =
        crate::models::model(&args.model)?.resolve(file.model).with_context(|| format!("{path}: model"))?;
    Ok(file)
}

fn everything(net: &mut Net, module: Option<&mut Module>) -> State {
    let Some(module) = module else { return net.weights.state() };
    let prefixed = |prefix: &str, state: State| -> Vec<(String, Tensor)> {
        state.into_iter().map(|(n, t)| (format!("{prefix}{n}"), t)).collect()
    };
    let mut all: State = prefixed("net.", net.weights.state()).into_iter().collect();
    for part in module.parts() {
        all.extend(prefixed("module.", part.state()));
    }
    all
}

fn net_pass(net: &mut Net, batch: &Batch, args: &ParityArgs, file: &ParityFile) -> Result<State> {
    let train = args.train_no_dropout;
    let labels = labels(batch, Device::Cpu);
    let pass = |net: &mut Net| -> Result<(Tensor, Tensor)> {
        let x = if args.mean_item {
            embed_with_mean_item(net, &file.schema, batch)?
        } else {
            net.weights.tables.embed_with(batch, true, None)
        };
        let output = net.forward(&x, train);
        Ok((loss(&output, &labels), output.logits))
    };
    // The gradients must not move the running statistics that the first step starts from.
    let before = net.weights.state();
    let (loss, logits) = pass(net)?;
    let mut out = State::from([("logits".into(), logits.detach()), ("loss".into(), loss.detach())]);
    out.extend(net.weights.gradients(&loss)?.into_iter().map(|(n, t)| (format!("grad.{n}"), t)));
    if let Some(steps) = args.steps {
        net.weights.load(&before, "")?;
        let mut optimizer = Optimizer::new(optim(file)?, &mut net.weights);
        for _ in 0..steps {
            let (loss, _) = pass(net)?;
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
    let mut out = State::new();
    let parts = module.parts().len();
    for part in 0..parts {
        let (loss, logits, generated) = module.loss(part, net, &prepared, &file.schema, inputs)?;
        let gradients = module.parts()[part].gradients(&loss)?;
        out.extend(gradients.into_iter().map(|(n, t)| (format!("grad.module.{n}"), t)));
        let names = if part + 1 == parts { ["loss", "logits", "generated"] } else { FIRST };
        out.extend(names.map(String::from).into_iter().zip([loss, logits, generated].map(|t| t.detach())));
    }
    if let Some(steps) = args.steps {
        net.weights.params.load(&buffers, "")?;
        let spec = optim(file)?;
        let mut optimizers: Vec<Optimizer> =
            module.parts().into_iter().map(|weights| Optimizer::new(spec, weights)).collect();
        for _ in 0..steps {
            for (part, optimizer) in optimizers.iter_mut().enumerate() {
                let (loss, ..) = module.loss(part, net, &prepared, &file.schema, inputs)?;
                optimizer.step(&loss, module.parts()[part])?;
            }
        }
        let trained: Vec<String> = net.weights.params.names().map(String::from).collect();
        let statistics = net.weights.params.state().into_iter().filter(|(n, _)| !trained.contains(n));
        out.extend(statistics.map(|(n, t)| (format!("after.net.{n}"), t)));
        for part in module.parts() {
            out.extend(part.state().into_iter().map(|(n, t)| (format!("after.module.{n}"), t)));
        }
    }
    Ok(out)
}

fn optim(file: &ParityFile) -> Result<OptimSpec> {
    file.optim.context("--steps needs a section `optim` in the configuration")
}
