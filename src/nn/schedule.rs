//! The learning rate of every step, as PyTorch's schedulers give it.
//!
//! ```text
//! t       step, from 0, after the warm-up          T   steps after the warm-up
//! lr      learning_rate                            w   steps of the warm-up
//! warm-up    lr (t + 1) / w
//! step       lr factor^floor(epoch / epochs)
//! cosine     end + (lr - end) (1 + cos(pi t / T)) / 2
//! one cycle  cosines between lr / div, lr and lr / div / final_div, turning at pct_start T - 1
//! plateau    lr factor^k, after the k-th time that patience ran out
//! ```
//!
//! A pure function of step and history: a checkpoint holds nothing of it.

use super::params::{Schedule, TrainParams};
use crate::metrics::EpochRecord;

/// A validation loss must be below the best by this share to count as better.
const THRESHOLD: f64 = 1e-4;

/// Learning rates of the steps of one epoch.
pub struct Rates<'a> {
    params: &'a TrainParams,
    n_batches: usize,
    /// `learning_rate`, as far as plateaus lowered it.
    base: f64,
}

impl<'a> Rates<'a> {
    /// Rates of the epoch that follows `history`; `n_batches` steps make an epoch.
    pub fn new(params: &'a TrainParams, n_batches: usize, history: &[EpochRecord]) -> Self {
        Rates { params, n_batches, base: after_plateaus(params, history) }
    }

    /// Learning rate of a step, counted from 0 over the whole training.
    pub fn at(&self, step: usize) -> f64 {
        let TrainParams { learning_rate, schedule, warmup_epochs, epochs, .. } = *self.params;
        let n_warm = warmup_epochs * self.n_batches;
        let Some(t) = step.checked_sub(n_warm) else {
            return learning_rate * (step + 1) as f64 / n_warm as f64;
        };
        let n_steps = (epochs - warmup_epochs) * self.n_batches;
        match schedule {
            Schedule::Constant | Schedule::Plateau { .. } => self.base,
            Schedule::Step { epochs, factor } => {
                let n_drops = t / self.n_batches / epochs;
                learning_rate * factor.powf(n_drops as f64)
            }
            Schedule::Cosine { final_learning_rate } => {
                half_cosine(learning_rate, final_learning_rate, t as f64 / n_steps as f64)
            }
            Schedule::OneCycle { pct_start, div_factor, final_div_factor } => {
                let first = learning_rate / div_factor;
                let (t, turn, end) =
                    (t as f64, pct_start * n_steps as f64 - 1.0, n_steps as f64 - 1.0);
                if t <= turn && turn > 0.0 {
                    half_cosine(first, learning_rate, t / turn)
                } else {
                    half_cosine(learning_rate, first / final_div_factor, (t - turn) / (end - turn))
                }
            }
        }
    }
}

/// From `start` (share 0) to `end` (share 1).
fn half_cosine(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos())
}

/// The learning rate after the plateaus of `history`; epochs of the warm-up are not watched.
fn after_plateaus(params: &TrainParams, history: &[EpochRecord]) -> f64 {
    let Schedule::Plateau { factor, patience, min_learning_rate } = params.schedule else {
        return params.learning_rate;
    };
    let (mut rate, mut best, mut n_bad) = (params.learning_rate, f64::INFINITY, 0);
    for loss in history.iter().skip(params.warmup_epochs).filter_map(|r| r.validation_loss) {
        n_bad += 1;
        if loss < best * (1.0 - THRESHOLD) {
            (best, n_bad) = (loss, 0);
        }
        if n_bad > patience {
            (rate, n_bad) = ((rate * factor).max(min_learning_rate), 0);
        }
    }
    rate
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::nn::test_fixture::training_recipe;

    fn floats(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    fn history(losses: &[f64]) -> Vec<EpochRecord> {
        let record = |(position, loss): (usize, &f64)| EpochRecord {
            epoch: position + 1,
            train_loss: 0.0,
            train_accuracy: 0.0,
            validation_loss: Some(*loss),
            validation_accuracy: Some(0.0),
            learning_rate: 0.0,
            seconds: 0.0,
        };
        losses.iter().enumerate().map(record).collect()
    }

    // The fixture is made by tests/reference/training_recipe.py (library version inside).
    #[test]
    fn every_schedule_gives_pytorchs_rates() {
        let fixture = training_recipe();
        let losses = floats(&fixture["validation_losses"]);
        let (n_epochs, n_batches) = (20, 3);
        let plateau = Schedule::Plateau { factor: 0.2, patience: 2, min_learning_rate: 0.001 };
        let one_cycle =
            Schedule::OneCycle { pct_start: 0.25, div_factor: 20.0, final_div_factor: 1000.0 };
        let cosine = Schedule::Cosine { final_learning_rate: 0.001 };
        for (name, schedule, warmup_epochs) in [
            ("step", Schedule::Step { epochs: 6, factor: 0.3 }, 0),
            ("cosine", cosine, 0),
            ("one_cycle", one_cycle, 0),
            ("plateau", plateau, 0),
            ("warm-up, cosine", cosine, 2),
        ] {
            let learning_rate = fixture["learning_rate"].as_f64().unwrap();
            let params = TrainParams {
                epochs: n_epochs,
                learning_rate,
                schedule,
                warmup_epochs,
                ..TrainParams::default()
            };
            let expected = floats(&fixture["schedules"][name]);
            let n_per_epoch = expected.len() / n_epochs;
            for (i, expected) in expected.into_iter().enumerate() {
                let epoch = i / n_per_epoch;
                let rates = Rates::new(&params, n_batches, &history(&losses[..epoch]));
                let step = epoch * n_batches + i % n_per_epoch;
                let found = rates.at(step);
                assert!((found - expected).abs() < 1e-12, "{name}, {i}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn one_cycle_of_a_single_step_is_finite() {
        let schedule =
            Schedule::OneCycle { pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 };
        for epochs in 1..6 {
            let params = TrainParams { epochs, schedule, ..TrainParams::default() };
            for step in 0..epochs {
                let rate = Rates::new(&params, 1, &[]).at(step);
                assert!(rate > 0.0 && rate <= params.learning_rate, "{epochs} {step}: {rate}");
            }
        }
    }
}
