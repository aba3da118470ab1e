//! The definition that the other variants are tested against.

use super::{LINE_ROWS, Line, N_LINES, N_QUERIES, N_ROWS, Tile};

pub(super) fn tile(octets: &[u64], lines: &[Line], tile: &mut Tile) {
    *tile = [[0; N_ROWS]; N_QUERIES];
    for (queries, lines) in octets.chunks_exact(N_QUERIES).zip(lines.chunks_exact(N_LINES)) {
        for (distances, query) in tile.iter_mut().zip(queries) {
            let query = query.to_le_bytes();
            for (lane, distance) in distances.iter_mut().enumerate() {
                let row = &lines[lane / LINE_ROWS].0[lane % LINE_ROWS * 8..][..8];
                *distance +=
                    row.iter().zip(query).map(|(&r, q)| i32::from(r.abs_diff(q))).sum::<i32>();
            }
        }
    }
}
