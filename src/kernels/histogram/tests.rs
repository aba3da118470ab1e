use super::*;
use crate::data::Rng;

const N_ROWS: usize = 500;

struct Case {
    bins: Vec<[u8; LANES]>,
    g: Vec<i64>,
    h: Vec<u64>,
    packing: Packing,
}

/// Rows whose first feature is constant and whose others have from 2 to 256 bins.
fn case(seed: u64) -> Case {
    let mut rng = Rng::new(seed, &["histogram"]);
    let row = |rng: &mut Rng| std::array::from_fn(|lane| (rng.below(lane * 17 + 1)) as u8);
    Case {
        bins: (0..N_ROWS).map(|_| row(&mut rng)).collect(),
        g: (0..N_ROWS).map(|_| rng.below(2001) as i64 - 1000).collect(),
        h: (0..N_ROWS).map(|_| rng.below(1000) as u64).collect(),
        packing: Packing::of(N_ROWS),
    }
}

impl Case {
    fn sums(&self, rows: &[u32]) -> Vec<u64> {
        rows.iter()
            .map(|&row| self.packing.pack(self.g[row as usize], self.h[row as usize]))
            .collect()
    }

    fn block(&self, rows: &[u32]) -> Box<Block> {
        let mut block = Box::new([0; BLOCK_LEN]);
        add_rows(&self.bins, rows, &self.sums(rows), &mut block);
        block
    }

    /// Sums of the rows whose bin of a feature is from `0` to `bin`.
    fn left_of(&self, rows: &[u32], lane: usize, bin: usize) -> Parts {
        let mut parts = Parts { g: 0, h: 0, n: 0 };
        for row in rows.iter().map(|&row| row as usize) {
            if usize::from(self.bins[row][lane]) <= bin {
                parts.g += self.g[row];
                parts.h += self.h[row];
                parts.n += 1;
            }
        }
        parts
    }
}

#[test]
fn sums_of_rows_are_exact_at_every_number_of_rows() {
    let case = case(1);
    for n in [0, 1, AHEAD - 1, AHEAD, AHEAD + 1, N_ROWS] {
        let rows: Vec<u32> = (0..n as u32).map(|row| row * 7 % N_ROWS as u32).collect();
        let block = case.block(&rows);
        for lane in 0..LANES {
            let mut sum = 0u64;
            for bin in 0..N_BINS {
                sum = sum.wrapping_add(block[bin * LANES + lane]);
                assert_eq!(case.packing.parts(sum), case.left_of(&rows, lane, bin), "{n} rows");
            }
        }
    }
}

#[test]
fn four_histograms_at_once_are_those_of_each_alone() {
    let case = case(4);
    for n in [0, 1, N_ROWS] {
        let rows: Vec<u32> = (0..n as u32).collect();
        let of_tree = |tree: u64| -> Vec<u64> {
            case.sums(&rows).into_iter().map(|sum| sum.wrapping_mul(tree + 1)).collect()
        };
        let quads: Vec<Quad> =
            (0..n).map(|row| Quad(std::array::from_fn(|tree| of_tree(tree as u64)[row]))).collect();
        for cpu in Cpu::all() {
            let mut cells = Box::new([Quad([9; 4]); BLOCK_LEN]);
            let mut found: [Box<Block>; 4] = std::array::from_fn(|_| Box::new([7; BLOCK_LEN]));
            let [a, b, c, d] = &mut found;
            count_quads(cpu, &case.bins[..n], &quads, &mut cells, [a, b, c, d]);
            for (tree, found) in found.iter().enumerate() {
                let mut alone = Box::new([0; BLOCK_LEN]);
                add_rows(&case.bins, &rows, &of_tree(tree as u64), &mut alone);
                assert_eq!(found, &alone, "{cpu:?}, {n} rows, tree {tree}");
            }
        }
    }
}

#[test]
fn a_sibling_is_the_parent_minus_the_other_child() {
    let case = case(2);
    let (left, right): (Vec<u32>, Vec<u32>) = (0..N_ROWS as u32).partition(|row| row % 3 == 0);
    let all: Vec<u32> = (0..N_ROWS as u32).collect();
    for cpu in Cpu::all() {
        let mut block = case.block(&all);
        subtract(cpu, &mut block, &case.block(&left));
        assert_eq!(block, case.block(&right), "{cpu:?}");
    }
}

#[test]
fn units_fill_the_bits_and_extremes_do_not_spill() {
    for n_rows in [1, 2, 3, 1000, 60_000, 1 << 20, MAX_ROWS] {
        let packing = Packing::of(n_rows);
        let slack = n_rows / 1024 + 1;
        let (g_unit, h_unit) = packing.units(5.0, 0.25, slack);
        // All in one row, and as much more as rounding may add.
        let (g, h) = ((5.0 / g_unit) as i64 + slack as i64, (0.25 / h_unit) as u64 + slack as u64);
        for g in [g, -g] {
            let rest = packing.pack(0, 0).wrapping_mul(n_rows as u64 - 1);
            let sum = packing.pack(g, h).wrapping_add(rest);
            assert_eq!(packing.parts(sum), Parts { g, h, n: n_rows as u64 }, "{n_rows}");
        }
    }
    assert_eq!(Packing::of(10).units(0.0, 0.0, 1), (1.0, 1.0));
}

/// The gain as it is defined, in floating point; none where a limit is not kept.
fn gain(left: Parts, node: Parts, limits: &Limits) -> Option<f64> {
    let (n, h) = (node.n - left.n, node.h - left.h);
    let kept = left.n.min(n) >= limits.min_n && left.h.min(h) >= limits.min_h;
    let score = |g: i64, h: u64| (g * g) as f64 / (h as f64 + limits.lambda);
    kept.then(|| score(left.g, left.h) + score(node.g - left.g, h) - score(node.g, node.h))
}

#[test]
fn the_best_cut_is_that_of_an_exhaustive_search_at_every_level() {
    for seed in 0..20 {
        let case = case(seed);
        let n = [2, 30, N_ROWS][seed as usize % 3];
        let rows: Vec<u32> = (0..n as u32).collect();
        let block = case.block(&rows);
        let total = case.sums(&rows).iter().fold(0, |sum: u64, &row| sum.wrapping_add(row));
        let node = case.packing.parts(total);
        let limits = Limits {
            total,
            min_n: 1 + seed % 4,
            min_h: 1 + seed * 10,
            lambda: [0.0, 2000.0][seed as usize % 2],
            packing: case.packing,
        };
        let mut first = None;
        for cpu in Cpu::all() {
            let best = best_cuts(cpu, &block, &limits);
            for lane in 0..LANES {
                let of_bin = |bin: usize| gain(case.left_of(&rows, lane, bin), node, &limits);
                let highest = (0..N_BINS).filter_map(of_bin).fold(f64::NEG_INFINITY, f64::max);
                if best.num[lane] == 0.0 {
                    // Nothing allowed, or nothing better than no cut.
                    let scale = 1.0 + (node.g * node.g) as f64 / (node.h as f64 + limits.lambda);
                    assert!(highest <= 1e-9 * scale, "{cpu:?}, {seed}, {lane}: {highest}");
                    continue;
                }
                let bin = best.bin[lane] as usize;
                let found = of_bin(bin).unwrap();
                assert!(found >= highest - 1e-9 * highest.abs(), "{cpu:?}, {seed}, {lane}");
                assert_eq!(
                    case.packing.parts(best.left[lane]),
                    case.left_of(&rows, lane, bin),
                    "{cpu:?}, {seed}, {lane}"
                );
                if bin > 0 {
                    let before = case.left_of(&rows, lane, bin - 1);
                    assert_ne!(before.n, node.n.min(case.left_of(&rows, lane, bin).n));
                }
            }
            assert_eq!(first.get_or_insert(best.clone()), &best, "{cpu:?} differs");
        }
    }
}

#[test]
fn a_node_too_small_for_two_children_has_no_cut() {
    let case = case(3);
    let rows = [0, 1, 2];
    let total = case.sums(&rows).iter().fold(0, |sum: u64, &row| sum.wrapping_add(row));
    let limits = Limits { total, min_n: 2, min_h: 1, lambda: 0.0, packing: case.packing };
    let best = best_cuts(Cpu::detect(), &case.block(&rows), &limits);
    assert_eq!(best.num, [0.0; LANES]);
}
