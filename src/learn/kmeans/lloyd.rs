//! Lloyd's iteration with Hamerly's bounds (Making k-means even faster, SDM 2010, 130-140).
//!
//! ```text
//! minimise sum_i w_i |x_i - c(a_i)|^2      rows x, weights w, clusters a, centres c
//! repeat   a_i = the nearest centre        (the first of equals)
//!          c_j = the mean of its rows
//! ```
//!
//! `u_i` is at least the distance of row i to its centre, `l_i` at most that to any other. When
//! centres move, `u_i` grows by the movement of its own and `l_i` falls by the largest movement; only
//! where `u_i` is no longer below `l_i`, nor below half the distance of its centre to the nearest
//! other, are distances computed. A relative slack covers their rounding.
//!
//! Sums of rows change only by rows that change their cluster (exact for bytes of equal weight). Rows
//! are cut into [`N_PIECES`] pieces whatever the number of threads, and their sums added in order.

use ndarray::Array2;
use rayon::prelude::*;

use crate::data::Features;
use crate::kernels::weights::Weights;
use crate::learn::LearnError;
use crate::learn::rows::Rows;
use crate::progress::Progress;

/// Pieces of the rows.
const N_PIECES: usize = 32;
/// Rows whose distances are computed at once.
const BATCH: usize = 128;
/// Relative slack of the bounds: distances are roots of `f64` sums that cancel.
const SLACK: f64 = 1e-6;

/// The rows of a fit.
pub(super) struct Data<'a> {
    rows: Rows<'a>,
    /// `|x|^2`
    squares: Vec<f64>,
    weights: Option<&'a [f64]>,
    /// Mean variance of the features.
    pub variance: f64,
}

impl<'a> Data<'a> {
    /// # Panics   if the features are not row-major
    pub fn new(features: &'a Features, weights: Option<&'a [f64]>) -> Self {
        let rows = Rows::new(features);
        let n_rows = features.n_samples();
        let squares: Vec<f64> = (0..n_rows).into_par_iter().map(|row| rows.square(row)).collect();
        let mut data = Data { rows, squares, weights, variance: 0.0 };
        // As scikit-learn: the tolerance looks at all rows, whatever their weights.
        let n = n_rows as f64;
        let sums = data.sum();
        let of_means: f64 = sums.iter().map(|sum| (sum / n) * (sum / n)).sum();
        let of_squares = data.squares.iter().sum::<f64>() / n;
        data.variance = ((of_squares - of_means) / features.n_features() as f64).max(0.0);
        data
    }

    /// Real value of a stored 1.
    pub fn scale(&self) -> f64 {
        self.rows.scale()
    }

    pub fn n_rows(&self) -> usize {
        self.squares.len()
    }

    pub fn n_features(&self) -> usize {
        self.rows.n_features()
    }

    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    pub fn rows_as_vectors(&self, chosen: &[usize]) -> Array2<f64> {
        let mut vectors = Array2::zeros((chosen.len(), self.n_features()));
        for (mut vector, &row) in vectors.rows_mut().into_iter().zip(chosen) {
            if let Some(vector) = vector.as_slice_mut() {
                self.rows.add(row, 1.0, vector);
            }
        }
        vectors
    }

    /// Rows of a piece.
    fn pieces(&self) -> impl IndexedParallelIterator<Item = std::ops::Range<usize>> {
        let (n_rows, size) = (self.n_rows(), self.n_rows().div_ceil(N_PIECES).max(1));
        let n_pieces = n_rows.div_ceil(size);
        (0..n_pieces)
            .into_par_iter()
            .map(move |piece| piece * size..((piece + 1) * size).min(n_rows))
    }

    /// The sum of all rows, `[n_features]`.
    fn sum(&self) -> Vec<f64> {
        let of_piece = |rows: std::ops::Range<usize>| {
            let mut sum = vec![0.0; self.n_features()];
            rows.for_each(|row| self.rows.add(row, 1.0, &mut sum));
            sum
        };
        let parts: Vec<Vec<f64>> = self.pieces().map(of_piece).collect();
        let mut sum = vec![0.0; self.n_features()];
        parts.iter().for_each(|part| add(&mut sum, part));
        sum
    }

    /// Squared distance of a row to a vector of squared length `square`.
    fn distance(&self, row: usize, vector: &[f64], square: f64) -> f64 {
        (self.squares[row] + square - 2.0 * self.rows.dot(row, vector)).max(0.0)
    }

    /// Sum of weighted squared distances of rows to their centres.
    fn inertia(&self, centers: &Array2<f64>, members: &[Member]) -> f64 {
        let squares = squares(centers);
        let of_piece = |rows: std::ops::Range<usize>| -> f64 {
            let one = |row: usize| {
                let cluster = members[row].cluster as usize;
                let center = centers.row(cluster);
                let center = center.as_slice().unwrap_or(&[]);
                self.weight(row) * self.distance(row, center, squares[cluster])
            };
            rows.map(one).sum()
        };
        let parts: Vec<f64> = self.pieces().map(of_piece).collect();
        parts.iter().sum()
    }
}

fn add(sums: &mut [f64], more: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(more) {
        *sum += value;
    }
}

fn stop_if(progress: &dyn Progress) -> Result<(), LearnError> {
    if progress.interrupted() { Err(LearnError::Interrupted) } else { Ok(()) }
}

/// Squared distances of all rows to some of them, `[chosen][n_rows]`.
pub(super) fn distances_to(
    data: &Data,
    chosen: &[usize],
    progress: &dyn Progress,
) -> Result<Vec<Vec<f64>>, LearnError> {
    let vectors = data.rows_as_vectors(chosen);
    let weights = Weights::pack(data.n_features(), vectors.as_slice().unwrap_or(&[]));
    let n_chosen = chosen.len();
    let by_piece: Result<Vec<Vec<f64>>, LearnError> = data
        .pieces()
        .map(|rows| {
            let rows: Vec<usize> = rows.collect();
            let mut distances = vec![0.0; rows.len() * n_chosen];
            for (rows, out) in rows.chunks(BATCH).zip(distances.chunks_mut(BATCH * n_chosen)) {
                stop_if(progress)?;
                data.rows.add_scores(rows, &weights, out);
                for (row, out) in rows.iter().zip(out.chunks_exact_mut(n_chosen)) {
                    for (distance, &other) in out.iter_mut().zip(chosen) {
                        let squares = data.squares[*row] + data.squares[other];
                        *distance = (squares - 2.0 * *distance).max(0.0);
                    }
                }
            }
            Ok(distances)
        })
        .collect();
    let by_piece = by_piece?;
    let column = |nth: usize| {
        by_piece
            .iter()
            .flat_map(|piece| piece.chunks_exact(n_chosen).map(move |d| d[nth]))
            .collect()
    };
    Ok((0..n_chosen).map(column).collect())
}

/// Squared length of each centre.
fn squares(centers: &Array2<f64>) -> Vec<f64> {
    centers.rows().into_iter().map(|c| c.iter().map(|v| v * v).sum()).collect()
}

/// Centres packed for distances of rows to all of them.
pub(super) struct Centers {
    weights: Weights,
    squares: Vec<f64>,
}

impl Centers {
    pub fn new(centers: &Array2<f64>) -> Self {
        let values = centers.as_slice().unwrap_or(&[]);
        Centers { weights: Weights::pack(centers.ncols(), values), squares: squares(centers) }
    }

    /// Squared distances of some rows, as stored, to all centres, `[row][centre]`.
    pub fn distances(&self, rows: &Rows, which: &[usize], out: &mut Vec<f64>) {
        let n_clusters = self.squares.len();
        out.clear();
        out.resize(which.len() * n_clusters, 0.0);
        rows.add_scores(which, &self.weights, out);
        for (&row, out) in which.iter().zip(out.chunks_exact_mut(n_clusters)) {
            let square = rows.square(row);
            for (distance, center) in out.iter_mut().zip(&self.squares) {
                *distance = (square + center - 2.0 * *distance).max(0.0);
            }
        }
    }
}

/// The nearest of several squared distances, the first of equals, its distance and the next larger.
pub(super) fn two_nearest(distances: &[f64]) -> (usize, f64, f64) {
    let (mut best, mut first, mut second) = (0, f64::INFINITY, f64::INFINITY);
    for (cluster, &distance) in distances.iter().enumerate() {
        if distance < first {
            (best, second, first) = (cluster, first, distance);
        } else if distance < second {
            second = distance;
        }
    }
    (best, first, second)
}

/// What is known of one row.
#[derive(Clone, Copy)]
struct Member {
    cluster: u32,
    /// At least the distance to its centre.
    upper: f64,
    /// At most the distance to any other.
    lower: f64,
}

/// Where one start ended.
pub(super) struct Clustering {
    /// As stored, `[n_clusters, n_features]`.
    pub centers: Array2<f64>,
    /// `[n_rows]`
    pub clusters: Vec<u32>,
    /// Sum of weighted squared distances to the centres.
    pub inertia: f64,
    pub n_iter: usize,
    pub converged: bool,
}

/// A running start.
struct State<'a> {
    data: &'a Data<'a>,
    centers: Array2<f64>,
    members: Vec<Member>,
    /// `[n_clusters * n_features]`
    sums: Vec<f64>,
    cluster_weights: Vec<f64>,
    /// Rows of each cluster whose weight is not 0.
    counts: Vec<i64>,
}

const NONE: u32 = u32::MAX;

/// Moves centres from where they start until they rest.
pub(super) fn run(
    data: &Data,
    start: Array2<f64>,
    max_iter: usize,
    tol: f64,
    progress: &dyn Progress,
) -> Result<Clustering, LearnError> {
    let n_clusters = start.nrows();
    let unknown = Member { cluster: NONE, upper: f64::INFINITY, lower: 0.0 };
    let mut state = State {
        data,
        members: vec![unknown; data.n_rows()],
        sums: vec![0.0; start.len()],
        cluster_weights: vec![0.0; n_clusters],
        counts: vec![0; n_clusters],
        centers: start,
    };
    let (mut n_iter, mut converged) = (0, false);
    while n_iter < max_iter && !converged {
        n_iter += 1;
        let n_changed = state.assign(progress)?;
        state.fill_empty();
        let shift = state.move_centers();
        converged = n_changed == 0 || shift <= tol * data.variance;
        if n_changed > 0 && (converged || n_iter == max_iter) {
            // Labels of the last centres.
            state.assign(progress)?;
        }
        progress.update(n_iter as u64, max_iter as u64, &format!("{n_changed} rows moved"));
    }
    let inertia = data.inertia(&state.centers, &state.members);
    let clusters = state.members.iter().map(|member| member.cluster).collect();
    Ok(Clustering { centers: state.centers, clusters, inertia, n_iter, converged })
}

impl State<'_> {
    fn n_clusters(&self) -> usize {
        self.cluster_weights.len()
    }

    /// Half the distance of each centre to the nearest other.
    fn half_gaps(&self, progress: &dyn Progress) -> Result<Vec<f64>, LearnError> {
        let one = |j: usize| {
            stop_if(progress)?;
            let center = self.centers.row(j);
            let others = (0..self.n_clusters()).filter(|&other| other != j);
            let distance = |other: usize| -> f64 {
                center.iter().zip(self.centers.row(other)).map(|(a, b)| (a - b) * (a - b)).sum()
            };
            Ok(0.5 * others.map(distance).fold(f64::INFINITY, f64::min).sqrt())
        };
        (0..self.n_clusters()).into_par_iter().map(one).collect()
    }

    /// Gives every row its nearest centre; the number of rows that changed theirs.
    fn assign(&mut self, progress: &dyn Progress) -> Result<usize, LearnError> {
        let (data, n_clusters, n) = (self.data, self.n_clusters(), self.data.n_features());
        let centers = Centers::new(&self.centers);
        let gaps = self.half_gaps(progress)?;
        let size = data.n_rows().div_ceil(N_PIECES).max(1);
        /// What changed in a piece.
        struct Change {
            n_changed: usize,
            sums: Option<Vec<f64>>,
            weights: Vec<f64>,
            counts: Vec<i64>,
        }
        let one_piece = |(piece, members): (usize, &mut [Member])| -> Result<Change, LearnError> {
            let (weights, counts) = (vec![0.0; n_clusters], vec![0; n_clusters]);
            let mut change = Change { n_changed: 0, sums: None, weights, counts };
            let is_open = |member: &Member| {
                let safe = match gaps.get(member.cluster as usize) {
                    Some(&gap) => member.lower.max(gap),
                    None => return true,
                };
                member.upper * (1.0 + SLACK) >= safe * (1.0 - SLACK)
            };
            let open: Vec<usize> =
                (0..members.len()).filter(|&row| is_open(&members[row])).collect();
            let mut distances = Vec::new();
            for batch in open.chunks(BATCH) {
                stop_if(progress)?;
                let rows: Vec<usize> = batch.iter().map(|row| piece * size + row).collect();
                centers.distances(&data.rows, &rows, &mut distances);
                for ((&within, &row), distances) in
                    batch.iter().zip(&rows).zip(distances.chunks_exact(n_clusters))
                {
                    let (cluster, first, second) = two_nearest(distances);
                    let (upper, lower) = (first.sqrt(), second.sqrt());
                    let before = members[within].cluster;
                    members[within] = Member { cluster: cluster as u32, upper, lower };
                    if before == cluster as u32 {
                        continue;
                    }
                    change.n_changed += 1;
                    let weight = data.weight(row);
                    let sums = change.sums.get_or_insert_with(|| vec![0.0; n_clusters * n]);
                    data.rows.add(row, weight, &mut sums[cluster * n..][..n]);
                    change.weights[cluster] += weight;
                    change.counts[cluster] += i64::from(weight > 0.0);
                    if before != NONE {
                        let before = before as usize;
                        data.rows.add(row, -weight, &mut sums[before * n..][..n]);
                        change.weights[before] -= weight;
                        change.counts[before] -= i64::from(weight > 0.0);
                    }
                }
            }
            Ok(change)
        };
        let changes: Result<Vec<Change>, LearnError> =
            self.members.par_chunks_mut(size).enumerate().map(one_piece).collect();
        let mut n_changed = 0;
        for change in changes? {
            n_changed += change.n_changed;
            add(&mut self.cluster_weights, &change.weights);
            self.counts.iter_mut().zip(&change.counts).for_each(|(count, more)| *count += more);
            if let Some(sums) = &change.sums {
                add(&mut self.sums, sums);
            }
        }
        Ok(n_changed)
    }

    /// Moves the row farthest from its centre into each cluster that has none, as scikit-learn; the
    /// smallest row of equals. Rows at distance 0 stay, and so does the cluster's centre then.
    fn fill_empty(&mut self) {
        let n = self.data.n_features();
        for cluster in 0..self.n_clusters() {
            if self.counts[cluster] > 0 {
                continue;
            }
            // Removed weights may leave a rounding behind.
            self.sums[cluster * n..][..n].fill(0.0);
            self.cluster_weights[cluster] = 0.0;
            let Some(row) = self.farthest() else { return };
            let (weight, before) = (self.data.weight(row), self.members[row].cluster as usize);
            self.data.rows.add(row, weight, &mut self.sums[cluster * n..][..n]);
            self.data.rows.add(row, -weight, &mut self.sums[before * n..][..n]);
            for (cluster, sign) in [(cluster, 1), (before, -1)] {
                self.cluster_weights[cluster] += weight * sign as f64;
                self.counts[cluster] += sign;
            }
            // Where its centre is about to move.
            self.members[row] = Member { cluster: cluster as u32, upper: 0.0, lower: 0.0 };
        }
    }

    /// The row farthest from its centre, of clusters of two rows or more.
    fn farthest(&self) -> Option<usize> {
        let squares = squares(&self.centers);
        let mut farthest = (0.0, None);
        for (row, member) in self.members.iter().enumerate() {
            let cluster = member.cluster as usize;
            // The bound first: it is at least the distance.
            let may_be = member.upper * member.upper * (1.0 + SLACK) > farthest.0;
            if may_be && self.data.weight(row) > 0.0 && self.counts[cluster] > 1 {
                let center = self.centers.row(cluster);
                let center = center.as_slice().unwrap_or(&[]);
                let distance = self.data.distance(row, center, squares[cluster]);
                if distance > farthest.0 {
                    farthest = (distance, Some(row));
                }
            }
        }
        farthest.1
    }

    /// Centres become the means of their rows; the squared length of all movements.
    fn move_centers(&mut self) -> f64 {
        let n = self.data.n_features();
        let mut shifts = vec![0.0; self.n_clusters()];
        for (j, mut center) in self.centers.rows_mut().into_iter().enumerate() {
            let weight = self.cluster_weights[j];
            if self.counts[j] > 0 && weight > 0.0 {
                for (value, sum) in center.iter_mut().zip(&self.sums[j * n..][..n]) {
                    let mean = sum / weight;
                    shifts[j] += (mean - *value) * (mean - *value);
                    *value = mean;
                }
            }
        }
        let total: f64 = shifts.iter().sum();
        let lengths: Vec<f64> = shifts.iter().map(|shift| shift.sqrt() * (1.0 + SLACK)).collect();
        let largest = lengths.iter().copied().fold(0.0, f64::max);
        self.members.par_iter_mut().for_each(|member| {
            member.upper += lengths[member.cluster as usize];
            member.lower -= largest;
        });
        total
    }
}
