//! A plan's missing jobs in the words of other engines: those that know clusters.
//!
//! Every job is a command that is enough by itself: it carries its order, and the orders for the stages it needs, which it makes where
//! they do not exist. The dependencies that an engine is told of only keep jobs from waiting for each other.
use super::Order;
use crate::{
    plan::{Node, Plan},
    roots::Roots,
};
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    process::Command,
};

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// A shell command per line, stages first: for GNU parallel, xargs and the like.
    Lines,
    /// A shell script that submits everything to Slurm.
    Slurm,
    /// A HyperQueue job definition file.
    Hyperqueue,
}

/// A job of another engine.
struct Task<'a> {
    node: &'a Node,
    /// Missing stages that it needs.
    needs: Vec<&'a str>,
    order: String,
    command: Command,
}

impl Engine {
    /// The `missing` jobs of a plan, called `name`.
    pub fn export(self, name: &str, plan: &Plan, missing: &[&Node], roots: &Roots) -> Result<String> {
        let ids: BTreeSet<&str> = missing.iter().map(|n| n.id.as_str()).collect();
        let (stages, runs): (Vec<&Node>, Vec<&Node>) = missing.iter().partition(|n| n.is_stage());
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let task = |node| {
            let order = Order::whole(node, plan);
            let needs = node.inputs.values().map(String::as_str).filter(|id| ids.contains(id)).collect();
            let command = order.command_of(Command::new(&program), roots);
            Ok(Task { node, needs, command, order: serde_json::to_string(&order)? })
        };
        let tasks: Vec<Task> = stages.into_iter().chain(runs).map(task).collect::<Result<_>>()?;
        match self {
            Engine::Lines => tasks.iter().map(Task::line).collect(),
            Engine::Slurm => slurm(name, &tasks),
            Engine::Hyperqueue => hyperqueue(name, &tasks),
        }
    }
}

impl Task<'_> {
    /// The worker's words, the program first.
    fn words(&self) -> Result<Vec<&str>> {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|w| w.to_str().with_context(|| format!("{} is not UTF-8", w.display()))).collect()
    }

    fn environment(&self) -> BTreeMap<&str, &str> {
        self.command.get_envs().filter_map(|(key, value)| Some((key.to_str()?, value?.to_str()?))).collect()
    }

    fn cuda(&self) -> bool {
        self.node.job.device == "cuda"
    }

    /// One line of shell.
    fn line(&self) -> Result<String> {
        let mut line = format!("printf %s {} |", quoted(&self.order)?);
        for (key, value) in self.environment() {
            write!(line, " {key}={value}")?;
        }
        for word in self.words()? {
            write!(line, " {}", quoted(word)?)?;
        }
        Ok(line + "\n")
    }
}

/// A word for the shell.
fn quoted(word: &str) -> Result<String> {
    Ok(shlex::try_quote(word).context("a name holds a zero byte")?.into_owned())
}

/// Partition, account, time and the like come from Slurm's own variables, `SBATCH_PARTITION` and so on.
fn slurm(name: &str, tasks: &[Task]) -> Result<String> {
    let mut out = format!(
        "#!/bin/bash\n# {} jobs of {name}. Options of sbatch: SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT and so on.\n\
         set -euo pipefail\n",
        tasks.len()
    );
    for task in tasks {
        let Node { id, job, .. } = task.node;
        write!(out, "# {}\nid_{id}=$(sbatch --parsable --job-name=", task.node.what())?;
        write!(out, "{} --cpus-per-task={}", quoted(&format!("{name}-{id}"))?, job.threads)?;
        if task.cuda() {
            out += " --gres=gpu:1";
        }
        if !task.needs.is_empty() {
            let needs: Vec<String> = task.needs.iter().map(|id| format!("$id_{id}")).collect();
            write!(out, " --kill-on-invalid-dep=yes --dependency=afterok:{}", needs.join(":"))?;
        }
        // The script is quoted as a whole: the shell changes nothing in it.
        write!(out, " <<'END-OF-JOB'\n#!/bin/bash\n{}END-OF-JOB\n)\n", task.line()?)?;
    }
    Ok(out)
}

/// A job definition file.
#[derive(Serialize)]
struct HyperqueueJob<'a> {
    name: &'a str,
    task: Vec<HyperqueueTask<'a>>,
}

#[derive(Serialize)]
struct HyperqueueTask<'a> {
    id: usize,
    command: Vec<&'a str>,
    stdin: &'a str,
    deps: Vec<usize>,
    env: BTreeMap<&'a str, &'a str>,
    request: [Request; 1],
}

#[derive(Serialize)]
struct Request {
    resources: BTreeMap<&'static str, usize>,
}

fn hyperqueue(name: &str, tasks: &[Task]) -> Result<String> {
    let place = |id: &str| tasks.iter().position(|t| t.node.id == id).context("a stage is missing");
    let mut all = Vec::new();
    for (id, task) in tasks.iter().enumerate() {
        let mut resources = BTreeMap::from([("cpus", task.node.job.threads)]);
        if task.cuda() {
            resources.insert("gpus/nvidia", 1);
        }
        all.push(HyperqueueTask {
            id,
            command: task.words()?,
            stdin: &task.order,
            deps: task.needs.iter().map(|id| place(id)).collect::<Result<_>>()?,
            env: task.environment(),
            request: [Request { resources }],
        });
    }
    Ok(toml::to_string(&HyperqueueJob { name, task: all })?)
}
