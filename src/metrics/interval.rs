//! 95 % intervals of a proportion and of the difference of two paired proportions.

/// Two-sided 95 % quantile of the standard normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % score interval of the share `n_right / n_samples`.
///
/// Why Wilson: unlike the normal approximation it stays inside `0..=1`, covers well near 1, and
/// needs no quantile beyond [`Z_95`] (Wilson, JASA 22 (1927), 209-212; Brown, Cai and DasGupta,
/// Statistical Science 16 (2001), 101-133). With no samples it is `[0, 1]`.
pub fn wilson(n_right: u64, n_samples: u64) -> [f64; 2] {
    if n_samples == 0 {
        return [0.0, 1.0];
    }
    let n = n_samples as f64;
    let share = n_right as f64 / n;
    let z2 = Z_95 * Z_95;
    let center = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let lo = if n_right == 0 { 0.0 } else { (center - half).max(0.0) };
    let hi = if n_right == n_samples { 1.0 } else { (center + half).min(1.0) };
    [lo, hi]
}

/// 95 % interval of `accuracy(a) - accuracy(b)` over the same images.
///
/// Newcombe's method 10 (Statistics in Medicine 17 (1998), 2635-2650): the Wilson intervals of the
/// two accuracies, joined with the correlation of the two models' hits, whose estimate is
/// continuity-corrected. Why not Wald: it collapses to a point when no image is discordant.
/// Zero images give `[-1, 1]`.
pub fn newcombe_paired(n_both: u64, n_only_a: u64, n_only_b: u64, n_neither: u64) -> [f64; 2] {
    let n_samples = n_both + n_only_a + n_only_b + n_neither;
    if n_samples == 0 {
        return [-1.0, 1.0];
    }
    let n = n_samples as f64;
    let [share_a, share_b] = [(n_both + n_only_a) as f64 / n, (n_both + n_only_b) as f64 / n];
    let [lo_a, hi_a] = wilson(n_both + n_only_a, n_samples);
    let [lo_b, hi_b] = wilson(n_both + n_only_b, n_samples);

    let margins = (n_both + n_only_a) as f64
        * (n_only_b + n_neither) as f64
        * (n_both + n_only_b) as f64
        * (n_only_a + n_neither) as f64;
    let cross = n_both as f64 * n_neither as f64 - n_only_a as f64 * n_only_b as f64;
    let corrected = if cross > 0.0 { (cross - n / 2.0).max(0.0) } else { cross };
    let phi = if margins > 0.0 { corrected / margins.sqrt() } else { 0.0 };

    let joined = |u: f64, v: f64| (u * u - 2.0 * phi * u * v + v * v).max(0.0).sqrt();
    let difference = share_a - share_b;
    [
        (difference - joined(share_a - lo_a, hi_b - share_b)).max(-1.0),
        (difference + joined(hi_a - share_a, share_b - lo_b)).min(1.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn wilson_matches_scipy() {
        for case in fixture::load().wilson {
            let found = wilson(case.n_right, case.n_samples);
            assert_relative_eq!(found[0], case.interval[0], epsilon = 1e-13);
            assert_relative_eq!(found[1], case.interval[1], epsilon = 1e-13);
        }
    }

    #[test]
    fn newcombe_matches_a_published_interval() {
        // The counts 36, 12, 2, 0 of Newcombe 1998 (method 10).
        let [lo, hi] = newcombe_paired(36, 12, 2, 0);
        assert_relative_eq!(lo, 0.0569, epsilon = 5e-5);
        assert_relative_eq!(hi, 0.3404, epsilon = 5e-5);
    }

    #[test]
    fn newcombe_is_antisymmetric_and_holds_the_difference() {
        for counts in [[9000, 300, 200, 500], [10, 0, 0, 0], [0, 5, 0, 0], [3, 1, 4, 1]] {
            let [both, only_a, only_b, neither] = counts;
            let [lo, hi] = newcombe_paired(both, only_a, only_b, neither);
            let [mirrored_lo, mirrored_hi] = newcombe_paired(both, only_b, only_a, neither);
            assert_relative_eq!(lo, -mirrored_hi, epsilon = 1e-15);
            assert_relative_eq!(hi, -mirrored_lo, epsilon = 1e-15);
            let n = counts.iter().sum::<u64>() as f64;
            let difference = (only_a as f64 - only_b as f64) / n;
            assert!(lo <= difference && difference <= hi, "{counts:?}: {lo}..{hi}");
        }
    }
}
