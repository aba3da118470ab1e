//! Features as bins of a byte each, by column: what every histogram is counted from.

use rayon::prelude::*;

use crate::data::Features;
use crate::learn::LearnError;
use crate::progress::Progress;

/// Most bins of a real feature.
pub const MAX_FLOAT_BINS: usize = 256;

/// Features of one piece of work, and rows of one transposed block: a block of bytes is 4 KiB.
const BLOCK: usize = 64;

/// Binned features, by column.
///
/// A byte is its own bin: exact. A real feature with at most [`MAX_FLOAT_BINS`] distinct values has
/// one bin for each: exact too. Any other is cut at quantiles of all its rows into bins of about
/// equal numbers of rows; equal values share a bin, and splits between values of one bin are not
/// seen.
pub struct Bins {
    /// `[n_features, n_samples]`
    columns: Vec<u8>,
    n_samples: usize,
    /// Lowest and highest bin that rows fall into, by feature.
    ranges: Vec<(u8, u8)>,
    values: Values,
}

/// What bins stand for.
enum Values {
    /// Bin / 255.
    Bytes,
    /// Of each feature, by bin.
    Floats(Vec<FloatBins>),
}

/// The bins of one real feature.
#[derive(Default)]
struct FloatBins {
    /// Lowest value of each bin, ascending.
    lowest: Vec<f32>,
    /// Highest value of each bin.
    highest: Vec<f32>,
}

/// A cut between two bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Rows up to this bin go left.
    pub bin: u8,
    /// Rows up to this real value go left; the same rows.
    pub threshold: f32,
}

impl Bins {
    /// Bins of row-major features whose values are finite.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    ///
    /// # Panics
    /// If the features are not row-major.
    ///
    /// # Cost
    /// Bytes: one transposition. Floats: a sort of each column. A byte a value is kept.
    pub fn of(features: &Features, progress: &dyn Progress) -> Result<Self, LearnError> {
        let (n_samples, n_features) = (features.n_samples(), features.n_features());
        let mut columns = vec![0u8; n_samples * n_features];
        let row_major = "features are row-major";
        let groups = columns.par_chunks_mut((BLOCK * n_samples).max(1)).enumerate();
        let values = match features {
            Features::Bytes(rows) => {
                let rows = rows.as_slice().expect(row_major);
                groups.try_for_each(|(group, columns)| {
                    stop_if(progress)?;
                    transpose(rows, n_features, group * BLOCK, columns, n_samples);
                    Ok::<(), LearnError>(())
                })?;
                Values::Bytes
            }
            Features::Floats(rows) => {
                let rows = rows.as_slice().expect(row_major);
                let bins = groups.map(|(group, columns)| {
                    let mut floats = vec![0f32; columns.len()];
                    transpose(rows, n_features, group * BLOCK, &mut floats, n_samples);
                    let mut keys = vec![0u64; n_samples];
                    let columns = columns.chunks_exact_mut(n_samples);
                    let bin = |(column, values): (&mut [u8], &[f32])| {
                        stop_if(progress)?;
                        Ok(bin_floats(values, &mut keys, column))
                    };
                    columns.zip(floats.chunks_exact(n_samples)).map(bin).collect()
                });
                let bins: Result<Vec<Vec<FloatBins>>, LearnError> = bins.collect();
                Values::Floats(bins?.into_iter().flatten().collect())
            }
        };
        let range = |column: &[u8]| {
            let bounds = |(lo, hi): (u8, u8), &bin: &u8| (lo.min(bin), hi.max(bin));
            column.iter().fold((u8::MAX, 0), bounds)
        };
        let ranges = columns.par_chunks_exact(n_samples.max(1)).map(range).collect();
        Ok(Bins { columns, n_samples, ranges, values })
    }

    /// Number of rows.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.ranges.len()
    }

    /// The bin of each row, `[n_samples]`.
    ///
    /// # Panics
    /// If there is no such feature.
    pub fn column(&self, feature: usize) -> &[u8] {
        &self.columns[feature * self.n_samples..][..self.n_samples]
    }

    /// The bins by row, `[n_samples, n_features]`.
    pub fn by_row(&self) -> Vec<u8> {
        let n_features = self.n_features();
        let mut rows = vec![0; self.columns.len()];
        let groups = rows.par_chunks_mut((BLOCK * n_features).max(1)).enumerate();
        groups.for_each(|(group, rows)| {
            transpose(&self.columns, self.n_samples, group * BLOCK, rows, n_features);
        });
        rows
    }

    /// Lowest and highest bin that rows fall into.
    pub fn range(&self, feature: usize) -> (u8, u8) {
        self.ranges[feature]
    }

    /// Whether all rows fall into one bin, so that nothing can be split.
    pub fn is_constant(&self, feature: usize) -> bool {
        self.ranges[feature].0 >= self.ranges[feature].1
    }

    /// Whether no bin holds two different values: splits are those of an exhaustive search.
    pub fn is_exact(&self) -> bool {
        match &self.values {
            Values::Bytes => true,
            Values::Floats(all) => all.iter().all(|bins| bins.lowest == bins.highest),
        }
    }

    /// Real value midway between a bin and the next; rows up to the bin have values up to it.
    pub fn threshold(&self, feature: usize, bin: u8) -> f32 {
        match &self.values {
            Values::Bytes => (f32::from(bin) + 0.5) / 255.0,
            Values::Floats(all) => all[feature].threshold(usize::from(bin)),
        }
    }

    /// The cut midway between two bins, `below < above`, with no row of a node between them. As
    /// scikit-learn, a value that lies midway goes left.
    pub fn cut_between(&self, feature: usize, below: u8, above: u8) -> Cut {
        match &self.values {
            Values::Bytes => {
                let bin = below + (above - below) / 2;
                Cut { bin, threshold: self.threshold(feature, bin) }
            }
            Values::Floats(all) => {
                let bins = &all[feature];
                let (lo, hi) = (bins.highest[usize::from(below)], bins.lowest[usize::from(above)]);
                bins.cut_at(midpoint(lo, hi))
            }
        }
    }

    /// The cut at a part, from 0 to below 1, of the way from the lowest value of `below` to the
    /// highest of `above`, `below < above`; rows of `below` go left and those of `above` right.
    pub fn cut_within(&self, feature: usize, below: u8, above: u8, part: f64) -> Cut {
        match &self.values {
            Values::Bytes => {
                let bin = below + (part * f64::from(above - below)) as u8;
                let bin = bin.min(above - 1);
                Cut { bin, threshold: self.threshold(feature, bin) }
            }
            Values::Floats(all) => {
                let bins = &all[feature];
                let (lo, hi) = (bins.lowest[usize::from(below)], bins.highest[usize::from(above)]);
                let value = f64::from(lo) + part * (f64::from(hi) - f64::from(lo));
                let first = bins.highest[usize::from(below)];
                let last =
                    midpoint(bins.highest[usize::from(above) - 1], bins.lowest[usize::from(above)]);
                bins.cut_at((value as f32).max(first).min(last))
            }
        }
    }
}

impl FloatBins {
    fn threshold(&self, bin: usize) -> f32 {
        match self.lowest.get(bin + 1) {
            Some(&next) => midpoint(self.highest[bin], next),
            None => self.highest[bin],
        }
    }

    /// The cut at a value between the lowest and the highest. One that falls inside a bin is moved
    /// past it: rows of one bin stay together.
    fn cut_at(&self, value: f32) -> Cut {
        let bin = self.lowest.partition_point(|&lowest| lowest <= value).max(1) - 1;
        let is_past = self.highest[bin] <= value;
        let threshold = if is_past { value } else { self.threshold(bin) };
        Cut { bin: bin as u8, threshold }
    }
}

/// A value at or above `lo` and below `hi`, midway.
fn midpoint(lo: f32, hi: f32) -> f32 {
    // Halved first: the sum may overflow.
    let middle = lo / 2.0 + hi / 2.0;
    if middle >= lo && middle < hi { middle } else { lo }
}

pub(super) fn stop_if(progress: &dyn Progress) -> Result<(), LearnError> {
    if progress.interrupted() { Err(LearnError::Interrupted) } else { Ok(()) }
}

/// Columns `first..` of row-major rows, one after another, as many as `columns` holds.
fn transpose<T: Copy>(
    rows: &[T],
    n_features: usize,
    first: usize,
    columns: &mut [T],
    n_samples: usize,
) {
    let n_columns = columns.len() / n_samples.max(1);
    for start in (0..n_samples).step_by(BLOCK) {
        let end = (start + BLOCK).min(n_samples);
        let block = &rows[start * n_features..end * n_features];
        for f in 0..n_columns {
            let out = &mut columns[f * n_samples + start..f * n_samples + end];
            for (out, row) in out.iter_mut().zip(block.chunks_exact(n_features)) {
                *out = row[first + f];
            }
        }
    }
}

/// A float's bits so that unsigned order is the order of values; -0 is 0.
fn ordered(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// Bins one feature; `keys` is room for `n_samples` numbers.
fn bin_floats(values: &[f32], keys: &mut [u64], column: &mut [u8]) -> FloatBins {
    for (row, (key, &value)) in keys.iter_mut().zip(values).enumerate() {
        *key = u64::from(ordered(value)) << 32 | row as u64;
    }
    keys.sort_unstable();
    let groups = || keys.chunk_by(|a, b| a >> 32 == b >> 32);
    let row_of = |key: &u64| *key as u32 as usize;
    // Few distinct values: a bin each. Else bins that take their part of the rows that are left,
    // so that a value which many rows have leaves bins to the others.
    let is_exact = groups().nth(MAX_FLOAT_BINS).is_none();
    let (mut n_left, mut n_bins_left) = (keys.len(), MAX_FLOAT_BINS);
    let mut bins = FloatBins::default();
    let mut n_in_bin = 0;
    for group in groups() {
        let value = values[row_of(&group[0])] + 0.0;
        if n_in_bin == 0 {
            bins.lowest.push(value);
            bins.highest.push(value);
        }
        if let Some(highest) = bins.highest.last_mut() {
            *highest = value;
        }
        for key in group {
            column[row_of(key)] = (bins.lowest.len() - 1) as u8;
        }
        n_in_bin += group.len();
        if is_exact || n_in_bin * n_bins_left >= n_left {
            n_left -= n_in_bin;
            n_bins_left -= 1;
            n_in_bin = 0;
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::data::Rng;
    use crate::progress::Silent;

    fn bins(features: &Features) -> Bins {
        Bins::of(features, &Silent).unwrap()
    }

    #[test]
    fn bytes_are_their_own_bins() {
        let mut rng = Rng::new(1, &["bins"]);
        for (n, m) in [(1, 1), (63, 65), (130, 200)] {
            let rows = Array2::from_shape_fn((n, m), |_| rng.next_u32() as u8);
            let bins = bins(&Features::Bytes(rows.clone()));
            for f in 0..m {
                assert_eq!(bins.column(f), rows.column(f).to_vec());
            }
            assert!(bins.is_exact());
        }
    }

    #[test]
    fn a_cut_between_bytes_is_midway_and_sends_the_middle_left() {
        let bins = bins(&Features::Bytes(array![[0], [10]]));
        assert_eq!(bins.cut_between(0, 0, 10), Cut { bin: 5, threshold: 5.5 / 255.0 });
        assert_eq!(bins.cut_between(0, 0, 1), Cut { bin: 0, threshold: 0.5 / 255.0 });
        assert_eq!(
            bins.cut_within(0, 0, 255, 0.999_999),
            Cut { bin: 254, threshold: 254.5 / 255.0 }
        );
    }

    #[test]
    fn few_distinct_floats_are_exact_and_minus_zero_is_zero() {
        let bins = bins(&Features::Floats(array![[0.5, 1.0], [-0.0, 1.0], [0.0, 1.0], [3.0, 1.0]]));
        assert_eq!(bins.column(0), [1, 0, 0, 2]);
        assert!(bins.is_exact());
        assert!(bins.is_constant(1) && !bins.is_constant(0));
        assert_eq!(bins.cut_between(0, 0, 2), Cut { bin: 1, threshold: 1.5 });
        assert_eq!(bins.cut_between(0, 1, 2), Cut { bin: 1, threshold: 1.75 });
    }

    #[test]
    fn a_value_that_half_of_all_rows_have_leaves_bins_to_the_others() {
        let rows = Array2::from_shape_fn((2000, 1), |(row, _)| row.saturating_sub(1000) as f32);
        let bins = bins(&Features::Floats(rows));
        assert!(!bins.is_exact());
        assert_eq!(bins.range(0), (0, 255));
        assert_eq!(bins.column(0)[..1001], [0; 1001]);
    }

    proptest! {
        #[test]
        fn cuts_by_bin_and_by_value_agree(seed in 0u64..1000, n in 2usize..900, spread in 1u32..2000) {
            let mut rng = Rng::new(seed, &["cuts"]);
            let value = |rng: &mut Rng| (rng.next_u32() % spread) as f32 / 7.0 - 3.0;
            let rows = Array2::from_shape_fn((n, 1), |_| value(&mut rng));
            let bins = bins(&Features::Floats(rows.clone()));
            let (lo, hi) = bins.range(0);
            prop_assume!(lo < hi);
            let below = lo + rng.below(usize::from(hi - lo)) as u8;
            let above = below + 1 + rng.below(usize::from(hi - below)) as u8;
            let part = f64::from(rng.unit_f32());
            for cut in [
                bins.cut_between(0, below, above),
                bins.cut_within(0, below, above, part),
                Cut { bin: below, threshold: bins.threshold(0, below) },
            ] {
                prop_assert!(below <= cut.bin && cut.bin < above, "{below} {cut:?} {above}");
                for (value, &bin) in rows.iter().zip(bins.column(0)) {
                    prop_assert_eq!(bin <= cut.bin, *value <= cut.threshold);
                }
            }
        }
    }
}
