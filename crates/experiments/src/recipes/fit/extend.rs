//! A scenario that a trained net does not know yet: learns what is the scenario's own, and nothing else.
use super::{
    settings::{How, Settings, StopBy},
    train::{Pieces, scenario, score, step},
};
use crate::job::Job;
use crate::models::of_config;
use anyhow::{Context, Result, ensure};
use scenarec_data::{Prepared, Role, Schema};
use scenarec_train::ModelEntry;
use scenarec_train::{
    Backend, Build, Epochs, Feed, Mode, OptimSpec, Optimizer, Progress, Scope, State, Stopping, fit,
    net::load_state, open_device, params::Selection, rng,
};
use std::{path::Path, sync::Arc};

/// A net that knows one scenario more.
#[derive(Debug)]
pub struct Extended {
    /// The net's tensors.
    pub state: State,
    /// Those that were learned; of a table, and of a stack of copies, only the scenario's part has moved.
    pub learned: Vec<String>,
    /// AUC of the scenario's validation rows before and after.
    pub valid_auc: [f64; 2],
}

/// Trains what belongs to the scenario called `name` in the net of `file`, on the scenario's rows, as a resolved job of the
/// recipe `fit` says; without weight decay, which would move the other scenarios' part.
///
/// The other scenarios' rows keep their logits, to the bit.
///
/// # Errors
/// A model of which no part belongs to the scenario alone, or which shares parts in a way that reaches others.
pub fn extend(
    job: &Job,
    name: &str,
    file: &Path,
    roots: &scenarec_data::Roots,
    progress: &dyn Progress,
) -> Result<Extended> {
    let settings: Settings = serde_yaml::from_value(job.settings.clone())?;
    let How { training, lr_decay, .. } = settings.how();
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, roots, &job.dataset.quick)?;
    scenarec_train::feed::check(&dataset)?;
    let data = Arc::new(dataset);
    let number = scenario(&data.schema, name)?;
    let feed = |part: &str| -> Result<Feed> {
        let rows = splits.get(part).with_context(|| format!("{} has no split part {part:?}", data.name))?;
        let own = rows.iter().copied().filter(|r| data.scenario[*r as usize] == number);
        let feed = Feed::scoped(data.clone(), &own.collect::<Vec<u32>>(), &Scope::whole(&data.schema));
        ensure!(!feed.rows().is_empty(), "{name} has no rows in the part {part}");
        Ok(feed)
    };
    let (train, valid) = (feed("train")?, feed("valid")?);

    let build = Build { seed: job.seed, device, backend: Backend::for_device(device) };
    let mut net = crate::models::build(&data.schema, &job.model, build)?;
    net.weights.load(&load_state(file)?, "")?;
    let entry = of_config(&job.model)?;
    let globs = own_parameters(entry, &data.schema, &net.weights.names())?;
    let globs: Vec<&str> = globs.iter().map(String::as_str).collect();
    let (learned, _) = Selection::new(&globs)?.split(net.weights.names())?;
    let learned: Vec<String> = learned.into_iter().map(String::from).collect();
    let before = score(&mut net, &valid, StopBy::PooledAuc)?;

    let frozen = net.weights.freeze_all_but(&globs, Mode::Eval)?;
    let mut optimizer = Optimizer::new(OptimSpec { weight_decay: 0.0, ..training.optim }, &mut net.weights);
    let how = Pieces { several: false, micro_batch: training.micro_batch, device };
    let trained = fit(
        &format!("add {name}"),
        &mut (&mut net, &mut optimizer),
        &train,
        Epochs { epochs: training.epochs, batch: training.batch, iters: 1 },
        &mut rng::stream(job.seed, "shuffle.extend"),
        progress,
        |(net, optimizer), batch, _| step(net, optimizer, batch, training.loss, how, true),
        Some(Stopping {
            patience: training.patience,
            keep_last: false,
            score: &mut |(net, optimizer)| {
                optimizer.set_lr(optimizer.lr() * lr_decay);
                score(net, &valid, StopBy::PooledAuc)
            },
            snapshot: |(net, _)| net.weights.state(),
            restore: |(net, _), state| net.weights.load(state, ""),
        }),
    )?;
    drop(frozen);
    let after = trained.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok(Extended { state: net.weights.state(), learned, valid_auc: [before, after] })
}

/// Globs of the parameters of which a part belongs to one scenario: its vector and, where models have networks for single
/// scenarios that reach no others, those.
fn own_parameters(entry: &ModelEntry, schema: &Schema, names: &[&str]) -> Result<Vec<String>> {
    ensure!(
        entry.isolated || entry.one_logit,
        "{}: a scenario's own networks reach other scenarios' rows, so that none can be added alone",
        entry.name
    );
    let tables = schema.fields.iter().filter(|f| f.role == Role::Scenario).filter_map(|f| f.table.as_deref());
    let vectors = tables.flat_map(|t| [format!("embedding.{t}"), format!("linear.{t}")]);
    let mut own: Vec<String> =
        vectors.chain(["domain".into()]).filter(|name| names.contains(&name.as_str())).collect();
    if entry.isolated {
        own.extend(entry.specific.iter().map(|glob| glob.to_string()));
    }
    ensure!(!own.is_empty(), "{}: the data have no scenario field that the model reads", entry.name);
    Ok(own)
}
