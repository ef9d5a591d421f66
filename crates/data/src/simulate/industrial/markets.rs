//! What the markets' logs are like: printed sizes, and what is ours.
use crate::industrial::Market;

/// A scenario's size, which the simulated sizes are in proportion to.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub users: f64,
    pub items: f64,
    pub clicks: f64,
    pub impressions: f64,
}

/// What a market's log is like.
pub(super) struct Shape {
    pub market: Market,
    pub sizes: &'static [Size],
    /// Midnight of the first day, seconds since 1970.
    pub start: i64,
    pub days: i64,
    /// Share of all users that the scenario with the most has; invented.
    pub widest: f64,
    /// Clicks before the log.
    pub earlier: Earlier,
    pub likeness: Likeness,
}

/// Users' clicks before the log begins.
pub(super) struct Earlier {
    /// Median and log-normal spread of their number.
    pub median: f64,
    pub spread: f64,
    pub days: i64,
    /// Scenarios of which it is known how many users have fewer than [`FEW`]: place and share.
    pub few: &'static [(u16, f64)],
}

/// Users with fewer clicks count as inactive.
pub(super) const FEW: usize = 5;

/// In what a behaviour is near an item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// In one vector, of category, brand and the item itself.
    Whole,
    /// In the item itself, its category, its brand and its price apart, which each scenario weighs otherwise.
    Attributes,
}

/// SFPNet, Table 1.
const LAZADA: [Size; 12] = [
    lazada(9_233_770, 1_309_072, 14_366_092, 613),
    lazada(3_375_959, 1_150_596, 3_817_960, 184),
    lazada(3_275_513, 1_138_230, 3_726_107, 166),
    lazada(232_018, 1_038_012, 4_788_877, 156),
    lazada(3_613_010, 689_511, 5_156_626, 135),
    lazada(4_066_414, 1_067_403, 2_279_444, 115),
    lazada(4_474_204, 984_055, 1_498_577, 90),
    lazada(2_968_181, 893_954, 1_662_265, 64),
    lazada(3_064_679, 944_691, 774_141, 48),
    lazada(783_071, 889_481, 1_428_080, 46),
    lazada(1_352_973, 890_769, 1_869_587, 44),
    lazada(157_645, 726_907, 490_689, 29),
];

const fn lazada(users: u32, items: u32, clicks: u32, millions: u32) -> Size {
    let impressions = millions as f64 * 1e6;
    Size { users: users as f64, items: items as f64, clicks: clicks as f64, impressions }
}

/// SACN, Table 1, in millions; the click rates are ours, as none are printed.
const DEWU: [Size; 8] = [
    dewu(0.76, 2.43, 102.03, 0.040),
    dewu(0.62, 2.31, 92.40, 0.045),
    dewu(0.56, 1.97, 87.15, 0.035),
    dewu(0.51, 1.88, 82.37, 0.050),
    dewu(0.43, 1.76, 74.46, 0.030),
    dewu(0.31, 1.62, 48.81, 0.055),
    dewu(0.27, 1.43, 36.62, 0.025),
    dewu(0.14, 1.31, 29.74, 0.022),
];

const fn dewu(users: f64, items: f64, samples: f64, rate: f64) -> Size {
    Size { users: users * 1e6, items: items * 1e6, clicks: rate * samples * 1e6, impressions: samples * 1e6 }
}

pub(super) fn shape(market: Market) -> Shape {
    match market {
        Market::Lazada12 => Shape {
            market,
            sizes: &LAZADA,
            start: 1_702_166_400, // 10 December 2023.
            days: 32,
            widest: 0.8,
            earlier: Earlier { median: 12.0, spread: 0.9, days: 60, few: &[] },
            likeness: Likeness::Whole,
        },
        Market::Dewu8 => Shape {
            market,
            sizes: &DEWU,
            start: 1_716_508_800, // 24 May 2024.
            days: 8,
            widest: 0.8,
            // Half a year; the shares are those printed.
            earlier: Earlier { median: 25.0, spread: 0.9, days: 180, few: &[(6, 0.3742), (7, 0.4123)] },
            likeness: Likeness::Attributes,
        },
    }
}
