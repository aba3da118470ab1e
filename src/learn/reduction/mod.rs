//! Linear maps to fewer features: principal components, Fisher's discriminant, random projections.

mod fisher;
mod pca;
mod projection;
mod random;
#[cfg(test)]
pub(super) mod tests;

pub use fisher::{Fisher, FisherParams, FisherValidParams};
pub use pca::{Components, Pca, PcaEngine, PcaParams, PcaValidParams};
pub use random::{
    Distribution, RandomProjection, RandomProjectionParams, RandomProjectionValidParams,
};
