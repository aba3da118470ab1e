//! Blocks of kernel values: some samples against all samples of a class.
//!
//! Rows are taken in groups of [`GROUP`], computed in parallel; a value depends on nothing but its
//! two rows.

use std::ops::Range;

use rayon::prelude::*;

use super::gram::{Panel, Queries, Resolved};
use super::params::{Kernel, SvcError};
use crate::data::Features;
use crate::kernels::{Cpu, bytes, exp, floats};
use crate::progress::Progress;

/// Rows computed together; at 5,408 features and 500 queries they are 1.4 GFLOP,
/// about 10 ms: the time between two looks at [`Progress::interrupted`].
pub(super) const GROUP: usize = 256;
const N_ROWS: usize = 32;
const _: () = assert!(N_ROWS == bytes::N_ROWS && N_ROWS == floats::N_ROWS);

/// Kernel values of one batch of queries with one panel. Its memory is used again by the next.
#[derive(Default)]
pub(super) struct Block {
    /// `[group][query][GROUP]`
    values: Vec<f32>,
    n_queries: usize,
    n_rows: usize,
    queries: Queries,
}

impl Block {
    /// Computes the values of the rows `queries` of `features` with all rows of `panel`.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn compute(
        &mut self,
        resolved: &Resolved,
        features: &Features,
        queries: &[usize],
        panel: &Panel,
        progress: &dyn Progress,
    ) -> Result<(), SvcError> {
        let mut packed = std::mem::take(&mut self.queries);
        packed.repack(features, queries);
        let computed = self.compute_packed(resolved, &packed, panel, progress);
        self.queries = packed;
        computed
    }

    /// As [`Block::compute`] of queries that are packed.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn compute_packed(
        &mut self,
        resolved: &Resolved,
        queries: &Queries,
        panel: &Panel,
        progress: &dyn Progress,
    ) -> Result<(), SvcError> {
        (self.n_queries, self.n_rows) = (queries.len(), panel.len());
        let n_values = panel.len().div_ceil(GROUP) * queries.len() * GROUP;
        if self.values.len() < n_values {
            self.values.resize(n_values, 0.0);
        }
        let values = self.values[..n_values].par_chunks_mut((queries.len() * GROUP).max(1));
        values.enumerate().try_for_each(|(group, out)| {
            stop_if(progress)?;
            match (queries, panel) {
                (Queries::Bytes(queries), Panel::Bytes(rows)) => {
                    group_of_bytes(resolved, queries, rows, group, out);
                }
                (Queries::Floats(queries), Panel::Floats(rows)) => {
                    group_of_floats(resolved, queries, rows, group, out);
                }
                _ => unreachable!("both are packed from features of the same type"),
            }
            Ok(())
        })
    }

    /// Values of all queries with the first [`GROUP`] rows, a line of this length each, of which
    /// only as many count as there are rows.
    pub fn lines(&self) -> &[f32] {
        &self.values[..self.n_queries * GROUP]
    }

    /// Values of one query with all rows of the panel, in pieces of at most [`GROUP`] rows.
    pub fn pieces(&self, query: usize) -> impl Iterator<Item = &[f32]> {
        (0..self.n_rows).step_by(GROUP).enumerate().map(move |(group, start)| {
            let at = (group * self.n_queries + query) * GROUP;
            &self.values[at..at + GROUP.min(self.n_rows - start)]
        })
    }
}

pub(super) fn stop_if(progress: &dyn Progress) -> Result<(), SvcError> {
    if progress.interrupted() { Err(SvcError::Interrupted) } else { Ok(()) }
}

/// Panels of rows in a group.
fn panels_of(group: usize, n_rows: usize) -> Range<usize> {
    let first = group * (GROUP / N_ROWS);
    first..(first + GROUP / N_ROWS).min(n_rows.div_ceil(N_ROWS))
}

fn group_of_bytes(
    resolved: &Resolved,
    queries: &bytes::Queries,
    rows: &bytes::Rows,
    group: usize,
    out: &mut [f32],
) {
    let cpu = Cpu::detect();
    let scale = 1.0 / (255.0 * 255.0);
    let gamma = resolved.gamma * scale;
    let mut products = [[0; N_ROWS]; bytes::N_QUERIES];
    let panels = panels_of(group, rows.len());
    for panel in panels.clone() {
        let at = (panel - panels.start) * N_ROWS;
        for (query_panel, out) in out.chunks_mut(bytes::N_QUERIES * GROUP).enumerate() {
            bytes::dot_tile(cpu, queries, query_panel, rows, panel, &mut products);
            let (out, row_squares) = (&mut out[at..], rows.squares(panel));
            if let Kernel::Rbf { .. } = resolved.kernel {
                let query_squares = &queries.squares()[query_panel * bytes::N_QUERIES..];
                exp::rbf_of_bytes(cpu, &products, query_squares, row_squares, gamma, out, GROUP);
            } else {
                for (line, products) in out.chunks_mut(GROUP).zip(&products) {
                    for (value, &product) in line.iter_mut().zip(products) {
                        *value = resolved.of_product(f64::from(product) * scale);
                    }
                }
            }
        }
    }
}

fn group_of_floats(
    resolved: &Resolved,
    queries: &floats::Queries,
    rows: &floats::Rows,
    group: usize,
    out: &mut [f32],
) {
    let cpu = Cpu::detect();
    let panels = panels_of(group, rows.len());
    floats::products(cpu, queries, rows, panels.clone(), out, GROUP);
    if let Kernel::Rbf { .. } = resolved.kernel {
        let row_squares = rows.squares(panels);
        exp::rbf_of_floats(cpu, out, GROUP, queries.squares(), row_squares, resolved.gamma);
    } else if resolved.kernel != Kernel::Linear {
        for line in out.chunks_mut(GROUP) {
            for value in &mut line[..panels.len() * N_ROWS] {
                *value = resolved.of_product(f64::from(*value));
            }
        }
    }
}
