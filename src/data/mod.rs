//! Images and labels: the shared types, readers, registry, download, splits, generated data.

mod augment;
mod dataset;
mod decode;
pub mod download;
mod error;
mod features;
pub mod garments;
pub mod hog;
pub mod idx;
mod image_step;
pub mod import;
mod input;
pub mod registry;
mod rng;
mod shape;
pub mod sheet;
mod sources;
mod split;
mod store;
mod subset;
mod tensor_file;

pub use augment::{Augment, Scratch, Transforms};
pub use dataset::{Dataset, ImageSet, ImageShape};
pub use decode::{DecodeLimits, Decoded, ImageFault, decode_image, image_size};
pub use error::DataError;
pub use features::{Features, Labels};
pub use image_step::ImageStep;
pub use input::ImageInput;
pub use registry::{DATASETS, Loaded, load};
pub use rng::Rng;
pub use shape::TableShape;
pub use sheet::{contact_sheet, png_bytes};
pub use sources::Sources;
pub use split::{split_train, validation_split};
pub use subset::{stratified_order, subset};
pub use tensor_file::{Tensor, TensorFile, TensorFileError};
