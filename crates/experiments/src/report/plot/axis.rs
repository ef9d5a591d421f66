//! Ticks of the vertical axis.
use crate::metric::grouped;

/// Steps that a tick is aimed at.
const STEPS: f64 = 5.0;

/// A vertical axis.
#[derive(Debug, PartialEq)]
pub(super) struct Axis {
    /// The lowest and the highest tick.
    pub range: (f64, f64),
    /// Its ticks, from below.
    pub ticks: Vec<f64>,
    decimals: usize,
}

impl Axis {
    /// Around all `values`, and zero where asked for; none where there is no value.
    pub fn around(values: impl Iterator<Item = f64>, with_zero: bool) -> Option<Self> {
        let extremes = values.fold(None, |e: Option<(f64, f64)>, v| {
            let (low, high) = e.unwrap_or((v, v));
            Some((low.min(v), high.max(v)))
        });
        let (mut low, mut high) = extremes?;
        if with_zero {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
            (low, high) = (low - room, high + room);
        }
        let step = nice((high - low) / STEPS);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let ticks: Vec<f64> = (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect();
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        Some(Self { range: (first * step, last * step), ticks, decimals })
    }

    /// A tick's label.
    pub fn label(&self, tick: f64) -> String {
        grouped(tick, self.decimals)
    }
}

/// The number 1, 2, 5 or 10 times a power of ten that is nearest to `step` by ratio.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let limits = [(2f64, 1.0), (10f64, 2.0), (50f64, 5.0)]; // Squares of the means between neighbours.
    let factor = limits.into_iter().find(|(limit, _)| step / power < limit.sqrt()).map_or(10.0, |(_, f)| f);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], with_zero: bool) -> Vec<String> {
        let axis = Axis::around(values.iter().copied(), with_zero).unwrap();
        axis.ticks.iter().map(|t| axis.label(*t)).collect()
    }

    #[test]
    fn ticks_are_round_numbers_around_the_values() {
        assert_eq!(labels(&[0.731, 0.8051], false), ["0.72", "0.74", "0.76", "0.78", "0.80", "0.82"]);
        assert_eq!(labels(&[0.8], true), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(&[-3.0, 20.0], false), ["-5", "0", "5", "10", "15", "20"]);
        assert_eq!(labels(&[1_000_209.0], true)[1], "200,000");
    }

    #[test]
    fn one_value_has_room_and_none_has_no_axis() {
        let axis = Axis::around([0.75].into_iter(), false).unwrap();
        assert!(axis.range.0 < 0.75 && axis.range.1 > 0.75, "{axis:?}");
        assert_eq!(Axis::around([].into_iter(), true), None);
    }
}
