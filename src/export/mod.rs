//! Fitted models and what they say, as files for other programs.
//!
//! A [`Package`] is one directory: the whole model as tensors (`model.safetensors`, which this program reads
//! back), the same as one ONNX graph (`model.onnx`), `labels.txt`, and `manifest.json` with what it is, how
//! good it was and what its files' digests are. Tables of features and predictions are NumPy or CSV files.

mod error;
pub mod onnx;
mod package;
mod table;

pub use error::ExportError;
pub use package::{Facts, Manifest, Package, PackedFile, is_package, read};
pub use table::{Predictions, Table, TableFormat};
