//! Image files to rows of pixels, one after another; only the rows are kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ndarray::Array2;
use rayon::prelude::*;

use super::{
    Channels, ImportError, ImportOptions, Raw, Survey, Unreadable, UnreadableFault, check_memory,
};
use crate::data::decode::{self, DecodeLimits, Decoded};
use crate::data::image_step::with_channels;
use crate::data::{DataError, ImageShape, ImageStep};
use crate::progress::Progress;

/// Most bytes of one encoded image.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Most images that are decoded before their rows are put in place, and most bytes of such rows.
const MAX_BATCH: usize = 256;
const MAX_BATCH_BYTES: usize = 64 << 20;

/// Images of more pixels are decoded one at a time, whatever the number of threads.
const LARGE_IMAGE: usize = 4 << 20;
static LARGE: Mutex<()> = Mutex::new(());

/// A file and its class.
pub(super) struct ImageFile {
    pub(super) path: PathBuf,
    pub(super) label: usize,
}

/// The files of a data set, part by part.
pub(super) struct Listing {
    pub(super) root: PathBuf,
    pub(super) files: [Vec<ImageFile>; 3],
    pub(super) class_names: Vec<String>,
    pub(super) survey: Survey,
}

/// Decodes every file of the listing.
///
/// # Errors
/// A file that cannot be read (skipped if `options` say so), two sizes where none is asked for, more
/// pixels than memory, an interruption.
pub(super) fn read(
    listing: Listing,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Raw, DataError> {
    let Listing { root, files, class_names, mut survey } = listing;
    let n_files = files.each_ref().map(Vec::len);
    let n_total = n_files.iter().sum::<usize>() as u64;
    let mut rows = Rows::new(options, n_files);
    let mut sizes: BTreeMap<[usize; 2], usize> = BTreeMap::new();
    let mut labels: [Vec<usize>; 3] = Default::default();
    let mut n_done = 0;
    for (part, files) in files.iter().enumerate() {
        let mut rest = files.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(rows.batch_size().min(rest.len()));
            rest = later;
            let wanted = rows.size();
            let read: Vec<Result<Found, DataError>> = batch
                .par_iter()
                .map(|file| {
                    if progress.interrupted() {
                        return Err(DataError::Interrupted);
                    }
                    Ok(read_one(&file.path, wanted, options))
                })
                .collect();
            for (file, found) in batch.iter().zip(read) {
                let (size, image) = match found? {
                    Ok(found) => found,
                    Err(fault) if options.unreadable == Unreadable::Skip => {
                        survey.unreadable.push((file.path.clone(), fault));
                        continue;
                    }
                    Err(fault) => {
                        let path = file.path.clone();
                        return Err(ImportError::Unreadable { path, fault }.into());
                    }
                };
                *sizes.entry(size).or_default() += 1;
                rows.push(part, &file.path, size, image)?;
                labels[part].push(file.label);
            }
            n_done += batch.len() as u64;
            progress.update(n_done, n_total, "images read");
        }
    }
    survey.sizes = sizes.into_iter().collect();
    let Some((shape, pixels)) = rows.finish() else {
        return Err(ImportError::NothingToTrainOn { path: root }.into());
    };
    Ok(Raw { shape, pixels, labels, class_names, survey })
}

/// Height and width as found, and the image as it is kept; none if its size is not `wanted`.
type Found = Result<([usize; 2], Option<Decoded>), UnreadableFault>;

fn read_one(path: &Path, wanted: Option<[usize; 2]>, options: &ImportOptions) -> Found {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let too_many = |found| UnreadableFault::TooManyBytes { found, max: MAX_FILE_BYTES };
    if metadata.len() > MAX_FILE_BYTES {
        return Err(too_many(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_many(bytes.len() as u64));
    }
    let limits = DecodeLimits::default();
    let [height, width] = decode::size(&bytes, &limits)?;
    let _alone = (height * width > LARGE_IMAGE)
        .then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
    let image = decode::decode(&bytes, &limits)?;
    let size = [image.shape.height, image.shape.width];
    let image = match options.channels {
        Channels::Auto if is_gray(&image) => with_channels(image, 1),
        Channels::Auto => image,
        Channels::One => with_channels(image, 1),
        Channels::Three => with_channels(image, 3),
    };
    let image = match (wanted, options.size.is_some() || options.any_size) {
        (Some([height, width]), true) => Some(ImageStep::Resize { height, width }.apply(image)),
        (Some(wanted), false) => (wanted == size).then_some(image),
        (None, _) => Some(image),
    };
    Ok((size, image))
}

/// Whether the channels of every pixel are equal.
fn is_gray(image: &Decoded) -> bool {
    image.shape.channels == 1
        || image.pixels.chunks_exact(3).all(|rgb| rgb[0] == rgb[1] && rgb[1] == rgb[2])
}

/// The rows read so far: of one channel until a colour image comes.
struct Rows<'a> {
    options: &'a ImportOptions,
    /// Files of each part.
    n_files: [usize; 3],
    /// The first image and its shape as kept.
    first: Option<(PathBuf, ImageShape)>,
    pixels: [Vec<u8>; 3],
}

impl<'a> Rows<'a> {
    fn new(options: &'a ImportOptions, n_files: [usize; 3]) -> Self {
        Rows { options, n_files, first: None, pixels: Default::default() }
    }

    /// Height and width that every image must have, or is brought to.
    fn size(&self) -> Option<[usize; 2]> {
        let of_first = self.first.as_ref().map(|(_, shape)| [shape.height, shape.width]);
        self.options.size.or(of_first)
    }

    /// Images to decode at once: one until their size is known.
    fn batch_size(&self) -> usize {
        self.size().map_or(1, |[height, width]| {
            (MAX_BATCH_BYTES / (height * width * 3).max(1)).clamp(1, MAX_BATCH)
        })
    }

    fn push(
        &mut self,
        part: usize,
        path: &Path,
        size: [usize; 2],
        image: Option<Decoded>,
    ) -> Result<(), ImportError> {
        let Some(image) = image else {
            let (first, shape) = self.first.clone().expect("an image differs from the first");
            return Err(ImportError::MixedSizes {
                first,
                first_size: [shape.height, shape.width],
                other: path.to_owned(),
                other_size: size,
            });
        };
        let channels = match &self.first {
            None => {
                self.first = Some((path.to_owned(), image.shape));
                self.reserve()?;
                image.shape.channels
            }
            Some((_, shape)) if shape.channels == 1 && image.shape.channels == 3 => {
                self.make_colour()?;
                3
            }
            Some((_, shape)) => shape.channels,
        };
        self.pixels[part].extend(with_channels(image, channels).pixels);
        Ok(())
    }

    /// Room for all files at the present shape.
    fn reserve(&mut self) -> Result<(), ImportError> {
        let Some((_, shape)) = self.first else { return Ok(()) };
        check_memory(self.n_files.iter().sum(), shape)?;
        for (pixels, &n_files) in self.pixels.iter_mut().zip(&self.n_files) {
            pixels.reserve_exact(n_files * shape.n_pixels() - pixels.len());
        }
        Ok(())
    }

    /// Three equal channels in place of each one.
    fn make_colour(&mut self) -> Result<(), ImportError> {
        if let Some((_, shape)) = &mut self.first {
            shape.channels = 3;
        }
        let gray = std::mem::take(&mut self.pixels);
        self.reserve()?;
        for (pixels, gray) in self.pixels.iter_mut().zip(gray) {
            pixels.extend(gray.into_iter().flat_map(|value| [value; 3]));
        }
        Ok(())
    }

    /// Shape and pixels of each part; none if there is no image.
    fn finish(self) -> Option<(ImageShape, [Array2<u8>; 3])> {
        let (_, shape) = self.first?;
        let pixels = self.pixels.map(|pixels| {
            let n_rows = pixels.len() / shape.n_pixels();
            Array2::from_shape_vec((n_rows, shape.n_pixels()), pixels).expect("whole rows")
        });
        Some((shape, pixels))
    }
}
