//! The process that executes one job.
use super::{
    checkpoints,
    messages::{Message, Teller},
};
use crate::{
    environment::Environment,
    id,
    job::{Job, JobContext},
    plan::{Node, Plan},
    recipes::RECIPES,
    roots::Roots,
    store::Store,
};
use anyhow::{Context, Result};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use scenarec_train::{Measure, Progress, Recorder};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

/// What a worker is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The job's id, as the process that gives the order computed it.
    pub id: String,
    /// The job.
    pub job: Job,
    /// Name and id of the stages it needs.
    pub inputs: BTreeMap<String, String>,
    /// Orders for stages to make first where they do not exist, each behind those that it needs itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Order>,
}

impl Order {
    /// The order to do what a node says, whose stages exist by then.
    pub fn of(node: &Node) -> Self {
        Self { id: node.id.clone(), job: node.job.clone(), inputs: node.inputs.clone(), stages: Vec::new() }
    }

    /// The order to do what a node says and all that it needs, on any machine.
    pub fn whole(node: &Node, plan: &Plan) -> Self {
        let mut needed: BTreeSet<&String> = node.inputs.values().collect();
        let mut stages = Vec::new();
        // A plan's stages come before those that need them.
        for stage in plan.nodes.values().rev().filter(|n| n.is_stage()) {
            if needed.contains(&stage.id) {
                needed.extend(stage.inputs.values());
                stages.push(Self::of(stage));
            }
        }
        stages.reverse();
        Self { stages, ..Self::of(node) }
    }

    /// A worker for it, which reads it from its standard input.
    pub fn command(&self, roots: &Roots) -> Command {
        self.command_of(this_program(), roots)
    }

    /// The same for another machine or another day, on which `command` starts this program.
    pub fn command_of(&self, mut command: Command, roots: &Roots) -> Command {
        let threads = self.job.threads.to_string();
        command.arg("--root").arg(&roots.project).args(["worker", "-"]);
        command.arg("--raw").arg(&roots.data.raw).arg("--runs").arg(&roots.runs);
        command.envs(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"].map(|v| (v, &threads)));
        command
    }

    /// Reads an order from a file, or from the standard input where that is `-`.
    fn read(file: &Path) -> Result<Self> {
        let mut text = Vec::new();
        if file == Path::new("-") {
            std::io::stdin().read_to_end(&mut text).context("cannot read the order")?;
        } else {
            text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        }
        serde_json::from_slice(&text).with_context(|| format!("{} is no order", file.display()))
    }
}

/// This very program, even where its file has been built anew since it started: a table is then finished by the program that planned
/// it.
fn this_program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("scenarec");
    command
}

/// Executes the order in `file`. Errors are told on the standard output too, for the process that shows them.
pub fn work(file: &Path, parent: Option<u32>, roots: &Roots) -> Result<()> {
    let done = die_with(parent).and_then(|()| execute(file, roots));
    if let Err(e) = &done {
        Message::Error(format!("{e:#}")).send();
    }
    done
}

/// The kernel ends this process when the one that started it ends, however that ends.
fn die_with(parent: Option<u32>) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot tie this process to its parent")?;
    let now = getppid().map(|p| p.as_raw_nonzero().get() as u32);
    anyhow::ensure!(now == Some(parent), "the process that started this one is gone");
    Ok(())
}

fn execute(file: &Path, roots: &Roots) -> Result<()> {
    let order = Order::read(file)?;
    let job = &order.job;
    let id = id::of(job)?;
    anyhow::ensure!(
        id == order.id,
        "this program would file the job under {id}, the one that planned it under {}: it has been built anew in \
         between; start again",
        order.id
    );
    let store = Store::of_this_checkout(&roots.runs)?;
    let is_stage = job.stage.is_some();
    let _lock = store.lock(&id, || Message::Waiting.send())?;
    if store.has(&id, is_stage) {
        return Ok(());
    }
    order.stages.iter().try_for_each(|stage| make(stage, &store, roots))?;
    let log = store.log(&id);
    log_to(&log)?;

    let recipe = RECIPES.iter().find(|r| r.name == job.recipe).context("unknown recipe")?;
    let mut inputs = BTreeMap::new();
    for (name, stage) in &order.inputs {
        let folder = store.stage(stage).with_context(|| format!("stage {name} ({stage}) does not exist"))?;
        inputs.insert(name.clone(), folder);
    }
    let tmp = tempfile::Builder::new()
        .prefix(&format!(".tmp-{id}-"))
        .permissions(PermissionsExt::from_mode(0o777)) // Less the umask: others may read the runs.
        .tempdir_in(store.runs())
        .with_context(|| format!("cannot write to {}", store.runs().display()))?;
    let out = tmp.path();
    let mut environment = Environment::at_start(job, &roots.project)?;
    let measures = out.join("measures.jsonl");
    let common = common(job, roots)?;
    let recorder = Recorder::create(&measures, common.clone())?;
    let teller = Teller::new(checkpoints::of(job, &id, &store)?);
    tracing::info!("{}", crate::plan::what(job));
    let context =
        JobContext { out: out.into(), inputs, roots: roots.data.clone(), recorder, progress: &teller };
    (recipe.execute)(job, context)?;

    let checkpoints = teller.checkpoints().context("a teller keeps checkpoints")?;
    append_totals(&measures, &common, checkpoints.seconds())?;
    environment.end(checkpoints.resumed());
    write_json(&out.join("job.json"), &id::job_json(job)?)?;
    write_json(&out.join("environment.json"), &serde_json::to_value(&environment)?)?;
    fs::copy(&log, out.join("log.txt")).context("cannot copy the log")?;
    sync(out)?;
    let place = store.folder(&id, is_stage);
    let tmp = tmp.keep();
    fs::rename(&tmp, &place)
        .with_context(|| format!("cannot rename {} to {}", tmp.display(), place.display()))?;
    sync_folder(place.parent().context("a run has a parent folder")?)?;
    store.remove_checkpoints(&id)
}

/// Makes a stage where it does not exist, in a process of its own: what a job measures of itself is its own.
fn make(stage: &Order, store: &Store, roots: &Roots) -> Result<()> {
    if store.has(&stage.id, true) {
        return Ok(());
    }
    let mut command = stage.command(roots);
    let mut child = command
        .args(["--parent", &std::process::id().to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start a worker")?;
    let mut stdin = child.stdin.take().context("the worker has no input")?;
    // A worker that ends before it has read everything says why itself.
    let _ = stdin.write_all(&serde_json::to_vec(stage)?);
    drop(stdin);
    let status = child.wait().context("cannot wait for a worker")?;
    let (what, log) = (crate::plan::what(&stage.job), store.log(&stage.id));
    anyhow::ensure!(status.success(), "the stage {what} failed ({status}; log: {})", log.display());
    Ok(())
}

/// The fields of a measure that are the same for the whole job.
fn common(job: &Job, roots: &Roots) -> Result<Measure> {
    let name = |v: &serde_yaml::Value| v.get("name").and_then(|n| n.as_str()).unwrap_or_default().to_string();
    let data = scenarec_data::identify(&job.dataset.config, &roots.data, &job.dataset.quick)?;
    anyhow::ensure!(
        data.fingerprint == job.dataset.fingerprint,
        "the data of {} has changed since the run was planned: start again",
        job.dataset.config.dataset
    );
    let provenance = serde_json::to_value(data.provenance)?;
    Ok(Measure {
        dataset: job.dataset.config.dataset.clone(),
        provenance: provenance.as_str().unwrap_or_default().to_string(),
        model: name(&job.model),
        method: name(&job.method),
        seed: job.seed,
        ..Measure::default()
    })
}

/// Standard error goes to the log: our own lines, libtorch's warnings and panics.
fn log_to(path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    rustix::stdio::dup2_stderr(&file).context("cannot redirect the standard error")?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("SCENAREC_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A subscriber may be there already where a test calls this.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}

/// Time and memory of the whole job, in the same file as its other numbers. The time is that of all processes whose work is
/// part of it, the memory the last one's.
fn append_totals(path: &Path, common: &Measure, seconds: f64) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(path).context("the job has removed its measures")?;
    let totals = [("wall_seconds", Some(seconds)), ("peak_rss_bytes", peak_rss())];
    for (metric, value) in totals.into_iter().filter_map(|(m, v)| Some((m, v?))) {
        let m = Measure { stage: "total".into(), metric: metric.into(), value, ..common.clone() };
        writeln!(file, "{}", serde_json::to_string(&m)?).context("cannot write measures")?;
    }
    Ok(())
}

/// The largest memory this process had.
pub(crate) fn peak_rss() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? * 1024.0)
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    fs::write(path, serde_json::to_string_pretty(value)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Everything in a folder is on the disk when this returns.
fn sync(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            File::open(&path)
                .and_then(|f| f.sync_all())
                .with_context(|| format!("cannot write {} to the disk", path.display()))?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|f| f.sync_all())
        .with_context(|| format!("cannot write {} to the disk", folder.display()))
}
