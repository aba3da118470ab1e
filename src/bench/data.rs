//! The rows that every engine of a bench reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ndarray::{ArrayView2, Axis, s};

use crate::data::{Dataset, Features, ImageSet, ImageShape, Labels, TableShape, stratified_order};
use crate::report::BenchDataset;

/// Pixels and labels; training rows in an order of which every prefix is stratified.
pub struct BenchData {
    pub(super) train: ndarray::Array2<u8>,
    pub(super) train_labels: Labels,
    pub(super) test: Features,
    pub(super) test_labels: Labels,
    card: BenchDataset,
    class_names: Vec<String>,
    image: ImageShape,
}

impl BenchData {
    /// The pixels of a data set, its training rows in the order of `seed`.
    pub fn new(dataset: Dataset, seed: u64) -> Self {
        let n_classes = dataset.n_classes();
        let image = dataset.test.shape;
        let card = BenchDataset {
            name: dataset.name,
            n_train: dataset.train.len(),
            n_test: dataset.test.len(),
            n_features: image.n_pixels(),
            n_classes,
            synthetic: dataset.synthetic,
        };
        let order = stratified_order(&dataset.train.labels, n_classes, seed);
        BenchData {
            train: dataset.train.pixels.select(Axis(0), &order),
            train_labels: dataset.train.labels.select(Axis(0), &order),
            test: Features::Bytes(dataset.test.pixels),
            test_labels: dataset.test.labels,
            card,
            class_names: dataset.class_names,
            image,
        }
    }

    /// What the report says of the data.
    pub fn card(&self) -> &BenchDataset {
        &self.card
    }

    /// Shape of what is fitted at one size.
    pub(super) fn shape(&self, n_train: usize) -> TableShape {
        TableShape::images(n_train, self.card.n_test, self.image, self.card.n_classes)
    }

    /// The first `n` training rows.
    ///
    /// # Panics
    /// If there are fewer.
    pub(super) fn prefix(&self, n: usize) -> (Features, Labels) {
        let rows = self.train.slice(s![..n, ..]).to_owned();
        (Features::Bytes(rows), self.train_labels.slice(s![..n]).to_owned())
    }

    /// The first `n` training images as a data set without held-out ones; its test set is empty.
    ///
    /// # Panics
    /// If there are fewer.
    pub(super) fn images(&self, n: usize) -> Dataset {
        let set = |n: usize| ImageSet {
            shape: self.image,
            pixels: self.train.slice(s![..n, ..]).to_owned(),
            labels: self.train_labels.slice(s![..n]).to_owned(),
        };
        Dataset {
            name: self.card.name.clone(),
            class_names: self.class_names.clone(),
            train: set(n),
            validation_idx: Vec::new(),
            test: set(0),
            synthetic: self.card.synthetic,
            steps: Vec::new(),
        }
    }

    /// Writes `train.npy`, `train_labels.npy`, `test.npy` and `test_labels.npy`, bytes all.
    pub(super) fn write_npy(&self, directory: &Path) -> io::Result<()> {
        let column = |labels: &Labels| labels.mapv(|label| label as u8).insert_axis(Axis(1));
        write_npy(&directory.join("train.npy"), self.train.view())?;
        write_npy(&directory.join("train_labels.npy"), column(&self.train_labels).view())?;
        if let Features::Bytes(test) = &self.test {
            write_npy(&directory.join("test.npy"), test.view())?;
        }
        write_npy(&directory.join("test_labels.npy"), column(&self.test_labels).view())
    }
}

/// An array as NumPy's format 1.0 (<https://numpy.org/neps/nep-0001-npy-format.html>).
fn write_npy(path: &Path, rows: ArrayView2<u8>) -> io::Result<()> {
    let mut header = format!(
        "{{'descr': '|u1', 'fortran_order': False, 'shape': ({}, {}), }}",
        rows.nrows(),
        rows.ncols()
    );
    // Magic, version, length and header fill a multiple of 64 bytes.
    let n_padding = 63 - (10 + header.len()) % 64;
    header.push_str(&" ".repeat(n_padding));
    header.push('\n');
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(header.len() as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for row in rows.rows() {
        file.write_all(&row.to_vec())?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `np.save` of `np.array([[1, 2, 3], [4, 5, 255]], np.uint8)`, NumPy 2.
    const SAVED_BY_NUMPY: &[u8] = b"\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': \
        False, 'shape': (2, 3), }                                                          \n\
        \x01\x02\x03\x04\x05\xff";

    #[test]
    fn arrays_are_written_as_numpy_writes_them() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.npy");
        write_npy(&path, ndarray::array![[1, 2, 3], [4, 5, 255]].view()).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), SAVED_BY_NUMPY);
    }
}
