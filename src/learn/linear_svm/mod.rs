//! Linear support vector classification: scikit-learn's `LinearSVC` on bytes or real features.

mod dcd;
mod gram;
mod learner;
mod model;
mod multiclass;
mod newton;
mod params;
mod problem;
#[cfg(test)]
mod tests;

pub use model::{LinearReport, LinearSvc, ProblemReport};
pub use params::{
    LinearSvcParams, LinearSvcValidParams, Loss, MultiClass, NEWTON_MAX_FEATURES, Solver,
};
