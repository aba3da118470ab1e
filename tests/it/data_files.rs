//! Data sets on disk: every fault is named, and nothing damaged is ever used.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hybrid_pipeline::data::{self, DataError, Loaded, Sources, registry};
use hybrid_pipeline::progress::{Progress, Silent};

/// Keeps the warnings.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Progress for Listener {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(content);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Six training and three test images of 2x2, three classes.
fn write_small_set(directory: &Path) {
    let images = |n: u32| idx(&[n, 2, 2], &(0..4 * n as u8).collect::<Vec<_>>());
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(directory.join(name), bytes).unwrap();
    write("train-images-idx3-ubyte.gz", gzip(&images(6)));
    write("train-labels-idx1-ubyte", idx(&[6], &[0, 1, 2, 2, 1, 0]));
    write("t10k-images-idx3-ubyte", images(3));
    write("t10k-labels-idx1-ubyte.gz", gzip(&idx(&[3], &[2, 1, 0])));
}

fn explicit(directory: &Path) -> Sources {
    Sources { explicit: Some(directory.to_owned()), ..Sources::default() }
}

fn load_small(change: impl FnOnce(&Path)) -> Result<Loaded, DataError> {
    let directory = tempfile::tempdir().unwrap();
    write_small_set(directory.path());
    change(directory.path());
    data::load("idx", None, &explicit(directory.path()), &Silent)
}

/// Loads the small set with one file replaced.
fn load_with(file: &str, bytes: Vec<u8>) -> DataError {
    load_small(|directory| std::fs::write(directory.join(file), bytes).unwrap()).unwrap_err()
}

#[test]
fn four_files_plain_or_gzipped_make_a_data_set() {
    let loaded = load_small(|_| {}).unwrap();
    assert!(loaded.from_files && !loaded.fell_back && !loaded.dataset.synthetic);
    assert_eq!(loaded.dataset.class_names, ["0", "1", "2"]);
    assert_eq!(loaded.dataset.train.pixels.dim(), (6, 4));
    assert_eq!(loaded.dataset.train.pixels[[1, 0]], 4);
    assert_eq!(loaded.dataset.test.labels.to_vec(), [2, 1, 0]);
    assert!(loaded.dataset.validation_idx.is_empty());
}

#[test]
fn each_fault_of_a_file_is_named() {
    let labels = "train-labels-idx1-ubyte";
    let images = "t10k-images-idx3-ubyte";
    let cases: [(DataError, &str); 8] = [
        (load_with(labels, idx(&[6], &[0, 1, 2])), "truncated: it ends after 11 bytes"),
        (load_with(labels, idx(&[3], &[0, 1, 2, 2])), "holds more than the 11 bytes"),
        (load_with(labels, idx(&[5], &[0, 1, 2, 2, 1])), "6 images"),
        (load_with(labels, idx(&[6], &[0, 1, 3, 3, 1, 0])), "class 2 of 4 has no label"),
        (load_with(labels, idx(&[6], &[0; 6])), "at least 2"),
        (load_with(images, idx(&[3], &[0; 3])), "magic number 0x00000801, expected 0x00000803"),
        (load_with(images, idx(&[3, 2, 1], &[0; 6])), "test images [2, 1, 1]"),
        (load_with("t10k-labels-idx1-ubyte.gz", b"<html>".to_vec()), "not a gzip file"),
    ];
    for (error, expected) in cases {
        assert!(error.to_string().contains(expected), "expected `{expected}` in: {error}");
    }
    let error = load_with("t10k-labels-idx1-ubyte.gz", gzip(&idx(&[3], &[0, 9, 1])));
    assert!(
        matches!(error, DataError::LabelOutOfRange { position: 1, found: 9, n_classes: 3, .. }),
        "{error}"
    );
}

#[test]
fn a_named_directory_is_the_only_place() {
    let sources = explicit(Path::new("no/such/directory"));
    let error = data::load("fashion-mnist", Some("garments-small"), &sources, &Silent).unwrap_err();
    assert!(matches!(error, DataError::MissingDirectory { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--data"));
    let directory = tempfile::tempdir().unwrap();
    let sources = explicit(directory.path());
    let error = data::load("fashion-mnist", Some("garments-small"), &sources, &Silent).unwrap_err();
    assert!(matches!(error, DataError::MissingFile { .. }), "{error}");
    let error = data::load("idx", None, &Sources::default(), &Silent).unwrap_err();
    assert!(matches!(error, DataError::DirectoryRequired { .. }), "{error}");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let error = data::load("fashon_mnist", None, &Sources::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains("garments-small"), "{error}");
    assert_eq!(error.hint().unwrap(), "did you mean `fashion-mnist`?");
    let error = data::load("garments", Some("garmnets"), &Sources::default(), &Silent).unwrap_err();
    assert!(
        matches!(error, DataError::UnknownDataset { nearest: Some("garments"), .. }),
        "{error}"
    );
}

#[test]
fn a_well_formed_file_that_is_not_the_published_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write_small_set(directory.path());
    let sources = Sources { environment: Some(directory.path().to_owned()), ..Sources::default() };
    let error = data::load("fashion-mnist", Some("garments-small"), &sources, &Silent).unwrap_err();
    assert!(matches!(error, DataError::ChecksumMismatch { .. }), "{error}");
    let checks = registry::verify("fashion-mnist", &sources, &Silent).unwrap();
    assert!(checks.iter().all(|check| check.state() == "damaged"), "{checks:?}");
    std::fs::remove_file(directory.path().join("t10k-images-idx3-ubyte")).unwrap();
    let checks = registry::verify("idx", &explicit(directory.path()), &Silent).unwrap();
    let states: Vec<_> = checks.iter().map(|check| check.state()).collect();
    assert_eq!(states, ["ok", "ok", "missing", "ok"]);
}

#[test]
fn the_fallback_is_taken_loudly_and_marked_synthetic() {
    let listener = Listener::default();
    let loaded =
        data::load("fashion-mnist", Some("garments-small"), &Sources::default(), &listener)
            .unwrap();
    assert!(loaded.fell_back && !loaded.from_files && loaded.dataset.synthetic);
    assert_eq!(loaded.dataset.name, "garments-small");
    let warnings = listener.0.lock().unwrap();
    assert!(warnings.iter().any(|text| text.contains("synthetic")), "{warnings:?}");
    let error = data::load("fashion-mnist", None, &Sources::default(), &Silent).unwrap_err();
    assert!(matches!(error, DataError::NoDownloadDirectory { .. }), "{error}");
}

#[test]
fn real_fashion_mnist_is_read_and_damage_to_it_is_found() {
    let Some(real) = std::env::var_os("PIPELINE_DATA").map(PathBuf::from) else {
        eprintln!("skipped: PIPELINE_DATA is not set");
        return;
    };
    let loaded = data::load("fashion-mnist", None, &explicit(&real), &Silent).unwrap();
    assert_eq!(loaded.dataset.train.class_counts(), [6000; 10]);
    assert_eq!(loaded.dataset.test.class_counts(), [1000; 10]);
    assert_eq!(loaded.dataset.train.labels[0], 9, "the first image is an ankle boot");

    let copy = tempfile::tempdir().unwrap();
    for file in registry::FILE_NAMES {
        let bytes = std::fs::read(real.join(format!("{file}.gz"))).unwrap();
        std::fs::write(copy.path().join(format!("{file}.gz")), bytes).unwrap();
    }
    let images = copy.path().join("t10k-images-idx3-ubyte.gz");
    let bytes = std::fs::read(&images).unwrap();
    std::fs::write(&images, &bytes[..bytes.len() / 2]).unwrap();
    let error = data::load("fashion-mnist", None, &explicit(copy.path()), &Silent).unwrap_err();
    assert!(matches!(error, DataError::Truncated { expected: 7_840_016, .. }), "{error}");
}
