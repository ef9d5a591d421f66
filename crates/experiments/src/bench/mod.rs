//! `bench`: how fast this program is, and what else a user would run, in one run on one machine.
//!
//! Every program is measured alone, in a process of its own, by turns. Ours is measured by what users call: a run of a table, whose
//! measures are read; what no run is is built in (`built_in`). The others are scripts in `bench/peers`.
mod built_in;
mod machine;
mod prepare;
mod spec;

pub use built_in::measure as measure_built_in;
pub use machine::Machine;
pub use prepare::measure as measure_preparation;
pub use spec::{Benchmark, Ours, Peer, Preparation, Run, Unit};

use crate::{
    roots::Roots,
    spec::{Catalog, Changes},
};
use anyhow::{Context, Result, bail, ensure};
use scenarec_train::Measure;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// How to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The Python that the other programs need.
    pub python: PathBuf,
    /// Threads of every program.
    pub threads: usize,
    /// How often each is measured; the best counts.
    pub repeat: usize,
    /// Leaves the other programs out.
    pub alone: bool,
}

/// What a program says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Where the unit is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples_per_second: Option<f64>,
    /// Where the unit is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Most memory it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<f64>,
    /// Multiplications (with an addition each) of a sample's training step in matrix products, where the program has counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiply_adds_per_sample: Option<f64>,
}

impl Figure {
    /// The number.
    pub fn value(&self, unit: Unit) -> Option<f64> {
        match unit {
            Unit::SamplesPerSecond => self.samples_per_second,
            Unit::Seconds => self.seconds,
        }
    }

    fn better(self, other: Self, unit: Unit) -> Self {
        match (self.value(unit), other.value(unit)) {
            (Some(a), Some(b)) if unit.ratio(b, a) > 1.0 => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }
}

/// One program's line of a benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The benchmark.
    pub benchmark: String,
    /// What is measured.
    pub title: String,
    /// `scenarec`, or what the benchmark calls the other program.
    pub program: String,
    /// What it says; none where it failed.
    pub figure: Option<Figure>,
    /// How many times as fast ours is.
    pub ratio: Option<f64>,
    /// Why there is none.
    pub error: Option<String>,
}

/// Measures ours and then the others, each as often as it is asked for, by turns.
pub fn run(benchmark: &Benchmark, roots: &Roots, options: &Options, say: &dyn Fn(&str)) -> Result<Vec<Line>> {
    let unit = benchmark.unit;
    let mut best: Vec<Result<Figure>> = Vec::new();
    let raw = match &benchmark.ours {
        Ours::Run(run) if !benchmark.peers.is_empty() => Some(raw_folder(run, roots)?),
        Ours::Prepare(call) => Some(call.raw_folder(&Catalog::open(&roots.configs()), roots)?),
        _ => None,
    };
    for round in 0..options.repeat.max(1) {
        let mut now = Vec::new();
        say(&format!("{}: scenarec", benchmark.benchmark));
        now.push(ours(benchmark, raw.as_deref(), roots, options));
        for peer in benchmark.peers.iter().filter(|_| !options.alone) {
            say(&format!("{}: {}", benchmark.benchmark, peer.name));
            now.push(peer_figure(benchmark, peer, raw.as_deref(), roots, options));
        }
        best = match round {
            0 => now,
            _ => {
                let both = best.into_iter().zip(now);
                both.map(|(a, b)| Ok(a?.better(b?, unit))).collect()
            }
        };
    }
    let own = best.first().and_then(|f| f.as_ref().ok()).and_then(|f| f.value(unit));
    let names = std::iter::once("scenarec").chain(benchmark.peers.iter().map(|p| p.name.as_str()));
    let line = |(program, figure): (&str, Result<Figure>)| {
        let error = figure.as_ref().err().map(|e| format!("{e:#}"));
        let figure = figure.ok();
        let value = figure.and_then(|f| f.value(unit));
        let ratio = if program == "scenarec" { None } else { own.zip(value).map(|(a, b)| unit.ratio(a, b)) };
        let (benchmark, title) = (benchmark.benchmark.clone(), benchmark.title.clone());
        Line { benchmark, title, program: program.into(), figure, ratio, error }
    };
    Ok(names.zip(best).map(line).collect())
}

fn ours(benchmark: &Benchmark, raw: Option<&Path>, roots: &Roots, options: &Options) -> Result<Figure> {
    match &benchmark.ours {
        Ours::BuiltIn(call) => {
            let mut command = own_command(roots, options)?;
            command.args(["bench", "--built-in", &call.name, "--rows", &call.rows.to_string()]);
            command.args(["--threads", &options.threads.to_string()]);
            said(&mut command, benchmark.unit)
        }
        Ours::Prepare(call) => {
            let mut command = own_command(roots, options)?;
            command.args(["bench", "--prepare", &call.dataset, "--files"]);
            command.arg(raw.context("a dataset has raw files")?);
            // Its parsers and encoders run side by side, as those of the other programs do.
            command.env_remove("RAYON_NUM_THREADS");
            said(&mut command, benchmark.unit)
        }
        Ours::Run(run) if run.stage.is_some() => of_run(run, roots, options),
        // Of the whole command the second time counts: its data are cached, as those of all but the first.
        Ours::Run(run) => of_run(run, roots, options).and_then(|_| of_run(run, roots, options)),
    }
}

/// This program.
fn own_command(roots: &Roots, options: &Options) -> Result<Command> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command.arg("--root").arg(&roots.project).env("OMP_NUM_THREADS", options.threads.to_string());
    Ok(command)
}

fn of_run(run: &Run, roots: &Roots, options: &Options) -> Result<Figure> {
    let folder = tempfile::tempdir().context("no room for the runs")?;
    let mut command = own_command(roots, options)?;
    command.args(["run", &run.table, "--jobs", "1", "--seeds", "1", "--profile", &run.profile]);
    command.args(["--threads", &options.threads.to_string()]);
    command.args(run.only.iter().flat_map(|only| ["--only", only]));
    command.args(run.set.iter().flat_map(|set| ["--set", set]));
    command.args(run.quick.then_some("--quick"));
    command.arg("--raw").arg(&roots.data.raw).arg("--runs").arg(folder.path());
    let start = Instant::now();
    output(&mut command)?;
    let seconds = start.elapsed().as_secs_f64();
    let mut figure = measures(folder.path(), run.stage.as_deref())?;
    if run.stage.is_none() {
        figure.seconds = Some(seconds);
    }
    Ok(figure)
}

/// The rate of a stage of the only run (the mean, where several stages or runs have one), and the most memory.
fn measures(runs: &Path, stage: Option<&str>) -> Result<Figure> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in [runs.to_path_buf(), runs.join("stages")] {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            folders.push(entry?.path());
        }
    }
    let mut of: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for file in folders.iter().map(|f| f.join("measures.jsonl")).filter(|f| f.is_file()) {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for line in text.lines() {
            let m: Measure = serde_json::from_str(line).with_context(|| format!("{}", file.display()))?;
            if m.metric == "peak_rss_bytes" || stage.is_some_and(|stage| m.stage == stage) {
                of.entry(m.metric).or_default().push(m.value);
            }
        }
    }
    let mean = |name: &str| of.get(name).map(|v| v.iter().sum::<f64>() / v.len() as f64);
    let peak = of.get("peak_rss_bytes").and_then(|v| v.iter().copied().reduce(f64::max));
    if let Some(stage) = stage {
        ensure!(mean("seconds").is_some(), "no run has a stage {stage:?} that says how long it took");
    }
    Ok(Figure {
        samples_per_second: mean("samples_per_second"),
        seconds: mean("seconds"),
        peak_rss_bytes: peak,
        multiply_adds_per_sample: None,
    })
}

/// The raw files of the run's dataset, simulated ones where they have to be.
fn raw_folder(run: &Run, roots: &Roots) -> Result<PathBuf> {
    let catalog = Catalog::open(&roots.configs());
    let dataset = run.only.iter().find_map(|o| o.strip_prefix("dataset=")).with_context(|| {
        format!("a benchmark of {} needs `dataset=…` among `only`, for the other programs", run.table)
    })?;
    let config = catalog.dataset(dataset, &Changes::default())?;
    Ok(config.raw_folder(&roots.data, &Default::default())?)
}

fn peer_figure(
    benchmark: &Benchmark,
    peer: &Peer,
    raw: Option<&Path>,
    roots: &Roots,
    options: &Options,
) -> Result<Figure> {
    let mut command = Command::new(&options.python);
    command.arg(roots.project.join("bench/peers").join(&peer.script));
    for argument in &peer.args {
        let argument = match argument.as_str() {
            "{raw}" => raw.context("a built-in benchmark has no raw files")?.display().to_string(),
            "{threads}" => options.threads.to_string(),
            "{rows}" => match &benchmark.ours {
                Ours::BuiltIn(call) => call.rows.to_string(),
                _ => bail!("{}: only what is built in has {{rows}}", benchmark.benchmark),
            },
            other => other.into(),
        };
        command.arg(argument);
    }
    let threads = options.threads.to_string();
    command.envs(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"].map(|v| (v, &threads)));
    said(&mut command, benchmark.unit)
}

/// The figure that a program's last line says.
fn said(command: &mut Command, unit: Unit) -> Result<Figure> {
    let text = output(command)?;
    let last = text.lines().last().unwrap_or_default();
    let program = command.get_program().display().to_string();
    let figure: Figure = serde_json::from_str(last)
        .with_context(|| format!("{program}: the last line is {last:?} and not its figure"))?;
    ensure!(figure.value(unit).is_some(), "{program}: {last:?} has no {}", unit.text());
    Ok(figure)
}

/// What a program writes, if it ends well.
fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let out = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !out.status.success() {
        let error = String::from_utf8_lossy(&out.stderr);
        bail!("{program}: {}: {}", out.status, error.lines().last().unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
