//! Which samples of a pair are worked on next.

use super::solver::State;

/// The most violating samples of both sides, filled up with those of the last set.
pub(super) fn next_working_set(state: &State, last: &[usize], size: usize) -> Vec<usize> {
    let n = state.beta.len();
    let size = size.min(n);
    let n_new = if last.is_empty() { size } else { size / 2 };
    let value = &state.value;
    let most = |mut side: Vec<usize>, count: usize, descending: bool| {
        let order = |a: &usize, b: &usize| {
            let by_value = value[*a].total_cmp(&value[*b]);
            (if descending { by_value.reverse() } else { by_value }).then(a.cmp(b))
        };
        if side.len() > count {
            side.select_nth_unstable_by(count, order);
            side.truncate(count);
        }
        side.sort_unstable_by(order);
        side
    };
    let side_size = n_new.div_ceil(2).max(1);
    let up = most((0..n).filter(|&t| state.may_grow(t)).collect(), side_size, true);
    let low = most((0..n).filter(|&t| state.may_shrink(t)).collect(), side_size, false);
    let mut taken = vec![false; n];
    let mut chosen = Vec::with_capacity(size + 2);
    let mut take = |t: usize, chosen: &mut Vec<usize>| {
        if !taken[t] {
            taken[t] = true;
            chosen.push(t);
        }
    };
    for rank in 0..up.len().max(low.len()) {
        for side in [&up, &low] {
            if let Some(&t) = side.get(rank) {
                take(t, &mut chosen);
            }
        }
    }
    // Newest of the last set first, free ones before bounded ones.
    let is_free = |t: usize| state.may_grow(t) && state.may_shrink(t);
    for free in [true, false] {
        for &t in last {
            if chosen.len() < size && is_free(t) == free {
                take(t, &mut chosen);
            }
        }
    }
    chosen
}
