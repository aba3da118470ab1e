//! Training images changed anew in every epoch.

use super::tape::Moment;
use crate::data::{ImageShape, Rng, Scratch, Transforms};

/// The changes of one epoch. Those of an image depend on seed, epoch and row alone: neither on the
/// batch it falls into nor on threads.
pub(super) struct Augmentation<'a> {
    transforms: &'a Transforms,
    shape: ImageShape,
    rng: Rng,
}

/// Where a changed image lies; one for each task.
#[derive(Default)]
pub(super) struct Changed {
    image: Vec<u8>,
    scratch: Scratch,
}

impl<'a> Augmentation<'a> {
    /// None where nothing is changed.
    pub fn new(transforms: &'a Transforms, shape: ImageShape, moment: Moment) -> Option<Self> {
        let rng = || Rng::new(moment.seed, &["augmentation", &moment.epoch.to_string()]);
        (!transforms.is_none()).then(|| Augmentation { transforms, shape, rng: rng() })
    }

    /// The training image `row` changed.
    pub fn change<'c>(&self, row: usize, image: &[u8], changed: &'c mut Changed) -> &'c [u8] {
        let Changed { image: copy, scratch } = changed;
        copy.resize(image.len(), 0);
        self.transforms.apply(image, self.shape, &mut self.rng.stream(row as u64), copy, scratch);
        copy
    }
}
