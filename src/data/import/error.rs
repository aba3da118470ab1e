//! What can be wrong with somebody's own data.

use std::path::PathBuf;

use crate::data::{ImageFault, ImageShape};

/// Why a folder, a table or an archive is no data set that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing in it is known.
    #[error("`{}` is no data set: {found}", .path.display())]
    UnknownKind {
        /// File or directory.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// The folder of a class has no image.
    #[error("class folder `{}` holds no PNG or JPEG image", .path.display())]
    EmptyClassFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A symbolic link leads to a folder that is read already.
    #[error("`{}` is a symbolic link to `{}`, which is read already", .path.display(), .target.display())]
    LinkLoop {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A class of the test or validation images that cannot be learnt.
    #[error("class `{class}` has {n_images} {part} images in `{}` and none for training", .path.display())]
    ClassWithoutTraining {
        /// The data set.
        path: PathBuf,
        /// The class.
        class: String,
        /// `test` or `validation`.
        part: &'static str,
        /// Images of it in that part.
        n_images: usize,
    },
    /// Test images alone, or files of which none can be read.
    #[error("`{}` holds no training image that can be used", .path.display())]
    NothingToTrainOn {
        /// The data set.
        path: PathBuf,
    },
    /// Images of two sizes, and none was asked for.
    #[error(
        "images differ in size: `{}` has {} x {} pixels, `{}` {} x {} (height x width)",
        .first.display(), .first_size[0], .first_size[1],
        .other.display(), .other_size[0], .other_size[1]
    )]
    MixedSizes {
        /// An image.
        first: PathBuf,
        /// Its height and width.
        first_size: [usize; 2],
        /// The first one of another size.
        other: PathBuf,
        /// Its height and width.
        other_size: [usize; 2],
    },
    /// A file that should be an image.
    #[error("cannot use `{}`: {fault}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: UnreadableFault,
    },
    /// More pixels than the machine can hold.
    #[error(
        "{n_images} images of {} x {} pixels and {} channel(s) take {} MiB, more than half of the {} \
         MiB that are free", .shape.height, .shape.width, .shape.channels, .needed >> 20, .free >> 20
    )]
    Memory {
        /// Images.
        n_images: usize,
        /// Shape of each.
        shape: ImageShape,
        /// Bytes needed.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A table too large to be taken apart in memory.
    #[error("`{}` has {} MiB; reading it takes about {} MiB of the {} MiB that are free", .path.display(), .found >> 20, .needed >> 20, .free >> 20)]
    TableMemory {
        /// The table.
        path: PathBuf,
        /// Bytes of the file.
        found: u64,
        /// Bytes needed.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// So many different labels that they are none.
    #[error("`{}` has {found} different labels, at most {max} classes are told apart", .path.display())]
    TooManyClasses {
        /// The data set.
        path: PathBuf,
        /// Different labels.
        found: usize,
        /// Most that are possible.
        max: usize,
    },
    /// A table has no such column.
    #[error("`{}` has no column `{wanted}` for the labels; its columns: {}", .path.display(), .columns)]
    NoColumn {
        /// The table.
        path: PathBuf,
        /// Column asked for.
        wanted: String,
        /// The first ones that there are.
        columns: String,
    },
    /// A cell that is no pixel, label or path.
    #[error("row {row} of `{}`, column `{column}`: found {found}, expected {expected}", .path.display())]
    Cell {
        /// The table.
        path: PathBuf,
        /// Row of data, counted from 1.
        row: usize,
        /// Name of the column.
        column: String,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// Pixels in columns that make no image.
    #[error("{n_pixels} pixels a row in `{}` are no square image of 1 or 3 channels", .path.display())]
    NotSquare {
        /// The table.
        path: PathBuf,
        /// Pixels of a row.
        n_pixels: usize,
    },
    /// A table that is not well formed.
    #[error("cannot read the table `{}`: {reason}", .path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What the reader met.
        reason: String,
    },
    /// Parquet without the feature.
    #[error("`{}` is a Parquet table, which this build cannot read", .path.display())]
    NoParquet {
        /// The table.
        path: PathBuf,
    },
    /// An array that cannot be used.
    #[error("array `{name}` of `{}`: {reason}", .path.display())]
    Array {
        /// The archive or directory.
        path: PathBuf,
        /// The array.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No pair of images and labels.
    #[error("`{}` has no arrays of images and labels by a known name; it holds: {found}", .path.display())]
    NoArrays {
        /// The archive or directory.
        path: PathBuf,
        /// Names that there are.
        found: String,
    },
    /// An archive that is not well formed.
    #[error("cannot read the archive `{}`: {reason}", .path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What the reader met.
        reason: String,
    },
}

/// Why a file of a folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFault {
    /// Its content.
    #[error(transparent)]
    Image(#[from] ImageFault),
    /// The system did not give it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Too many bytes for an image.
    #[error("the file has {} MiB, images of at most {} MiB are read", .found >> 20, .max >> 20)]
    TooManyBytes {
        /// Bytes of the file.
        found: u64,
        /// Most that are read.
        max: u64,
    },
}

impl ImportError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        use ImportError::*;
        let hint = match self {
            UnknownKind { .. } => {
                "a data set is a folder with one sub-folder of PNG or JPEG images per class \
                 (inside `train` and `test`, or without), a CSV or Parquet table, an `.npz` or \
                 `.npy` file, or a directory of the four IDX files"
            }
            EmptyClassFolder { .. } => "remove the folder, or put images into it",
            LinkLoop { .. } => "remove the link",
            ClassWithoutTraining { .. } | NothingToTrainOn { .. } => {
                "every class needs training images: add some, or take the class out"
            }
            MixedSizes { first_size: [height, width], .. } => {
                return Some(format!(
                    "say to which size all are brought: `size = [{height}, {width}]` in the stage \
                     `dataset` (`--set data.size=[{height},{width}]` where it is named `data`)"
                ));
            }
            Unreadable { .. } => {
                "`pipeline data show PATH` lists all such files; `unreadable = \"skip\"` in the \
                 stage `dataset` (`--set data.unreadable=skip` where it is named `data`) leaves \
                 them out"
            }
            Memory { .. } => "take smaller images: `size = [height, width]` in the stage `dataset`",
            TableMemory { .. } => "put the pixels into an `.npz` file: it takes a byte a pixel",
            TooManyClasses { .. } => {
                "name the column of the labels: `label = \"NAME\"` in the stage `dataset`"
            }
            NoColumn { .. } => "give `label` the name of a column, or its number counted from 1",
            Cell { .. } => {
                "pixels are whole numbers from 0 to 255, or real ones from 0 to 1; the column of \
                 the labels is named by `label`"
            }
            NotSquare { .. } => {
                "say the height and width of the images: `size = [height, width]` in the stage \
                 `dataset`"
            }
            NoParquet { .. } => "build with `--features parquet`, or write the table as CSV",
            NoArrays { .. } => {
                "name them `x_train`, `y_train`, `x_test`, `y_test`, or `images` and `labels`"
            }
            Array { .. } => {
                "images are `[n, height, width]` or `[n, height, width, channels]`, bytes or \
                 reals from 0 to 1; labels are `[n]`, whole numbers or text"
            }
            Table { .. } | Archive { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
