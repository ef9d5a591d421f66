//! `bench`.
use super::{Folders, print};
use crate::{
    bench::{self, Benchmark, Line, Machine, Options},
    roots::Roots,
    spec::Catalog,
};
use anyhow::{Result, bail};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use std::{path::PathBuf, process::ExitCode};

/// `bench [NAME…]`
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Benchmarks, as --list shows them; all of them where none is named.
    pub names: Vec<String>,
    /// Show what there is.
    #[arg(long)]
    pub list: bool,
    /// A Python with torch, numpy, pandas, polars and scikit-learn, for the other programs.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub python: PathBuf,
    /// Leave the other programs out.
    #[arg(long)]
    pub alone: bool,
    /// Threads of every program.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: u16,
    /// Measure everything so often; the best counts.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub repeat: u16,
    /// A line of JSON for each program.
    #[arg(long)]
    pub json: bool,
    /// A measurement by itself, as the other programs are called.
    #[arg(long, hide = true, requires = "rows")]
    pub built_in: Option<String>,
    #[arg(long, hide = true)]
    pub rows: Option<usize>,
    /// A dataset prepared by itself, from these files.
    #[arg(long, hide = true, requires = "files")]
    pub prepare: Option<String>,
    #[arg(long, hide = true)]
    pub files: Option<PathBuf>,
    #[command(flatten)]
    pub folders: Folders,
}

/// Measures, and shows every benchmark when it is measured.
pub(super) fn bench(roots: &Roots, args: &BenchArgs) -> Result<ExitCode> {
    let catalog = Catalog::open(&roots.configs());
    let threads = usize::from(args.threads);
    if let (Some(name), Some(rows)) = (&args.built_in, args.rows) {
        scenarec_train::open_device("cpu", threads)?;
        let figure = bench::measure_built_in(name, rows, &catalog)?;
        print(&(serde_json::to_string(&figure)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let (Some(dataset), Some(files)) = (&args.prepare, &args.files) {
        let figure = bench::measure_preparation(dataset, files, &roots.data.cache, &catalog)?;
        print(&(serde_json::to_string(&figure)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let names = if args.names.is_empty() { catalog.names("benchmark") } else { args.names.clone() };
    let all: Vec<Benchmark> =
        names.iter().map(|name| Benchmark::load(&catalog, name)).collect::<Result<_>>()?;
    if args.list {
        let width = names.iter().map(String::len).max().unwrap_or(0);
        let line = |b: &Benchmark| format!("{:width$}  {} ({})\n", b.benchmark, b.title, b.unit.text());
        print(&all.iter().map(line).collect::<String>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let options =
        Options { python: args.python.clone(), threads, repeat: usize::from(args.repeat), alone: args.alone };
    scenarec_train::open_device("cpu", threads)?;
    let machine = Machine::measure();
    if args.json {
        print(&(serde_json::to_string(&machine)? + "\n"))?;
    } else {
        print(&format!(
            "{}, {threads} thread(s): {:.1} GFLOP/s in products of large matrices, {:.1} GB/s in copies\n",
            crate::environment::cpu_model().unwrap_or_else(|| "an unknown processor".into()),
            2e-9 * machine.multiply_adds_per_second,
            1e-9 * machine.bytes_per_second,
        ))?;
    }
    let mut failed = 0;
    for benchmark in &all {
        let lines = bench::run(benchmark, roots, &options, &|what| eprintln!("{what}"))?;
        failed += lines.iter().filter(|l| l.error.is_some()).count();
        if args.json {
            let lines = lines.iter().map(|l| Ok(serde_json::to_string(l)? + "\n"));
            print(&lines.collect::<Result<String>>()?)?;
        } else {
            print(&table(benchmark, &lines, &machine))?;
        }
    }
    if failed > 0 {
        bail!("{failed} measurements failed");
    }
    Ok(ExitCode::SUCCESS)
}

/// A benchmark's programs, one below the other.
fn table(benchmark: &Benchmark, lines: &[Line], machine: &Machine) -> String {
    let unit = benchmark.unit;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", unit.text(), "ratio", "GiB", "of the matrix rate"]);
    // Counted where they are counted: the operations are the same in all programs.
    let operations = lines.iter().find_map(|l| l.figure?.multiply_adds_per_sample);
    for line in lines {
        let figure = line.figure.unwrap_or_default();
        let value = figure.value(unit);
        let share = operations.zip(figure.samples_per_second).map(|(operations, rate)| {
            format!("{:.0} %", 100.0 * operations * rate / machine.multiply_adds_per_second)
        });
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        table.add_row([
            line.program.clone(),
            line.error.clone().map_or_else(|| or_dash(value.map(digits)), |e| format!("failed: {e}")),
            or_dash(line.ratio.map(|r| format!("{r:.2}"))),
            or_dash(figure.peak_rss_bytes.map(|b| format!("{:.2}", b / f64::from(1 << 30)))),
            or_dash(share),
        ]);
    }
    for column in 1..5 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("\n{}: {}\n{table}\n", benchmark.benchmark, benchmark.title)
}

/// Three digits that count, or all before the point.
fn digits(x: f64) -> String {
    let before = x.abs().log10().floor() as i32 + 1;
    format!("{x:.*}", usize::try_from(3 - before).unwrap_or(0))
}
