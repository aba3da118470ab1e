//! What a split is judged by, on exact sums.
//!
//! Every row has a mass: how often it was drawn, or its weight. Masses are whole numbers whose sums
//! are exact, so a sum does not depend on the order of its terms: histograms may be subtracted and
//! counted by several threads, and equal splits have equal scores.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// Impurity of a node in which class `c` has the share `p_c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// `1 - sum_c p_c^2`
    Gini,
    /// `- sum_c p_c log2 p_c`
    Entropy,
}

/// How much a row counts, and sums of it.
pub(in crate::learn) trait Mass:
    Copy
    + Default
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + AddAssign
    + SubAssign
    + Into<f64>
{
    /// The mass of one row that has no weight.
    const ONE: Self;

    /// `sum m^2`
    fn sum_squares(masses: &[Self]) -> f64;

    /// `m log2 m`, from a table where there is one.
    fn m_log_m(self, table: &[f64]) -> f64;

    /// [`Mass::m_log_m`] of every mass up to a sum, each a multiple of `1 / scale`, and the scale.
    fn log_table(sum: f64) -> (Vec<f64>, f64);
}

/// Numbers of rows.
impl Mass for u32 {
    const ONE: Self = 1;

    #[inline(always)]
    fn sum_squares(masses: &[Self]) -> f64 {
        masses.iter().map(|&m| u64::from(m) * u64::from(m)).sum::<u64>() as f64
    }

    #[inline(always)]
    fn m_log_m(self, table: &[f64]) -> f64 {
        table[self as usize]
    }

    /// Fixed point with a sum below 2^53: sums of such terms are exact.
    fn log_table(sum: f64) -> (Vec<f64>, f64) {
        let largest = (sum * sum.max(2.0).log2()).max(1.0);
        let scale = (2f64).powi(51 - largest.log2().ceil() as i32);
        let term =
            |m: u64| if m < 2 { 0.0 } else { (m as f64 * (m as f64).log2() * scale).round() };
        ((0..=sum as u64).map(term).collect(), scale)
    }
}

/// Weights in units of [`weight_units`].
impl Mass for f64 {
    const ONE: Self = 1.0;

    #[inline(always)]
    fn sum_squares(masses: &[Self]) -> f64 {
        let mut sums = [0.0; 4];
        for four in masses.chunks(4) {
            for (sum, &m) in sums.iter_mut().zip(four) {
                *sum += m * m;
            }
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3])
    }

    #[inline(always)]
    fn m_log_m(self, _table: &[f64]) -> f64 {
        if self > 0.0 { self * self.log2() } else { 0.0 }
    }

    fn log_table(_sum: f64) -> (Vec<f64>, f64) {
        (Vec::new(), 1.0)
    }
}

/// Sum of the masses that weights become: sums of `f64` are exact below 2^53.
const WEIGHT_UNITS: f64 = (1u64 << 51) as f64;

/// Weights as whole numbers, in units of about 2^-51 of their sum; one that is not 0 is at least 1.
pub(in crate::learn) fn weight_units(weights: &[f64]) -> Vec<f64> {
    // The largest first: the sum of the weights themselves may overflow.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let sum: f64 = weights.iter().map(|w| w / largest).sum();
    let unit = |&w: &f64| {
        let units = (w / largest / sum * WEIGHT_UNITS).round();
        if w > 0.0 { units.max(1.0) } else { 0.0 }
    };
    weights.iter().map(unit).collect()
}

/// Judges splits. The score of a node is its mass minus its mass times its impurity, or a number
/// that differs from it by what all splits of the node share; the best split has the largest sum of
/// the scores of its sides.
pub(in crate::learn) trait Score<W: Mass>: Send + Sync {
    /// Of a class with a mass.
    fn term(&self, mass: W) -> f64;

    /// Sum of the terms of all classes.
    fn terms(&self, masses: &[W]) -> f64;

    /// Score of a split from the terms and masses of its sides.
    fn of_split(&self, left: f64, left_mass: f64, right: f64, right_mass: f64) -> f64;

    /// Score of a node that is not split.
    fn of_node(&self, terms: f64, mass: W) -> f64;

    /// The score that no split exceeds: that of two pure sides.
    fn perfect(&self, mass: W) -> f64;

    /// Score of a mass of one impurity.
    fn scale(&self) -> f64;
}

/// Terms `m^2`; a side scores `sum_c m_c^2 / m`.
pub(super) struct Gini;

impl<W: Mass> Score<W> for Gini {
    #[inline(always)]
    fn term(&self, mass: W) -> f64 {
        let mass: f64 = mass.into();
        mass * mass
    }

    #[inline(always)]
    fn terms(&self, masses: &[W]) -> f64 {
        W::sum_squares(masses)
    }

    /// One division, of exact numbers up to a mass of 2^17: equal splits have equal scores.
    #[inline(always)]
    fn of_split(&self, left: f64, left_mass: f64, right: f64, right_mass: f64) -> f64 {
        (left * right_mass + right * left_mass) / (left_mass * right_mass)
    }

    fn of_node(&self, terms: f64, mass: W) -> f64 {
        terms / mass.into()
    }

    fn perfect(&self, mass: W) -> f64 {
        mass.into()
    }

    fn scale(&self) -> f64 {
        1.0
    }
}

/// Terms `m log2 m`; a side scores `sum_c m_c log2 m_c - m log2 m`.
pub(super) struct Entropy<W> {
    table: Vec<f64>,
    scale: f64,
    mass: std::marker::PhantomData<W>,
}

impl<W: Mass> Entropy<W> {
    /// For masses up to a sum.
    pub fn new(sum: f64) -> Self {
        let (table, scale) = W::log_table(sum);
        Entropy { table, scale, mass: std::marker::PhantomData }
    }
}

impl<W: Mass + FromF64> Score<W> for Entropy<W> {
    #[inline(always)]
    fn term(&self, mass: W) -> f64 {
        mass.m_log_m(&self.table)
    }

    #[inline(always)]
    fn terms(&self, masses: &[W]) -> f64 {
        masses.iter().map(|&mass| self.term(mass)).sum()
    }

    #[inline(always)]
    fn of_split(&self, left: f64, left_mass: f64, right: f64, right_mass: f64) -> f64 {
        let whole = self.term(W::from_f64(left_mass)) + self.term(W::from_f64(right_mass));
        left + right - whole
    }

    fn of_node(&self, terms: f64, mass: W) -> f64 {
        terms - self.term(mass)
    }

    fn perfect(&self, _mass: W) -> f64 {
        0.0
    }

    fn scale(&self) -> f64 {
        self.scale
    }
}

/// Back from the exact sum.
pub(in crate::learn) trait FromF64 {
    /// The same number.
    fn from_f64(value: f64) -> Self;
}

impl FromF64 for u32 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as u32
    }
}

impl FromF64 for f64 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
}
