//! Held-out rows of a fold, predicted under all penalties of a path at once.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::block::{Block, stop_if};
use super::decision::{LINEAR_CHUNK, winner};
use super::gradient::weights_of;
use super::gram::{Resolved, byte_row, float_row};
use super::params::{Kernel, SvcError};
use super::support::{CHUNK, ClassSupport, PackedSupport};
use crate::data::Features;
use crate::kernels::Cpu;
use crate::kernels::weights::Weights;
use crate::progress::Progress;

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
    /// The support vectors of each class under any penalty.
    Kernel(PackedSupport),
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
            let classes = by_class(&all);
            Form::Kernel(PackedSupport::new(features, &classes, all.len(), progress)?)
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
            (Form::Kernel(support), features) => {
                support.add_decisions(
                    &self.resolved,
                    features,
                    rows,
                    block,
                    &mut sums,
                    progress,
                )?;
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
fn by_class(all: &[&Expansion]) -> Vec<ClassSupport> {
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
    let of_class = |(class, places): (usize, BTreeMap<usize, usize>)| {
        let mut decisions = Vec::new();
        for (decision, expansion) in all.iter().enumerate() {
            let Some(side) = expansion.classes.iter().position(|&of| of == class) else {
                continue;
            };
            let entries = expansion.support[side].iter().map(|&(row, c)| (places[&row], c));
            let mut entries: Vec<(usize, f64)> = entries.collect();
            entries.sort_unstable_by_key(|&(place, _)| place);
            decisions.push((decision, entries));
        }
        ClassSupport { rows: places.into_keys().collect(), decisions }
    };
    places.into_iter().map(of_class).collect()
}
