//! What is measured: its name and number format for readers, and what a comparison may make of it.

/// A metric of a table's cells. [`METRICS`] lists all.
#[derive(Debug)]
pub struct Metric {
    /// Its name in measures and in specs.
    pub name: &'static str,
    /// Its name for readers, with the unit where there is one.
    pub label: &'static str,
    /// Whether it says how well something predicts: only scores are tested and judged against the paper.
    pub is_score: bool,
    /// Which of two values is better; none for counts.
    pub better: Option<Better>,
    /// The measure it is read from, and its factor; none where reports compute it from other metrics.
    pub measure: Option<(&'static str, f64)>,
    format: Format,
}

/// Which of two values is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The larger one.
    Higher,
    /// The smaller one.
    Lower,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    /// So many decimals, thousands separated.
    Decimals(usize),
    /// As short as it can be: `0.002`, `512`.
    Plain,
    /// `1.37×`
    Times,
}

const fn score(name: &'static str, label: &'static str, better: Better) -> Metric {
    let measure = Some((name, 1.0));
    Metric { name, label, is_score: true, better: Some(better), measure, format: Format::Decimals(4) }
}

const fn cost(name: &'static str, label: &'static str, decimals: usize) -> Metric {
    let measure = Some((name, 1.0));
    let format = Format::Decimals(decimals);
    Metric { name, label, is_score: false, better: Some(Better::Lower), measure, format }
}

const fn statistic(name: &'static str, label: &'static str, decimals: usize) -> Metric {
    let measure = Some((name, 1.0));
    Metric { name, label, is_score: false, better: None, measure, format: Format::Decimals(decimals) }
}

const fn computed(name: &'static str, label: &'static str, format: Format) -> Metric {
    Metric { name, label, is_score: false, better: None, measure: None, format }
}

/// Every metric that a table can show.
pub const METRICS: &[Metric] = &[
    score("auc", "AUC", Better::Higher),
    score("expected_auc", "expected AUC", Better::Higher),
    score("pooled_auc", "AUC, pooled", Better::Higher),
    score("gauc", "GAUC", Better::Higher),
    score("s_gauc", "sGAUC", Better::Higher),
    Metric { is_score: false, better: None, ..score("auc_low", "AUC, 2.5 %", Better::Higher) },
    Metric { is_score: false, better: None, ..score("auc_high", "AUC, 97.5 %", Better::Higher) },
    score("logloss", "log loss", Better::Lower),
    computed("rela_impr", "RelaImpr %", Format::Decimals(2)),
    computed("ratio", "ratio", Format::Times),
    cost("milliseconds_per_step", "ms per step", 2),
    cost("seconds", "seconds", 2),
    cost("wall_seconds", "seconds in all", 2),
    Metric { measure: Some(("peak_rss_bytes", MIB)), ..cost("peak_rss_mib", "peak memory, MiB", 0) },
    Metric { better: Some(Better::Higher), ..statistic("samples_per_second", "samples per second", 0) },
    statistic("users", "users", 0),
    statistic("items", "items", 0),
    statistic("item_vocabulary", "items with ids", 0),
    statistic("rows", "rows", 0),
    Metric { measure: Some(("users", 1e-6)), ..statistic("users_millions", "users, millions", 6) },
    Metric { measure: Some(("items", 1e-6)), ..statistic("items_millions", "items, millions", 6) },
    Metric { measure: Some(("rows", 1e-6)), ..statistic("rows_millions", "rows, millions", 3) },
    statistic("positives", "positives", 0),
    statistic("session_share", "rows of sessions with both classes", 4),
    statistic("row_share", "share of rows %", 2),
    statistic("positive_rate", "positive rate", 4),
    statistic("negative_share", "negatives %", 2),
    statistic("relative_distance", "distance", 3),
    statistic("similarity", "cosine", 3),
    statistic("share", "share of the rows", 3),
    statistic("deviation", "deviation of a number", 4),
    statistic("mean_offset", "mean off by", 4),
    statistic("fusion_weight", "fusion weight", 4),
    Metric { format: Format::Plain, ..statistic("setting", "setting", 0) },
];

/// A byte in MiB.
const MIB: f64 = 1.0 / (1u64 << 20) as f64;

/// The metric called `name`.
pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|m| m.name == name)
}

/// The metric called `name`, which a checked layout contains.
pub fn of(name: &str) -> &'static Metric {
    find(name).unwrap_or_else(|| panic!("{name} is no metric: layouts are checked"))
}

impl Metric {
    /// A value for readers.
    pub fn number(&self, value: f64) -> String {
        match self.format {
            Format::Decimals(n) => grouped(value, n),
            Format::Plain => value.to_string(),
            Format::Times => format!("{value:.2}×"),
        }
    }

    /// A difference for readers, with its sign.
    pub fn signed(&self, value: f64) -> String {
        let sign = if value.is_sign_negative() { "-" } else { "+" };
        format!("{sign}{}", self.number(value.abs()))
    }
}

/// A number with so many decimals, its thousands separated: `1,000,209`.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = if value.is_sign_negative() { "-".to_string() } else { String::new() };
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_readers() {
        assert_eq!(of("rows").number(1_000_209.0), "1,000,209");
        assert_eq!(of("users").number(999.6), "1,000");
        assert_eq!(of("milliseconds_per_step").number(1234.567), "1,234.57");
        assert_eq!(of("ratio").number(1.366), "1.37×");
        assert_eq!(of("ratio").signed(-0.05), "-0.05×");
        assert_eq!(of("auc").number(0.73126), "0.7313");
        assert_eq!(of("auc").signed(0.0), "+0.0000");
        assert_eq!(of("rela_impr").number(-2.981), "-2.98");
        assert_eq!(of("users").signed(-1234.0), "-1,234");
        assert_eq!(of("pooled_auc").number(0.76124), "0.7612");
        assert_eq!(of("fusion_weight").number(0.731_058), "0.7311");
    }

    #[test]
    fn names_are_unique() {
        for (i, m) in METRICS.iter().enumerate() {
            assert!(METRICS[..i].iter().all(|o| o.name != m.name && o.label != m.label), "{m:?}");
        }
    }
}
