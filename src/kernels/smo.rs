//! Inner loops of sequential minimal optimisation and of the kernel expansion.
//!
//! `value[t]` is the negative gradient per signed multiplier; `up[t]` is 0 where the multiplier may
//! grow, else `-inf`; `low[t]` is 0 where it may shrink, else `+inf`. Sums have one order and
//! maxima none, so all levels give the same bits. Lengths are multiples of eight: callers pad with
//! `up = -inf` and `low = +inf`.

use super::cpu::per_level;

const LANES: usize = 8;

#[inline(always)]
fn horizontal_max(lanes: [f64; LANES]) -> f64 {
    lanes.iter().fold(f64::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

#[inline(always)]
fn as_lanes<T: Copy>(values: &[T]) -> &[[T; LANES]] {
    values.as_chunks::<LANES>().0
}

per_level! {
    /// Largest `value + up`, with its first position.
    pub fn max_up(value: &[f64], up: &[f64]) -> (f64, usize) {
        let mut best = [f64::NEG_INFINITY; LANES];
        for (v, u) in as_lanes(value).iter().zip(as_lanes(up)) {
            for l in 0..LANES {
                let x = v[l] + u[l];
                best[l] = if x > best[l] { x } else { best[l] };
            }
        }
        let best = horizontal_max(best);
        (best, first_sum_equal(value, up, best))
    }
}

#[inline(always)]
fn first_sum_equal(value: &[f64], penalty: &[f64], wanted: f64) -> usize {
    for (chunk, (v, p)) in as_lanes(value).iter().zip(as_lanes(penalty)).enumerate() {
        let mut any = false;
        for l in 0..LANES {
            any |= v[l] + p[l] == wanted;
        }
        if any {
            for l in 0..LANES {
                if v[l] + p[l] == wanted {
                    return chunk * LANES + l;
                }
            }
        }
    }
    0
}

per_level! {
    /// Second-order choice of the partner of `i`: the largest `(top - value)^2 / curvature` among
    /// those that may shrink. Writes the gains; returns (smallest `value + low`, best gain, first
    /// position). The gain is 0 if nobody violates.
    pub fn select_partner(
        value: &[f64],
        low: &[f64],
        diagonal: &[f32],
        row: &[f32],
        diagonal_i: f32,
        top: f64,
        gains: &mut [f64],
    ) -> (f64, f64, usize) {
        const TAU: f64 = 1e-12;
        let diagonal_i = f64::from(diagonal_i);
        let mut bottom = [f64::NEG_INFINITY; LANES];
        let mut best = [0.0f64; LANES];
        let all = as_lanes(value).iter().zip(as_lanes(low));
        let all = all.zip(as_lanes(diagonal)).zip(as_lanes(row));
        for ((((v, w), d), k), g) in all.zip(gains.as_chunks_mut::<LANES>().0) {
            for l in 0..LANES {
                let x = v[l] + w[l];
                bottom[l] = if -x > bottom[l] { -x } else { bottom[l] };
                let violation = top - x;
                let violation = if violation > 0.0 { violation } else { 0.0 };
                let curvature = diagonal_i + f64::from(d[l]) - 2.0 * f64::from(k[l]);
                let curvature = if curvature > TAU { curvature } else { TAU };
                let gain = violation * violation / curvature;
                g[l] = gain;
                best[l] = if gain > best[l] { gain } else { best[l] };
            }
        }
        let best = horizontal_max(best);
        let mut position = 0;
        for (chunk, g) in as_lanes(gains).iter().enumerate() {
            let mut any = false;
            for gain in g {
                any |= *gain == best;
            }
            if any {
                position = chunk * LANES + g.iter().position(|&gain| gain == best).unwrap_or(0);
                break;
            }
        }
        (-horizontal_max(bottom), best, position)
    }
}

per_level! {
    /// `value -= step * (row_i - row_j)`, then as [`max_up`].
    pub fn step_and_max_up(
        value: &mut [f64],
        up: &[f64],
        row_i: &[f32],
        row_j: &[f32],
        step: f64,
    ) -> (f64, usize) {
        let mut best = [f64::NEG_INFINITY; LANES];
        let rows = as_lanes(row_i).iter().zip(as_lanes(row_j));
        let all = value.as_chunks_mut::<LANES>().0.iter_mut().zip(as_lanes(up)).zip(rows);
        for ((v, u), (a, b)) in all {
            for l in 0..LANES {
                v[l] -= step * (f64::from(a[l]) - f64::from(b[l]));
                let x = v[l] + u[l];
                best[l] = if x > best[l] { x } else { best[l] };
            }
        }
        let best = horizontal_max(best);
        (best, first_sum_equal(value, up, best))
    }
}

/// [`subtract_rows`] of a fixed number of rows: values are loaded and stored once for all.
#[inline(always)]
fn subtract_some<const R: usize>(value: &mut [f64], changes: &[f64; R], rows: &[&[f32]; R]) {
    const WIDTH: usize = 16;
    let rows = rows.map(|row| &row[..value.len()]);
    let (whole, rest) = value.as_chunks_mut::<WIDTH>();
    let n_whole = whole.len() * WIDTH;
    for (chunk, value) in whole.iter_mut().enumerate() {
        let mut so_far = *value;
        for (row, change) in rows.iter().zip(changes) {
            let row = &row[chunk * WIDTH..][..WIDTH];
            for l in 0..WIDTH {
                so_far[l] = (-change).mul_add(f64::from(row[l]), so_far[l]);
            }
        }
        *value = so_far;
    }
    for (t, value) in rest.iter_mut().enumerate() {
        for (row, change) in rows.iter().zip(changes) {
            *value = (-change).mul_add(f64::from(row[n_whole + t]), *value);
        }
    }
}

per_level! {
    /// `value -= sum_s change[s] * rows[s]` over the common length, in the order of the rows. Rows
    /// come from memory, best as eight long streams.
    pub fn subtract_rows(value: &mut [f64], changes: &[f64], rows: &[&[f32]]) {
        let (eights, rest) = rows.as_chunks::<8>();
        let (changes, changes_rest) = changes.as_chunks::<8>();
        for (rows, changes) in eights.iter().zip(changes) {
            subtract_some(value, changes, rows);
        }
        for (&row, &change) in rest.iter().zip(changes_rest) {
            subtract_some(value, &[change], &[row]);
        }
    }
}

/// Sums that [`add_expansion`] keeps in registers.
const SUMS: usize = 64;

per_level! {
    /// `sums += coefficient * line` over entries of (number of the line, coefficient), in their
    /// order; line `n` of `lines` starts at `n * stride`. Sums beyond a multiple of 64 stay.
    ///
    /// # Panics
    /// If a line is shorter than `sums`.
    pub fn add_expansion(entries: &[(u32, f64)], lines: &[f32], stride: usize, sums: &mut [f64]) {
        for (part, sums) in sums.as_chunks_mut::<SUMS>().0.iter_mut().enumerate() {
            let mut so_far = *sums;
            for &(line, coefficient) in entries {
                let line = &lines[line as usize * stride + part * SUMS..][..SUMS];
                for l in 0..SUMS {
                    so_far[l] = coefficient.mul_add(f64::from(line[l]), so_far[l]);
                }
            }
            *sums = so_far;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;
    use crate::kernels::Cpu;

    #[test]
    fn every_level_takes_the_same_step() {
        let mut rng = Rng::new(1, &["smo"]);
        let n = 264;
        let value: Vec<f64> = (0..n).map(|_| f64::from(rng.normal_f32())).collect();
        let pick = |rng: &mut Rng, other| if rng.below(2) == 0 { 0.0 } else { other };
        let up: Vec<f64> = (0..n).map(|_| pick(&mut rng, f64::NEG_INFINITY)).collect();
        let low: Vec<f64> = (0..n).map(|_| pick(&mut rng, f64::INFINITY)).collect();
        let row: Vec<f32> = (0..n).map(|_| rng.unit_f32()).collect();
        let diagonal = vec![1.0f32; n];
        let naive = (0..n).filter(|&t| up[t] == 0.0).max_by(|&a, &b| value[a].total_cmp(&value[b]));
        let mut results = Vec::new();
        for cpu in Cpu::all() {
            let (top, i) = max_up(cpu, &value, &up);
            assert_eq!(Some(i), naive);
            let mut gains = vec![0.0; n];
            let chosen = select_partner(cpu, &value, &low, &diagonal, &row, 1.0, top, &mut gains);
            let mut after = value.clone();
            let next = step_and_max_up(cpu, &mut after, &up, &row, &diagonal, 0.3);
            subtract_rows(cpu, &mut after, &[0.1; 9], &[row.as_slice(); 9]);
            results.push((chosen, next, after));
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn sums_over_rows_are_right_at_every_length() {
        for n in [0, 1, 7, 8, 9, 15, 16, 17, 784] {
            let mut rng = Rng::new(n as u64, &["smo"]);
            let rows: Vec<Vec<f32>> =
                (0..11).map(|_| (0..n).map(|_| rng.unit_f32()).collect()).collect();
            let value: Vec<f64> = (0..n).map(|_| f64::from(rng.normal_f32())).collect();
            for n_rows in [0, 1, 7, 8, 9, 11] {
                let changes: Vec<f64> = (0..n_rows).map(|s| 0.5 - 0.25 * s as f64).collect();
                let rows: Vec<&[f32]> = rows[..n_rows].iter().map(Vec::as_slice).collect();
                let mut first = None;
                for cpu in Cpu::all() {
                    let mut found = value.clone();
                    subtract_rows(cpu, &mut found, &changes, &rows);
                    for (t, (before, after)) in value.iter().zip(&found).enumerate() {
                        let sum: f64 =
                            changes.iter().zip(&rows).map(|(c, row)| c * f64::from(row[t])).sum();
                        assert!((before - sum - after).abs() < 1e-12, "{cpu:?}, {n}, {n_rows}");
                    }
                    assert_eq!(first.get_or_insert(found.clone()), &found, "{cpu:?}");
                }
            }
        }
    }

    /// Tolerance: 9 products of magnitude 4 in double precision.
    #[test]
    fn expansions_add_the_named_lines_in_whole_runs() {
        for (n, n_summed) in [(0, 0), (63, 0), (64, 64), (130, 128), (256, 256)] {
            let (mut rng, stride) = (Rng::new(n as u64, &["expansion"]), n + 3);
            let lines: Vec<f32> = (0..9 * stride).map(|_| rng.normal_f32()).collect();
            let entries = [(0, 0.5), (7, -1.25), (8, 3.0), (3, 0.1)];
            let mut first = None;
            for cpu in Cpu::all() {
                let mut sums = vec![1.0; n];
                add_expansion(cpu, &entries, &lines, stride, &mut sums);
                for (l, sum) in sums.iter().enumerate() {
                    let term =
                        |&(line, c): &(u32, f64)| c * f64::from(lines[line as usize * stride + l]);
                    let added: f64 = entries.iter().map(term).sum();
                    let expected = if l < n_summed { 1.0 + added } else { 1.0 };
                    assert!((sum - expected).abs() < 1e-13, "{cpu:?}, {n}, {l}");
                }
                assert_eq!(first.get_or_insert(sums.clone()), &sums, "{cpu:?}, {n}");
            }
        }
    }
}
