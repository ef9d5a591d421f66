//! Stage 4: the parameters that are the cold scenario's own learn from true and generated rows.
use super::{
    mixture::Mixer,
    pool::{Likeness, Origin, Pool, Sources},
    settings::{Mixture, Refresh, Training},
    train::score,
};
use anyhow::{Context, Result};
use scenarec_train::{
    Batch, Carrier, Epochs, Feed, Mode, Net, Optimizer, Progress, Recorder, Resumable, Stopping, Trained,
    fit, labels, loss,
    rng::{Rng, stream},
};
use std::time::Instant;
use tch::Tensor;

/// What the fine-tune works with.
pub(super) struct FineTune<'a> {
    pub training: &'a Training,
    pub mixture: Mixture,
    /// Globs of the parameters that learn.
    pub specific: &'a [&'a str],
    pub origin: Origin<'a>,
    pub valid: &'a Feed,
    pub seed: u64,
}

/// What the steps change.
struct Learner<'a> {
    net: &'a mut Net,
    optimizer: Optimizer,
    sources: &'a mut Sources,
    pool: Pool,
    /// Decides what pools are made of.
    drawing: Rng,
    /// Decides which rows of the pool a step takes.
    taking: Rng,
    /// Seconds spent on drawing pools.
    seconds: f64,
    pools: usize,
    /// Before the first step.
    fresh: bool,
}

impl Resumable for Learner<'_> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("net", self.net)?;
        carrier.part("optimizer", &mut self.optimizer)?;
        carrier.part("sources", self.sources)?;
        carrier.part("pool", &mut self.pool)?;
        carrier.part("drawing", &mut self.drawing)?;
        carrier.part("taking", &mut self.taking)?;
        carrier.number("seconds", &mut self.seconds)?;
        carrier.count("pools", &mut self.pools)?;
        carrier.flag("fresh", &mut self.fresh)
    }
}

impl Learner<'_> {
    fn refresh(&mut self, origin: &Origin<'_>) -> Result<()> {
        let start = Instant::now();
        self.pool = Pool::draw(self.sources, origin, self.net, &mut self.drawing)?;
        self.seconds += start.elapsed().as_secs_f64();
        self.pools += 1;
        Ok(())
    }
}

impl FineTune<'_> {
    /// True rows of a step, and steps on each batch of them.
    fn true_rows(&self) -> (usize, usize) {
        match self.mixture {
            Mixture::Ratio { true_per_generated, .. } => {
                let batch = self.training.batch;
                (batch - generated_rows(batch, true_per_generated), 1)
            }
            Mixture::AllTrue { rich, .. } => {
                (self.origin.cold.rows().len(), self.origin.rich.rows().len().div_ceil(rich))
            }
        }
    }

    /// Transferred and generated rows of a step.
    fn other_rows(&self, pool: &Pool) -> (usize, usize) {
        let stock = pool.transferred();
        match self.mixture {
            Mixture::Ratio { true_per_generated, transferred } => {
                let all = generated_rows(self.training.batch, true_per_generated);
                let share = if stock == 0 { 0.0 } else { transferred };
                let transferred = (all as f64 * share) as usize;
                (transferred, all - transferred)
            }
            Mixture::AllTrue { generated, rich } => {
                let looked_through = self.origin.settings.rich.min(self.origin.rich.rows().len());
                ((stock as f64 * rich as f64 / looked_through as f64).round() as usize, generated)
            }
        }
    }

    /// Trains `net` and records what it cost.
    pub(super) fn run(
        &self,
        net: &mut Net,
        sources: &mut Sources,
        progress: &dyn Progress,
        recorder: &mut Recorder,
    ) -> Result<Trained> {
        let (true_rows, iters) = self.true_rows();
        let any = *self.origin.cold.rows().first().context("the cold scenario has no training rows")?;
        let mixer = Mixer::new(net, self.origin.cold.data(), self.origin.slots, any)?;
        // Batch norm above the embeddings, frozen or not, sees the mixed batch, as in the released program.
        let _frozen = net.weights.freeze_all_but(self.specific, Mode::Train)?;
        let optimizer = Optimizer::new(self.training.optim, &mut net.weights);
        let device = net.weights.params.device();
        let mut drawing = stream(self.seed, "pool");
        progress.begin("pool", 1);
        let start = Instant::now();
        let pool = Pool::draw(sources, &self.origin, net, &mut drawing)?;
        progress.advance(1);
        let mut learner = Learner {
            net,
            optimizer,
            sources,
            pool,
            drawing,
            taking: stream(self.seed, "mixture"),
            seconds: start.elapsed().as_secs_f64(),
            pools: 1,
            fresh: true,
        };
        let refresh = self.origin.settings.refresh;
        let step = |l: &mut Learner<'_>, batch: &Batch, _: usize| -> Result<Tensor> {
            if refresh == Refresh::Step && !l.fresh {
                l.refresh(&self.origin)?;
            }
            l.fresh = false;
            let (transferred, generated) = self.other_rows(&l.pool);
            let rows = l.pool.take(transferred, generated, &mut l.taking);
            let (x, labels) = mixer.mix(l.net.weights.tables.embed(batch), labels(batch, device), &rows);
            let loss = loss(&l.net.forward(&x, true), &labels);
            l.optimizer.step(&loss, &mut l.net.weights)?;
            Ok(loss)
        };
        let mut score = |l: &mut Learner<'_>| {
            if refresh == Refresh::Epoch {
                l.refresh(&self.origin)?;
            }
            score(l.net, self.valid, self.training.stop_by)
        };
        let trained = fit(
            "fine_tune",
            &mut learner,
            self.origin.cold,
            Epochs { epochs: self.training.epochs, batch: true_rows, iters },
            &mut stream(self.seed, "shuffle"),
            progress,
            step,
            Some(Stopping {
                patience: self.training.patience,
                keep_last: false,
                score: &mut score,
                snapshot: |l| l.net.weights.state(),
                restore: |l, state| l.net.weights.load(state, ""),
            }),
        )?;
        let Learner { net, pool, seconds, pools, .. } = learner;
        let numbers = [
            ("seconds", seconds),
            ("pools", pools as f64),
            ("transferred_rows", pool.transferred() as f64),
            ("generated_rows", pool.generated() as f64),
        ];
        for (metric, value) in numbers {
            recorder.record(metric, value, |m| m.stage = "pool".into())?;
        }
        let (deviation, beside) = pool.likeness(&self.origin, net)?;
        let mut like = |metric: &str, kind: &str, value: f64| {
            recorder.record(metric, value, |m| (m.stage, m.phase) = ("pool".into(), kind.into()))
        };
        like("deviation", "true", deviation)?;
        for (kind, likeness) in ["transferred", "generated"].into_iter().zip(beside) {
            if let Some(Likeness { offset, deviation }) = likeness {
                like("deviation", kind, deviation)?;
                like("mean_offset", kind, offset)?;
            }
        }
        Ok(trained)
    }
}

/// Generated rows in a batch that has so many true rows for each.
fn generated_rows(batch: usize, true_per_generated: f64) -> usize {
    ((batch as f64 / (true_per_generated + 1.0)).round() as usize).clamp(1, batch - 1)
}
