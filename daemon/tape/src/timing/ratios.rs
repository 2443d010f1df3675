//! What a drive takes of the time that the formulas say (spec timing.md §8).

use serde::{Deserialize, Serialize};

/// How much the newest measurement counts.
const WEIGHT: f64 = 0.2;
/// No drive is quicker or slower than this: what was measured beyond had other reasons.
const LIMITS: (f64, f64) = (0.5, 2.0);

/// Measured time to the formulas' time, a running mean of each; 1 before anything was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ratios {
    /// Of locates.
    pub locate: f64,
    /// Of reading.
    pub read: f64,
    /// Of loading a medium.
    pub load: f64,
}

impl Default for Ratios {
    fn default() -> Self {
        Self { locate: 1.0, read: 1.0, load: 1.0 }
    }
}

impl Ratios {
    /// Takes a measurement in: something took `measured_s` where the formulas say `formula_s`.
    pub fn learn(ratio: &mut f64, measured_s: f64, formula_s: f64) {
        let found = measured_s / formula_s;
        if formula_s <= 0.0 || !found.is_finite() {
            return;
        }
        let mean = *ratio + WEIGHT * (found.clamp(LIMITS.0, LIMITS.1) - *ratio);
        *ratio = mean.clamp(LIMITS.0, LIMITS.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_come_near_what_is_measured() {
        let mut ratio = 1.0;
        Ratios::learn(&mut ratio, 60.0, 50.0);
        assert!((ratio - 1.04).abs() < 1e-9);
        (0..20).for_each(|_| Ratios::learn(&mut ratio, 60.0, 50.0));
        assert!((ratio - 1.2).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn what_cannot_be_a_drives_own_is_cut_or_passed_over() {
        let mut ratio = 1.0;
        for (measured_s, formula_s) in [(1.0, 0.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0)] {
            Ratios::learn(&mut ratio, measured_s, formula_s);
        }
        assert_eq!(ratio, 1.0);
        (0..99).for_each(|_| Ratios::learn(&mut ratio, 9000.0, 1.0));
        assert!((1.99..=2.0).contains(&ratio), "{ratio}");
    }
}
