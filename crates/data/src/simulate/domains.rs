//! Domains of the same people: the simulated world of Douban and of Amazon.
//!
//! The logit of a rating above 3 by user u of item i in domain d is
//!
//! ```text
//! base_d + bias_ud + quality_i + taste . p_ud . q_i / sqrt(D)
//! ```
//!
//! - [`SHARED`] is the share of the variance of `bias_ud` and `p_ud` that is the same in all domains: what users do in rich
//!   domains tells what they like in a cold one, where they have hardly any rows.
//! - An item has one quality and one taste wherever it occurs.
//! - `base_d` is chosen so that the domain's mean probability is the wanted one.
use super::random::{D, Stream, Taste, blend, normal, rng, sigmoid, taste};
use super::shop::base;
use rand::RngExt;
use rayon::prelude::*;

/// Standard deviations of the parts of the logit. Together they make a best attainable AUC between 0.65 and 0.7.
const USER_BIAS: f64 = 0.45;
const QUALITY: f64 = 0.4;
const TASTE: f64 = 0.45;
/// What domains have in common, a share of variances.
const SHARED: f64 = 0.8;
/// Where the logit minus logistic noise must lie for a rating of 2, 3, 4, 5: about Douban's histogram of Music.
const CUTS: [f64; 4] = [-2.7, -1.5, 0.0, 1.6];

/// A user in a domain, or an item.
struct Party {
    bias: f64,
    taste: Taste,
}

pub(super) struct World {
    seed: u64,
    /// `[domain][user]`.
    users: Vec<Vec<Party>>,
    items: Vec<Party>,
}

/// What became of a user and an item.
#[derive(Clone, Copy)]
pub(super) struct Rating {
    pub user: u32,
    pub item: u32,
    /// 1 to 5.
    pub stars: u8,
    /// Of a rating above 3.
    pub probability: f32,
}

impl World {
    pub fn new(seed: u64, domains: usize, users: usize, items: usize) -> World {
        let r = &mut rng(seed, Stream::Users, 0);
        let people: Vec<(f64, Taste)> = (0..users).map(|_| (normal(r), taste(r))).collect();
        let in_domain = |domain: usize| {
            let r = &mut rng(seed, Stream::Users, 1 + domain as u64);
            let party = |(bias, taste): &(f64, Taste)| {
                let own = SHARED.sqrt() * bias + (1.0 - SHARED).sqrt() * normal(r);
                Party { bias: USER_BIAS * own, taste: blend(taste, SHARED, r) }
            };
            people.iter().map(party).collect()
        };
        let users = (0..domains).map(in_domain).collect();
        let r = &mut rng(seed, Stream::Items, 0);
        let items = (0..items).map(|_| Party { bias: QUALITY * normal(r), taste: taste(r) }).collect();
        World { seed, users, items }
    }

    /// Ratings by users of items in a domain, of which this share is not above 3.
    pub fn ratings(&self, domain: usize, pairs: &[(u32, u32)], negatives: f64) -> Vec<Rating> {
        const PIECE: usize = 1 << 16;
        let logit = |&(user, item): &(u32, u32)| {
            let (user, item) = (&self.users[domain][user as usize], &self.items[item as usize]);
            let match_: f64 = user.taste.iter().zip(&item.taste).map(|(p, q)| p * q).sum();
            user.bias + item.bias + TASTE * match_ / (D as f64).sqrt()
        };
        let step = pairs.len().div_ceil(200_000);
        let sample: Vec<f64> = pairs.iter().step_by(step).map(logit).collect();
        let base = base(&sample, 1.0 - negatives);
        let pieces: Vec<Vec<Rating>> = pairs
            .par_chunks(PIECE)
            .enumerate()
            .map(|(number, pairs)| {
                let r = &mut rng(self.seed, Stream::Labels, ((domain as u64) << 32) + number as u64);
                let rating = |pair: &(u32, u32)| {
                    let logit = base + logit(pair);
                    // One uniform number decides the whole rating, so that P(stars >= s) = sigmoid(logit - cut_s)
                    // for all s.
                    let u = r.random::<f64>();
                    let stars = 1 + CUTS.iter().filter(|cut| u < sigmoid(logit - **cut)).count() as u8;
                    Rating { user: pair.0, item: pair.1, stars, probability: sigmoid(logit) as f32 }
                };
                pairs.iter().map(rating).collect()
            })
            .collect();
        pieces.concat()
    }
}

/// Sizes as shares of a whole: each part's share of `of`, times `whole`, rounded.
pub(super) fn scaled<const N: usize>(parts: [usize; N], of: usize, whole: usize) -> [usize; N] {
    parts.map(|part| (part as f64 * whole as f64 / of as f64).round() as usize)
}
