//! The same for a net that is at hand: what the cold scenario's own copy differs in, as a file.
use super::{PRETRAIN, stages, task};
use crate::{
    job::{Job, JobContext},
    methods,
    recipes::{Augmentation, augment},
};
use anyhow::{Context, Result, ensure};
use scenarec_train::{Measure, Progress, Recorder, State};
use std::{collections::BTreeMap, fs, path::Path};
use tch::Tensor;

/// A trained net and a scenario's own copy of some of its tensors.
#[derive(Debug)]
pub struct Enhanced {
    /// The net's tensors, and, as `own.<scenario>.<name>`, those that rows of the scenario see in the place of `<name>`.
    pub state: State,
    /// How many of them are the scenario's own.
    pub own: usize,
    /// AUC of the scenario's validation rows before and after.
    pub valid_auc: [f64; 2],
}

/// Runs the stages of a resolved job of the recipe `augment` with the net in `file` in the place of stage 1's. Nothing stays
/// behind.
pub fn enhance(
    job: &Job,
    file: &Path,
    roots: &scenarec_data::Roots,
    progress: &dyn Progress,
) -> Result<Enhanced> {
    let generates = matches!(methods::augmentation(&job.method)?, Augmentation::Generated(_));
    ensure!(generates, "the method generates no rows");
    let work = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut inputs = BTreeMap::new();
    let context = |name: &str, inputs: &BTreeMap<_, _>| -> Result<JobContext<'_>> {
        let out = work.path().join(name);
        fs::create_dir(&out).context("cannot write to the temporary folder")?;
        let recorder = Recorder::create(&out.join("measures.jsonl"), Measure::default())?;
        Ok(JobContext { out, inputs: Clone::clone(inputs), roots: roots.clone(), recorder, progress })
    };
    for stage in stages(job)? {
        let name = stage.stage.clone().context("a stage has a name")?;
        let context = context(&name, &inputs)?;
        let out = context.out.clone();
        if name == PRETRAIN {
            let cannot = || format!("cannot read {}", file.display());
            fs::copy(file, out.join(task::NET)).with_context(cannot)?;
        } else {
            (augment::RECIPE.execute)(&stage, context)?;
        }
        inputs.insert(name, out);
    }
    let context = context("run", &inputs)?;
    let [(mut state, before), (copy, after)] = task::Task::new(job, &context)?.both(context)?;
    let cold = job.settings.get("cold").and_then(|c| c.as_str()).context("the recipe names the scenario")?;
    let differs = |(name, tensor): &(String, Tensor)| state[name] != *tensor;
    let own: Vec<(String, Tensor)> = copy.into_iter().filter(differs).collect();
    let count = own.len();
    state.extend(own.into_iter().map(|(name, tensor)| (format!("own.{cold}.{name}"), tensor)));
    Ok(Enhanced { state, own: count, valid_auc: [before, after] })
}
