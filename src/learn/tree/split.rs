//! The best split of one feature, from sums by bin.

use super::criterion::{Mass, Score};

/// Bins of a byte.
pub(super) const N_BINS: usize = 256;

/// A split of one feature between two bins that rows of the node fall into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    pub score: f64,
    /// Highest bin on the left.
    pub below: u8,
    /// Lowest bin on the right.
    pub above: u8,
}

/// What a feature offers to a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Offer {
    /// All rows fall into one bin.
    Constant,
    /// Each split leaves too few rows on a side.
    Nothing,
    /// The best split, the lowest of equals.
    Split(Split),
}

/// A node as its splits are judged.
pub(super) struct Whole<'a, W> {
    /// By class.
    pub masses: &'a [W],
    /// Their sum.
    pub mass: W,
    pub n_rows: usize,
    pub min_samples_leaf: usize,
}

/// The best split from masses by class and bin, `[n_classes][N_BINS]`, and, where
/// `min_samples_leaf` is above 1, numbers of rows by bin behind them. `bins` is the range of
/// the feature over all rows.
pub(super) fn scan_histogram<W: Mass, S: Score<W>>(
    score: &S,
    histogram: &[W],
    whole: &Whole<W>,
    bins: (u8, u8),
) -> Offer {
    let (lo, hi) = (usize::from(bins.0), usize::from(bins.1));
    let n = hi + 1 - lo;
    let (mut left, mut right) = ([0.0; N_BINS], [0.0; N_BINS]);
    let (mut mass, mut below) = ([W::default(); N_BINS], [W::default(); N_BINS]);
    let classes = histogram.chunks_exact(N_BINS).zip(whole.masses);
    for (of_class, &total) in classes.filter(|(_, total)| **total != W::default()) {
        let mut sum = W::default();
        for (below, &here) in below[..n].iter_mut().zip(&of_class[lo..=hi]) {
            sum += here;
            *below = sum;
        }
        let sums = left[..n].iter_mut().zip(&mut right[..n]).zip(&mut mass[..n]);
        for (((left, right), mass), &below) in sums.zip(&below[..n]) {
            *left += score.term(below);
            *right += score.term(total - below);
            *mass += below;
        }
    }
    if mass[0] == whole.mass {
        return Offer::Constant;
    }
    let all: f64 = whole.mass.into();
    let mut scores = [f64::NEG_INFINITY; N_BINS];
    let sides = left[..n].iter().zip(&right[..n]).zip(&mass[..n]);
    for (out, ((&left, &right), &mass)) in scores[..n].iter_mut().zip(sides) {
        let left_mass: f64 = mass.into();
        let right_mass = all - left_mass;
        let is_split = left_mass > 0.0 && right_mass > 0.0;
        let found = score.of_split(left, left_mass, right, right_mass);
        *out = if is_split { found } else { f64::NEG_INFINITY };
    }
    if whole.min_samples_leaf > 1 {
        let n_rows = &histogram[whole.masses.len() * N_BINS..];
        let (mut n_left, least) = (0.0, whole.min_samples_leaf as f64);
        for (score, &here) in scores[..n].iter_mut().zip(&n_rows[lo..=hi]) {
            n_left += here.into();
            if n_left < least || whole.n_rows as f64 - n_left < least {
                *score = f64::NEG_INFINITY;
            }
        }
    }
    let mut best = 0;
    for bin in 1..n {
        if scores[bin] > scores[best] {
            best = bin;
        }
    }
    if scores[best] == f64::NEG_INFINITY {
        return if mass[..n].iter().any(|&m| m != W::default() && m != whole.mass) {
            Offer::Nothing
        } else {
            Offer::Constant
        };
    }
    let is_next = |&bin: &usize| mass[bin] != mass[best];
    let above = (best + 1..n).find(is_next).unwrap_or(n - 1);
    Offer::Split(Split { score: scores[best], below: (lo + best) as u8, above: (lo + above) as u8 })
}

/// Masses by bin and class of a small node, cleared by the scan: only bins that are seen are
/// visited.
pub(super) struct Cells<W, const K: usize> {
    masses: Box<[[W; K]; N_BINS]>,
    seen: Box<[u8; N_BINS]>,
    n_rows: Box<[u32; N_BINS]>,
}

impl<W: Mass, const K: usize> Cells<W, K> {
    pub fn new() -> Self {
        Cells {
            masses: Box::new([[W::default(); K]; N_BINS]),
            seen: Box::new([0; N_BINS]),
            n_rows: Box::new([0; N_BINS]),
        }
    }

    /// The best split of a feature. `bin_of` gives the bin of a row by its offset; `classes` are
    /// below `K`, a power of two.
    #[inline(always)]
    pub fn scan<S: Score<W>>(
        &mut self,
        score: &S,
        whole: &Whole<W>,
        offsets: &[u32],
        classes: &[u16],
        masses: &[W],
        bin_of: impl Fn(u32) -> u8,
    ) -> Offer {
        let needs_rows = whole.min_samples_leaf > 1;
        for ((&offset, &class), &mass) in offsets.iter().zip(classes).zip(masses) {
            let bin = usize::from(bin_of(offset));
            self.masses[bin][usize::from(class) & (K - 1)] += mass;
            self.seen[bin] = 1;
            if needs_rows {
                self.n_rows[bin] += 1;
            }
        }
        let occupied = crate::kernels::occupied::bits(crate::kernels::Cpu::detect(), &self.seen);
        let n_occupied: u32 = occupied.iter().map(|word| word.count_ones()).sum();
        let mut totals = [W::default(); K];
        totals[..whole.masses.len().min(K)].copy_from_slice(whole.masses);
        let all: f64 = whole.mass.into();
        let mut left = [W::default(); K];
        let mut left_mass = W::default();
        let mut n_left = 0;
        // The best so far still wants its upper neighbour.
        let mut best = Split { score: f64::NEG_INFINITY, below: 0, above: 0 };
        let mut is_open = false;
        let mut n_to_come = n_occupied;
        for (nth, &word) in occupied.iter().enumerate() {
            let mut word = word;
            while word != 0 {
                let bin = nth * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                if is_open {
                    best.above = bin as u8;
                    is_open = false;
                }
                let mut right = [W::default(); K];
                for k in 0..K {
                    let here = self.masses[bin][k];
                    left[k] += here;
                    left_mass += here;
                    right[k] = totals[k] - left[k];
                }
                self.masses[bin] = [W::default(); K];
                self.seen[bin] = 0;
                n_to_come -= 1;
                if needs_rows {
                    n_left += std::mem::take(&mut self.n_rows[bin]) as usize;
                    let least = n_left.min(whole.n_rows - n_left);
                    if least < whole.min_samples_leaf {
                        continue;
                    }
                }
                if n_to_come == 0 {
                    break;
                }
                let left_mass: f64 = left_mass.into();
                let (l, r) = (score.terms(&left), score.terms(&right));
                let found = score.of_split(l, left_mass, r, all - left_mass);
                if found > best.score {
                    best = Split { score: found, below: bin as u8, above: 0 };
                    is_open = true;
                }
            }
        }
        match best.score {
            f64::NEG_INFINITY if n_occupied < 2 => Offer::Constant,
            f64::NEG_INFINITY => Offer::Nothing,
            _ => Offer::Split(best),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::criterion::{Entropy, Gini, weight_units};
    use super::*;
    use crate::data::Rng;

    struct Rows<W> {
        bins: Vec<u8>,
        classes: Vec<u16>,
        masses: Vec<W>,
    }

    /// The best split by summing up both sides of every cut.
    fn naive<W: Mass, S: Score<W>>(score: &S, rows: &Rows<W>, whole: &Whole<W>) -> Offer {
        let mut occupied = rows.bins.clone();
        occupied.sort_unstable();
        occupied.dedup();
        let mut best: Option<Split> = None;
        for pair in occupied.windows(2) {
            let mut sides =
                [vec![W::default(); whole.masses.len()], vec![W::default(); whole.masses.len()]];
            let mut n_rows = [0; 2];
            for ((&bin, &class), &mass) in rows.bins.iter().zip(&rows.classes).zip(&rows.masses) {
                let side = usize::from(bin > pair[0]);
                sides[side][usize::from(class)] += mass;
                n_rows[side] += 1;
            }
            if n_rows[0].min(n_rows[1]) < whole.min_samples_leaf {
                continue;
            }
            let [left, right] = &sides;
            let mass = |side: &[W]| side.iter().map(|&mass| mass.into()).sum::<f64>();
            let found =
                score.of_split(score.terms(left), mass(left), score.terms(right), mass(right));
            if best.is_none_or(|best| found > best.score) {
                best = Some(Split { score: found, below: pair[0], above: pair[1] });
            }
        }
        match best {
            Some(split) => Offer::Split(split),
            None if occupied.len() < 2 => Offer::Constant,
            None => Offer::Nothing,
        }
    }

    fn compare<W: Mass, S: Score<W>>(
        score: &S,
        rows: &Rows<W>,
        n_classes: usize,
        least: usize,
    ) -> [Offer; 4] {
        let mut masses = vec![W::default(); n_classes];
        for (&class, &mass) in rows.classes.iter().zip(&rows.masses) {
            masses[usize::from(class)] += mass;
        }
        let mass = masses.iter().fold(W::default(), |sum, &mass| sum + mass);
        let n_rows = rows.bins.len();
        let whole = Whole { masses: &masses, mass, n_rows, min_samples_leaf: least };
        let expected = naive(score, rows, &whole);
        let mut histogram = vec![W::default(); (n_classes + 1) * N_BINS];
        for ((&bin, &class), &mass) in rows.bins.iter().zip(&rows.classes).zip(&rows.masses) {
            histogram[usize::from(class) * N_BINS + usize::from(bin)] += mass;
            histogram[n_classes * N_BINS + usize::from(bin)] += W::ONE;
        }
        let by_histogram = scan_histogram(score, &histogram, &whole, (0, 255));
        let offsets: Vec<u32> = (0..n_rows as u32).collect();
        let mut cells = Cells::<W, 16>::new();
        let mut by_cells = || {
            let bin_of = |row: u32| rows.bins[row as usize];
            cells.scan(score, &whole, &offsets, &rows.classes, &rows.masses, bin_of)
        };
        // Twice: the scan leaves the cells empty.
        [expected, by_histogram, by_cells(), by_cells()]
    }

    fn both(bins: &[u8], classes: &[u16], masses: Vec<u32>, least: usize) {
        let sum: f64 = masses.iter().copied().map(f64::from).sum();
        let rows = Rows { bins: bins.to_vec(), classes: classes.to_vec(), masses };
        for offers in
            [compare(&Gini, &rows, 5, least), compare(&Entropy::<u32>::new(sum), &rows, 5, least)]
        {
            assert!(offers.iter().all(|&offer| offer == offers[0]), "{offers:?}");
        }
    }

    #[test]
    fn both_scans_find_the_split_of_a_search_by_hand() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed, &["split"]);
            let n = 1 + rng.below(60);
            let spread = [1, 3, 40, 256][rng.below(4)];
            let bins: Vec<u8> = (0..n).map(|_| rng.below(spread) as u8).collect();
            let classes: Vec<u16> = (0..n).map(|_| rng.below(5) as u16).collect();
            let least = 1 + rng.below(4);
            let counts: Vec<u32> = (0..n).map(|_| 1 + rng.below(3) as u32).collect();
            both(&bins, &classes, counts, least);
            let weights: Vec<f64> = (0..n).map(|_| 0.1 + f64::from(rng.unit_f32())).collect();
            let rows = Rows { bins, classes, masses: weight_units(&weights) };
            // Sums of rounded squares: of equal splits any may come out.
            let scores = compare(&Gini, &rows, 5, least).map(|offer| match offer {
                Offer::Split(split) => split.score,
                _ => f64::NAN,
            });
            let [expected, others @ ..] = scores;
            for found in others {
                let is_near = (found - expected).abs() <= 1e-12 * expected;
                assert!(is_near || (found.is_nan() && expected.is_nan()), "{scores:?}");
            }
        }
    }
}
