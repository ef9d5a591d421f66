//! Generated rows in stock, and how steps take from it.
use super::settings::Pool as PoolSettings;
use anyhow::{Context, Result};
use rand::{RngExt, seq::SliceRandom};
use scenarec_diffusion::diff_msr::{Classifier, Diffusion, Window};
use scenarec_train::{
    Carrier, Feed, Net, Resumable, RowSource, State, feed::gather, rng::Rng, rows::vectors,
};
use tch::{Kind, Tensor};

/// Generated rows with their labels.
#[derive(Debug)]
pub(super) struct Rows {
    /// `[N, C, d]`.
    pub vectors: Tensor,
    /// `[N]`.
    pub labels: Tensor,
}

impl Rows {
    pub(super) fn len(&self) -> i64 {
        self.labels.size()[0]
    }

    /// Rows of one label after rows of another.
    fn of(parts: &[(Tensor, f64)]) -> Self {
        let label = |(rows, label): &(Tensor, f64)| {
            Tensor::full([rows.size()[0]], *label, (Kind::Float, rows.device()))
        };
        let vectors: Vec<&Tensor> = parts.iter().map(|(rows, _)| rows).collect();
        Self {
            vectors: Tensor::cat(&vectors, 0),
            labels: Tensor::cat(&parts.iter().map(label).collect::<Vec<_>>(), 0),
        }
    }

    /// Mean of the vectors, `[C, d]`, and how far their numbers are from it, as a root mean square; none without rows.
    fn moments(&self) -> Option<(Tensor, f64)> {
        if self.len() == 0 {
            return None;
        }
        let mean = self.vectors.mean_dim([0i64].as_slice(), false, Kind::Float);
        let deviation = root_mean_square(&(&self.vectors - &mean));
        Some((mean, deviation))
    }

    fn pick(&self, places: &[i64]) -> Self {
        let places = Tensor::from_slice(places).to_device(self.vectors.device());
        Self { vectors: self.vectors.index_select(0, &places), labels: self.labels.index_select(0, &places) }
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            vectors: Tensor::cat(&[&self.vectors, &other.vectors], 0),
            labels: Tensor::cat(&[&self.labels, &other.labels], 0),
        }
    }
}

/// How generated rows lie beside true ones.
pub(super) struct Likeness {
    /// Root mean square of the distance of their mean from that of the true rows, per number.
    pub offset: f64,
    /// Root mean square of their numbers' distance from their own mean.
    pub deviation: f64,
}

fn root_mean_square(numbers: &Tensor) -> f64 {
    numbers.square().mean(Kind::Float).sqrt().double_value(&[])
}

/// What rows are generated with: a generator for each label, and, where rows of other scenarios are transferred, the
/// classifier that finds them.
pub(super) enum Sources {
    /// Rows from noise alone.
    Noise([Box<dyn RowSource>; 2]),
    /// Rows from noise and transferred ones.
    Transfer { generators: Box<[Diffusion; 2]>, classifier: Box<Classifier>, window: Window },
}

impl Sources {
    fn draw(&mut self, label: usize, n: usize) -> Result<Tensor> {
        match self {
            Self::Noise(sources) => sources[label].draw(n),
            Self::Transfer { generators, .. } => generators[label].draw(n),
        }
    }
}

/// The streams that rows are drawn from; what they were fitted to stays as it is.
impl Resumable for Sources {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        let weights = match self {
            Self::Noise(sources) => sources.each_mut().map(|source| source.weights()),
            Self::Transfer { generators, .. } => generators.each_mut().map(|generator| generator.weights()),
        };
        let [no, yes] = weights;
        carrier.part("0", no)?;
        carrier.part("1", yes)
    }
}

/// The training rows that pools are made from.
pub(super) struct Origin<'a> {
    /// The cold scenario's.
    pub cold: &'a Feed,
    /// The other scenarios'.
    pub rich: &'a Feed,
    /// Places of the generated fields.
    pub slots: &'a [usize],
    pub settings: PoolSettings,
}

/// The stock.
#[derive(Debug)]
pub(super) struct Pool {
    transferred: Stock,
    generated: Stock,
}

impl Pool {
    /// Draws a pool anew.
    pub(super) fn draw(
        sources: &mut Sources,
        origin: &Origin<'_>,
        net: &mut Net,
        rng: &mut Rng,
    ) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        let generated = Stock::new(generated(sources, origin, rng)?);
        let transferred = Stock::new(transferred(sources, origin, net, rng)?);
        Ok(Self { transferred, generated })
    }

    /// Number of transferred rows in stock.
    pub(super) fn transferred(&self) -> usize {
        self.transferred.rows.len() as usize
    }

    /// Number of rows from noise in stock.
    pub(super) fn generated(&self) -> usize {
        self.generated.rows.len() as usize
    }

    /// The deviation of the cold scenario's true rows, and transferred and generated rows beside them, where there are any.
    pub(super) fn likeness(
        &self,
        origin: &Origin<'_>,
        net: &mut Net,
    ) -> Result<(f64, [Option<Likeness>; 2])> {
        let _guard = tch::no_grad_guard();
        let rows = vectors(net, origin.slots, &gather(origin.cold.data(), origin.cold.rows())?);
        let (mean, deviation) = Rows::of(&[(rows, 0.0)]).moments().expect("the cold scenario has rows");
        let beside = |stock: &Stock| {
            let (own, deviation) = stock.rows.moments()?;
            Some(Likeness { offset: root_mean_square(&(own - &mean)), deviation })
        };
        Ok((deviation, [beside(&self.transferred), beside(&self.generated)]))
    }

    /// The next rows of both kinds.
    pub(super) fn take(&mut self, transferred: usize, generated: usize, rng: &mut Rng) -> Rows {
        self.transferred.take(transferred, rng).and(&self.generated.take(generated, rng))
    }
}

/// Rows that are taken in random order, each once before any is taken again.
#[derive(Debug)]
struct Stock {
    rows: Rows,
    order: Vec<i64>,
}

impl Stock {
    fn new(rows: Rows) -> Self {
        Self { rows, order: Vec::new() }
    }

    fn take(&mut self, n: usize, rng: &mut Rng) -> Rows {
        while self.order.len() < n {
            let mut more: Vec<i64> = (0..self.rows.len()).collect();
            assert!(!more.is_empty(), "rows are taken from an empty stock");
            more.shuffle(rng);
            self.order.extend(more);
        }
        let places: Vec<i64> = self.order.drain(..n).collect();
        self.rows.pick(&places)
    }
}

impl Resumable for Pool {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("transferred", &mut self.transferred)?;
        carrier.part("generated", &mut self.generated)
    }
}

impl Resumable for Stock {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        let device = self.rows.vectors.device();
        let mut rows = State::from([
            ("vectors".to_string(), self.rows.vectors.shallow_clone()),
            ("labels".to_string(), self.rows.labels.shallow_clone()),
        ]);
        carrier.tensors("rows", &mut rows)?;
        let [vectors, labels] = ["vectors", "labels"].map(|name| rows[name].to_device(device));
        self.rows = Rows { vectors, labels };
        carrier.list("order", &mut self.order)
    }
}

/// Rows from noise, with the labels of random rows of the cold scenario.
fn generated(sources: &mut Sources, origin: &Origin<'_>, rng: &mut Rng) -> Result<Rows> {
    let (rows, labels) = (origin.cold.rows(), &origin.cold.data().labels[0]);
    let n = origin.settings.generated;
    let ones = (0..n).filter(|_| labels[rows[rng.random_range(0..rows.len())] as usize] == 1).count();
    Ok(Rows::of(&[(sources.draw(0, n - ones)?, 0.0), (sources.draw(1, ones)?, 1.0)]))
}

/// Random rows of the other scenarios that the classifier takes for the cold one's once they are noised, denoised by the
/// generator of their own label.
fn transferred(sources: &mut Sources, origin: &Origin<'_>, net: &mut Net, rng: &mut Rng) -> Result<Rows> {
    let Sources::Transfer { generators, classifier, window } = sources else {
        let shape = [0, origin.slots.len() as i64, net.weights.tables.dim() as i64];
        let empty = Tensor::zeros(shape, (Kind::Float, net.weights.params.device()));
        return Ok(Rows::of(&[(empty, 0.0)]));
    };
    let mut rows = origin.rich.rows().to_vec();
    let (some, _) = rows.partial_shuffle(rng, origin.settings.rich);
    let data = origin.rich.data();
    let z = vectors(net, origin.slots, &gather(data, some)?);
    let selected = window.select(classifier, &z, rng)?;
    let mut parts = Vec::new();
    for label in [0, 1] {
        let of_label = |i: &usize| usize::from(data.labels[0][some[selected.rows[*i]] as usize]) == label;
        let places: Vec<usize> = (0..selected.rows.len()).filter(of_label).collect();
        let steps: Vec<usize> = places.iter().map(|i| selected.steps[*i]).collect();
        let index: Vec<i64> = places.iter().map(|i| *i as i64).collect();
        let z = selected.z.index_select(0, &Tensor::from_slice(&index).to_device(z.device()));
        parts.push((generators[label].denoise(&z, &steps).context("transferred rows")?, label as f64));
    }
    Ok(Rows::of(&parts))
}
