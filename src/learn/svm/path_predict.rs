//! Held-out rows of a fold, predicted under all penalties of a path at once.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::block::{Block, stop_if};
use super::decision::winner;
use super::gradient::weights_of;
use super::gram::{Panel, Resolved, byte_row, float_row};
use super::params::{Kernel, SvcError};
use crate::data::Features;
use crate::kernels::weights::Weights;
use crate::kernels::{Cpu, smo};
use crate::progress::Progress;

/// Rows predicted together; fixed, so that results never depend on the threads.
const CHUNK: usize = 480;

/// The same for a linear kernel: the rows of a block of features fit the second cache.
const LINEAR_CHUNK: usize = 96;

/// The decision of a pair of classes.
pub(super) struct Expansion {
    /// Positions of the two classes.
    pub classes: [usize; 2],
    /// Row and multiplier of the support vectors of each.
    pub support: [Vec<(usize, f64)>; 2],
    pub bias: f64,
}

/// The models of one fold under all penalties.
pub(super) struct Predictor<'a> {
    resolved: Resolved,
    features: &'a Features,
    n_classes: usize,
    n_pairs: usize,
    /// `[penalty][pair]`
    bias: Vec<f64>,
    form: Form,
}

/// How decisions are computed.
enum Form {
    /// A weight vector for each penalty and pair.
    Linear(Weights),
    /// The support vectors of each class under any penalty, with the decisions they take part in
    /// and their coefficients there.
    Kernel(Vec<(Panel, Vec<(usize, Vec<f64>)>)>),
}

impl<'a> Predictor<'a> {
    /// `models`: decisions of all pairs of `n_classes` classes in LIBSVM's order, for each penalty.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn new(
        resolved: Resolved,
        features: &'a Features,
        n_classes: usize,
        models: &[Vec<&Expansion>],
        progress: &dyn Progress,
    ) -> Result<Self, SvcError> {
        let all: Vec<&Expansion> = models.iter().flatten().copied().collect();
        let form = if resolved.kernel == Kernel::Linear {
            Form::Linear(linear(features, &all, progress)?)
        } else {
            Form::Kernel(by_class(features, &all, progress)?)
        };
        let bias = all.iter().map(|expansion| expansion.bias).collect();
        let n_pairs = n_classes * (n_classes - 1) / 2;
        Ok(Predictor { resolved, features, n_classes, n_pairs, bias, form })
    }

    /// Positions of the classes of `rows`, `[penalties][rows]`.
    ///
    /// # Errors
    /// [`SvcError::Interrupted`]
    pub fn predict(
        &self,
        rows: &[usize],
        break_ties: bool,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<usize>>, SvcError> {
        let chunk = if matches!(self.form, Form::Linear(_)) { LINEAR_CHUNK } else { CHUNK };
        let decided: Vec<Vec<f64>> = rows
            .par_chunks(chunk)
            .with_max_len(1)
            .map_init(Block::default, |block, rows| self.decide(rows, block, progress))
            .collect::<Result<_, _>>()?;
        let n_penalties = self.bias.len() / self.n_pairs;
        let mut winners = vec![Vec::with_capacity(rows.len()); n_penalties];
        for sums in decided.iter().flat_map(|sums| sums.chunks_exact(self.bias.len())) {
            for (winners, sums) in winners.iter_mut().zip(sums.chunks_exact(self.n_pairs)) {
                let decisions = sums.iter().map(|&sum| sum as f32);
                winners.push(winner(self.n_classes, decisions, break_ties));
            }
        }
        Ok(winners)
    }

    /// Decisions `[row][penalty][pair]`.
    fn decide(
        &self,
        rows: &[usize],
        block: &mut Block,
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, SvcError> {
        stop_if(progress)?;
        let cpu = Cpu::detect();
        let mut sums = self.bias.repeat(rows.len());
        match (&self.form, self.features) {
            (Form::Linear(weights), Features::Bytes(all)) => {
                let rows: Vec<&[u8]> = rows.iter().map(|&row| byte_row(all, row)).collect();
                weights.add_scores(cpu, &rows, &mut sums);
            }
            (Form::Linear(weights), Features::Floats(all)) => {
                let rows: Vec<&[f32]> = rows.iter().map(|&row| float_row(all, row)).collect();
                weights.add_scores(cpu, &rows, &mut sums);
            }
            (Form::Kernel(panels), features) => {
                for (panel, decisions) in panels {
                    block.compute(&self.resolved, features, rows, panel, progress)?;
                    for (query, sums) in sums.chunks_exact_mut(self.bias.len()).enumerate() {
                        for (decision, coefficients) in decisions {
                            let mut coefficients = coefficients.as_slice();
                            for piece in block.pieces(query) {
                                let (these, rest) = coefficients.split_at(piece.len());
                                sums[*decision] += smo::expansion(cpu, these, piece);
                                coefficients = rest;
                            }
                        }
                    }
                }
            }
        }
        Ok(sums)
    }
}

/// The weight vectors of all decisions, for features as they are stored.
fn linear(
    features: &Features,
    all: &[&Expansion],
    progress: &dyn Progress,
) -> Result<Weights, SvcError> {
    let unit = if matches!(features, Features::Bytes(_)) { 1.0 / 255.0 } else { 1.0 };
    let vectors: Vec<Vec<f64>> = all
        .par_iter()
        .map(|expansion| {
            stop_if(progress)?;
            let [first, second] = &expansion.support;
            let support: Vec<(usize, f64)> = first.iter().chain(second).copied().collect();
            Ok(weights_of(features, &support).into_iter().map(|weight| weight * unit).collect())
        })
        .collect::<Result<_, SvcError>>()?;
    Ok(Weights::pack(features.n_features(), &vectors.concat()))
}

/// Support vectors by class, with their coefficients in the decisions of their class.
#[expect(clippy::type_complexity, reason = "the content of `Form::Kernel`")]
fn by_class(
    features: &Features,
    all: &[&Expansion],
    progress: &dyn Progress,
) -> Result<Vec<(Panel, Vec<(usize, Vec<f64>)>)>, SvcError> {
    // Place of each support vector among those of its class.
    let mut places: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    for expansion in all {
        for (class, support) in expansion.classes.iter().zip(&expansion.support) {
            places.entry(*class).or_default().extend(support.iter().map(|&(row, _)| (row, 0)));
        }
    }
    for of_class in places.values_mut() {
        of_class.values_mut().enumerate().for_each(|(place, to)| *to = place);
    }
    places
        .into_par_iter()
        .map(|(class, places)| {
            let rows: Vec<usize> = places.keys().copied().collect();
            let mut decisions = Vec::new();
            for (decision, expansion) in all.iter().enumerate() {
                let Some(side) = expansion.classes.iter().position(|&of| of == class) else {
                    continue;
                };
                let mut coefficients = vec![0.0; rows.len()];
                for (row, multiplier) in &expansion.support[side] {
                    coefficients[places[row]] = *multiplier;
                }
                decisions.push((decision, coefficients));
            }
            Ok((Panel::pack(features, &rows, progress)?, decisions))
        })
        .collect()
}
