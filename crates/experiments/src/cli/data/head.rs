//! `data head`: a dataset's first rows as models see them.
use super::{DataArgs, choose, print};
use crate::roots::Roots;
use anyhow::Result;
use clap::Args;
use comfy_table::{Table, presets};
use scenarec_data::{Column, Dataset, Prepared};

/// `data head DATASET`
#[derive(Debug, Args)]
pub(in crate::cli) struct HeadArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// How many rows.
    #[arg(short = 'n', long = "first", value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    first: u16,
}

/// How many tokens of a sequence, or ids of a bag, are shown.
const SHOWN: usize = 4;

pub(super) fn head(roots: &Roots, args: &HeadArgs) -> Result<()> {
    let (config, quick) = choose(roots, &args.data, false)?;
    let Prepared { dataset: data, splits } = scenarec_data::prepare(&config, &roots.data, &quick)?;
    let rows: Vec<u32> = (0..data.rows().min(usize::from(args.first)) as u32).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let names = ["field", "of", "kind", "ids"].map(String::from);
    table.set_header(names.into_iter().chain(rows.iter().map(|row| format!("row {row}"))));
    for (field, column) in data.schema.fields.iter().zip(data.select(&rows)?) {
        let ids = field.table.as_deref().and_then(|name| data.schema.table(name));
        let about = [
            field.name.clone(),
            format!("{:?}", field.role).to_lowercase(),
            kind(&field.kind).into(),
            ids.map(|(_, table)| table.rows.to_string()).unwrap_or_default(),
        ];
        table.add_row(about.into_iter().chain((0..rows.len()).map(|row| value(&column, row))));
    }
    let about_rows = |name: &str, of: &dyn Fn(usize) -> String| {
        let about = [name.to_string(), String::new(), String::new(), String::new()];
        about.into_iter().chain(rows.iter().map(|row| of(*row as usize))).collect::<Vec<_>>()
    };
    let part = |row: usize| {
        let of = splits.parts.iter().find(|part| part.1.contains(&(row as u32)));
        of.map_or("dropped".to_string(), |part| part.0.clone())
    };
    table.add_row(about_rows("part", &part));
    table.add_row(about_rows("scenario", &|row| {
        data.schema.scenarios[usize::from(data.scenario[row])].clone()
    }));
    for (task, label) in data.schema.tasks.iter().zip(&data.labels) {
        table.add_row(about_rows(&format!("label {task}"), &|row| label[row].to_string()));
    }
    if let Some(time) = &data.time {
        table.add_row(about_rows("time", &|row| time[row].to_string()));
    }
    if let Some(session) = &data.session {
        table.add_row(about_rows("session", &|row| session[row].to_string()));
    }
    print(&format!("{}\n{}\n", title(&data), table.trim_fmt()))
}

fn title(data: &Dataset) -> String {
    let note = if data.note.is_empty() { String::new() } else { format!(" ({})", data.note) };
    format!("{}: {}{note}, {} rows", data.name, data.provenance, data.rows())
}

fn kind(kind: &scenarec_data::Kind) -> &'static str {
    use scenarec_data::Kind;
    match kind {
        Kind::Id => "id",
        Kind::Bag(_) => "bag",
        Kind::Sequence { .. } => "sequence",
        Kind::Real => "real",
        Kind::Pooled => "pooled",
    }
}

/// A row's value; of long lists the end, where the most recent token is.
fn value(column: &Column, row: usize) -> String {
    let list = |ids: &[u32], before: usize| {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        format!("[{}{}]", if before > 0 { "… " } else { "" }, ids.join(" "))
    };
    match column {
        Column::Id(ids) => ids[row].to_string(),
        Column::Real(numbers) => format!("{:.4}", numbers[row]),
        Column::Ragged { offsets, values, .. } => {
            let own = &values[offsets[row] as usize..offsets[row + 1] as usize];
            let before = own.len().saturating_sub(SHOWN);
            list(&own[before..], before)
        }
        Column::Sequence(sequence) => {
            let (start, end) = (sequence.spans.start[row] as usize, sequence.spans.end[row] as usize);
            let first = end.saturating_sub(SHOWN).max(start);
            let tokens = &sequence.tokens;
            let ids = match &tokens.offsets {
                Some(offsets) => &tokens.values[offsets[first] as usize..offsets[end] as usize],
                None => &tokens.values[first..end],
            };
            list(ids, first - start)
        }
    }
}
