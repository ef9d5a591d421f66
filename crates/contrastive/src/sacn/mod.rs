//! SACN (Huang et al., "When Multi-scenario Meets Multi-attribute"): preferences of a user in the scenario at hand, from the items
//! and from each of their attributes, and a loss that keeps those of different scenarios apart.
//!
//! Shapes: B rows, K scenarios, L tokens of N at most, d width, m attributes, F fields.
mod asif;
mod config;
mod dif_sr;
mod encoder;
mod fusion;
mod history;
mod modulation;
mod preference;

pub use config::{AlignmentConfig, Attributes, ContrastConfig, SacnConfig};
pub use modulation::Modulation;

use crate::contrast::ScenarioContrast;
use anyhow::{Context, Result, bail, ensure};
use asif::{Asif, alignment};
use dif_sr::DifSr;
use fusion::Fusion;
use history::{History, flat};
use preference::Preference;
use scenarec_data::{Kind, Schema};
use scenarec_train::{
    Build, CtrModel, Embedded, ModelEntry, Net, Output, Params,
    config::resolve,
    model::one_task,
    nn::{Mlp, MlpConfig, Norm},
};
use tch::{Kind as TensorKind, Tensor};

pub(crate) const ENTRY: ModelEntry = ModelEntry::new(
    "sacn",
    &["{item.*,attributes.*,fusion.*,dif_sr.*,asif.*,mlp.*,domain}"],
    |value| resolve(value, SacnConfig::check),
    |schema, value, build| Sacn::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit()
.sequences();

/// logit = MLP([P^I ‖ P^A ‖ the fields ‖ e_s]) (Eq. 7): P^I the item-level preference in the row's scenario, P^A the fused
/// attribute-level ones, each of N d numbers. In training the scenario contrast of Eqs. 5 and 6 is added, for which preferences in all
/// scenarios are needed.
///
/// The contrast needs the vectors of all scenarios, of which a batch's fields show those of its rows only. So e_s is of a table of
/// the model's own, also where the data have a scenario field; that is one of the fields.
///
/// Parameters `domain` [K, d]; `item.*`; by [`Attributes`] `attributes.<name>.*` and `fusion.*`, `dif_sr.*`, `asif.*`, or none;
/// `mlp.*`.
#[derive(Debug)]
pub struct Sacn {
    domain: Tensor,
    item: Branch,
    attributes: Encoder,
    contrast: Option<(f64, ScenarioContrast)>,
    /// Places of the fields that the network sees.
    fields: Tensor,
    mlp: Mlp,
    tokens: i64,
}

/// A sequence and its preferences.
#[derive(Debug)]
struct Branch {
    /// The sequence's place.
    sequence: usize,
    /// The place of the target's own value among the fields.
    target: i64,
    preference: Preference,
}

/// What P^A comes from.
#[derive(Debug)]
enum Encoder {
    Scenario(Vec<Branch>, Fusion),
    DifSr(DifSr, Vec<usize>),
    Asif(Asif, Vec<usize>, AlignmentConfig),
    None,
}

/// Places of a behaviour list's sequences and of the target's fields.
struct Places {
    item: (usize, i64),
    attributes: Vec<(String, usize, i64)>,
    tokens: i64,
}

impl Places {
    /// A sequence belongs to the field whose table it shares; the one of the item id are the items.
    fn of(schema: &Schema) -> Result<Self> {
        let fields: Vec<_> = schema.embedded().map(|(_, f)| f).collect();
        let (mut item, mut attributes, mut tokens) = (None, Vec::new(), None);
        for (place, (_, sequence)) in schema.sequences().enumerate() {
            let Kind::Sequence { max_len } = sequence.kind else { unreachable!("a sequence") };
            ensure!(
                tokens.replace(max_len).is_none_or(|own| own == max_len),
                "sacn: the sequences are kept at different lengths"
            );
            let Some(target) = fields.iter().position(|f| f.table == sequence.table) else {
                bail!("sacn: the target has no field in the table of the sequence {:?}", sequence.name);
            };
            match &fields[target].name {
                name if schema.item_id.as_ref() == Some(name) => item = Some((place, target as i64)),
                name => attributes.push((name.clone(), place, target as i64)),
            }
        }
        let item = item.context("sacn: the data have no sequence of items")?;
        let tokens = i64::from(tokens.expect("a sequence"));
        Ok(Self { item, attributes, tokens })
    }
}

impl Sacn {
    /// The model with its tables. It has one task, and no place for real numbers.
    pub fn net(schema: &Schema, config: &SacnConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        if let Some((_, field)) = schema.reals().next() {
            bail!("sacn has no place for real numbers, and {:?} is one", field.name);
        }
        let places = Places::of(schema)?;
        if config.attributes != Attributes::None {
            ensure!(!places.attributes.is_empty(), "sacn: the data have no sequence of an attribute");
        }
        Net::new(schema, config.dim, config.init, build, |p| {
            Ok(Box::new(Self::new(p, schema, places, config)))
        })
    }

    fn new(p: &mut Params, schema: &Schema, places: Places, config: &SacnConfig) -> Self {
        let (d, heads, tokens) = (config.dim as i64, config.heads, places.tokens);
        let scenarios = schema.scenarios.len();
        let table = config.init.embeddings(scenarios, scenarios, config.dim);
        let branch = |mut p: Params<'_>, sequence, target| Branch {
            sequence,
            target,
            preference: Preference::new(&mut p, config.modulation, d, heads),
        };
        let sequences: Vec<usize> = places.attributes.iter().map(|a| a.1).collect();
        let m = sequences.len();
        let domain = p.parameter_exactly("domain", &[scenarios as i64, d], table);
        let item = branch(p.sub("item"), places.item.0, places.item.1);
        let attributes = match config.attributes {
            Attributes::ScenarioAttention => {
                let own = places.attributes.iter().map(|(name, sequence, target)| {
                    branch(p.sub("attributes").sub(name), *sequence, *target)
                });
                Encoder::Scenario(own.collect(), Fusion::new(&mut p.sub("fusion"), m as i64, tokens, d))
            }
            Attributes::DifSr => {
                Encoder::DifSr(DifSr::new(&mut p.sub("dif_sr"), m, tokens, d, heads), sequences)
            }
            Attributes::Asif => {
                Encoder::Asif(Asif::new(&mut p.sub("asif"), tokens, d, heads), sequences, config.alignment)
            }
            Attributes::None => Encoder::None,
        };
        // Without the attributes' preferences the target's attributes are left out, too.
        let dropped: Vec<i64> = match &attributes {
            Encoder::None => places.attributes.iter().map(|a| a.2).collect(),
            _ => Vec::new(),
        };
        let fields: Vec<i64> =
            (0..schema.embedded().count() as i64).filter(|f| !dropped.contains(f)).collect();
        let preferences = if matches!(attributes, Encoder::None) { 1 } else { 2 };
        let inputs = (preferences * tokens + fields.len() as i64 + 1) * d;
        let hidden = MlpConfig { hidden: config.hidden.clone(), norm: Norm::None, dropout: 0.0 };
        Self {
            domain,
            item,
            contrast: config.contrast().filter(|_| preferences == 2),
            attributes,
            mlp: Mlp::new(&mut p.sub("mlp"), inputs, &hidden, Some(1)),
            fields: Tensor::from_slice(&fields).to_device(p.device()),
            tokens,
        }
    }
}

/// A preference in every row's own scenario, [B, L, d], and, where they are asked for, in all scenarios, [B, K, L, d].
struct Views {
    own: Tensor,
    all: Option<Tensor>,
}

impl Views {
    fn of_all(all: Tensor, scenario: &Tensor) -> Self {
        let (b, k) = (all.size()[0], all.size()[1]);
        let place = Tensor::arange(b, (TensorKind::Int64, all.device())) * k + scenario;
        Self { own: all.flatten(0, 1).index_select(0, &place), all: Some(all) }
    }
}

impl Branch {
    /// In the row's scenario, or in all.
    fn forward(&self, h: &History, x: &Embedded, domain: &Tensor, all: bool) -> Tensor {
        let (own, target) = (&h.sequences[self.sequence], x.fields.select(1, self.target));
        match all {
            true => self.preference.in_all(own, &h.tokens, &target, domain),
            false => self.preference.in_one(own, &h.tokens, &target, &domain.index_select(0, &x.scenario)),
        }
    }
}

impl Sacn {
    fn views(&self, of_all: Tensor, x: &Embedded, all: bool) -> Views {
        if all { Views::of_all(of_all, &x.scenario) } else { Views { own: of_all, all: None } }
    }

    /// The item-level preferences.
    fn items(&self, h: &History, x: &Embedded, all: bool) -> Views {
        self.views(self.item.forward(h, x, &self.domain, all), x, all)
    }

    /// The attribute-level preferences; those that know no scenario are the same in all.
    fn attributes(&self, h: &History, x: &Embedded, all: bool) -> Option<Views> {
        let items = &h.sequences[self.item.sequence];
        let some =
            |places: &[usize]| places.iter().map(|s| h.sequences[*s].shallow_clone()).collect::<Vec<_>>();
        let everywhere = |own| Some(Views { own, all: None });
        match &self.attributes {
            Encoder::Scenario(branches, fusion) => {
                let parts: Vec<Tensor> =
                    branches.iter().map(|b| b.forward(h, x, &self.domain, all)).collect();
                Some(self.views(fusion.forward(&parts), x, all))
            }
            Encoder::DifSr(encoder, places) => everywhere(encoder.forward(items, &some(places), &h.mask)),
            Encoder::Asif(encoder, places, _) => everywhere(encoder.forward(items, &some(places), &h.mask)),
            Encoder::None => None,
        }
    }

    /// L_ssl1 + L_ssl2 (Eqs. 5 and 6), of rows with a history. Where attribute-level preferences are the same in all scenarios,
    /// L_ssl2 is log K: a constant, which is left out.
    fn contrast_loss(
        &self,
        contrast: &ScenarioContrast,
        items: &Views,
        attributes: &Views,
        h: &History,
        x: &Embedded,
    ) -> Tensor {
        let (anchor, positive) = (items.own.flatten(1, 2), attributes.own.flatten(1, 2));
        let loss =
            |views: &Tensor| contrast.loss(&anchor, &positive, &views.flatten(2, 3), &x.scenario, &h.any);
        let first = loss(items.all.as_ref().expect("asked for"));
        attributes.all.as_ref().map_or(first.shallow_clone(), |views| first + loss(views))
    }

    /// ASIF's own loss, where it is there.
    fn alignment_loss(&self, h: &History) -> Option<Tensor> {
        let Encoder::Asif(_, places, AlignmentConfig { weight, temperature }) = &self.attributes else {
            return None;
        };
        let sides: Vec<Tensor> = places.iter().map(|s| h.sequences[*s].shallow_clone()).collect();
        let items = &h.sequences[self.item.sequence];
        (*weight > 0.0).then(|| *weight * alignment(items, &sides, &h.mask, *temperature))
    }
}

impl CtrModel for Sacn {
    /// # Shapes
    /// fields [B, F, d] and sequences [B, L, d] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let h = History::new(x);
        let contrast = self.contrast.as_ref().filter(|_| train);
        let items = self.items(&h, x, contrast.is_some());
        let attributes = self.attributes(&h, x, contrast.is_some());
        let preferences = [Some(&items), attributes.as_ref()];
        let mut inputs: Vec<Tensor> =
            preferences.into_iter().flatten().map(|views| flat(&views.own, self.tokens)).collect();
        inputs.push(x.fields.index_select(1, &self.fields).flatten(1, 2));
        inputs.push(self.domain.index_select(0, &x.scenario));
        let logits = self.mlp.forward(&Tensor::cat(&inputs, 1), train);

        let mut aux = Vec::new();
        if let (Some((weight, contrast)), Some(attributes)) = (contrast, &attributes) {
            aux.push(("contrast", *weight * self.contrast_loss(contrast, &items, attributes, &h, x)));
        }
        if train {
            aux.extend(self.alignment_loss(&h).map(|loss| ("alignment", loss)));
        }
        Output { logits, aux }
    }

    /// The item-level preference in every scenario, `item.<k>` [B, L d]: Figure 2 compares those of two.
    fn representations(&self, x: &Embedded) -> Vec<(String, Tensor)> {
        let all = self.item.forward(&History::new(x), x, &self.domain, true);
        (0..all.size()[1]).map(|k| (format!("item.{k}"), all.select(1, k).flatten(1, 2))).collect()
    }
}
