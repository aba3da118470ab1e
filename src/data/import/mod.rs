//! Somebody's own data: folders of images, tables and arrays.
//!
//! ```text
//! what is it?      folder of class folders | CSV, Parquet | .npz, .npy | the four IDX files
//! read             one image after another, on all threads; only its row of pixels is kept
//! name classes     folders' names, labels' text; numbers in their order, else by letters
//! split            where no test images are given, a stratified, seeded share becomes them
//! ```
//!
//! Pixels stay gray as long as every image is gray by its values, whatever its file says.

mod arrays;
mod bytes;
mod classes;
mod error;
mod folder;
mod images;
mod npy;
mod source;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use serde::Deserialize;
use sysinfo::System;

pub use self::error::{ImportError, UnreadableFault};
pub use self::source::{Source, recognise};

use super::{DataError, Dataset, ImageSet, ImageShape, Labels, duplicates, registry, split_train};
use crate::progress::Progress;

/// What becomes of files that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// The first one ends the reading.
    #[default]
    Error,
    /// They are left out and listed.
    Skip,
}

/// Channels of the pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// 1 if every image is gray, else 3.
    #[default]
    Auto,
    /// Gray.
    One,
    /// Red, green and blue.
    Three,
}

/// How own data are read.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportOptions {
    /// Height and width to which every image is brought; without it all must have one size.
    pub size: Option<[usize; 2]>,
    /// Bring images of other sizes to that of the first, where `size` is not said: for a look at
    /// data, not for a run.
    pub any_size: bool,
    /// Channels of the pixels.
    pub channels: Channels,
    /// Column of a table's labels: its name, or its number counted from 1; none to find it.
    pub label: Option<String>,
    /// What becomes of files that cannot be read.
    pub unreadable: Unreadable,
    /// Share of the images that become test images where none are given, stratified.
    pub test: f64,
    /// Seed of that split.
    pub seed: u64,
}

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions {
            size: None,
            any_size: false,
            channels: Channels::Auto,
            label: None,
            unreadable: Unreadable::Error,
            test: 0.2,
            seed: 42,
        }
    }
}

/// A data set and what was met while reading it.
#[derive(Debug)]
pub struct Imported {
    /// The images; rows of a validation part are held out.
    pub dataset: Dataset,
    /// What was met.
    pub survey: Survey,
}

/// What was met while own data were read.
#[derive(Debug, Default)]
pub struct Survey {
    /// Height and width of the images as found, with how many have them, by size.
    pub sizes: Vec<([usize; 2], usize)>,
    /// Files left out because they cannot be read, in order.
    pub unreadable: Vec<(PathBuf, UnreadableFault)>,
    /// Files left out because their names are not those of images.
    pub n_ignored: usize,
    /// Whether the test images were split off.
    pub was_split: bool,
}

/// Files that a warning names.
const N_NAMED: usize = 10;

impl Imported {
    /// Warns of what was left out, and of test images that are training images too.
    pub fn warn(&self, progress: &dyn Progress) {
        let Survey { unreadable, n_ignored, .. } = &self.survey;
        if !unreadable.is_empty() {
            let named = unreadable.iter().take(N_NAMED);
            let lines: Vec<String> =
                named.map(|(path, fault)| format!("  {}: {fault}", path.display())).collect();
            let n_more = unreadable.len() - lines.len();
            let more = if n_more > 0 { format!("\n  and {n_more} more") } else { String::new() };
            progress.warn(&format!(
                "{} files cannot be read and are left out:\n{}{more}",
                unreadable.len(),
                lines.join("\n")
            ));
        }
        if *n_ignored > 0 {
            progress.warn(&format!(
                "{n_ignored} files are left out: they do not end in `.png`, `.jpg` or `.jpeg`"
            ));
        }
        let found = duplicates(&self.dataset);
        if found.test_in_train > 0 {
            progress.warn(&format!(
                "{} of {} test images are training images too: accuracies are too high \
                 (`pipeline data show` counts duplicates)",
                found.test_in_train,
                self.dataset.test.len()
            ));
        }
    }
}

/// Training, validation and test part.
const PARTS: [&str; 3] = ["training", "validation", "test"];

/// Images of one shape as a reader hands them over, part by part.
struct Raw {
    shape: ImageShape,
    /// `[n, shape.n_pixels()]` of each part.
    pixels: [Array2<u8>; 3],
    /// Class of each image, below the number of `class_names`.
    labels: [Vec<usize>; 3],
    class_names: Vec<String>,
    survey: Survey,
}

/// Reads the data set that `path` holds.
///
/// # Errors
/// [`DataError::Import`] and the faults of IDX files, each naming the file; what does not fit into
/// half of the free memory; [`DataError::Interrupted`].
/// # Cost
/// A byte a pixel and channel, and one batch of decoded images
pub fn import(
    path: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Imported, DataError> {
    let raw = match recognise(path)? {
        Source::Idx(directory) => {
            let dataset = registry::read_idx(&directory)?;
            let shape = dataset.train.shape;
            let n_images = dataset.train.len() + dataset.test.len();
            let sizes = vec![([shape.height, shape.width], n_images)];
            return Ok(Imported { dataset, survey: Survey { sizes, ..Survey::default() } });
        }
        Source::Folder(root) => images::read(folder::list(&root, options)?, options, progress)?,
        Source::Table { train, test } => table::read(&train, test.as_deref(), options, progress)?,
        Source::Npz(archive) => arrays::read_npz(&archive, options, progress)?,
        Source::Npy(directory) => arrays::read_directory(&directory, options, progress)?,
    };
    finish(path, raw, options)
}

/// Checks the classes, puts the validation images behind the training images, splits off test
/// images where none are given.
fn finish(path: &Path, raw: Raw, options: &ImportOptions) -> Result<Imported, DataError> {
    let Raw { shape, pixels: [train, validation, test], labels, class_names, mut survey } = raw;
    check_classes(path, &labels, &class_names)?;
    let [train_labels, validation_labels, test_labels] = labels;
    let n_train = train_labels.len();
    let validation_idx: Vec<usize> = (n_train..n_train + validation_labels.len()).collect();
    let pixels = if validation.is_empty() {
        train
    } else {
        let mut both = train;
        both.append(Axis(0), validation.view()).expect("parts have one shape");
        both
    };
    let train_labels: Labels = train_labels.into_iter().chain(validation_labels).collect();
    let dataset = Dataset {
        name: name_of(path),
        class_names,
        train: ImageSet { shape, pixels, labels: train_labels },
        validation_idx,
        test: ImageSet { shape, pixels: test, labels: test_labels.into() },
        synthetic: false,
        steps: Vec::new(),
    };
    survey.was_split = dataset.test.is_empty();
    let dataset = if survey.was_split {
        split_train(&dataset, options.test, true, options.seed)?
    } else {
        dataset
    };
    Ok(Imported { dataset, survey })
}

/// At least two classes, each with training images.
fn check_classes(
    path: &Path,
    labels: &[Vec<usize>; 3],
    class_names: &[String],
) -> Result<(), DataError> {
    let mut counts = vec![[0; 3]; class_names.len()];
    for (part, labels) in labels.iter().enumerate() {
        labels.iter().for_each(|&label| counts[label][part] += 1);
    }
    if labels[0].is_empty() {
        return Err(ImportError::NothingToTrainOn { path: path.to_owned() }.into());
    }
    for (class, counts) in counts.iter().enumerate() {
        if counts[0] == 0 {
            // A class whose files are all left out has images in no part.
            let part = (1..PARTS.len()).find(|&part| counts[part] > 0).unwrap_or(2);
            return Err(ImportError::ClassWithoutTraining {
                path: path.to_owned(),
                class: class_names[class].clone(),
                part: PARTS[part],
                n_images: counts[part],
            }
            .into());
        }
    }
    if class_names.len() < 2 {
        return Err(DataError::TooFewClasses { path: path.to_owned(), found: class_names.len() });
    }
    Ok(())
}

/// What a data set is called: its directory, or its file without the ending.
fn name_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if whole.is_dir() { whole.file_name() } else { whole.file_stem() };
    name.map_or_else(|| "own".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Bytes of memory that are free, within the limits of a container.
fn free_memory() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let of_container = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    system.available_memory().min(of_container)
}

/// Refuses images that take more than half of the free memory: what reads them copies them.
fn check_memory(n_images: usize, shape: ImageShape) -> Result<(), ImportError> {
    let (needed, free) = ((n_images as u64).saturating_mul(shape.n_pixels() as u64), free_memory());
    if needed > free / 2 {
        return Err(ImportError::Memory { n_images, shape, needed, free });
    }
    Ok(())
}
