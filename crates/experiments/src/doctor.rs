//! `doctor`: is everything there that the project needs?
use crate::{
    environment::{cpu_model, libtorch_version},
    roots::Roots,
    spec::{Catalog, Changes, TableSpec},
};
use anyhow::Result;
use scenarec_data::Override;
use std::{path::Path, process::ExitCode};

/// The libtorch this program is written for.
const LIBTORCH: &str = "2.11.0";

/// Outcome of one check.
enum Check {
    Good(String),
    /// Something that is missing but may well not be needed.
    Note(String),
    Bad(String),
}

/// Prints every check; fails where one is bad.
pub fn run(roots: &Roots) -> Result<ExitCode> {
    let mut checks = vec![
        ("libtorch", libtorch()),
        ("CUDA", cuda()),
        ("processor", processor()),
        ("memory", memory()),
        ("disk", disk(&roots.project)),
        ("runs", writable(&roots.runs)),
        ("cache", writable(&roots.data.cache)),
    ];
    let catalog = Catalog::open(&roots.configs());
    for name in catalog.names("dataset") {
        checks.push(("dataset", dataset(&catalog, &name, roots)));
    }
    for name in catalog.names("table") {
        if let Err(e) = TableSpec::load(&catalog, &name) {
            checks.push(("table", Check::Bad(format!("{e:#}"))));
        }
    }
    let mut bad = 0;
    for (what, check) in checks {
        let (mark, text) = match check {
            Check::Good(text) => ("ok  ", text),
            Check::Note(text) => ("note", text),
            Check::Bad(text) => {
                bad += 1;
                ("BAD ", text)
            }
        };
        println!("{mark}  {what:10} {text}");
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn libtorch() -> Check {
    let folder = match scenarec_train::device::libtorch_folder() {
        Ok(folder) => folder,
        Err(e) => return Check::Bad(format!("{e:#}")),
    };
    let version = libtorch_version();
    let shown = version.as_deref().unwrap_or("of unknown version");
    // Computing something shows that the library not only loads but works.
    let sum = tch::Tensor::from_slice(&[1f32, 2.0]).sum(tch::Kind::Float).double_value(&[]);
    if sum != 3.0 {
        return Check::Bad(format!("libtorch {shown} in {} computes 1 + 2 = {sum}", folder.display()));
    }
    let text = format!(
        "{shown} in {}, found without LD_LIBRARY_PATH: {}",
        folder.display(),
        yes_no(!library_path())
    );
    match version {
        Some(v) if !v.starts_with(LIBTORCH) => {
            Check::Bad(format!("{text}; {LIBTORCH} is needed: run `scripts/just setup`"))
        }
        _ => Check::Good(text),
    }
}

fn library_path() -> bool {
    std::env::var_os("LD_LIBRARY_PATH").is_some_and(|p| !p.is_empty())
}

fn yes_no(b: bool) -> &'static str {
    if b { "yes" } else { "cannot tell (it is set)" }
}

fn cuda() -> Check {
    match scenarec_train::open_device("cuda", 1) {
        Ok(_) => Check::Good(format!("{} device(s)", tch::Cuda::device_count())),
        Err(e) => Check::Note(format!("--device cuda cannot be used: {e:#}")),
    }
}

fn processor() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    Check::Good(format!("{cores} cores, {}", cpu_model().unwrap_or_else(|| "unknown model".into())))
}

fn memory() -> Check {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let gib = |key: &str| -> Option<f64> {
        let kib = info.lines().find_map(|l| l.strip_prefix(key))?.trim().trim_end_matches("kB").trim();
        Some(kib.parse::<f64>().ok()? / f64::from(1 << 20))
    };
    match (gib("MemTotal:"), gib("MemAvailable:")) {
        (Some(total), Some(free)) if free < 2.0 => {
            Check::Note(format!("{total:.1} GiB, only {free:.1} GiB available: use fewer --jobs"))
        }
        (Some(total), Some(free)) => Check::Good(format!("{total:.1} GiB, {free:.1} GiB available")),
        _ => Check::Note("cannot tell how much there is".into()),
    }
}

fn disk(project: &Path) -> Check {
    match rustix::fs::statvfs(project) {
        Err(e) => Check::Note(format!("cannot tell how much is free: {e}")),
        Ok(s) => {
            let free = (s.f_bavail * s.f_frsize) as f64 / f64::from(1 << 30);
            let text = format!("{free:.1} GiB free");
            if free < 2.0 { Check::Bad(text + "; at least 2 GiB are needed") } else { Check::Good(text) }
        }
    }
}

fn writable(folder: &Path) -> Check {
    let tried = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    match tried {
        Ok(_) => Check::Good(format!("{} can be written", folder.display())),
        Err(e) => Check::Bad(format!("{} cannot be written: {e}", folder.display())),
    }
}

fn dataset(catalog: &Catalog, name: &str, roots: &Roots) -> Check {
    let identity = catalog
        .dataset(name, &Changes::default())
        .and_then(|c| Ok((scenarec_data::identify(&c, &roots.data, &Override::default())?, c)));
    match identity {
        Err(e) => Check::Bad(format!("{name}: {e:#}")),
        Ok((data, config)) => {
            let folder = roots.data.raw.join(&config.raw);
            match data.provenance {
                scenarec_data::Provenance::Simulated => {
                    Check::Note(format!("{name}: simulated, since {} does not exist", folder.display()))
                }
                p => {
                    let provenance = format!("{p:?}").to_lowercase();
                    Check::Good(format!("{name}: {provenance}, in {}", folder.display()))
                }
            }
        }
    }
}
