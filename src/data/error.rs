//! What can go wrong with data, with the values that say so.

use std::path::{Path, PathBuf};

use super::import::ImportError;
use super::{ImageFault, registry};

/// Why a data set could not be read, downloaded, split or drawn.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A directory that was asked for does not exist.
    #[error("data directory `{}` does not exist", .path.display())]
    MissingDirectory {
        /// Directory asked for.
        path: PathBuf,
    },
    /// One of the files of a data set is absent.
    #[error("`{}` does not exist, neither plain nor with `.gz`", .path.display())]
    MissingFile {
        /// File asked for, without `.gz`.
        path: PathBuf,
    },
    /// The file does not start as its kind of IDX file does.
    #[error("`{}` starts with the magic number {found:#010x}, expected {expected}", .path.display())]
    WrongMagic {
        /// Damaged file.
        path: PathBuf,
        /// First four bytes, big-endian.
        found: u32,
        /// Numbers that would have been right.
        expected: &'static str,
    },
    /// The file ends before what its header promises.
    #[error("`{}` is truncated: it ends after {found} bytes of content, its header promises {expected}", .path.display())]
    Truncated {
        /// Damaged file.
        path: PathBuf,
        /// Bytes of content after unpacking; a lower bound if the stream broke.
        found: u64,
        /// Bytes that the header promises, header included.
        expected: u64,
    },
    /// The file goes on after what its header promises.
    #[error("`{}` holds more than the {expected} bytes that its header promises", .path.display())]
    TrailingBytes {
        /// Damaged file.
        path: PathBuf,
        /// Bytes that the header promises, header included.
        expected: u64,
    },
    /// A dimension of the images is zero, or their number of channels is neither 1 nor 3.
    #[error("`{}` holds images of shape {shape:?}: height and width must be at least 1, channels 1 or 3", .path.display())]
    UnusableShape {
        /// Offending file.
        path: PathBuf,
        /// Number, height, width and channels as found.
        shape: Vec<u64>,
    },
    /// The name or the content says gzip, and unpacking fails.
    #[error("`{}` is not a gzip file: {reason}", .path.display())]
    NotGzip {
        /// Damaged file.
        path: PathBuf,
        /// What the decoder met.
        reason: String,
    },
    /// Images and labels differ in number.
    #[error("`{}` holds {n_images} images, `{}` {n_labels} labels", .images.display(), .labels.display())]
    CountMismatch {
        /// File of the images.
        images: PathBuf,
        /// File of the labels.
        labels: PathBuf,
        /// Images found.
        n_images: usize,
        /// Labels found.
        n_labels: usize,
    },
    /// A label is not below the number of classes.
    #[error("label {found} at position {position} of `{}` is out of range, expected 0 to {}", .path.display(), .n_classes - 1)]
    LabelOutOfRange {
        /// File of the labels.
        path: PathBuf,
        /// Position of the first such label.
        position: usize,
        /// The label.
        found: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// A class between 0 and the largest label has no training image.
    #[error("class {class} of {n_classes} has no label in `{}`", .path.display())]
    EmptyClass {
        /// File of the training labels.
        path: PathBuf,
        /// The class.
        class: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// Fewer than two classes: nothing to tell apart.
    #[error("`{}` holds {found} class, a classifier needs at least 2", .path.display())]
    TooFewClasses {
        /// File of the training labels.
        path: PathBuf,
        /// Classes found.
        found: usize,
    },
    /// Training and test images differ in shape.
    #[error("training images have shape {train:?} (height, width, channels), test images {test:?}")]
    ShapeMismatch {
        /// Height, width and channels of the training images.
        train: [usize; 3],
        /// Height, width and channels of the test images.
        test: [usize; 3],
    },
    /// The file is well formed, yet not the published one.
    #[error("`{}` has SHA-256 {found}, expected {expected}", .path.display())]
    ChecksumMismatch {
        /// File, or the name it would have had once downloaded.
        path: PathBuf,
        /// Sum of what was read, hexadecimal.
        found: String,
        /// Published sum, hexadecimal.
        expected: String,
    },
    /// A server answered with an error.
    #[error("`{url}` answered with HTTP status {status}")]
    HttpStatus {
        /// Address asked.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// A download failed every time it was tried.
    #[error("downloading `{url}` failed {n_attempts} times, at last: {reason}")]
    Download {
        /// Address asked.
        url: String,
        /// How often it was tried.
        n_attempts: u32,
        /// Why the last attempt failed.
        reason: String,
    },
    /// Neither a data directory nor a place for downloads is known.
    #[error("no directory to download `{name}` into: this user has no cache directory")]
    NoDownloadDirectory {
        /// Data set asked for.
        name: String,
    },
    /// This data set lives only where the user says.
    #[error("data set `{name}` needs `--data`")]
    DirectoryRequired {
        /// Data set asked for.
        name: String,
    },
    /// This data set has no files: it is drawn by code.
    #[error("data set `{name}` is generated: it has no files")]
    NoFiles {
        /// Data set asked for.
        name: String,
    },
    /// No data set has this name.
    #[error("unknown data set `{name}`, expected one of {}", .known.join(", "))]
    UnknownDataset {
        /// Name asked for.
        name: String,
        /// The known name that is nearest, if one is near.
        nearest: Option<&'static str>,
        /// Every known name.
        known: Vec<&'static str>,
    },
    /// A share of rows to hold out is not in `[0, 1)`.
    #[error("share {found} of held-out rows is out of range, expected 0 <= share < 1")]
    ShareOutOfRange {
        /// Share asked for.
        found: f64,
    },
    /// A split leaves nothing of a class to train on.
    #[error(
        "holding out a share of {share} leaves none of the {n_rows} rows of class {class} for training"
    )]
    ClassWithoutTraining {
        /// The class.
        class: usize,
        /// Rows of that class.
        n_rows: usize,
        /// Share asked for.
        share: f64,
    },
    /// A subset is larger than the training rows, or cannot hold every class.
    #[error(
        "a subset of {found} training rows is out of range, expected {n_classes} (one of each \
         class) to {n_rows}"
    )]
    SubsetSize {
        /// Rows asked for.
        found: usize,
        /// Training rows there are.
        n_rows: usize,
        /// Number of classes.
        n_classes: usize,
    },
    /// A split leaves nothing to test with.
    #[error("a share of {share} of {n_rows} rows is no test image")]
    NoTestImages {
        /// Share asked for.
        share: f64,
        /// Rows there are.
        n_rows: usize,
    },
    /// A shift moves the whole image out of sight.
    #[error("a shift of {shift} pixels leaves nothing of images of {} x {} pixels", .found[0], .found[1])]
    ShiftTooLarge {
        /// Most pixels.
        shift: usize,
        /// Height and width of the images.
        found: [usize; 2],
    },
    /// A change of training images is outside its range.
    #[error("`{name}` of the changes to training images is {found}, must be from 0 to {max}")]
    TransformOutOfRange {
        /// Which change.
        name: &'static str,
        /// Value given.
        found: f64,
        /// Most that is allowed.
        max: f64,
    },
    /// Copies of an image would not differ.
    #[error(
        "{copies} copies of an image are wanted, but flip and shift make {n_placements} different ones"
    )]
    TooManyCopies {
        /// Copies asked for.
        copies: usize,
        /// Placements besides the image's own.
        n_placements: usize,
    },
    /// Not even one block of cells fits into an image.
    #[error(
        "cells of {cell} pixels in blocks of {block} cells need images of at least {needed} x \
         {needed} pixels, found {} x {}", .found[0], .found[1]
    )]
    ImageTooSmallForHog {
        /// Side of a cell, pixels.
        cell: usize,
        /// Cells along the side of a block.
        block: usize,
        /// Side of a block, pixels.
        needed: usize,
        /// Height and width of the images.
        found: [usize; 2],
    },
    /// Bytes that are no image, a damaged one, or one too large.
    #[error(transparent)]
    Image(#[from] ImageFault),
    /// No file below a directory is named as an image.
    #[error("no PNG or JPEG image below `{}`", .path.display())]
    NoImages {
        /// The directory.
        path: PathBuf,
    },
    /// A folder, table or archive is no data set that can be used.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What `--data` names is not there.
    #[error("`{}` does not exist", .path.display())]
    MissingData {
        /// File or directory asked for.
        path: PathBuf,
    },
    /// A picture could not be written.
    #[error("cannot encode a PNG image: {reason}")]
    Png {
        /// What the encoder says.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl DataError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        use DataError::*;
        match self {
            DirectoryRequired { name } if name == registry::OWN => {
                Some("name it with `--data PATH`".into())
            }
            MissingDirectory { .. } | MissingFile { .. } | DirectoryRequired { .. } => Some(
                "a data directory holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, \
                 `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, plain or with `.gz`; \
                 name it with `--data DIR`. Own data are a folder with one sub-folder of images \
                 per class, a CSV table or an `.npz` file: `--data PATH`"
                    .into(),
            ),
            WrongMagic { .. }
            | Truncated { .. }
            | TrailingBytes { .. }
            | NotGzip { .. }
            | ChecksumMismatch { .. } => Some(
                "the file is damaged or another one: delete it and run `pipeline data fetch`"
                    .into(),
            ),
            CountMismatch { .. } => Some("images and labels must come from the same set".into()),
            LabelOutOfRange { .. } | EmptyClass { .. } => {
                Some("number the classes from 0 without gaps".into())
            }
            HttpStatus { .. } | Download { .. } => Some(
                "name a directory that holds the files with `--data DIR`, another server with \
                 `PIPELINE_MIRROR=URL`, or use the generated `--dataset garments`"
                    .into(),
            ),
            NoDownloadDirectory { .. } => Some("name a directory with `--data DIR`".into()),
            NoFiles { .. } => Some("there is nothing to fetch or verify".into()),
            UnknownDataset { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            NoImages { .. } => Some("name its files, or a directory of .png or .jpg files".into()),
            Import(error) => error.hint(),
            Image(ImageFault::TooLarge { .. }) => Some("make the image smaller".into()),
            ShiftTooLarge { .. } => Some("shift by fewer pixels".into()),
            TooManyCopies { .. } => {
                Some("ask for fewer copies, or allow `flip`, a larger `shift` or `rotate`".into())
            }
            NoTestImages { .. } => Some("hold out a larger share".into()),
            ImageTooSmallForHog { .. } => Some("take smaller cells or blocks".into()),
            ShareOutOfRange { .. } | ClassWithoutTraining { .. } => {
                Some("hold out a smaller share".into())
            }
            SubsetSize { found, n_rows, .. } if found > n_rows => {
                Some(format!("the data set has {n_rows} training rows: ask for at most that"))
            }
            SubsetSize { .. } => Some("ask for more rows".into()),
            _ => None,
        }
    }

    /// Names the file in a system error: `.map_err(DataError::io(path))`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> DataError + '_ {
        move |source| DataError::Io { path: path.to_owned(), source }
    }
}
