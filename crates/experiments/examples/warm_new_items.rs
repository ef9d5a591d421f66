//! Warms the new items of a trained net through files, as a user of another framework would, and tells the AUC on their
//! test rows before and after.
//!
//! A DeepFM learns from MovieLens-1M's old items; its item embeddings, and the movies' years, titles and genres, are
//! exported; `scenarec warm` makes embeddings for the new movies; they are written back. The click loss takes no part.
//!
//!     cargo run --example warm_new_items                      # simulated, 200,000 rows, seconds
//!     cargo run --example warm_new_items -- --full --seeds 10 # from data/raw, where it is there
use anyhow::{Context, Result, bail};
use arrow::{
    array::{ArrayRef, BooleanArray, Float32Array, ListBuilder, RecordBatch, UInt32Array, UInt32Builder},
    datatypes::{Field, Schema},
};
use clap::Parser;
use parquet::arrow::ArrowWriter;
use scenarec_data::{Column, Dataset, DatasetConfig, Override, Prepared, Roots, SplitPlan};
use scenarec_experiments::warm::{self, Embeddings, Key, WarmArgs};
use scenarec_train::{
    Build, Epochs, Feed, Net, OptimSpec, Optimizer, Silent, fit, labels, loss, metrics, net::save_state,
    predict, rng,
};
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};
use tch::{Kind, Tensor};

/// The net's table of item ids.
const TABLE: &str = "embedding.item_id";
/// The movies' side information.
const SIDE: [&str; 3] = ["year", "title", "genres"];

#[derive(Parser)]
struct Arguments {
    /// The whole dataset instead of a few simulated rows.
    #[arg(long)]
    full: bool,
    /// Raw data.
    #[arg(long, default_value = "data/raw")]
    raw: PathBuf,
    /// The last seed; the first is 1.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
}

/// AUC on the new items' test rows with three kinds of embeddings.
#[derive(Debug)]
pub struct Outcome {
    /// As training on old items left them.
    pub before: f64,
    /// Each the mean of the old items'.
    pub mean: f64,
    /// Warmed.
    pub after: f64,
    /// What `scenarec warm` told.
    pub report: String,
}

fn main() -> Result<()> {
    let Arguments { full, raw, seeds } = Arguments::parse();
    tch::set_num_threads(1);
    let folder = tempfile::tempdir()?;
    let roots = Roots { raw, cache: folder.path().join("cache") };
    let prepared = prepare(&roots, full)?;
    println!("{}: {} ({})", prepared.dataset.name, prepared.dataset.provenance, prepared.dataset.note);
    let world = World::new(prepared, full)?;
    let mut all: [Vec<f64>; 3] = Default::default();
    for seed in 1..=seeds {
        let outcome = world.outcome(seed, folder.path())?;
        let Outcome { before, mean, after, report } = &outcome;
        print!("seed {seed}: {report}");
        println!(
            "AUC on new items' test rows: before {before:.4}, mean embedding {mean:.4}, warmed {after:.4}"
        );
        for (all, value) in all.iter_mut().zip([before, mean, after]) {
            all.push(*value);
        }
    }
    for (what, values) in ["before", "mean embedding", "warmed"].iter().zip(&all) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
        println!("{what}: {mean:.4} ± {deviation:.4} over {n} seeds");
    }
    Ok(())
}

/// MovieLens-1M, or a few simulated rows of its kind.
pub fn prepare(roots: &Roots, full: bool) -> Result<Prepared> {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/datasets");
    let config = DatasetConfig::from_file(configs.join("movielens-1m-cold.yaml"))?;
    let over = match full {
        true => Override::default(),
        false => Override {
            rows: Some(200_000),
            force_simulated: true,
            split: Some(SplitPlan::ColdItem { threshold: 90, k: 8 }),
        },
    };
    Ok(scenarec_data::prepare(&config, roots, &over)?)
}

/// The rows and items of the experiment.
pub struct World {
    data: Arc<Dataset>,
    base: Feed,
    test: Feed,
    /// A row of every item, and its rows among those trained on.
    items: BTreeMap<u32, (u32, u32)>,
    training: Epochs,
}

impl World {
    /// The whole data are learned from as in CSDM's Table 1, a few rows more often.
    pub fn new(prepared: Prepared, full: bool) -> Result<Self> {
        let Prepared { dataset: data, splits } = prepared;
        let (epochs, batch) = if full { (1, 2048) } else { (2, 512) };
        let training = Epochs { epochs, batch, iters: 1 };
        let part =
            |name: &str| splits.get(name).map(<[u32]>::to_vec).with_context(|| format!("no part {name}"));
        let (base, test) = (part("train_base")?, part("test")?);
        let mut items = BTreeMap::new();
        for (part, counted) in [(&base, 1), (&test, 0)] {
            for row in part {
                items.entry(data.item_ids()[*row as usize]).or_insert((*row, 0)).1 += counted;
            }
        }
        let data = Arc::new(data);
        let feed = |rows| Feed::new(data.clone(), rows);
        Ok(Self { base: feed(base), test: feed(test), items, training, data })
    }

    /// Trains a net, warms its new items through files in `folder`, and evaluates.
    pub fn outcome(&self, seed: u64, folder: &Path) -> Result<Outcome> {
        let mut net = self.train(seed)?;
        let before = self.auc(&mut net)?;
        let (items, embeddings) = (folder.join("items.parquet"), folder.join("net.safetensors"));
        self.write_items(&items)?;
        save_state(&net.weights.state(), &embeddings)?;
        let out = folder.join("warmed.parquet");

        let mut command = vec!["warm".into(), "--items".into(), items.into_os_string()];
        command.extend(["--embeddings".into(), format!("{}:{TABLE}", embeddings.display()).into()]);
        command.extend(["--out".into(), out.clone().into_os_string()]);
        command.extend(["--seed".into(), seed.to_string().into()]);
        let report = warm::run(&Command::try_parse_from(command)?.warm, &Silent)?;

        let new = self.ids(|trained| trained == 0);
        let old = net.weights.tables.get_rows(TABLE, &self.ids(|trained| trained > 0))?;
        let mean = old.mean_dim([0].as_slice(), true, Kind::Float).repeat([new.len() as i64, 1]);
        net.weights.tables.set_rows(TABLE, &new, &mean)?;
        let mean = self.auc(&mut net)?;
        let warmed = Embeddings::read(&out.display().to_string())?;
        for id in new {
            let row =
                warmed.row(&Key::Number(id.into())).with_context(|| format!("item {id} was not warmed"))?;
            let vector = Tensor::from_slice(warmed.vector(row)).unsqueeze(0);
            net.weights.tables.set_rows(TABLE, &[id], &vector)?;
        }
        Ok(Outcome { before, mean, after: self.auc(&mut net)?, report })
    }

    fn train(&self, seed: u64) -> Result<Net> {
        let model =
            "{ name: deepfm, dim: 16, hidden: [16, 16], norm: batch, dropout: 0.2, init: {uniform: 0.01} }";
        let model = serde_yaml::from_str(model)?;
        let mut net = scenarec_backbones::build(&self.data.schema, &model, Build::cpu(seed))?;
        let mut optimizer = Optimizer::new(OptimSpec::adam(1e-3, 1e-6), &mut net.weights);
        let mut shuffle = rng::stream(seed, "shuffle");
        let step = |net: &mut Net, batch: &scenarec_train::Batch, _: usize| {
            let x = net.weights.tables.embed_with(batch, true, None);
            let loss = loss(&net.forward(&x, true), &labels(batch, tch::Device::Cpu));
            optimizer.step(&loss, &mut net.weights)?;
            Ok(loss)
        };
        fit("train", &mut net, &self.base, self.training, &mut shuffle, &Silent, step, None)?;
        Ok(net)
    }

    fn auc(&self, net: &mut Net) -> Result<f64> {
        let logits = &predict(net, &self.test, 8192)?[0];
        let labels: Vec<u8> = self.test.rows().iter().map(|r| self.data.labels[0][*r as usize]).collect();
        metrics::auc(logits, &labels)?.context("the test rows are all of one class")
    }

    /// Items by the number of rows they were trained on.
    fn ids(&self, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        self.items.iter().filter(|(_, (_, trained))| wanted(*trained)).map(|(id, _)| *id).collect()
    }

    /// `item`, `count`, `new` and the side information.
    fn write_items(&self, path: &Path) -> Result<()> {
        let trained = || self.items.values().map(|(_, trained)| *trained);
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("item", Arc::new(UInt32Array::from_iter_values(self.items.keys().copied()))),
            ("count", Arc::new(UInt32Array::from_iter_values(trained()))),
            ("new", Arc::new(trained().map(|n| Some(n == 0)).collect::<BooleanArray>())),
        ];
        let rows = || self.items.values().map(|(row, _)| *row as usize);
        for name in SIDE {
            let column = self.data.column(name).with_context(|| format!("no field {name}"))?;
            let array: ArrayRef = match column {
                // The year's number: years in order, so a quantity rather than a name.
                Column::Id(ids) => Arc::new(Float32Array::from_iter_values(rows().map(|r| ids[r] as f32))),
                Column::Real(values) => Arc::new(Float32Array::from_iter_values(rows().map(|r| values[r]))),
                Column::Ragged { offsets, values, .. } => {
                    let mut lists = ListBuilder::new(UInt32Builder::new());
                    for row in rows() {
                        let list = &values[offsets[row] as usize..offsets[row + 1] as usize];
                        lists.append_value(list.iter().map(|id| Some(*id)));
                    }
                    Arc::new(lists.finish())
                }
                Column::Sequence(_) => bail!("{name} is a sequence, not a value of the item"),
            };
            columns.push((name, array));
        }
        let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|c| c.1).collect();
        let mut writer = ArrowWriter::try_new(File::create(path)?, schema.clone(), None)?;
        writer.write(&RecordBatch::try_new(schema, arrays)?)?;
        writer.close()?;
        Ok(())
    }
}

/// The command line of `scenarec warm`, for its defaults.
#[derive(Parser)]
struct Command {
    #[command(flatten)]
    warm: WarmArgs,
}
