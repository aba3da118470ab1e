//! Images and labels: the shared types, readers, registry, download, splits, generated data.

mod dataset;
mod features;
mod rng;
mod sources;
mod tensor_file;

pub use dataset::{Dataset, ImageSet, ImageShape};
pub use features::{Features, Labels};
pub use rng::Rng;
pub use sources::Sources;
pub use tensor_file::{Tensor, TensorFile, TensorFileError};
