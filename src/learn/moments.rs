//! Means, scatter matrices and variances of rows, by group.
//!
//! Sums of bytes are exact integers; floats are summed in `f64` about their group's mean. Results are
//! in real units (a byte `v` counts as `v / 255`) and do not depend on the number of threads: integers
//! add up in any order, floats in fixed parts.

use ndarray::{Array2, ArrayView1, s};
use rayon::prelude::*;

use super::LearnError;
use super::input::InputError;
use super::linalg::add_gram;
use super::map_rows::{real_rows, stop_if};
use crate::data::{Features, Labels};
use crate::kernels::Cpu;
use crate::kernels::bytes::{ByteGram, GRAM_MAX_ROWS};
use crate::progress::Progress;

/// Most features of a scatter matrix: 512 MiB a matrix of `f64`.
pub(super) const MAX_FEATURES: usize = 8192;

/// Rows of floats between two looks at [`Progress::interrupted`].
const CHUNK: usize = 256;

/// Rows of bytes whose squares surely add up in `u32`: `4096 * 255^2 < 2^32`.
const BYTE_CHUNK: usize = 4096;

/// Real value of a byte of 1.
const UNIT: f64 = 1.0 / 255.0;

/// Rows, the group of each, and how much each counts.
#[derive(Clone, Copy)]
pub(super) struct Grouped<'a> {
    /// Row-major, finite.
    pub features: &'a Features,
    /// Group of each row, `0..n_groups`; none for one group.
    pub groups: Option<&'a Labels>,
    pub n_groups: usize,
    /// Finite, not negative; none for 1 each.
    pub weights: Option<&'a [f64]>,
}

impl<'a> Grouped<'a> {
    /// All rows as one group.
    pub fn whole(features: &'a Features, weights: Option<&'a [f64]>) -> Self {
        Grouped { features, groups: None, n_groups: 1, weights }
    }

    fn group(&self, row: usize) -> usize {
        self.groups.map_or(0, |groups| groups[row])
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    fn shape(&self) -> (usize, usize) {
        (self.features.n_samples(), self.features.n_features())
    }

    /// Sums of weights and of their squares, by group.
    fn counts(&self) -> Vec<Count> {
        let mut counts = vec![Count::default(); self.n_groups];
        for row in 0..self.features.n_samples() {
            let (count, weight) = (&mut counts[self.group(row)], self.weight(row));
            count.weight += weight;
            count.square += weight * weight;
            count.n += usize::from(weight > 0.0);
        }
        counts
    }

    /// The bytes, if their sums are integers.
    fn exact_bytes(&self) -> Option<&'a [u8]> {
        match self.features {
            Features::Bytes(rows) if self.weights.is_none() => rows.as_slice(),
            _ => None,
        }
    }
}

/// What a group's samples count for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// Samples with a weight above 0.
    pub n: usize,
    /// Sum of the weights.
    pub weight: f64,
    /// Sum of their squares.
    pub square: f64,
}

impl Count {
    /// What a scatter is divided by for an unbiased covariance: `n - 1` for equal weights.
    pub fn freedom(&self) -> f64 {
        if self.weight > 0.0 { self.weight - self.square / self.weight } else { 0.0 }
    }
}

/// Means by group, and the scatter about them.
pub(super) struct Moments {
    /// `[n_groups]`
    pub counts: Vec<Count>,
    /// `[n_groups, n_features]`; 0 for a group that does not count.
    pub means: Array2<f64>,
    /// `sum_i w_i (x_i - m) (x_i - m)^T` with the mean of each row's own group,
    /// `[n_features, n_features]`, symmetric.
    pub scatter: Array2<f64>,
}

impl Moments {
    /// # Errors
    /// More than [`MAX_FEATURES`], or an interruption.
    ///
    /// # Cost
    /// `n_features^2 / 2` multiplications a row, of integers for bytes without weights.
    pub fn of(rows: Grouped, progress: &dyn Progress) -> Result<Self, LearnError> {
        let (_, found) = rows.shape();
        if found > MAX_FEATURES {
            let (what, limit) = ("a covariance matrix", MAX_FEATURES);
            return Err(InputError::TooManyFeatures { what, found, limit }.into());
        }
        match rows.exact_bytes() {
            Some(bytes) => Moments::of_bytes(rows, bytes, progress),
            None => Moments::of_reals(rows, progress),
        }
    }

    fn of_bytes(rows: Grouped, bytes: &[u8], progress: &dyn Progress) -> Result<Self, LearnError> {
        let (n_samples, n) = rows.shape();
        let cpu = Cpu::detect();
        let gram = in_integer_parts(n_samples, GRAM_MAX_ROWS, ByteGram::new(n), |gram, part| {
            stop_if(progress)?;
            gram.add(cpu, &bytes[part.start * n..part.end * n]);
            Ok(())
        })?;
        let Some(gram) = gram.into_iter().reduce(|mut all, part| {
            all.merge(&part);
            all
        }) else {
            return Err(InputError::Empty { n_samples, n_features: n }.into());
        };
        let counts = rows.counts();
        let sums = match rows.groups {
            None => Array2::from_shape_fn((1, n), |(_, j)| gram.sums()[j] as f64),
            Some(_) => byte_sums(rows, bytes, progress)?.0.mapv(|sum| sum as f64),
        };
        let mut scatter = Array2::zeros((n, n));
        let lines = scatter.as_slice_mut().unwrap_or(&mut []);
        lines.par_chunks_mut(n).enumerate().for_each(|(j, line)| {
            for (sum, &product) in line[..=j].iter_mut().zip(&gram.products()[j * n..]) {
                *sum = product as f64;
            }
            for (sums, count) in sums.rows().into_iter().zip(&counts) {
                let share = sums[j];
                if count.n > 0 {
                    for (sum, &other) in line[..=j].iter_mut().zip(&sums) {
                        *sum -= share * other / count.weight;
                    }
                }
            }
            line[..=j].iter_mut().for_each(|sum| *sum *= UNIT * UNIT);
        });
        mirror(&mut scatter);
        Ok(Moments { means: means_of(sums * UNIT, &counts), counts, scatter })
    }

    fn of_reals(rows: Grouped, progress: &dyn Progress) -> Result<Self, LearnError> {
        let (n_samples, n) = rows.shape();
        let counts = rows.counts();
        let means = real_means(rows, &counts, progress)?;
        // A matrix each: few where they are large.
        let n_parts = if n <= 1024 { 8 } else { 2 };
        let parts = in_real_parts(n_samples, n_parts, |part| {
            let mut scatter = Array2::zeros((n, n));
            for_each_chunk(rows, part, progress, |first, chunk| {
                for (nth, mut x) in chunk.rows_mut().into_iter().enumerate() {
                    x -= &means.row(rows.group(first + nth));
                    x *= rows.weight(first + nth).sqrt();
                }
                add_gram(&mut scatter, chunk.view());
            })?;
            Ok(scatter)
        })?;
        let mut scatter = sum_in_order(parts, (n, n));
        mirror(&mut scatter);
        Ok(Moments { counts, means, scatter })
    }

    /// Weight of all samples.
    pub fn weight(&self) -> f64 {
        self.counts.iter().map(|count| count.weight).sum()
    }
}

/// Means and variances of each feature, by group.
pub(super) struct Variances {
    /// `[n_groups]`
    pub counts: Vec<Count>,
    /// `[n_groups, n_features]`; 0 for a group that does not count.
    pub means: Array2<f64>,
    /// Mean squared deviations from them, `[n_groups, n_features]`.
    pub variances: Array2<f64>,
}

impl Variances {
    /// # Errors
    /// An interruption.
    ///
    /// # Cost
    /// One pass over bytes without weights, two over others.
    pub fn of(rows: Grouped, progress: &dyn Progress) -> Result<Self, LearnError> {
        let (n_samples, n) = rows.shape();
        let counts = rows.counts();
        if let Some(bytes) = rows.exact_bytes() {
            let (sums, squares) = byte_sums(rows, bytes, progress)?;
            let mut variances = Array2::zeros((rows.n_groups, n));
            for (((group, j), variance), &square) in variances.indexed_iter_mut().zip(&squares) {
                let (n, sum) = (counts[group].n as u128, u128::from(sums[[group, j]]));
                if n > 0 {
                    // Exact: 0 for a constant feature.
                    let scatter = n * u128::from(square) - sum * sum;
                    *variance = scatter as f64 / (n * n) as f64 * UNIT * UNIT;
                }
            }
            let means = means_of(sums.mapv(|sum| sum as f64 * UNIT), &counts);
            return Ok(Variances { counts, means, variances });
        }
        let means = real_means(rows, &counts, progress)?;
        let parts = in_real_parts(n_samples, REAL_PARTS, |part| {
            let mut sums = Array2::zeros(means.dim());
            for_each_chunk(rows, part, progress, |first, chunk| {
                for (nth, mut x) in chunk.rows_mut().into_iter().enumerate() {
                    let (group, weight) = (rows.group(first + nth), rows.weight(first + nth));
                    x -= &means.row(group);
                    x.mapv_inplace(|v| v * v);
                    sums.row_mut(group).scaled_add(weight, &x);
                }
            })?;
            Ok(sums)
        })?;
        let variances = means_of(sum_in_order(parts, means.dim()), &counts);
        Ok(Variances { counts, means, variances })
    }
}

/// `sum_i w_i |x_i - m|^4` about the means of the groups.
///
/// # Errors
/// An interruption.
pub(super) fn fourth_powers(
    rows: Grouped,
    means: &Array2<f64>,
    progress: &dyn Progress,
) -> Result<f64, LearnError> {
    let parts = in_real_parts(rows.features.n_samples(), REAL_PARTS, |part| {
        let mut sum = 0.0;
        for_each_chunk(rows, part, progress, |first, chunk| {
            for (nth, x) in chunk.rows().into_iter().enumerate() {
                let mean = means.row(rows.group(first + nth));
                let square: f64 = x.iter().zip(mean).map(|(v, m)| (v - m) * (v - m)).sum();
                sum += rows.weight(first + nth) * square * square;
            }
        })?;
        Ok(sum)
    })?;
    Ok(parts.into_iter().sum())
}

/// Whether a variance is nothing but rounding of values about this mean.
pub(super) fn is_constant(mean: f64, variance: f64) -> bool {
    let rounding = 1e-11 * mean;
    variance <= rounding * rounding
}

/// Mean of all rows, from those of the groups.
pub(super) fn overall_mean(counts: &[Count], means: &Array2<f64>) -> Vec<f64> {
    let total: f64 = counts.iter().map(|count| count.weight).sum();
    let mut mean = vec![0.0; means.ncols()];
    for (count, group) in counts.iter().zip(means.rows()) {
        for (mean, value) in mean.iter_mut().zip(group) {
            *mean += count.weight / total * value;
        }
    }
    mean
}

/// Sums and sums of squares by group, each `[n_groups, n_features]`.
fn byte_sums(
    rows: Grouped,
    bytes: &[u8],
    progress: &dyn Progress,
) -> Result<(Array2<u64>, Array2<u64>), LearnError> {
    let (n_samples, n) = rows.shape();
    let shape = (rows.n_groups, n);
    let empty = (Array2::<u64>::zeros(shape), Array2::<u64>::zeros(shape));
    let parts = in_integer_parts(n_samples, BYTE_CHUNK, empty.clone(), |(sums, squares), part| {
        stop_if(progress)?;
        let mut small = Array2::<u32>::zeros((rows.n_groups, 2 * n));
        let lines = small.as_slice_mut().unwrap_or(&mut []);
        for row in part {
            let line = &mut lines[rows.group(row) * 2 * n..][..2 * n];
            let (sums, squares) = line.split_at_mut(n);
            for ((sum, square), &v) in sums.iter_mut().zip(squares).zip(&bytes[row * n..]) {
                let v = u16::from(v);
                *sum += u32::from(v);
                *square += u32::from(v * v);
            }
        }
        sums.zip_mut_with(&small.slice(s![.., ..n]), |sum, &more| *sum += u64::from(more));
        squares.zip_mut_with(&small.slice(s![.., n..]), |sum, &more| *sum += u64::from(more));
        Ok(())
    })?;
    Ok(parts.into_iter().fold(empty, |(sums, squares), part| (sums + part.0, squares + part.1)))
}

/// Weighted means of the groups, by sums in `f64`.
fn real_means(
    rows: Grouped,
    counts: &[Count],
    progress: &dyn Progress,
) -> Result<Array2<f64>, LearnError> {
    let (n_samples, n) = rows.shape();
    let parts = in_real_parts(n_samples, REAL_PARTS, |part| {
        let mut sums = Array2::zeros((rows.n_groups, n));
        for_each_chunk(rows, part, progress, |first, chunk| {
            for (nth, x) in chunk.rows().into_iter().enumerate() {
                let weight = rows.weight(first + nth);
                sums.row_mut(rows.group(first + nth)).scaled_add(weight, &x);
            }
        })?;
        Ok(sums)
    })?;
    Ok(means_of(sum_in_order(parts, (rows.n_groups, n)), counts))
}

/// Sums over the weight of their group.
fn means_of(mut sums: Array2<f64>, counts: &[Count]) -> Array2<f64> {
    for (mut sums, count) in sums.rows_mut().into_iter().zip(counts) {
        if count.weight > 0.0 {
            sums /= count.weight;
        }
    }
    sums
}

/// Pieces of which floats are summed, each by itself, whatever the number of threads.
const REAL_PARTS: usize = 8;

/// Calls `work` with `n_parts` ranges of rows, in parallel; what it makes, in order.
fn in_real_parts<T: Send>(
    n_samples: usize,
    n_parts: usize,
    work: impl Fn(std::ops::Range<usize>) -> Result<T, LearnError> + Sync,
) -> Result<Vec<T>, LearnError> {
    let length = n_samples.div_ceil(n_parts).next_multiple_of(CHUNK);
    let bounds = |part: usize| (part * length).min(n_samples)..((part + 1) * length).min(n_samples);
    (0..n_parts).into_par_iter().map(|part| work(bounds(part))).collect()
}

/// Calls `take` with chunks of real rows and the position of their first.
fn for_each_chunk(
    rows: Grouped,
    part: std::ops::Range<usize>,
    progress: &dyn Progress,
    mut take: impl FnMut(usize, &mut Array2<f64>),
) -> Result<(), LearnError> {
    for first in part.clone().step_by(CHUNK) {
        stop_if(progress)?;
        take(first, &mut real_rows(rows.features, first, (first + CHUNK).min(part.end)));
    }
    Ok(())
}

/// Adds rows up by chunks, one sum a thread: only for sums that are exact in any order.
fn in_integer_parts<T: Clone + Send>(
    n_samples: usize,
    chunk: usize,
    empty: T,
    add: impl Fn(&mut T, std::ops::Range<usize>) -> Result<(), LearnError> + Sync,
) -> Result<Vec<T>, LearnError> {
    let n_parts = rayon::current_num_threads().min(n_samples.div_ceil(chunk)).max(1);
    let length = n_samples.div_ceil(n_parts).next_multiple_of(chunk);
    let mut sums = vec![empty; n_parts];
    sums.par_iter_mut().enumerate().try_for_each(|(part, sum)| {
        let end = ((part + 1) * length).min(n_samples);
        for first in (part * length..end).step_by(chunk) {
            add(sum, first..(first + chunk).min(end))?;
        }
        Ok::<(), LearnError>(())
    })?;
    Ok(sums)
}

fn sum_in_order(parts: Vec<Array2<f64>>, shape: (usize, usize)) -> Array2<f64> {
    parts.into_iter().reduce(|sum, part| sum + part).unwrap_or_else(|| Array2::zeros(shape))
}

/// Copies the lower triangle to the upper.
fn mirror(matrix: &mut Array2<f64>) {
    let n = matrix.nrows();
    for i in 0..n {
        for j in 0..i {
            matrix[[j, i]] = matrix[[i, j]];
        }
    }
}

/// `|row|^2`.
pub(super) fn square(row: ArrayView1<f64>) -> f64 {
    row.iter().map(|v| v * v).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::*;
    use crate::data::Rng;
    use crate::progress::Silent;

    fn bytes(n_samples: usize, n_features: usize) -> Features {
        let mut rng = Rng::new(5, &["moments"]);
        Features::Bytes(Array2::from_shape_fn((n_samples, n_features), |(_, j)| {
            if j == 3 { 200 } else { rng.below(256) as u8 }
        }))
    }

    fn real(features: &Features) -> Array2<f64> {
        real_rows(features, 0, features.n_samples())
    }

    /// Weight, mean and scatter of a group by the definition.
    fn naive(rows: Grouped, group: usize) -> (f64, Vec<f64>, Array2<f64>) {
        let n = rows.features.n_features();
        let members: Vec<usize> =
            (0..rows.features.n_samples()).filter(|&row| rows.group(row) == group).collect();
        let x = real(rows.features);
        let weight: f64 = members.iter().map(|&row| rows.weight(row)).sum();
        let mean: Vec<f64> = (0..n)
            .map(|j| {
                members.iter().map(|&row| rows.weight(row) * x[[row, j]]).sum::<f64>() / weight
            })
            .collect();
        let scatter = Array2::from_shape_fn((n, n), |(j, k)| {
            let term =
                |&row: &usize| rows.weight(row) * (x[[row, j]] - mean[j]) * (x[[row, k]] - mean[k]);
            members.iter().map(term).sum()
        });
        (weight, mean, scatter)
    }

    fn check(rows: Grouped) {
        let found = Moments::of(rows, &Silent).unwrap();
        let variances = Variances::of(rows, &Silent).unwrap();
        let mut scatter = Array2::zeros(found.scatter.dim());
        for group in 0..rows.n_groups {
            let (weight, mean, own) = naive(rows, group);
            assert!((found.counts[group].weight - weight).abs() < 1e-9);
            for (j, mean) in mean.iter().enumerate() {
                // Sums of thousands of values about 100.
                assert!((found.means[[group, j]] - mean).abs() < 1e-10);
                assert!((variances.means[[group, j]] - mean).abs() < 1e-10);
                let variance = own[[j, j]] / weight;
                assert!((variances.variances[[group, j]] - variance).abs() < 1e-10);
            }
            scatter += &own;
        }
        for (a, b) in found.scatter.iter().zip(&scatter) {
            assert!((a - b).abs() < 1e-7, "{a} and {b}");
        }
    }

    #[test]
    fn moments_are_those_of_the_definition() {
        let n = 2600;
        let features = bytes(n, 13);
        let floats = Features::Floats(real(&features).mapv(|v| (v * 7.0 + 100.0) as f32));
        let groups = Labels::from_shape_fn(n, |row| row / 2 % 3);
        let weights: Vec<f64> = (0..n).map(|row| (row % 4) as f64 / 2.0).collect();
        for features in [&features, &floats] {
            for weights in [None, Some(weights.as_slice())] {
                check(Grouped::whole(features, weights));
                check(Grouped { features, groups: Some(&groups), n_groups: 3, weights });
            }
        }
    }

    #[test]
    fn a_constant_feature_has_no_scatter_at_all() {
        let features = bytes(3000, 5);
        let found = Moments::of(Grouped::whole(&features, None), &Silent).unwrap();
        assert_eq!(found.scatter.index_axis(Axis(0), 3).to_vec(), [0.0; 5]);
        let found = Variances::of(Grouped::whole(&features, None), &Silent).unwrap();
        assert_eq!(found.variances[[0, 3]], 0.0);
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let features = bytes(3000, 40);
        let floats = Features::Floats(real(&features).mapv(|v| v as f32));
        for features in [&features, &floats] {
            let with = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let found = pool.install(|| Moments::of(Grouped::whole(features, None), &Silent));
                found.unwrap().scatter
            };
            assert_eq!(with(1), with(2));
            assert_eq!(with(1), with(3));
        }
    }

    #[test]
    fn too_wide_rows_are_refused() {
        let features = Features::Bytes(Array2::zeros((1, MAX_FEATURES + 1)));
        let error = Moments::of(Grouped::whole(&features, None), &Silent).err().unwrap();
        assert_eq!(
            error.to_string(),
            "8193 features, a covariance matrix takes up to 8192: it holds a number for each pair \
             of them"
        );
    }
}
