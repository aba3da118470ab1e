//! A fitted model as one thing: from the pixels of an image to a class and its scores.
//!
//! A [`Chain`] maps pixels to features (layers of networks, HOG, fitted maps); a [`Head`] says what
//! the features mean. Both are what the stages of a pipeline fitted, in the same order, so that a new
//! image goes the way of the training images.

mod answer;
mod chain;
mod error;
mod head;
mod similar;

pub use answer::{Adjust, Answer};
pub use chain::{Chain, Link};
pub use error::ModelError;
pub use head::{Head, Model};
pub use similar::{Similar, SimilarIndex, compared_by};
