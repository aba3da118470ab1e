//! Curves of few points that look like the curve of many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Points that a stored curve has at most.
pub const MAX_POINTS: usize = 100;

/// A line through points `[x, y]`.
pub type Curve = Vec<[f32; 2]>;

/// At most `n_wanted` points of a line, its ends among them.
///
/// Visvalingam and Whyatt (The Cartographic Journal 30 (1993), 46-51): time and again the point goes
/// that spans the least area with its neighbours, so corners stay and straight runs lose their
/// points. Coordinates are rounded to four decimals, a tenth of a pixel in a figure.
/// # Cost   `O(n log n)`
pub(super) fn thin(points: &[[f64; 2]], n_wanted: usize) -> Curve {
    let n_points = points.len();
    let mut before: Vec<usize> = (0..n_points).map(|at| at.wrapping_sub(1)).collect();
    let mut after: Vec<usize> = (1..=n_points).collect();
    let mut areas = vec![f64::INFINITY; n_points];
    let area = |a: usize, b: usize, c: usize| {
        let [ax, ay] = points[a];
        let ([bx, by], [cx, cy]) = (points[b], points[c]);
        ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)).abs()
    };
    let mut least = BinaryHeap::new();
    for (at, found) in areas.iter_mut().enumerate().skip(1).take(n_points.saturating_sub(2)) {
        *found = area(at - 1, at, at + 1);
        // Areas are not negative, so their bits are ordered as they are.
        least.push(Reverse((found.to_bits(), at)));
    }
    let mut n_left = n_points;
    let mut is_gone = vec![false; n_points];
    while let Some(Reverse((bits, at))) = least.pop() {
        if is_gone[at] || areas[at].to_bits() != bits {
            continue;
        }
        if n_left <= n_wanted && areas[at] > 0.0 {
            break;
        }
        is_gone[at] = true;
        n_left -= 1;
        let (left, right) = (before[at], after[at]);
        (after[left], before[right]) = (right, left);
        for near in [left, right] {
            if near > 0 && near + 1 < n_points {
                // A point never counts less than one that went before it.
                areas[near] = area(before[near], near, after[near]).max(areas[at]);
                least.push(Reverse((areas[near].to_bits(), near)));
            }
        }
    }
    let round = |v: f64| ((v * 1e4).round() / 1e4) as f32;
    (0..n_points).filter(|&at| !is_gone[at]).map(|at| points[at].map(round)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_stay_and_straight_runs_go() {
        let mut points: Vec<[f64; 2]> = (0..=500).map(|k| [0.0, f64::from(k) / 1000.0]).collect();
        points.extend((1..=500).map(|k| [f64::from(k) / 500.0, 0.5]));
        points.push([1.0, 1.0]);
        assert_eq!(thin(&points, 100), [[0.0, 0.0], [0.0, 0.5], [1.0, 0.5], [1.0, 1.0]]);
    }

    #[test]
    fn a_round_line_keeps_its_shape_within_a_thousandth() {
        let at = |k: usize| {
            let angle = std::f64::consts::FRAC_PI_2 * k as f64 / 5000.0;
            [1.0 - angle.cos(), angle.sin()]
        };
        let thinned = thin(&(0..=5000).map(at).collect::<Vec<_>>(), 100);
        assert_eq!(thinned.len(), 100);
        assert_eq!((thinned[0], thinned[99]), ([0.0, 0.0], [1.0, 1.0]));
        for pair in thinned.windows(2) {
            let [x, y] = [0, 1].map(|axis| f64::from(pair[0][axis] + pair[1][axis]) / 2.0);
            let radius = (1.0 - x).hypot(y);
            assert!((radius - 1.0).abs() < 1e-3, "{pair:?}");
        }
    }

    #[test]
    fn short_lines_stay() {
        assert_eq!(thin(&[], 100), Curve::new());
        assert_eq!(thin(&[[0.0, 1.0]], 100), [[0.0, 1.0]]);
        assert_eq!(thin(&[[0.0, 0.0], [1.0, 0.5]], 2), [[0.0, 0.0], [1.0, 0.5]]);
    }
}
