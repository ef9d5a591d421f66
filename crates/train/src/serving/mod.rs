//! A net as a module in TorchScript, for programs that have libtorch and not this one (`docs/serving.md`).
//!
//! The module is a trace: the operations of one forward pass in evaluation mode, written down. It is right for other rows where
//! nothing in the pass depends on what the host knows of a batch. While a pass is traced, tables are tensors, kernels are made of
//! libtorch's operations, and rows are routed to their scenarios by indices ([`Groups::indexed`](crate::embedding::Groups));
//! what a model does besides is checked: the file is loaded and compared with the net on other rows.
mod inputs;
mod trace;

pub use inputs::{Dtype, Holds, Input, Inputs, Size};

use crate::{Batch, Mode, Net, State, feed::gather};
use anyhow::{Context, Result, ensure};
use scenarec_data::Dataset;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tch::{CModule, Device, Tensor};
use trace::{Weight, trace};

/// |module's - net's| <= TOLERANCE (1 + the largest |net's|): both compute in f32, not always in the same order, and a small number
/// may be the difference of large ones.
pub const TOLERANCE: f64 = 1e-5;

/// Rows of an example.
const EXAMPLE: usize = 64;

/// Writes the net, in evaluation mode, to `path`: a module whose forward takes [`Exported::inputs`] in their order and gives logits
/// [B, T]. Its parameters and buffers have the net's names. On a CPU.
///
/// # Errors
/// Where the module's logits are not the net's for other rows than those it was made with, other numbers of rows, other scenarios.
pub fn export(net: &mut Net, data: &Arc<Dataset>, path: &Path) -> Result<Exported> {
    let _guard = tch::no_grad_guard();
    let _frozen = net.weights.freeze(&["*"], Mode::Eval)?;
    let inputs = Inputs::new(data, &net.weights.tables)?;
    write(net, data, &inputs, path)?;
    let difference = check(net, data, &inputs, path)?;
    let example = example(net, data, &inputs)?;
    Ok(Exported { inputs, difference, example })
}

/// What has been exported.
#[derive(Debug)]
pub struct Exported {
    /// What the module takes.
    pub inputs: Inputs,
    /// The [`largest_difference`] that was found.
    pub difference: f64,
    /// Some rows for other programs to compare with: the inputs by name, and the net's own `logits`.
    pub example: State,
}

fn write(net: &mut Net, data: &Dataset, inputs: &Inputs, path: &Path) -> Result<()> {
    let tables = net.weights.tables.state();
    let of_table = |(name, tensor): (&String, &Tensor)| Weight {
        name: name.clone(),
        tensor: tensor.shallow_clone(),
        trained: true,
    };
    let mut weights: Vec<Weight> = tables.iter().map(of_table).collect();
    let dense = net.weights.params.tensors();
    weights.extend(dense.map(|(name, tensor, trained)| Weight { name: name.into(), tensor, trained }));
    let scenarios = data.schema.scenarios.len();
    // Rows of every scenario; their number is no width of the net's.
    let example = some_rows(data, 2 * scenarios + 3, 0);
    let tensors = inputs.tensors(data, &example.0, &example.1)?;
    let arguments = inputs.iter().map(|input| input.argument.as_str());
    let named: Vec<(&str, Tensor)> = arguments.zip(tensors.iter().map(Tensor::shallow_clone)).collect();
    trace(&weights, &named, path, || {
        let named = inputs.iter().map(|input| input.name.as_str()).zip(tensors).collect();
        let x = net.weights.tables.embed_tensors(&data.schema, &tables, &named);
        net.forward(&x, false).logits
    })
}

/// `n` rows and their scenarios, which are taken by turns: not all data have rows of all scenarios.
fn some_rows(data: &Dataset, n: usize, from: usize) -> (Vec<u32>, Vec<i64>) {
    let rows = (from..from + n).map(|r| (r % data.rows()) as u32).collect();
    (rows, (from..from + n).map(|r| (r % data.schema.scenarios.len()) as i64).collect())
}

/// The largest difference.
fn check(net: &mut Net, data: &Arc<Dataset>, inputs: &Inputs, path: &Path) -> Result<f64> {
    let module = CModule::load(path).with_context(|| format!("cannot read {} again", path.display()))?;
    let scenarios = data.schema.scenarios.len() as i64;
    let last = data.rows().saturating_sub(1);
    let all_of = |scenario: i64| {
        let (rows, _) = some_rows(data, 5, 3);
        (rows, vec![scenario; 5])
    };
    let mut batches = vec![some_rows(data, 1, last), some_rows(data, 97, 1), some_rows(data, 64, last / 2)];
    batches.extend((0..scenarios).map(all_of));
    let mut largest = 0f64;
    for (rows, scenarios) in batches {
        let given = inputs.tensors(data, &rows, &scenarios)?;
        let found = module.forward_ts(&given).with_context(|| {
            format!(
                "the module fails on {} rows: the model depends on more of a batch than the module is told",
                rows.len()
            )
        })?;
        let wanted = logits(net, data, &rows, scenarios)?;
        let far = largest_difference(&found, &wanted)?;
        ensure!(
            far <= TOLERANCE,
            "the module's logits of {} rows are not the net's (up to {far:.1e} (1 + the largest |logit|) apart): the model depends on more of a \
             batch than the module is told",
            rows.len()
        );
        largest = largest.max(far);
    }
    Ok(largest)
}

/// The net's own.
fn logits(net: &mut Net, data: &Arc<Dataset>, rows: &[u32], scenario: Vec<i64>) -> Result<Tensor> {
    let x = net.weights.tables.embed(&Batch { scenario, ..gather(data, rows)? });
    Ok(net.forward(&x, false).logits)
}

fn example(net: &mut Net, data: &Arc<Dataset>, inputs: &Inputs) -> Result<State> {
    let rows: Vec<u32> = (0..data.rows().min(EXAMPLE) as u32).collect();
    let scenarios: Vec<i64> = rows.iter().map(|r| i64::from(data.scenario[*r as usize])).collect();
    let tensors = inputs.tensors(data, &rows, &scenarios)?;
    let mut all: State = inputs.iter().map(|input| input.name.clone()).zip(tensors).collect();
    all.insert("logits".into(), logits(net, data, &rows, scenarios)?);
    Ok(all)
}

/// The largest |a - b| / (1 + the largest |b|).
///
/// # Errors
/// Where the shapes differ.
pub fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    ensure!(a.size() == b.size(), "a tensor {:?} in the place of {:?}", a.size(), b.size());
    let far = (a - b).abs().max() / (b.abs().max() + 1.0);
    let far = far.to_device(Device::Cpu).double_value(&[]);
    ensure!(far.is_finite(), "a number that is none");
    Ok(far)
}

/// Tensors by the names of inputs.
pub(crate) type Named<'a> = BTreeMap<&'a str, Tensor>;
