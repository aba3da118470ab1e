//! Arrays of images and labels: `.npz` archives and directories of `.npy` files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::bytes::{arranged, rows, shape_of_row};
use super::classes::number_labels;
use super::npy::{Npy, NpyFault};
use super::source::extension;
use super::{ImportError, ImportOptions, PARTS, Raw, Survey, check_memory};
use crate::data::{DataError, ImageShape};
use crate::progress::Progress;

/// Names of images and labels, part by part, as Keras, MedMNIST and NumPy write them; capitals do
/// not count. Images without a part are training images.
const PAIRS: [&[(&str, &str)]; 3] = [
    &[
        ("x_train", "y_train"),
        ("train_images", "train_labels"),
        ("train_x", "train_y"),
        ("images", "labels"),
        ("x", "y"),
        ("data", "labels"),
        ("data", "target"),
        ("arr_0", "arr_1"),
    ],
    &[("x_val", "y_val"), ("x_valid", "y_valid"), ("val_images", "val_labels")],
    &[("x_test", "y_test"), ("test_images", "test_labels"), ("test_x", "test_y")],
];

/// Names that an error shows.
const N_SHOWN: usize = 12;

/// Reads an `.npz` archive: stored or deflated members.
pub(super) fn read_npz(
    path: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Raw, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| archive(path, &error))?;
    read(path, Members::Zip(zip), options, progress)
}

/// Reads the `.npy` files of a directory.
pub(super) fn read_directory(
    path: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Raw, DataError> {
    // `images.npy` has an empty parent.
    let directory = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(DataError::io(directory))? {
        let file = entry.map_err(DataError::io(directory))?.path();
        if extension(&file) == "npy" && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    read(directory, Members::Files(files), options, progress)
}

fn archive(path: &Path, error: &dyn std::error::Error) -> ImportError {
    ImportError::Archive { path: path.to_owned(), reason: error.to_string() }
}

fn read(
    path: &Path,
    mut members: Members,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Raw, DataError> {
    let names = members.names(path)?;
    let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let pairs = PAIRS.map(|pairs| {
        pairs.iter().find_map(|(images, labels)| Some((find(images)?, find(labels)?)))
    });
    if pairs[0].is_none() {
        let found = match names.len() {
            0 => "nothing".to_owned(),
            _ => names.iter().take(N_SHOWN).cloned().collect::<Vec<_>>().join(", "),
        };
        return Err(ImportError::NoArrays { path: path.to_owned(), found }.into());
    }
    let mut shape: Option<ImageShape> = None;
    let mut pixels: [_; 3] = Default::default();
    let mut labels: [Vec<String>; 3] = Default::default();
    let mut n_images = 0;
    for (part, pair) in pairs.into_iter().enumerate() {
        let Some((images_at, labels_at)) = pair else { continue };
        let name = names[images_at].as_str();
        let fault = |name: &str, fault| refused(path, name, fault);
        let wrong = |reason: String| fault(name, NpyFault::Malformed(reason));

        let found = members.open(path, images_at, |reader| {
            let array = Npy::open(reader).map_err(|error| fault(name, error))?;
            let found = image_shape(&array.shape, options.size)
                .ok_or_else(|| wrong(format!("its shape is {:?}, no images'", array.shape)))?;
            if let Some(shape) = shape.filter(|&shape| shape != found) {
                let side = |s: ImageShape| [s.height, s.width, s.channels];
                return Err(wrong(format!(
                    "its images have shape {:?}, the {} images {:?}",
                    side(found),
                    PARTS[0],
                    side(shape)
                )));
            }
            n_images += array.shape[0];
            check_memory(n_images, found)?;
            let bytes = array.pixels(progress).map_err(|error| fault(name, error))?;
            pixels[part] = bytes;
            Ok(found)
        })?;
        shape = Some(found);

        let n_found = pixels[part].len() / found.n_pixels();
        let name = names[labels_at].as_str();
        labels[part] = members.open(path, labels_at, |reader| {
            let array = Npy::open(reader).map_err(|error| fault(name, error))?;
            // `[n]`, or `[n, 1]` as CIFAR's are.
            if array.n_values() != Some(n_found) || array.shape.first() != Some(&n_found) {
                let reason = format!(
                    "its shape is {:?}, expected a label for {n_found} images",
                    array.shape
                );
                return Err(fault(name, NpyFault::Malformed(reason)));
            }
            array.labels().map_err(|error| fault(name, error))
        })?;
    }
    let shape = shape.expect("there are training images");
    let sizes = vec![([shape.height, shape.width], n_images)];
    let (class_names, labels) = number_labels(path, labels)?;
    let pixels = pixels.map(|bytes| rows(bytes, shape));
    let (shape, pixels) = arranged(shape, pixels, options, progress)?;
    let survey = Survey { sizes, ..Survey::default() };
    Ok(Raw { shape, pixels, labels, class_names, survey })
}

fn refused(path: &Path, name: &str, fault: NpyFault) -> DataError {
    match fault {
        NpyFault::Interrupted => DataError::Interrupted,
        NpyFault::Malformed(reason) => {
            ImportError::Array { path: path.to_owned(), name: name.to_owned(), reason }.into()
        }
    }
}

/// `[n, height, width]`, `[n, height, width, channels]`, or rows of pixels.
fn image_shape(shape: &[usize], size: Option<[usize; 2]>) -> Option<ImageShape> {
    let found = match *shape {
        [_, n_pixels] => shape_of_row(n_pixels, size)?,
        [_, height, width] => ImageShape { height, width, channels: 1 },
        [_, height, width, channels @ (1 | 3)] => ImageShape { height, width, channels },
        _ => return None,
    };
    let n_pixels = found.height.checked_mul(found.width)?.checked_mul(found.channels)?;
    let n_values = n_pixels.checked_mul(shape[0])?;
    (n_pixels > 0 && n_values > 0).then_some(found)
}

/// Arrays by number.
enum Members {
    Zip(ZipArchive<BufReader<File>>),
    Files(Vec<PathBuf>),
}

impl Members {
    /// Name of each, without its ending.
    fn names(&self, path: &Path) -> Result<Vec<String>, ImportError> {
        match self {
            Members::Zip(zip) => zip
                .file_names()
                .map(|name| {
                    let name = name.map_err(|error| archive(path, &error))?;
                    Ok(name.strip_suffix(".npy").unwrap_or(&name).to_owned())
                })
                .collect(),
            Members::Files(files) => {
                let stem = |file: &PathBuf| file.file_stem().unwrap_or_default().to_owned();
                Ok(files.iter().map(|file| stem(file).to_string_lossy().into_owned()).collect())
            }
        }
    }

    /// Hands over what the `nth` holds, unpacked while it is read.
    fn open<T>(
        &mut self,
        path: &Path,
        nth: usize,
        take: impl FnOnce(&mut dyn Read) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        match self {
            Members::Files(files) => {
                let file = File::open(&files[nth]).map_err(DataError::io(&files[nth]))?;
                take(&mut BufReader::new(file))
            }
            Members::Zip(zip) => {
                let member = zip.by_index_raw(nth).map_err(|error| archive(path, &error))?;
                let expected = member.crc32();
                let method = member.compression();
                // Checked once `take` has read to the end, as it does with every array.
                let mut sum = flate2::Crc::new();
                let made = match method {
                    CompressionMethod::Stored => {
                        take(&mut Summed { reader: member, sum: &mut sum })
                    }
                    CompressionMethod::DEFLATE => {
                        let reader = DeflateDecoder::new(BufReader::new(member));
                        take(&mut BufReader::new(Summed { reader, sum: &mut sum }))
                    }
                    _ => {
                        let reason = "it is packed neither by deflate nor not at all".to_owned();
                        return Err(ImportError::Archive { path: path.to_owned(), reason }.into());
                    }
                }?;
                if sum.sum() != expected {
                    let reason = "the sum of an array is wrong: the file is damaged".to_owned();
                    return Err(ImportError::Archive { path: path.to_owned(), reason }.into());
                }
                Ok(made)
            }
        }
    }
}

/// Adds up what is read.
struct Summed<'a, R> {
    reader: R,
    sum: &'a mut flate2::Crc,
}

impl<R: Read> Read for Summed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_read = self.reader.read(buffer)?;
        self.sum.update(&buffer[..n_read]);
        Ok(n_read)
    }
}
