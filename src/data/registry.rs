//! Data sets by name, and where their files are.

use std::path::{Path, PathBuf};

use super::download::{Patience, Wanted, download, remove_leftovers, sha256_of};
use super::import::{ImportOptions, import};
use super::{DataError, Dataset, ImageSet, ImageShape, Labels, Sources, TableShape, garments, idx};
use crate::nearest::nearest;
use crate::progress::Progress;

/// Every name that [`load`] knows, with what it is.
pub const DATASETS: [(&str, &str); 5] = [
    ("fashion-mnist", "70,000 images of clothing, 28x28 gray, ten classes (Xiao et al., 2017)"),
    ("garments", "70,000 generated images of garments, 28x28 gray, ten classes"),
    ("garments-small", "2,500 generated images of garments, for tests"),
    ("idx", "the four IDX files of any data set, in the directory given by `--data`"),
    (OWN, "your own: a folder of images per class, a table or arrays, given by `--data`"),
];

/// The data set that `--data` names, whatever it holds; see [`super::import`].
pub const OWN: &str = "own";

/// Official files of Fashion-MNIST (<https://github.com/zalandoresearch/fashion-mnist>).
const FASHION_MNIST_URL: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";

/// Training images, training labels, test images, test labels.
const FASHION_MNIST: [PublishedFile; 4] = [
    PublishedFile {
        n_bytes: 26_421_880,
        sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        sha256_unpacked: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    },
    PublishedFile {
        n_bytes: 29_515,
        sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        sha256_unpacked: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    },
    PublishedFile {
        n_bytes: 4_422_102,
        sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        sha256_unpacked: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    },
    PublishedFile {
        n_bytes: 5_148,
        sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        sha256_unpacked: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
];

/// Names of the four files without `.gz`, training images and labels, test images and labels.
pub const FILE_NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// What is known of a file that a data set's authors published, gzipped.
struct PublishedFile {
    n_bytes: u64,
    sha256: &'static str,
    sha256_unpacked: &'static str,
}

/// A data set and how it came.
#[derive(Debug)]
pub struct Loaded {
    /// The images; no validation rows are held out yet.
    pub dataset: Dataset,
    /// True if the fallback was taken instead of the data set asked for.
    pub fell_back: bool,
    /// True if the images were read from files, false if they were generated.
    pub from_files: bool,
}

/// State of one file of a data set.
#[derive(Debug)]
pub struct FileCheck {
    /// Where it is, or where it was looked for.
    pub path: PathBuf,
    /// `None` if it is there and right.
    pub fault: Option<DataError>,
}

impl FileCheck {
    /// `ok`, `missing` or `damaged`.
    pub fn state(&self) -> &'static str {
        match self.fault {
            None => "ok",
            Some(DataError::MissingFile { .. }) => "missing",
            Some(_) => "damaged",
        }
    }
}

/// What [`load`] will give, where that is known without looking.
pub fn known_shape(name: &str) -> Option<TableShape> {
    let image = ImageShape { height: 28, width: 28, channels: 1 };
    match name {
        "fashion-mnist" | "garments" => Some(TableShape::images(60_000, 10_000, image, 10)),
        "garments-small" => Some(TableShape::images(2_000, 500, image, 10)),
        _ => None,
    }
}

/// Refuses a name that [`load`] does not know, and says which known one is near.
pub fn check_name(name: &str) -> Result<(), DataError> {
    let known: Vec<&'static str> = DATASETS.iter().map(|(known, _)| *known).collect();
    if known.contains(&name) {
        return Ok(());
    }
    let nearest = nearest(name, known.iter().copied());
    Err(DataError::UnknownDataset { name: name.to_owned(), nearest, known })
}

/// Loads a data set by name from the first source that has it, downloading it if none has.
///
/// `fallback` is loaded instead, with a warning, if the files are neither found nor downloadable;
/// never if files are there but damaged, nor if the user named a directory.
pub fn load(
    name: &str,
    fallback: Option<&str>,
    sources: &Sources,
    progress: &dyn Progress,
) -> Result<Loaded, DataError> {
    check_name(name)?;
    fallback.map_or(Ok(()), check_name)?;
    let generated = |dataset: Dataset| Loaded { dataset, fell_back: false, from_files: false };
    match name {
        "garments" => return Ok(generated(garments::generate(60_000, 10_000, garments::SEED))),
        "garments-small" => {
            let mut dataset = garments::generate(2_000, 500, garments::SEED);
            dataset.name = name.to_owned();
            return Ok(generated(dataset));
        }
        _ => {}
    }
    if name == OWN {
        let dataset = import(own_path(sources)?, &ImportOptions::default(), progress)?.dataset;
        return Ok(Loaded { dataset, fell_back: false, from_files: true });
    }
    let read = |directory: &Path| {
        let dataset = read_directory(name, directory)?;
        Ok(Loaded { dataset, fell_back: false, from_files: true })
    };
    if let Some(directory) = find_local(name, sources, progress)? {
        return read(&directory);
    }
    let target = download_directory(name, sources)?;
    let fetched = match &target {
        Some(directory) => fetch(name, directory, sources, &Patience::default(), progress),
        None => Err(DataError::NoDownloadDirectory { name: name.to_owned() }),
    };
    match (fetched, target, fallback) {
        (Ok(_), Some(directory), _) => read(&directory),
        (Err(DataError::Interrupted), ..) => Err(DataError::Interrupted),
        (Err(error), _, Some(fallback)) => {
            progress.warn(&format!(
                "`{name}` is neither on this machine nor downloadable ({error}); using the \
                 generated data set `{fallback}` instead: every figure of this run is synthetic"
            ));
            let loaded = load(fallback, None, sources, progress)?;
            Ok(Loaded { fell_back: true, ..loaded })
        }
        (Err(error), _, None) => Err(error),
        (Ok(_), None, _) => Err(DataError::NoDownloadDirectory { name: name.to_owned() }),
    }
}

/// Where the user's own data are.
pub fn own_path(sources: &Sources) -> Result<&Path, DataError> {
    let path = sources.explicit.as_deref();
    path.ok_or_else(|| DataError::DirectoryRequired { name: OWN.to_owned() })
}

/// Whether `place` holds any file of the data set, by itself or in a directory of its name.
pub fn holds(place: &Path, name: &str) -> bool {
    holding(place, name).is_some()
}

/// Whether a directory holds any of the four IDX files.
pub(super) fn holds_idx(directory: &Path) -> bool {
    FILE_NAMES.iter().any(|file| present(directory, file).is_some())
}

/// The four IDX files of a directory, whatever data set they are.
pub(super) fn read_idx(directory: &Path) -> Result<Dataset, DataError> {
    read_directory("idx", directory)
}

/// The directory that `--data` or `PIPELINE_DATA` names, if it holds any file of the data set.
fn find_local(
    name: &str,
    sources: &Sources,
    progress: &dyn Progress,
) -> Result<Option<PathBuf>, DataError> {
    if let Some(explicit) = &sources.explicit {
        if !explicit.is_dir() {
            return Err(DataError::MissingDirectory { path: explicit.clone() });
        }
        return Ok(Some(holding(explicit, name).unwrap_or_else(|| explicit.clone())));
    }
    if name == "idx" {
        return Err(DataError::DirectoryRequired { name: name.to_owned() });
    }
    let Some(environment) = &sources.environment else { return Ok(None) };
    if !environment.is_dir() {
        progress.warn(&format!(
            "the data directory `{}` of PIPELINE_DATA does not exist",
            environment.display()
        ));
    }
    Ok(holding(environment, name))
}

/// `place/name` or `place`, whichever holds at least one of the files.
fn holding(place: &Path, name: &str) -> Option<PathBuf> {
    [place.join(name), place.to_owned()].into_iter().find(|directory| holds_idx(directory))
}

/// The file, plain or gzipped.
fn present(directory: &Path, file: &str) -> Option<PathBuf> {
    [directory.join(format!("{file}.gz")), directory.join(file)].into_iter().find(|p| p.is_file())
}

fn download_directory(name: &str, sources: &Sources) -> Result<Option<PathBuf>, DataError> {
    published(name)?;
    Ok(sources.downloads.as_ref().map(|downloads| downloads.join(name)))
}

fn published(name: &str) -> Result<&'static [PublishedFile; 4], DataError> {
    check_name(name)?;
    match name {
        "fashion-mnist" => Ok(&FASHION_MNIST),
        "idx" | OWN => Err(DataError::DirectoryRequired { name: name.to_owned() }),
        _ => Err(DataError::NoFiles { name: name.to_owned() }),
    }
}

/// Where `fetch` puts the files: the directory that the user names, else the user's cache.
pub fn fetch_directory(name: &str, sources: &Sources) -> Result<PathBuf, DataError> {
    let cached = download_directory(name, sources)?;
    let chosen = sources.explicit.clone().or(cached);
    chosen.ok_or_else(|| DataError::NoDownloadDirectory { name: name.to_owned() })
}

/// Downloads into `directory` every file of the data set that is not there or not right; returns
/// how many.
pub fn fetch(
    name: &str,
    directory: &Path,
    sources: &Sources,
    patience: &Patience,
    progress: &dyn Progress,
) -> Result<usize, DataError> {
    let files = published(name)?;
    let base = sources.mirror.as_deref().unwrap_or(FASHION_MNIST_URL).trim_end_matches('/');
    let mut missing = Vec::new();
    for (file, published) in FILE_NAMES.iter().zip(files) {
        let sound = match present(directory, file) {
            Some(path) => check_sum(&path, published)?.is_none(),
            None => false,
        };
        if !sound {
            missing.push((file, published));
        }
    }
    if missing.is_empty() {
        return Ok(0);
    }
    std::fs::create_dir_all(directory).map_err(DataError::io(directory))?;
    remove_leftovers(directory);
    let n_total = missing.iter().map(|(_, published)| published.n_bytes).sum();
    let mut n_done = 0;
    for (file, published) in &missing {
        let url = format!("{base}/{file}.gz");
        let wanted = Wanted { url: &url, n_bytes: published.n_bytes, sha256: published.sha256 };
        let path = directory.join(format!("{file}.gz"));
        download(&wanted, &path, patience, (n_done, n_total), progress)?;
        n_done += published.n_bytes;
    }
    Ok(missing.len())
}

/// The state of each of the four files, in the order of [`FILE_NAMES`].
///
/// Without a directory named by the user, looks where [`load`] would.
pub fn verify(
    name: &str,
    sources: &Sources,
    progress: &dyn Progress,
) -> Result<Vec<FileCheck>, DataError> {
    let directory = match find_local(name, sources, progress)? {
        Some(directory) => directory,
        None => download_directory(name, sources)?
            .ok_or_else(|| DataError::NoDownloadDirectory { name: name.to_owned() })?,
    };
    let mut checks = Vec::with_capacity(FILE_NAMES.len());
    for (position, file) in FILE_NAMES.iter().enumerate() {
        let Some(path) = present(&directory, file) else {
            let path = directory.join(file);
            checks.push(FileCheck {
                fault: Some(DataError::MissingFile { path: path.clone() }),
                path,
            });
            continue;
        };
        let parsed = match position % 2 {
            0 => idx::read_images(&path).err(),
            _ => idx::read_labels(&path).err(),
        };
        let fault = match (parsed, published(name)) {
            (Some(fault), _) => Some(fault),
            (None, Ok(files)) => check_sum(&path, &files[position])?,
            (None, Err(_)) => None,
        };
        checks.push(FileCheck { path, fault });
    }
    Ok(checks)
}

/// The mismatch, if the file is not the published one, packed or unpacked.
fn check_sum(path: &Path, published: &PublishedFile) -> Result<Option<DataError>, DataError> {
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let expected = if packed { published.sha256 } else { published.sha256_unpacked };
    let found = sha256_of(path)?;
    Ok((found != expected).then(|| DataError::ChecksumMismatch {
        path: path.to_owned(),
        found,
        expected: expected.to_owned(),
    }))
}

/// Images and labels of one part, with the files they came from.
struct Part {
    shape: ImageShape,
    pixels: ndarray::Array2<u8>,
    labels: Vec<u8>,
    label_path: PathBuf,
}

/// Reads the four files. A wrong sum is reported only if nothing else explains it.
fn read_directory(name: &str, directory: &Path) -> Result<Dataset, DataError> {
    let mut paths = Vec::with_capacity(FILE_NAMES.len());
    for file in FILE_NAMES {
        paths.push(
            present(directory, file)
                .ok_or_else(|| DataError::MissingFile { path: directory.join(file) })?,
        );
    }
    let sums = || -> Result<(), DataError> {
        let Ok(files) = published(name) else { return Ok(()) };
        for (path, published) in paths.iter().zip(files) {
            if let Some(fault) = check_sum(path, published)? {
                return Err(fault);
            }
        }
        Ok(())
    };
    let ((train, test), sums) = rayon::join(
        || rayon::join(|| read_part(&paths[0], &paths[1]), || read_part(&paths[2], &paths[3])),
        sums,
    );
    let (train, test) = (train?, test?);
    let class_names = match name {
        "fashion-mnist" => garments::CLASS_NAMES.map(String::from).to_vec(),
        _ => numbered_classes(&train)?,
    };
    for part in [&train, &test] {
        check_labels(part, class_names.len())?;
    }
    let dimensions = |shape: ImageShape| [shape.height, shape.width, shape.channels];
    if train.shape != test.shape {
        return Err(DataError::ShapeMismatch {
            train: dimensions(train.shape),
            test: dimensions(test.shape),
        });
    }
    sums?;
    let image_set = |part: Part| ImageSet {
        shape: part.shape,
        pixels: part.pixels,
        labels: part.labels.into_iter().map(usize::from).collect::<Labels>(),
    };
    Ok(Dataset {
        name: name.to_owned(),
        class_names,
        train: image_set(train),
        validation_idx: Vec::new(),
        test: image_set(test),
        synthetic: false,
        steps: Vec::new(),
    })
}

fn read_part(image_path: &Path, label_path: &Path) -> Result<Part, DataError> {
    let (shape, pixels) = idx::read_images(image_path)?;
    let labels = idx::read_labels(label_path)?;
    if pixels.nrows() != labels.len() {
        return Err(DataError::CountMismatch {
            images: image_path.to_owned(),
            labels: label_path.to_owned(),
            n_images: pixels.nrows(),
            n_labels: labels.len(),
        });
    }
    Ok(Part { shape, pixels, labels, label_path: label_path.to_owned() })
}

/// Classes named by their number, from 0 to the largest training label, none of them empty.
fn numbered_classes(train: &Part) -> Result<Vec<String>, DataError> {
    let n_classes = train.labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let path = train.label_path.clone();
    if n_classes < 2 {
        return Err(DataError::TooFewClasses { path, found: n_classes });
    }
    let mut seen = vec![false; n_classes];
    train.labels.iter().for_each(|&label| seen[usize::from(label)] = true);
    match seen.iter().position(|&seen| !seen) {
        Some(class) => Err(DataError::EmptyClass { path, class, n_classes }),
        None => Ok((0..n_classes).map(|class| class.to_string()).collect()),
    }
}

fn check_labels(part: &Part, n_classes: usize) -> Result<(), DataError> {
    match part.labels.iter().position(|&label| usize::from(label) >= n_classes) {
        Some(position) => Err(DataError::LabelOutOfRange {
            path: part.label_path.clone(),
            position,
            found: usize::from(part.labels[position]),
            n_classes,
        }),
        None => Ok(()),
    }
}
