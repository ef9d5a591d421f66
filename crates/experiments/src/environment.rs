//! Where and with what a job was executed; nothing in it names a person or a machine.
use crate::job::Job;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, time::SystemTime};

/// Contents of `environment.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    /// Commit of the project, with `+` where files were changed; none outside of a git repository.
    pub commit: Option<String>,
    /// Hashes of the sources of the crates the job uses.
    pub sources: BTreeMap<String, String>,
    /// Compiler.
    pub rustc: String,
    /// libtorch's version, where it says one.
    pub libtorch: Option<String>,
    /// The processor's model.
    pub cpu: Option<String>,
    /// Threads the job may use.
    pub threads: usize,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Start, in seconds since 1970.
    pub started: u64,
    /// End, in seconds since 1970.
    pub ended: u64,
    /// Processes before this one that were ended by something else, and from whose checkpoints the job went on.
    #[serde(default, skip_serializing_if = "never")]
    pub resumed: u32,
}

impl Environment {
    /// At the start of a job.
    pub fn at_start(job: &Job, project: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            commit: commit(project),
            sources: crate::id::sources(job)?,
            rustc: env!("SCENAREC_RUSTC").into(),
            libtorch: libtorch_version(),
            cpu: cpu_model(),
            threads: job.threads,
            device: job.device.clone(),
            started: now(),
            ended: 0,
            resumed: 0,
        })
    }

    /// Marks the end of a job that went on so many times.
    pub fn end(&mut self, resumed: u32) {
        self.ended = now();
        self.resumed = resumed;
    }
}

fn never(resumed: &u32) -> bool {
    *resumed == 0
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

fn commit(project: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let out = std::process::Command::new("git").arg("-C").arg(project).args(arguments).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_string())
    };
    let head = git(&["rev-parse", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { head } else { head + "+" })
}

/// The version in the file `build-version` beside libtorch's `lib` folder.
pub fn libtorch_version() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path =
        maps.lines().filter_map(|l| l.split_whitespace().nth(5)).find(|p| p.ends_with("/libtorch_cpu.so"))?;
    let version = Path::new(path).parent()?.parent()?.join("build-version");
    Some(std::fs::read_to_string(version).ok()?.trim().to_string())
}

/// The processor's model, as the kernel names it.
pub fn cpu_model() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|l| l.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
