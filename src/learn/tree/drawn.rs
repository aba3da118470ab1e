//! The features that a node looks at, and splits drawn at random.

use super::bins::Cut;
use super::criterion::{Mass, Score};
use super::grow::Job;
use super::split::{Offer, Split, Whole};
use crate::data::Rng;

/// The best split of a node.
#[derive(Clone, Copy)]
pub(super) struct Best {
    pub score: f64,
    pub feature: u32,
    pub cut: Cut,
}

/// The features that a node looks at, and the best split among them so far.
pub(super) struct Drawn {
    n_drawn: usize,
    max_features: usize,
    in_order: bool,
    differs: bool,
    /// Score that no split exceeds.
    perfect: f64,
    pub best: Option<Best>,
}

impl Drawn {
    pub fn new<W: Mass, S: Score<W>>(job: &Job<W, S>, whole: &Whole<W>) -> Self {
        Drawn {
            n_drawn: 0,
            max_features: job.growth.max_features,
            in_order: job.takes_all(),
            differs: false,
            perfect: job.score.perfect(whole.mass),
            best: None,
        }
    }

    /// The next feature; none once there are enough, or both sides of a split are pure: of equals
    /// the first stays.
    pub fn next(&mut self, features: &mut [u32], rng: &mut Rng) -> Option<u32> {
        let nth = self.n_drawn;
        let is_perfect = self.best.is_some_and(|best| best.score >= self.perfect);
        let is_enough = nth >= self.max_features && self.differs;
        if nth == features.len() || is_enough || is_perfect {
            return None;
        }
        self.n_drawn += 1;
        if !self.in_order {
            features.swap(nth, nth + rng.below(features.len() - nth));
        }
        Some(features[nth])
    }

    /// Takes what a feature offers; of equals, the first stays.
    pub fn take(&mut self, feature: u32, offer: Offer, cut: impl FnOnce() -> Cut) {
        self.differs |= offer != Offer::Constant;
        let Offer::Split(split) = offer else { return };
        if self.best.is_none_or(|best| split.score > best.score) {
            self.best = Some(Best { score: split.score, feature, cut: cut() });
        }
    }
}

impl<W: Mass, S: Score<W>> Job<'_, W, S> {
    /// A split drawn between the lowest and the highest value of rows: bins, classes and masses.
    pub(super) fn random_split<C: Copy + Into<u32>>(
        &self,
        feature: usize,
        (bins, classes, masses): (&[u8], &[C], &[W]),
        whole: &Whole<W>,
        rng: &mut Rng,
    ) -> (Offer, Option<Cut>) {
        let lo = bins.iter().fold(u8::MAX, |lo, &bin| lo.min(bin));
        let hi = bins.iter().fold(0, |hi, &bin| hi.max(bin));
        if lo >= hi {
            return (Offer::Constant, None);
        }
        let part = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let cut = self.table.bins.cut_within(feature, lo, hi, part);
        let mut left = vec![W::default(); whole.masses.len()];
        for ((&bin, &class), &mass) in bins.iter().zip(classes).zip(masses) {
            let class: u32 = class.into();
            left[class as usize] += if bin <= cut.bin { mass } else { W::default() };
        }
        let n_left = bins.iter().filter(|&&bin| bin <= cut.bin).count();
        if n_left.min(whole.n_rows - n_left) < whole.min_samples_leaf {
            return (Offer::Nothing, None);
        }
        let left_mass: f64 = left.iter().fold(W::default(), |sum, &mass| sum + mass).into();
        let terms = self.score.terms(&left);
        for (mass, &all) in left.iter_mut().zip(whole.masses) {
            *mass = all - *mass;
        }
        let right_mass = whole.mass.into() - left_mass;
        let score = self.score.of_split(terms, left_mass, self.score.terms(&left), right_mass);
        (Offer::Split(Split { score, below: lo, above: hi }), Some(cut))
    }
}
